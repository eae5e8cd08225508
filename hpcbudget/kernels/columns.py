"""Columns of eight rows of a field, eight at a time: see `hpcbudget.kernels.stacks`.

As in `hpcbudget.kernels.lanes`, functions are plain numpy when Python calls them and one piece of
LLVM code when compiled code does. Compiled, they check no bounds.
"""

# numba's extension interface and llvmlite have no types
# mypy: disable-error-code="import-untyped,no-untyped-call"

from __future__ import annotations

from collections.abc import Iterator
from functools import partial, reduce
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numpy.typing import NDArray

from hpcbudget.kernels.lanes import Lanes, tree_of
from hpcbudget.kernels.vectors import (
    I8,
    I32,
    I64,
    LANES,
    LANES_TYPE,
    Vectors,
    compiles,
    constants,
    splat,
    tree,
    weighted,
)


def sum_rows(
    field: NDArray[Any],
    rows: NDArray[np.int64],
    weight: NDArray[np.float64],
    column: int,
    missing: NDArray[np.int32] | None,
) -> Lanes:
    """Add up eight columns of eight rows.

    Parameters
    ----------
    field : float32 or float64[cell]
    rows : int64[8]
        First cell of each row.
    weight : float64[8]
        Of each row.
    column : int
        The first of the eight columns.
    missing : int32[8] or None
        Is written: bit r of each column is set where row r is NaN. If None, sums with NaN are NaN.

    Returns
    -------
    lanes : float64[8]
        Weighted sums of the columns, NaN counted as 0.

    Examples
    --------
    >>> field = np.array([*range(8), np.nan, *range(9, 16)], np.float32)
    >>> rows, weight = np.array([0, 8, 0, 0, 0, 0, 0, 0]), np.array([1.0, 2, 0, 0, 0, 0, 0, 0])
    >>> sum_rows(field, rows, weight, 0, missing := np.empty(8, np.int32))
    array([ 0., 19., 22., 25., 28., 31., 34., 37.])
    >>> missing
    array([2, 0, 0, 0, 0, 0, 0, 0], dtype=int32)
    """
    here = np.arange(column, column + LANES)
    cells = field[rows[:, np.newaxis] + here].astype(np.float64)
    if missing is not None:
        gone = np.isnan(cells)
        cells[gone] = 0.0
        missing[:] = gone.T @ (1 << np.arange(len(rows)))
    return tree_of(cells * weight[:, np.newaxis])


def all_missing(field: NDArray[Any], rows: NDArray[np.int64], column: int) -> bool:
    """Tell whether the cells that `sum_rows` would add up are all NaN."""
    here = np.arange(column, column + LANES)
    return bool(np.isnan(field[rows[:, np.newaxis] + here]).all())


# -- what the same names mean in compiled code


def _sum_rows(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    weight, missing = (
        partial(Vectors, context, builder, signature.args[i], args[i]) for i in (2, 4)
    )
    bits = ir.VectorType(I32, LANES)
    terms, flags = [], []
    for row, cells in enumerate(_rows(context, builder, signature, args)):
        number = ir.Constant(I64, row)
        if isinstance(signature.args[4], types.Array):
            gone = builder.fcmp_unordered("uno", cells, cells)
            cells = builder.select(gone, constants(cells.type, 0.0), cells)
            flags.append(builder.select(gone, constants(bits, 1 << row), constants(bits, 0)))
        terms.append(weighted(builder, cells, splat(builder, builder.load(weight(number).start))))
    if flags:
        missing(ir.Constant(I64, 0)).write(reduce(builder.or_, flags))
    return tree(builder, terms)


def _rows(context: Any, builder: Any, signature: Any, args: Any) -> Iterator[Any]:
    """Yield eight columns of each of eight rows: (field, rows, ..., column)."""
    column = args[2] if len(args) == 3 else args[3]
    for row in range(LANES):
        start = Vectors(context, builder, signature.args[1], args[1], ir.Constant(I64, row)).start
        first = builder.add(builder.load(start), column)
        yield Vectors(context, builder, signature.args[0], args[0], first)[0]


@compiles(all_missing, types.boolean, types.Array, types.Array, types.int64)
def _all_missing(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    cells = _rows(context, builder, signature, args)
    gone = reduce(builder.and_, (builder.fcmp_unordered("uno", c, c) for c in cells))
    return builder.icmp_unsigned("==", builder.bitcast(gone, I8), ir.Constant(I8, 255))


for _table in (types.Array, types.NoneType):
    _fixed = (types.Array, types.Array, types.Array, types.int64)
    compiles(sum_rows, LANES_TYPE, *_fixed, _table)(_sum_rows)
