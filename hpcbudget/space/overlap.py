"""How much of each cell of one grid lies in each cell of another.

Boxes on boxes: the overlap is (overlap of the sines of latitude) x (overlap of the longitudes), two
small tables. Everything else: polygons with great-circle edges, cut exactly, found through bins of
latitude and longitude, one stretch of destination cells at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import RegridError
from hpcbudget.kernels import sphere
from hpcbudget.kernels.apply import outer_csr
from hpcbudget.space.grid import Array, Grid, sine_difference

CHUNK = 65536
"""Destination cells per stretch: bounds the memory of one call, and is what threads share out."""


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
        return np.bincount(self.rows, weights=self.data, minlength=len(self.indptr) - 1)

    def column_sums(self, n: int) -> Array:
        """Return the sum of each of n columns (source,)."""
        return np.bincount(self.indices, weights=self.data, minlength=n)

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
        n_lon, n_source_lon = len(destination.lon_deg), len(source.lon_deg)
        n_lat, n_source_lat = len(destination.lat_deg), len(source.lat_deg)
        out = outer_csr(
            *self.by_lat,
            *self.by_lon,
            *((n_source_lon, 1) if source.lat_axis == 0 else (1, n_source_lat)),
        )
        table = Table(*out)
        if destination.lat_axis == 0 and source.lat_axis == 0:
            return table
        rows = table.rows
        if destination.lat_axis == 1:
            rows = rows % n_lon * n_lat + rows // n_lon
        return Table.from_entries(rows, table.indices, table.data, destination.size)


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
        raise RegridError("one of the grids is not made of boxes", fix="use polygon_overlap")
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


def polygon_overlap(source: Grid, destination: Grid, *, threads: int = 1) -> tuple[Table, Array]:
    """Overlap two grids of any kind along great circles.

    Parameters
    ----------
    source, destination : Grid
        Boxes count as polygons with four corners.
    threads : int
        Stretches of destination cells worked on at once; the result does not depend on it.

    Returns
    -------
    overlap : Table
        (destination, source) in sr.
    areas : tuple of array
        Great-circle areas of the source and the destination cells, in sr.
    """
    job = PolygonOverlap(source)
    starts = range(0, destination.size, CHUNK)
    stops = [min(start + CHUNK, destination.size) for start in starts]
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(lambda part: job.stretch(destination, *part), zip(starts, stops, strict=True)))
    else:
        parts = [job.stretch(destination, *part) for part in zip(starts, stops, strict=True)]
    return join_stretches(parts), job.areas


class PolygonOverlap:
    """A source grid made ready for overlap with stretches of any destination.

    Attributes
    ----------
    areas : array (source,)
        Great-circle areas in sr.
    """

    def __init__(self, source: Grid) -> None:
        self._lat, self._lon = (np.ascontiguousarray(c) for c in source.corners())
        refuse_wide(source)
        self._boxes, self.areas = sphere.extents(self._lat, self._lon)
        self._rows = int(np.clip(np.sqrt(source.size / 2), 18, 1800))
        self._start, self._cells = sphere.index_cells(self._boxes, self._rows, 2 * self._rows)
