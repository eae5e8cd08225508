"""Weights by xESMF and ESMF, made in a process of their own.

ESMF brings its own netCDF and HDF5 libraries; loaded into one process with those of pip's netCDF4
or h5py, they crash. So xESMF is never imported here: a child process
(`hpcbudget.space.xesmf_worker`) gets the grids as numpy arrays and gives back the weights as numpy
arrays. The child may be the Python of another conda environment, ``$HPCBUDGET_ESMF_PYTHON``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from hpcbudget.errors import BackendError, RegridError
from hpcbudget.kernels.sphere import polygon_areas
from hpcbudget.space import xesmf_worker
from hpcbudget.space.grid import Array, Grid
from hpcbudget.space.overlap import Table
from hpcbudget.space.weights import CONSERVATIVE, Edges, Method, Weights

PYTHON_VARIABLE = "HPCBUDGET_ESMF_PYTHON"


def xesmf_weights(source: Grid, destination: Grid, method: Method = "conservative") -> Weights:
    """Make weights with xESMF.

    Parameters
    ----------
    source, destination : Grid
        Rectilinear or curvilinear, their cells sharing corners.
    method : {"conservative", "conservative_normed", "bilinear", "nearest_s2d"}
        The last two are for pictures: they do not keep totals.

    Raises
    ------
    BackendError
        xESMF or ESMF is not installed.
    RegridError
        Grids that xESMF does not take, or ESMF failed.
    """
    arrays: dict[str, Array] = {}
    for side, grid in (("source", source), ("destination", destination)):
        lat, lon = grid.centres()
        lat_b, lon_b = nodes(grid)
        arrays |= {
            f"{side}_lat": lat.reshape(grid.shape),
            f"{side}_lon": lon.reshape(grid.shape),
            f"{side}_lat_b": lat_b,
            f"{side}_lon_b": lon_b,
        }
    with tempfile.TemporaryDirectory(prefix="hpcbudget-esmf-") as folder:
        request, answer = Path(folder) / "grids.npz", Path(folder) / "weights.npz"
        np.savez(request, allow_pickle=False, **arrays)
        _run(request, answer, method)
        with np.load(answer, allow_pickle=False) as found:
            row, column, data = found["row"], found["col"], found["S"]
    areas = [polygon_areas(*map(np.ascontiguousarray, g.corners())) for g in (source, destination)]
    table = Table.from_entries(row, column, data, destination.size)
    if method == "conservative":
        table = table._replace(data=table.data * areas[1][table.rows])
    elif method == "conservative_normed":
        # shares of what is covered: the covered area is needed to make areas of them again
        covered = _covered(source, destination)
        table = table._replace(data=table.data * covered[table.rows])
    edges: Edges = "great_circles" if method in CONSERVATIVE else "file"
    return Weights(
        source,
        destination,
        method,
        edges,
        table,
        areas[0],
        areas[1] if method in CONSERVATIVE else table.row_sums(),
    )


def _covered(source: Grid, destination: Grid) -> Array:
    """Area (destination,) in sr that the source covers, from weights that are not normed."""
    return xesmf_weights(source, destination, "conservative").table.row_sums()


def nodes(grid: Grid) -> tuple[Array, Array]:
    """Return latitudes and longitudes (n0 + 1, n1 + 1) of the corners that cells share.

    Raises
    ------
    RegridError
        Cells that do not share corners, or are not in rows and columns.
    """
    if len(grid.shape) != 2 or grid.corners(0, 1)[0].shape[1] != 4:
        raise RegridError(
            f"xESMF takes grids of rows and columns, not {grid.describe()}",
            fix="use --backend native, which takes any grid",
        )
    result = []
    for number, values in enumerate(grid.corners()):
        corner = values.reshape(*grid.shape, 4)
        if grid.is_boxes:  # SW, SE, NE, NW -> start, along the last dimension, both, the first
            lat, lon = grid.lat_edges_deg, grid.lon_edges_deg
            assert lat is not None
            assert lon is not None
            edges = [_in_order(a) for a in ((lat, lon) if grid.lat_axis == 0 else (lon, lat))]
            mesh = np.meshgrid(*edges, indexing="ij")
            result.append(mesh[number if grid.lat_axis == 0 else 1 - number])
            continue
        node = np.empty((grid.shape[0] + 1, grid.shape[1] + 1))
        node[:-1, :-1], node[:-1, -1] = corner[..., 0], corner[:, -1, 1]
        node[-1, -1], node[-1, :-1] = corner[-1, -1, 2], corner[-1, :, 3]
        again = np.stack([node[:-1, :-1], node[:-1, 1:], node[1:, 1:], node[1:, :-1]], axis=-1)
        off = np.abs((again - corner + 180.0) % 360.0 - 180.0)
        if not np.nanmax(off, initial=0.0) < 1e-6:
            raise RegridError(
                "neighbouring cells do not share corners, which xESMF needs",
                fix="use --backend native, which takes any grid",
            )
        result.append(node)
    return result[0], result[1]


def _in_order(bounds: Array) -> Array:
    """Edges (n + 1,) of bounds (n, 2) that follow each other upwards or downwards."""
    for pairs in (bounds, bounds[:, ::-1]):
        if np.abs(pairs[1:, 0] - pairs[:-1, 1]).max(initial=0.0) < 1e-9:
            return np.append(pairs[:, 0], pairs[-1, 1])
    raise RegridError(
        "rows or columns leave gaps, which xESMF does not take",
        fix="use --backend native, which takes any grid",
    )


def _run(request: Path, answer: Path, method: str) -> None:
    python = os.environ.get(PYTHON_VARIABLE) or sys.executable
    command = [python, xesmf_worker.__file__, str(request), str(answer), method]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise _missing(python, str(error)) from None
    if done.returncode == xesmf_worker.MISSING:
        raise _missing(python, done.stderr.strip().splitlines()[-1])
    if done.returncode != 0 or not answer.exists():
        tail = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise RegridError(
            f"ESMF failed (exit code {done.returncode}): {tail or 'no message'}",
            where=python,
            fix="look for PET0.ESMF_LogFile, or use --backend native",
        )


def _missing(python: str, detail: str) -> BackendError:
    return BackendError(
        f"xESMF cannot be used: {detail}",
        where=python,
        why="xESMF needs ESMF, which pip does not have",
        fix="conda install -c conda-forge xesmf esmpy\n"
        f"or set ${PYTHON_VARIABLE} to the python of an environment that has them\n"
        "or leave out '--backend xesmf': the native weights agree with ESMF's to 1e-10",
    )
