"""Static fields that belong to a flux: cell area, land fraction, ocean mask.

A field may come from another file than the flux, with its rows or columns in another order. It is
laid onto the flux's grid by its coordinates, cell by cell; what does not match is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hpcbudget.errors import GridError, InputError
from hpcbudget.inputs.decode import Decoding, decoding_of
from hpcbudget.inputs.layout import Layout, find_variable, lay_out
from hpcbudget.inputs.source import Source, Variable, open_source
from hpcbudget.inputs.units import parse_area
from hpcbudget.options import FieldRef, GridOptions
from hpcbudget.space.grid import Grid

Float = npt.NDArray[np.float64]
Quantity = Literal["area", "fraction"]


@dataclass(frozen=True, eq=False)
class StaticField:
    """One field without time, ready to be read onto the cells of a flux.

    Attributes
    ----------
    path, variable : str
    layout : Layout
        Of the field itself.
    decoding : Decoding
    factor : float
        To m2 or to a fraction of one.
    cells : int64[cell] or None
        Cell of the field for each cell of the flux; None if they are the same.
    covers : {"land", "sea"} or None
        What a fraction is a fraction of, as far as its metadata say.
    """

    path: str
    variable: str
    layout: Layout
    decoding: Decoding
    factor: float
    cells: npt.NDArray[np.int64] | None
    covers: Literal["land", "sea"] | None = None

    def read(self) -> Float:
        """Return the field (cell,) in m2 or as a fraction; 0 where it has no value."""
        with open_source(self.path) as source:
            n_dims = len(source.variables[self.variable].dims)
            raw = source.read(self.variable, self.layout.index(n_dims, slice(0, 1)))
        values = self.decoding(self.layout.apply(raw))[0].astype(np.float64).ravel() * self.factor
        values = np.where(np.isfinite(values), values, 0.0)
        return values if self.cells is None else values[self.cells]

    def __str__(self) -> str:
        return f"{self.variable} of {self.path}"


def open_field(
    source: Source,
    name: str,
    grid: Grid,
    quantity: Quantity,
    scale: Literal["fraction", "percent"] | None,
    options: GridOptions,
) -> StaticField:
    """Find a static field in an opened file and check that it fits the flux.

    Parameters
    ----------
    source : Source
        File that holds it.
    name : str
        Its variable.
    grid : Grid
        Grid of the flux.
    quantity : {"area", "fraction"}
        What it is.
    scale : {"fraction", "percent"} or None
        Declared scale of a fraction; None takes it from the units.
    options : GridOptions
        Facts about the grid.

    Raises
    ------
    InputError, GridError
        No such variable, more than one time, unknown units, values out of range, another grid.
    """
    where = f"{source.path}, variable {name}"
    variable = find_variable(source, name, where)
    layout = lay_out(source, name, {}, options, where)
    if layout.time_axis is not None and variable.shape[layout.time_axis] > 1:
        raise InputError(
            f"the {quantity} changes with time ({variable.shape[layout.time_axis]} steps)",
            where=where,
            why="a static field is needed here",
            fix="give a file with one step, for example its time mean",
        )
    units = str(variable.attrs.get("units", "")).strip()
    factor = (
        _area_factor(units, where) if quantity == "area" else fraction_scale(units, scale, where)
    )
    decoding = decoding_of(variable.attrs, variable.dtype, (), where)
    cells = _match(layout.grid, grid, where)
    field = StaticField(source.path, name, layout, decoding, factor, cells, covers(variable))
    _check_range(field.read(), quantity, where)
    return field


def covers(variable: Variable) -> Literal["land", "sea"] | None:
    """Return what a fraction is a fraction of, by its CF standard name or CMIP name.

    LPJ-GUESS, for one, gives ``oceanCoverFrac`` where others give the land.
    """
    standard = str(variable.attrs.get("standard_name", "")).lower()
    if standard == "land_area_fraction" or variable.name.lower() in ("sftlf", "landfrac"):
        return "land"
    if standard == "sea_area_fraction" or variable.name.lower() in ("sftof", "oceancoverfrac"):
        return "sea"
    return None


def open_reference(
    ref: FieldRef, path: str, grid: Grid, quantity: Quantity, options: GridOptions
) -> StaticField:
    """Open the field that a configuration refers to (see `open_field`)."""
    with open_source(path) as source:
        return open_field(source, ref.variable, grid, quantity, ref.scale, options)


def _area_factor(units: str, where: str) -> float:
    if not units:
        raise InputError(
            "the cell area has no units", where=where, fix="add a units attribute such as 'm2'"
        )
    try:
        return parse_area(units)
    except InputError as error:
        raise error.at(where) from None


def fraction_scale(units: str, declared: str | None, where: str) -> float:
    """Return the factor that makes a fraction of a field's numbers.

    Raises
    ------
    InputError
        If neither units nor declaration say it, or they contradict each other.
    """
    found = {"%": "percent", "percent": "percent", "1": "fraction", "fraction": "fraction"}.get(
        units.strip().lower()
    )
    if declared and found and declared != found:
        raise InputError(
            f"scale: declared {declared}, but units {units!r} say {found}",
            where=where,
            why="the fluxes would be off by a factor of 100",
            fix=f"declare scale: {found}, or correct the attribute",
        )
    scale = declared or found
    if scale is None:
        raise InputError(
            f"units {units!r} do not say whether this is a fraction or percent",
            where=where,
            why="the fluxes could be off by a factor of 100",
            fix="declare scale: fraction or scale: percent",
        )
    return 0.01 if scale == "percent" else 1.0


def _check_range(values: Float, quantity: Quantity, where: str) -> None:
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    if low < 0 or high == 0 or (quantity == "fraction" and high > 1.001):
        raise InputError(
            f"the {quantity} has values from {low:g} to {high:g}",
            where=where,
            why="weights would be wrong",
            fix="check fill values and scale (fraction or percent)"
            if quantity == "fraction"
            else "check fill values and units",
        )
    if quantity == "fraction":
        _refuse_tiny(high, where)


def _refuse_tiny(high: float, where: str) -> None:
    """Refuse a fraction that is one percent at most: a fraction that was taken for percent."""
    if 0 < high <= 0.0101:
        raise InputError(
            f"the largest fraction is {high:.2%}",
            where=where,
            why="a fraction of one taken for percent would make all fluxes 100 times too small",
            fix="declare scale: fraction (or correct the units attribute)",
        )


def _match(field: Grid, grid: Grid, where: str) -> npt.NDArray[np.int64] | None:
    """Cell of `field` for each cell of `grid`, or None if they are the same cells in order."""
    problem = GridError(
        f"its grid ({field.describe()}) is not that of the flux ({grid.describe()})",
        where=where,
        why="land and sea would be counted in the wrong cells",
        fix="give the field on the flux's own grid",
    )
    if field.kind != grid.kind or sorted(field.shape) != sorted(grid.shape):
        raise problem
    if not grid.is_boxes:
        same = field.shape == grid.shape and _near(field.lat_deg, grid.lat_deg, 1e-3) \
            and _near(field.lon_deg, grid.lon_deg, 1e-3, 360.0)  # fmt: skip
        if not same:
            raise problem
        return None
    assert grid.lat_edges_deg is not None
    dlat = float(np.median(np.abs(np.diff(grid.lat_edges_deg, axis=1))))
    rows = _nearest(grid.lat_deg, field.lat_deg, 0.05 * dlat, None)
    columns: npt.NDArray[np.int64] | None = np.zeros(1, np.int64)
    if grid.kind == "rectilinear":
        columns = _nearest(grid.lon_deg, field.lon_deg, 0.05 * dlat, 360.0)
    if rows is None or columns is None:
        raise problem
    number = np.arange(field.size).reshape(field.shape)
    if grid.kind == "zonal":
        cells = number[rows]
    else:
        by_row = number if field.lat_axis == 0 else number.T
        cells = by_row[np.ix_(rows, columns)]
        cells = (cells if grid.lat_axis == 0 else cells.T).ravel()
    return None if np.array_equal(cells, np.arange(grid.size)) else cells.astype(np.int64)


def _near(a: Float, b: Float, tolerance: float, period: float | None = None) -> bool:
    return a.shape == b.shape and bool(np.all(_distance(a - b, period) <= tolerance))


def _distance(difference: npt.NDArray[Any], period: float | None) -> npt.NDArray[Any]:
    if period is not None:
        difference = (difference + period / 2) % period - period / 2
    distance: npt.NDArray[Any] = np.abs(difference)
    return distance


def _nearest(
    wanted: Float, offered: Float, tolerance: float, period: float | None
) -> npt.NDArray[np.int64] | None:
    """Index into `offered` of each value of `wanted`, one to one; None if some has no partner."""
    distance = _distance(wanted[:, None] - offered[None, :], period)
    index = distance.argmin(axis=1)
    fits = distance[np.arange(wanted.size), index] <= tolerance
    return index if fits.all() and np.unique(index).size == index.size else None
