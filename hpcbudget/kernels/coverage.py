"""Exact area of polygons within boxes, by integrating the sine of latitude along the outline.

For a polygon whose edges are straight in longitude and latitude, run counter-clockwise, the area
that it has in common with the box [west, east] x [south, north] is by Green's theorem

    - integral along the outline, west < lon < east, of clamp(sin lat, sin south, sin north) dlon

so each edge adds to the cells it crosses and, in full, to all cells south of it in their columns.
No polygon is ever cut: the cost is that of the vertices and the cells the outline crosses, plus one
running sum per column. Shared borders cancel; holes are outlines that run clockwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcbudget.kernels.jit import kernel

Array = NDArray[np.float64]


@kernel
def _mean_sine(a: float, b: float) -> float:
    """Mean of the sine between two latitudes in degrees, along a straight line in longitude."""
    middle, half = (a + b) * (np.pi / 360), (b - a) * (np.pi / 360)
    shrink = 1.0 - half * half / 6.0 if abs(half) < 1e-4 else np.sin(half) / half
    return float(np.sin(middle) * shrink)


@kernel
def ring_area(lon: Array, lat: Array) -> float:
    """Return the area in sr of a closed, unwrapped ring (vertex,), positive counter-clockwise."""
    total = 0.0
    for k in range(lon.shape[0] - 1):
        total -= (lon[k + 1] - lon[k]) * (np.pi / 180) * _mean_sine(lat[k], lat[k + 1])
    return total


@kernel
def _add_piece(
    out: Array,
    full: Array,
    column: int,
    lat_edges: Array,
    sines: Array,
    a: float,
    b: float,
    width: float,
) -> None:
    """Add an edge piece within one column, from latitude a to b over a signed width in degrees."""
    rows = lat_edges.shape[0] - 1
    if a > b:
        a, b = b, a
    span = b - a
    low = a
    row = np.searchsorted(lat_edges, low, side="right") - 1
    while True:
        # what of the piece lies in this row; row -1 is south of the grid, row `rows` north of it
        end = lat_edges[row + 1] if row < rows else np.inf
        high = b if b < end else end
        share = width * ((high - low) / span) if span > 0.0 else width
        if row >= 0:
            if row < rows:
                out[row, column] -= share * (_mean_sine(low, high) - sines[row])
            full[row, column] -= share
        if b <= end:
            return
        low = high
        row += 1


@kernel
def add_ring(
    lon: Array, lat: Array, sign: float, lat_edges: Array, lon_edges: Array, out: Array, full: Array
) -> None:
    """Add a closed, unwrapped ring (vertex,) in degrees to cells between ascending edges.

    `lon_edges` (columns + 1,) go once round, or fewer degrees: then the rest of the circle is one
    more column of `out` and `full`. out (rows, columns [+ 1]) and full (rows + 1, same) take the
    parts in the cells that edges cross and the widths that count in full for all rows below; see
    `finish`.
    """
    sines = np.sin(lat_edges * (np.pi / 180))
    columns = lon_edges.shape[0] - 1
    every = out.shape[1]
    origin = lon_edges[0]
    for k in range(lon.shape[0] - 1):
        x0, x1, y0, y1 = lon[k], lon[k + 1], lat[k], lat[k + 1]
        if x0 == x1:
            continue
        way = sign
        if x0 > x1:
            x0, x1, y0, y1, way = x1, x0, y1, y0, -sign
        slope = (y1 - y0) / (x1 - x0)
        turn = np.floor((x0 - origin) / 360.0) * 360.0
        column = min(max(np.searchsorted(lon_edges, x0 - turn, side="right") - 1, 0), every - 1)
        x, y = x0, y0
        while x < x1:
            end = (lon_edges[column + 1] if column < columns else origin + 360.0) + turn
            last = end >= x1
            to_x = x1 if last else end
            to_y = y1 if last else y0 + slope * (end - x0)
            if to_x > x:
                _add_piece(out, full, column, lat_edges, sines, y, to_y, way * (to_x - x))
            if last:
                break
            x, y = to_x, to_y
            column += 1
            if column == every:
                column = 0
                turn += 360.0


@kernel
def finish(out: Array, full: Array, lat_edges: Array) -> None:
    """Turn what `add_ring` gathered into areas in sr, in `out` (rows, columns)."""
    rows, columns = out.shape
    sines = np.sin(lat_edges * (np.pi / 180))
    for column in range(columns):
        below = full[rows, column]
        for row in range(rows - 1, -1, -1):
            out[row, column] += below * (sines[row + 1] - sines[row])
            out[row, column] *= np.pi / 180
            below += full[row, column]


@kernel
def cover(
    lon: Array,
    lat: Array,
    ring_ptr: NDArray[Any],
    signs: Array,
    lat_edges: Array,
    lon_edges: Array,
    every: int,
) -> Array:
    """Return the area in sr (rows, every) that rings together have in each cell.

    Parameters: vertices (vertex,) of all rings, ring_ptr (ring + 1,), signs (ring,) that make
    outlines count as positive and holes as negative, edges as for `add_ring`; `every` is the number
    of columns with the rest of the circle.
    """
    rows = lat_edges.shape[0] - 1
    out = np.zeros((rows, every))
    full = np.zeros((rows + 1, every))
    for ring in range(ring_ptr.shape[0] - 1):
        part = slice(ring_ptr[ring], ring_ptr[ring + 1])
        add_ring(lon[part], lat[part], signs[ring], lat_edges, lon_edges, out, full)
    finish(out, full, lat_edges)
    return out


@kernel
def windings(
    lon: Array,
    lat: Array,
    ring_ptr: NDArray[Any],
    signs: Array,
    point_lon: Array,
    point_lat: Array,
) -> NDArray[Any]:
    """Return how often rings together go round each point: 1 inside, 0 outside.

    Points (point,) have longitudes that ascend within [0, 360). An outline is crossed going north;
    edges hold their western end but not their eastern, so neighbours share no point.
    """
    count = np.zeros(point_lon.shape[0], np.int64)
    for ring in range(ring_ptr.shape[0] - 1):
        for k in range(ring_ptr[ring], ring_ptr[ring + 1] - 1):
            x0, x1, y0, y1 = lon[k], lon[k + 1], lat[k], lat[k + 1]
            if x0 == x1:
                continue
            way = -1 if signs[ring] > 0 else 1
            if x0 > x1:
                x0, x1, y0, y1, way = x1, x0, y1, y0, -way
            slope = (y1 - y0) / (x1 - x0)
            first, last = int(np.floor(x0 / 360.0)), int(np.floor(x1 / 360.0))
            for turn in range(first, last + 1):
                shift = 360.0 * turn
                start = np.searchsorted(point_lon, x0 - shift)
                stop = np.searchsorted(point_lon, x1 - shift)
                for p in range(start, stop):
                    if y0 + slope * (point_lon[p] + shift - x0) > point_lat[p]:
                        count[p] += way
    return count
