"""What one would regrid with instead, as its own documentation recommends; each is optional.

All of them use one thread. Peers that run in a process of their own are charged what that process
uses: `processor_seconds` counts children that have ended, and xESMF, whose process goes on, says
itself how long it took.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hpcbudget.bench import xesmf_peer
from hpcbudget.engine.cluster import ONE_THREAD
from hpcbudget.errors import RegridError
from hpcbudget.space.cf_write import grid_dataset
from hpcbudget.space.grid import Grid
from hpcbudget.space.nodes import nodes
from hpcbudget.space.weights import Weights
from hpcbudget.space.xesmf_backend import PYTHON_VARIABLE

Peers: TypeAlias = dict[str, Callable[[], float]]
"""By name, what does its work once and returns the seconds of processor time that it took."""
Ask: TypeAlias = Callable[[str], float]
"""Has a program do ``weights`` or ``apply`` and returns the seconds of processor time it took."""


def processor_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of processor time that a work takes, children included."""
    begin = processor_seconds()
    work()
    return processor_seconds() - begin


@contextmanager
def regridders(weights: Weights, values: NDArray[Any], folder: Path) -> Iterator[dict[str, Peers]]:
    """Yield the peers that are installed: for ``weights`` and for ``apply``.

    Parameters
    ----------
    weights : Weights
        Between the grids; peers that can apply weights of others apply these.
    values : array (step, source)
        The fields.
    folder : Path
        For files of programs that want files.
    """
    found: dict[str, Peers] = {"weights": {}, "apply": {}}
    apply = found["apply"]
    apply["scipy.sparse"] = _scipy(weights, values)
    boxes = weights.source.is_boxes and weights.destination.is_boxes
    if find_spec("xarray_regrid") and boxes:
        apply["xarray-regrid"] = _xarray_regrid(weights, values)
    if shutil.which("cdo"):
        cdo = _cdo(weights, values, folder)
        found["weights"]["cdo gencon"] = lambda: cdo("weights")
        apply["cdo remap (files)"] = lambda: cdo("apply")
    with _xesmf(weights, values, folder) as xesmf:
        if xesmf is not None:
            found["weights"]["xesmf"] = lambda: xesmf("weights")
            apply["xesmf"] = lambda: xesmf("apply")
        yield found


def _scipy(weights: Weights, values: NDArray[Any]) -> Callable[[], float]:
    from scipy import sparse

    table = weights.table
    matrix = sparse.csr_array(
        (weights.normalised, table.indices, table.indptr),
        (weights.destination.size, weights.source.size),
    )
    return lambda: timed(lambda: (matrix @ values.T).T)


def _xarray_regrid(weights: Weights, values: NDArray[Any]) -> Callable[[], float]:
    import_module("xarray_regrid")  # adds the accessor
    fields = as_fields(weights.source, values)
    target = as_fields(weights.destination, None).to_dataset()
    return lambda: timed(lambda: fields.regrid.conservative(target, latitude_coord="lat"))


def _cdo(weights: Weights, values: NDArray[Any], folder: Path) -> Ask:
    """Files are classic netCDF, in the page cache; making them is not timed."""
    source, target = folder / "cdo-source.nc", folder / "cdo-target.nc"
    out = folder / "cdo-out.nc"
    grid_dataset(weights.destination).to_netcdf(target, engine="netcdf4", format="NETCDF3_64BIT")
    ds = grid_dataset(weights.source).drop_vars("cell_area")
    ds["flux"] = ("time", *weights.source.dims), values.reshape(-1, *weights.source.shape)
    if not weights.source.is_boxes:
        ds["flux"].attrs["coordinates"] = "lat lon"
        ds = ds.reset_coords(["lat", "lon"])
    ds["time"] = "time", np.arange(len(values)), {"units": "days since 2000-01-01"}
    ds.to_netcdf(source, engine="netcdf4", format="NETCDF3_64BIT")
    file = folder / "cdo-weights.nc"
    words = {
        "weights": ["-P", "1", f"gencon,{target}", "-seltimestep,1", str(source), str(file)],
        "apply": ["-P", "1", f"remap,{target},{file}", str(source), str(out)],
    }

    def ask(what: str) -> float:
        if what == "apply" and not file.exists():
            ask("weights")
        command = ["cdo", "-s", "-O", *words[what]]
        return timed(lambda: subprocess.run(command, check=True, capture_output=True))

    return ask


@contextmanager
def _xesmf(weights: Weights, values: NDArray[Any], folder: Path) -> Iterator[Ask | None]:
    """Yield a way to ask a process with xESMF, None where there is none."""
    python = os.environ.get(PYTHON_VARIABLE) or (sys.executable if find_spec("esmpy") else "")
    try:
        request = _request(weights, values, folder / "xesmf-request.npz") if python else None
    except RegridError:  # a grid that xESMF does not take
        request = None
    if request is None:
        yield None
        return
    command = [python, "-c", Path(xesmf_peer.__file__).read_text(encoding="utf-8"), str(request)]
    try:
        started = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            env={**os.environ, **ONE_THREAD},
        )
    except OSError:
        yield None
        return
    with started as child:
        assert child.stdin is not None
        assert child.stdout is not None
        question, answer = child.stdin, child.stdout

        def ask(what: str) -> float:
            question.write(f"{what}\n")
            question.flush()
            return float(answer.readline())

        try:
            yield ask if answer.readline().strip() == "ready" else None
        finally:
            with suppress(BrokenPipeError):
                question.close()


def _request(weights: Weights, values: NDArray[Any], path: Path) -> Path:
    table = weights.table
    arrays: dict[str, NDArray[Any]] = {
        "row": table.rows + 1,
        "col": table.indices + 1,
        "S": weights.normalised,
        "values": values.reshape(-1, *weights.source.shape),
    }
    for side, grid in (("source", weights.source), ("destination", weights.destination)):
        lat, lon = grid.centres()
        mesh = nodes(grid)
        arrays |= {
            f"{side}_lat": lat.reshape(grid.shape),
            f"{side}_lon": lon.reshape(grid.shape),
            f"{side}_lat_b": mesh.lat_deg,
            f"{side}_lon_b": mesh.lon_deg,
        }
    np.savez(path, allow_pickle=False, **arrays)
    return path


def as_fields(grid: Grid, values: NDArray[Any] | None) -> xr.DataArray:
    """Return fields on boxes with coordinates, as peers take them; zeros for a grid alone."""
    if values is None:
        values = np.zeros((1, grid.size), np.float32)
    return xr.DataArray(
        values.reshape(-1, *grid.shape),
        dims=("time", "lat", "lon"),
        coords={"lat": grid.lat_deg, "lon": grid.lon_deg},
        name="flux",
    )
