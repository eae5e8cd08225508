"""The plugin that brings the runner to each worker once and gets its kernels ready."""

from __future__ import annotations

from typing import Any

from distributed import WorkerPlugin

from hpcbudget.engine.execute import hold_runner
from hpcbudget.engine.work import Work
from hpcbudget.kernels.integrate import warm


class RunnerPlugin(WorkerPlugin):
    """Hold the run's `Work` on every worker, whenever it joins."""

    name = "hpcbudget-runner"

    def __init__(self, runner: Work) -> None:
        self.runner = runner

    def setup(self, worker: Any) -> None:
        """Take the runner and compile the kernels before the first block."""
        hold_runner(self.runner)
        warm()
