"""Where in their months or years do stamps lie? Those of one calendar keep to one place.

A file that leaves out its calendar is read with the standard one. Three centuries after the
reference date a model's noleap numbers are then 73 days off: its fluxes would go to another month,
each of them found, none doubled. The place of the stamps gives that away, for months of another
length do not follow them (unless middles meet middles: a shift of whole months shows after some
years only). What may be one month as well as the next is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import cftime
import numpy as np
import numpy.typing as npt

from hpcbudget.errors import TimeError
from hpcbudget.inputs.stamps import linear_seconds

DAY = 86400.0

SAME = 1.01
"""Days by which stamps of one place differ at most: 15 or 16, 28 or 29 February."""

MIDDLE = 2.5
"""Days from the true middle: all months taken for 30.4 days come that near."""


def check_months(
    months: npt.NDArray[np.int64], dates: Sequence[cftime.datetime], calendar: str, where: str
) -> None:
    """Refuse stamps without bounds that may not lie in the months they seem to lie in.

    Parameters
    ----------
    months : int64[step]
        Month of each stamp, ``year * 12 + (month - 1)``; consecutive.
    dates : sequence of cftime.datetime
    calendar, where : str
        Calendar of the dates; file and variable for messages.

    Raises
    ------
    TimeError
        Stamps wander through their months, or are the ends of months as well as the beginnings.
    """
    at_begin = all(d.day == 1 and (d.hour, d.minute, d.second) == (0, 0, 0) for d in dates)
    if at_begin:
        _ask_begin_or_end(months, where)
        return
    edges = [_first_of(int(n), calendar) for n in (*months, months[-1] + 1)]
    _check_place("month", dates, linear_seconds(edges, calendar), calendar, where)


def check_years(
    years: npt.NDArray[np.int64], dates: Sequence[cftime.datetime], calendar: str, where: str
) -> None:
    """Refuse yearly stamps without bounds whose place in the year wanders (see `check_months`)."""
    edges = [_first_of(12 * int(n), calendar) for n in (*years, years[-1] + 1)]
    _check_place("year", dates, linear_seconds(edges, calendar), calendar, where)


def _ask_begin_or_end(months: npt.NDArray[np.int64], where: str) -> None:
    """Refuse month beginnings that leave one month of a year out, unless they are ends."""
    first, last = int(months[0]), int(months[-1])
    from_february, to_january = first % 12 == 1, last % 12 == 0 and first % 12 != 0
    if months.size == 1 or not (from_february or to_january):
        return
    before, after = (first - 1, first) if from_february else (last - 1, last)
    names = [cftime.datetime(1, n % 12 + 1, 1).strftime("%B") for n in (before, after)]
    raise TimeError(
        f"stamps are month beginnings from {_month(first)} to {_month(last)}: the end of"
        f" {names[0]} or the start of {names[1]}?",
        where=where,
        why="every flux could be one month off",
        fix=f"time: {{start: '{_month(first - 1)}'}} if they are ends,"
        f" time: {{start: '{_month(first)}'}} if they are beginnings",
    )


def _check_place(
    whole: str,
    dates: Sequence[cftime.datetime],
    edges: npt.NDArray[np.float64],
    calendar: str,
    where: str,
) -> None:
    """Refuse stamps that keep to no place: neither a date, nor the middle, nor the end."""
    stamps = linear_seconds(dates, calendar)
    after, before = (stamps - edges[:-1]) / DAY, (edges[1:] - stamps) / DAY
    inside = after[before > SAME]  # the 30th of each month is the last day of February
    one_date = not inside.size or np.ptp(inside) <= SAME
    if one_date or np.abs(after - before).max() / 2 <= MIDDLE:
        return
    low, high = (dates[int(i)] for i in (after.argmin(), after.argmax()))
    raise TimeError(
        f"the stamps ({calendar} calendar) keep to no place in their {whole}s: one is"
        f" {low.isoformat()[:10]}, another {high.isoformat()[:10]}",
        where=where,
        why=f"numbers of another calendar look like that: every flux may be in a wrong {whole}",
        fix="declare the calendar that they were written with, time: {calendar: noleap} (360_day,"
        " standard), or the first step if they are consecutive: time: {start: 'YYYY-MM'"
        + ("}" if whole == "month" else ", resolution: year}"),
    )


def _first_of(number: int, calendar: str) -> cftime.datetime:
    return cftime.datetime(number // 12, number % 12 + 1, 1, calendar=calendar)


def _month(number: int) -> str:
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
