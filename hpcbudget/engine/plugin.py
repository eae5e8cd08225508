"""The plugin that brings the work to each worker once and gets its kernels ready."""

from __future__ import annotations

from typing import Any

from distributed import WorkerPlugin

from hpcbudget.engine.work import Work, hold


class WorkPlugin(WorkerPlugin):
    """Hold the run's `Work` on every worker, whenever it joins."""

    name = "hpcbudget-work"

    def __init__(self, work: Work) -> None:
        self.work = work

    def setup(self, worker: Any) -> None:
        """Take the work and compile its kernels before the first unit."""
        hold(self.work)
        self.work.warm()
