"""Which share of which cell lies in which region, as a sparse table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Fractions(NamedTuple):
    """Entries sorted by cell, then region; at most one per pair.

    Attributes
    ----------
    cell : int64 (entry,)
        Cell of the grid, in C order.
    region : int32 (entry,)
        Region of the set.
    share : float64 (entry,)
        Share of the cell's area, in (0, 1].
    """

    cell: NDArray[np.int64]
    region: NDArray[np.int32]
    share: Array

    @classmethod
    def of(cls, parts: Iterable[tuple[NDArray[np.int64], NDArray[np.int32], Array]]) -> Fractions:
        """Join (cell, region, share) parts and sort them.

        Examples
        --------
        >>> part = (np.array([4, 2]), np.array([0, 0], np.int32), np.array([0.5, 1.0]))
        >>> Fractions.of([part]).cell.tolist()
        [2, 4]
        """
        columns = tuple(zip(*parts, strict=True))
        if not columns:
            return cls(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0))
        cell = np.concatenate(columns[0]).astype(np.int64)
        region = np.concatenate(columns[1]).astype(np.int32)
        share = np.concatenate(columns[2]).astype(np.float64)
        order = np.lexsort((region, cell))
        return cls(cell[order], region[order], share[order])

    @classmethod
    def whole(cls, members: NDArray[np.int32]) -> Fractions:
        """Give each cell wholly to one region; -1 to none."""
        cell = np.flatnonzero(members >= 0)
        return cls(cell, members[cell], np.ones(len(cell)))
