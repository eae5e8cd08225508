"""Grids, continents and flux patterns of the synthetic ensemble.

Nothing here is read from outside: continents are a handful of ellipses, fluxes are smooth bumps in
latitude (boreal and tropical forests, the Southern Ocean) or around industrial regions, times a
mean, a trend, a season and red noise that models share in part, as they share the weather. Every
pattern is scaled so that its global integral is 1 Pg C/yr, hence the coefficients below read as
the numbers of a carbon budget.

Areas are computed with this module's own formula. The demo compares the pipeline with them, so
nothing may be shared with `hpcbudget.space` or `hpcbudget.kernels`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

GridName = Literal["half", "one_0_360", "one_180", "two_by_two_and_half", "gaussian"]
Array = NDArray[np.float64]

#: Radius of the sphere in m; the configuration written next to the data says the same.
RADIUS_M = 6371.0e3

#: lon, lat of the centre, half axes in degrees, angle (degrees, anticlockwise) of the first axis.
CONTINENTS: tuple[tuple[float, float, float, float, float], ...] = (
    (-100.0, 50.0, 38.0, 19.0, -15.0),  # North America
    (-97.0, 20.0, 14.0, 5.0, -40.0),  # Central America
    (-42.0, 74.0, 16.0, 9.0, 60.0),  # Greenland
    (-60.0, -8.0, 20.0, 17.0, -25.0),  # South America, north
    (-67.0, -38.0, 20.0, 7.0, 80.0),  # South America, south
    (13.0, 16.0, 31.0, 18.0, 0.0),  # Africa, north
    (25.0, -13.0, 23.0, 14.0, 80.0),  # Africa, south
    (18.0, 52.0, 27.0, 12.0, 15.0),  # Europe
    (92.0, 56.0, 68.0, 19.0, 0.0),  # Asia, north
    (100.0, 33.0, 30.0, 14.0, -10.0),  # Asia, east
    (78.0, 20.0, 12.0, 8.0, -75.0),  # India
    (48.0, 25.0, 13.0, 10.0, -40.0),  # Arabia
    (117.0, -2.0, 21.0, 6.0, -15.0),  # South-east Asia
    (134.0, -25.0, 20.0, 11.0, 5.0),  # Australia
)

#: lon, lat, width in degrees and share of the places where fossil fuel is burnt.
INDUSTRY: tuple[tuple[float, float, float, float], ...] = (
    (112.0, 38.0, 8.0, 0.42),
    (-86.0, 40.0, 10.0, 0.21),
    (14.0, 51.0, 8.0, 0.18),
    (78.0, 22.0, 6.0, 0.09),
    (50.0, 30.0, 6.0, 0.05),
    (-47.0, -22.0, 5.0, 0.02),
    (28.0, -27.0, 4.0, 0.02),
    (147.0, -34.0, 4.0, 0.01),
)


@dataclass(frozen=True, eq=False)
class SyntheticGrid:
    """A rectilinear grid with its edges.

    Attributes
    ----------
    name : str
        Which of the real-world layouts it imitates.
    lat_deg, lon_deg : ndarray
        Cell centres in degrees, in stored order.
    lat_edges_deg, lon_edges_deg : ndarray
        Shape (n + 1,), in stored order: row ``i`` lies between edges ``i`` and ``i + 1``.
    """

    name: GridName
    lat_deg: Array
    lon_deg: Array
    lat_edges_deg: Array
    lon_edges_deg: Array

    @classmethod
    def build(cls, name: GridName, resolution_deg: float) -> SyntheticGrid:
        """Build the layout `name`, where `resolution_deg` is that of the finest one ("half").

        With ``resolution_deg=0.5`` the layouts are the ones of the field: 0.5 degrees from north
        to south, 1 degree from 0 to 360 or from -180 to 180, 2 x 2.5 degrees with half cells at
        the poles, and the Gaussian grid n48.

        Examples
        --------
        >>> SyntheticGrid.build("two_by_two_and_half", 0.5).shape
        (91, 144)
        >>> SyntheticGrid.build("gaussian", 0.5).shape
        (96, 192)
        """
        if name == "gaussian":
            half_rows = max(4, round(24 / resolution_deg))
            lat, lat_edges = _gaussian_latitudes(2 * half_rows)
            lon, lon_edges = _regular(4 * half_rows, 0.0, 360.0)
        elif name == "two_by_two_and_half":
            step = 180.0 / max(4, round(45 / resolution_deg))
            lat = np.arange(round(180.0 / step) + 1, dtype=np.float64) * step - 90.0
            lat_edges = np.concatenate([[-90.0], (lat[1:] + lat[:-1]) / 2, [90.0]])
            columns = max(8, round(72 / resolution_deg))
            lon = np.arange(columns, dtype=np.float64) * (360.0 / columns) - 180.0
            lon_edges = (np.arange(columns + 1, dtype=np.float64) - 0.5) * (360.0 / columns) - 180.0
        else:
            rows = max(8, round((180 if name == "half" else 90) / resolution_deg))
            lat, lat_edges = _regular(rows, -90.0, 90.0)
            west = 0.0 if name == "one_0_360" else -180.0
            lon, lon_edges = _regular(2 * rows, west, west + 360.0)
            if name == "half":
                lat, lat_edges = lat[::-1].copy(), lat_edges[::-1].copy()
        return cls(name, lat, lon, lat_edges, lon_edges)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.lat_deg.size, self.lon_deg.size

    def area_m2(self) -> Array:
        """Return cell areas ``R^2 dlon |sin lat2 - sin lat1|``, shape `shape`."""
        rows = np.abs(np.diff(np.sin(np.deg2rad(self.lat_edges_deg))))
        columns = np.deg2rad(np.abs(np.diff(self.lon_edges_deg)))
        return RADIUS_M**2 * rows[:, None] * columns


def _regular(n: int, first: float, last: float) -> tuple[Array, Array]:
    edges = first + (last - first) * np.arange(n + 1) / n
    return (edges[1:] + edges[:-1]) / 2, edges


def _gaussian_latitudes(n: int) -> tuple[Array, Array]:
    """Centres at the roots of the Legendre polynomial, edges where the weights add up."""
    roots, weights = np.polynomial.legendre.leggauss(n)
    sines = np.clip(np.concatenate([[-1.0], np.cumsum(weights) - 1.0]), -1.0, 1.0)
    sines[-1] = 1.0
    return np.rad2deg(np.arcsin(roots)), np.rad2deg(np.arcsin(sines))


@lru_cache(maxsize=8)
def land_fraction(grid: SyntheticGrid) -> Array:
    """Return the land fraction of each cell, 0 to 1, with mixed cells along the coasts."""
    lat = grid.lat_deg[:, None]
    inside_deg = np.where(lat < -69.0, -69.0 - lat, -99.0) + np.zeros(grid.shape)
    for lon0, lat0, a, b, angle in CONTINENTS:
        east = (grid.lon_deg - lon0 + 180.0) % 360.0 - 180.0
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        along = (east * cos + (lat - lat0) * sin) / a
        across = ((lat - lat0) * cos - east * sin) / b
        inside_deg = np.maximum(inside_deg, (1.0 - np.hypot(along, across)) * min(a, b))
    fraction = np.clip(0.5 + inside_deg / 3.0, 0.0, 1.0)
    fraction.flags.writeable = False  # shared by all who ask
    return fraction


def _bump(lat_deg: Array, centre_deg: float, width_deg: float) -> Array:
    return np.exp(-0.5 * ((lat_deg - centre_deg) / width_deg) ** 2)[:, None]


def patterns(grid: SyntheticGrid, component: str, rng: np.random.Generator) -> Array:
    """Return the spatial patterns of a component.

    Parameters
    ----------
    grid : SyntheticGrid
    component : {"land", "ocean", "fossil"}
    rng : numpy.random.Generator
        Roughens each member's patterns by up to a fifth.

    Returns
    -------
    ndarray, shape (pattern, row, column)
        In kg C m-2 s-1 of a 365-day year, each with a global integral of 1 Pg C/yr. They stand
        for north, tropics and south; fossil has one.
    """
    land = land_fraction(grid)
    lat, lon = grid.lat_deg, grid.lon_deg
    if component == "land":
        bands = [_bump(lat, 54.0, 10.0), _bump(lat, 0.0, 12.0), _bump(lat, -36.0, 7.0)]
        shapes = [land * band for band in bands]
    elif component == "ocean":
        bands = [_bump(lat, 48.0, 11.0), _bump(lat, -2.0, 9.0), _bump(lat, -46.0, 9.0)]
        shapes = [(1.0 - land) * band for band in bands]
    elif component == "fossil":
        places = np.full(grid.shape, 1e-4)
        for lon0, lat0, width, share in INDUSTRY:
            east = ((lon - lon0 + 180.0) % 360.0 - 180.0) * math.cos(math.radians(lat0))
            places = places + share / width**2 * _bump(lat, lat0, width) * np.exp(
                -0.5 * (east / width) ** 2
            )
        shapes = [places * land + 3e-6]  # the rest is shipping
    else:
        raise ValueError(f"no patterns for component {component!r}")
    area = grid.area_m2()
    rough = [shape * (1.0 + 0.2 * rng.uniform(-1.0, 1.0, grid.shape)) for shape in shapes]
    kg_s_per_pgc_yr = 1e12 / (365.0 * 86400.0)
    return np.stack([shape * (kg_s_per_pgc_yr / np.sum(shape * area)) for shape in rough])


def coefficients(component: str, years: Array, months: Array, rng: np.random.Generator) -> Array:
    """Return what each pattern contributes in each month.

    Parameters
    ----------
    component : {"land", "ocean", "fossil"}
    years, months : ndarray, shape (n,)
        Calendar year and month (1 to 12) of each step.
    rng : numpy.random.Generator
        Draws the offsets of a member; north and tropics of land get opposite ones, which is the
        dipole that real inversions show.

    Returns
    -------
    ndarray, shape (n, pattern)
        In Pg C/yr, positive to the atmosphere.
    """
    age = (years - 2015.0)[:, None]
    winter = np.cos(2.0 * np.pi * (months - 0.5) / 12.0)[:, None]  # +1 in January
    if component == "fossil":
        return np.asarray(9.8 * (1.0 + 0.012 * age) * (1.0 + 0.06 * winter))
    since_1800 = (12 * (years - 1800) + months - 1).astype(int)
    common = _shared_weather()[since_1800]
    own = _weather(rng, years.size)
    dipole, bias, drift, season = rng.normal(0.0, [0.35, 0.25, 0.15, 0.1])
    if component == "land":
        level = [-1.75 + dipole + bias, -1.05 - dipole, -0.20 + 0.3 * drift]
        trend, cycle = [-0.03, -0.01, 0.0], [9.0 * (1.0 + season), 1.1, -0.5]
        wobble, noise = [0.35, 0.8, 0.1], 0.15
    else:
        level = [-1.35 + 0.4 * drift, 0.45 + 0.4 * bias, -1.90 + 0.5 * bias]
        trend, cycle = [-0.02, 0.0, -0.03], [-0.6 * (1.0 + season), 0.0, 0.5]
        wobble, noise = [0.05, -0.12, 0.08], 0.03
    return np.asarray(level + age * trend + winter * cycle + common * wobble + noise * own)


@cache
def _shared_weather() -> Array:
    """Return what all models see of the weather from January 1800 on."""
    return _weather(np.random.default_rng(1959), 12 * 400)


def _weather(rng: np.random.Generator, n: int) -> Array:
    """Return three red-noise series of `n` months, of mean 0 and standard deviation 1."""
    memory = 0.88
    shocks = rng.normal(0.0, math.sqrt(1.0 - memory**2), (n, 3))
    state: Array = np.empty_like(shocks)
    state[0] = rng.normal(0.0, 1.0, 3)
    for t in range(1, n):
        state[t] = memory * state[t - 1] + shocks[t]
    return state
