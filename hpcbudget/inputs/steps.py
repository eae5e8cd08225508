"""Dated steps into a `TimeAxis`: their resolution, and the proof that they follow one another.

A monthly or annual value is the mean over its whole calendar month or year, whatever moment its
stamp names (beginning, middle or end), so steps get the length of their month in the member's own
calendar. Daily and 3-hourly steps keep their own length, and so do steps of several days, which may
lie in two months. What does not fit is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import cftime
import numpy as np
import numpy.typing as npt

from hpcbudget.errors import TimeError
from hpcbudget.inputs.places import check_months, check_years
from hpcbudget.inputs.spells import axis_of_spells, edges_of_stamps
from hpcbudget.inputs.stamps import linear_seconds
from hpcbudget.inputs.times import DAY, Float64, TimeAxis
from hpcbudget.options import TimeOptions

Dates = Sequence[cftime.datetime]


def axis_of_dates(
    dates: Dates,
    bounds: Sequence[tuple[cftime.datetime, cftime.datetime]] | None,
    options: TimeOptions,
    calendar: str,
    where: str,
) -> TimeAxis:
    """Find the resolution of dated steps and check that they follow one another.

    Parameters
    ----------
    dates : sequence of cftime.datetime
        Stamps in the order of the file or files.
    bounds : sequence of pairs or None
        Begin and end of every step, where the file has them; they win over the stamps.
    options : TimeOptions
        Declared resolution.
    calendar, where : str
        Calendar of the dates; file and variable for messages.

    Raises
    ------
    TimeError
        No or irregular resolution, stamps that may mean two months, gaps, duplicates, steps out
        of order.
    """
    if not dates:
        raise TimeError("there are no time steps", where=where, fix="check the file or glob")
    stamps = linear_seconds(dates, calendar)
    begin = lengths = None
    if bounds is not None:
        begin = linear_seconds([b[0] for b in bounds], calendar)
        lengths = linear_seconds([b[1] for b in bounds], calendar) - begin
        if np.any(lengths <= 0):
            step = int(np.flatnonzero(lengths <= 0)[0])
            raise TimeError(
                f"time bounds of step {step} ({_minute(dates[step])}) have no positive length",
                where=where,
                fix="mend the bounds, or time: {start: 'YYYY-MM'} to do without them",
            )
        stamps = begin + lengths / 2
        dates = _dates_at(stamps, calendar)
    resolution = options.resolution or _resolution(stamps, lengths, where)
    if resolution in ("month", "year"):
        return _whole(resolution, dates, lengths, calendar, where)
    if resolution == "days":
        if begin is None or lengths is None:
            return axis_of_spells(
                *edges_of_stamps(stamps, options.stamp, calendar, where), calendar, where
            )
        return axis_of_spells(begin, begin + lengths, calendar, where)
    return _short("day" if resolution == "day" else "hour", stamps, dates, lengths, calendar, where)


def _whole(
    resolution: str, dates: Dates, lengths: Float64 | None, calendar: str, where: str
) -> TimeAxis:
    """Make an axis of steps that are whole calendar months or years."""
    months = np.array([d.year * 12 + d.month - 1 for d in dates], np.int64)
    if resolution == "year":
        _check_consecutive(months // 12, lambda v: f"{v:04d}", where)
        if lengths is None:
            check_years(months // 12, dates, calendar, where)
        axis = TimeAxis.of_years(months // 12, calendar)
    else:
        _check_consecutive(months, _month_name, where)
        if lengths is None:
            check_months(months, dates, calendar, where)
        axis = TimeAxis.of_months(months, calendar)
    if lengths is not None:
        off = np.flatnonzero(np.abs(lengths - axis.seconds) > 1.5 * DAY)
        if off.size:
            raise TimeError(
                f"time bounds of {axis.label(int(off[0]))} span {lengths[off[0]] / DAY:g} days"
                f" where that {resolution} has {axis.seconds[off[0]] / DAY:g}",
                where=where,
                why="the value would be counted for the wrong length of time",
                fix="check the calendar and the bounds, or declare time: {resolution: ...}",
            )
    return axis


def _short(
    resolution: Literal["day", "hour"],
    stamps: Float64,
    dates: Dates,
    lengths: Float64 | None,
    calendar: str,
    where: str,
) -> TimeAxis:
    """Make an axis of steps of a day or less, each within one month."""
    steps = np.diff(stamps)
    known = steps if lengths is None else lengths
    length = float(np.median(known)) if known.size else DAY
    uneven = np.flatnonzero(np.abs(steps - length) > 0.01 * length)
    if uneven.size:
        at = int(uneven[0])
        before, after = _minute(dates[at]), _minute(dates[at + 1])
        leap = calendar != "noleap" and before[5:10] == "02-28" and after[5:10] == "03-01"
        raise TimeError(
            f"time {'gap' if steps[at] > length else 'overlap or disorder'} between {before} and"
            f" {after} (steps are {length / 3600:g} h)",
            where=where,
            why="monthly totals would miss or double those hours",
            fix="time: {calendar: noleap} if leap days were left out"
            if leap
            else "add the missing files or remove the doubled ones",
        )
    inside = dates
    if lengths is None and stamps[0] % length < 1:  # stamps are begins (or ends) of steps
        _check_first(stamps[0], dates[0], length, calendar, where)
        inside = _dates_at(stamps + length / 2, calendar)
    number = np.array([d.year * 12 + d.month - 1 for d in inside], np.int64)
    months = TimeAxis.of_months(number, calendar)
    return replace(months, seconds=np.full(len(months), length), resolution=resolution)


def _check_first(
    stamp: float, first: cftime.datetime, length: float, calendar: str, where: str
) -> None:
    """Refuse a series that would begin one step after the start of a month."""
    before = _dates_at(np.array([stamp - length]), calendar)[0]
    if (first.day, first.hour) != (1, 0) and (before.day, before.hour) == (1, 0):
        raise TimeError(
            f"the first stamp is {_minute(first)}: the end of the first step or the start of the"
            " second?",
            where=where,
            why="every flux could be one step off",
            fix="add time bounds to the file, or cut it to whole months",
        )


def _resolution(
    stamps: Float64, lengths: Float64 | None, where: str
) -> Literal["hour", "day", "days", "month", "year"]:
    steps = lengths if lengths is not None else np.diff(stamps)
    fix = "declare time: {resolution: month} (hour, day, month or year)"
    if not steps.size:
        raise TimeError(
            "a single time step without bounds: its length is unknown",
            where=where,
            why="the flux may be a mean over a month, a year or a decade",
            fix=fix + ", or time: {mean_over: [2013, 2022]}",
        )
    days = float(np.median(steps)) / DAY
    if not _known(days):  # gaps or disorder may hide it; they are named once it is known
        positive = np.abs(steps[steps != 0])
        days = float(positive.min()) / DAY if positive.size else 0.0
    if 0 < days < 0.99:
        return "hour"
    if 0.99 <= days < 1.01:
        return "day"
    if 1.01 <= days <= 27:
        return "days"
    if 27 < days < 32:
        return "month"
    if 359 < days < 367:
        return "year"
    raise TimeError(
        f"time steps of {days:g} days are neither hours, days, weeks, months nor years",
        where=where,
        why="they touch three months or more: what belongs to each is not known",
        fix="aggregate them to months or years first; " + fix,
    )


def _known(days: float) -> bool:
    return 0 < days < 1.01 or 27 < days < 32 or 359 < days < 367


def _check_consecutive(
    number: npt.NDArray[np.int64], name: Callable[[int], str], where: str
) -> None:
    """Refuse gaps, duplicates and disorder of whole months or years, each by name."""
    step = np.diff(number)
    if np.all(step == 1):
        return
    ordered, counts = np.unique(number, return_counts=True)
    doubled = ordered[counts > 1]
    missing = np.setdiff1d(np.arange(ordered[0], ordered[-1] + 1), ordered)
    parts = []
    if doubled.size:
        parts.append(f"{_some(doubled, name)} occur more than once")
    if missing.size:
        parts.append(f"{_some(missing, name)} are missing")
    back = np.flatnonzero(step < 0)
    if back.size:
        before, after = int(number[back[0]]), int(number[back[0] + 1])
        parts.append(f"{name(after)} follows {name(before)}: not sorted")
    raise TimeError(
        "time steps: " + "; ".join(parts),
        where=where,
        why="totals would miss or double those months",
        fix="add the missing files or remove the doubled ones; time: {calendar: noleap} (360_day)"
        " if the file leaves its calendar out; time: {start: 'YYYY-MM'} if the steps are"
        " consecutive and only the stamps are wrong",
    )


def _some(numbers: npt.NDArray[np.int64], name: Callable[[int], str]) -> str:
    shown = ", ".join(name(int(v)) for v in numbers[:6])
    return shown + (f" and {numbers.size - 6} more" if numbers.size > 6 else "")


def _month_name(number: int) -> str:
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def _minute(date: cftime.datetime) -> str:
    return str(date.isoformat())[:16]


def _dates_at(seconds: Float64, calendar: str) -> list[cftime.datetime]:
    return list(
        cftime.num2date(
            seconds, "seconds since 0001-01-01 00:00:00", calendar, only_use_cftime_datetimes=True
        )
    )
