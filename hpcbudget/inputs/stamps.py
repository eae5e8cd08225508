"""Numbers of a time coordinate into dates of its calendar.

cftime knows CF's calendars and the units that have a length. Carbon-cycle groups also write
months and years since a date, years with decimals, and dates as digits (``198501``); those are
read here, as positions within calendar months.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import cftime
import numpy as np
import numpy.typing as npt

from hpcbudget.errors import TimeError

CALENDARS: Final = (
    "standard", "gregorian", "proleptic_gregorian", "julian", "noleap", "365_day", "all_leap",
    "366_day", "360_day",
)  # fmt: skip

_SINCE = re.compile(
    r"^\s*(?P<unit>(?:common_)?(?:years?|yrs?|months?|mons?))\s+since\s+"
    r"(?P<year>[+-]?\d{1,4})(?:-(?P<month>\d{1,2}))?(?:-(?P<day>\d{1,2}))?",
    re.IGNORECASE,
)
_DECIMAL_YEARS = re.compile(
    r"^\s*(yyyy|(decimal|fractional)[ _]?years?|years?( a\.?d\.?| ce)?|yr|calendar years?)\s*$",
    re.IGNORECASE,
)
_SLASHES = re.compile(r"(since\s+\d{4})/(\d{1,2})/(\d{1,2})", re.IGNORECASE)
_YEAR_LAST = re.compile(r"since\s+\d{1,2}[-/. ]\d{1,2}[-/. ]\d{4}\b", re.IGNORECASE)
_DIGITS = re.compile(r"^\s*(?:day|month|year)?\s*(?:as\s+)?%?y{1,4}%?m{1,2}(?P<day>%?d{0,2})", re.I)


def canonical_calendar(name: str | None, where: str) -> str:
    """Return cftime's name of a calendar; CF's default is ``standard``.

    Raises
    ------
    TimeError
        If cftime does not know the calendar.
    """
    text = re.sub(r"[\s_-]+", "_", (name or "standard").strip().lower())
    text = re.sub(r"^(360|365|366)_?(days?)?$", r"\1_day", text).replace("no_leap", "noleap")
    if text not in CALENDARS:
        raise TimeError(
            f"unknown calendar {name!r}",
            where=where,
            why="months would get wrong lengths",
            fix=f"time: {{calendar: ...}} with one of {', '.join(CALENDARS)}",
        )
    return {"gregorian": "standard", "365_day": "noleap", "366_day": "all_leap"}.get(text, text)


def decode_stamps(
    values: npt.NDArray[Any], units: str | None, calendar: str, where: str
) -> list[cftime.datetime]:
    """Turn the numbers of a time coordinate into dates.

    Parameters
    ----------
    values : array
        Numbers as stored, any shape (it is flattened).
    units : str or None
        ``days since 1850-01-01``, ``months since 1959-01``, ``day as %Y%m%d.%f``, ``year``, ...
    calendar : str
        One of `CALENDARS`.
    where : str
        File and variable, for messages.

    Raises
    ------
    TimeError
        Missing or unreadable units, values that are not finite, dates that do not exist.

    Examples
    --------
    >>> decode_stamps(np.array([0.5, 13.0]), "months since 1960-01-01", "noleap", "")[1].isoformat()
    '1961-02-01T00:00:00'
    """
    fix = (
        "time: {units: 'days since 1850-01-01'} ('months since 1959-01', 'decimal year', 'YYYYMM')"
        " or time: {start: '1959-01'} says what they are"
    )
    if values.dtype.kind not in "iuf":
        raise TimeError(f"time values are {values.dtype}, not numbers", where=where, fix=fix)
    numbers = values.ravel()
    bad = np.flatnonzero(~np.isfinite(numbers.astype(np.float64)) | (np.abs(numbers) > 1e15))
    if bad.size:
        raise TimeError(
            f"{bad.size} time values are not usable numbers, the first at step {bad[0]}:"
            f" {numbers[bad[0]]}",
            where=where,
            why="the steps cannot be given a month",
            fix="mend the file, or time: {start: 'YYYY-MM'} if its steps are consecutive",
        )
    if not units:
        raise TimeError(
            "the time coordinate has no units",
            where=where,
            why="its numbers cannot be turned into dates",
            fix=fix,
        )
    units = _SLASHES.sub(r"\1-\2-\3", units)
    if match := _YEAR_LAST.search(units):
        raise TimeError(
            f"the reference date of {units!r} does not begin with its year",
            where=where,
            why="day and month cannot be told apart, and a year 1 would be read",
            fix="time: {units: 'days since YYYY-MM-DD'} with that date",
        )
    try:
        if match := _SINCE.match(units):
            return _since_month(numbers, match, calendar)
        if _DECIMAL_YEARS.match(units):
            months = numbers.astype(np.float64) * 12.0
            rounding = 12.0 * _spacing(numbers)
            return [_at_month(float(p), calendar, rounding) for p in months]
        if match := _DIGITS.match(units):
            return [_from_digits(float(v), bool(match["day"]), calendar) for v in numbers]
        dates = cftime.num2date(
            numbers,
            units,
            calendar,
            only_use_cftime_datetimes=True,
            only_use_python_datetimes=False,
        )
    except (ValueError, TypeError, OverflowError) as error:  # cftime raises all of them
        zero = (
            "time: {calendar: proleptic_gregorian} has a year 0; " if "zero" in str(error) else ""
        )
        raise TimeError(
            f"time units {units!r} ({calendar}) cannot be decoded: {error}",
            where=where,
            fix=zero + fix,
        ) from None
    return list(dates)


def linear_seconds(dates: Sequence[cftime.datetime], calendar: str) -> npt.NDArray[np.float64]:
    """Return seconds since the year 1 in the calendar of the dates, for differences."""
    numbers = cftime.date2num(list(dates), "seconds since 0001-01-01 00:00:00", calendar)
    return np.asarray(numbers, dtype=np.float64)


def month_days(year: int, month: int, calendar: str) -> int:
    """Return the number of days of a month (1-12) in a calendar.

    Examples
    --------
    >>> [month_days(2000, 2, c) for c in ("standard", "noleap", "360_day", "all_leap")]
    [29, 28, 30, 29]
    """
    return int(cftime.datetime(year, month, 1, calendar=calendar).daysinmonth)


def year_days(year: int, calendar: str) -> int:
    """Return the number of days of a year in a calendar."""
    return sum(month_days(year, month, calendar) for month in range(1, 13))


def _since_month(
    numbers: npt.NDArray[Any], match: re.Match[str], calendar: str
) -> list[cftime.datetime]:
    """Positions in calendar months: no month or year has a fixed length here."""
    scale = 12.0 if "y" in match["unit"].lower() else 1.0
    month, day = int(match["month"] or 1), int(match["day"] or 1)
    # refuses what is no date; a year 0 counts like any leap year here, and cftime warns of it
    cftime.datetime(int(match["year"]) or 4, month, day, calendar=calendar)
    origin = int(match["year"]) * 12 + (month - 1) + (day - 1) / 31.0
    rounding = scale * _spacing(numbers)
    return [_at_month(origin + float(v) * scale, calendar, rounding) for v in numbers]


def _spacing(numbers: npt.NDArray[Any]) -> float:
    """Return how far apart neighbours of the numbers' own type are: what they are rounded to."""
    return float(np.spacing(np.abs(numbers).max(initial=1))) if numbers.dtype.kind == "f" else 0.0


def _at_month(position: float, calendar: str, rounding: float) -> cftime.datetime:
    """Date at a position in months since year 0; the fraction is one of that month's length."""
    near = max(rounding, 1e-4)  # 1/12 of a year, written with few digits
    whole = int(np.floor(position + near))
    year, month = divmod(whole, 12)
    fraction = max(position - whole, 0.0)
    seconds = round(fraction * month_days(year, month + 1, calendar) * 86400)
    first = cftime.datetime(year, month + 1, 1, calendar=calendar)
    at_first = seconds <= max(300, near * 31 * 86400)
    return first if at_first else first + np.timedelta64(seconds, "s").astype(object)


def _from_digits(value: float, with_day: bool, calendar: str) -> cftime.datetime:
    """Date written as digits, YYYYMM or YYYYMMDD with a fraction of a day."""
    whole = int(value)
    if with_day:
        date = cftime.datetime(whole // 10000, whole // 100 % 100, whole % 100, calendar=calendar)
        return date + np.timedelta64(round((value - whole) * 86400), "s").astype(object)
    return cftime.datetime(whole // 100, whole % 100, 1, calendar=calendar)
