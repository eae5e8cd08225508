"""Steps of several days, such as weeks and 8-day composites: their edges, and their months.

The mean over eight days says nothing of how the flux went within them, so it holds for each of
those days: a step that runs into the next month counts there with the seconds that it has there.
"""

from __future__ import annotations

import cftime
import numpy as np
import numpy.typing as npt

from hpcbudget.errors import TimeError
from hpcbudget.inputs.stamps import linear_seconds
from hpcbudget.inputs.times import DAY, Float64, TimeAxis
from hpcbudget.options import StampPlace

LONGEST = 27 * DAY
"""A step that is no longer touches two months at most."""

ROUNDING = 1.0
"""Seconds by which edges may differ that mean the same moment."""


def edges_of_stamps(
    stamps: Float64, place: StampPlace | None, calendar: str, where: str
) -> tuple[Float64, Float64]:
    """Return begins and ends of steps that have no bounds, from what their stamps name.

    A year may end with a shorter step, as those of 8-day composites do, where stamps are begins
    or ends.

    Parameters
    ----------
    stamps : float64[step]
        Linear seconds, see `hpcbudget.inputs.stamps.linear_seconds`.
    place : {"begin", "middle", "end"} or None
        As the configuration declares; None is refused, for it cannot be seen.
    calendar, where : str
        Calendar of the stamps; file and variable for messages.

    Raises
    ------
    TimeError
        The place is not declared, or steps are missing, doubled or out of order.
    """
    steps = np.diff(stamps)
    length = float(np.median(steps))
    if place is None:
        raise TimeError(
            f"steps of {length / DAY:g} days without time bounds: do the stamps name their begin,"
            " middle or end?",
            where=where,
            why="fluxes would go into a wrong month",
            fix="add bounds to the file, or declare time: {stamp: begin} (middle, end)",
        )
    edges = np.append(stamps, stamps[-1] + length)
    if place == "end":
        edges = np.append(stamps[0] - length, stamps)
    elif place == "middle":
        edges = edges - length / 2
    lengths = np.diff(edges)
    off = np.abs(lengths - length) > 0.01 * length
    if place != "middle":
        last_of_year = np.isin(np.round(edges[1:]), _year_begins(edges, calendar))
        off &= ~(last_of_year & (lengths > 0) & (lengths < length))
    if off.any():
        step = int(np.flatnonzero(off)[0])
        raise TimeError(
            f"step {step}, from {_date(edges[step], calendar)} to"
            f" {_date(edges[step + 1], calendar)}, is {lengths[step] / DAY:g} days long, the"
            f" others {length / DAY:g}",
            where=where,
            why="monthly totals would miss or double those days",
            fix="add the missing files, remove doubled ones, or add bounds to the file",
        )
    return edges[:-1], edges[1:]


def axis_of_spells(begins: Float64, ends: Float64, calendar: str, where: str) -> TimeAxis:
    """Give steps of several days to the months they lie in.

    Parameters
    ----------
    begins, ends : float64[step]
        Linear seconds.
    calendar, where : str
        Calendar of the seconds; file and variable for messages.

    Raises
    ------
    TimeError
        A step does not begin where the one before ends, or is too long.
    """
    begins, ends = np.round(begins), np.round(ends)
    apart = np.flatnonzero(np.abs(begins[1:] - ends[:-1]) > ROUNDING)
    if apart.size:
        step = int(apart[0])
        kind = "gap" if begins[step + 1] > ends[step] else "overlap or disorder"
        raise TimeError(
            f"time {kind} between step {step}, which ends {_date(ends[step], calendar)}, and the"
            f" next, which begins {_date(begins[step + 1], calendar)}",
            where=where,
            why="monthly totals would miss or double those days",
            fix="add the missing files or remove the doubled ones",
        )
    seconds = ends - begins
    if seconds.max() > LONGEST:
        raise TimeError(
            f"a step is {seconds.max() / DAY:g} days long, others are {seconds.min() / DAY:g}",
            where=where,
            why="it could touch three months",
            fix="mend the bounds, or aggregate all to months first",
        )
    dates = _dates(begins, calendar)
    number = np.array([d.year * 12 + d.month - 1 for d in dates], np.int64)
    month_ends = linear_seconds([_first_of(int(n) + 1, calendar) for n in number], calendar)
    carried = np.maximum(np.round(ends - month_ends), 0.0)
    return TimeAxis.of_spells(number, seconds, carried, calendar)


def _year_begins(edges: Float64, calendar: str) -> npt.NDArray[np.float64]:
    first, last = (date.year for date in _dates(edges[[0, -1]], calendar))
    firsts = [_first_of(12 * year, calendar) for year in range(first, last + 2)]
    return np.round(linear_seconds(firsts, calendar))


def _first_of(month: int, calendar: str) -> cftime.datetime:
    return cftime.datetime(month // 12, month % 12 + 1, 1, calendar=calendar)


def _dates(seconds: Float64, calendar: str) -> list[cftime.datetime]:
    units = "seconds since 0001-01-01 00:00:00"
    return list(cftime.num2date(seconds, units, calendar, only_use_cftime_datetimes=True))


def _date(seconds: float, calendar: str) -> str:
    return str(_dates(np.array([seconds]), calendar)[0].isoformat())[:16]
