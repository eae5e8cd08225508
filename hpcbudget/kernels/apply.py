"""Apply regridding weights to many steps at once; missing values never count as zero.

Values are read as stored (float32 or float64) and added in float64. Each destination cell is first
summed as if nothing were missing; only where that comes out as NaN are values tested one by one.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
_Values: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
_Index: TypeAlias = NDArray[Any]


@njit(nogil=True, cache=True, error_model="numpy")
def apply_csr(
    values: _Values, indptr: _Index, indices: _Index, weights: Array, totals: Array
) -> tuple[Array, Array]:
    """Sum weights * values per destination cell, and the weights of the values that are there.

    Parameters: values [step, source]; CSR [destination, source]; totals [destination], the sum of
    each row of weights. Returns sums and weights of valid values, both float64[step, destination].
    """
    steps = values.shape[0]
    cells = indptr.shape[0] - 1
    sums = np.empty((steps, cells))
    valid = np.empty((steps, cells))
    # four steps share each look-up of an index and its weight
    for first in range(0, steps - steps % 4, 4):
        v0, v1, v2, v3 = values[first], values[first + 1], values[first + 2], values[first + 3]
        for cell in range(cells):
            a = b = c = d = 0.0
            for e in range(indptr[cell], indptr[cell + 1]):
                w = weights[e]
                at = indices[e]
                a += w * v0[at]
                b += w * v1[at]
                c += w * v2[at]
                d += w * v3[at]
            sums[first, cell], sums[first + 1, cell] = a, b
            sums[first + 2, cell], sums[first + 3, cell] = c, d
    for step in range(steps - steps % 4, steps):
        row = values[step]
        for cell in range(cells):
            a = 0.0
            for e in range(indptr[cell], indptr[cell + 1]):
                a += weights[e] * row[indices[e]]
            sums[step, cell] = a
    for step in range(steps):
        row = values[step]
        for cell in range(cells):
            valid[step, cell] = totals[cell]
            if np.isnan(sums[step, cell]):
                total, there = 0.0, 0.0
                for e in range(indptr[cell], indptr[cell + 1]):
                    value = row[indices[e]]
                    if not np.isnan(value):
                        total += weights[e] * value
                        there += weights[e]
                sums[step, cell], valid[step, cell] = total, there
    return sums, valid


@njit(nogil=True, cache=True, error_model="numpy")
def apply_separable(
    values: _Values,
    row_ptr: _Index,
    row_index: _Index,
    row_weight: Array,
    column_ptr: _Index,
    column_index: _Index,
    column_weight: Array,
) -> tuple[Array, Array]:
    """Do as `apply_csr` for weights that are products of a row and a column weight.

    Parameters: values [step, source row, source column]; CSR [row, source row]; CSR [column,
    source column]. Returns float64[step, row, column], twice. Rows are joined first, which runs
    along the memory.
    """
    steps, _, source_columns = values.shape
    rows, columns = row_ptr.shape[0] - 1, column_ptr.shape[0] - 1
    sums = np.empty((steps, rows, columns))
    valid = np.empty((steps, rows, columns))
    joined = np.empty(source_columns)
    there = np.empty(source_columns)
    for step in range(steps):
        for row in range(rows):
            joined[:] = 0.0
            there[:] = 0.0
            for e in range(row_ptr[row], row_ptr[row + 1]):
                weight = row_weight[e]
                line = values[step, row_index[e]]
                for at in range(source_columns):
                    value = np.float64(line[at])
                    good = value == value
                    joined[at] += weight * value if good else 0.0
                    there[at] += weight if good else 0.0
            for column in range(columns):
                total, weight = 0.0, 0.0
                for e in range(column_ptr[column], column_ptr[column + 1]):
                    at = column_index[e]
                    total += column_weight[e] * joined[at]
                    weight += column_weight[e] * there[at]
                sums[step, row, column] = total
                valid[step, row, column] = weight
    return sums, valid


@njit(nogil=True, cache=True, error_model="numpy")
def outer_csr(
    ptr: _Index,
    index: _Index,
    data: Array,
    inner_ptr: _Index,
    inner_index: _Index,
    inner_data: Array,
    stride: int,
    inner_stride: int,
) -> tuple[_Index, _Index, Array]:
    """Multiply out two CSR tables; rows run over (row, inner row), the latter fastest.

    An entry's column is index * stride + inner_index * inner_stride.
    Returns indptr int64, indices int32, data float64.
    """
    rows, inner_rows = ptr.shape[0] - 1, inner_ptr.shape[0] - 1
    entries = index.shape[0] * inner_index.shape[0]
    out_ptr = np.zeros(rows * inner_rows + 1, np.int64)
    out_index = np.empty(entries, np.int32)
    out_data = np.empty(entries)
    at = 0
    for row in range(rows):
        for inner in range(inner_rows):
            for e in range(ptr[row], ptr[row + 1]):
                base = index[e] * stride
                weight = data[e]
                for k in range(inner_ptr[inner], inner_ptr[inner + 1]):
                    out_index[at] = base + inner_index[k] * inner_stride
                    out_data[at] = weight * inner_data[k]
                    at += 1
            out_ptr[row * inner_rows + inner + 1] = at
    return out_ptr, out_index, out_data
