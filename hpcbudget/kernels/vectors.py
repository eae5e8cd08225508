"""Vectors of eight numbers in code that numba compiles: types, and the instructions for them.

What they are used for, and what it means without compiling, stands in `hpcbudget.kernels.lanes`.
Compiled code checks no bounds.
"""

# numba's extension interface and llvmlite have no types
# mypy: disable-error-code="import-untyped,no-untyped-call"

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, Signature, infer_global
from numba.extending import lower_builtin, models, register_model

LANES = 8
AHEAD_BYTES = (
    4096  # how far ahead memory is asked for; without, a third of the time goes in waiting
)

I8, I32, I64 = (ir.IntType(bits) for bits in (8, 32, 64))
FLOAT64 = ir.VectorType(ir.DoubleType(), LANES)


class LanesType(types.Type):
    """Eight float64: one register of code that is compiled."""

    def __init__(self) -> None:
        super().__init__(name=f"float64x{LANES}")


LANES_TYPE = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, FLOAT64)


def compiles(function: Any, result: Any, *kinds: Any) -> Any:
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


class Vectors:
    """Vectors of eight cells from `first` on, in one array of a compiled function."""

    def __init__(self, context: Any, builder: Any, kind: Any, array: Any, first: Any) -> None:
        self.builder = builder
        element = context.get_data_type(kind.dtype)
        self.size = context.get_abi_sizeof(element)
        self.vector = ir.VectorType(element, LANES)
        self.start = builder.gep(context.make_array(kind)(context, builder, array).data, [first])

    def __getitem__(self, number: int) -> Any:
        address = self.builder.gep(self.start, [ir.Constant(I64, LANES * number)])
        pointer = self.builder.bitcast(address, self.vector.as_pointer())
        return self.builder.load(pointer, align=self.size)

    def write(self, vector: Any) -> None:
        """Put a vector in place of the first eight cells."""
        pointer = self.builder.bitcast(self.start, self.vector.as_pointer())
        self.builder.store(vector, pointer, align=self.size)

    def ask_ahead(self, n_vectors: int) -> None:
        """Ask for the memory that will be read some blocks later."""
        builder, address = self.builder, I8.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [address, I32, I32, I32])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        to_read, keep, data = (ir.Constant(I32, number) for number in (0, 3, 1))
        for line in range(0, n_vectors * LANES * self.size, 64):
            ahead = ir.Constant(I64, (AHEAD_BYTES + line) // self.size)
            where = builder.bitcast(builder.gep(self.start, [ahead]), address)
            builder.call(prefetch, [where, to_read, keep, data])


def splat(builder: Any, value: Any) -> Any:
    """Return a number in every lane."""
    empty = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    one = builder.insert_element(empty, value, ir.Constant(I32, 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(I32, LANES), [0] * LANES))


def constants(kind: Any, value: float) -> Any:
    """Return a known number in every lane of a kind of vector."""
    return ir.Constant(kind, [value] * LANES)


def weighted(builder: Any, cells: Any, weight: Any) -> Any:
    """Return cells as float64, times their weights unless these are None."""
    wide = cells if cells.type == FLOAT64 else builder.fpext(cells, FLOAT64)
    return wide if weight is None else builder.fmul(wide, weight)


def tree(builder: Any, terms: Sequence[Any]) -> Any:
    """Add vectors up two by two."""
    while len(terms) > 1:
        terms = [builder.fadd(a, b) for a, b in zip(terms[::2], terms[1::2], strict=True)]
    return terms[0]
