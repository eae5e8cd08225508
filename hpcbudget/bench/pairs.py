"""Named pairs of grids between which weights are made and applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hpcbudget.space.grid import Grid

Make = Callable[[], Grid]


@dataclass(frozen=True)
class Pair:
    """A source and a destination grid, and fields to be carried over.

    Attributes
    ----------
    name : str
    source, destination : callable
        Make the grids.
    n_steps : int
        Steps that weights are applied to.
    slow : tuple of str
        First words of peers that take minutes; left out but in `with_slow`.
    """

    name: str
    source: Make
    destination: Make
    n_steps: int
    slow: tuple[str, ...] = ()

    @property
    def with_slow(self) -> Pair:
        """The same with all peers."""
        return Pair(f"{self.name}WithAll", self.source, self.destination, self.n_steps)


def rotated_pole(rows: int, columns: int) -> Grid:
    """Return a regional grid about 45 degrees wide over Europe, its pole at 39.25 N, 162 W.

    Examples
    --------
    >>> rotated_pole(4, 4).shape
    (4, 4)
    """
    lon, lat = np.radians(
        np.meshgrid(np.linspace(-28.0, 18.0, columns + 1), np.linspace(-23.0, 22.0, rows + 1))
    )
    tilt = np.radians(90.0 - 39.25)
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    x, z = x * np.cos(tilt) - z * np.sin(tilt), x * np.sin(tilt) + z * np.cos(tilt)
    return Grid.curvilinear(np.degrees(np.arcsin(z)), np.degrees(np.arctan2(y, x)) + 18.0)


def displaced_pole(rows: int, columns: int) -> Grid:
    """Return an ocean grid from 78 S to a northern pole that lies in Greenland.

    Examples
    --------
    >>> grid = displaced_pole(40, 60)
    >>> bool(abs(grid.area_m2(1.0).sum() / (2 * np.pi * (1 + np.sin(np.radians(78)))) - 1) < 2e-3)
    True
    """
    lat, lon = np.radians(
        np.meshgrid(
            np.linspace(-78.0, 90.0, rows + 1), np.linspace(0.0, 360.0, columns + 1), indexing="ij"
        )
    )
    # circles of the stereographic plane, whose centres move to the new pole
    radius = np.tan(np.pi / 4 - lat / 2)
    pole = np.tan(np.radians(17.0) / 2) * np.exp(-1j * np.radians(40.0))
    z = radius * np.exp(1j * lon) + pole * np.clip(1.0 - radius, 0.0, 1.0) ** 2
    return Grid.curvilinear(
        np.degrees(np.pi / 2 - 2.0 * np.arctan(np.abs(z))), np.degrees(np.angle(z))
    )


def _regular(step_deg: float) -> Make:
    return lambda: Grid.regular(step_deg)


Box025to100 = Pair("Box025to100", _regular(0.25), _regular(1.0), 12)
Box010to025 = Pair("Box010to025", _regular(0.1), _regular(0.25), 4, slow=("xesmf", "cdo"))
Ocean100to100 = Pair("Ocean100to100", lambda: displaced_pole(180, 360), _regular(1.0), 120)
Ocean025to100 = Pair("Ocean025to100", lambda: displaced_pole(720, 1440), _regular(1.0), 12)
Rotated011to025 = Pair("Rotated011to025", lambda: rotated_pole(412, 424), _regular(0.25), 24)
TinyPair = Pair("TinyPair", lambda: displaced_pole(8, 12), _regular(15.0), 2)

PAIRS = {
    p.name: p
    for p in (
        Box025to100,
        Box010to025,
        Box010to025.with_slow,
        Ocean100to100,
        Ocean025to100,
        Rotated011to025,
        TinyPair,
    )
}
