"""Whether two grids have the same cells, wherever their corners were read."""

from __future__ import annotations

import numpy as np

from hpcbudget.space.grid import Array, Grid, polygon_centres


def same_cells(one: Grid, other: Grid) -> bool:
    """Return whether two grids have the same cells in the same order, to a thousandth of a cell.

    Examples
    --------
    >>> grid = Grid.regular(10.0)
    >>> same_cells(grid, Grid.polygons(*grid.corners()))
    True
    >>> same_cells(grid, Grid.boxes(grid.lat_edges_deg, grid.lon_edges_deg + 10.0))
    False
    """
    if one.size != other.size:
        return False
    if one == other:
        return True
    apart = np.linalg.norm(_directions(one) - _directions(other), axis=1)
    size = np.sqrt(np.maximum(one.area_m2(1.0), 1e-12))
    return bool((apart < 1e-3 * size).all())


def _directions(grid: Grid) -> Array:
    """Return unit vectors (cell, 3) to the cells' middles; 0 for a cell without a shape."""
    lat, lon = (np.radians(a) for a in polygon_centres(*grid.corners()))
    across = np.cos(lat)
    vectors = np.stack([across * np.cos(lon), across * np.sin(lon), np.sin(lat)], axis=1)
    return np.where(grid.area_m2(1.0)[:, None] > 0, vectors, 0.0)
