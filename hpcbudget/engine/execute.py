"""Execute: give blocks to workers, a bounded number at a time, until all are in the ledger.

The driver holds a fixed number of futures however many blocks there are. Totals lie in the ledger
when a future ends, so a worker that dies takes nothing with it but the block it was at. A block
that fails is tried again elsewhere a bounded number of times; then it is named, and all others
are still finished.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from hpcbudget.engine.block import Block
from hpcbudget.engine.ledger import Ledger
from hpcbudget.engine.plan import Plan
from hpcbudget.engine.progress import Progress
from hpcbudget.engine.work import Done, Unit, Work
from hpcbudget.errors import (
    BlockError,
    ClusterError,
    HpcBudgetError,
    OutputError,
    StoppedEarlyError,
)

if TYPE_CHECKING:
    from distributed import Client

# Enough to keep a worker's hands full while the driver turns round; memory is bounded by it.
BLOCKS_AHEAD = 2


class Clock(Protocol):
    """Says whether another block may be begun; a job's driver asks its remaining walltime."""

    def may_begin(self, longest_seconds: float) -> bool:
        """Tell whether a block of `longest_seconds` would still end in time."""
        ...


@dataclass
class NoLimit:
    """A clock without a limit."""

    def may_begin(self, longest_seconds: float) -> bool:
        """Return True."""
        return True


@dataclass
class Tally:
    """What came of the blocks of one execution."""

    failed: dict[Unit, str] = field(default_factory=dict)
    longest_seconds: float = 0.0
    left: int = 0

    def lose(self, runner: Work, block: Unit, error: BaseException) -> None:
        """Note a block that failed for good, here and in the ledger."""
        if isinstance(error, HpcBudgetError):
            why = str(error)
        else:
            why = f"block {block.name}: {type(error).__name__}: {error}"
        self.failed[block] = why
        Ledger(runner.out).record_failure(block, why)

    def settle(self) -> None:
        """Raise what a run must not pass over in silence.

        Raises
        ------
        BlockError
            Some blocks failed for good.
        StoppedEarlyError
            Blocks are left because the time is up.
        """
        if self.failed:
            listed = "\n".join(self.failed.values())
            raise BlockError(
                f"{len(self.failed)} blocks failed; all others are finished and kept",
                where=listed,
                why="a budget without them would be wrong, so none was made",
                fix="mend the cause and run again: finished blocks are not repeated",
            )
        if self.left:
            raise StoppedEarlyError(
                f"stopped in time with {self.left} blocks left",
                fix="run again to go on: finished blocks are not repeated",
            )


def pending(plan: Plan, ledger: Ledger, blocks: Iterable[Block]) -> list[Block]:
    """Return the blocks that the ledger does not hold for these very inputs."""
    return [b for b in blocks if ledger.find(b, plan.runner.fingerprint(b)) is None]


def execute_alone(
    runner: Work, blocks: Iterable[Unit], progress: Progress, clock: Clock | None = None
) -> Tally:
    """Run blocks one after the other in this process: ``--part``, and the smallest runs."""
    clock = clock or NoLimit()
    tally = Tally()
    queue = list(blocks)
    progress.workers = 1
    for done_so_far, block in enumerate(queue):
        if not clock.may_begin(tally.longest_seconds):
            tally.left = len(queue) - done_so_far
            break
        try:
            done = runner.run(block)
        except (OutputError, StoppedEarlyError, ClusterError):
            raise  # of the whole run: the clock may raise in the middle of a block
        except Exception as error:
            tally.lose(runner, block, error)
            progress.lost()
            continue
        tally.longest_seconds = max(tally.longest_seconds, done.seconds)
        progress.finished(done)
    progress.emit()
    return tally


def execute(
    client: Client,
    runner: Work,
    blocks: Iterable[Unit],
    progress: Progress,
    *,
    retries: int = 2,
    clock: Clock | None = None,
) -> Tally:
    """Run blocks on the workers of a dask cluster.

    Parameters
    ----------
    client : distributed.Client
    runner : Work
        Sent to each worker once, also to those that join later.
    blocks : iterable of Unit
        Taken one by one: it may be of any length.
    progress : Progress
    retries : int
        Further tries of a failed block.
    clock : Clock, optional
        Asked before each block.

    Raises
    ------
    OutputError
        If a worker cannot write the ledger: going on would be of no use.
    """
    from distributed import as_completed

    from hpcbudget.engine.plugin import RunnerPlugin

    clock = clock or NoLimit()
    tally = Tally()
    source = iter(blocks)
    tries: Counter[Unit] = Counter()
    room = _Room(client, progress)
    client.register_plugin(RunnerPlugin(runner), name=RunnerPlugin.name)
    futures = as_completed(raise_errors=False)
    flying: dict[object, Unit] = {}

    def launch(block: Unit) -> None:
        tries[block] += 1
        key = f"block-{block.name}-{tries[block]}"
        future = client.submit(run_block, block, key=key, pure=False)
        flying[future.key] = block
        futures.add(future)

    def fill() -> None:
        while len(flying) < room.blocks() and clock.may_begin(tally.longest_seconds):
            block = next(source, None)
            if block is None:
                return
            launch(block)

    fill()
    for future in futures:
        block = flying.pop(future.key)
        error = _failure(future)
        if error is None:
            done: Done = future.result()
            tally.longest_seconds = max(tally.longest_seconds, done.seconds)
            del tries[block]
            progress.finished(done)
        elif isinstance(error, OutputError):
            raise error
        elif tries[block] <= retries and _worth_another_try(error):
            launch(block)
        else:
            tally.lose(runner, block, error)
            progress.lost()
        future.release()
        fill()
    tally.left = sum(1 for _ in source)
    progress.emit()
    return tally


class _Room:
    """How many blocks may fly: asked of the scheduler once a second, not for every block."""

    def __init__(self, client: Client, progress: Progress) -> None:
        self.client, self.progress = client, progress
        self.asked, self.size = -float("inf"), 1

    def blocks(self) -> int:
        if time.monotonic() - self.asked > 1.0:
            threads = self.client.nthreads()
            self.progress.workers = len(threads)
            self.size = BLOCKS_AHEAD * max(1, sum(threads.values()))
            self.asked = time.monotonic()
        return self.size


def _failure(future: Any) -> BaseException | None:
    if future.status == "finished":
        return None
    if future.status == "cancelled":
        return RuntimeError("the task was cancelled")
    error: BaseException = future.exception()
    return error


def _worth_another_try(error: BaseException) -> bool:
    """Bad data stay bad; lost workers, file systems out of breath and memory may not."""
    return not isinstance(error, HpcBudgetError) or isinstance(error.__cause__, OSError)


# ------------------------------------------------------------------ on the worker

_RUNNER: dict[str, Work] = {}


def run_block(block: Unit) -> Done:
    """Run one block with the runner that this worker was given."""
    return _RUNNER["current"].run(block)


def hold_runner(runner: Work) -> None:
    """Keep the runner for the tasks of this process."""
    _RUNNER["current"] = runner
