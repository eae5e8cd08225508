"""The variables of many files along time, gathered for `ingest`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hpcbudget.errors import InputError, TimeError
from hpcbudget.inputs.coordinates import Coordinate, common_coordinates, time_coordinates
from hpcbudget.inputs.decode import Decoding, decoding_of
from hpcbudget.inputs.layout import find_variable, spatial_dims, time_dim_of, time_variable
from hpcbudget.inputs.paths import find_files
from hpcbudget.inputs.plain import plain_attributes
from hpcbudget.inputs.source import Source, Variable, open_source
from hpcbudget.inputs.store import file_identity
from hpcbudget.inputs.timeline import FileTimes, join_times, read_times
from hpcbudget.options import TimeOptions

_PACKING = ("scale_factor", "add_offset", "_FillValue", "missing_value", "FillValue")


@dataclass(frozen=True)
class GatheredVariable:
    """One field with a time dimension.

    Attributes
    ----------
    name : str
    dims, shape : tuple
        Time first, then dimensions read one index at a time, then space.
    n_single : int
        Number of the middle ones.
    order : tuple of int
        Transposition from the stored order.
    time_axis : int
        Place of time among the stored dimensions.
    source_steps : int
        Steps of a stored chunk of the source.
    dtype : numpy.dtype
    attrs : dict
    decodings : tuple of Decoding or None
        Of each file, if numbers have to be decoded; None copies them as they are.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    n_single: int
    order: tuple[int, ...]
    time_axis: int
    source_steps: int
    dtype: np.dtype[Any]
    attrs: dict[str, Any]
    decodings: tuple[Decoding, ...] | None

    @property
    def step_bytes(self) -> int:
        """Bytes of one step."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all steps."""
        return self.shape[0] * self.step_bytes


@dataclass(frozen=True)
class Gathered:
    """Files in order of time and what they hold.

    Attributes
    ----------
    paths : tuple of str
    group : str or None
    starts : tuple of int
        First step of each file, and the number of steps at the end.
    fields : tuple of GatheredVariable
    coordinates : tuple of (name, dims, values, attrs)
        Coordinates, bounds and fields without time, whole.
    labels : dict
        Names along dimensions that were kept as characters.
    attrs : dict
        Global attributes of the first file.
    notes : tuple of str
    """

    paths: tuple[str, ...]
    group: str | None
    starts: tuple[int, ...]
    fields: tuple[GatheredVariable, ...]
    coordinates: tuple[Coordinate, ...]
    labels: dict[str, list[str]]
    attrs: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def n_steps(self) -> int:
        """Number of time steps."""
        return self.starts[-1]

    def read(self, field: GatheredVariable, start: int, stop: int) -> npt.NDArray[Any]:
        """Return steps ``[start, stop)`` of a field as they are to be stored."""
        values = np.empty((stop - start, *field.shape[1:]), field.dtype)
        for number, path in enumerate(self.paths):
            begin, end = self.starts[number], self.starts[number + 1]
            first, last = max(start, begin), min(stop, end)
            if first >= last:
                continue
            index: list[int | slice] = [slice(None)] * len(field.shape)
            index[field.time_axis] = slice(first - begin, last - begin)
            with open_source(path, self.group) as source:
                raw = source.read(field.name, tuple(index)).transpose(field.order)
            decoded = raw if field.decodings is None else field.decodings[number](raw)
            values[first - start : last - start] = decoded
        return values

    def manifest(self) -> str:
        """Return what identifies an ingest: the files as they are, and what is taken of them."""
        sources = [{"path": p, "identity": file_identity(p)} for p in self.paths]
        fields = [[f.name, f.dims, f.shape, str(f.dtype)] for f in self.fields]
        return json.dumps({"sources": sources, "group": self.group, "fields": fields})


def gather(patterns: Sequence[str], wanted: Sequence[str], group: str | None) -> Gathered:
    """Open all files, put them in order of time and check that they fit together.

    Raises
    ------
    InputError, GridError, TimeError
        Nothing with a time dimension, different dimensions, grids or names, overlaps, gaps.
    """
    paths = find_files(patterns, Path.cwd(), "sources")
    notes: list[str] = []
    with open_source(paths[0], group) as first:
        names = _field_names(first, wanted, paths[0])
        time_dim = time_dim_of(first, first.variables[names[0]])
    files = [_times(path, group, names[0], time_dim) for path in paths]
    order, problem = _order(files)
    if problem is not None:
        if len(files) > 1:
            raise problem
        notes.append(f"time could not be checked: {problem.what}")
    files = [files[i] for i in order]
    paths = tuple(f.path for f in files)
    starts = (0, *(int(n) for n in np.cumsum([f.n for f in files])))
    with open_source(paths[0], group) as first:
        fields = tuple(_field(paths, group, first, name, starts[-1], notes) for name in names)
        attrs = plain_attributes(first.attrs)
    kept, labels = common_coordinates(paths, group, names, time_dim, notes)
    if time_dim is not None:
        kept += time_coordinates(paths, group, time_dim, files)
    return Gathered(paths, group, starts, fields, tuple(kept), labels, attrs, tuple(notes))


def _field_names(source: Source, wanted: Sequence[str], path: str) -> list[str]:
    for name in wanted:
        find_variable(source, name, path)
    if wanted:
        return list(wanted)
    names = []
    for name, variable in source.variables.items():
        dim = time_dim_of(source, variable)
        coordinate = time_variable(source, dim) if dim else None
        own = {coordinate.name, str(coordinate.attrs.get("bounds", ""))} if coordinate else set()
        is_field = dim is not None and len(variable.dims) > 1 and variable.dtype.kind in "iuf"
        if is_field and name not in own:
            names.append(name)
    if not names:
        raise InputError(
            "no variable has a time dimension and another one",
            where=path,
            why="there is nothing to stream",
            fix="a field without time needs no ingest: give it to the configuration as it is",
        )
    return names


def _times(path: str, group: str | None, name: str, time_dim: str | None) -> FileTimes:
    with open_source(path, group) as source:
        variable = find_variable(source, name, path)
        if time_dim is None or time_dim not in variable.dims:
            raise InputError(f"{name} has no time dimension", where=path, fix="leave it out")
        n = variable.shape[variable.dims.index(time_dim)]
        try:
            return read_times(source, time_dim, n, TimeOptions(), f"{path}, variable {name}")
        except TimeError:
            return FileTimes(path, n, "standard", None, None)


def _order(files: list[FileTimes]) -> tuple[tuple[int, ...], TimeError | None]:
    try:
        order, _ = join_times(files, TimeOptions(), files[0].path)
    except TimeError as error:
        return tuple(range(len(files))), error
    return order, None


def _field(
    paths: tuple[str, ...],
    group: str | None,
    first: Source,
    name: str,
    n_steps: int,
    notes: list[str],
) -> GatheredVariable:
    """Describe a field, having looked at it in every file."""
    variable = find_variable(first, name, paths[0])
    time_dim = time_dim_of(first, variable)
    space = spatial_dims(first, variable)
    single = [d for d in variable.dims if d != time_dim and d not in space]
    dims = [d for d in variable.dims if d == time_dim] + single
    dims += [d for d in variable.dims if d in space]
    types, decodings = [], []
    for path in paths:
        with open_source(path, group) as source:
            other = find_variable(source, name, path)
            _check_same(variable, other, time_dim, path)
            types.append(other.dtype)
            decodings.append(decoding_of(other.attrs, other.dtype, (), f"{path}, variable {name}"))
    attrs = plain_attributes(variable.attrs)
    decode = len(set(decodings)) > 1 or len({t.kind for t in types}) > 1
    if decode:
        notes.append(f"{name}: packing or fill values differ between files, values are decoded")
        attrs = {k: v for k, v in attrs.items() if k not in _PACKING}
        types = [d.result_type(t) for d, t in zip(decodings, types, strict=True)]
    sizes = dict(zip(variable.dims, variable.shape, strict=True))
    axis = variable.dims.index(time_dim) if time_dim else 0
    return GatheredVariable(
        name,
        tuple(dims),
        (n_steps, *(sizes[d] for d in dims if d != time_dim)),
        len(single),
        tuple(variable.dims.index(d) for d in dims),
        axis,
        variable.chunks[axis] if variable.chunks else 1,
        np.dtype(np.result_type(*types)).newbyteorder("="),
        attrs,
        tuple(decodings) if decode else None,
    )


def _check_same(variable: Variable, other: Variable, time_dim: str | None, path: str) -> None:
    def sizes(v: Variable) -> dict[str, int]:
        return {d: n for d, n in zip(v.dims, v.shape, strict=True) if d != time_dim}

    if variable.dims != other.dims or sizes(variable) != sizes(other):
        raise InputError(
            f"{other.name} has dimensions {dict(zip(other.dims, other.shape, strict=True))}, the"
            f" first file {dict(zip(variable.dims, variable.shape, strict=True))}",
            where=path,
            fix="ingest the files of each grid into a store of its own",
        )
    if variable.attrs.get("units") != other.attrs.get("units"):
        raise InputError(
            f"{other.name} has units {other.attrs.get('units')!r}, the first file"
            f" {variable.attrs.get('units')!r}",
            where=path,
            why="one store can say only one",
            fix="mend the attribute, or ingest the files into different stores",
        )
