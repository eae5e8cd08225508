"""``bench read``: stored fields to regional totals, against decoding them and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import xarray as xr

from hpcbudget.bench.measure import Row, once, side_by_side
from hpcbudget.bench.shapes import Shape
from hpcbudget.bench.stores import VARIABLE, boxes, configure, write_stores
from hpcbudget.engine.block import Block, cut
from hpcbudget.engine.read_ahead import read_ahead
from hpcbudget.engine.runner import Runner
from hpcbudget.inputs.series import Series
from hpcbudget.processes import Helpers
from hpcbudget.workflow import prepare

LIMIT = "decoding alone, fastest library"
BLOCKS_PER_CORE = 2


@dataclass(frozen=True)
class Problem:
    """A store, and all it takes to integrate it.

    Attributes
    ----------
    shape : Shape
    store : Path
    series : Series
    runner : Runner
    """

    shape: Shape
    store: Path
    series: Series
    runner: Runner

    def blocks(self, cores: int) -> list[Block]:
        """Return blocks of equal size, some for every core."""
        size = self.series.store.step_bytes * self.series.store.n_steps
        return cut(self.series, size / (BLOCKS_PER_CORE * cores))

    def integrate(self, block: Block) -> None:
        """Compute a block, as a worker does, and record nothing."""
        self.runner.compute(block)

    def decode(self, block: Block) -> None:
        """Read and decode a block as `integrate` does, and do nothing with it."""
        for _ in read_ahead(self.series, block.start, block.stop, self.runner.prefetch):
            pass

    @property
    def gigabytes(self) -> float:
        """Decoded size in 1e9 bytes."""
        return self.series.store.step_bytes * self.series.store.n_steps / 1e9


@dataclass(frozen=True)
class Task:
    """What a process is told to do: something with one block of one form of storage."""

    what: Literal["integrate", "decode"]
    form: str
    block: Block


@dataclass(frozen=True)
class Crew:
    """A process per core, as a run has workers; they wait between one measurement and the next."""

    problems: dict[str, Problem]
    cores: int
    helpers: Helpers[Task, None]

    def work(self, what: Literal["integrate", "decode"], form: str) -> None:
        """Have all blocks of a store integrated or decoded."""
        blocks = self.problems[form].blocks(self.cores)
        for _ in self.helpers.map(Task(what, form, block) for block in blocks):
            pass


def _do(problems: dict[str, Problem], task: Task) -> None:
    getattr(problems[task.form], task.what)(task.block)


def measure(shape: Shape, folder: Path, rounds: int = 7) -> Iterator[Row]:
    """Yield a row per form of storage."""
    stores = write_stores(shape, folder)
    with TemporaryDirectory(dir=folder) as out:
        catalogue, plan = prepare(configure(shape, stores), Path(out))
        problems = {}
        for series in catalogue.series:
            form = series.key.member.rsplit("-", 1)[0]
            problems[form] = Problem(shape, stores[form], series, plan.runner)
        cores = len(os.sched_getaffinity(0))
        with closing(Helpers(partial(_do, problems), cores)) as helpers:
            for form in problems:
                yield _row(form, Crew(problems, cores, helpers), rounds)


def _row(form: str, crew: Crew, rounds: int) -> Row:
    problem, problems = crew.problems[form], crew.problems
    works: dict[str, Callable[[], object]] = {"ours": partial(crew.work, "integrate", form)}
    works |= decoders_of(problem.store)
    bare = "ours without integration"
    works[bare] = partial(crew.work, "decode", form)
    others: dict[str, Callable[[], object]] = {}
    if find_spec("flox") and form != "netcdf":
        # a laid-out store is compared with what one would have used had it not been laid out
        others["xarray+flox"] = partial(with_flox, problems["zarr"])
        if form == "ingested":
            others["xarray+flox, same store"] = partial(with_flox, problem)
    if form == "netcdf" and shutil.which("cdo"):
        others["cdo fldsum, globe alone"] = partial(with_cdo, problem, 1)
        others[f"cdo fldsum, {problem.shape.n_zones} regions"] = partial(
            with_cdo, problem, problem.shape.n_zones
        )
    seconds = side_by_side(works, rounds)
    ours = seconds.pop("ours")
    fastest = min(set(seconds) - {bare}, key=lambda name: seconds[name])
    peers = {bare: seconds[bare] / ours}
    peers |= {name: once(work) / ours for name, work in others.items()}
    return Row(
        "read",
        f"{problem.shape.name}-{form}",
        problem.gigabytes / ours,
        problem.gigabytes / seconds[fastest],
        f"{LIMIT} ({fastest})",
        peers,
        {"stored_mb": _stored_bytes(problem.store) / 1e6},
    )


def decoders_of(path: Path) -> dict[str, Callable[[], object]]:
    """Return ways to decode a store whole and do nothing with it."""
    if path.suffix == ".nc":
        return {"netCDF4": partial(_decode_netcdf, path)}
    found: dict[str, Callable[[], object]] = {"zarr": partial(_decode_zarr, path, {})}
    if find_spec("zarrs"):
        pipeline = {"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}
        found["zarrs"] = partial(_decode_zarr, path, pipeline)
    return found


def _decode_netcdf(path: Path) -> None:
    import netCDF4

    with netCDF4.Dataset(path) as dataset:
        variable = dataset[VARIABLE]
        variable.set_auto_maskandscale(False)
        for step in range(0, variable.shape[0], 12):
            variable[step : step + 12]


def _decode_zarr(path: Path, settings: dict[str, str]) -> None:
    import zarr

    with zarr.config.set(settings):
        array = zarr.open_group(path, mode="r")[VARIABLE]
        assert isinstance(array, zarr.Array)
        steps = (array.shards or array.chunks)[0]
        for step in range(0, array.shape[0], steps):
            array[step : step + steps]


def with_flox(problem: Problem) -> xr.DataArray:
    """Open lazily in the store's chunks, multiply by area, group by region; dask threads."""
    import dask
    from flox.xarray import xarray_reduce

    shape = problem.shape
    dims = ("lat", "lon")
    labels = xr.DataArray(
        shape.labels().reshape(shape.n_lat, shape.n_lon), dims=dims, name="region"
    )
    area = xr.DataArray(shape.area_m2().reshape(shape.n_lat, shape.n_lon), dims=dims)
    with (
        xr.open_dataset(problem.store, engine="zarr", chunks={}, consolidated=False) as dataset,
        dask.config.set(scheduler="threads"),
    ):
        totals: xr.DataArray = xarray_reduce(
            dataset[VARIABLE] * area,
            labels,
            func="nansum",
            expected_groups=np.arange(shape.n_zones),
        ).compute()
    return totals


def with_cdo(problem: Problem, regions: int) -> None:
    """Run ``cdo fldsum`` once for the globe, or once per region on a box of it."""
    shape = problem.shape
    areas = [None] if regions == 1 else list(boxes(shape).values())
    for area in areas:
        chosen = [] if area is None else ["-sellonlatbox," + ",".join(f"{x:.6g}" for x in area)]
        with TemporaryDirectory() as folder:
            target = str(Path(folder, "sum.nc"))
            command = ["cdo", "-s", "-fldsum", *chosen, str(problem.store), target]
            subprocess.run(command, check=True, capture_output=True)


def _stored_bytes(store: Path) -> int:
    files = [store] if store.is_file() else [f for f in store.rglob("*") if f.is_file()]
    return sum(f.stat().st_size for f in files)
