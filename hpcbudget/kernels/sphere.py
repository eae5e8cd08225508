"""Polygons on the unit sphere with great-circle edges: area, extent and overlap.

A polygon is a list of unit vectors. Areas are sums of signed spherical triangles (Van Oosterom and
Strackee 1983, https://doi.org/10.1109/TBME.1983.325207), their triple products taken over
differences of corners, so that small cells keep their digits. Overlaps are cut out one great
circle at a time (Sutherland and Hodgman 1974); a polygon that is not convex is clipped triangle by
triangle. Nothing here fails near poles or the date line, because nothing here is a longitude.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcbudget.kernels.jit import kernel

Array = NDArray[np.float64]

SAME = 1e-14
"""Corners closer than this (about 0.1 micrometre on Earth) are one."""
TINY = 1e-13
"""Overlaps below this share of the smaller cell are rounding of edges that coincide."""


@kernel
def load_polygon(lat_deg: Array, lon_deg: Array, out: Array) -> int:
    """Turn corners (vertex,) into unit vectors out[:n], without repeats and NaN; return n."""
    n = 0
    for k in range(lat_deg.shape[0]):
        lat, lon = lat_deg[k] * (np.pi / 180), lon_deg[k] * (np.pi / 180)
        if not (abs(lat_deg[k]) <= 90.0 + 1e-6 and np.isfinite(lon)):
            continue
        # a corner on a pole is the same point whatever its longitude
        across = 0.0 if abs(lat_deg[k]) >= 90.0 - 1e-12 else np.cos(lat)
        x, y, z = across * np.cos(lon), across * np.sin(lon), np.sin(lat)
        if n == 0 or _apart(out[n - 1], x, y, z):
            out[n, 0], out[n, 1], out[n, 2] = x, y, z
            n += 1
    while n > 1 and not _apart(out[0], out[n - 1, 0], out[n - 1, 1], out[n - 1, 2]):
        n -= 1
    return n if n >= 3 else 0


@kernel
def _apart(p: Array, x: float, y: float, z: float) -> bool:
    return bool(max(abs(p[0] - x), abs(p[1] - y), abs(p[2] - z)) > SAME)


@kernel
def signed_area(p: Array, n: int) -> float:
    """Return the area in sr of p[:n], positive if it runs counter-clockwise seen from outside."""
    total = 0.0
    ax, ay, az = p[0, 0], p[0, 1], p[0, 2]
    for k in range(1, n - 1):
        bx, by, bz = p[k, 0], p[k, 1], p[k, 2]
        cx, cy, cz = p[k + 1, 0], p[k + 1, 1], p[k + 1, 2]
        ux, uy, uz = bx - ax, by - ay, bz - az
        vx, vy, vz = cx - ax, cy - ay, cz - az
        triple = ax * (uy * vz - uz * vy) + ay * (uz * vx - ux * vz) + az * (ux * vy - uy * vx)
        dots = 1.0 + ax * bx + ay * by + az * bz + bx * cx + by * cy + bz * cz
        dots += cx * ax + cy * ay + cz * az
        total += 2.0 * np.arctan2(triple, dots)
    return total


@kernel
def polygon_areas(lat_deg: Array, lon_deg: Array) -> Array:
    """Return the areas (cell,) in sr of polygons with corners (cell, vertex); 0 without a shape."""
    cells, corners = lat_deg.shape
    out = np.zeros(cells)
    p = np.empty((corners, 3))
    for cell in range(cells):
        n = load_polygon(lat_deg[cell], lon_deg[cell], p)
        if n:
            out[cell] = abs(signed_area(p, n))
    return out


@kernel
def _side(p: Array, a: Array, b: Array) -> float:
    """Return how far p lies left of the great circle from a to b, times the length of a-b."""
    dx, dy, dz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    mx, my, mz = 0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]), 0.5 * (a[2] + b[2])
    nx, ny, nz = my * dz - mz * dy, mz * dx - mx * dz, mx * dy - my * dx
    return p[0] * nx + p[1] * ny + p[2] * nz  # type: ignore[no-any-return]


@kernel
def _keep_left(p: Array, n: int, a: Array, b: Array, out: Array) -> int:
    """Cut p[:n] along the great circle a-b, put what lies left of it into out; return its n."""
    if n == 0:
        return 0
    m = 0
    last = _side(p[n - 1], a, b)
    for k in range(n):
        here = _side(p[k], a, b)
        if (here > 0.0) != (last > 0.0):
            j = k - 1 if k else n - 1
            t = last / (last - here)
            x = p[j, 0] + t * (p[k, 0] - p[j, 0])
            y = p[j, 1] + t * (p[k, 1] - p[j, 1])
            z = p[j, 2] + t * (p[k, 2] - p[j, 2])
            r = 1.0 / np.sqrt(x * x + y * y + z * z)
            out[m, 0], out[m, 1], out[m, 2] = x * r, y * r, z * r
            m += 1
        if here > 0.0:
            out[m, 0], out[m, 1], out[m, 2] = p[k, 0], p[k, 1], p[k, 2]
            m += 1
        last = here
    return m


@kernel
def _clip(subject: Array, n: int, window: Array, m: int, work: Array) -> float:
    """Return the area of subject[:n] within the convex, counter-clockwise window[:m]."""
    now, then = 0, 1
    for k in range(n):
        work[0, k] = subject[k]
    for k in range(m):
        n = _keep_left(work[now], n, window[k], window[(k + 1) % m], work[then])
        if n < 3:
            return 0.0
        now, then = then, now
    return signed_area(work[now], n)


@kernel
def convex_parts(p: Array, n: int, parts: Array, counts: NDArray[np.int64]) -> int:
    """Split p[:n] into convex, counter-clockwise parts[:, :counts]; return how many there are.

    A convex polygon is its only part; of any other, ears are cut off (Meisters 1975).
    """
    if signed_area(p, n) < 0.0:
        for k in range(n // 2):
            for axis in range(3):
                p[k, axis], p[n - 1 - k, axis] = p[n - 1 - k, axis], p[k, axis]
    hollow = False
    for k in range(n):
        if _side(p[(k + 2) % n], p[k], p[(k + 1) % n]) < -SAME:
            hollow = True
    if not hollow:
        parts[0, :n] = p[:n]
        counts[0] = n
        return 1
    left = np.arange(n)
    found = 0
    while n > 3:
        best = -1
        for k in range(n):
            a, b, c = left[k - 1 if k else n - 1], left[k], left[(k + 1) % n]
            if _side(p[c], p[a], p[b]) <= 0.0:
                continue
            free = True
            for j in range(n):
                q = left[j]
                if q in (a, b, c):
                    continue
                inside = _side(p[q], p[a], p[b]) >= 0.0 and _side(p[q], p[b], p[c]) >= 0.0
                if inside and _side(p[q], p[c], p[a]) >= 0.0:
                    free = False
                    break
            if free:
                best = k
                break
        if best < 0:  # edges cross: no ear is left
            return found
        for j, k in enumerate((best - 1 if best else n - 1, best, (best + 1) % n)):
            parts[found, j] = p[left[k]]
        counts[found] = 3
        found += 1
        for j in range(best, n - 1):
            left[j] = left[j + 1]
        n -= 1
    for j in range(3):
        parts[found, j] = p[left[j]]
    counts[found] = 3
    return found + 1


@kernel
def extents(lat_deg: Array, lon_deg: Array) -> tuple[Array, Array]:
    """Return (south, north, west, width) (cell, 4) in degrees that hold each polygon, and areas.

    An arc can bulge beyond its ends by at most 1 / cos(half its length) in the sine of latitude.
    West is NaN for a cell without a shape; a cell around or touching a pole is 360 degrees wide.
    """
    cells, corners = lat_deg.shape
    out = np.empty((cells, 4))
    area = np.zeros(cells)
    p = np.empty((corners, 3))
    for cell in range(cells):
        n = load_polygon(lat_deg[cell], lon_deg[cell], p)
        if n == 0:
            out[cell] = np.nan
            continue
        area[cell] = abs(signed_area(p, n))
        south, north, west, east, lon = 1.0, -1.0, 0.0, 0.0, 0.0
        started, full = False, False
        first, previous = 0.0, 0.0
        for k in range(n + 1):
            q = p[k % n]
            r = p[(k + 1) % n]
            chord2 = (q[0] - r[0]) ** 2 + (q[1] - r[1]) ** 2 + (q[2] - r[2]) ** 2
            bulge = 1.0 / np.sqrt(max(1.0 - 0.25 * chord2, 1e-6))
            south = min(south, q[2], q[2] * bulge, r[2] * bulge)
            north = max(north, q[2], q[2] * bulge, r[2] * bulge)
            if q[0] == 0.0 and q[1] == 0.0:
                continue
            angle = np.arctan2(q[1], q[0])
            if not started:
                first, previous, started = angle, angle, True
                continue
            turn = angle - previous
            turn -= 2 * np.pi * np.round(turn / (2 * np.pi))
            full = full or abs(turn) > np.pi - 1e-9
            lon += turn
            west, east = min(west, lon), max(east, lon)
            previous = angle
        # the winding number is not 0: a pole lies within
        touches = p[0, 0] == 0.0 and p[0, 1] == 0.0
        full = full or (not touches and abs(lon) > np.pi)
        out[cell, 0] = np.degrees(np.arcsin(max(-1.0, south)))
        out[cell, 1] = np.degrees(np.arcsin(min(1.0, north)))
        if full:
            if p[0, 2] > 0.0:
                out[cell, 1] = 90.0
            else:
                out[cell, 0] = -90.0
        out[cell, 2] = -180.0 if full else np.degrees(first + west)
        out[cell, 3] = 360.0 if full else np.degrees(east - west)
    return out, area


@kernel
def _bins(box: Array, rows: int, columns: int) -> tuple[int, int, int, int]:
    """First and last row, first column and number of columns of bins that a box touches."""
    pad = 1e-9
    top = min(rows - 1, max(0, int((box[1] + 90.0 + pad) / 180.0 * rows)))
    bottom = min(rows - 1, max(0, int((box[0] + 90.0 - pad) / 180.0 * rows)))
    first = int(np.floor((box[2] - pad) / 360.0 * columns))
    count = int(np.floor((box[2] + box[3] + pad) / 360.0 * columns)) - first + 1
    return bottom, top, first % columns, min(count, columns)


@kernel
def index_cells(boxes: Array, rows: int, columns: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return CSR (bin -> cells that may touch it) over rows x columns bins of latitude, longitude.

    `boxes` (cell, 4) are south, north, west, width in degrees; NaN is left out.
    """
    start = np.zeros(rows * columns + 1, np.int64)
    for cell in range(boxes.shape[0]):
        if np.isfinite(boxes[cell, 2]):
            bottom, top, first, count = _bins(boxes[cell], rows, columns)
            for row in range(bottom, top + 1):
                for k in range(count):
                    start[row * columns + (first + k) % columns + 1] += 1
    start = np.cumsum(start)
    fill = start[:-1].copy()
    cells = np.empty(start[-1], np.int32)
    for cell in range(boxes.shape[0]):
        if np.isfinite(boxes[cell, 2]):
            bottom, top, first, count = _bins(boxes[cell], rows, columns)
            for row in range(bottom, top + 1):
                for k in range(count):
                    at = row * columns + (first + k) % columns
                    cells[fill[at]] = cell
                    fill[at] += 1
    return start, cells


@kernel
def _disjoint(a: Array, b: Array) -> bool:
    """Whether two extents (south, north, west, width) cannot meet."""
    if a[0] > b[1] or b[0] > a[1]:
        return True
    if a[3] >= 360.0 or b[3] >= 360.0:
        return False
    return (b[2] - a[2]) % 360.0 > a[3] and (a[2] - b[2]) % 360.0 > b[3]  # type: ignore[no-any-return]


@kernel
def overlap_cells(
    window_lat: Array,
    window_lon: Array,
    subject_lat: Array,
    subject_lon: Array,
    boxes: Array,
    areas: Array,
    start: NDArray[Any],
    cells: NDArray[Any],
    rows: int,
    columns: int,
) -> tuple[NDArray[Any], NDArray[Any], Array, Array]:
    """Overlap each window polygon (window, vertex) with all subject polygons (subject, vertex).

    `boxes`, `areas` are the extents and areas of the subjects, `start`, `cells` their index.
    Returns CSR indptr (window + 1,), subject (entry,) ascending within a window, overlap area
    (entry,) in sr, and the area (window,) of the windows in sr.
    """
    window_boxes, window_areas = extents(window_lat, window_lon)
    windows, corners = window_lat.shape
    most = subject_lat.shape[1]
    w = np.empty((corners, 3))
    s = np.empty((most, 3))
    parts = np.empty((max(1, corners - 2), corners, 3))
    counts = np.empty(max(1, corners - 2), np.int64)
    work = np.empty((2, 2 * (corners + most) + 2, 3))
    seen = np.full(subject_lat.shape[0], -1, np.int64)
    indptr = np.zeros(windows + 1, np.int64)
    room = 8 * windows + 64
    index = np.empty(room, np.int32)
    area = np.empty(room)
    found = 0
    for window in range(windows):
        n = load_polygon(window_lat[window], window_lon[window], w)
        begin = found
        if n and np.isfinite(window_boxes[window, 2]):
            pieces = convex_parts(w, n, parts, counts)
            bottom, top, first, count = _bins(window_boxes[window], rows, columns)
            for row in range(bottom, top + 1):
                for k in range(count):
                    at = row * columns + (first + k) % columns
                    for e in range(start[at], start[at + 1]):
                        cell = cells[e]
                        if seen[cell] == window:
                            continue
                        seen[cell] = window
                        if _disjoint(window_boxes[window], boxes[cell]):
                            continue
                        m = load_polygon(subject_lat[cell], subject_lon[cell], s)
                        common = 0.0
                        for piece in range(pieces):
                            common += _clip(s, m, parts[piece], counts[piece], work)
                        common = abs(common)
                        if common <= TINY * min(areas[cell], window_areas[window]):
                            continue
                        if found == room:
                            room *= 2
                            more_index, more_area = np.empty(room, np.int32), np.empty(room)
                            more_index[:found], more_area[:found] = index, area
                            index, area = more_index, more_area
                        index[found], area[found] = cell, common
                        found += 1
            order = np.argsort(index[begin:found])
            index[begin:found] = index[begin:found][order]
            area[begin:found] = area[begin:found][order]
        indptr[window + 1] = found
    return indptr, index[:found].copy(), area[:found].copy(), window_areas
