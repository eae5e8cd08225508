"""Global grids that a formula describes: HEALPix and reduced Gaussian.

Their cells do not have great-circle edges. Edges that are curved are followed in steps, so that
cells are many-sided polygons; HEALPix neighbours share the steps, so nothing is lost between them.
Steps along a curve are moved off it until they enclose as much, so that cells have the areas that
the formulas give them (`hpcbudget.space.bent_edges`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import GridError
from hpcbudget.space.bent_edges import bent
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
        Great-circle steps that follow each edge. Areas are exact with any number from 2.

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
    >>> grid.size, bool(abs(area - 1).max() < 1e-10)
    (768, True)
    """
    if nside < 1 or (order == "nested" and nside & (nside - 1)):
        raise GridError(
            f"there is no {order} HEALPix grid with nside {nside}", fix="use a power of two"
        )
    face, x, y = _nested(nside)
    lat, lon = _corners(nside, x[: nside**2], y[: nside**2], steps)
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
    # a turn below 0, if only by rounding, is no turn of 8 less: in the caps all turn is over cap
    turn = _FACE_TURN[face] * cap + x - y
    lon = np.where(cap > 1e-12, 45.0 * turn / np.maximum(cap, 1e-12), 0.0)
    return np.degrees(np.arcsin(np.clip(z, -1, 1))), lon % 360.0


def _corners(
    nside: int, x: NDArray[np.int64], y: NDArray[np.int64], steps: int
) -> tuple[Array, Array]:
    """Corners (cell, vertex) of all cells, whose places within a face are x and y (cell,)."""
    # once round the cell, south corner first: edges (4, step + 1)
    along = np.arange(steps + 1) / steps
    one, zero = np.ones(steps + 1), np.zeros(steps + 1)
    dx, dy = np.stack([along, one, 1 - along, zero]), np.stack([zero, along, one, 1 - along])
    lat, lon = np.empty((2, 3, 4, len(x), 4 * steps))
    for row in range(3):
        for start in range(0, len(x), 32768):
            part = slice(start, start + 32768)
            at_x, at_y = x[part, None, None] + dx, y[part, None, None] + dy
            edges = _on_sphere(np.array([[[4 * row]]]), at_x / nside, at_y / nside)
            _turn_poles(*edges)
            bent_lat, bent_lon = bent(*edges, _under_healpix_edges(*edges))
            lat[row, :, part] = bent_lat[..., :-1].reshape(-1, 4 * steps)
            # the four faces of a row follow each other round the Earth
            turned = bent_lon[..., :-1].reshape(-1, 4 * steps) + 90.0 * np.arange(4)[:, None, None]
            lon[row, :, part] = turned % 360.0
    return lat.reshape(-1, 4 * steps), lon.reshape(-1, 4 * steps)


def _turn_poles(lat_deg: Array, lon_deg: Array) -> None:
    """Give a pole at the end of an edge (..., step + 1) the longitude that the edge comes along."""
    for end, next_to in ((0, 1), (-1, -2)):
        at_pole = np.abs(lat_deg[..., end]) > 90.0 - 1e-7
        lon_deg[..., end] = np.where(at_pole, lon_deg[..., next_to], lon_deg[..., end])


def _under_healpix_edges(lat_deg: Array, lon_deg: Array) -> Array:
    """Area in sr (...) between edges (..., step + 1) of HEALPix cells and the equator.

    It is the integral of z over the longitude. In the equatorial belt z is linear in longitude
    along an edge, with the mean (z0 + z1) / 2. In the caps |z| = 1 - s^2 / 3 with 1 / s linear in
    longitude, and the mean of |z| is 1 - s0 s1 / 3.
    """
    turn = np.radians((np.diff(lon_deg, axis=-1) + 180.0) % 360.0 - 180.0).sum(axis=-1)
    ends = np.sin(np.radians(lat_deg[..., [0, -1]]))
    beyond = 1.0 - np.abs(ends)
    in_cap = np.sign(ends.sum(axis=-1)) * (1.0 - np.sqrt(beyond.prod(axis=-1)))
    area: Array = turn * np.where(beyond.min(axis=-1) < 1 / 3 - 1e-9, in_cap, ends.mean(axis=-1))
    return area


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
    >>> grid.size, float(abs(grid.area_m2(1.0).sum() / (4 * np.pi) - 1).round(12))
    (88, 0.0)
    """
    centres, edges = gaussian_latitudes(len(columns))
    row = np.repeat(np.arange(len(columns)), columns)
    within = np.arange(len(row)) - np.repeat(np.cumsum(columns) - columns, columns)
    step = 360.0 / columns
    # parallels are followed in steps of half a degree or less
    parts = max(2, int(np.ceil(2 * step.max())))
    # the south and the north edge (row, 2, part + 1) of the cell at 0 E, west to east
    along = step[:, None, None] * (np.arange(parts + 1) / parts - 0.5) + np.zeros((2, 1))
    bounds = np.stack([edges[:-1], edges[1:]], axis=1)[::-1]
    lat, lon = bent(
        np.repeat(bounds[..., None], parts + 1, axis=2),
        along,
        np.sin(np.radians(bounds)) * np.radians(step)[:, None],
    )
    lat, lon = (np.concatenate([a[:, 0], a[:, 1, ::-1]], axis=1) for a in (lat, lon))
    return Grid.polygons(
        lat[row],
        lon[row] + (within * step[row])[:, None],
        lat_deg=centres[::-1][row],
        lon_deg=within * step[row],
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
