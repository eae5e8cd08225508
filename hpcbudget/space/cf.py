"""Read the grid of a variable from a dataset that follows CF, or nearly does.

Latitude and longitude are found by standard_name, then by units, then by usual names; the
options of a configuration can name them. Bounds are taken from the file when they are there and
inferred from the centres by the rules of `hpcbudget.space.edges` when they are not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import GridError
from hpcbudget.space.cf_polygons import grid_from_scrip, grid_from_ugrid, polygon_grid
from hpcbudget.space.edges import (
    as_float64,
    infer_latitude_bounds,
    infer_longitude_bounds,
    latitude_bounds_from_file,
    longitude_bounds_from_file,
)
from hpcbudget.space.grid import Array, Grid
from hpcbudget.space.named_grids import healpix, recognise

if TYPE_CHECKING:
    import xarray as xr

    from hpcbudget.options import GridOptions

_UNITS = {
    "latitude": {"degrees_north", "degree_north", "degrees_n", "degree_n", "degreesn", "degreen"},
    "longitude": {"degrees_east", "degree_east", "degrees_e", "degree_e", "degreese", "degreee"},
}
_NAMES = {
    "latitude": ("lat", "latitude", "lats", "nav_lat", "tlat", "xlat", "latcell", "yc", "clat"),
    "longitude": ("lon", "longitude", "lons", "nav_lon", "tlong", "xlong", "loncell", "xc", "clon"),
}
_BOUNDS_SUFFIXES = ("_bnds", "_bounds", "_vertices", "_b")


def grid_from_dataset(ds: xr.Dataset, variable: str, options: GridOptions | None = None) -> Grid:
    """Return the grid of a variable.

    Parameters
    ----------
    ds : xarray.Dataset
        Holds the variable, its coordinates and their bounds.
    variable : str
        Name of the field.
    options : GridOptions, optional
        Facts that the file does not tell.

    Raises
    ------
    GridError
        No variable, no usable coordinates, or bounds that contradict them.
    """
    if variable not in ds.variables:
        raise GridError(
            f"no variable {variable!r}",
            fix="the file has: " + ", ".join(str(name) for name in ds.data_vars),
        )
    dims = tuple(str(d) for d in ds[variable].dims)
    if (mapped := _healpix(ds, variable, dims)) is not None:
        return mapped
    lat = _coordinate(ds, dims, "latitude", options.latitude if options else None)
    lon = _coordinate(ds, dims, "longitude", options.longitude if options else None)
    if lat is None:
        raise GridError(
            f"no latitude found for {variable!r} with dimensions ({', '.join(dims)})",
            why="without it no cell has an area",
            fix="name it with 'grid: {latitude: NAME, longitude: NAME}'",
        )
    try:
        if lon is None:
            return _zonal(ds, lat, options, variable)
        if lat.ndim == 1 and lon.ndim == 1 and lat.dims != lon.dims:
            return _rectilinear(ds, dims, lat, lon, options)
        return _polygons(ds, dims, lat, lon, options)
    except GridError as error:
        raise error.at(f"variable {variable}, {'/'.join(_names(lat, lon))}") from None


def grid_from_path(path: Path) -> Grid:
    """Return the grid of the first gridded variable of a file or store, or of a SCRIP file.

    Raises
    ------
    GridError
        Unreadable, or nothing in it lies on a grid.
    """
    import xarray as xr

    try:
        ds = (
            xr.open_zarr(path, decode_times=False, chunks=None)
            if path.is_dir()
            else (xr.open_dataset(path, decode_times=False))
        )
    except Exception as error:
        raise GridError(
            f"cannot open it as NetCDF or zarr: {error}", where=str(path), fix="check the path"
        ) from None
    with ds:
        if "grid_corner_lat" in ds:
            return grid_from_scrip(ds)
        found: list[GridError] = []
        for name in sorted(map(str, ds.data_vars), key=lambda n: -ds[n].ndim):
            try:
                return grid_from_dataset(ds, name)
            except GridError as error:
                found.append(error)
        coordinates = set(map(str, ds.coords))
        for pair in zip(_NAMES["latitude"], _NAMES["longitude"], strict=True):
            if coordinates.issuperset(pair):
                dims = {str(d) for name in pair for d in ds[name].dims}
                shape = [ds.sizes[d] for d in ds.sizes if d in dims]
                order = [d for d in ds.sizes if d in dims]
                return grid_from_dataset(ds.assign(_cells=(order, np.empty(shape))), "_cells")
        if (mesh := _mesh(ds, None)) is not None:
            return mesh
    raise GridError(
        "no variable in it lies on a grid",
        where=str(path),
        fix=str(found[0]) if found else "add latitude and longitude",
    )


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
    return int(name.lower() in _NAMES[which])


def _coordinate(
    ds: xr.Dataset, dims: tuple[str, ...], which: str, named: str | None
) -> xr.DataArray | None:
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


def _bounds(
    ds: xr.Dataset, coordinate: xr.DataArray, options: GridOptions | None
) -> tuple[str, NDArray[Any]] | None:
    """Name and values of the coordinate's bounds in degrees, unless they are to be left aside."""
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
    return name, _in_degrees(ds[name].values, str(units))


def _in_degrees(values: NDArray[Any], units: str) -> NDArray[Any]:
    if units.strip().lower() in {"radian", "radians", "rad"}:
        return np.degrees(as_float64(values))
    return values


def _centres(coordinate: xr.DataArray) -> Array:
    return as_float64(_in_degrees(coordinate.values, str(coordinate.attrs.get("units", ""))))


def _latitude_bounds(
    ds: xr.Dataset, lat: xr.DataArray, options: GridOptions | None
) -> tuple[Array, str]:
    if lat.ndim != 1:
        raise GridError(f"latitude {lat.name} has {lat.ndim} dimensions but no longitude with it")
    given = _bounds(ds, lat, options)
    if given is not None:
        return latitude_bounds_from_file(given[1], _centres(lat)), f"bounds {given[0]}"
    return infer_latitude_bounds(_centres(lat), gaussian=options.gaussian if options else None)


def _longitude_bounds(
    ds: xr.Dataset, lon: xr.DataArray, options: GridOptions | None
) -> tuple[Array, str]:
    given = _bounds(ds, lon, options)
    if given is not None:
        return longitude_bounds_from_file(given[1], _centres(lon)), f"bounds {given[0]}"
    return infer_longitude_bounds(_centres(lon))


def _zonal(ds: xr.Dataset, lat: xr.DataArray, options: GridOptions | None, variable: str) -> Grid:
    if lat.ndim != 1:
        raise GridError(
            f"no longitude found for {variable!r}",
            fix="name it with 'grid: {longitude: NAME}'",
        )
    bounds, rule = _latitude_bounds(ds, lat, options)
    width = options.lat_width_deg if options else None
    return Grid.zonal(
        bounds, dim=str(lat.dims[0]), lat_deg=_centres(lat), width_deg=width, rule=rule
    )


def _rectilinear(
    ds: xr.Dataset,
    dims: tuple[str, ...],
    lat: xr.DataArray,
    lon: xr.DataArray,
    options: GridOptions | None,
) -> Grid:
    if options is not None and options.lat_width_deg is not None:
        raise GridError(
            "lat_width_deg is for zonal data, but this variable has longitudes",
            fix="remove lat_width_deg from the grid options",
        )
    lat_bounds, lat_rule = _latitude_bounds(ds, lat, options)
    lon_bounds, lon_rule = _longitude_bounds(ds, lon, options)
    lat_dim, lon_dim = str(lat.dims[0]), str(lon.dims[0])
    lat_axis = 0 if dims.index(lat_dim) < dims.index(lon_dim) else 1
    return Grid.boxes(
        lat_bounds,
        lon_bounds,
        dims=(lat_dim, lon_dim) if lat_axis == 0 else (lon_dim, lat_dim),
        lat_axis=lat_axis,
        lat_deg=_centres(lat),
        lon_deg=_centres(lon),
        rule=f"{lat_rule}; {lon_rule}",
    )


def _polygons(
    ds: xr.Dataset,
    dims: tuple[str, ...],
    lat: xr.DataArray,
    lon: xr.DataArray,
    options: GridOptions | None,
) -> Grid:
    if lat.dims != lon.dims:
        raise GridError(
            f"latitude has dimensions {lat.dims} but longitude {lon.dims}",
            fix="name a matching pair with 'grid: {latitude: NAME, longitude: NAME}'",
        )
    if lat.ndim == 2 and (boxes := _boxes_in_disguise(dims, lat, lon)) is not None:
        return boxes
    given = [_bounds(ds, c, options) for c in (lat, lon)]
    corners = None if None in given else (given[0][1], given[1][1])  # type: ignore[index]
    rule = "" if corners is None else f"corners {given[0][0]}, {given[1][0]}"  # type: ignore[index]
    if corners is None and lat.ndim == 1:
        cell_dim = str(lat.dims[0])
        known = _mesh(ds, cell_dim) or recognise(_centres(lat), _centres(lon))
        if known is not None:
            return known.with_dims((cell_dim,))
    return polygon_grid(
        lat.copy(data=_in_degrees(lat.values, str(lat.attrs.get("units", "")))),
        lon.copy(data=_in_degrees(lon.values, str(lon.attrs.get("units", "")))),
        corners,
        dims,
        rule,
    )


def _boxes_in_disguise(dims: tuple[str, ...], lat: xr.DataArray, lon: xr.DataArray) -> Grid | None:
    """Return the rectilinear grid that 2-D coordinates repeat row by row, if they do."""
    y, x = _centres(lat), _centres(lon)
    for axis in (0, 1):
        rows, columns = (y[:, 0], x[0]) if axis == 0 else (y[0], x[:, 0])
        if np.ptp(y, axis=1 - axis).max() == 0 == np.ptp(x, axis=axis).max():
            lat_bounds, lat_rule = infer_latitude_bounds(rows)
            lon_bounds, lon_rule = infer_longitude_bounds(columns)
            stored = tuple(d for d in dims if d in lat.dims)
            lat_axis = stored.index(str(lat.dims[axis]))
            return Grid.boxes(
                lat_bounds,
                lon_bounds,
                dims=(stored[0], stored[1]),
                lat_axis=lat_axis,
                lat_deg=rows,
                lon_deg=columns,
                rule=f"{lat_rule}; {lon_rule}",
            )
    return None


def _healpix(ds: xr.Dataset, variable: str, dims: tuple[str, ...]) -> Grid | None:
    """Return the HEALPix grid that the variable's CF grid mapping names, if it does."""
    of = ds[variable]
    name = of.attrs.get("grid_mapping") or of.encoding.get("grid_mapping")
    facts = ds[name].attrs if name in ds.variables else {}
    if facts.get("grid_mapping_name") != "healpix":
        return None
    level = facts.get("healpix_nside") or 2 ** int(facts["refinement_level"])
    order = str(facts.get("healpix_order", facts.get("indexing_scheme", "nested")))
    grid = healpix(int(level), "ring" if order == "ring" else "nested")
    cells = [d for d in dims if ds.sizes[d] == grid.size]
    if not cells:
        raise GridError(
            f"HEALPix nside {level} has {grid.size} cells, but no dimension of {variable!r} has",
            fix="correct the grid mapping variable",
        )
    return grid.with_dims((cells[-1],))


def _mesh(ds: xr.Dataset, cell_dim: str | None) -> Grid | None:
    try:
        return grid_from_ugrid(ds, cell_dim)
    except GridError:
        return None


def _names(lat: xr.DataArray, lon: xr.DataArray | None) -> tuple[str, ...]:
    return (str(lat.name),) if lon is None else (str(lat.name), str(lon.name))
