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

Whoever changes this file also touches ``integrate.py``: numba's cache looks at the file of a kernel
only, not at what it was compiled from.
"""

# numba's extension interface and llvmlite have no types
# mypy: disable-error-code="import-untyped,no-untyped-call"

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, Signature, infer_global
from numba.extending import lower_builtin, models, register_model
from numpy.typing import NDArray

LANES = 8
BLOCK = 64
AHEAD_BYTES = (
    4096  # how far ahead memory is asked for; without, a third of the time goes in waiting
)

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
    cells = np.zeros(BLOCK)
    cells[: stop - first] = field[first:stop]
    missing = np.isnan(cells)
    cells[missing] = 0.0
    if weight is not None:
        cells[: stop - first] *= weight[first:stop]
    terms = cells.reshape(-1, LANES)
    while len(terms) > 1:
        terms = terms[::2] + terms[1::2]
    return terms[0], int(missing.sum())


# -- what the same names mean in compiled code

_I8, _I32, _I64 = (ir.IntType(bits) for bits in (8, 32, 64))
_FLOAT64 = ir.VectorType(ir.DoubleType(), LANES)


class _LanesType(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"float64x{LANES}")


_LANES = _LanesType()
_SUM = types.Tuple((_LANES, types.int64))


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOAT64)


def _compiles(function: Any, result: Any, *kinds: Any) -> Any:
    """Decorate what generates the LLVM code of `function` for arguments of these types."""

    class Typing(AbstractTemplate):
        key = function

        def generic(self, given: Any, keywords: Any) -> Any:
            if keywords or len(given) != len(kinds):
                return None
            wanted = []
            for mine, kind in zip(given, kinds, strict=True):
                of_class = isinstance(kind, type)
                if of_class and not isinstance(mine, kind):
                    return None
                wanted.append(mine if of_class else kind)
            return Signature(result, tuple(wanted), recvr=None)

    infer_global(function, types.Function(Typing))
    return lower_builtin(function, *kinds)


class _Reader:
    """Vectors of eight cells from `first` on, in one array of a compiled function."""

    def __init__(self, context: Any, builder: Any, kind: Any, array: Any, first: Any) -> None:
        self.builder = builder
        element = context.get_data_type(kind.dtype)
        self.size = context.get_abi_sizeof(element)
        self.vector = ir.VectorType(element, LANES)
        self.start = builder.gep(context.make_array(kind)(context, builder, array).data, [first])

    def __getitem__(self, number: int) -> Any:
        address = self.builder.gep(self.start, [ir.Constant(_I64, LANES * number)])
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        return self.builder.load(pointer, align=self.size)

    def ask_ahead(self, n_vectors: int) -> None:
        """Ask for the memory that will be read some blocks later."""
        builder, address = self.builder, _I8.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [address, _I32, _I32, _I32])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        to_read, keep, data = (ir.Constant(_I32, number) for number in (0, 3, 1))
        for line in range(0, n_vectors * LANES * self.size, 64):
            ahead = ir.Constant(_I64, (AHEAD_BYTES + line) // self.size)
            where = builder.bitcast(builder.gep(self.start, [ahead]), address)
            builder.call(prefetch, [where, to_read, keep, data])


def _splat(builder: Any, value: Any) -> Any:
    empty = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    one = builder.insert_element(empty, value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES))


def _zeros(kind: Any) -> Any:
    return ir.Constant(kind, [0.0] * LANES)


def _weighted(builder: Any, cells: Any, weight: Any) -> Any:
    wide = cells if cells.type == _FLOAT64 else builder.fpext(cells, _FLOAT64)
    return wide if weight is None else builder.fmul(wide, weight)


def _tree(builder: Any, terms: Sequence[Any]) -> Any:
    while len(terms) > 1:
        terms = [builder.fadd(a, b) for a, b in zip(terms[::2], terms[1::2], strict=True)]
    return terms[0]


def _sum_valid(builder: Any, cells: Sequence[Any], weights: Sequence[Any]) -> tuple[Any, Any]:
    """Add vectors of cells with 0 for NaN, and count NaN."""
    terms, flags = [], []
    counts = ir.VectorType(_I32, LANES)
    for raw, weight in zip(cells, weights, strict=True):
        missing = builder.fcmp_unordered("uno", raw, raw)
        terms.append(_weighted(builder, builder.select(missing, _zeros(raw.type), raw), weight))
        flags.append(builder.zext(missing, counts))
    while len(flags) > 1:
        flags = [builder.add(a, b) for a, b in zip(flags[::2], flags[1::2], strict=True)]
    add_up = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_I32, [counts]), f"llvm.vector.reduce.add.v{LANES}i32"
    )
    return _tree(builder, terms), builder.zext(builder.call(add_up, flags), _I64)


def _readers(context: Any, builder: Any, signature: Any, args: Any) -> tuple[Any, Any]:
    field = _Reader(context, builder, signature.args[0], args[0], args[2])
    if isinstance(signature.args[1], types.NoneType):
        return field, [None] * LANES
    return field, _Reader(context, builder, signature.args[1], args[1], args[2])


def _sum_block(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    field, table = _readers(context, builder, signature, args)
    field.ask_ahead(BLOCK // LANES)
    cells = [field[v] for v in range(BLOCK // LANES)]
    weights = [table[v] for v in range(BLOCK // LANES)]
    result = _sum_valid(builder, cells, weights)
    return context.make_tuple(builder, signature.return_type, result)


def _sum_part(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    field, table = _readers(context, builder, signature, args)
    left = builder.trunc(builder.sub(args[3], args[2]), _I32)
    numbers = ir.VectorType(_I32, LANES)
    slots = [cgutils.alloca_once(builder, kind) for kind in (_FLOAT64, _I64)]

    def add(n_vectors: int) -> None:
        field.ask_ahead(n_vectors)
        cells, weights = [], []
        for v in range(n_vectors):
            lane = ir.Constant(numbers, list(range(LANES * v, LANES * (v + 1))))
            inside = builder.icmp_signed("<", lane, _splat(builder, left))
            cells.append(builder.select(inside, field[v], _zeros(field.vector)))
            weight = table[v]
            if weight is not None:
                weight = builder.select(inside, weight, _zeros(_FLOAT64))
            weights.append(weight)
        for slot, value in zip(slots, _sum_valid(builder, cells, weights), strict=True):
            builder.store(value, slot)

    def choose(n_vectors: int) -> None:
        """Leave vectors beyond the end out: adding zeros changes nothing."""
        if n_vectors == BLOCK // LANES:
            add(n_vectors)
            return
        enough = builder.icmp_signed("<=", left, ir.Constant(_I32, LANES * n_vectors))
        with builder.if_else(enough) as (few, more):
            with few:
                add(n_vectors)
            with more:
                choose(2 * n_vectors)

    choose(1)
    return context.make_tuple(builder, signature.return_type, list(map(builder.load, slots)))


for _table in (types.Array, types.NoneType):
    _compiles(sum_block, _SUM, types.Array, _table, types.int64)(_sum_block)
    _compiles(sum_part, _SUM, types.Array, _table, types.int64, types.int64)(_sum_part)


@_compiles(spread, _LANES, types.float64)
def _spread(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return _splat(builder, args[0])


@_compiles(load, _LANES, types.Array, types.int64)
def _load(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return _Reader(context, builder, signature.args[0], *args)[0]


@_compiles(load_where_missing, _LANES, types.Array, types.Array, types.int64)
def _load_where_missing(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    table = _Reader(context, builder, signature.args[0], args[0], args[2])[0]
    cells = _Reader(context, builder, signature.args[1], args[1], args[2])[0]
    missing = builder.fcmp_unordered("uno", cells, cells)
    return builder.select(missing, table, _zeros(_FLOAT64))


@_compiles(store, types.none, types.Array, types.int64, _LanesType)
def _store(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    target = _Reader(context, builder, signature.args[0], *args[:2])
    pointer = builder.bitcast(target.start, target.vector.as_pointer())
    builder.store(args[2], pointer, align=target.size)
    return context.get_dummy_value()


@_compiles(operator.add, _LANES, _LanesType, _LanesType)
def _add(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return builder.fadd(*args)


@_compiles(operator.sub, _LANES, _LanesType, _LanesType)
def _sub(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return builder.fsub(*args)


@_compiles(operator.mul, _LANES, _LanesType, _LanesType)
def _mul(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return builder.fmul(*args)
