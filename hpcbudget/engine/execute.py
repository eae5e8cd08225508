"""Execute: give blocks to workers, a bounded number at a time, until all are in the ledger.

A task is a bundle of blocks of about half a second, since a task costs the scheduler as much as a
small block costs a worker. The driver holds a fixed number of bundles however many blocks there
are. Totals lie in the ledger when a block ends, so a worker that dies takes nothing with it but the
bundle it was at. A block that fails is tried again, alone and elsewhere, a bounded number of
times; then it is named, and all others are still finished.
"""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hpcbudget.engine.block import Block
from hpcbudget.engine.ledger import Ledger
from hpcbudget.engine.plan import Plan
from hpcbudget.engine.progress import Progress
from hpcbudget.engine.tally import Clock, NoLimit, Tally
from hpcbudget.engine.work import Done, Failed, Unit, Work, attempt, run_bundle
from hpcbudget.errors import OutputError

if TYPE_CHECKING:
    from distributed import Client

# Enough to keep a worker's hands full while the driver turns round; memory is bounded by it.
BUNDLES_AHEAD = 2
BUNDLE_SECONDS = 0.5
BUNDLE_BLOCKS = 64
FETCH_SECONDS = 10


def pending(plan: Plan, ledger: Ledger, blocks: Iterable[Block]) -> list[Block]:
    """Return the blocks that the ledger does not hold for these very inputs."""
    return [b for b in blocks if ledger.find(b, plan.runner.fingerprint(b)) is None]


def execute_alone(
    work: Work, blocks: Iterable[Unit], progress: Progress, clock: Clock | None = None
) -> Tally:
    """Run blocks one after the other in this process: ``--part``, and the smallest runs."""
    clock = clock or NoLimit()
    tally = Tally(work.out)
    progress.workers = 1
    source = iter(blocks)
    while clock.may_begin(tally.longest_seconds):
        block = next(source, None)
        if block is None:
            break
        _settle_one(attempt(work, block), tally, progress)
    tally.left = sum(1 for _ in source)
    progress.emit()
    return tally


def _settle_one(result: Done | Failed, tally: Tally, progress: Progress) -> None:
    if isinstance(result, Done):
        tally.count(result)
        progress.finished(result)
    else:
        tally.lose(result)
        progress.lost()


def execute(
    client: Client,
    work: Work,
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
    work : Work
        Sent to each worker once, also to those that join later.
    blocks : iterable of Unit
        Taken one by one: it may be of any length.
    progress : Progress
    retries : int
        Further tries of a failed block.
    clock : Clock, optional
        Asked before each bundle.

    Raises
    ------
    OutputError
        If a worker cannot write the ledger: going on would be of no use.
    """
    from distributed import as_completed

    from hpcbudget.engine.plugin import WorkPlugin

    client.register_plugin(WorkPlugin(work), name=WorkPlugin.name)
    clock = clock or NoLimit()
    tally = Tally(work.out)
    source = iter(blocks)
    tries: Counter[Unit] = Counter()
    room = _Room(client, progress)
    futures = as_completed()
    flying: dict[object, Sequence[Unit]] = {}

    def launch(bundle: Sequence[Unit]) -> None:
        tries.update(bundle)
        future = client.submit(run_bundle, bundle, key=f"bundle-{uuid4().hex}", pure=False)
        flying[future.key] = bundle
        futures.add(future)

    taken = 0

    def fill() -> None:
        nonlocal taken
        while len(flying) < room.bundles():
            left = progress.total - progress.resumed - taken
            size = bundle_size(tally, left, room.bundles())
            if not clock.may_begin(size * tally.longest_seconds):
                return
            bundle = list(islice(source, size))
            if not bundle:
                return
            taken += len(bundle)
            launch(bundle)

    fill()
    for future in futures:
        for result in _results(future, flying.pop(future.key)):
            if isinstance(result, Failed) and result.curable and tries[result.block] <= retries:
                launch([result.block])
                continue
            del tries[result.block]
            _settle_one(result, tally, progress)
        future.release()
        fill()
    tally.left = sum(1 for _ in source)
    progress.emit()
    return tally


def bundle_size(tally: Tally, left: int, flying: int) -> int:
    """Return how many blocks make a bundle.

    Parameters
    ----------
    tally : Tally
        What blocks took so far; until that is known they go one by one.
    left : int
        Blocks not yet handed out: the last are shared out, so that workers end together.
    flying : int
        Bundles that are under way at a time.
    """
    if not tally.done:
        return 1
    mean = tally.seconds / tally.done
    fitting = min(BUNDLE_SECONDS / max(mean, 1e-6), BUNDLE_BLOCKS, left / flying)
    return max(int(fitting), 1)


class _Room:
    """How many bundles may fly: asked of the scheduler once a second, not for every bundle."""

    def __init__(self, client: Client, progress: Progress) -> None:
        self.client, self.progress = client, progress
        self.asked, self.size = -float("inf"), 1

    def bundles(self) -> int:
        if time.monotonic() - self.asked > 1.0:
            threads = self.client.nthreads()
            self.progress.workers = len(threads)
            self.size = BUNDLES_AHEAD * max(1, sum(threads.values()))
            self.asked = time.monotonic()
        return self.size


def _results(future: Any, bundle: Sequence[Unit]) -> list[Done | Failed]:
    """Return what came of each block; a bundle that was lost whole is tried block by block.

    Results lie on the worker until they are fetched. If it dies in between, dask computes the
    bundle again, and may never say how that ended; so they are waited for no longer than it
    takes to fetch a few numbers. Blocks that are then done twice write the same bytes.
    """
    try:
        results: list[Done | Failed] = future.result(timeout=FETCH_SECONDS)
    except OutputError:
        raise
    except (Exception, CancelledError) as error:
        return [Failed.of(block, error) for block in bundle]
    return results
