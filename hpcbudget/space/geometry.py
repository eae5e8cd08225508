"""What every kind of region geometry can do."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpcbudget.space.fractions import Fractions
from hpcbudget.space.grid import Array, Grid


class Geometry(Protocol):
    """What the regions of a set are made of."""

    @property
    def needs_longitude(self) -> bool:
        """Whether data without longitudes cannot be split into these regions."""

    def fractions(self, grid: Grid) -> Fractions:
        """Return the share of each cell's area in each region."""

    def members(self, grid: Grid) -> NDArray[np.int32]:
        """Return the region that holds each cell's centre, -1 for none."""

    def outlines(self) -> list[list[Array]]:
        """Return per region its rings (vertex, [lon, lat]) for a picture."""

    def content(self) -> bytes:
        """Return the bytes that the geometry is known by."""
