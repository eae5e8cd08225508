"""Explicit vector arithmetic of the integration kernel: eight lanes, blocks of 64 cells.

A compiler may not reorder floating-point additions, so a plain loop waits for each addition before
it starts the next and cannot keep up with memory. Here the order is written down as eight lanes,
which every processor works through with the vector width it has, to the same bits: lane l of a
block adds its cells l, l + 8, ... l + 56 as ``((a + b) + (c + d)) + ((e + f) + (g + h))``.
NaN is dealt with by selection, not by a branch: a branch that hangs on a value waits for memory.

Called from Python, as with ``NUMBA_DISABLE_JIT=1``, lanes are numpy arrays of eight float64; in
compiled code they are one LLVM vector. ``+``, ``-`` and ``*`` work on both, and so does
`hpcbudget.kernels.sums.two_sum`.

Compiled code checks no bounds: whoever calls `sum_part` sees to it that 64 cells can be read.
"""

# numba's extension interface and llvmlite have no types
# mypy: disable-error-code="import-untyped,no-untyped-call"

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numpy.typing import NDArray

from hpcbudget.kernels.vectors import (
    FLOAT64,
    I8,
    I32,
    I64,
    LANES,
    LANES_TYPE,
    LanesType,
    Vectors,
    compiles,
    constants,
    splat,
    tree,
    weighted,
)

BLOCK = 64

Lanes = NDArray[np.float64]
Table = NDArray[np.float64] | None


def spread(value: float) -> Lanes:
    """Return `value` in every lane."""
    return np.full(LANES, value)


def load(array: NDArray[np.float64], first: int) -> Lanes:
    """Return ``array[first : first + 8]``."""
    return array[first : first + LANES].copy()


def load_where_missing(array: NDArray[np.float64], field: NDArray[Any], first: int) -> Lanes:
    """Return ``array[first : first + 8]`` with 0 wherever `field` is not NaN."""
    here = slice(first, first + LANES)
    return np.where(np.isnan(field[here]), array[here], 0.0)


def store(array: NDArray[np.float64], first: int, lanes: Lanes) -> None:
    """Write the lanes to ``array[first : first + 8]``."""
    array[first : first + LANES] = lanes


def sum_block(field: NDArray[Any], weight: Table, first: int) -> tuple[Lanes, int]:
    """Add up ``field[first : first + 64]``: see `sum_part`."""
    return sum_part(field, weight, first, first + BLOCK)


def sum_part(field: NDArray[Any], weight: Table, first: int, stop: int) -> tuple[Lanes, int]:
    """Add up a block, ``field[first:stop] * weight[first:stop]`` filled up with zeros, in lanes.

    Parameters
    ----------
    field : float32 or float64[cell]
    weight : float64[cell] or None
        None stands for ones.
    first, stop : int

    Returns
    -------
    lanes : float64[8]
        Sums of the block's eight vectors, NaN counted as 0.
    n_missing : int
        Number of NaN.

    Examples
    --------
    >>> sum_part(np.array([1.0, np.nan, *range(2, 12)]), None, 0, 12)
    (array([ 9.,  9., 12., 14.,  4.,  5.,  6.,  7.]), 1)
    """
    cells = field[first:stop].astype(np.float64)
    missing = np.isnan(cells)
    cells[missing] = 0.0
    if weight is not None:
        cells *= weight[first:stop]
    return sum_numbers(cells, 0, cells.size), int(missing.sum())


def sum_numbers(field: NDArray[np.float64], first: int, stop: int) -> Lanes:
    """Do as `sum_part` without weights where no number is NaN; if one is, so is its lane."""
    cells = np.zeros(BLOCK)
    cells[: stop - first] = field[first:stop]
    return tree_of(cells.reshape(-1, LANES))


def tree_of(terms: NDArray[np.float64]) -> Lanes:
    """Add vectors up two by two."""
    while len(terms) > 1:
        terms = terms[::2] + terms[1::2]
    return cast("Lanes", terms[0])


def any_nan(lanes: Lanes) -> bool:
    """Tell whether a lane is NaN."""
    return bool(np.isnan(lanes).any())


# -- what the same names mean in compiled code

_SUM = types.Tuple((LANES_TYPE, types.int64))


def _sum_valid(builder: Any, cells: Sequence[Any], weights: Sequence[Any]) -> tuple[Any, Any]:
    """Add vectors of cells with 0 for NaN, and count NaN."""
    terms, flags = [], []
    counts = ir.VectorType(I32, LANES)
    for raw, weight in zip(cells, weights, strict=True):
        missing = builder.fcmp_unordered("uno", raw, raw)
        terms.append(
            weighted(builder, builder.select(missing, constants(raw.type, 0.0), raw), weight)
        )
        flags.append(builder.zext(missing, counts))
    while len(flags) > 1:
        flags = [builder.add(a, b) for a, b in zip(flags[::2], flags[1::2], strict=True)]
    add_up = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(I32, [counts]), f"llvm.vector.reduce.add.v{LANES}i32"
    )
    return tree(builder, terms), builder.zext(builder.call(add_up, flags), I64)


def _readers(context: Any, builder: Any, signature: Any, args: Any) -> tuple[Any, Any]:
    field = Vectors(context, builder, signature.args[0], args[0], args[2])
    if isinstance(signature.args[1], types.NoneType):
        return field, [None] * LANES
    return field, Vectors(context, builder, signature.args[1], args[1], args[2])


def _sum_block(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    field, table = _readers(context, builder, signature, args)
    field.ask_ahead(BLOCK // LANES)
    cells = [field[v] for v in range(BLOCK // LANES)]
    weights = [table[v] for v in range(BLOCK // LANES)]
    result = _sum_valid(builder, cells, weights)
    return context.make_tuple(builder, signature.return_type, result)


def _sum_part(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    field, table = _readers(context, builder, signature, args)

    def add(insides: Sequence[Any]) -> Any:
        field.ask_ahead(len(insides))
        cells = [_only(builder, inside, field[v]) for v, inside in enumerate(insides)]
        weights = [_only(builder, inside, table[v]) for v, inside in enumerate(insides)]
        return _sum_valid(builder, cells, weights)

    result = _by_width(builder, builder.sub(args[3], args[2]), add, (FLOAT64, I64))
    return context.make_tuple(builder, signature.return_type, result)


@compiles(sum_numbers, LANES_TYPE, types.Array, types.int64, types.int64)
def _sum_numbers(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    field = Vectors(context, builder, signature.args[0], *args[:2])

    def add(insides: Sequence[Any]) -> Any:
        return [tree(builder, [_only(builder, i, field[v]) for v, i in enumerate(insides)])]

    return _by_width(builder, builder.sub(args[2], args[1]), add, (FLOAT64,))[0]


def _only(builder: Any, inside: Any, vector: Any) -> Any:
    """Return a vector with zeros outside; None stands for no vector, or for nothing outside."""
    if inside is None or vector is None:
        return vector
    return builder.select(inside, vector, constants(vector.type, 0.0))


def _by_width(builder: Any, width: Any, add: Any, kinds: Sequence[Any]) -> list[Any]:
    """Return what `add` makes of no more vectors than `width` cells need.

    `add` is given, for 1, 2, 4 or 8 vectors, which of their lanes are cells (None: all are) and
    returns values of `kinds`. Vectors of zeros are left out: adding them would change nothing.
    """
    left = builder.trunc(width, I32)
    numbers = ir.VectorType(I32, LANES)
    slots = [cgutils.alloca_once(builder, kind) for kind in kinds]

    def inside(v: int, n_vectors: int) -> Any:
        if v < n_vectors // 2:  # else half as many vectors had done
            return None
        lane = ir.Constant(numbers, list(range(LANES * v, LANES * (v + 1))))
        return builder.icmp_signed("<", lane, splat(builder, left))

    def finish(n_vectors: int) -> None:
        values = add([inside(v, n_vectors) for v in range(n_vectors)])
        for slot, value in zip(slots, values, strict=True):
            builder.store(value, slot)

    def choose(n_vectors: int) -> None:
        if n_vectors == BLOCK // LANES:
            finish(n_vectors)
            return
        enough = builder.icmp_signed("<=", left, ir.Constant(I32, LANES * n_vectors))
        with builder.if_else(enough) as (few, more):
            with few:
                finish(n_vectors)
            with more:
                choose(2 * n_vectors)

    choose(1)
    return [builder.load(slot) for slot in slots]


for _table in (types.Array, types.NoneType):
    compiles(sum_block, _SUM, types.Array, _table, types.int64)(_sum_block)
    compiles(sum_part, _SUM, types.Array, _table, types.int64, types.int64)(_sum_part)


@compiles(spread, LANES_TYPE, types.float64)
def _spread(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return splat(builder, args[0])


@compiles(load, LANES_TYPE, types.Array, types.int64)
def _load(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return Vectors(context, builder, signature.args[0], *args)[0]


@compiles(load_where_missing, LANES_TYPE, types.Array, types.Array, types.int64)
def _load_where_missing(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    table = Vectors(context, builder, signature.args[0], args[0], args[2])[0]
    cells = Vectors(context, builder, signature.args[1], args[1], args[2])[0]
    missing = builder.fcmp_unordered("uno", cells, cells)
    return builder.select(missing, table, constants(FLOAT64, 0.0))


@compiles(store, types.none, types.Array, types.int64, LanesType)
def _store(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    Vectors(context, builder, signature.args[0], *args[:2]).write(args[2])
    return context.get_dummy_value()


@compiles(any_nan, types.boolean, LANES_TYPE)
def _any_nan(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    flags = builder.bitcast(builder.fcmp_unordered("uno", args[0], args[0]), I8)
    return builder.icmp_unsigned("!=", flags, ir.Constant(I8, 0))


@compiles(operator.add, LANES_TYPE, LanesType, LanesType)
def _add(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return builder.fadd(*args)


@compiles(operator.sub, LANES_TYPE, LanesType, LanesType)
def _sub(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return builder.fsub(*args)


@compiles(operator.mul, LANES_TYPE, LanesType, LanesType)
def _mul(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return builder.fmul(*args)
