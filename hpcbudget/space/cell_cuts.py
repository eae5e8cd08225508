"""Shares of polygon cells in polygon regions, cut by GEOS and measured on the sphere.

A cell's great-circle edges are followed in steps that are straight in longitude and latitude, as
the edges of regions are: few to find the cells that a border cuts, many to cut them. A share is the
ratio of two areas of the same outline, so the regions of a cell still add up to all of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcbudget.space.fractions import Fractions
from hpcbudget.space.grid import Array, Grid
from hpcbudget.space.rings import Rings

COARSE, FINE = 8, 64
"""Straight steps per cell edge; what they leave out of a share shrinks with their square."""
BLOCK = 50_000
"""Cells drawn at once."""


def polygon_cell_shares(grid: Grid, rings: Rings) -> Fractions:
    """Return the share of each polygon cell's area in each region of the rings."""
    import shapely

    outlines = [shapely.Polygon(ring) for ring in rings.arrays()]
    outlines = [o if o.is_valid else shapely.make_valid(o) for o in outlines]
    # cells start between 180 W and 180 E: bring every outline into reach
    starts = np.array([np.floor((o.bounds[0] + 180.0) / 360.0) * 360.0 for o in outlines])
    shapes = [
        shapely.transform(o, lambda xy, by=shift - start: np.add(xy, (by, 0.0)))
        for shift in (-360.0, 0.0, 360.0)
        for o, start in zip(outlines, starts, strict=True)
    ]
    region = np.tile(rings.region, 3)
    # a ring counts as an outline where its own sign makes its area positive
    areas = [o.exterior.is_ccw if hasattr(o, "exterior") else True for o in outlines]
    hole = np.array([(s > 0) != ccw for s, ccw in zip(rings.sign, areas, strict=True)])
    sign = np.tile(np.where(hole, -1.0, 1.0), 3)
    parts = []
    for first in range(0, grid.size, BLOCK):
        corners = grid.corners(first, min(first + BLOCK, grid.size))
        cells, drawn, start, _ = _draw(*corners, COARSE)
        n = len(cells)
        tree = shapely.STRtree(cells)
        whole = _pairs(tree.query(shapes, predicate="contains_properly"), n)
        touched = _pairs(tree.query(shapes, predicate="intersects"), n)
        shape, cell = np.divmod(np.setdiff1d(touched, whole), n)
        again, which = np.unique(cell, return_inverse=True)
        lat, lon = (c[drawn[again]] for c in corners)
        fine, _, _, area = _draw(lat, lon, FINE, start[again])
        pieces = shapely.intersection(np.array(shapes, object)[shape], fine[which])
        share = np.concatenate([np.ones(len(whole)), measure(pieces) / area[which]])
        shape, cell = np.concatenate([np.divmod(whole, n), (shape, cell)], axis=1)
        table = np.zeros((n, int(region.max()) + 1 if len(region) else 1))
        np.add.at(table, (cell, region[shape]), sign[shape] * share)
        row, column = np.nonzero(table > 0)
        parts.append((first + drawn[row], column.astype(np.int32), table[row, column]))
    return Fractions.of(parts)


def _draw(
    lat_deg: Array, lon_deg: Array, steps: int, start: Array | None = None
) -> tuple[NDArray[Any], NDArray[np.int64], Array, Array]:
    """Return planar polygons of the cells that have a shape, which, first longitudes, areas."""
    import shapely

    outline = cell_outlines(lat_deg, lon_deg, steps, start)
    area = np.abs(outline_area(outline))
    drawn = np.flatnonzero(area > 0)
    cells = shapely.polygons(shapely.linearrings(outline[drawn]))
    invalid = ~shapely.is_valid(cells)
    cells[invalid] = shapely.make_valid(cells[invalid])
    return cells, drawn, outline[drawn, 0, 0], area[drawn]


def cell_outlines(lat_deg: Array, lon_deg: Array, steps: int, start: Array | None = None) -> Array:
    """Return outlines (cell, point, [lon, lat]), closed and unwrapped, of great-circle cells.

    Corners are (cell, vertex) in degrees; each edge is followed in `steps`. The first corner gets
    the turn of `start` (cell,), else west lies within 180 W to 180 E. A cell around a pole is
    closed over it. A cell without a shape is a single point.
    """
    lat, lon = _repeat_missing(lat_deg), _repeat_missing(lon_deg)
    y, x = np.radians(lat), np.radians(lon)
    across = np.where(np.abs(lat) >= 90.0 - 1e-12, 0.0, np.cos(y))
    p = np.stack([across * np.cos(x), across * np.sin(x), np.sin(y)], axis=-1)[:, :, None, :]
    q = np.roll(p, -1, axis=1)
    t = np.linspace(0.0, 1.0, steps + 1)[:, None]
    arc = (1 - t) * p + t * q
    arc_lat = np.degrees(np.arctan2(arc[..., 2], np.hypot(arc[..., 0], arc[..., 1])))
    arc_lon = np.degrees(np.arctan2(arc[..., 1], arc[..., 0]))
    # corners themselves are kept as given, not as rounded; a pole has its neighbour's longitude
    arc_lat[:, :, 0], arc_lat[:, :, -1] = lat, np.roll(lat, -1, axis=1)
    at_pole = np.hypot(arc[..., 0], arc[..., 1]) < 1e-12
    for here, near in ((0, 1), (-1, -2)):
        arc_lon[:, :, here] = np.where(
            at_pole[:, :, here], arc_lon[:, :, near], arc_lon[:, :, here]
        )
    # an edge across a pole runs up one meridian, along the pole, and down the opposite one
    half_turn = np.abs(np.abs(np.diff(arc_lon, axis=2)) - 180.0) < 1e-6
    across_pole = np.zeros(arc_lon.shape, bool)
    across_pole[:, :, 1:] |= half_turn
    across_pole[:, :, :-1] |= half_turn
    arc_lat = np.where(across_pole, np.copysign(90.0, arc_lat), arc_lat)
    flat_lat, flat_lon = (
        a.reshape(len(lat), lat.shape[1] * (steps + 1)) for a in (arc_lat, arc_lon)
    )
    flat_lat = np.concatenate([flat_lat, flat_lat[:, :1]], axis=1)
    flat_lon = np.unwrap(np.concatenate([flat_lon, flat_lon[:, :1]], axis=1), period=360.0, axis=1)
    around = flat_lon[:, -1] - flat_lon[:, 0]
    polar = np.abs(around) > 180.0
    pole = np.where(polar, np.copysign(90.0, lat.mean(axis=1)), flat_lat[:, 0])
    close_lon = np.stack([flat_lon[:, -1], flat_lon[:, 0], flat_lon[:, 0]], axis=1)
    close_lat = np.stack([pole, pole, flat_lat[:, 0]], axis=1)
    flat_lon = np.concatenate([flat_lon, close_lon], axis=1)
    flat_lat = np.concatenate([flat_lat, close_lat], axis=1)
    if start is None:
        turn = -np.floor((flat_lon.min(axis=1) + 180.0) / 360.0)
    else:
        turn = np.round((start - flat_lon[:, 0]) / 360.0)
    flat_lon += 360.0 * turn[:, None]
    outline = np.stack([flat_lon, flat_lat], axis=-1)
    shapeless = ~np.isfinite(outline).all(axis=(1, 2))
    outline[shapeless] = 0.0
    return outline


def outline_area(outline: Array) -> Array:
    """Return signed areas (cell,) in sr of closed outlines (cell, point, [lon, lat]) in degrees."""
    lon, lat = np.radians(outline[..., 0]), np.radians(outline[..., 1])
    middle, half = 0.5 * (lat[:, 1:] + lat[:, :-1]), 0.5 * np.diff(lat, axis=1)
    area: Array = -(np.diff(lon, axis=1) * np.sin(middle) * np.sinc(half / np.pi)).sum(axis=1)
    return area


def measure(geometries: NDArray[Any]) -> Array:
    """Return the areas (n,) in sr of planar geometries in degrees of longitude and latitude."""
    import shapely

    parts, owner = shapely.get_parts(geometries, return_index=True)
    polygon = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    multi, multi_owner = shapely.get_parts(parts[~polygon], return_index=True)
    more = shapely.get_type_id(multi) == shapely.GeometryType.POLYGON
    owner = np.concatenate([owner[polygon], owner[~polygon][multi_owner[more]]])
    parts = np.concatenate([parts[polygon], multi[more]])
    rings, which = shapely.get_rings(parts, return_index=True)
    coordinates, ring = shapely.get_coordinates(rings, return_index=True)
    lon, lat = np.radians(coordinates).T
    middle, half = 0.5 * (lat[1:] + lat[:-1]), 0.5 * np.diff(lat)
    piece = -np.diff(lon) * np.sin(middle) * np.sinc(half / np.pi)
    same = ring[1:] == ring[:-1]
    area = np.abs(np.bincount(ring[1:][same], weights=piece[same], minlength=len(rings)))
    first = np.concatenate([[True], which[1:] != which[:-1]])[: len(which)]
    by_polygon = np.where(first, area, -area)
    total = np.zeros(len(geometries))
    np.add.at(total, owner[which], by_polygon)
    return total


def _repeat_missing(corners: Array) -> Array:
    """Fill missing corners (cell, vertex) with the last one before them, else the first one."""
    filled = corners.copy()
    for k in range(1, filled.shape[1]):
        filled[:, k] = np.where(np.isfinite(filled[:, k]), filled[:, k], filled[:, k - 1])
    for k in range(filled.shape[1] - 2, -1, -1):
        filled[:, k] = np.where(np.isfinite(filled[:, k]), filled[:, k], filled[:, k + 1])
    return filled


def _pairs(query: NDArray[np.int64], cells: int) -> NDArray[np.int64]:
    """Code (shape, cell) pairs of a tree query as one number each."""
    codes: NDArray[np.int64] = query[0].astype(np.int64) * cells + query[1]
    return codes
