"""Named problems: grids, zones and fields such as users have them, made from a seed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import ConfigError

EARTH_RADIUS_M = 6.371e6
ROWS = COLUMNS = 6


@dataclass(frozen=True)
class Shape:
    """Monthly fields on a regular grid, and boxes of equal size as regions.

    Attributes
    ----------
    name : str
    n_lat, n_lon : int
    n_steps : int
        Steps in memory or on disk.
    rows, columns : int
        Number of region boxes along latitude and longitude.
    """

    name: str
    n_lat: int
    n_lon: int
    n_steps: int
    rows: int = ROWS
    columns: int = COLUMNS

    @property
    def n_cells(self) -> int:
        """Cells of a step."""
        return self.n_lat * self.n_lon

    @property
    def n_zones(self) -> int:
        """Number of regions."""
        return self.rows * self.columns

    @property
    def lat_deg(self) -> NDArray[np.float64]:
        """Centres, south to north."""
        return np.asarray((np.arange(self.n_lat) + 0.5) * (180.0 / self.n_lat) - 90.0, np.float64)

    @property
    def lon_deg(self) -> NDArray[np.float64]:
        """Centres, from the date line eastward."""
        return np.asarray((np.arange(self.n_lon) + 0.5) * (360.0 / self.n_lon) - 180.0, np.float64)

    def labels(self, shift: int = 0) -> NDArray[np.int32]:
        """Return the region of each cell; `shift` moves the boxes by so many cells."""
        row = (np.arange(self.n_lat) + shift) % self.n_lat * self.rows // self.n_lat
        column = (np.arange(self.n_lon) + shift) % self.n_lon * self.columns // self.n_lon
        return (row[:, None] * self.columns + column[None, :]).astype(np.int32).ravel()

    def area_m2(self) -> NDArray[np.float64]:
        """Return the exact area of each cell."""
        edges = np.deg2rad(np.linspace(-90.0, 90.0, self.n_lat + 1))
        by_row = EARTH_RADIUS_M**2 * np.diff(np.sin(edges)) * (2.0 * np.pi / self.n_lon)
        return np.repeat(by_row, self.n_lon)

    def ocean(self, seed: int = 0) -> NDArray[np.bool_]:
        """Return seven tenths of the cells, in a few large pieces with winding coasts."""
        rng = np.random.default_rng(seed)
        lat, lon = np.deg2rad(self.lat_deg)[:, None], np.deg2rad(self.lon_deg)[None, :]
        height = np.zeros((self.n_lat, self.n_lon))
        for wave in range(1, 13):
            for turn in range(13):
                height += (
                    rng.normal()
                    / wave**1.5
                    * np.cos(wave * lat + rng.uniform(0.0, 6.28))
                    * np.cos(turn * lon + rng.uniform(0.0, 6.28))
                )
        return np.asarray(height < np.quantile(height, 0.7)).ravel()

    def values(self, dtype: str = "float32", seed: int = 0) -> NDArray[Any]:
        """Return fields[step, cell]: noise of the size of fluxes, kg C m-2 s-1, all of it valid."""
        rng = np.random.default_rng(seed)
        field = rng.normal(scale=1e-8, size=(self.n_steps, self.n_cells))
        return field.astype(dtype)

    def smooth_values(self, seed: int = 0) -> NDArray[np.float32]:
        """Return fields[step, lat, lon] that compress as model output does, NaN in the ocean.

        A seasonal cycle over smooth patterns and a little noise, to four digits.
        """
        rng = np.random.default_rng(seed)
        lat, lon = np.deg2rad(self.lat_deg)[:, None], np.deg2rad(self.lon_deg)[None, :]
        pattern = np.cos(lat) * (1.0 + 0.5 * np.cos(3.0 * lon + 2.0 * lat))
        fields = np.empty((self.n_steps, self.n_lat, self.n_lon), np.float32)
        ocean = self.ocean(seed).reshape(self.n_lat, self.n_lon)
        for step in range(self.n_steps):
            season = np.sin(2.0 * np.pi * step / 12.0) * np.sin(lat)
            noise = rng.normal(scale=0.02, size=pattern.shape)
            fields[step] = np.round(1e4 * (pattern * season + noise)) * 1e-12
            fields[step][ocean] = np.nan
        return fields


Monthly025x36zones = Shape("Monthly025x36zones", 720, 1440, 12)
Monthly010x36zones = Shape("Monthly010x36zones", 1800, 3600, 4)
Monthly100x36zones = Shape("Monthly100x36zones", 180, 360, 120)
Tiny = Shape("Tiny", 20, 40, 3, rows=2, columns=4)

SHAPES = {s.name: s for s in (Monthly025x36zones, Monthly010x36zones, Monthly100x36zones, Tiny)}


def find_shape(name: str) -> Shape:
    """Return a shape by its name, or make one of ``rows x columns x steps``.

    Raises
    ------
    ConfigError
        If it is neither.

    Examples
    --------
    >>> find_shape("360x720x120").n_cells
    259200
    """
    if name in SHAPES:
        return SHAPES[name]
    sizes = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)", name)
    if sizes is None:
        raise ConfigError(
            f"no shape {name!r}",
            fix=f"one of {', '.join(SHAPES)}, or rows x columns x steps such as 360x720x120",
        )
    n_lat, n_lon, n_steps = map(int, sizes.groups())
    if n_lat % ROWS or n_lon % COLUMNS:
        raise ConfigError(
            f"shape {name!r} cannot be cut into {ROWS} x {COLUMNS} regions of whole cells",
            fix=f"take a number of rows that {ROWS} divides and of columns that {COLUMNS} divides",
        )
    return Shape(name, n_lat, n_lon, n_steps)
