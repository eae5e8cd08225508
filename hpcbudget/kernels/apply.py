"""Apply regridding weights to many steps at once; missing values never count as zero.

Values are read as stored (float32 or float64) and added in float64. Each destination cell is first
summed as if nothing were missing; only where that comes out as NaN are values tested one by one.
Results are written where the caller says: numpy's large arrays come in large pages of memory,
numba's in small ones, which take longer to get than to fill.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcbudget.kernels.jit import kernel

Array = NDArray[np.float64]
_Values: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
_Index: TypeAlias = NDArray[Any]


@kernel
def apply_csr(
    values: _Values, indptr: _Index, indices: _Index, weights: Array, divisor: Array, out: Array
) -> int:
    """Sum weights * values per destination cell, and divide, as if nothing were missing.

    Parameters: values [step, source]; CSR [destination, source]; divisor [destination]. Fills out
    [step, destination], NaN for a cell without weights. Returns how many came out as NaN for
    another reason; `mend_csr` looks at these again.
    """
    steps = values.shape[0]
    cells = indptr.shape[0] - 1
    odd = 0
    # four steps share each look-up of an index and its weight
    for first in range(0, steps - steps % 4, 4):
        v0, v1, v2, v3 = values[first], values[first + 1], values[first + 2], values[first + 3]
        o0, o1, o2, o3 = out[first], out[first + 1], out[first + 2], out[first + 3]
        for cell in range(cells):
            begin, end = indptr[cell], indptr[cell + 1]
            if begin == end:
                o0[cell] = o1[cell] = o2[cell] = o3[cell] = np.nan
                continue
            a = b = c = d = 0.0
            for e in range(begin, end):
                w = weights[e]
                at = indices[e]
                a += w * v0[at]
                b += w * v1[at]
                c += w * v2[at]
                d += w * v3[at]
            odd += np.isnan(a) + np.isnan(b) + np.isnan(c) + np.isnan(d)
            by = divisor[cell]
            o0[cell], o1[cell], o2[cell], o3[cell] = a / by, b / by, c / by, d / by
    for step in range(steps - steps % 4, steps):
        row = values[step]
        for cell in range(cells):
            begin, end = indptr[cell], indptr[cell + 1]
            if begin == end:
                out[step, cell] = np.nan
                continue
            a = 0.0
            for e in range(begin, end):
                a += weights[e] * row[indices[e]]
            odd += np.isnan(a)
            out[step, cell] = a / divisor[cell]
    return odd


@kernel
def mend_csr(
    values: _Values,
    indptr: _Index,
    indices: _Index,
    weights: Array,
    shares: Array,
    totals: Array,
    divisor: Array,
    out: Array,
    valid: Array,
) -> None:
    """Do again, without the values that are missing, what `apply_csr` left as NaN.

    Parameters as there, and: shares (entry,) that tell how much of a cell a value covers; totals
    [destination], the sum of each row of shares; divisor [destination], or empty to divide by the
    shares of what is there. Fills valid [step, destination] with the shares that are there.
    """
    for step in range(values.shape[0]):
        row = values[step]
        for cell in range(indptr.shape[0] - 1):
            valid[step, cell] = totals[cell]
            begin, end = indptr[cell], indptr[cell + 1]
            if begin == end or not np.isnan(out[step, cell]):
                continue
            total, there = 0.0, 0.0
            for e in range(begin, end):
                value = row[indices[e]]
                if not np.isnan(value):
                    total += weights[e] * value
                    there += shares[e]
            by = divisor[cell] if divisor.size else there
            out[step, cell] = total / by if there > 0.0 else np.nan
            valid[step, cell] = there


@kernel
def apply_separable(
    values: _Values,
    row_ptr: _Index,
    row_index: _Index,
    row_weight: Array,
    column_ptr: _Index,
    column_index: _Index,
    column_weight: Array,
    sums: Array,
    valid: Array,
) -> None:
    """Sum weights * values, and the weights of what is there; weights are products.

    Parameters: values [step, source row, source column]; CSR [row, source row]; CSR [column,
    source column]. Fills sums and valid [step, row, column]. Rows are joined first, which runs
    along the memory.
    """
    steps, _, source_columns = values.shape
    rows, columns = row_ptr.shape[0] - 1, column_ptr.shape[0] - 1
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


@kernel
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
