"""Regional totals from fields in memory: one pass over the values, all zones at once.

The arithmetic is fixed by the grid and its zones alone, so a total is the same to the bit however
steps are batched over blocks, workers or restarts:

1. A run is cut into blocks of 32 cells from its start; a last, shorter block is filled with zeros.
2. Missing cells count as zero. In each of eight lanes the four cells of a block are multiplied by
   their weight and added as ``(a + b) + (c + d)``; a weight shared by the run is applied to that
   sum instead.
3. Each lane of a zone adds up its blocks with compensation; the lanes are joined with compensation
   at the end of the step.

No more than four roundings happen outside the compensation, each at most 2**-53 of the magnitudes
it sees, so the error of a zone's sum is below 5e-16 of the sum of magnitudes for any number of
cells.
The missing area is added without any rounding (`hpcbudget.kernels.sums.snapping_grids`).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hpcbudget.kernels.runs import BLOCK, Runs, make_runs
from hpcbudget.kernels.sums import snap, two_sum

__all__ = ["Runs", "fold", "integrate", "make_runs", "warm"]

LANES = 8

_Values: TypeAlias = NDArray[np.float32] | NDArray[np.float64]


def integrate(
    values: _Values, runs: Runs
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Integrate every step over every zone.

    Parameters
    ----------
    values : float32 or float64[step, cell]
        NaN = missing. Further dimensions after the first are taken as cells in C order.
    runs : Runs
        The zones, from `make_runs`.

    Returns
    -------
    sums : float64[step, zone]
        Sum of weight * value over the cells that are not NaN (0 where none is; then
        ``missing_m2 == runs.zone_area_m2``). Units of weight times values. Infinite values make it
        infinite or NaN, as plain addition would.
    missing_m2 : float64[step, zone]
        Area of the cells that are NaN.
    n_infinite : int64[step]
        Number of counted cells that are infinite.

    Raises
    ------
    TypeError
        If `values` are neither float32 nor float64.
    ValueError
        If a step does not have one value per cell.

    Examples
    --------
    >>> one = np.ones(4)
    >>> runs = make_runs(np.array([0, 0, 1, 1], np.int32), one, one, n_zones=2, row_length=4)
    >>> sums, missing_m2, n_infinite = integrate(np.array([[1.0, 2.0, 3.0, np.nan]]), runs)
    >>> sums.tolist(), missing_m2.tolist(), n_infinite.tolist()
    ([[3.0, 3.0]], [[0.0, 1.0]], [0])
    """
    fields = _as_fields(np.asarray(values), runs.n_cells)
    n_steps = len(fields)
    sums = np.zeros((n_steps, runs.n_zones))
    missing_m2 = np.zeros((n_steps, runs.n_zones))
    n_infinite = np.zeros(n_steps, dtype=np.int64)
    tables = tuple(_read_only(table) for table in runs[:10])
    with np.errstate(invalid="ignore", over="ignore"):  # infinite values are counted, not warned of
        for step in range(n_steps):
            _add_step(fields[step], tables, sums[step], missing_m2[step])
            broken = ~np.isfinite(sums[step])
            if broken.any():
                n_infinite[step] = _add_plainly(fields[step], tables, broken, sums[step])
    return sums, missing_m2, n_infinite


def fold(
    zone_values: NDArray[np.float64],
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[np.float64],
    n_regions: int,
) -> NDArray[np.float64]:
    """Add zones up to regions: ``zone_values @ membership``, compensated and in fixed order.

    Parameters
    ----------
    zone_values : float64[step, zone]
    indptr, indices, data : int64[zone + 1], int32[entry], float64[entry]
        Membership of zones in regions as CSR rows: the fraction of zone z that belongs to region
        ``indices[e]`` is ``data[e]`` for e in ``indptr[z] .. indptr[z + 1] - 1``.
    n_regions : int

    Returns
    -------
    float64[step, region]
        NaN or infinite wherever a zone of the region is.

    Examples
    --------
    >>> indptr, indices = np.array([0, 1, 3]), np.array([0, 0, 1])
    >>> fold(np.array([[1.0, 4.0]]), indptr, indices, np.array([1.0, 0.25, 0.75]), 2)
    array([[2., 3.]])
    """
    zone_values = np.atleast_2d(np.asarray(zone_values, dtype=np.float64))
    if zone_values.shape[1] != len(indptr) - 1:
        msg = f"{zone_values.shape[1]} zones in the values, {len(indptr) - 1} in the membership"
        raise ValueError(msg)
    out = np.zeros((len(zone_values), n_regions))
    with np.errstate(invalid="ignore", over="ignore"):
        _fold(
            _read_only(np.ascontiguousarray(zone_values)),
            _read_only(np.ascontiguousarray(indptr, dtype=np.int64)),
            _read_only(np.ascontiguousarray(indices, dtype=np.int32)),
            _read_only(np.ascontiguousarray(data, dtype=np.float64)),
            out,
        )
    return out


def warm() -> None:
    """Compile every kernel of this module for float32 and float64, or load it from the cache."""
    runs = make_runs(np.zeros(1, np.int32), np.ones(1), np.ones(1), n_zones=1, row_length=1)
    integrate(np.full((1, 1), np.inf, dtype=np.float32), runs)
    integrate(np.full((1, 1), np.inf, dtype=np.float64), runs)
    fold(np.ones((1, 1)), np.array([0, 1]), np.zeros(1, np.int32), np.ones(1), 1)


def _as_fields(values: NDArray[Any], n_cells: int) -> NDArray[Any]:
    """Return `values` as [step, cell], native, C-ordered, read-only; copy only if needed."""
    kind = values.dtype.newbyteorder("=")
    if kind not in (np.float32, np.float64):
        raise TypeError(f"values must be float32 or float64, not {values.dtype}")
    if values.ndim < 2 or np.prod(values.shape[1:], dtype=np.int64) != n_cells:
        raise ValueError(f"values of shape {values.shape} are not [step, {n_cells} cells]")
    return _read_only(np.ascontiguousarray(values, dtype=kind).reshape(len(values), n_cells))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view, so that one compiled version serves buffers of every origin."""
    view = array.view()
    view.flags.writeable = False
    return view


@njit(nogil=True, cache=True, error_model="numpy")
def _add_step(field: Any, tables: Any, sums: Any, missing_m2: Any) -> None:
    """Integrate one step: field[cell], tables = `Runs` arrays -> sums[zone], missing_m2[zone]."""
    start, stop, zone, uniform, weight, coarse, fine, cell_weight, cell_area_m2, grids = tables
    total = np.zeros((sums.size, LANES))
    error = np.zeros((sums.size, LANES))
    fine_m2 = np.zeros(sums.size)
    for r in range(start.size):
        z = zone[r]
        n_missing = 0
        for first in range(start[r], stop[r], BLOCK):
            for lane in range(LANES):
                a = b = c = d = 0.0
                i = first + lane
                if i < stop[r]:
                    a, gone = _read(field, cell_weight, uniform[r], i)
                    n_missing += gone
                if i + LANES < stop[r]:
                    b, gone = _read(field, cell_weight, uniform[r], i + LANES)
                    n_missing += gone
                if i + 2 * LANES < stop[r]:
                    c, gone = _read(field, cell_weight, uniform[r], i + 2 * LANES)
                    n_missing += gone
                if i + 3 * LANES < stop[r]:
                    d, gone = _read(field, cell_weight, uniform[r], i + 3 * LANES)
                    n_missing += gone
                term = (a + b) + (c + d)
                if uniform[r]:
                    term *= weight[r]
                total[z, lane], lost = two_sum(total[z, lane], term)
                error[z, lane] += lost
        if n_missing:
            if uniform[r]:
                missing_m2[z] += n_missing * coarse[r]
                fine_m2[z] += n_missing * fine[r]
            else:
                for i in range(start[r], stop[r]):
                    if np.isnan(field[i]):
                        area = snap(cell_area_m2[i], grids[0])
                        missing_m2[z] += area
                        fine_m2[z] += snap(cell_area_m2[i] - area, grids[1])
    for z in range(sums.size):
        high = low = 0.0
        for lane in range(LANES):
            high, lost = two_sum(high, total[z, lane])
            low += lost + error[z, lane]
        sums[z] = high + low
        missing_m2[z] += fine_m2[z]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _read(field: Any, cell_weight: Any, uniform: Any, i: Any) -> Any:
    """Return the value of a cell (weighted unless the run is uniform) and whether it is missing."""
    value = np.float64(field[i])
    if np.isnan(value):
        return 0.0, 1
    return (value if uniform else value * cell_weight[i]), 0


@njit(nogil=True, cache=True, error_model="numpy")
def _add_plainly(field: Any, tables: Any, broken: Any, sums: Any) -> int:
    """Sum the zones that are not finite again as IEEE addition would; return the infinite cells."""
    start, stop, zone, uniform, weight, _, _, cell_weight, _, _ = tables
    n_infinite = 0
    for z in range(sums.size):
        if broken[z]:
            sums[z] = 0.0
    for r in range(start.size):
        z = zone[r]
        if broken[z]:
            for i in range(start[r], stop[r]):
                value = np.float64(field[i])
                n_infinite += np.isinf(value)
                if not np.isnan(value):
                    sums[z] += value * (weight[r] if uniform[r] else cell_weight[i])
    return n_infinite


@njit(nogil=True, cache=True, error_model="numpy")
def _fold(zone_values: Any, indptr: Any, indices: Any, data: Any, out: Any) -> None:
    """Fold zone_values[step, zone] to out[step, region], which holds zeros."""
    error = np.zeros(out.shape[1])
    plain = np.zeros(out.shape[1])
    for step in range(out.shape[0]):
        error[:] = 0.0
        plain[:] = 0.0
        for z in range(zone_values.shape[1]):
            for e in range(indptr[z], indptr[z + 1]):
                region = indices[e]
                term = data[e] * zone_values[step, z]
                plain[region] += term
                out[step, region], lost = two_sum(out[step, region], term)
                error[region] += lost
        for region in range(out.shape[1]):
            finite = np.isfinite(plain[region])
            total = out[step, region] + error[region]
            out[step, region] = total if finite else plain[region]
