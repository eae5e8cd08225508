"""Runs: the zones of a grid as stretches of neighbouring cells, made once and used at every step.

A zone seldom changes from one cell to the next, and on a latitude-longitude grid neither does the
area of a cell along its row. So the kernel is given stretches of one zone instead of a label per
cell, and one weight for the whole stretch where that is the truth. Along the edges of regions it is
otherwise: there a cell's fractions are its own, and so is its zone. Such cells are listed apart,
since there is nothing to add up.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcbudget.kernels.stacks import Stacks, make_stacks
from hpcbudget.kernels.sums import snap, snapping_grids

_Cells: TypeAlias = NDArray[np.int64]

TILE = 16384
"""Cells whose tables are kept in cache while all steps pass; no run is longer. Whole blocks."""


class Runs(NamedTuple):
    """Stretches of cells of one zone, in the order in which they lie in memory.

    ``start``, ``stop`` (int64[run]) bound the cells, ``owner[group[r]]`` (int32[group] of
    int32[run]) is their zone: groups number the zones that have runs. Where all cells of a run
    have the same weight and area (``uniform``, bool[run]) these stand in ``weight``,
    ``area_coarse`` and ``area_fine`` (float64[run], see `sums.snapping_grids`); else they are
    looked up in ``cell_weight`` and ``cell_area_m2`` (float64[cell]; empty if no run needs them).
    ``grids`` holds the two snapping grids of the areas.

    Rows whose runs are alike stand in ``stacks`` instead.

    ``lone`` (int64[lone]) are the cells that are a zone of their own; ``lone_zone``,
    ``lone_weight`` and ``lone_area_m2`` are what belongs to them. ``zone_area_m2`` (float64[zone])
    is the area of each zone, to the bit what a step without any valid cell reports as missing.
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    group: NDArray[np.int32]
    uniform: NDArray[np.bool_]
    weight: NDArray[np.float64]
    area_coarse: NDArray[np.float64]
    area_fine: NDArray[np.float64]
    cell_weight: NDArray[np.float64]
    cell_area_m2: NDArray[np.float64]
    grids: NDArray[np.float64]
    owner: NDArray[np.int32]
    lone: NDArray[np.int64]
    lone_zone: NDArray[np.int32]
    lone_weight: NDArray[np.float64]
    lone_area_m2: NDArray[np.float64]
    zone_area_m2: NDArray[np.float64]
    stacks: Stacks
    n_cells: int
    row_length: int
    n_zones: int


def make_runs(
    labels: NDArray[np.int32],
    weight: NDArray[np.float64],
    area_m2: NDArray[np.float64],
    n_zones: int,
    row_length: int,
) -> Runs:
    """Find the runs of a labelled grid.

    Parameters
    ----------
    labels : int32[cell]
        Zone of each cell in C order, -1 where a cell is never counted.
    weight : float64[cell]
        What a value of the cell is multiplied by.
    area_m2 : float64[cell]
        What the cell adds to the missing area while its value is NaN. Cells with neither weight nor
        area are left out as if their label were -1: whatever they hold, nothing would change.
    n_zones : int
    row_length : int
        Length of the fastest dimension; no run crosses the end of a row.

    Returns
    -------
    Runs

    Raises
    ------
    ValueError
        If sizes differ, a label is outside -1 .. n_zones - 1, or a counted cell has a weight or
        area that is not finite, or a negative area.

    Examples
    --------
    >>> one = np.ones(6)
    >>> runs = make_runs(np.array([0, 0, 1, 1, 2, -1], np.int32), one, one, n_zones=3, row_length=3)
    >>> list(zip(runs.start.tolist(), runs.stop.tolist(), runs.owner[runs.group].tolist()))
    [(0, 2, 0), (2, 3, 1), (3, 4, 1)]
    >>> runs.lone.tolist(), runs.lone_zone.tolist()
    ([4], [2])
    """
    labels = np.array(labels, dtype=np.int32).ravel()
    weight = np.ascontiguousarray(weight, dtype=np.float64).ravel()
    area_m2 = np.ascontiguousarray(area_m2, dtype=np.float64).ravel()
    _refuse_bad(labels, weight, area_m2, n_zones, row_length)
    labels[(weight == 0.0) & (area_m2 == 0.0)] = -1

    grids = np.array(snapping_grids(area_m2[labels >= 0]))
    coarse = snap(area_m2, grids[0])
    fine = snap(area_m2 - coarse, grids[1])

    alone = _alone(labels, n_zones)
    starts, stops = _stretches(np.where(alone, -1, labels), row_length)
    uniform = _constant(weight, starts, stops) & _constant(area_m2, starts, stops)
    starts, stops, origin = _cut(starts, stops, TILE)
    uniform = uniform[origin]
    owner, number = np.unique(labels[starts], return_inverse=True)
    group = number.astype(np.int32)
    lone = np.flatnonzero(alone)
    mixed = not uniform.all()
    stacks, taken = make_stacks(
        starts, stops, group, uniform, weight[starts], coarse[starts], fine[starts],
        row_length, labels.size,
    )  # fmt: skip
    left = starts[~taken]
    return Runs(
        start=left,
        stop=stops[~taken],
        group=group[~taken],
        uniform=uniform[~taken],
        weight=weight[left],
        area_coarse=coarse[left],
        area_fine=fine[left],
        cell_weight=weight if mixed else np.empty(0),
        cell_area_m2=area_m2 if mixed else np.empty(0),
        grids=grids,
        owner=owner,
        lone=lone,
        lone_zone=labels[lone],
        lone_weight=weight[lone],
        lone_area_m2=coarse[lone] + fine[lone],
        zone_area_m2=_by_zone(labels, coarse, n_zones) + _by_zone(labels, fine, n_zones),
        stacks=stacks,
        n_cells=labels.size,
        row_length=row_length,
        n_zones=n_zones,
    )


def _refuse_bad(
    labels: NDArray[np.int32],
    weight: NDArray[np.float64],
    area_m2: NDArray[np.float64],
    n_zones: int,
    row_length: int,
) -> None:
    if not labels.size == weight.size == area_m2.size:
        msg = f"{labels.size} labels, {weight.size} weights and {area_m2.size} areas: one per cell"
        raise ValueError(msg)
    if row_length < 1 or labels.size % row_length:
        raise ValueError(f"{labels.size} cells are not whole rows of {row_length}")
    counted = labels >= 0
    if labels.size and not -1 <= labels.min() <= labels.max() < n_zones:
        msg = f"labels run from {labels.min()} to {labels.max()}, zones from -1 to {n_zones - 1}"
        raise ValueError(msg)
    if not np.isfinite(weight[counted]).all():
        raise ValueError("a counted cell has a weight that is not finite")
    if not (np.isfinite(area_m2[counted]) & (area_m2[counted] >= 0.0)).all():
        raise ValueError("a counted cell has an area that is negative or not finite")


def _alone(labels: NDArray[np.int32], n_zones: int) -> NDArray[np.bool_]:
    """Tell for every cell whether it is the only one of its zone."""
    cells = np.bincount(labels[labels >= 0], minlength=n_zones)
    return np.append(cells == 1, False)[labels]  # label -1 takes the last entry


def _stretches(labels: NDArray[np.int32], row_length: int) -> tuple[_Cells, _Cells]:
    """Return start and stop of every maximal stretch of one label >= 0 within a row."""
    change = np.ones(labels.size, dtype=np.bool_)
    change[1:] = labels[1:] != labels[:-1]
    change[::row_length] = True
    starts = np.flatnonzero(change)
    stops = np.append(starts[1:], labels.size)[: starts.size]
    kept = labels[starts] >= 0 if labels.size else np.zeros(0, dtype=np.bool_)
    return starts[kept].astype(np.int64), stops[kept].astype(np.int64)


def _cut(starts: _Cells, stops: _Cells, size: int) -> tuple[_Cells, _Cells, _Cells]:
    """Cut stretches into pieces of `size` from their start; return also whence each piece is."""
    pieces = -(-(stops - starts) // size)
    origin = np.repeat(np.arange(starts.size), pieces)
    number = np.arange(origin.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    first = starts[origin] + number * size
    return first, np.minimum(first + size, stops[origin]), origin


def _constant(values: NDArray[np.float64], starts: _Cells, stops: _Cells) -> NDArray[np.bool_]:
    """Tell for every stretch whether all its values are equal."""
    changes = np.zeros(values.size, dtype=np.int64)
    np.cumsum(values[1:] != values[:-1], out=changes[1:])
    return np.asarray(changes[stops - 1] == changes[starts])


def _by_zone(
    labels: NDArray[np.int32], parts: NDArray[np.float64], n_zones: int
) -> NDArray[np.float64]:
    counted = labels >= 0
    return np.bincount(labels[counted], weights=parts[counted], minlength=n_zones).astype(float)
