"""``bench run`` and ``bench scale``: whole runs, more workers, more region sets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hpcbudget.bench.measure import Row, once, side_by_side
from hpcbudget.bench.read_speed import decoders_of
from hpcbudget.bench.shapes import Shape
from hpcbudget.bench.stores import configure, write_stores
from hpcbudget.config import Config
from hpcbudget.engine.block import Block
from hpcbudget.engine.cluster import local_client
from hpcbudget.engine.execute import execute
from hpcbudget.engine.progress import Progress
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
    are timed: workers are there and warm.
    """
    yield from _region_sets(shape, folder)
    most = workers or len(os.sched_getaffinity(0))
    counts = sorted({1, 2, most} if most > 1 else {1})
    rates = {count: _block_rate(shape, folder, count) for count in counts}
    for count in counts:
        limit = rates[1] * count
        name = f"{shape.name}-{count}-workers"
        yield Row("scale", name, rates[count], limit, "one worker, times n")


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
            seconds = side_by_side(works, 3)
        for count in REGION_SETS:
            yield Row(
                "scale",
                f"{shape.name}-{form}-{count}-region-sets",
                gigabytes / seconds[str(count)],
                gigabytes / seconds["1"],
                "one region set",
            )


def _block_rate(shape: Shape, folder: Path, workers: int) -> float:
    """Return the GB/s of so many workers on the blocks of an ensemble: the best of some passes."""
    config, gigabytes = _ensemble(shape, folder, COPIES)
    # one worker, too, in a process of its own: as a thread it would share this one's interpreter
    engine = config.engine.model_copy(update={"processes": True})
    config = config.model_copy(update={"engine": engine})
    with TemporaryDirectory(dir=folder) as out:
        _, plan = prepare(config, Path(out))
        with local_client(plan, config, workers) as client:
            _pin(client, workers)

            def one_pass() -> None:
                progress = Progress(Path(out), len(plan.blocks), 0, None, 60.0)
                execute(client, plan.runner, plan.blocks, progress)

            seconds = side_by_side({"pass": one_pass}, PASSES)["pass"]
    return gigabytes / seconds


def _pin(client: Client, workers: int) -> None:
    """Give each worker a core of its own, as a job has; alone it would read ahead on another."""
    client.wait_for_workers(workers)
    cores = sorted(os.sched_getaffinity(0))
    for number, worker in enumerate(client.scheduler_info(n_workers=-1)["workers"]):
        core = {cores[number % len(cores)]}
        # threads that are started later stay on the core of the one that starts them
        client.run(os.sched_setaffinity, 0, core, workers=[worker])


def _ensemble(shape: Shape, folder: Path, copies: int) -> tuple[Config, float]:
    store = {"ingested": write_stores(shape, folder)["ingested"]}
    config = configure(shape, store, copies=copies)
    return config, copies * shape.n_steps * shape.n_cells * 4 / 1e9
