"""Land regions that take the sea of coastal cells with them.

A model's coastal cell holds the flux of its land, spread over the whole cell. Split by area, the
part that lies in the sea would go to ``unassigned`` together with a part of that flux. Here the
regions that touch a cell share all of it instead, in proportion to what they hold of it. It suits
land components; areas of regions then depend on the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcbudget.space.fractions import Fractions
from hpcbudget.space.geometry import Geometry
from hpcbudget.space.grid import Array, Grid


@dataclass(frozen=True, eq=False)
class Coastal:
    """Another geometry, without unassigned rest in the cells that it touches.

    Attributes
    ----------
    land : Geometry
        The regions as they are.
    """

    land: Geometry

    @property
    def needs_longitude(self) -> bool:
        """Whether data without longitudes cannot be split into these regions."""
        return self.land.needs_longitude

    def fractions(self, grid: Grid) -> Fractions:
        """Return each region's share of what all regions hold of a cell."""
        cell, region, share = self.land.fractions(grid)
        total = np.bincount(cell, weights=share, minlength=grid.size)
        return Fractions(cell, region, share / total[cell])

    def members(self, grid: Grid) -> NDArray[np.int32]:
        """Return the region that holds most of each cell, -1 for none."""
        cell, region, share = self.land.fractions(grid)
        order = np.lexsort((-region, share))  # the last entry of a cell stays
        result = np.full(grid.size, -1, np.int32)
        result[cell[order]] = region[order]
        return result

    def outlines(self) -> list[list[Array]]:
        """Return per region its rings (vertex, [lon, lat]) for a picture."""
        return self.land.outlines()

    def content(self) -> bytes:
        """Return the bytes that the geometry is known by."""
        return b"coastal" + self.land.content()
