"""Outlines of regions: closed rings in longitude and latitude, made ready to be integrated along.

Edges are straight in longitude and latitude, as drawn on a plate carree map. A step of more than
180 degrees of longitude goes the short way across the date line (but one of 360, an edge along a
whole parallel, is taken as drawn). A ring that goes once round the Earth encloses the nearer pole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import RegionError
from hpcbudget.kernels.coverage import ring_area
from hpcbudget.space.grid import Array


@dataclass(frozen=True, eq=False)
class Rings:
    """Rings of several regions.

    Attributes
    ----------
    lon_deg, lat_deg : float64 (vertex,)
        Closed and unwrapped.
    ring_ptr : int64 (ring + 1,)
        Where each ring begins.
    region : int32 (ring,)
        Region it belongs to; ascending.
    sign : float64 (ring,)
        Makes the area of an outline positive and that of a hole negative.
    """

    lon_deg: Array
    lat_deg: Array
    ring_ptr: NDArray[np.int64]
    region: NDArray[np.int32]
    sign: Array

    @classmethod
    def of(cls, rings: Iterable[tuple[int, bool, Array]]) -> Rings:
        """Make rings from (region, is a hole, vertices (n, [lon, lat]) in degrees).

        Raises
        ------
        RegionError
            A ring with latitudes beyond the poles or NaN.

        Examples
        --------
        >>> square = np.array([[170.0, 0], [-170, 0], [-170, 10], [170, 10]])
        >>> Rings.of([(0, False, square)]).lon_deg.tolist()
        [170.0, 190.0, 190.0, 170.0, 170.0]
        """
        kept = sorted(rings, key=lambda ring: ring[0])
        closed = [_close(np.asarray(vertices, np.float64)) for _, _, vertices in kept]
        signs = [
            np.copysign(1.0, ring_area(ring[:, 0].copy(), ring[:, 1].copy())) * (-1 if hole else 1)
            for (_, hole, _), ring in zip(kept, closed, strict=True)
        ]
        vertices = np.concatenate([*closed, np.empty((0, 2))])
        return cls(
            lon_deg=np.ascontiguousarray(vertices[:, 0]),
            lat_deg=np.ascontiguousarray(vertices[:, 1]),
            ring_ptr=np.concatenate([[0], np.cumsum([len(r) for r in closed])]).astype(np.int64),
            region=np.array([region for region, _, _ in kept], np.int32),
            sign=np.array(signs, np.float64),
        )

    def of_region(self, region: int) -> Rings:
        """Return the rings of one region."""
        first, last = np.searchsorted(self.region, [region, region + 1])
        ptr = self.ring_ptr[first : last + 1]
        part = slice(int(ptr[0]), int(ptr[-1]))
        return Rings(
            self.lon_deg[part],
            self.lat_deg[part],
            ptr - ptr[0],
            self.region[first:last],
            self.sign[first:last],
        )

    def __len__(self) -> int:
        return len(self.region)

    def arrays(self) -> list[Array]:
        """Return each ring as (vertex, [lon, lat])."""
        both = np.stack([self.lon_deg, self.lat_deg], axis=1)
        return np.split(both, self.ring_ptr[1:-1]) if len(self) else []

    def area_sr(self) -> float:
        """Return the area in sr that the rings enclose together."""
        return float(
            sum(
                sign * ring_area(ring[:, 0].copy(), ring[:, 1].copy())
                for ring, sign in zip(self.arrays(), self.sign, strict=True)
            )
        )


def _close(ring: Array) -> Array:
    if ring.ndim != 2 or not np.isfinite(ring).all() or np.abs(ring[:, 1]).max() > 90.0 + 1e-9:
        raise RegionError(
            "an outline has NaN or latitudes beyond the poles",
            fix="outlines are in degrees of longitude and latitude (EPSG:4326); reproject the file",
        )
    if not np.array_equal(ring[0], ring[-1]):
        ring = np.concatenate([ring, ring[:1]])
    step = np.diff(ring[:, 0])
    crosses = (np.abs(step) > 180.0) & (np.abs(step) < 360.0 - 1e-9)
    step = np.where(crosses, step - 360.0 * np.round(step / 360.0), step)
    lon = ring[0, 0] + np.concatenate([[0.0], np.cumsum(step)])
    # without a seam the given numbers are kept to the bit
    lon = np.where(np.cumsum(np.concatenate([[False], crosses])) == 0, ring[:, 0], lon)
    result = np.stack([lon, np.clip(ring[:, 1], -90.0, 90.0)], axis=1)
    around = result[-1, 0] - result[0, 0]
    if abs(around) > 180.0:
        pole = np.copysign(90.0, result[:, 1].mean())
        result[-1, 0] = result[0, 0] + np.copysign(360.0, around)
        seam = [[result[-1, 0], pole], [result[0, 0], pole], result[0]]
        return np.concatenate([result, np.array(seam)])
    result[-1] = result[0]
    return result
