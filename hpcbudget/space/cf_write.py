"""The grid of an output as CF writes it: coordinates, their bounds, and the area of each cell."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcbudget.space.grid import EARTH_RADIUS_M, Grid

if TYPE_CHECKING:
    import xarray as xr

_LAT = {"units": "degrees_north", "standard_name": "latitude", "long_name": "latitude"}
_LON = {"units": "degrees_east", "standard_name": "longitude", "long_name": "longitude"}


def grid_dataset(grid: Grid, radius_m: float = EARTH_RADIUS_M) -> xr.Dataset:
    """Return coordinates, bounds and cell areas, from which `Grid.from_dataset` makes `grid` again.

    Examples
    --------
    >>> grid = Grid.regular(30.0)
    >>> Grid.from_dataset(grid_dataset(grid), "cell_area") == grid
    True
    """
    import xarray as xr

    area = ("cell_area", grid.dims, grid.area_m2(radius_m).reshape(grid.shape))
    variables: dict[str, Any] = {
        area[0]: (*area[1:], {"units": "m2", "standard_name": "cell_area", "radius_m": radius_m})
    }
    if grid.lat_edges_deg is not None and grid.lon_edges_deg is not None:
        lat = grid.dims[grid.lat_axis] if len(grid.dims) > 1 else grid.dims[0]
        coords = {lat: (lat, grid.lat_deg, {**_LAT, "axis": "Y", "bounds": "lat_bnds"})}
        variables["lat_bnds"] = ((lat, "bnds"), grid.lat_edges_deg)
        if len(grid.dims) > 1:
            lon = grid.dims[1 - grid.lat_axis]
            coords[lon] = (lon, grid.lon_deg, {**_LON, "axis": "X", "bounds": "lon_bnds"})
            variables["lon_bnds"] = ((lon, "bnds"), grid.lon_edges_deg)
        return xr.Dataset(variables, coords=coords)
    corner_lat, corner_lon = (c.reshape(*grid.shape, -1) for c in grid.corners())
    corners = (*grid.dims, "vertices")
    coordinates = {
        "lat": (grid.dims, grid.lat_deg.reshape(grid.shape), {**_LAT, "bounds": "lat_vertices"}),
        "lon": (grid.dims, grid.lon_deg.reshape(grid.shape), {**_LON, "bounds": "lon_vertices"}),
    }
    variables |= {"lat_vertices": (corners, corner_lat), "lon_vertices": (corners, corner_lon)}
    return xr.Dataset(variables, coords=coordinates)


def consolidate(path: Path) -> None:
    """Gather all metadata of a zarr store in one file, where xarray looks for them first."""
    import zarr

    with warnings.catch_warnings():
        # "not part of the specification": readers that do not know of it are not disturbed
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(str(path))
