"""Regional totals from fields in memory: one pass over the values, all zones at once.

The arithmetic is fixed by the grid and its zones alone, so a total is the same to the bit however
steps are batched over blocks, workers or restarts:

1. A run is cut into blocks of 64 cells from its start; a last, shorter block is filled with zeros.
2. Missing cells count as zero. Each of eight lanes multiplies its eight cells of a block by their
   weights and adds them as a tree (`hpcbudget.kernels.lanes`); a weight shared by the run is
   applied to that sum instead.
3. Where rows have the same short runs (`hpcbudget.kernels.stacks`), each cell is multiplied by its
   weight, eight rows are added as a tree, and such sums with compensation; what comes out for the
   columns then takes the place of cells.
4. Each lane of a zone adds up its blocks with compensation; the lanes are joined with compensation
   at the end of the step.

Outside the compensation a term is rounded eight times at most (product, three levels of each tree,
the result), each time by at most 2**-53 of itself: the error of a zone's sum is below 9e-16 of the
sum of magnitudes for any number of cells. The missing area is added without any rounding
(`hpcbudget.kernels.sums.snapping_grids`).

Every counted cell is read at every step: a cell that turns missing or valid, whenever, is seen.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcbudget.kernels.buffers import read_only
from hpcbudget.kernels.fold import Membership, fold, membership
from hpcbudget.kernels.jit import kernel
from hpcbudget.kernels.lanes import (
    BLOCK,
    load,
    load_where_missing,
    spread,
    store,
    sum_block,
    sum_numbers,
    sum_part,
)
from hpcbudget.kernels.runs import TILE, Runs, make_runs
from hpcbudget.kernels.stacks import Stacks, add_rows, make_desk
from hpcbudget.kernels.sums import snap, two_sum
from hpcbudget.kernels.vectors import LANES

__all__ = ["Membership", "Runs", "fold", "integrate", "make_runs", "membership", "warm"]

_LANE_BYTES = 2**24
"""Memory for the lanes of all zones and steps that pass over the tables together."""

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
    tables = tuple(read_only(table) for table in runs[:15])
    stacks = Stacks(*(read_only(table) for table in runs.stacks))
    together = max(1, _LANE_BYTES // (16 * LANES * max(runs.owner.size, 1)))
    with np.errstate(invalid="ignore", over="ignore"):  # infinite values are counted, not warned of
        for first in range(0, n_steps, together):
            steps = slice(first, first + together)
            _add_steps(
                fields[steps], tables, stacks, runs.row_length, sums[steps], missing_m2[steps]
            )
        broken = ~np.isfinite(sums)
        for step in np.flatnonzero(broken.any(axis=1)):
            n_infinite[step] = _add_plainly(fields[step], tables, stacks, broken[step], sums[step])
    return sums, missing_m2, n_infinite


def warm() -> None:
    """Compile every kernel of this module for float32 and float64, or load it from the cache."""
    runs = make_runs(np.zeros(1, np.int32), np.ones(1), np.ones(1), n_zones=1, row_length=1)
    integrate(np.full((1, 1), np.inf, dtype=np.float32), runs)
    integrate(np.full((1, 1), np.inf, dtype=np.float64), runs)
    fold(np.ones((1, 1)), membership(np.array([0, 1]), np.zeros(1, np.int32), np.ones(1), 1))


def _as_fields(values: NDArray[Any], n_cells: int) -> NDArray[Any]:
    """Return `values` as [step, cell], native, C-ordered, read-only; copy only if needed."""
    kind = values.dtype.newbyteorder("=")
    if kind not in (np.float32, np.float64):
        raise TypeError(f"values must be float32 or float64, not {values.dtype}")
    if values.ndim < 2 or np.prod(values.shape[1:], dtype=np.int64) != n_cells:
        raise ValueError(f"values of shape {values.shape} are not [step, {n_cells} cells]")
    return read_only(np.ascontiguousarray(values, dtype=kind).reshape(len(values), n_cells))


@kernel
def _add_steps(
    fields: Any, tables: Any, stacks: Any, row_length: Any, sums: Any, missing_m2: Any
) -> None:
    """Integrate fields[step, cell] with the arrays of `Runs` -> sums, missing_m2[step, zone]."""
    start, stop, group, uniform, weight, coarse, fine, cell_weight, cell_area, grids = tables[:10]
    owner, lone, lone_zone, lone_weight, lone_area_m2 = tables[10:15]
    n_steps, n_cells = fields.shape
    total = np.zeros((n_steps, owner.size * LANES))
    error = np.zeros((n_steps, owner.size * LANES))
    areas_m2 = np.zeros((n_steps, 2, owner.size))
    n_stacks = stacks.eight.size - 1
    desk = make_desk(row_length if n_stacks else 0)
    run = stack = cell = 0
    for edge in range(TILE, n_cells + TILE, TILE):
        # the tables of a tile stay in cache while all steps pass over it
        last_run, last_stack, last_cell = run, stack, cell
        while last_run < start.size and start[last_run] < edge:
            last_run += 1
        while last_stack < n_stacks and stacks.first[stacks.eight[last_stack], 0] < edge:
            last_stack += 1
        while last_cell < lone.size and lone[last_cell] < edge:
            last_cell += 1
        for step in range(n_steps):
            _add_tile(
                fields[step], run, last_run, start, stop, group, uniform, weight, coarse, fine,
                cell_weight, cell_area, grids, total[step], error[step], areas_m2[step],
            )  # fmt: skip
            for s in range(stack, last_stack):
                _add_stack(fields[step], s, stacks, desk, total[step], error[step], areas_m2[step])
            for c in range(cell, last_cell):
                value = fields[step, lone[c]]
                if np.isnan(value):
                    missing_m2[step, lone_zone[c]] = lone_area_m2[c]
                else:
                    sums[step, lone_zone[c]] = value * lone_weight[c]
        run, stack, cell = last_run, last_stack, last_cell
    for step in range(n_steps):
        _join(total[step], error[step], areas_m2[step], owner, sums[step], missing_m2[step])


@kernel
def _join(total: Any, error: Any, areas_m2: Any, owner: Any, sums: Any, missing_m2: Any) -> None:
    """Write what groups have gathered, total, error[group * 8], areas_m2[2, group], to zones."""
    for g in range(owner.size):
        high = low = 0.0
        for lane in range(g * LANES, (g + 1) * LANES):
            high, lost = two_sum(high, total[lane])
            low += lost + error[lane]
        sums[owner[g]] = high + low
        missing_m2[owner[g]] = areas_m2[0, g] + areas_m2[1, g]


@kernel
def _add_tile(
    field: Any, first: Any, last: Any, start: Any, stop: Any, group: Any, uniform: Any,
    weight: Any, coarse: Any, fine: Any, cell_weight: Any, cell_area: Any, grids: Any,
    total: Any, error: Any, areas_m2: Any,
) -> None:  # fmt: skip
    """Add runs first .. last - 1 of field[cell] to total, error[group * 8], areas_m2[2, group]."""
    # unsigned: numba then leaves out its tests for negative indices, a fifth of a short run's time
    for r in range(np.uint64(first), np.uint64(last)):
        g = group[r]
        high = load(total, LANES * g)
        low = load(error, LANES * g)
        scale = spread(weight[r] if uniform[r] else 1.0)
        n_missing = 0
        i, end = start[r], stop[r]
        while i + BLOCK <= end:
            if uniform[r]:
                term, gone = sum_block(field, None, i)
            else:
                term, gone = sum_block(field, cell_weight, i)
                if gone:
                    gap_m2 = _missing_area(field, cell_area, i, i + BLOCK, grids)
                    areas_m2[0, g] += gap_m2[0]
                    areas_m2[1, g] += gap_m2[1]
            n_missing += gone
            high, lost = two_sum(high, term * scale)
            low = low + lost
            i += BLOCK
        if i < end:
            if i + BLOCK > field.size:
                term, gone = _sum_last(field, cell_weight, uniform[r], i, end)
            elif uniform[r]:
                term, gone = sum_part(field, None, i, end)
            else:
                term, gone = sum_part(field, cell_weight, i, end)
            if gone and not uniform[r]:
                gap_m2 = _missing_area(field, cell_area, i, end, grids)
                areas_m2[0, g] += gap_m2[0]
                areas_m2[1, g] += gap_m2[1]
            n_missing += gone
            high, lost = two_sum(high, term * scale)
            low = low + lost
        store(total, LANES * g, high)
        store(error, LANES * g, low)
        if n_missing and uniform[r]:
            areas_m2[0, g] += n_missing * coarse[r]
            areas_m2[1, g] += n_missing * fine[r]


@kernel
def _add_stack(
    field: Any, s: Any, stacks: Any, desk: Any, total: Any, error: Any, areas_m2: Any
) -> None:
    """Add a stack of field[cell] as `_add_tile` does runs."""
    gaps = add_rows(field, s, stacks, desk)
    sums, losses = desk.sums
    for r in range(np.uint64(stacks.begin[s]), np.uint64(stacks.begin[s + 1])):
        g, start, stop = stacks.group[r], stacks.start[r], stacks.stop[r]
        high = load(total, LANES * g)
        low = load(error, LANES * g)
        for i in range(start, stop, BLOCK):
            end = min(i + BLOCK, stop)
            high, lost = two_sum(high, sum_numbers(sums, i, end))
            low = low + (lost + sum_numbers(losses, i, end))
        store(total, LANES * g, high)
        store(error, LANES * g, low)
        if gaps:
            areas_m2[0, g] += desk.areas_m2[0, start:stop].sum()
            areas_m2[1, g] += desk.areas_m2[1, start:stop].sum()


@kernel
def _sum_last(field: Any, cell_weight: Any, uniform: Any, first: Any, stop: Any) -> Any:
    """Do as `sum_part` near the end of the field, beyond which nothing may be read."""
    cells = np.zeros(BLOCK)
    n_missing = 0
    for i in range(first, stop):
        if np.isnan(field[i]):
            n_missing += 1
        else:
            cells[i - first] = field[i] if uniform else field[i] * cell_weight[i]
    width = BLOCK
    while width > LANES:
        width //= 2
        for i in range(width):
            even = i + i - i % LANES
            cells[i] = cells[even] + cells[even + LANES]
    return load(cells, 0), n_missing


@kernel
def _missing_area(field: Any, cell_area: Any, first: Any, stop: Any, grids: Any) -> Any:
    """Sum the area of the cells of a run that are NaN: coarse and fine part, both exact."""
    lanes = np.zeros(2 * LANES)
    coarse, fine = load(lanes, 0), load(lanes, LANES)
    coarse_grid, fine_grid = spread(grids[0]), spread(grids[1])
    whole = stop - (stop - first) % LANES
    for i in range(first, whole, LANES):
        area = load_where_missing(cell_area, field, i)
        part = snap(area, coarse_grid)
        coarse = coarse + part
        fine = fine + snap(area - part, fine_grid)
    store(lanes, 0, coarse)
    store(lanes, LANES, fine)
    coarse_m2, fine_m2 = lanes[:LANES].sum(), lanes[LANES:].sum()
    for i in range(whole, stop):
        if np.isnan(field[i]):
            part_m2 = snap(cell_area[i], grids[0])
            coarse_m2 += part_m2
            fine_m2 += snap(cell_area[i] - part_m2, grids[1])
    return coarse_m2, fine_m2


@kernel
def _add_plainly(field: Any, tables: Any, stacks: Any, broken: Any, sums: Any) -> int:
    """Sum the zones that are not finite again as IEEE addition would; return the infinite cells."""
    start, stop, group, uniform, weight, _, _, cell_weight = tables[:8]
    owner, lone = tables[10:12]
    n_infinite = 0
    for z in owner:
        if broken[z]:
            sums[z] = 0.0
    for c in range(lone.size):
        n_infinite += np.isinf(field[lone[c]])
    for r in range(start.size):
        z = owner[group[r]]
        if broken[z]:
            for i in range(start[r], stop[r]):
                scale = weight[r] if uniform[r] else cell_weight[i]
                n_infinite += _add_plain(field, i, i + 1, scale, z, sums)
    for s in range(stacks.eight.size - 1):
        for r in range(stacks.begin[s], stacks.begin[s + 1]):
            z = owner[stacks.group[r]]
            if broken[z]:
                for e in range(stacks.eight[s], stacks.eight[s + 1]):
                    for row in range(stacks.height[e]):
                        first, scale = stacks.first[e, row], stacks.weight[e, row]
                        i, end = first + stacks.start[r], first + stacks.stop[r]
                        n_infinite += _add_plain(field, i, end, scale, z, sums)
    return n_infinite


@kernel
def _add_plain(field: Any, first: Any, stop: Any, scale: Any, z: Any, sums: Any) -> int:
    n_infinite = 0
    for i in range(first, stop):
        value = np.float64(field[i])
        n_infinite += np.isinf(value)
        if not np.isnan(value):
            sums[z] += value * scale
    return n_infinite
