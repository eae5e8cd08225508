"""How much of each cell of one grid lies in each cell of another.

Boxes on boxes: the overlap is (overlap of the sines of latitude) x (overlap of the longitudes), two
small tables. Everything else: polygons with great-circle edges (`hpcbudget.space.great_circles`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import RegridError
from hpcbudget.kernels.apply import outer_csr
from hpcbudget.space.grid import Array, Grid, sine_difference


class Table(NamedTuple):
    """Sparse table (destination, source) by destination; sources ascend within a row.

    Attributes
    ----------
    indptr : int64 (destination + 1,)
        Where the entries of each destination begin.
    indices : int32 (entry,)
        Source of each entry.
    data : float64 (entry,)
        Overlap: sr for cells, difference of sines for rows, radians for columns.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: Array

    @property
    def rows(self) -> NDArray[np.int64]:
        """Destination of each entry (entry,)."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def row_sums(self) -> Array:
        """Return the sum of each row (destination,)."""
        sums: Array = np.zeros(len(self.indptr) - 1)
        filled = np.diff(self.indptr) > 0
        sums[filled] = np.add.reduceat(self.data, self.indptr[:-1][filled]) if filled.any() else 0.0
        return sums

    def column_sums(self, n: int) -> Array:
        """Return the sum of each of n columns (source,)."""
        sums: Array = np.bincount(self.indices, weights=self.data, minlength=n).astype(np.float64)
        return sums

    @classmethod
    def from_entries(
        cls, rows: NDArray[Any], columns: NDArray[Any], data: NDArray[Any], n_rows: int
    ) -> Table:
        """Sort entries in any order into a table."""
        order = np.lexsort((columns, rows))
        counts = np.bincount(rows, minlength=n_rows)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(indptr, columns[order].astype(np.int32), data[order].astype(np.float64))


class BoxOverlap(NamedTuple):
    """Overlap of two box grids, as the product of two tables.

    Attributes
    ----------
    by_lat : Table (destination row, source row)
        Differences of sines.
    by_lon : Table (destination column, source column)
        Radians.
    """

    by_lat: Table
    by_lon: Table

    def table(self, source: Grid, destination: Grid) -> Table:
        """Multiply out to overlaps (destination cell, source cell) in sr."""
        rows, columns = self.oriented(destination)
        n_lat, n_lon = len(source.lat_deg), len(source.lon_deg)
        lat_stride, lon_stride = (n_lon, 1) if source.lat_axis == 0 else (1, n_lat)
        strides = (
            (lat_stride, lon_stride) if destination.lat_axis == 0 else (lon_stride, lat_stride)
        )
        table = Table(*outer_csr(*rows, *columns, *strides))
        if source.lat_axis == destination.lat_axis:
            return table
        return Table.from_entries(table.rows, table.indices, table.data, destination.size)

    def oriented(self, grid: Grid) -> tuple[Table, Table]:
        """Return the tables of the slower and the faster stored dimension of a grid."""
        return (self.by_lat, self.by_lon) if grid.lat_axis == 0 else (self.by_lon, self.by_lat)


def box_overlap(source: Grid, destination: Grid) -> BoxOverlap:
    """Overlap two box grids.

    Raises
    ------
    RegridError
        One of them is not made of boxes.

    Examples
    --------
    >>> halves = box_overlap(Grid.regular(2.0), Grid.regular(1.0))
    >>> halves.by_lon.data[:2].round(6).tolist(), len(halves.by_lat.data)
    ([0.017453, 0.017453], 180)
    """
    if not (source.is_boxes and destination.is_boxes):
        raise RegridError("one of the grids is not made of boxes", fix="use great_circle_overlap")
    assert source.lat_edges_deg is not None
    assert source.lon_edges_deg is not None
    assert destination.lat_edges_deg is not None
    assert destination.lon_edges_deg is not None
    return BoxOverlap(
        _intervals(source.lat_edges_deg, destination.lat_edges_deg, turns=(0.0,)),
        _intervals(source.lon_edges_deg, destination.lon_edges_deg, turns=(-360.0, 0.0, 360.0)),
    )


def _intervals(source: Array, destination: Array, turns: tuple[float, ...]) -> Table:
    """Overlap intervals (n, 2) in degrees; several turns mean longitudes (radians), one latitudes.

    Overlaps thinner than 1e-12 of the thinner interval are rounding of edges that coincide.
    """
    order = np.argsort(source[:, 0], kind="stable")
    low, high = source[order, 0], source[order, 1]
    around = len(turns) > 1
    # bring every destination into the turn of the source's first edge
    shift = np.floor((destination[:, 0] - low[0]) / 360.0) * -360.0 if around else 0.0
    start, stop = destination[:, 0] + shift, destination[:, 1] + shift
    rows, columns, lows, highs = [], [], [], []
    for turn in turns:
        first = np.searchsorted(high, start + turn, side="right")
        last = np.searchsorted(low, stop + turn, side="left")
        count = np.maximum(last - first, 0)
        row = np.repeat(np.arange(len(start)), count)
        column = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
        rows.append(row)
        columns.append(column)
        lows.append(np.maximum(low[column], start[row] + turn))
        highs.append(np.minimum(high[column], stop[row] + turn))
    row, column = np.concatenate(rows), np.concatenate(columns)
    common = np.stack([np.concatenate(lows), np.concatenate(highs)], axis=1)
    thinner = np.minimum((stop - start)[row], (high - low)[column])
    keep = common[:, 1] - common[:, 0] > 1e-12 * np.maximum(thinner, 1e-3)
    row, column, common = row[keep], order[column[keep]], common[keep]
    size = np.radians(common[:, 1] - common[:, 0]) if around else sine_difference(common)
    if around and len(row):
        # a wide source column can meet a destination from both sides
        pair, inverse = np.unique(row * len(source) + column, return_inverse=True)
        size = np.bincount(inverse.reshape(-1), weights=size)
        row, column = pair // len(source), pair % len(source)
    return Table.from_entries(row, column, size, len(destination))
