"""``bench run`` and ``bench scale``: whole runs, more workers, more region sets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hpcbudget.bench.measure import Row, Work, once, side_by_side
from hpcbudget.bench.read_speed import decoders_of
from hpcbudget.bench.shapes import Shape
from hpcbudget.bench.stores import configure, write_stores
from hpcbudget.config import Config
from hpcbudget.engine.block import Block
from hpcbudget.engine.cluster import local_client
from hpcbudget.engine.execute import execute
from hpcbudget.engine.progress import Progress
from hpcbudget.engine.work import Done
from hpcbudget.processes import Helpers
from hpcbudget.workflow import prepare, run_config

if TYPE_CHECKING:
    from distributed import Client

COPIES = 24
PASSES = 2
REGION_SETS = (1, 4, 16)


def measure_run(shape: Shape, folder: Path, workers: int | None = None) -> Iterator[Row]:
    """Yield one row: an ensemble from its files to tables, workers started and stopped included."""
    workers = workers or len(os.sched_getaffinity(0))
    config, gigabytes = _ensemble(shape, folder, COPIES)
    with TemporaryDirectory(dir=folder) as out:
        seconds = once(lambda: run_config(config, Path(out), workers=workers, with_report=False))
    works = decoders_of(write_stores(shape, folder)["ingested"])
    decode = min(side_by_side(works, 3).values()) * COPIES
    yield Row(
        "run",
        f"{shape.name}-x{COPIES}-members-{workers}-workers",
        gigabytes / seconds,
        gigabytes / decode,
        "decoding alone, all cores",
        {},
        {"seconds": seconds},
    )


def measure_scale(shape: Shape, folder: Path, workers: int | None = None) -> Iterator[Row]:
    """Yield rows for 1, 4 and 16 region sets, and for more workers.

    The limits are the rate with one set, and that of one worker times their number. Only blocks
    are timed: workers are there and warm. Beside so many workers stand as many processes that do
    the same blocks without a scheduler: what they gain is all that the machine has to give.
    """
    yield from _region_sets(shape, folder)
    most = workers or len(os.sched_getaffinity(0))
    counts = sorted({1, 2, most} if most > 1 else {1})
    seconds, gigabytes = _time_of_blocks(shape, folder, counts)
    for count in counts:
        yield Row(
            "scale",
            f"{shape.name}-{count}-workers",
            gigabytes / seconds[f"{count} workers"],
            count * gigabytes / seconds["1 workers"],
            "one worker, times n",
            {f"{count} processes alone": seconds[f"{count} alone"] / seconds[f"{count} workers"]},
            {"processes_alone_gain": seconds["1 alone"] / seconds[f"{count} alone"]},
        )


def _region_sets(shape: Shape, folder: Path) -> Iterator[Row]:
    """Yield rows for every form of storage: the faster it is decoded, the more regions show."""
    gigabytes = shape.n_steps * shape.n_cells * 4 / 1e9
    for form, store in write_stores(shape, folder).items():
        with TemporaryDirectory(dir=folder) as out:
            works = {}
            for count in REGION_SETS:
                config = configure(shape, {form: store}, n_sets=count)
                _, plan = prepare(config, Path(out, str(count)))
                key = plan.blocks[0].key
                whole = Block(key, *plan.runner.series[key].steps)
                works[str(count)] = partial(plan.runner.compute, whole)
            seconds = side_by_side(works, 5)
        for count in REGION_SETS:
            yield Row(
                "scale",
                f"{shape.name}-{form}-{count}-region-sets",
                gigabytes / seconds[str(count)],
                gigabytes / seconds["1"],
                "one region set",
            )


def _time_of_blocks(
    shape: Shape, folder: Path, counts: list[int]
) -> tuple[dict[str, float], float]:
    """Return the seconds that workers and bare processes need for an ensemble, and its size in GB.

    All of them are there at the same time and are given the same blocks in turns.
    """
    config, gigabytes = _ensemble(shape, folder, COPIES)
    # one worker, too, in a process of its own: as a thread it would share this one's interpreter
    engine = config.engine.model_copy(update={"processes": True})
    config = config.model_copy(update={"engine": engine})
    works: dict[str, Work] = {}
    with ExitStack() as stack:
        out = Path(stack.enter_context(TemporaryDirectory(dir=folder)))
        _, plan = prepare(config, out)
        for count in counts:
            client = stack.enter_context(local_client(plan, config, count))
            _pin(client, count)
            progress = Progress(out, len(plan.blocks), 0, None, 60.0)
            works[f"{count} workers"] = partial(execute, client, plan.runner, plan.blocks, progress)
            helpers = stack.enter_context(closing(Helpers(plan.runner.run, count)))
            works[f"{count} alone"] = partial(_finish, helpers, plan.blocks, count)
        return side_by_side(works, PASSES), gigabytes


def _pin(client: Client, workers: int) -> None:
    """Give each worker a core of its own, as a job has; alone it would read ahead on another."""
    client.wait_for_workers(workers)
    cores = sorted(os.sched_getaffinity(0))
    for number, worker in enumerate(client.scheduler_info(n_workers=-1)["workers"]):
        core = {cores[number % len(cores)]}
        # threads that are started later stay on the core of the one that starts them
        client.run(os.sched_setaffinity, 0, core, workers=[worker])


def _finish(helpers: Helpers[Block, Done], blocks: Sequence[Block], count: int) -> None:
    """Have processes of this machine do blocks; one alone keeps to one core, as a worker does."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)} if count == 1 else cores)
    try:
        for _ in helpers.map(blocks):
            pass
    finally:
        os.sched_setaffinity(0, cores)


def _ensemble(shape: Shape, folder: Path, copies: int) -> tuple[Config, float]:
    store = {"ingested": write_stores(shape, folder)["ingested"]}
    config = configure(shape, store, copies=copies)
    return config, copies * shape.n_steps * shape.n_cells * 4 / 1e9
