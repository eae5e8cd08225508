"""Nodes: the corners that cells in rows and columns share with their neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import RegridError
from hpcbudget.space.grid import Array, Grid

SAME = 1e-8
"""Corners closer than this (in radians, 6 cm on Earth) are one."""
_PLACES = ((0, 0), (0, 1), (1, 1), (1, 0))
_ORDERS = [[(first + step * k) % 4 for k in range(4)] for step in (1, -1) for first in range(4)]
"""All ways once round a cell: files begin at any corner and go either way."""
_NATIVE = "use --backend native, which takes any grid"


class Nodes(NamedTuple):
    """A grid as a mesh of nodes.

    Attributes
    ----------
    lat_deg, lon_deg : array (n0 + 1, n1 + 1)
        Where the corners are; 0 where no cell with a shape has a corner.
    there : bool (n0, n1)
        Cells with a shape; those without hold what is left of masked cells in model output.
    wraps : tuple of bool
        Whether the last cells along the first, the second dimension meet the first ones.
    """

    lat_deg: Array
    lon_deg: Array
    there: NDArray[np.bool_]
    wraps: tuple[bool, bool]


def nodes(grid: Grid) -> Nodes:
    """Return the nodes of a grid.

    Raises
    ------
    RegridError
        Cells that do not share corners, or are not in rows and columns.

    Examples
    --------
    >>> found = nodes(Grid.regular(90.0))
    >>> found.lat_deg[:, 0].tolist(), found.lon_deg[0].tolist(), found.wraps
    ([-90.0, 0.0, 90.0], [-180.0, -90.0, 0.0, 90.0, 180.0], (False, True))
    """
    lat, lon = grid.corners()
    if len(grid.shape) != 2 or lat.shape[1] != 4:
        raise RegridError(
            f"xESMF takes grids of rows and columns, not {grid.describe()}", fix=_NATIVE
        )
    there = grid.area_m2(1.0).reshape(grid.shape) > 0
    corners = np.stack([lat, lon], axis=-1).reshape(*grid.shape, 4, 2)
    for order in _ORDERS:
        turned = corners[:, :, order]
        node = np.full((grid.shape[0] + 1, grid.shape[1] + 1, 2), np.nan)
        for k, (i, j) in enumerate(_PLACES):
            part = node[i : i + grid.shape[0], j : j + grid.shape[1]]
            part[there] = turned[there, k]
        if _shared(node, turned, there):
            wraps = _meet(node[0], node[-1]), _meet(node[:, 0], node[:, -1])
            node = np.nan_to_num(node)
            return Nodes(node[..., 0], node[..., 1], there, wraps)
    raise RegridError("neighbouring cells do not share corners, which xESMF needs", fix=_NATIVE)


def _shared(node: Array, corners: Array, there: NDArray[np.bool_]) -> bool:
    """Whether every cell that is there has its corners (n0, n1, 4, 2) at its nodes."""
    rows, columns = there.shape
    for k, (i, j) in enumerate(_PLACES):
        part = node[i : i + rows, j : j + columns][there]
        # a NaN is no corner, and makes this false
        if not (_apart(part, corners[there, k]) < SAME).all():
            return False
    return True


def _meet(one: Array, other: Array) -> bool:
    """Whether two edges of the mesh (node, 2) are one, as far as they are known."""
    known = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    return bool(known.any() and (_apart(one[known], other[known]) < SAME).all())


def _apart(one: Array, other: Array) -> Array:
    """Length of the chord between points (..., 2) on the unit sphere; poles have one longitude."""
    (lat, lon), (lat2, lon2) = (np.moveaxis(np.radians(a), -1, 0) for a in (one, other))
    half = np.sin(0.5 * (lat - lat2)) ** 2
    return np.asarray(
        2.0 * np.sqrt(half + np.cos(lat) * np.cos(lat2) * np.sin(0.5 * (lon - lon2)) ** 2)
    )
