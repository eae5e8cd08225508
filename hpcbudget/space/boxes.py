"""Regions that are boxes in longitude and latitude; a latitude band is a box all the way round.

How much of a box cell lies in a box region is a product: overlap of the sines of latitude times
overlap of the longitudes. Both are exact, and exactly 0 or 1 where a cell is not cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import RegionError
from hpcbudget.space.fractions import Fractions
from hpcbudget.space.grid import Array, Grid, sine_difference

SNAP = 1e-12
"""A share of a cell below this is rounding of the edges, not overlap."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes on the sphere, one per region.

    Attributes
    ----------
    south_deg, north_deg : array (region,)
        Latitudes, south < north.
    west_deg, width_deg : array (region,)
        From the western edge eastwards; 360 is all the way round.
    """

    south_deg: Array
    north_deg: Array
    west_deg: Array
    width_deg: Array

    @classmethod
    def from_bands(cls, bands: dict[str, tuple[float, float]]) -> Boxes:
        """Make latitude bands from name -> (one latitude, the other)."""
        return cls.from_boxes({name: (-180.0, 180.0, *edges) for name, edges in bands.items()})

    @classmethod
    def from_boxes(cls, boxes: dict[str, tuple[float, float, float, float]]) -> Boxes:
        """Make boxes from name -> (west, east, south, north); east < west crosses the date line.

        Raises
        ------
        RegionError
            A box without area, beyond the poles, or over another one.
        """
        columns = np.array(list(boxes.values()), np.float64).reshape(-1, 4).T
        west, east, one, other = columns
        width = np.where(np.abs(east - west) >= 360.0, 360.0, (east - west) % 360.0)
        south, north = np.minimum(one, other), np.maximum(one, other)
        for name, w, s, n in zip(boxes, width, south, north, strict=True):
            if not (w > 0 and -90 <= s < n <= 90):
                raise RegionError(
                    f"region {name!r} has no area or reaches beyond a pole: {boxes[name]}",
                    fix="bands are [latitude, latitude], boxes [west, east, south, north], degrees",
                )
        result = cls(south, north, west, width)
        result._check_disjoint(tuple(boxes))
        return result

    @property
    def needs_longitude(self) -> bool:
        """Whether data without longitudes cannot be split into these regions."""
        return bool((self.width_deg < 360.0).any())

    def fractions(self, grid: Grid) -> Fractions:
        """Return the share of each cell's area in each region."""
        if grid.lat_edges_deg is None or grid.lon_edges_deg is None:
            from hpcbudget.space.polygons import Polygons
            from hpcbudget.space.rings import Rings

            rings = Rings.of((i, False, ring) for i, (ring,) in enumerate(self.outlines()))
            return Polygons(rings, len(self.south_deg)).fractions(grid)
        by_lat = latitude_shares(grid.lat_edges_deg, self.south_deg, self.north_deg)
        by_lon = longitude_shares(grid.lon_edges_deg, self.west_deg, self.width_deg)
        parts = []
        for region in range(len(self.south_deg)):
            rows, columns = np.flatnonzero(by_lat[:, region]), np.flatnonzero(by_lon[:, region])
            share = np.multiply.outer(by_lat[rows, region], by_lon[columns, region])
            n_rows, n_columns = by_lat.shape[0], by_lon.shape[0]
            if grid.lat_axis == 0:
                cell = np.add.outer(rows * n_columns, columns)
            else:
                cell = np.add.outer(rows, columns * n_rows)
            parts.append((cell.ravel(), np.full(cell.size, region, np.int32), share.ravel()))
        return Fractions.of(parts)

    def members(self, grid: Grid) -> NDArray[np.int32]:
        """Return the region that holds each cell's centre, -1 for none.

        A centre on an edge that two bands share belongs to the one on the equator's side; a centre
        on a meridian that two boxes share to the eastern one.
        """
        lat, lon = grid.centres()
        result = np.full(grid.size, -1, np.int32)
        distance = np.abs(self.south_deg + self.north_deg)
        for region in np.argsort(-distance, kind="stable"):
            inside = (lat >= self.south_deg[region]) & (lat <= self.north_deg[region])
            if self.width_deg[region] < 360.0:
                inside &= (lon - self.west_deg[region]) % 360.0 < self.width_deg[region]
            result[inside] = region
        return result

    def outlines(self) -> list[list[Array]]:
        """Return per region its rings (vertex, [lon, lat]) for a picture."""
        rings: list[list[Array]] = []
        for s, n, w, d in zip(
            self.south_deg, self.north_deg, self.west_deg, self.width_deg, strict=True
        ):
            corners = [(w, s), (w + d, s), (w + d, n), (w, n), (w, s)]
            rings.append([np.array(corners)])
        return rings

    def content(self) -> bytes:
        """Return the bytes that the geometry is known by."""
        parts = (self.south_deg, self.north_deg, self.west_deg, self.width_deg)
        return b"boxes" + np.concatenate(parts).astype("<f8").tobytes()

    def _check_disjoint(self, names: tuple[str, ...]) -> None:
        bounds = np.stack([self.west_deg, self.west_deg + self.width_deg], axis=1)
        by_lon = longitude_shares(bounds, self.west_deg, self.width_deg)
        by_lat = latitude_shares(
            np.stack([self.south_deg, self.north_deg], axis=1), self.south_deg, self.north_deg
        )
        common = np.argwhere(np.triu(by_lat * by_lon, k=1) > SNAP)
        if len(common):
            i, j = common[0]
            raise RegionError(
                f"regions {names[i]!r} and {names[j]!r} overlap",
                why="regions of one set must add up to the globe",
                fix="put them into two region sets",
            )


def latitude_shares(bounds_deg: Array, south_deg: Array, north_deg: Array) -> Array:
    """Return the share (row, region) of each row's area that lies between two parallels."""
    low = np.maximum(bounds_deg[:, :1], south_deg[None, :])
    high = np.minimum(bounds_deg[:, 1:], north_deg[None, :])
    overlap = sine_difference(np.stack([low, np.maximum(low, high)], axis=-1))
    return _snap(overlap / sine_difference(bounds_deg)[:, None])


def longitude_shares(bounds_deg: Array, west_deg: Array, width_deg: Array) -> Array:
    """Return the share (column, region) of each column that lies between two meridians."""
    low, high = bounds_deg[:, :1], bounds_deg[:, 1:]
    overlap = np.zeros((len(bounds_deg), len(west_deg)))
    # bring each region's western edge into the turn that starts at the cell's
    start = low + (west_deg[None, :] - low) % 360.0
    for turn in (-360.0, 0.0):
        left = np.maximum(low, start + turn)
        right = np.minimum(high, start + turn + width_deg[None, :])
        overlap += np.maximum(right - left, 0.0)
    overlap = np.where(width_deg[None, :] >= 360.0, high - low, overlap)
    return _snap(overlap / (high - low))


def _snap(share: Array) -> Array:
    share = np.where(share < SNAP, 0.0, share)
    return np.where(share > 1.0 - SNAP, 1.0, share)
