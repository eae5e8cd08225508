"""Edges that are no great circles, followed by great-circle steps that enclose the same area.

Steps between points of a curve cut off its inside: with 8 of them HEALPix cells come out up to
0.2 % too large or too small, however small they are. Moving the inner points off the curve, by some
two thirds of the height of a step's arc, makes up for it.
"""

from __future__ import annotations

import numpy as np

from hpcbudget.space.grid import Array


def bent(lat_deg: Array, lon_deg: Array, area_sr: Array) -> tuple[Array, Array]:
    """Return points along edges whose great-circle steps lie over given areas.

    Parameters
    ----------
    lat_deg, lon_deg : float64 (..., step + 1)
        Points of each edge, at least one between its ends. The ends stay where they are.
    area_sr : float64 (...)
        Area between the edge and the equator, the integral of the sine of latitude over the
        longitude: positive for an edge to the east in the north.

    Returns
    -------
    tuple of array (..., step + 1)
        Latitude and longitude, the latter in (-180, 180].

    Examples
    --------
    A quarter of the parallel of 60 N in three steps:

    >>> lon = np.linspace(0.0, 90.0, 4)
    >>> lat, _ = bent(np.full(4, 60.0), lon, np.array(np.sin(np.pi / 3) * np.pi / 2))
    >>> lat.round(2).tolist()
    [60.0, 59.13, 59.13, 60.0]
    """
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    p = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    aside = np.cross(p[..., 0, :], p[..., -1, :])
    width = np.linalg.norm(aside, axis=-1)
    there = width > 1e-12  # an edge at a pole is a point
    aside = np.where(there[..., None], aside, 0.0) / np.where(there, width, 1.0)[..., None]

    def moved(by: Array) -> Array:
        q: Array = p.copy()
        q[..., 1:-1, :] += (by[..., None] * aside)[..., None, :]
        q /= np.linalg.norm(q, axis=-1, keepdims=True)
        return q

    # the area is all but linear in the way: two secants from a good guess end at rounding
    lack = area_sr - under_arcs(p)
    last, now = np.zeros_like(width), np.where(there, lack / np.where(there, width, 1.0), 0.0)
    for _ in range(2):
        before, lack = lack, area_sr - under_arcs(moved(now))
        slope = np.where(there & (lack != before), lack - before, np.inf)
        last, now = now, now - lack * (now - last) / slope
    q = moved(now)
    q[..., [0, -1], :] = p[..., [0, -1], :]
    bent_lat = np.degrees(np.arctan2(q[..., 2], np.hypot(q[..., 0], q[..., 1])))
    return bent_lat, np.degrees(np.arctan2(q[..., 1], q[..., 0]))


def under_arcs(p: Array) -> Array:
    """Return the area in sr (...) between great-circle steps and the equator.

    Of one step between unit vectors (..., step + 1, 3) it is E, with

        tan(E / 2) = tan(dlon / 2) sin((lat0 + lat1) / 2) / cos((lat0 - lat1) / 2),

    here in terms of the vectors, so that nothing is lost in short steps.

    Examples
    --------
    Over a quarter of a great circle at 45 degrees to the equator:

    >>> top = np.array([0.0, np.sqrt(0.5), np.sqrt(0.5)])
    >>> float(under_arcs(np.array([[1.0, 0.0, 0.0], top])).round(12)) == round(np.pi / 4, 12)
    True
    """
    a, b = p[..., :-1, :], p[..., 1:, :]
    plan = np.hypot(p[..., 0], p[..., 1])
    both = plan[..., :-1] * plan[..., 1:]
    cross = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    dot = a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1]
    height = (a[..., 2] + b[..., 2]) / (1.0 + both + a[..., 2] * b[..., 2])
    area: Array = 2.0 * np.arctan2(cross * height, both + dot).sum(axis=-1)
    return area
