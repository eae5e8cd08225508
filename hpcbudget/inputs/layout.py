"""Which dimension of a variable is time, which are space, and which are fixed by a selection."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from hpcbudget.errors import GridError, InputError
from hpcbudget.inputs.decode import decoding_of
from hpcbudget.inputs.labels import find_index, names_along
from hpcbudget.inputs.registration import refuse_gaps
from hpcbudget.inputs.source import Index, Source, Variable
from hpcbudget.options import GridOptions
from hpcbudget.space.cf_coordinates import is_coordinate
from hpcbudget.space.cf_healpix import is_healpix_index, is_healpix_mapping, mapping_names
from hpcbudget.space.grid import Grid

_TIME_NAMES = {"time", "t", "mtime", "times", "date", "month", "months", "year", "years",
               "time_counter", "time_centered", "record"}  # fmt: skip
_BOUNDS = ("_bnds", "_bounds", "_vertices", "_b")
_TELL_THE_GRID = ("grid_mapping", "mesh", "location")


@dataclass(frozen=True)
class Layout:
    """Place of time, space and selected indices among a variable's stored dimensions.

    Attributes
    ----------
    grid : Grid
        Cells, in the order that `apply` leaves.
    time_dim : str or None
        Name of the time dimension.
    time_axis : int or None
        Its place among the stored dimensions.
    fixed : tuple of (axis, index)
        Dimensions at which one index is taken.
    order : tuple of int
        Transposition, after the fixed dimensions are gone, to (time, *grid.dims).
    notes : tuple of str
        Selections made, for the history.
    """

    grid: Grid
    time_dim: str | None
    time_axis: int | None
    fixed: tuple[tuple[int, int], ...]
    order: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def index(self, n_dims: int, steps: slice) -> Index:
        """Return the index of `steps` into the stored array."""
        index: list[int | slice] = [slice(None)] * n_dims
        for axis, at in self.fixed:
            index[axis] = at
        if self.time_axis is not None:
            index[self.time_axis] = steps
        return tuple(index)

    @property
    def in_stored_order(self) -> bool:
        """Whether `apply` leaves the numbers where they are."""
        return self.order == tuple(range(len(self.order)))

    def apply(self, raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Bring numbers read with `index` into the order (step, *grid.dims)."""
        ordered = raw.transpose(self.order)
        return ordered if self.time_axis is not None else ordered[None]


def find_variable(source: Source, name: str, where: str) -> Variable:
    """Return a variable of a source by name.

    Raises
    ------
    InputError
        If there is none; the nearest name and all others are offered.
    """
    if name in source.variables:
        return source.variables[name]
    fields = [n for n, v in source.variables.items() if len(v.dims) > 1] or list(source.variables)
    near = difflib.get_close_matches(name, fields, n=1, cutoff=0.5)
    raise InputError(
        f"no variable {name!r}",
        where=where,
        fix=(f"did you mean {near[0]!r}? " if near else "") + "The file has: " + ", ".join(fields),
    )


def lay_out(
    source: Source,
    name: str,
    select: Mapping[str, str | int],
    options: GridOptions,
    where: str,
) -> Layout:
    """Find time, space and selections among the dimensions of a variable.

    Parameters
    ----------
    source : Source
        Opened file.
    name : str
        Variable in it.
    select : mapping of str to str or int
        Dimension to label or index.
    options : GridOptions
        Facts about the grid.
    where : str
        File and variable, for messages.

    Raises
    ------
    InputError, GridError
        Unknown variable, selection or dimension; no usable grid.
    """
    variable = find_variable(source, name, where)
    stored = coordinates_of(source, variable, options)
    coordinates = {of: _decoded(coordinate, of) for of, coordinate in stored.items()}
    spatial = {str(d) for c in coordinates.values() for d in c.dims}
    told = {k: v for k, v in variable.attrs.items() if k in _TELL_THE_GRID}
    # cells whose places another file or a formula tells have no coordinates of their own here
    elsewhere = options.corners is not None or _is_healpix(source, variable)
    time_dim = time_dim_of(source, variable)
    fixed: list[tuple[int, int]] = []
    notes: list[str] = []
    for dim in select:
        if dim not in variable.dims:
            raise InputError(
                f"select names {dim!r}, which is no dimension of {name!r}",
                where=where,
                fix=f"its dimensions are {', '.join(variable.dims)}",
            )
    for axis, (dim, length) in enumerate(zip(variable.dims, variable.shape, strict=True)):
        if dim in select:
            at = find_index(source, dim, length, select[dim], where)
            fixed.append((axis, at))
            notes.append(f"selected {dim}={select[dim]!r} (index {at} of {length})")
        elif dim == time_dim or dim in spatial or (elsewhere and length > 1):
            continue
        elif length == 1:
            fixed.append((axis, 0))
            notes.append(f"dimension {dim} of length 1 dropped")
        else:
            if dim.startswith("phony_dim_"):
                raise GridError(
                    f"the file does not say which dimensions {name!r} has (plain HDF5)",
                    where=where,
                    why="latitudes and longitudes could belong to either of them",
                    fix="write it as netCDF with dimensions and their coordinates, for example with"
                    " xarray: Dataset({NAME: (('time', 'lat', 'lon'), values)}, {'lat': ...})",
                )
            labels = names_along(source, dim, length)
            shown = ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "")
            raise InputError(
                f"dimension {dim!r} of length {length} is neither time nor space",
                where=where,
                why="a sum or mean over it could double or dilute the flux",
                fix=f"choose one with select: {{{dim}: ...}}" + (f" of {shown}" if shown else ""),
            )
    gone = {axis for axis, _ in fixed}
    kept = [d for axis, d in enumerate(variable.dims) if axis not in gone]
    space = [d for d in kept if d != time_dim]
    shape = [variable.shape[variable.dims.index(d)] for d in space]
    stub = xr.Variable(space, np.broadcast_to(np.float32(0), shape), told)
    try:
        if options.corners is None:
            refuse_gaps(coordinates)
        grid = _grid(name, coordinates, stub, options)
    except GridError as error:
        raise error.at(where) from None
    order = tuple(kept.index(d) for d in ([time_dim] if time_dim else []) + list(grid.dims))
    if sorted(order) != list(range(len(kept))):
        raise GridError(
            f"dimensions {', '.join(kept)} are more than time and those of the grid"
            f" ({', '.join(grid.dims)})",
            where=where,
            fix="choose one value of the others with 'select'",
        )
    time_axis = variable.dims.index(time_dim) if time_dim else None
    return Layout(grid, time_dim, time_axis, tuple(fixed), order, tuple(notes))


_GRIDS: dict[str, Grid] = {}


def _grid(
    name: str, coordinates: Mapping[str, xr.Variable], field: xr.Variable, options: GridOptions
) -> Grid:
    """Read the grid of a field; the files of an ensemble share the grids they have in common."""
    facts = (field.dims, field.shape, field.attrs, options.model_dump_json())
    digest = sha256(repr(facts).encode())
    for of, variable in sorted(coordinates.items()):
        attrs = sorted(map(repr, variable.attrs.items()))
        digest.update(repr((of, variable.dims, str(variable.dtype), attrs)).encode())
        digest.update(np.ascontiguousarray(variable.values).tobytes())
    key = digest.hexdigest()
    if key not in _GRIDS:
        if len(_GRIDS) >= 64:
            _GRIDS.pop(next(iter(_GRIDS)))
        _GRIDS[key] = Grid.from_dataset(xr.Dataset({**coordinates, name: field}), name, options)
    return _GRIDS[key]


def time_variable(source: Source, dim: str) -> Variable | None:
    """Return the time coordinate of a dimension, by name or by its units."""
    own = source.variables.get(dim)
    if own is not None and len(own.dims) == 1:
        return own
    for variable in source.variables.values():
        if variable.dims == (dim,) and " since " in str(variable.attrs.get("units", "")):
            return variable
    return None


def time_dim_of(source: Source, variable: Variable) -> str | None:
    """Return the time dimension of a variable, by its coordinate or its name."""
    named = None
    for dim in variable.dims:
        coordinate = time_variable(source, dim)
        if coordinate is not None:
            attrs = coordinate.attrs
            if (
                " since " in str(attrs.get("units", ""))
                or attrs.get("standard_name") == "time"
                or attrs.get("axis") == "T"
            ):
                return dim
        if dim.lower() in _TIME_NAMES:
            named = named or dim
    return named


def coordinates_of(
    source: Source, variable: Variable, options: GridOptions
) -> dict[str, xr.Variable]:
    """Return what tells the grid of a variable, read whole and as it is stored.

    Latitudes and longitudes with their bounds, the grid mapping, and a mesh with its nodes.
    """
    dims = set(variable.dims)
    wanted: dict[str, Variable] = {}
    for name, candidate in source.variables.items():
        if name == variable.name or not candidate.dims or candidate.dtype.kind not in "iuf":
            continue
        if set(candidate.dims) <= dims and (
            name in (options.latitude, options.longitude)
            or is_coordinate(candidate, name, "latitude")
            or is_coordinate(candidate, name, "longitude")
        ):
            wanted[name] = candidate
    for name, candidate in list(wanted.items()):
        names = [str(candidate.attrs.get("bounds", "")), *(name + suffix for suffix in _BOUNDS)]
        for bounds in names:
            if bounds in source.variables:
                wanted[bounds] = source.variables[bounds]
    # of these the attributes count; their value, often not even stored, means nothing
    bare = {n for n in mapping_names(variable.attrs.get("grid_mapping")) if n in source.variables}
    for name, candidate in source.variables.items():
        if is_healpix_index(candidate.attrs) and set(candidate.dims) <= dims:
            wanted[name] = candidate
        if candidate.attrs.get("cf_role") == "mesh_topology":
            bare.add(name)
            told = " ".join(str(text) for text in candidate.attrs.values()).split()
            wanted.update({n: source.variables[n] for n in told if n in source.variables})
    read = {
        name: xr.Variable(v.dims, source.read(name), dict(v.attrs))
        for name, v in wanted.items()
        if name not in bare
    }
    return read | {n: xr.Variable((), 0, dict(source.variables[n].attrs)) for n in bare}


def _decoded(coordinate: xr.Variable, name: str) -> xr.Variable:
    """Return a coordinate with NaN for fill values, packed numbers unpacked; indices as stored."""
    attrs = coordinate.attrs
    if coordinate.dtype.kind != "f" and "scale_factor" not in attrs:
        return coordinate
    decoding = decoding_of(attrs, coordinate.dtype, (), name)
    return xr.Variable(coordinate.dims, decoding(np.array(coordinate.values)), attrs)


def spatial_dims(source: Source, variable: Variable) -> set[str]:
    """Return the dimensions along which the places of a variable's numbers change."""
    coordinates = coordinates_of(source, variable, GridOptions())
    found = {str(d) for c in coordinates.values() for d in c.dims}
    if _is_healpix(source, variable):  # a formula places them, no coordinate need lie along it
        time_dim = time_dim_of(source, variable)
        found |= {[d for d in variable.dims if d != time_dim][-1]}
    return found


def _is_healpix(source: Source, variable: Variable) -> bool:
    names = mapping_names(variable.attrs.get("grid_mapping"))
    held = source.variables
    return any(name in held and is_healpix_mapping(held[name].attrs) for name in names)
