"""Fractions that change with time: open water between sea ice, shifting land cover.

A flux per m2 of open water counts with the open water of its own step, so such a fraction belongs
to the numbers and not to the weights: it is multiplied in as they are read.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from hpcbudget.errors import GridError, TimeError
from hpcbudget.inputs.decode import decoding_of
from hpcbudget.inputs.fields import covers, fraction_scale
from hpcbudget.inputs.layout import find_variable, lay_out
from hpcbudget.inputs.source import open_source
from hpcbudget.inputs.store import MovingFraction, Part, Store, units_along_time
from hpcbudget.inputs.timeline import join_times, read_times
from hpcbudget.inputs.times import TimeAxis
from hpcbudget.options import GridOptions, TimeOptions
from hpcbudget.space.grid import Grid


def open_moving(
    path: str,
    name: str,
    scale: Literal["fraction", "percent"] | None,
    grid: Grid,
    times: TimeAxis,
    options: GridOptions,
    wanted: Literal["land", "sea"],
) -> MovingFraction | None:
    """Find a fraction that has as many steps as the flux, or twelve for the months of a year.

    Parameters
    ----------
    path, name : str
        File and variable.
    scale : {"fraction", "percent"} or None
        Declared; None takes it from the units.
    grid : Grid
    times : TimeAxis
        Of the flux.
    options : GridOptions
    wanted : {"land", "sea"}
        What the flux stands for; a field that says it covers the other is taken as one minus.

    Returns
    -------
    MovingFraction or None
        None if the field has no time, or one step: it is static.

    Raises
    ------
    GridError, TimeError, InputError
        Another grid, months that the fraction lacks, an unknown scale.
    """
    where = f"{path}, variable {name}"
    with open_source(path) as source:
        variable = find_variable(source, name, where)
        layout = lay_out(source, name, {}, options, where)
        axis = layout.time_axis
        if axis is None or variable.shape[axis] == 1:
            return None
        n = variable.shape[axis]
        if layout.grid.content_hash() != grid.content_hash():
            raise GridError(
                f"its grid ({layout.grid.describe()}) is not that of the flux ({grid.describe()})",
                where=where,
                why="open water would be counted in the wrong cells",
                fix="give the fraction on the flux's own grid, rows and columns in one order",
            )
        factor = fraction_scale(str(variable.attrs.get("units", "")), scale, where)
        decoding = decoding_of(variable.attrs, variable.dtype, (), where)
        told = read_times(source, layout.time_dim, n, TimeOptions(), where)
        chunk, piece = units_along_time(variable, axis)
    _, own = join_times([told], TimeOptions(), where)
    store = Store(
        (Part(path, 0, n, chunk, piece, decoding),), name, None, layout, len(variable.dims),
        decoding.result_type(variable.dtype),
    )  # fmt: skip
    complement = covers(variable) not in (None, wanted)
    return MovingFraction(store, factor, _steps(own, times, where), complement)


def _steps(own: TimeAxis, times: TimeAxis, where: str) -> npt.NDArray[np.int64]:
    """Step of the fraction for each step of the flux."""
    if own.resolution != "month":
        raise TimeError(
            f"the fraction has steps of a {own.resolution}, not months",
            where=where,
            fix="give monthly means, or a static fraction",
        )
    if times.carried_seconds is not None:
        raise TimeError(
            "the fraction moves from month to month, and steps of the flux lie in two months",
            where=where,
            fix="give a static fraction, or aggregate the flux to days or months first",
        )
    if len(own) == 12 and times.resolution not in ("year", "period"):
        in_year = np.argsort(own.month)  # the months of any year
        steps: npt.NDArray[np.int64] = in_year[times.month - 1].astype(np.int64)
        return steps
    steps = times.first_month - own.first_month[0]
    if times.resolution in ("year", "period") or steps.min() < 0 or steps.max() >= len(own):
        raise TimeError(
            f"the fraction has {own}, the flux {times} ({times.resolution})",
            where=where,
            why="the flux of the other months has no area to stand for",
            fix="give the fraction for all months of the flux, or twelve months for any year",
        )
    return steps
