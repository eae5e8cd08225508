"""The time axis of a series that may be spread over many files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cftime
import numpy.typing as npt

from hpcbudget.errors import TimeError
from hpcbudget.inputs.layout import time_variable
from hpcbudget.inputs.source import Source, Variable
from hpcbudget.inputs.stamps import canonical_calendar, decode_stamps
from hpcbudget.inputs.steps import axis_of_dates
from hpcbudget.inputs.times import TimeAxis
from hpcbudget.options import TimeOptions

Bounds = list[tuple[cftime.datetime, cftime.datetime]]


@dataclass(frozen=True)
class FileTimes:
    """Time of one file.

    Attributes
    ----------
    path : str
    n : int
        Steps; 1 also without a time dimension.
    calendar : str
    dates : list of cftime.datetime or None
        Stamps; None if they are declared unusable or there is no time dimension.
    bounds : list of pairs or None
    """

    path: str
    n: int
    calendar: str
    dates: list[cftime.datetime] | None
    bounds: Bounds | None


def read_times(
    source: Source, dim: str | None, n: int, options: TimeOptions, where: str
) -> FileTimes:
    """Read the time coordinate of one file, unless the configuration replaces it.

    Raises
    ------
    TimeError
        No time coordinate, or one that cannot be decoded.
    """
    coordinate = time_variable(source, dim) if dim else None
    attrs = coordinate.attrs if coordinate is not None else {}
    attribute = str(attrs["calendar"]) if "calendar" in attrs else None
    calendar = canonical_calendar(options.calendar or attribute, where)
    if dim is None or options.start or options.mean_over:
        return FileTimes(source.path, n, calendar, None, None)
    if coordinate is None:
        raise TimeError(
            f"dimension {dim!r} has no coordinate variable",
            where=where,
            why="the steps cannot be given a month",
            fix="declare the first month, time: {start: 'YYYY-MM'}",
        )
    units = options.units or (str(attrs["units"]) if "units" in attrs else None)
    place = f"{where}, time {coordinate.name}"
    dates = decode_stamps(source.read(coordinate.name), units, calendar, place)
    bounds = _bounds(source, coordinate, n, dates, units, calendar, where)
    if bounds is None and n > 1:
        _check_yearly_ends(source.read(coordinate.name).ravel(), dates, place)
    return FileTimes(source.path, n, calendar, dates, bounds)


def _bounds(
    source: Source,
    coordinate: Variable,
    n: int,
    dates: list[cftime.datetime],
    units: str | None,
    calendar: str,
    where: str,
) -> Bounds | None:
    """Read the bounds that the file names, or that have the usual name and hold the stamps."""
    named = str(coordinate.attrs.get("bounds", ""))
    usual = [coordinate.name + suffix for suffix in ("_bnds", "_bounds", "_bound")]
    for name in [named] if named else usual:
        held = source.variables.get(name)
        if held is None or held.shape != (n, 2) or held.dtype.kind not in "iuf":
            continue
        flat = decode_stamps(source.read(name), units, calendar, f"{where}, time bounds {name}")
        bounds = list(zip(flat[::2], flat[1::2], strict=True))
        hold = all(b < e and b <= d <= e for d, (b, e) in zip(dates, bounds, strict=True))
        if named or hold:
            return bounds
    return None


def join_times(
    files: Sequence[FileTimes], options: TimeOptions, where: str
) -> tuple[tuple[int, ...], TimeAxis]:
    """Put files in order of time and make one axis of them.

    Returns
    -------
    order : tuple of int
        Files by time.
    axis : TimeAxis

    Raises
    ------
    TimeError
        Different calendars, overlaps between files, gaps, duplicates, disorder, no time at all.
    """
    calendars = {f.calendar: f.path for f in files}
    if len(calendars) > 1:
        told = "; ".join(f"{path}: {name}" for name, path in sorted(calendars.items()))
        raise TimeError(
            f"the files have different calendars ({told})",
            where=where,
            fix="make them one member each, or declare time: {calendar: ...}",
        )
    calendar = files[0].calendar
    total = sum(f.n for f in files)
    if options.mean_over is not None:
        if total != 1:
            raise TimeError(
                f"declared as one mean over {options.mean_over[0]}..{options.mean_over[1]},"
                f" but there are {total} steps",
                where=where,
                fix="leave out time.mean_over",
            )
        return (0,), TimeAxis.of_period(options.mean_over, calendar)
    if options.start:
        axis = TimeAxis.regular(options.start, total, options, calendar, where)
        return tuple(range(len(files))), axis
    if any(f.dates is None for f in files):
        raise TimeError(
            "the variable has no time dimension",
            where=where,
            why="it is not known for which months the flux holds",
            fix="declare time: {mean_over: [2013, 2022]} for a mean over years,"
            " or time: {start: '2013-01', resolution: month}",
        )
    order = sorted(range(len(files)), key=lambda i: (files[i].dates or [])[:1])
    ordered = [files[i] for i in order if files[i].dates]
    for before, after in pairwise(ordered):
        assert before.dates
        assert after.dates
        if after.dates[0] <= before.dates[-1]:
            raise TimeError(
                f"two files overlap in time: one ends {_date(before.dates[-1])},"
                f" the next begins {_date(after.dates[0])}",
                where=f"{before.path} and {after.path}",
                why="those months would be counted twice",
                fix="narrow the glob so that each month comes from one file",
            )
    dates = [d for f in ordered for d in f.dates or []]
    with_bounds = all(f.bounds is not None for f in ordered)
    bounds = [b for f in ordered for b in f.bounds or []] if with_bounds else None
    place = where if len(files) == 1 else f"{where} ({len(files)} files)"
    return tuple(order), axis_of_dates(dates, bounds, options, calendar, place)


def _check_yearly_ends(numbers: npt.NDArray[Any], dates: list[cftime.datetime], where: str) -> None:
    """Refuse years that begin one year after the reference date of the units."""
    at_begin = all((d.month, d.day, d.hour) == (1, 1, 0) for d in dates)
    yearly = all(b.year - a.year == 1 for a, b in pairwise(dates))
    first = dates[0].year
    # counted from 0 the first year is the reference's own; counted from 1 it may be either
    if at_begin and yearly and 0 < numbers[0] <= 1.01 * float(numbers[1] - numbers[0]):
        raise TimeError(
            f"annual stamps begin on {_date(dates[0])}, a year after the reference date: the end"
            f" of {first - 1} or the start of {first}?",
            where=where,
            why="every flux could be one year off",
            fix=f"time: {{start: '{first - 1:04d}-01', resolution: year}} if they are ends,"
            f" time: {{start: '{first:04d}-01', resolution: year}} if they are beginnings",
        )


def _date(date: cftime.datetime) -> str:
    return f"{date.year:04d}-{date.month:02d}-{date.day:02d}"
