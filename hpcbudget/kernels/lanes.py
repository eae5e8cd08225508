"""Eight numbers that travel together: the explicit vector arithmetic of the integration kernel.

A compiler may not reorder floating-point additions, so a plain loop waits for each addition before
it starts the next and cannot keep up with memory. Here the order is written down as eight lanes,
which every processor works through with the vector width it has, to the same bits.

Called from Python, as with ``NUMBA_DISABLE_JIT=1``, the lanes are numpy arrays of eight float64; in
compiled code they are one LLVM vector. ``+``, ``-`` and ``*`` work on both, and so does
`hpcbudget.kernels.sums.two_sum`.

A load may touch eight elements even where fewer are asked for: the caller keeps
``first + 8 <= array.size``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, overload, register_model
from numpy.typing import NDArray

LANES = 8


def spread(value: float) -> NDArray[np.float64]:
    """Return `value` in every lane."""
    return np.full(LANES, value)


def load(array: NDArray[Any], first: int, stop: int) -> NDArray[np.float64]:
    """Return ``array[first : first + 8]`` as float64, with 0 from `stop` on."""
    lanes = np.zeros(LANES)
    part = array[first : max(first, min(first + LANES, stop))]
    lanes[: part.size] = part
    return lanes


def load_valid(array: NDArray[Any], first: int, stop: int) -> tuple[NDArray[np.float64], int]:
    """Return the lanes of `load` with 0 for NaN, and how many were NaN."""
    lanes = load(array, first, stop)
    missing = np.isnan(lanes)
    return np.where(missing, 0.0, lanes), int(missing.sum())


def load_where_missing(
    array: NDArray[np.float64], field: NDArray[Any], first: int, stop: int
) -> NDArray[np.float64]:
    """Return the lanes of `load`, with 0 wherever `field` is not NaN at the same place."""
    return np.where(np.isnan(load(field, first, stop)), load(array, first, stop), 0.0)


def store(array: NDArray[np.float64], first: int, lanes: NDArray[np.float64]) -> None:
    """Write the lanes to ``array[first : first + 8]``."""
    array[first : first + LANES] = lanes


# -- what the same names mean in compiled code

_I1, _I8, _I32, _I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
_FLOAT64 = ir.VectorType(ir.DoubleType(), LANES)


class _LanesType(types.Type):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name=f"float64x{LANES}")


_LANES = _LanesType()


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOAT64)


def _splat(builder: Any, value: Any) -> Any:
    """Copy one number to all lanes."""
    empty = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    one = builder.insert_element(empty, value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES))


def _pointer(context: Any, builder: Any, kind: Any, array: Any, first: Any) -> tuple[Any, int]:
    """Return the address of eight elements from ``array[first]``, and the bytes of one element."""
    element = context.get_data_type(kind.dtype)
    address = builder.gep(context.make_array(kind)(context, builder, array).data, [first])
    vector = ir.VectorType(element, LANES)
    return builder.bitcast(address, vector.as_pointer()), context.get_abi_sizeof(element)


def _load(context: Any, builder: Any, kind: Any, array: Any, first: Any, stop: Any) -> Any:
    """Load eight elements in their own precision, 0 from `stop` on."""
    pointer, size = _pointer(context, builder, kind, array, first)
    raw = builder.load(pointer, align=size)
    lane = ir.Constant(ir.VectorType(_I32, LANES), list(range(LANES)))
    left = builder.trunc(builder.sub(stop, first), _I32)
    inside = builder.icmp_signed("<", lane, _splat(builder, left))
    return builder.select(inside, raw, ir.Constant(raw.type, [0.0] * LANES))


def _as_float64(builder: Any, lanes: Any) -> Any:
    return lanes if lanes.type == _FLOAT64 else builder.fpext(lanes, _FLOAT64)


@intrinsic  # type: ignore[misc]
def _spread(typingctx: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _splat(builder, args[0])

    return _LANES(types.float64), codegen


@intrinsic  # type: ignore[misc]
def _load_lanes(typingctx: Any, array: Any, first: Any, stop: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _as_float64(builder, _load(context, builder, array, *args))

    return _LANES(array, types.int64, types.int64), codegen


@intrinsic  # type: ignore[misc]
def _load_valid_lanes(typingctx: Any, array: Any, first: Any, stop: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        raw = _load(context, builder, array, *args)
        missing = builder.fcmp_unordered("uno", raw, raw)
        valid = builder.select(missing, ir.Constant(raw.type, [0.0] * LANES), raw)
        bits = builder.zext(builder.bitcast(missing, _I8), _I64)
        pair = _as_float64(builder, valid), builder.ctpop(bits)
        return context.make_tuple(builder, signature.return_type, pair)

    return types.Tuple((_LANES, types.int64))(array, types.int64, types.int64), codegen


@intrinsic  # type: ignore[misc]
def _load_missing_lanes(typingctx: Any, array: Any, field: Any, first: Any, stop: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        table, values, *where = args
        lanes = _load(context, builder, array, table, *where)
        raw = _load(context, builder, field, values, *where)
        missing = builder.fcmp_unordered("uno", raw, raw)
        return builder.select(missing, lanes, ir.Constant(_FLOAT64, [0.0] * LANES))

    return _LANES(array, field, types.int64, types.int64), codegen


@intrinsic  # type: ignore[misc]
def _store_lanes(typingctx: Any, array: Any, first: Any, lanes: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer, size = _pointer(context, builder, array, *args[:2])
        builder.store(args[2], pointer, align=size)
        return context.get_dummy_value()

    return types.none(array, types.int64, _LANES), codegen


def _arithmetic(instruction: str) -> Any:
    @intrinsic  # type: ignore[misc]
    def lanewise(typingctx: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, instruction)(*args)

        return _LANES(_LANES, _LANES), codegen

    return lanewise


def _overload_operator(name: Callable[..., Any], instruction: str) -> None:
    lanewise = _arithmetic(instruction)

    @overload(name, inline="always", strict=False)  # type: ignore[misc]
    def implement(a: Any, b: Any) -> Any:
        if isinstance(a, _LanesType) and isinstance(b, _LanesType):
            return lambda a, b: lanewise(a, b)
        return None


_overload_operator(operator.add, "fadd")
_overload_operator(operator.sub, "fsub")
_overload_operator(operator.mul, "fmul")


@overload(spread, inline="always", strict=False)  # type: ignore[misc]
def _overload_spread(value: Any) -> Any:
    return lambda value: _spread(value)


@overload(load, inline="always", strict=False)  # type: ignore[misc]
def _overload_load(array: Any, first: Any, stop: Any) -> Any:
    return lambda array, first, stop: _load_lanes(array, first, stop)


@overload(load_valid, inline="always", strict=False)  # type: ignore[misc]
def _overload_load_valid(array: Any, first: Any, stop: Any) -> Any:
    return lambda array, first, stop: _load_valid_lanes(array, first, stop)


@overload(load_where_missing, inline="always", strict=False)  # type: ignore[misc]
def _overload_load_where_missing(array: Any, field: Any, first: Any, stop: Any) -> Any:
    return lambda array, field, first, stop: _load_missing_lanes(array, field, first, stop)


@overload(store, inline="always", strict=False)  # type: ignore[misc]
def _overload_store(array: Any, first: Any, lanes: Any) -> Any:
    return lambda array, first, lanes: _store_lanes(array, first, lanes)
