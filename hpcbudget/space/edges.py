"""Cell edges of one axis, from CF bounds or inferred from the centres by stated rules.

Latitudes, in this order (the rule that was used is kept with the grid):

1. *Gaussian*: the centres are the roots of a Legendre polynomial to within a hundredth of a cell.
   The sines of the edges are then the running sums of the quadrature weights.
2. *Uniform*: equal steps. A row centred on a pole is a half cell that ends there.
3. *Quarter-offset poles*: equal steps inside, first and last centre a quarter step from the pole
   (GEOS-Chem, TM5): half cells at the poles with the centre in their middle.
4. *Midpoints* between neighbours; the outer edges mirror the inner ones and end at the poles.

Longitudes: uniform (steps that fill the circle to within a hundredth of a cell fill it exactly),
else midpoints, across the date line too when the centres go all the way round.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import GridError

Array = NDArray[np.float64]

UNIFORM = 1e-2
"""Steps and phases are taken as equal to within this share of a cell: files round to 2 decimals."""
WELD = 1e-4
"""Neighbouring bounds that differ by less than this share of a cell are one edge."""


def as_float64(values: NDArray[Any]) -> Array:
    """Widen coordinates; single precision goes through its shortest decimal (0.1f -> 0.1).

    Examples
    --------
    >>> as_float64(np.array([0.1, -59.95], np.float32)).tolist()
    [0.1, -59.95]
    """
    if values.dtype == np.float32:
        exact = [float(str(v)) for v in values.ravel()]
        return np.array(exact, np.float64).reshape(values.shape)
    return np.asarray(values, np.float64)


def gaussian_latitudes(n: int) -> tuple[Array, Array]:
    """Return centres (n,) and edges (n + 1,) in degrees, south to north, of n Gaussian rows.

    Roots and weights of the Legendre polynomial P_n by Newton's method from
    cos(pi (i - 1/4) / (n + 1/2)) (Abramowitz and Stegun 1964, 22.16.6 and 25.4.29).

    Examples
    --------
    >>> centres, edges = gaussian_latitudes(2)
    >>> centres.round(6).tolist(), edges.tolist()
    ([-35.26439, 35.26439], [-90.0, 0.0, 90.0])
    """
    x = np.cos(np.pi * (np.arange(1, n + 1) - 0.25) / (n + 0.5))
    for _ in range(100):
        below, value = np.ones(n), x.copy()
        for k in range(2, n + 1):
            below, value = value, ((2 * k - 1) * x * value - (k - 1) * below) / k
        slope = n * (below - x * value) / (1 - x * x)
        step = value / slope
        x -= step
        if np.abs(step).max() < 1e-15:
            break
    weights = 2.0 / ((1 - x * x) * slope**2)
    weights *= 2.0 / weights.sum()
    # by symmetry, so that the equator and pairs of rows are exact
    half = np.cumsum(weights[: n // 2])
    north = np.degrees(np.arcsin(1.0 - half))  # edges below the first, second ... northern row
    if n % 2 == 0:
        north[-1] = 0.0
        edges = np.concatenate([[-90.0], -north[:-1], north[::-1], [90.0]])
    else:
        edges = np.concatenate([[-90.0], -north, north[::-1], [90.0]])
    centres = np.degrees(np.arcsin(x))[::-1]
    return 0.5 * (centres - centres[::-1]), edges


def infer_latitude_bounds(
    centres_deg: NDArray[Any], *, gaussian: bool | None = None
) -> tuple[Array, str]:
    """Return bounds (n, 2), lower latitude first, in the order of the centres, and the rule used.

    Parameters
    ----------
    centres_deg : array (n,)
        Strictly ascending or descending, within -90..90.
    gaussian : bool, optional
        Insist on (True) or rule out (False) Gaussian edges.

    Raises
    ------
    GridError
        Unordered, single or impossible latitudes; not Gaussian although declared so.

    Examples
    --------
    >>> infer_latitude_bounds(np.array([90.0, 0.0, -90.0]))[0].tolist()
    [[45.0, 90.0], [-45.0, 45.0], [-90.0, -45.0]]
    """
    centres = as_float64(np.asarray(centres_deg))
    check_latitudes(centres)
    if centres.size < 2:
        raise GridError(
            "one latitude alone has no width",
            why="its area would have to be guessed",
            fix="give the file latitude bounds (CF attribute 'bounds')",
        )
    descending = centres[0] > centres[-1]
    edges, rule = _latitude_edges(centres[::-1] if descending else centres, gaussian)
    bounds = np.stack([edges[:-1], edges[1:]], axis=1)
    return (bounds[::-1].copy() if descending else bounds), rule


def _latitude_edges(lat: Array, gaussian: bool | None) -> tuple[Array, str]:
    n = lat.size
    edges: Array
    steps = np.diff(lat)
    if gaussian is not False and n >= 4:
        roots, edges = gaussian_latitudes(n)
        if np.abs(roots - lat).max() < UNIFORM * steps.mean():
            return edges, f"inferred: Gaussian, {n} rows"
    if gaussian:
        raise GridError(
            f"{n} latitudes are declared Gaussian but are not the roots of P_{n}",
            fix="remove 'gaussian: true' from the grid options",
        )
    step = float((lat[-1] - lat[0]) / (n - 1))
    if np.abs(steps - step).max() < UNIFORM * step:
        # ends that are meant to sit on a pole, or half a step from it, do so exactly
        first, last = _at_pole(lat[0] + 90.0, step), _at_pole(90.0 - lat[-1], step)
        if first is not None and last is not None:
            step = 180.0 / (n - 1 + first + last)
            start = -90.0 + first * step
        else:
            start = lat[0] if first is None else -90.0 + first * step
        edges = start + (np.arange(n + 1, dtype=np.float64) - 0.5) * step
        if last is not None:
            edges[-1] = 90.0
        return np.clip(edges, -90.0, 90.0), "inferred: uniform latitudes"
    inner = steps[1:-1]
    if n >= 5 and np.ptp(inner) < UNIFORM * inner.mean():
        step = float(inner.mean())
        ends = np.array([lat[0] + 90.0, 90.0 - lat[-1]])
        rows = np.array([lat[1] + 90.0, 90.0 - lat[-2]])
        if np.abs(ends - step / 4).max() < UNIFORM * step > np.abs(rows - step).max():
            edges = np.linspace(-90.0, 90.0, 2 * n - 1)[1::2]
            return np.concatenate([[-90.0], edges, [90.0]]), "inferred: half cells at the poles"
    middle = 0.5 * (lat[1:] + lat[:-1])
    ends = np.array([2 * lat[0] - middle[0], 2 * lat[-1] - middle[-1]])
    edges = np.clip(np.concatenate([ends[:1], middle, ends[1:]]), -90.0, 90.0)
    return edges, "inferred: midpoints of latitudes"


def _at_pole(distance: float, step: float) -> float | None:
    """Distance to the pole in steps where it is meant to be 0 or 1/2, else None."""
    for steps in (0.0, 0.5):
        if abs(distance - steps * step) < 2 * UNIFORM * step:
            return steps
    return None


def infer_longitude_bounds(centres_deg: NDArray[Any]) -> tuple[Array, str]:
    """Return bounds (n, 2), west first and continuous with the centres, and the rule used.

    Raises
    ------
    GridError
        A single longitude, not-a-number or centres that do not run one way round.

    Examples
    --------
    >>> infer_longitude_bounds(np.array([0.0, 90.0, 180.0, -90.0]))[0].tolist()
    [[-45.0, 45.0], [45.0, 135.0], [135.0, 225.0], [225.0, 315.0]]
    """
    centres = as_float64(np.asarray(centres_deg))
    if centres.size < 2:
        raise GridError(
            "one longitude alone has no width",
            why="its area would have to be guessed",
            fix="give the file longitude bounds (CF attribute 'bounds')",
        )
    lon = unwrap_longitudes(centres)
    descending = lon[0] > lon[-1]
    edges, rule = _longitude_edges(lon[::-1] if descending else lon)
    bounds = np.stack([edges[:-1], edges[1:]], axis=1)
    return (bounds[::-1].copy() if descending else bounds), rule


def _longitude_edges(lon: Array) -> tuple[Array, str]:
    n = lon.size
    edges: Array
    steps = np.diff(lon)
    step = float((lon[-1] - lon[0]) / (n - 1))
    if np.abs(steps - step).max() < UNIFORM * step:
        start = float(lon[0])
        if abs(n * step - 360.0) < UNIFORM * step * n:
            step = 360.0 / n
            quarters = round(4 * start / step) * step / 4
            if abs(start - quarters) < UNIFORM * step:
                start = quarters
        edges = start + (np.arange(n + 1, dtype=np.float64) - 0.5) * step
        return edges, "uniform longitudes"
    middle = 0.5 * (lon[1:] + lon[:-1])
    seam = 360.0 - (lon[-1] - lon[0])
    if 0 < seam <= 1.5 * steps.max():
        west = lon[0] - 0.5 * seam
        edges = np.concatenate([[west], middle, [west + 360.0]])
    else:
        ends = np.array([2 * lon[0] - middle[0], 2 * lon[-1] - middle[-1]])
        edges = np.concatenate([ends[:1], middle, ends[1:]])
    return edges, "midpoints of longitudes"


def latitude_bounds_from_file(bounds_deg: NDArray[Any], centres_deg: NDArray[Any]) -> Array:
    """Return given bounds (n, 2) or edges (n + 1,) in order and welded; ends beyond a pole are cut.

    Raises
    ------
    GridError
        Bounds that do not hold their centre, have no width or overlap.
    """
    centres = as_float64(np.asarray(centres_deg))
    check_latitudes(centres)
    bounds = np.sort(_pairs(bounds_deg, centres.size, "latitude"), axis=1)
    bounds = np.clip(bounds, -90.0, 90.0)
    _check_hold(bounds, centres, "latitude")
    return _weld(bounds, "latitude")


def longitude_bounds_from_file(bounds_deg: NDArray[Any], centres_deg: NDArray[Any]) -> Array:
    """Return given bounds (n, 2) or edges (n + 1,), west first, placed around their centres.

    Raises
    ------
    GridError
        Bounds that do not hold their centre, have no width or overlap.
    """
    centres = as_float64(np.asarray(centres_deg))
    pairs = _pairs(bounds_deg, centres.size, "longitude")
    eastward, westward = (pairs[:, 1] - pairs[:, 0]) % 360.0, (pairs[:, 0] - pairs[:, 1]) % 360.0
    swapped = westward < eastward
    west = np.where(swapped, pairs[:, 1], pairs[:, 0])
    width = np.where(swapped, westward, eastward)
    if centres.size <= 2:  # half a circle or more is wide, not swapped
        west, width = pairs.min(axis=1), np.ptp(pairs, axis=1)
    centres = unwrap_longitudes(centres) if centres.size > 1 else centres
    middle = west + 0.5 * width
    west += 360.0 * np.round((centres - middle) / 360.0)
    bounds = np.stack([west, west + width], axis=1)
    _check_hold(bounds, centres, "longitude")
    return _weld(bounds, "longitude")


def unwrap_longitudes(lon: Array) -> Array:
    """Make longitudes run one way round without the jump at the seam.

    Raises
    ------
    GridError
        Not-a-number, or longitudes that turn back.
    """
    if not np.isfinite(lon).all():
        raise GridError("longitudes contain NaN or infinity", fix="repair the coordinate variable")
    smooth = np.unwrap(lon, period=360.0)
    steps = np.diff(smooth)
    if not ((steps > 0).all() or (steps < 0).all()):
        at = int(np.flatnonzero(np.sign(steps) != np.sign(steps.sum()))[0])
        raise GridError(
            f"longitudes turn back after index {at}: {lon[at]:g}, {lon[at + 1]:g}",
            why="cells would overlap and be counted twice",
            fix="sort the file along longitude and drop doubled columns",
        )
    return smooth


def check_latitudes(lat: Array) -> None:
    """Raise GridError unless latitudes are finite, within the poles and strictly monotonic."""
    if not np.isfinite(lat).all():
        raise GridError("latitudes contain NaN or infinity", fix="repair the coordinate variable")
    if np.abs(lat).max() > 90.0 + 1e-3:
        raise GridError(
            f"latitudes reach {lat[np.abs(lat).argmax()]:g}, beyond the poles",
            fix="check that the coordinate is in degrees and not an index or a distance",
        )
    steps = np.diff(lat)
    if not ((steps > 0).all() or (steps < 0).all()):
        raise GridError(
            "latitudes are neither ascending nor descending",
            why="cells would overlap and be counted twice",
            fix="sort the file along latitude",
        )


def _pairs(bounds: NDArray[Any], n: int, axis: str) -> Array:
    values = as_float64(np.asarray(bounds))
    if values.shape == (n + 1,):
        values = np.stack([values[:-1], values[1:]], axis=1)
    if values.shape != (n, 2):
        raise GridError(
            f"{axis} bounds have shape {values.shape}, not ({n}, 2) or ({n + 1},)",
            fix="repair the bounds, or set 'grid: {bounds: infer}' to leave them aside",
        )
    if not np.isfinite(values).all():
        raise GridError(
            f"{axis} bounds contain NaN or infinity",
            fix="repair the bounds, or set 'grid: {bounds: infer}' to leave them aside",
        )
    return values


def _check_hold(bounds: Array, centres: Array, axis: str) -> None:
    width = bounds[:, 1] - bounds[:, 0]
    slack = 1e-6 + WELD * np.abs(width)
    outside = (centres < bounds[:, 0] - slack) | (centres > bounds[:, 1] + slack) | (width <= 0)
    if outside.any():
        i = int(np.flatnonzero(outside)[0])
        low, high = bounds[i]
        raise GridError(
            f"{axis} bounds {low:g}..{high:g} of cell {i} do not hold its centre {centres[i]:g} "
            f"({int(outside.sum())} such cells)",
            why="areas would be wrong",
            fix="repair the bounds, or set 'grid: {bounds: infer}' to leave them aside",
        )


def _weld(bounds: Array, axis: str) -> Array:
    """Make edges that two neighbours share the same number; refuse overlaps."""
    order = np.argsort(bounds[:, 0], kind="stable")
    low, high = bounds[order, 0], bounds[order, 1]
    gap = low[1:] - high[:-1]
    small = WELD * (high - low)[1:]
    if (gap < -small).any():
        i = int(np.flatnonzero(gap < -small)[0])
        raise GridError(
            f"{axis} bounds overlap: {low[i]:g}..{high[i]:g} and {low[i + 1]:g}..{high[i + 1]:g}",
            why="their common area would be counted twice",
            fix="repair the bounds, or set 'grid: {bounds: infer}' to leave them aside",
        )
    shared = np.flatnonzero(np.abs(gap) <= small)
    high[shared] = low[shared + 1]
    if axis == "latitude":
        low[np.abs(low + 90.0) < 1e-6] = -90.0
        high[np.abs(high - 90.0) < 1e-6] = 90.0
    elif abs(high[-1] - low[0] - 360.0) <= WELD * (high[0] - low[0]):
        high[-1] = low[0] + 360.0
    result = np.empty_like(bounds)
    result[order, 0], result[order, 1] = low, high
    return result
