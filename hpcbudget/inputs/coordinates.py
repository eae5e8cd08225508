"""What many files hold besides their fields: kept once, if it is the same in all of them.

A store has one grid. Files whose rows run the other way, whose longitudes begin elsewhere or whose
members stand in another order have the same shape, and nothing would tell them apart afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cftime
import numpy as np
import numpy.typing as npt

from hpcbudget.errors import GridError, InputError, TimeError
from hpcbudget.inputs.labels import labels_of
from hpcbudget.inputs.layout import coordinates_of, find_variable, time_variable
from hpcbudget.inputs.plain import plain_attributes
from hpcbudget.inputs.source import Source, open_source
from hpcbudget.inputs.timeline import FileTimes
from hpcbudget.options import GridOptions

Coordinate = tuple[str, tuple[str, ...], npt.NDArray[Any], dict[str, Any]]
"""Name, dimensions, values and attributes."""

ROUNDING: Final = 1e-6
"""Share of a coordinate by which files may differ: some round to float32, others do not."""


def common_coordinates(
    paths: Sequence[str],
    group: str | None,
    names: Sequence[str],
    time_dim: str | None,
    notes: list[str],
) -> tuple[list[Coordinate], dict[str, list[str]]]:
    """Return coordinates, bounds and fields without time, and names along dimensions.

    Parameters
    ----------
    paths : sequence of str
        Files; what is kept is that of the first.
    group : str or None
    names : sequence of str
        Fields with time.
    time_dim : str or None
    notes : list of str
        Gets the names of other fields without time that differ.

    Raises
    ------
    GridError, InputError
        A file has another grid, or other names along a dimension.
    """
    first = _beside(paths[0], group, names, time_dim)
    differing: dict[str, None] = {}
    for path in paths[1:]:
        other = _beside(path, group, names, time_dim)
        for name in _differences(first, other):
            what = f"its {name} is not that of the first file, {paths[0]}"
            if name in first.telling:
                raise GridError(
                    what,
                    where=path,
                    why="one store has one grid: values would lie in other places",
                    fix="ingest the files of each grid into a store of its own",
                )
            if name in first.along:
                raise InputError(
                    what,
                    where=path,
                    why="values would be taken for those of another member or level",
                    fix="bring the files into one order, or ingest them into different stores",
                )
            differing[name] = None
    if differing:
        notes.append(f"{', '.join(differing)}: differs between files, that of the first is kept")
    return list(first.kept.values()), first.labels


@dataclass(frozen=True)
class _Beside:
    """What one file holds besides its fields.

    Attributes
    ----------
    kept : dict
        Coordinates and fields without time, by name.
    telling, along : set of str
        Those that tell the grid, and those that number or name a dimension of the fields.
    labels : dict
        Names along dimensions that are kept as characters.
    """

    kept: dict[str, Coordinate]
    telling: set[str]
    along: set[str]
    labels: dict[str, list[str]]


def _beside(path: str, group: str | None, names: Sequence[str], time_dim: str | None) -> _Beside:
    """Read everything without time that shares a dimension with the fields or tells their grid."""
    with open_source(path, group) as source:
        fields = [find_variable(source, name, path) for name in names]
        dims = {d for field in fields for d in field.dims}
        telling = {
            name: held
            for field in fields
            for name, held in coordinates_of(source, field, GridOptions()).items()
        }
        kept: dict[str, Coordinate] = {}
        for name, variable in source.variables.items():
            if time_dim in variable.dims:
                continue
            attrs = plain_attributes(variable.attrs)
            if name in telling:
                held = telling[name]
                kept[name] = (name, tuple(map(str, held.dims)), held.values, attrs)
            elif dims.intersection(variable.dims) and variable.dtype.kind in "iuf":
                kept[name] = (name, variable.dims, source.read(name), attrs)
        return _Beside(kept, set(telling), dims, _labels(source, dims))


def _labels(source: Source, dims: set[str]) -> dict[str, list[str]]:
    found = {dim: labels_of(source, dim) for dim in sorted(dims)}
    return {dim: list(labels) for dim, labels in found.items() if labels}


def _differences(first: _Beside, other: _Beside) -> list[str]:
    """Return the names of what both files hold and is not the same in both."""
    both = [name for name in first.kept if name in other.kept]
    named = [dim for dim in first.labels if dim in other.labels]
    return [
        *(name for name in both if not _same(first.kept[name], other.kept[name])),
        *(dim for dim in named if first.labels[dim] != other.labels[dim]),
    ]


def _same(first: Coordinate, other: Coordinate) -> bool:
    one, two = first[2], other[2]
    if one.shape != two.shape:
        return False
    if not one.shape:  # a grid mapping or a mesh: its attributes count
        return first[3] == other[3]
    if one.dtype.kind != "f" and two.dtype.kind != "f":
        return np.array_equal(one, two)
    return np.allclose(one, two, rtol=ROUNDING, atol=ROUNDING, equal_nan=True)


def time_coordinates(
    paths: Sequence[str], group: str | None, dim: str, files: list[FileTimes]
) -> list[Coordinate]:
    """Time and its bounds of all files; in the units of the first where they differ."""
    parts: list[tuple[npt.NDArray[Any], npt.NDArray[Any] | None]] = []
    said: list[dict[str, Any]] = []
    name = bounds_name = ""
    bounds_dims: tuple[str, ...] = ()
    for path in paths:
        with open_source(path, group) as source:
            coordinate = time_variable(source, dim)
            if coordinate is None:
                return []
            name = coordinate.name
            said.append(plain_attributes(coordinate.attrs))
            bounds_name = str(coordinate.attrs.get("bounds", ""))
            held = source.variables.get(bounds_name)
            bounds = source.read(bounds_name) if held is not None else None
            bounds_dims = held.dims if held is not None else bounds_dims
            parts.append((source.read(name), bounds))
    attrs = said[0]
    if any(s.get("units") != attrs.get("units") for s in said):
        parts = [_recode(f, str(attrs["units"])) for f in files]
    kept: list[Coordinate] = [(name, (dim,), np.concatenate([p[0] for p in parts]), attrs)]
    bounds_parts = [p[1] for p in parts if p[1] is not None]
    if len(bounds_parts) == len(parts):
        kept.append((bounds_name, bounds_dims, np.concatenate(bounds_parts), {}))
    else:
        attrs.pop("bounds", None)
    return kept


def _recode(file: FileTimes, units: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    if file.dates is None:
        raise TimeError("time cannot be decoded", where=file.path, fix="mend its units")

    def numbers(dates: list[cftime.datetime]) -> npt.NDArray[np.float64]:
        return np.asarray(cftime.date2num(dates, units, file.calendar), np.float64)

    bounds = None
    if file.bounds is not None:
        bounds = numbers([d for pair in file.bounds for d in pair]).reshape(-1, 2)
    return numbers(file.dates), bounds
