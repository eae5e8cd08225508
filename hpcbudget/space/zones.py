"""Zones: the cells that share one row of the (cell x region) table over all region sets.

Each cell lies in exactly one zone, so a field is integrated with one label per cell and the cost
does not grow with the number of region sets. Region totals are zone totals times membership; a
cell that an edge cuts has a row of its own, with fractions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import RegionError
from hpcbudget.space.fractions import Array, Fractions
from hpcbudget.space.grid import Grid
from hpcbudget.space.regions import GLOBE, RegionSet, ids_by_set, region_ids

Rule = Literal["fractional", "centre"]

CLOSE = 1e-12
"""What regions leave of a cell below this share is rounding, not unassigned area."""
OVERFULL = 1e-6
"""Regions that together claim more than a cell by this share overlap."""


@dataclass(frozen=True, eq=False)
class Zones:
    """Partition of a grid's cells, and the membership of its parts in all regions.

    Attributes
    ----------
    labels : int32 (cell,)
        Zone of each cell; -1 for a cell without a shape.
    regions : tuple of str
        Ids of the regions, "Globe" first.
    region_sets : dict
        Set name -> ids of its regions, ``set/unassigned`` last.
    indptr, indices, data : array
        CSR (zone x region): the share of each zone that counts for each region. Globe is always 1;
        the regions and the rest of each set sum to 1. NaN for regions that the grid cannot resolve.
    undefined : tuple of str
        Sets that need longitudes, on a grid that has none: their totals are NaN.
    """

    labels: NDArray[np.int32]
    regions: tuple[str, ...]
    region_sets: dict[str, tuple[str, ...]]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: Array
    undefined: tuple[str, ...] = ()

    @classmethod
    def build(
        cls, grid: Grid, region_sets: Sequence[RegionSet], rule: Rule = "fractional"
    ) -> Zones:
        """Split a grid by region sets.

        Parameters
        ----------
        grid : Grid
            Cells to split.
        region_sets : sequence of RegionSet
            Each set with its unassigned rest covers the globe once.
        rule : {"fractional", "centre"}
            Split the cells that edges cut by area, or give each cell whole to the region that
            holds its centre.

        Raises
        ------
        RegionError
            Regions of one set that overlap.

        Examples
        --------
        >>> from hpcbudget.space.regions import load_region_set
        >>> zones = Zones.build(Grid.regular(1.0), [load_region_set("gcb_bands")])
        >>> zones.n_zones, zones.regions[:2]
        (3, ('Globe', 'North'))
        """
        key = np.zeros(grid.size, np.int64)
        tables: list[_Rows] = []
        column = 1
        undefined = []
        for region_set in region_sets:
            count = len(region_set.regions)
            if grid.kind == "zonal" and region_set.geometry.needs_longitude:
                undefined.append(region_set.name)
                rows = _Rows.unknown(grid.size, count)
            else:
                rows = _Rows.of(_fractions(grid, region_set, rule), grid.size, count)
            key = key * rows.n_rows + rows.row
            key = _ranks(key)
            tables.append(rows.shifted(column))
            column += count + 1
        if not grid.is_boxes:
            key = np.where(grid.area_m2() > 0, key, -1)
        _, first, labels = np.unique(key, return_index=True, return_inverse=True)
        if key.size and key.min() < 0:
            first, labels = first[1:], labels - 1
        indptr, indices, data = _membership(first, tables)
        return cls(
            labels=labels.reshape(-1).astype(np.int32),
            regions=region_ids(region_sets),
            region_sets=ids_by_set(region_sets),
            indptr=indptr,
            indices=indices,
            data=data,
            undefined=tuple(undefined),
        )

    @property
    def n_zones(self) -> int:
        """Number of zones."""
        return len(self.indptr) - 1

    @property
    def n_regions(self) -> int:
        """Number of regions, Globe and every unassigned rest included."""
        return len(self.regions)

    def membership(self) -> Array:
        """Return the dense (zone, region) table."""
        table = np.zeros((self.n_zones, self.n_regions))
        table[np.repeat(np.arange(self.n_zones), np.diff(self.indptr)), self.indices] = self.data
        return table

    def content_hash(self) -> str:
        """Return a hash (32 hex digits) of labels, region ids and membership."""
        digest = hashlib.sha256("\0".join(self.regions).encode())
        digest.update(np.ascontiguousarray(self.labels, "<i4").tobytes())
        digest.update(np.ascontiguousarray(self.indptr, "<i8").tobytes())
        digest.update(np.ascontiguousarray(self.indices, "<i4").tobytes())
        digest.update(np.ascontiguousarray(self.data, "<f8").tobytes())
        return digest.hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class _Rows:
    """The distinct rows of one set's (cell x region) table; `row` says which a cell has."""

    row: NDArray[np.int64]
    n_rows: int
    indptr: NDArray[np.int64]
    column: NDArray[np.int32]
    share: Array

    @classmethod
    def of(cls, fractions: Fractions, n_cells: int, n_regions: int) -> _Rows:
        """Add each cell's unassigned rest and number the distinct rows."""
        cell, region, share = fractions
        total = np.bincount(cell, weights=share, minlength=n_cells)
        over = total - 1.0
        if over.size and over.max() > OVERFULL:
            worst = int(over.argmax())
            raise RegionError(
                f"regions claim {100 * total[worst]:.6g} % of cell {worst}",
                why="regions of one set must add up to the globe",
                fix="put regions that overlap into two region sets",
            )
        share = share / np.maximum(total, 1.0)[cell]
        rest = np.subtract(1.0, total)
        # whole cells have the row number of their region (n_regions: unassigned) ...
        row = np.full(n_cells, n_regions, np.int64)
        whole = share > 1.0 - CLOSE
        row[cell[whole]] = region[whole]
        cut = (total > CLOSE) & (row == n_regions)
        # ... cut cells are compared by their padded (region, share) lists
        keep = cut[cell] & (share > CLOSE)
        cell, region, share = cell[keep], region[keep], share[keep]
        extra = np.flatnonzero(cut & (rest > CLOSE))
        cell, region, share = Fractions.of(
            [(cell, region, share), (extra, np.full(len(extra), n_regions, np.int32), rest[extra])]
        )
        cut_cells, start, count = np.unique(cell, return_index=True, return_counts=True)
        width = int(count.max()) if len(count) else 0
        within = np.arange(len(cell)) - np.repeat(start, count)
        which = np.repeat(np.arange(len(cut_cells)), count)
        padded = np.full((len(cut_cells), 2 * width), -1.0)
        padded[which, 2 * within], padded[which, 2 * within + 1] = region, share
        lists, inverse = np.unique(padded, axis=0, return_inverse=True)
        row[cut_cells] = n_regions + 1 + inverse.reshape(-1)
        used = lists[:, ::2] >= 0
        indptr = np.concatenate(
            [np.arange(n_regions + 2), n_regions + 1 + np.cumsum(used.sum(axis=1))]
        )
        return cls(
            row=row,
            n_rows=n_regions + 1 + len(lists),
            indptr=indptr,
            column=np.concatenate([np.arange(n_regions + 1), lists[:, ::2][used]]).astype(np.int32),
            share=np.concatenate([np.ones(n_regions + 1), lists[:, 1::2][used]]),
        )

    @classmethod
    def unknown(cls, n_cells: int, n_regions: int) -> _Rows:
        """One row of NaN: nothing is known about the set on this grid."""
        n = n_regions + 1
        column = np.arange(n, dtype=np.int32)
        return cls(np.zeros(n_cells, np.int64), 1, np.array([0, n]), column, np.full(n, np.nan))

    def shifted(self, by: int) -> _Rows:
        """Return the same rows with columns counted over all sets."""
        return _Rows(self.row, self.n_rows, self.indptr, self.column + np.int32(by), self.share)


def _fractions(grid: Grid, region_set: RegionSet, rule: Rule) -> Fractions:
    try:
        if rule == "centre":
            return Fractions.whole(region_set.geometry.members(grid))
        return region_set.geometry.fractions(grid)
    except RegionError as error:
        raise error.at(f"region set {region_set.name}") from None


def _ranks(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Replace keys by their rank among the distinct ones, so that products stay small."""
    top = int(key.max()) + 1 if key.size else 0
    if top <= 4 * key.size + 1024:  # a table is faster than sorting
        present = np.zeros(top, np.int64)
        present[key] = 1
        rank: NDArray[np.int64] = (np.cumsum(present) - 1)[key]
        return rank
    return np.unique(key, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _membership(
    first: NDArray[np.int64], tables: Sequence[_Rows]
) -> tuple[NDArray[np.int64], NDArray[np.int32], Array]:
    """Put the rows of all sets side by side, one zone at a time; Globe (column 0) is 1."""
    indptr, indices, data = [0], [np.empty(0, np.int32)], [np.empty(0)]
    for cell in first:
        columns, shares = [np.zeros(1, np.int32)], [np.ones(1)]
        for table in tables:
            row = int(table.row[cell])
            entries = slice(int(table.indptr[row]), int(table.indptr[row + 1]))
            columns.append(table.column[entries])
            shares.append(table.share[entries])
        indices.extend(columns)
        data.extend(shares)
        indptr.append(indptr[-1] + sum(map(len, columns)))
    return np.array(indptr, np.int64), np.concatenate(indices), np.concatenate(data)


__all__ = ["GLOBE", "Rule", "Zones", "region_ids"]
