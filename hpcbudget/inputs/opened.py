"""What one file says of one variable, and whether the files of a series say the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hpcbudget.errors import (
    FluxDefinitionError,
    GridError,
    HpcBudgetError,
    InputError,
    raise_all,
)
from hpcbudget.inputs.decode import EVERYTHING, Decoding, decoding_of
from hpcbudget.inputs.flux import FluxDefinition, define_flux
from hpcbudget.inputs.layout import Layout, find_variable, lay_out, time_dim_of
from hpcbudget.inputs.plain import plain_attributes
from hpcbudget.inputs.source import Source, Variable, open_source
from hpcbudget.inputs.timeline import FileTimes, read_times
from hpcbudget.options import FluxOptions, GridOptions, TimeOptions

_T = TypeVar("_T")


@dataclass(frozen=True)
class Request:
    """What is asked of every file of a series.

    Attributes
    ----------
    variable : str
    group : str or None
    select : mapping
        Dimension to label or index.
    flux : tuple of FluxOptions
        Declarations, the most specific first.
    grid : GridOptions
    time : TimeOptions
    fills : tuple of float
        Declared fill values.
    """

    variable: str
    group: str | None
    select: Mapping[str, str | int]
    flux: tuple[FluxOptions, ...]
    grid: GridOptions
    time: TimeOptions
    fills: tuple[float, ...]


@dataclass(frozen=True)
class OpenedFile:
    """What one file says of the variable that is asked for.

    Attributes
    ----------
    path, where : str
        `where` names file and variable in messages.
    variable : Variable
    layout : Layout
    times : FileTimes
    flux : FluxDefinition
    decoding : Decoding
    attrs : dict
        Global attributes.
    own_area : str or None
        Variable with the cell areas that the file names in ``cell_measures``.
    """

    path: str
    where: str
    variable: Variable
    layout: Layout
    times: FileTimes
    flux: FluxDefinition
    decoding: Decoding
    attrs: dict[str, Any]
    own_area: str | None


def open_file(path: str, request: Request) -> OpenedFile:
    """Open one file and settle all that it says of a variable; no field is read.

    Raises
    ------
    InputError, GridError, TimeError, FluxDefinitionError, Problems
        All that is wrong with grid, time and meaning, at once.
    """
    where = f"{path}, variable {request.variable}"
    problems: list[HpcBudgetError] = []

    def attempt(make: Callable[[], _T]) -> _T | None:
        try:
            return make()
        except HpcBudgetError as error:
            problems.append(error)
            return None

    with open_source(path, request.group) as source:
        variable = find_variable(source, request.variable, where)
        dim = time_dim_of(source, variable)
        n = variable.shape[variable.dims.index(dim)] if dim else 1
        layout = attempt(
            lambda: lay_out(source, request.variable, request.select, request.grid, where)
        )
        times = attempt(lambda: read_times(source, dim, n, request.time, where))
        flux = attempt(lambda: define_flux(request.flux, variable.attrs, where))
        decoding = attempt(
            lambda: decoding_of(variable.attrs, variable.dtype, request.fills, where)
        )
        raise_all(problems)
        assert layout is not None
        assert times is not None
        assert flux is not None
        assert decoding is not None
        attrs = plain_attributes(source.attrs)
        own_area = _own_area(source, variable)
    return OpenedFile(path, where, variable, layout, times, flux, decoding, attrs, own_area)


def check_alike(first: OpenedFile, other: OpenedFile) -> None:
    """Refuse files of one series that differ in grid, dimensions or meaning.

    Raises
    ------
    GridError, InputError, FluxDefinitionError
        Naming the file that differs and how.
    """
    if other.layout.grid.content_hash() != first.layout.grid.content_hash():
        raise GridError(
            f"its grid ({other.layout.grid.describe()}) is not that of the other files"
            f" ({first.layout.grid.describe()})",
            where=other.where,
            fix="make it a member of its own, or narrow the glob",
        )
    one, two = first.layout, other.layout
    if (one.order, one.fixed, one.time_axis) != (two.order, two.fixed, two.time_axis):
        raise InputError(
            f"its dimensions ({', '.join(other.variable.dims)}) are not those of the other files"
            f" ({', '.join(first.variable.dims)})",
            where=other.where,
            fix="bring the files into one order of dimensions, for example with ncpdq",
        )
    if _meaning(first.flux) != _meaning(other.flux):
        raise FluxDefinitionError(
            f"units {other.flux.units!r} or meaning differ from the other files"
            f" ({first.flux.units!r})",
            where=other.where,
            why="one factor is applied to the whole series",
            fix="make it a member of its own, or mend the attributes",
        )


def decoding_notes(files: Sequence[OpenedFile]) -> list[str]:
    """Return how raw numbers become values, for the history of a series."""
    notes = [f"fill values: {', '.join(f'{v:g}' for v in files[0].decoding.fills) or 'none'}"]
    if any(f.decoding.packed for f in files):
        pairs = sorted({(f.decoding.scale, f.decoding.offset) for f in files})
        notes.append("unpacked with " + "; ".join(f"x {s:g} + {o:g}" for s, o in pairs[:3]))
    if files[0].decoding.unsigned:
        notes.append("integers read as unsigned (_Unsigned)")
    if files[0].decoding.valid != EVERYTHING:
        least, greatest = files[0].decoding.valid
        notes.append(f"numbers outside {least:g} .. {greatest:g} are missing (valid_range)")
    return notes


def _meaning(flux: FluxDefinition) -> tuple[Any, ...]:
    """All that enters the factor; how the units are spelt does not."""
    unit = flux.unit
    return (
        flux.sign, flux.species, flux.area_basis, unit.amount, unit.scale, unit.per, unit.rate
    )  # fmt: skip


def _own_area(source: Source, variable: Variable) -> str | None:
    match = re.search(r"area:\s*(\w+)", str(variable.attrs.get("cell_measures", "")))
    return match[1] if match and match[1] in source.variables else None
