"""Global grids that a formula describes: HEALPix and reduced Gaussian.

Their cells do not have great-circle edges. Edges that are curved are followed in steps, so that
cells are many-sided polygons; neighbours share the steps, so nothing is lost between them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import GridError
from hpcbudget.space.edges import gaussian_latitudes
from hpcbudget.space.grid import Array, Grid

_FACE_ROW = np.array([2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4])
_FACE_TURN = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])


def healpix(nside: int, order: Literal["nested", "ring"] = "nested", steps: int = 8) -> Grid:
    """Return the HEALPix grid of 12 nside^2 cells of equal area.

    Parameters
    ----------
    nside : int
        Cells along the edge of a base face; a power of two for nested order.
    order : {"nested", "ring"}
        Numbering of the cells.
    steps : int
        Great-circle steps that follow each edge; 8 give the areas to 0.3 % at nside 8.

    Raises
    ------
    GridError
        A nside that the order does not have.

    Notes
    -----
    Gorski et al. 2005, https://doi.org/10.1086/427976, sections 4 and 5.

    Examples
    --------
    >>> grid = healpix(8)
    >>> area = grid.area_m2(1.0) * grid.size / (4 * np.pi)
    >>> grid.size, bool(abs(area - 1).max() < 3e-3), float(area.mean().round(9))
    (768, True, 1.0)
    """
    if nside < 1 or (order == "nested" and nside & (nside - 1)):
        raise GridError(
            f"there is no {order} HEALPix grid with nside {nside}", fix="use a power of two"
        )
    face, x, y = _nested(nside)
    # once round the cell, south corner first
    side = np.arange(steps) / steps
    dx = np.concatenate([side, np.ones(steps), 1 - side, np.zeros(steps)])
    dy = np.concatenate([np.zeros(steps), side, np.ones(steps), 1 - side])
    lat, lon = _on_sphere(face[:, None], (x[:, None] + dx) / nside, (y[:, None] + dy) / nside)
    centre_lat, centre_lon = _on_sphere(face, (x + 0.5) / nside, (y + 0.5) / nside)
    if order == "ring":
        ring = _FACE_ROW[face] * nside - x - y
        at = np.lexsort((centre_lon.round(9), ring))
        lat, lon, centre_lat, centre_lon = (a[at] for a in (lat, lon, centre_lat, centre_lon))
    return Grid.polygons(
        lat, lon, lat_deg=centre_lat, lon_deg=centre_lon, rule=f"HEALPix {nside} {order}"
    )


def _nested(nside: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Face, x and y of each cell; the bits of x and y take turns in the nested number."""
    if nside & (nside - 1):  # ring order only: any numbering does
        face, y, x = np.indices((12, nside, nside)).reshape(3, -1)
        return face, x, y
    number = np.arange(12 * nside * nside)
    face, within = np.divmod(number, nside * nside)
    x, y = np.zeros_like(within), np.zeros_like(within)
    for bit in range(nside.bit_length() - 1):
        x |= (within >> 2 * bit & 1) << bit
        y |= (within >> (2 * bit + 1) & 1) << bit
    return face, x, y


def _on_sphere(face: NDArray[np.int64], x: Array, y: Array) -> tuple[Array, Array]:
    """Latitude and longitude in degrees of points (x, y), each 0..1, of a base face."""
    t = _FACE_ROW[face] - x - y
    cap = np.minimum(np.minimum(t, 4.0 - t), 1.0)
    z = np.where(t < 1, 1 - cap**2 / 3, np.where(t > 3, cap**2 / 3 - 1, (2 - t) * 2 / 3))
    turn = (_FACE_TURN[face] * cap + x - y) % 8.0
    lon = np.where(cap > 1e-12, 45.0 * turn / np.maximum(cap, 1e-12), 0.0)
    return np.degrees(np.arcsin(np.clip(z, -1, 1))), lon % 360.0


def octahedral(n: int) -> Grid:
    """Return the octahedral reduced Gaussian grid of number n (``o80``), north to south."""
    half = 16 + 4 * np.arange(1, n + 1)
    return reduced_gaussian(np.concatenate([half, half[::-1]]))


def reduced_gaussian(columns: NDArray[np.int64]) -> Grid:
    """Return a reduced Gaussian grid, north to south, rows that start at 0 E.

    Parameters
    ----------
    columns : int (row,)
        Cells of each row.

    Examples
    --------
    >>> grid = reduced_gaussian(np.array([20, 24, 24, 20]))
    >>> grid.size, float(abs(grid.area_m2(1.0).sum() / (4 * np.pi) - 1).round(4))
    (88, 0.0)
    """
    centres, edges = gaussian_latitudes(len(columns))
    row = np.repeat(np.arange(len(columns)), columns)
    within = np.arange(len(row)) - np.repeat(np.cumsum(columns) - columns, columns)
    step = 360.0 / columns[row]
    south, north = edges[:-1][::-1][row], edges[1:][::-1][row]
    # parallels are followed in steps of half a degree or less
    parts = max(2, int(np.ceil(2 * step.max())))
    along = (within - 0.5)[:, None] * step[:, None] + step[:, None] * np.arange(parts + 1) / parts
    lat = np.concatenate(
        [np.repeat(edge[:, None], parts + 1, axis=1) for edge in (south, north)], axis=1
    )
    return Grid.polygons(
        lat,
        np.concatenate([along, along[:, ::-1]], axis=1),
        lat_deg=centres[::-1][row],
        lon_deg=within * step,
        dims=("cell",),
        rule=f"reduced Gaussian, {len(columns)} rows",
    )


def recognise(lat_deg: Array, lon_deg: Array) -> Grid | None:
    """Return the HEALPix or reduced Gaussian grid that has these centres (cell,), if one has."""
    size = len(lat_deg)
    nside = round(float(np.sqrt(size / 12)))
    if nside >= 1 and 12 * nside * nside == size:
        orders: tuple[Literal["nested", "ring"], ...] = ("nested", "ring")
        for order in orders:
            if order == "nested" and nside & (nside - 1):
                continue
            grid = healpix(nside, order)
            if _close(grid, lat_deg, lon_deg, 20.0 / nside):
                return grid
    starts = np.flatnonzero(np.diff(lat_deg, prepend=np.inf) != 0)
    columns = np.diff(np.append(starts, size))
    if len(columns) >= 4 and columns.min() >= 2 and len(columns) < size / 3:
        grid = reduced_gaussian(columns.astype(np.int64))
        if _close(grid, lat_deg, lon_deg, 60.0 / len(columns)):
            return grid
    return None


def _close(grid: Grid, lat_deg: Array, lon_deg: Array, cell_deg: float) -> bool:
    """Whether the centres of a grid are these, to a hundredth of a cell."""
    if np.abs(grid.lat_deg - lat_deg).max() > 0.01 * cell_deg:
        return False
    off = np.abs((grid.lon_deg - lon_deg + 180.0) % 360.0 - 180.0) * np.cos(np.radians(lat_deg))
    return bool(off.max() < 0.01 * cell_deg)
