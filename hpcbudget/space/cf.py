"""Read the grid of a variable from a dataset that follows CF, or nearly does.

Latitude and longitude are found by standard_name, then by units, then by usual names; the
options of a configuration can name them. Bounds are taken from the file when they are there and
inferred from the centres by the rules of `hpcbudget.space.edges` when they are not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcbudget.errors import GridError
from hpcbudget.space.cf_coordinates import (
    USUAL_NAMES,
    bounds_of,
    centres_of,
    find_coordinate,
    in_degrees,
    is_coordinate,
)
from hpcbudget.space.cf_healpix import healpix_of
from hpcbudget.space.cf_polygons import (
    grid_from_scrip,
    grid_from_ugrid,
    is_mesh,
    mesh_of,
    polygon_grid,
)
from hpcbudget.space.edges import (
    infer_latitude_bounds,
    infer_longitude_bounds,
    latitude_bounds_from_file,
    longitude_bounds_from_file,
)
from hpcbudget.space.grid import Array, Grid
from hpcbudget.space.named_grids import recognise

if TYPE_CHECKING:
    import xarray as xr

    from hpcbudget.options import FieldRef, GridOptions

__all__ = ["grid_from_dataset", "grid_from_path", "is_coordinate"]


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
    if options is not None and options.corners is not None:
        return _from_another_file(ds, variable, options.corners)
    if (named := healpix_of(ds, variable, dims) or mesh_of(ds, variable, dims)) is not None:
        return named
    lat = find_coordinate(ds, dims, "latitude", options.latitude if options else None)
    lon = find_coordinate(ds, dims, "longitude", options.longitude if options else None)
    if lat is None:
        if found := [mesh for dim in dims if (mesh := _mesh(ds, dim)) is not None]:
            return found[-1]
        absent = ds[variable].attrs.get("mesh")
        raise GridError(
            f"no latitude found for {variable!r} with dimensions ({', '.join(dims)})"
            + (f", nor its mesh {absent}" if absent else ""),
            why="without it no cell has an area",
            fix="name "
            + (
                "a file that has it with 'grid: {corners: {paths: FILE, variable: MESH}}'"
                if absent
                else "it with 'grid: {latitude: NAME, longitude: NAME}'"
            ),
        )
    try:
        if lon is None:
            return _zonal(ds, lat, options, variable)
        if lat.ndim == 1 and lon.ndim == 1 and lat.dims != lon.dims:
            return _rectilinear(ds, dims, lat, lon, options)
        return _polygons(ds, dims, lat, lon, options)
    except GridError as error:
        raise error.at(f"variable {variable}, {'/'.join(_names(lat, lon))}") from None


def grid_from_path(path: Path, variable: str | None = None) -> Grid:
    """Return the grid of a variable of a file or store, or of a SCRIP or UGRID file.

    Parameters
    ----------
    path : Path
        NetCDF file or zarr store.
    variable : str, optional
        Default: the gridded variable with the most dimensions.

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
        if variable is not None and is_mesh(ds, variable):
            return grid_from_ugrid(ds, mesh=variable)
        if variable is not None:
            return grid_from_dataset(ds, variable)
        found: list[GridError] = []
        for name in sorted(map(str, ds.data_vars), key=lambda n: -ds[n].ndim):
            try:
                return grid_from_dataset(ds, name)
            except GridError as error:
                found.append(error)
        coordinates = set(map(str, ds.coords))
        for pair in zip(USUAL_NAMES["latitude"], USUAL_NAMES["longitude"], strict=True):
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


def _latitude_bounds(
    ds: xr.Dataset, lat: xr.DataArray, options: GridOptions | None
) -> tuple[Array, str]:
    if lat.ndim != 1:
        raise GridError(f"latitude {lat.name} has {lat.ndim} dimensions but no longitude with it")
    given = bounds_of(ds, lat, options)
    if given is not None:
        return latitude_bounds_from_file(given[1], centres_of(lat)), f"bounds {given[0]}"
    return infer_latitude_bounds(centres_of(lat), gaussian=options.gaussian if options else None)


def _longitude_bounds(
    ds: xr.Dataset, lon: xr.DataArray, options: GridOptions | None
) -> tuple[Array, str]:
    given = bounds_of(ds, lon, options)
    if given is not None:
        return longitude_bounds_from_file(given[1], centres_of(lon)), f"bounds {given[0]}"
    return infer_longitude_bounds(centres_of(lon))


def _zonal(ds: xr.Dataset, lat: xr.DataArray, options: GridOptions | None, variable: str) -> Grid:
    if lat.ndim != 1:
        raise GridError(
            f"no longitude found for {variable!r}",
            fix="name it with 'grid: {longitude: NAME}'",
        )
    bounds, rule = _latitude_bounds(ds, lat, options)
    width = options.lat_width_deg if options else None
    return Grid.zonal(
        bounds, dim=str(lat.dims[0]), lat_deg=centres_of(lat), width_deg=width, rule=rule
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
        lat_deg=centres_of(lat),
        lon_deg=centres_of(lon),
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
    corners, rule = None, ""
    of_lat, of_lon = (bounds_of(ds, c, options) for c in (lat, lon))
    if of_lat is not None and of_lon is not None:
        corners, rule = (of_lat[1], of_lon[1]), f"corners {of_lat[0]}, {of_lon[0]}"
    if corners is None and lat.ndim == 1:
        cell_dim = str(lat.dims[0])
        known = _mesh(ds, cell_dim) or recognise(centres_of(lat), centres_of(lon))
        if known is not None:
            return known.with_dims((cell_dim,))
    return polygon_grid(
        lat.copy(data=in_degrees(lat.values, str(lat.attrs.get("units", "")))),
        lon.copy(data=in_degrees(lon.values, str(lon.attrs.get("units", "")))),
        corners,
        dims,
        rule,
    )


def _boxes_in_disguise(dims: tuple[str, ...], lat: xr.DataArray, lon: xr.DataArray) -> Grid | None:
    """Return the rectilinear grid that 2-D coordinates repeat row by row, if they do."""
    y, x = centres_of(lat), centres_of(lon)
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


def _from_another_file(ds: xr.Dataset, variable: str, corners: FieldRef) -> Grid:
    """Return the grid that another file holds, for the dimensions of a variable."""
    path = Path(corners.paths[0])
    grid = grid_from_path(path, corners.variable)
    sizes = list(ds[variable].sizes.items())
    for first in range(len(sizes) - len(grid.shape), -1, -1):
        names, shape = zip(*sizes[first : first + len(grid.shape)], strict=True)
        if shape == grid.shape:
            return grid.with_dims(tuple(map(str, names)))
    raise GridError(
        f"the grid of {path} has shape {grid.shape}, {variable!r} has {dict(sizes)}",
        fix="name a file with the corners of this grid",
    )


def _mesh(ds: xr.Dataset, cell_dim: str | None) -> Grid | None:
    try:
        return grid_from_ugrid(ds, cell_dim)
    except GridError:
        return None


def _names(lat: xr.DataArray, lon: xr.DataArray | None) -> tuple[str, ...]:
    return (str(lat.name),) if lon is None else (str(lat.name), str(lon.name))
