"""Regions in whole cells of one degree, as RECCAP2's mask has them.

The mask's rule is not in print. What it does can be seen: a cell belongs wholly to one region or
to none, and is land from somewhat less than half of dry land upwards. No one threshold gives all
ten areas, so the threshold is each region's own: its cells are taken in the order of their dry land
until its area is nearest to that in `AREAS_KM2`. Nothing else is taken from RECCAP2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcbudget.space.grid import Grid
from hpcbudget.space.polygons import Polygons
from hpcbudget.space.rings import Rings

Ring = NDArray[np.float64]

AREAS_KM2 = {
    "North America": 24.25e6,
    "South America": 17.93e6,
    "Europe": 6.02e6,
    "Africa": 30.17e6,
    "North Asia": 16.84e6,
    "West and Central Asia": 10.74e6,
    "East Asia": 11.68e6,
    "South Asia": 4.49e6,
    "Southeast Asia": 5.32e6,
    "Oceania": 8.13e6,
}
"""Areas of RECCAP2's land regions (Ciais et al. 2022, https://doi.org/10.5194/gmd-15-1289-2022),
measured in the project's mask of eleven classes on a sphere of 6371 km and rounded; Africa is two
of the classes, 15.54e6 and 14.63e6."""


def whole_cells(
    units: dict[str, list[tuple[bool, Ring]]],
    members: dict[str, list[str]],
    lakes: list[tuple[bool, Ring]],
) -> dict[str, list[tuple[bool, Ring]]]:
    """Return outlines of regions that are whole cells of one degree.

    Parameters
    ----------
    units : dict
        Name of a unit -> its (is a hole, ring).
    members : dict
        Region -> its units, for each region of `AREAS_KM2`.
    lakes : list
        Inland waters, as (is a hole, ring).

    Returns
    -------
    dict
        Region -> its (is a hole, ring (vertex, [lon, lat])), vertices in whole degrees.
    """
    grid = Grid.boxes(np.arange(-90.0, 91.0), np.arange(0.0, 361.0))
    rings = ([ring for unit in names for ring in units[unit]] for names in members.values())
    land = np.stack([_shares(of_region, grid) for of_region in rings])
    total, owner = land.sum(axis=0), land.argmax(axis=0)
    # lakes lie within countries; rounded, so that equal shares keep the order of cells everywhere
    dry = np.round(total - np.minimum(_shares(lakes, grid), total), 9)
    area = grid.area_m2() / 1e6
    result = {}
    for number, region in enumerate(members):
        own = np.flatnonzero((owner == number) & (dry > 0.0))
        own = own[np.argsort(-dry[own], kind="stable")]
        taken = int(np.abs(np.cumsum(area[own]) - AREAS_KM2[region]).argmin()) + 1
        chosen = np.zeros(grid.shape, bool)
        chosen.ravel()[own[:taken]] = True
        result[region] = outlines(chosen)
    return result


def outlines(cells: NDArray[np.bool_]) -> list[tuple[bool, Ring]]:
    """Return the outlines of a set of cells (latitude, longitude) of one degree.

    The first column begins at 0 E, the first row at 90 S; one column must be empty.

    Examples
    --------
    >>> cells = np.zeros((180, 360), bool)
    >>> cells[90:93, [359, 0, 1]] = True
    >>> cells[91, 0] = False
    >>> (outline, ring), (hole, lake) = outlines(cells)
    >>> outline, ring[:4].tolist()
    (False, [[-1.0, 0.0], [-1.0, 3.0], [2.0, 3.0], [2.0, 0.0]])
    >>> hole, lake[:4].tolist()
    (True, [[0.0, 1.0], [1.0, 1.0], [1.0, 2.0], [0.0, 2.0]])
    """
    import shapely

    # begun where the region is not, so that no outline is cut at a meridian
    seam = int(np.flatnonzero(~cells.any(axis=0))[-1]) + 1
    row, column = np.nonzero(cells)
    west = np.where(column >= seam, column - 360.0, column)
    squares = shapely.box(west, row - 90.0, west + 1.0, row - 89.0)
    whole = shapely.normalize(shapely.simplify(shapely.union_all(squares), 0.0))
    return [
        (place > 0, _corners(np.array(ring.coords)))
        for part in shapely.get_parts(whole)
        for place, ring in enumerate([part.exterior, *part.interiors])
    ]


def _corners(ring: Ring) -> Ring:
    """Drop the vertices of a closed ring where it goes straight on."""
    ring = ring[:-1]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    bends = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    kept = ring[bends]
    return np.concatenate([kept, kept[:1]])


def _shares(rings: list[tuple[bool, Ring]], grid: Grid) -> NDArray[Any]:
    """Share (cell,) of each cell within rings."""
    cell, _, share = Polygons(Rings.of([(0, *ring) for ring in rings]), 1).fractions(grid)
    return np.bincount(cell, weights=share, minlength=grid.size)
