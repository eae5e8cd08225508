"""Weights files in the layout that ESMF and SCRIP share, read and written.

``S`` (n_s), ``row`` and ``col`` (one-based) are the weights; ``area_a``, ``frac_a`` and
``area_b``, ``frac_b`` describe the source and the destination; ``xc``, ``yc``, ``xv``, ``yv`` are
their centres and corners, ``src_grid_dims`` and ``dst_grid_dims`` their shapes in Fortran order.
Files of ``ESMF_RegridWeightGen`` and of xESMF (``S``, ``row``, ``col`` only) are understood too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import RegridError
from hpcbudget.files import unwritable
from hpcbudget.space.grid import Array, Grid
from hpcbudget.space.overlap import Table
from hpcbudget.space.same_cells import same_cells
from hpcbudget.space.weights import CONSERVATIVE, Edges, Method, Weights

if TYPE_CHECKING:
    import xarray as xr

_METHODS: dict[str, Method] = {
    "conservative": "conservative",
    "bilinear": "bilinear",
    "nearest": "nearest_s2d",
}
_SCRIP = {
    "remap_matrix": "S",
    "dst_address": "row",
    "src_address": "col",
    **{
        f"{word}_grid_{old}": f"{new}_{letter}"
        for word, letter in (("src", "a"), ("dst", "b"))
        for old, new in (
            ("area", "area"),
            ("frac", "frac"),
            ("center_lat", "yc"),
            ("center_lon", "xc"),
            ("corner_lat", "yv"),
            ("corner_lon", "xv"),
        )
    },
}
"""SCRIP's own names, which CDO writes, and ESMF's."""


def write_weights(weights: Weights, path: Path) -> None:
    """Write a weights file: whole, or not at all.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        weights_dataset(weights).to_netcdf(temporary, engine="netcdf4", format="NETCDF4")
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def weights_dataset(weights: Weights) -> xr.Dataset:
    """Return weights in the variables and attributes of an ESMF weights file."""
    import xarray as xr

    table = weights.table
    normed = weights.method == "conservative_normed"
    conservative = weights.method in CONSERVATIVE
    variables: dict[str, Any] = {
        "S": ("n_s", weights.normalised),
        "row": ("n_s", (table.rows + 1).astype(np.int32)),
        "col": ("n_s", (table.indices + 1).astype(np.int32)),
    }
    sides = (
        ("a", "src", weights.source, weights.source_area, weights.source_fraction),
        ("b", "dst", weights.destination, weights.destination_area, weights.destination_fraction),
    )
    for letter, word, grid, area, fraction in sides:
        if not conservative:  # what such weights add up to is no area
            area = grid.area_m2(1.0)
        lat, lon = grid.centres()
        corner_lat, corner_lon = grid.corners()
        degrees, cells = {"units": "degrees"}, f"n_{letter}"
        variables |= {
            f"{word}_grid_dims": (f"{word}_grid_rank", np.array(grid.shape[::-1], np.int32)),
            f"yc_{letter}": (cells, lat, degrees),
            f"xc_{letter}": (cells, lon, degrees),
            f"yv_{letter}": ((cells, f"nv_{letter}"), corner_lat, degrees),
            f"xv_{letter}": ((cells, f"nv_{letter}"), corner_lon, degrees),
            f"mask_{letter}": (cells, (area > 0).astype(np.int32)),
            f"area_{letter}": (cells, area, {"units": "square radians"}),
            f"frac_{letter}": (cells, fraction),
        }
    attributes = {
        "title": f"{weights.source.describe()} to {weights.destination.describe()}",
        "normalization": "fracarea" if normed else "destarea",
        "map_method": "Conservative remapping" if conservative else weights.method,
        "cell_edges": weights.edges.replace("_", " "),
        "source_grid_hash": weights.source.content_hash(),
        "destination_grid_hash": weights.destination.content_hash(),
        "conventions": "SCRIP",
    }
    return xr.Dataset(variables, attrs=attributes)


def read_weights(
    path: Path, *, source: Grid | None = None, destination: Grid | None = None
) -> Weights:
    """Read a weights file of ours, of ESMF, of SCRIP or of xESMF.

    Parameters
    ----------
    path : Path
        NetCDF file.
    source, destination : Grid, optional
        The grids that the weights are meant for; needed where the file holds no corners. A grid of
        another size than the file's is refused, and so is another grid under one of our own files.

    Raises
    ------
    RegridError
        Not a weights file, or one for other grids.
    """
    import xarray as xr

    try:
        with xr.open_dataset(path, decode_times=False) as opened:
            ds = opened.load()
    except Exception as error:
        raise RegridError(
            f"cannot be read: {error}", where=str(path), fix="give a NetCDF weights file"
        ) from None
    try:
        return from_dataset(ds, source, destination)
    except RegridError as error:
        raise error.at(str(path)) from None


def from_dataset(ds: xr.Dataset, source: Grid | None, destination: Grid | None) -> Weights:
    """Return the weights that the variables of a weights file hold (see `read_weights`)."""
    ds = ds.rename({old: new for old, new in _SCRIP.items() if old in ds.variables})
    if not {"S", "row", "col"} <= set(map(str, ds.variables)):
        raise RegridError(
            "has no weights S, row, col", fix="make one with 'hpcbudget weights' or ESMF"
        )
    source = _check(ds, "a", "src", source, "source_grid_hash")
    destination = _check(ds, "b", "dst", destination, "destination_grid_hash")
    data = np.asarray(ds["S"].values, np.float64)
    data = data[:, 0] if data.ndim == 2 else data  # higher orders follow in further columns
    row, col = (ds[n].values.astype(np.int64) - 1 for n in ("row", "col"))
    outside = (row < 0) | (row >= destination.size) | (col < 0) | (col >= source.size)
    if outside.any():
        raise RegridError(
            f"{int(outside.sum())} weights point outside the grids",
            fix="make the weights again for these grids",
        )
    method, normed = _method(ds)
    table = Table.from_entries(row, col, data, destination.size)
    source_area = _area(ds, "a", source, np.unique(col))
    destination_area = _area(ds, "b", destination, np.unique(row))
    if method in CONSERVATIVE:
        scale = destination_area
        if normed:
            if "frac_b" not in ds:
                raise RegridError(
                    "is normalised by the covered fraction frac_b, but does not hold it",
                    fix="make the weights again with normalization destarea",
                )
            scale = destination_area * ds["frac_b"].values
            method = "conservative_normed"
        table = table._replace(data=table.data * scale[table.rows])
        _refuse_spending_twice(table, source_area)
    else:
        destination_area = table.row_sums()
    named: dict[str, Edges] = {"parallels": "parallels", "great circles": "great_circles"}
    edges = named.get(str(ds.attrs.get("cell_edges")), "file")
    return Weights(
        source,
        destination,
        method,
        edges,
        table,
        source_area,
        destination_area,
    )


def _method(ds: xr.Dataset) -> tuple[Method, bool]:
    """Return the method of a file, and whether its weights are shares of what is covered."""
    # ESMF's map_method is one of SCRIP's, which had fewer: it calls the nearest cell bilinear
    names = ("ESMF_regrid_method", "map_method", "method")
    text = next((str(ds.attrs[k]) for k in names if str(ds.attrs.get(k, "")).strip()), "")
    normed = "frac" in str(ds.attrs.get("normalization", ds.attrs.get("norm_type", ""))).lower()
    for word, method in _METHODS.items():
        if word in text.lower():
            return method, normed or "normed" in text.lower()
    if text.strip():
        raise RegridError(
            f"was made by a method that is not known here: {text.strip()}",
            fix="use conservative, bilinear or nearest weights",
        )
    return "conservative", normed  # weights alone, as xESMF keeps them; what they do is checked


def _refuse_spending_twice(table: Table, source_area: Array) -> None:
    """Raise if source cells give away clearly more area than they have."""
    given = table.column_sums(len(source_area))
    most = float((given / np.where(source_area > 0, source_area, np.inf)).max(initial=0.0))
    if most > 1.1:
        raise RegridError(
            f"gives away up to {most:.3g} times the area of a source cell",
            why="totals would not be kept",
            fix="these weights are not conservative, or not for these grids; make them again",
        )


def _check(ds: xr.Dataset, letter: str, word: str, grid: Grid | None, recorded: str) -> Grid:
    """Return the grid of one side: the caller's, checked, or that of the file."""
    which = "source" if letter == "a" else "destination"
    known = ds.attrs.get(recorded)
    own = _grid_of_file(ds, letter, word) if grid is None or known is None else None
    if grid is None:
        if own is None:
            raise RegridError(
                f"does not hold the corners of the {which} grid",
                fix=f"name the {which} grid as well",
            )
        return own
    sizes = (ds.sizes.get(d) for d in (f"n_{letter}", f"{word}_grid_size"))
    size = next((n for n in sizes if n is not None), grid.size)
    if size != grid.size:
        raise RegridError(
            f"is for {size} {which} cells, but the grid has {grid.size}",
            why="weights of another grid give numbers that look right and are wrong",
            fix="make the weights again for this grid",
        )
    other = known != grid.content_hash() if known is not None else False
    if other or (known is None and own is not None and not same_cells(grid, own)):
        raise RegridError(
            f"is for another {which} grid of the same size",
            why="weights of another grid give numbers that look right and are wrong",
            fix="make the weights again for this grid",
        )
    return grid


def _grid_of_file(ds: xr.Dataset, letter: str, word: str) -> Grid | None:
    """Grid that the corners in a file describe, None without corners."""
    if f"yv_{letter}" not in ds or f"xv_{letter}" not in ds:
        return None
    dims = ds[f"{word}_grid_dims"].values if f"{word}_grid_dims" in ds else [0]
    shape = tuple(int(n) for n in dims[::-1])
    corners = [_degrees(ds[f"{v}_{letter}"]) for v in ("yv", "xv")]
    if corners[0].shape[1] == 2:  # of boxes ESMF writes down the bounds
        corners = [corners[0][:, [0, 0, 1, 1]], corners[1][:, [0, 1, 1, 0]]]
    cells = corners[0].shape[0]
    if int(np.prod(shape)) != cells:
        shape = (cells,)
    return Grid.polygons(*corners, shape=shape, rule="corners of a weights file")


def _area(ds: xr.Dataset, letter: str, grid: Grid, used: NDArray[np.int64]) -> Array:
    """Return cell areas in sr from the file, else the grid's own.

    Areas may be in units of the file's maker. A cell that ESMF took for another shape, though, has
    an area that is out of proportion, and so are its weights.
    """
    own = grid.area_m2(1.0)
    name = f"area_{letter}"
    if name not in ds or not (ds[name].values > 0).any():
        return own
    area: Array = np.asarray(ds[name].values, np.float64)
    here, there = area[used], own[used]
    ratio = here[(here > 0) & (there > 0)] / there[(here > 0) & (there > 0)]
    if len(ratio) and not ((ratio / np.median(ratio) < 2) & (ratio / np.median(ratio) > 0.5)).all():
        which = "source" if letter == "a" else "destination"
        flag = "--src_regional" if letter == "a" else "--dst_regional"
        raise RegridError(
            f"has areas of {which} cells that do not fit their corners",
            why="the weights are for other cells: ESMF_RegridWeightGen closes every grid of rows\n"
            f"and columns round the Earth unless {flag} is given, and takes the\n"
            "corners of masked cells for those of their neighbours",
            fix=f"make them again, with {flag} if the grid is regional",
        )
    return area


def _degrees(variable: Any) -> NDArray[np.float64]:
    values = np.asarray(variable.values, np.float64)
    radians = str(variable.attrs.get("units", "degrees")).lower().startswith("rad")
    return np.degrees(values) if radians else values
