"""Weights by xESMF and ESMF, made in a process of their own.

ESMF brings its own netCDF and HDF5 libraries. Where they are not those of netCDF4 and h5py (pip's
wheels have copies of their own), opening a file once ESMF is loaded ends the process. So neither
xESMF nor ESMF is ever imported here: a child process (`hpcbudget.space.xesmf_worker`) gets the
grids as numpy arrays and gives back the weights as numpy arrays. The child may be the Python of
another environment, ``$HPCBUDGET_ESMF_PYTHON``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import BackendError, RegridError
from hpcbudget.kernels.sphere import polygon_areas
from hpcbudget.space import xesmf_worker
from hpcbudget.space.grid import Grid
from hpcbudget.space.nodes import nodes
from hpcbudget.space.overlap import Table
from hpcbudget.space.weights import CONSERVATIVE, Edges, Method, Weights

PYTHON_VARIABLE = "HPCBUDGET_ESMF_PYTHON"


def xesmf_weights(source: Grid, destination: Grid, method: Method = "conservative") -> Weights:
    """Make weights with xESMF.

    Parameters
    ----------
    source, destination : Grid
        Rectilinear or curvilinear, their cells sharing corners. Cells without a shape are masked.
    method : {"conservative", "conservative_normed", "bilinear", "nearest_s2d"}
        The first two hold the same numbers, normalised differently. The last two are for pictures:
        they do not keep totals.

    Raises
    ------
    BackendError
        xESMF or ESMF is not installed, or broken.
    RegridError
        Grids that xESMF does not take, or ESMF failed.
    """
    arrays, turned = _arrays("source", source)
    more, destination_turned = _arrays("destination", destination)
    conservative = method in CONSERVATIVE
    with tempfile.TemporaryDirectory(prefix="hpcbudget-esmf-") as folder:
        request, answer = Path(folder) / "grids.npz", Path(folder) / "weights.npz"
        np.savez(request, allow_pickle=False, **arrays, **more)
        # shares of what is covered follow from shares of the whole
        _run(request, answer, "conservative" if conservative else method)
        with np.load(answer, allow_pickle=False) as found:
            row, column, data = found["row"], found["col"], found["S"]
    if destination_turned:
        row = _turned_back(row, destination.shape)
    if turned:
        column = _turned_back(column, source.shape)
    areas = [polygon_areas(*map(np.ascontiguousarray, g.corners())) for g in (source, destination)]
    table = Table.from_entries(row, column, data, destination.size)
    if conservative:
        table = table._replace(data=table.data * areas[1][table.rows])
    edges: Edges = "great_circles" if conservative else "file"
    total = areas[1] if conservative else table.row_sums()
    return Weights(source, destination, method, edges, table, areas[0], total)


def _arrays(side: str, grid: Grid) -> tuple[dict[str, NDArray[Any]], bool]:
    """Return what the child needs to know of a grid, and whether its dimensions changed places.

    xESMF wants the dimension that goes round the Earth last.
    """
    found = nodes(grid)
    turn = found.wraps[0] and not found.wraps[1]
    lat, lon = (np.where(np.abs(a) <= 1e4, a, 0.0) for a in grid.centres())
    arrays: dict[str, NDArray[Any]] = {
        "lat": np.clip(lat, -90.0, 90.0).reshape(grid.shape),
        "lon": lon.reshape(grid.shape),
        "lat_b": np.clip(found.lat_deg, -90.0, 90.0),
        "lon_b": found.lon_deg,
    }
    if not found.there.all():
        arrays["mask"] = found.there.astype(np.int32)
    arrays = {f"{side}_{name}": a.T if turn else a for name, a in arrays.items()}
    if side == "source":
        arrays["periodic"] = np.array(any(found.wraps))
    return arrays, turn


def _turned_back(index: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return cell numbers of a grid from those of its transpose."""
    return np.asarray(index % shape[0] * shape[1] + index // shape[0])


def _run(request: Path, answer: Path, method: str) -> None:
    python = os.environ.get(PYTHON_VARIABLE) or sys.executable
    command = [python, "-", str(request), str(answer), method]
    # by its input: modules beside the worker's file would take the place of others of their name
    code = Path(xesmf_worker.__file__).read_text(encoding="utf-8")
    try:
        done = subprocess.run(
            command, input=code, capture_output=True, text=True, check=False, cwd=request.parent
        )
    except OSError as error:
        raise _missing(python, str(error)) from None
    said = done.stderr.strip().splitlines()
    if done.returncode == xesmf_worker.MISSING:
        raise _missing(python, said[-1])
    if done.returncode != 0 or not answer.exists():
        raise RegridError(
            f"ESMF failed ({_ending(done.returncode)}): "
            + ("\n".join(_logged(request.parent) or said[-5:]) or "no message"),
            where=python,
            fix="use --backend native, which takes any grid",
        )


def _ending(code: int) -> str:
    """Return in words how a process ended."""
    if code >= 0:
        return f"exit code {code}"
    return f"ended by {signal.Signals(-code).name}; SIGKILL often means: out of memory"


def _logged(folder: Path) -> list[str]:
    """Return the last errors that ESMF wrote into its log."""
    lines = [
        line.split("PET0", 1)[-1].strip()
        for path in sorted(folder.glob("PET*.ESMF_LogFile"))
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if " ERROR " in line
    ]
    return lines[-5:]


def _missing(python: str, detail: str) -> BackendError:
    return BackendError(
        f"xESMF cannot be used: {detail}",
        where=python,
        why="xESMF needs ESMF, which pip does not have, and finds it through $ESMFMKFILE",
        fix="conda install -c conda-forge xesmf esmpy (and 'conda activate' it)\n"
        f"or set ${PYTHON_VARIABLE} to the python of an environment that has them\n"
        "or leave out '--backend xesmf': the native weights agree with ESMF's to 1e-10",
    )
