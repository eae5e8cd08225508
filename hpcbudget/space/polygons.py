"""Regions that are polygons, and which share of each cell they cover.

On box grids the share is exact to rounding (`hpcbudget.kernels.coverage`). Cells that are polygons
themselves are cut by GEOS in the plane of longitude and latitude, their great-circle edges followed
in steps, and the pieces measured on the sphere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcbudget.kernels.coverage import cover, windings
from hpcbudget.space.fractions import Fractions
from hpcbudget.space.grid import Array, Grid, sine_difference
from hpcbudget.space.rings import Rings

SNAP = 1e-9
"""Shares closer than this to 0 or 1 are rounding of borders that many edges make up."""


@dataclass(frozen=True, eq=False)
class Polygons:
    """Polygons on the sphere, any number of rings per region.

    Attributes
    ----------
    rings : Rings
        Outlines and holes.
    n_regions : int
        Number of regions.
    """

    rings: Rings
    n_regions: int

    needs_longitude = True

    def fractions(self, grid: Grid) -> Fractions:
        """Return the share of each cell's area in each region."""
        if not grid.is_boxes:
            from hpcbudget.space.cell_cuts import polygon_cell_shares

            return settle(polygon_cell_shares(grid, self.rings), grid.size)
        axes = _Axes.of(grid)
        parts = []
        for region in range(self.n_regions):
            cell, share = axes.shares(self.rings.of_region(region))
            parts.append((cell, np.full(len(cell), region, np.int32), share))
        return settle(Fractions.of(parts), grid.size)

    def members(self, grid: Grid) -> NDArray[np.int32]:
        """Return the region that holds each cell's centre, -1 for none."""
        lat, lon = grid.centres()
        lon = lon % 360.0
        lon[lon >= 360.0] = 0.0
        order = np.argsort(lon, kind="stable")
        lat, lon = lat[order], lon[order]
        result = np.full(grid.size, -1, np.int32)
        for region in range(self.n_regions):
            rings = self.rings.of_region(region)
            count = windings(rings.lon_deg, rings.lat_deg, rings.ring_ptr, rings.sign, lon, lat)
            result[order[count != 0]] = region
        return result

    def outlines(self) -> list[list[Array]]:
        """Return per region its rings (vertex, [lon, lat]) for a picture."""
        return [self.rings.of_region(region).arrays() for region in range(self.n_regions)]

    def content(self) -> bytes:
        """Return the bytes that the geometry is known by."""
        parts = (self.rings.lon_deg, self.rings.lat_deg, self.rings.sign)
        indices = (self.rings.ring_ptr.astype("<i8"), self.rings.region.astype("<i4"))
        return b"polygons" + b"".join(
            [*(np.ascontiguousarray(p, "<f8").tobytes() for p in parts)]
            + [i.tobytes() for i in indices]
        )


def settle(fractions: Fractions, n_cells: int) -> Fractions:
    """Make shares that fill a cell but for rounding fill it exactly, and drop what is rounding."""
    cell, region, share = fractions
    keep = share > SNAP
    cell, region, share = cell[keep], region[keep], share[keep]
    total = np.bincount(cell, weights=share, minlength=n_cells)[cell]
    share = np.where(np.abs(total - 1.0) < SNAP, share / total, share)
    return Fractions(cell, region, share)


@dataclass(frozen=True)
class _Axes:
    """Ascending edges of a box grid, and which of its rows and columns lies between which."""

    grid: Grid
    lat_edges: Array
    lon_edges: Array
    row_at: NDArray[np.int64]
    column_at: NDArray[np.int64]

    @classmethod
    def of(cls, grid: Grid) -> _Axes:
        assert grid.lat_edges_deg is not None
        assert grid.lon_edges_deg is not None
        west = grid.lon_edges_deg[:, 0]
        origin = west.min()
        shift = np.floor((west - origin + 1e-9) / 360.0) * 360.0
        lon = grid.lon_edges_deg - shift[:, None]
        lat_edges, row_at = _edges(grid.lat_edges_deg)
        lon_edges, column_at = _edges(lon)
        return cls(grid, lat_edges, lon_edges, row_at, column_at)

    def shares(self, rings: Rings) -> tuple[NDArray[np.int64], Array]:
        """Return cells that the rings cover in part or wholly, and their shares."""
        if not len(rings):
            return np.empty(0, np.int64), np.empty(0)
        rows, columns, lon_edges, every = self._window(rings)
        lat_edges = self.lat_edges[rows[0] : rows[-1] + 2]
        area = cover(
            rings.lon_deg, rings.lat_deg, rings.ring_ptr, rings.sign, lat_edges, lon_edges, every
        )[:, : len(columns)]
        height = sine_difference(np.stack([lat_edges[:-1], lat_edges[1:]], axis=1))
        share = area / np.multiply.outer(height, np.radians(np.diff(lon_edges)))
        share[share > 1.0 - SNAP] = np.minimum(share, 1.0)[share > 1.0 - SNAP]
        row, column = np.nonzero(share > SNAP)
        share = share[row, column]
        row, column = self.row_at[rows[row]], self.column_at[columns[column]]
        real = (row >= 0) & (column >= 0)
        row, column, share = row[real], column[real], share[real]
        n_rows, n_columns = len(self.grid.lat_deg), len(self.grid.lon_deg)
        cell = row * n_columns + column if self.grid.lat_axis == 0 else column * n_rows + row
        return cell, share

    def _window(self, rings: Rings) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, int]:
        """Rows and columns that rings can touch, edges of these columns, columns with the rest."""
        n_rows, n_columns = len(self.lat_edges) - 1, len(self.lon_edges) - 1
        low = np.searchsorted(self.lat_edges, rings.lat_deg.min(), side="right") - 1
        high = np.searchsorted(self.lat_edges, rings.lat_deg.max(), side="left")
        low, high = min(max(int(low), 0), n_rows - 1), min(max(int(high), 1), n_rows)
        rows = np.arange(low, max(high, low + 1))
        round_about = self.lon_edges[-1] - self.lon_edges[0] >= 360.0 - 1e-9
        west, east = _extent(rings)
        if not round_about or east - west > 300.0:
            return rows, np.arange(n_columns), self.lon_edges, n_columns + (not round_about)
        turn = np.floor((west - self.lon_edges[0]) / 360.0) * 360.0
        twice = np.concatenate([self.lon_edges, self.lon_edges[1:] + 360.0])
        first = max(int(np.searchsorted(twice, west - turn, side="right")) - 1, 0)
        last = min(int(np.searchsorted(twice, east - turn, side="left")), first + n_columns)
        last = max(last, first + 1)
        columns = np.arange(first, last) % n_columns
        return rows, columns, twice[first : last + 1], len(columns) + (len(columns) < n_columns)


def _edges(bounds: Array) -> tuple[Array, NDArray[np.int64]]:
    """Ascending edges (interval + 1,) of bounds (n, 2), and the cell in each interval or -1."""
    values = np.unique(bounds)
    # neighbours that differ by rounding share an edge
    edges = values[np.concatenate([[True], np.diff(values) > 1e-10])]
    at = np.full(len(edges) - 1, -1, np.int64)
    at[np.searchsorted(edges, bounds[:, 0] + 1e-9, side="right") - 1] = np.arange(len(bounds))
    return edges, at


def _extent(rings: Rings) -> tuple[float, float]:
    """West and east of the narrowest stretch of longitude, one way round, that holds all rings."""
    starts = rings.ring_ptr[:-1]
    west = np.minimum.reduceat(rings.lon_deg, starts)
    east = np.maximum.reduceat(rings.lon_deg, starts)
    if (east - west).max() >= 360.0 - 1e-9:
        return float(west.min()), float(west.min()) + 360.0
    # the widest gap between the rings is left out
    turn = np.floor(west / 360.0) * 360.0
    west, east = west - turn, east - turn
    order = np.argsort(west)
    west, east = west[order], np.maximum.accumulate(east[order])
    east = np.maximum(east, east[-1] - 360.0)  # a ring that begins last may reach past the first
    gaps = np.append(west[1:], west[0] + 360.0) - east
    widest = int(gaps.argmax())
    if gaps[widest] <= 0.0:
        return float(west[0]), float(west[0]) + 360.0
    start = west[(widest + 1) % len(west)]
    stop = east[widest]
    return float(start), float(stop if stop > start else stop + 360.0)
