"""Time means on the stored grid, and their way onto another one.

Sums over time run step by step in the order of time, so how the steps are read in batches changes
no bit. A value that is missing adds nothing to its cell's sum and nothing to its seconds.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcbudget.kernels.jit import kernel

Array = NDArray[np.float64]
_Values: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
_Index: TypeAlias = NDArray[Any]

# cells whose sums stay in the cache while the steps of a batch pass by
_BLOCK = 4096


@kernel
def accumulate(
    values: _Values, factor: Array, seconds: Array, sums: Array, seen_seconds: Array
) -> None:
    """Add factor * value to `sums` and seconds to `seen_seconds` wherever there is a value.

    Parameters: values [step, cell]; factor, seconds [step]; sums, seen_seconds [cell], in place.
    """
    steps, cells = values.shape
    for start in range(0, cells, _BLOCK):
        stop = min(start + _BLOCK, cells)
        for step in range(steps):
            by, length = factor[step], seconds[step]
            row = values[step]
            for cell in range(start, stop):
                x = np.float64(row[cell])
                there = x == x
                sums[cell] += by * x if there else 0.0
                seen_seconds[cell] += length if there else 0.0


@kernel
def settle(
    sums: Array, seen_seconds: Array, weight: Array, seconds: float, amounts: Array, known: _Index
) -> tuple[float, float, bool, bool]:
    """Turn sums into amounts, sums * weight, and begin anew: `sums`, `seen_seconds` become 0.

    Parameters: all [cell]; `known` bool, in: where values were before, out: where they were now.
    Returns the total of the amounts, the total of their magnitudes, whether some cell had a value
    for a part of `seconds` only, and whether `known` is what it was. A weight of 0 counts nothing.
    """
    total, magnitude = 0.0, 0.0
    partly, same = False, True
    for start in range(0, sums.shape[0], _BLOCK):
        # totals of blocks are of like size: little is lost in adding them
        block, size = 0.0, 0.0
        for cell in range(start, min(start + _BLOCK, sums.shape[0])):
            amount = sums[cell] * weight[cell] if weight[cell] != 0.0 else 0.0
            amounts[cell] = amount
            block += amount
            size += abs(amount)
            now = seen_seconds[cell] == seconds
            partly |= (not now) and seen_seconds[cell] != 0.0
            same &= now == known[cell]
            known[cell] = now
            sums[cell] = 0.0
        total += block
        magnitude += size
    if not partly:
        seen_seconds[:] = 0.0
    return total, magnitude, partly, same


@kernel
def spread_csr(amounts: Array, indptr: _Index, indices: _Index, shares: Array) -> Array:
    """Hand the amounts [source] over to [destination] by a CSR table of shares."""
    cells = indptr.shape[0] - 1
    out = np.empty(cells)
    for cell in range(cells):
        total = 0.0
        for e in range(indptr[cell], indptr[cell + 1]):
            total += shares[e] * amounts[indices[e]]
        out[cell] = total
    return out


@kernel
def spread_separable(
    amounts: Array,
    row_ptr: _Index,
    row_index: _Index,
    row_share: Array,
    column_ptr: _Index,
    column_index: _Index,
    column_share: Array,
) -> Array:
    """Do as `spread_csr` for shares that are products; amounts [row, column] -> [row, column]."""
    rows, columns = row_ptr.shape[0] - 1, column_ptr.shape[0] - 1
    out = np.empty((rows, columns))
    joined = np.empty(amounts.shape[1])
    for row in range(rows):
        joined[:] = 0.0
        for e in range(row_ptr[row], row_ptr[row + 1]):
            share, line = row_share[e], amounts[row_index[e]]
            for at in range(joined.shape[0]):
                joined[at] += share * line[at]
        for column in range(columns):
            total = 0.0
            for e in range(column_ptr[column], column_ptr[column + 1]):
                total += column_share[e] * joined[column_index[e]]
            out[row, column] = total
    return out


def warm() -> None:
    """Compile everything for the types that maps use."""
    one, pointer, index = np.zeros(1), np.array([0, 1]), np.zeros(1, np.int32)
    accumulate(np.zeros((1, 1), np.float32), one, one, one.copy(), one.copy())
    accumulate(np.zeros((1, 1)), one, one, one.copy(), one.copy())
    settle(one.copy(), one.copy(), one, 1.0, one.copy(), np.zeros(1, np.bool_))
    spread_csr(one, pointer, index, one)
    spread_separable(np.zeros((1, 1)), pointer, index, one, pointer, index, one)
