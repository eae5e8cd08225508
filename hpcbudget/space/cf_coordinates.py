"""Find latitude, longitude and their bounds in a dataset: by standard_name, units, usual names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import GridError
from hpcbudget.space.edges import as_float64
from hpcbudget.space.grid import Array

if TYPE_CHECKING:
    import xarray as xr

    from hpcbudget.options import GridOptions

_UNITS = {
    "latitude": {"degrees_north", "degree_north", "degrees_n", "degree_n", "degreesn", "degreen"},
    "longitude": {"degrees_east", "degree_east", "degrees_e", "degree_e", "degreese", "degreee"},
}
USUAL_NAMES = {
    "latitude": ("lat", "latitude", "lats", "nav_lat", "tlat", "xlat", "latcell", "yc", "clat"),
    "longitude": ("lon", "longitude", "lons", "nav_lon", "tlong", "xlong", "loncell", "xc", "clon"),
}
_BOUNDS_SUFFIXES = ("_bnds", "_bounds", "_vertices", "_b")


def is_coordinate(variable: Any, name: str, which: str) -> int:
    """Return how surely a variable is "latitude" or "longitude": 3 by standard_name ... 0 not."""
    standard = str(variable.attrs.get("standard_name", "")).strip().lower()
    if standard:
        if standard == which:
            return 3
        if "latitude" in standard or "longitude" in standard:
            return 0  # grid_latitude of a rotated pole, or the other one
    units = str(variable.attrs.get("units", "")).strip().lower().replace(" ", "_")
    if units in _UNITS[which]:
        return 2
    return int(name.lower() in USUAL_NAMES[which])


def find_coordinate(
    ds: xr.Dataset, dims: tuple[str, ...], which: str, named: str | None
) -> xr.DataArray | None:
    """Return the "latitude" or "longitude" of a variable with dimensions `dims`, None without.

    Raises
    ------
    GridError
        The name that the configuration gives is not in the file.
    """
    if named is not None:
        if named not in ds.variables:
            raise GridError(
                f"no variable {named!r}, which the configuration names as {which}",
                fix="the file has: " + ", ".join(str(name) for name in ds.variables),
            )
        return ds[named]
    bounds = {_bounds_name(ds, str(n)) for n in ds.variables}
    best: tuple[int, int, str] | None = None
    for key in ds.variables:
        name = str(key)
        candidate = ds.variables[key]
        if not candidate.dims or not set(candidate.dims) <= set(dims) or name in bounds:
            continue
        sure = is_coordinate(candidate, name, which)
        # a dimension's own coordinate wins over an auxiliary one that is as sure
        rank = (sure, int(candidate.dims == (name,)), name)
        if sure and (best is None or rank[:2] > best[:2]):
            best = rank
    return ds[best[2]] if best else None


def _bounds_name(ds: xr.Dataset, name: str) -> str | None:
    variable = ds.variables[name]
    given = variable.attrs.get("bounds") or variable.encoding.get("bounds")
    if given in ds.variables:
        return str(given)
    for suffix in _BOUNDS_SUFFIXES:
        if name + suffix in ds.variables:
            return name + suffix
    return None


def bounds_of(
    ds: xr.Dataset, coordinate: xr.DataArray, options: GridOptions | None
) -> tuple[str, NDArray[Any]] | None:
    """Return name and values, in degrees, of a coordinate's bounds unless they are set aside.

    Raises
    ------
    GridError
        The configuration asks for the file's bounds, and it has none.
    """
    if options is not None and options.bounds == "infer":
        return None
    name = _bounds_name(ds, str(coordinate.name))
    if name is None:
        if options is not None and options.bounds == "file":
            raise GridError(
                f"{coordinate.name} has no bounds in the file",
                fix="remove 'bounds: file' from the grid options to infer them",
            )
        return None
    units = ds[name].attrs.get("units") or coordinate.attrs.get("units", "")
    return name, in_degrees(ds[name].values, str(units))


def in_degrees(values: NDArray[Any], units: str) -> NDArray[Any]:
    """Return coordinate values in degrees; they are taken as such unless the units say radians."""
    if units.strip().lower() in {"radian", "radians", "rad"}:
        return np.degrees(as_float64(values))
    return values


def centres_of(coordinate: xr.DataArray) -> Array:
    """Return the values of a coordinate in degrees and double precision."""
    return as_float64(in_degrees(coordinate.values, str(coordinate.attrs.get("units", ""))))
