"""Calibration: how fast this machine reads and integrates these very inputs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from hpcbudget.engine.block import Block, whole_chunks
from hpcbudget.engine.plan import Plan
from hpcbudget.engine.read_ahead import READ_BYTES

# Starting workers, merging, tables and figures: measured on small runs, said as such.
FIXED_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Throughput of one worker.

    Attributes
    ----------
    gb_per_s : float
        Decoded GB per second, reading included. The file system may have held the sample in
        memory, and many workers may share its bandwidth: an optimistic figure.
    """

    gb_per_s: float

    def seconds(self, plan: Plan, workers: int) -> float:
        """Return the expected wall time of a plan."""
        return FIXED_SECONDS + plan.read_bytes / 1e9 / self.gb_per_s / max(workers, 1)


def calibrate(plan: Plan, samples: int = 3) -> Pace:
    """Time one read of the largest series of each of up to `samples` grids.

    Nothing is recorded; the domains that the plan wrote are used.
    """
    series = sorted(
        plan.runner.series.values(),
        key=lambda s: (s.steps[1] - s.steps[0]) * s.store.step_bytes,
        reverse=True,
    )
    by_grid = {s.grid.content_hash(): s for s in reversed(series)}
    chosen = sorted(by_grid.values(), key=lambda s: -s.store.step_bytes)[:samples]
    read_bytes = seconds = 0.0
    for one in chosen:
        start, stop = next(iter(whole_chunks(one, *one.steps, READ_BYTES)))
        block = Block(one.key, start, stop)
        plan.runner.compute(Block(one.key, start, start + 1))  # compiles, builds the tables
        begin = time.perf_counter()
        plan.runner.compute(block)
        seconds += time.perf_counter() - begin
        read_bytes += (stop - start) * one.store.step_bytes
    return Pace(read_bytes / 1e9 / seconds)
