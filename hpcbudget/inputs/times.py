"""The time axis of one series: which calendar month every step belongs to and how long it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hpcbudget.errors import TimeError
from hpcbudget.inputs.stamps import month_days, year_days
from hpcbudget.options import TimeOptions

Resolution = Literal["month", "year", "period", "days", "day", "hour"]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]
DAY = 86400.0


@dataclass(frozen=True, eq=False)
class TimeAxis:
    """Calendar months and lengths of consecutive steps.

    Attributes
    ----------
    year, month : int32[step]
        Calendar month a step lies in, or begins with; month is 0 for years and periods.
    span_months : int32[step]
        Months a step touches: 1 (also for a day or hour, which lies within one), 2 for several
        days that run into the next month, 12 for a year, 12 times the number of years for a
        period.
    seconds : float64[step]
        Length of the step.
    month_seconds, year_seconds : float64[step]
        Length of the calendar month (of a mean month for years and periods) and of the calendar
        year (of a mean year for periods), in the member's own calendar.
    resolution : {"month", "year", "period", "days", "day", "hour"}
        Within a year or period the rate is constant: its months are not independent. ``days``
        are steps of several days, which may lie in two months.
    calendar : str
        cftime's name.
    carried_seconds : float64[step] or None
        Of steps of several days, the part that lies in the month after the first.
    """

    year: Int32
    month: Int32
    span_months: Int32
    seconds: Float64
    month_seconds: Float64
    year_seconds: Float64
    resolution: Resolution
    calendar: str
    carried_seconds: Float64 | None = None

    def __len__(self) -> int:
        return self.year.size

    @property
    def first_month(self) -> npt.NDArray[np.int64]:
        """First month a step covers, as ``year * 12 + (month - 1)``."""
        return self.year.astype(np.int64) * 12 + np.maximum(self.month, 1) - 1

    def steps_within(self, period: tuple[int, int] | None) -> tuple[int, int]:
        """Return the half-open range of steps that touch the (inclusive) years of `period`.

        Empty (``start == stop``) if there is none.
        """
        if period is None:
            return 0, len(self)
        last = self.first_month + self.span_months - 1
        inside = np.flatnonzero((last >= period[0] * 12) & (self.first_month < period[1] * 12 + 12))
        return (int(inside[0]), int(inside[-1]) + 1) if inside.size else (0, 0)

    def pieces(self, first: int, last: int) -> tuple[TimeAxis, npt.NDArray[np.int64]]:
        """Return the parts of steps ``[first, last)`` that lie in one month each.

        Returns
        -------
        TimeAxis
            Its steps are the parts, in the order of time; their lengths add up to the steps'.
        int64[part]
            The step that each is a part of, counted from `first`.
        """
        whole = self.seconds[first:last]
        steps = np.arange(whole.size)
        carried = np.zeros(whole.size)
        if self.carried_seconds is not None:
            carried = self.carried_seconds[first:last]
        step_of = np.repeat(steps, 1 + (carried > 0))
        later = np.append(False, step_of[1:] == step_of[:-1])
        months = TimeAxis.of_months(self.first_month[first:last][step_of] + later, self.calendar)
        seconds = np.where(later, carried[step_of], (whole - carried)[step_of])
        return replace(months, seconds=seconds, resolution=self.resolution), step_of

    def label(self, step: int) -> str:
        """Return the date of a step for messages, such as ``1997-02``."""
        year, month = int(self.year[step]), int(self.month[step])
        if self.resolution == "period":
            return f"{year}..{year + int(self.span_months[step]) // 12 - 1}"
        return f"{year:04d}-{month:02d}" if month else f"{year:04d}"

    def __str__(self) -> str:
        if not len(self):
            return "no steps"
        first, last = self.label(0), self.label(len(self) - 1)
        return first if first == last else f"{first}..{last}"

    @classmethod
    def of_months(cls, number: npt.NDArray[np.int64], calendar: str) -> TimeAxis:
        """Return whole calendar months, given by number (see `first_month`).

        Examples
        --------
        >>> axis = TimeAxis.of_months(2000 * 12 + np.arange(3), "360_day")
        >>> str(axis), float(axis.seconds[1]) / 86400
        ('2000-01..2000-03', 30.0)
        """
        unique, inverse = np.unique(number, return_inverse=True)
        days = np.array([month_days(int(v) // 12, int(v) % 12 + 1, calendar) for v in unique])
        years, of_year = np.unique(number // 12, return_inverse=True)
        seconds = days[inverse] * DAY
        return cls(
            year=(number // 12).astype(np.int32),
            month=(number % 12 + 1).astype(np.int32),
            span_months=np.ones(number.size, np.int32),
            seconds=seconds,
            month_seconds=seconds,
            year_seconds=np.array([year_days(int(y), calendar) * DAY for y in years])[of_year],
            resolution="month",
            calendar=calendar,
        )

    @classmethod
    def of_spells(
        cls,
        number: npt.NDArray[np.int64],
        seconds: Float64,
        carried_seconds: Float64,
        calendar: str,
    ) -> TimeAxis:
        """Return steps of several days that begin in these months (see `first_month`).

        Examples
        --------
        >>> eight = np.full(2, 8 * DAY)
        >>> axis = TimeAxis.of_spells(
        ...     np.array([24000, 24000]), eight, np.array([0.0, 3 * DAY]), "noleap")
        >>> parts, step_of = axis.pieces(0, 2)
        >>> (parts.seconds / DAY).tolist(), parts.month.tolist(), step_of.tolist()
        ([8.0, 5.0, 3.0], [1, 1, 2], [0, 1, 1])
        """
        return replace(
            cls.of_months(number, calendar),
            span_months=1 + (carried_seconds > 0).astype(np.int32),
            seconds=seconds,
            resolution="days",
            carried_seconds=carried_seconds,
        )

    @classmethod
    def of_years(cls, years: npt.NDArray[Any], calendar: str) -> TimeAxis:
        """Return whole calendar years."""
        seconds = np.array([year_days(int(y), calendar) * DAY for y in years])
        return cls(
            year=years.astype(np.int32),
            month=np.zeros(years.size, np.int32),
            span_months=np.full(years.size, 12, np.int32),
            seconds=seconds,
            month_seconds=seconds / 12,
            year_seconds=seconds,
            resolution="year",
            calendar=calendar,
        )

    @classmethod
    def of_period(cls, years: tuple[int, int], calendar: str) -> TimeAxis:
        """Return one step: the mean over the inclusive `years`."""
        days = [year_days(y, calendar) for y in range(years[0], years[1] + 1)]
        seconds = np.array([sum(days) * DAY])
        return cls(
            year=np.array([years[0]], np.int32),
            month=np.zeros(1, np.int32),
            span_months=np.array([12 * len(days)], np.int32),
            seconds=seconds,
            month_seconds=seconds / (12 * len(days)),
            year_seconds=seconds / len(days),
            resolution="period",
            calendar=calendar,
        )

    @classmethod
    def regular(
        cls, start: str, n: int, options: TimeOptions, calendar: str, where: str
    ) -> TimeAxis:
        """Return `n` consecutive steps from a declared first month, whatever the stamps say.

        Raises
        ------
        TimeError
            If `start` is not ``YYYY-MM`` or the declared resolution is neither month nor year.
        """
        year, _, month = start.partition("-")
        if not (year.isdigit() and month[:2].isdigit() and 1 <= int(month[:2]) <= 12):
            raise TimeError(
                f"time: {{start: {start!r}}} is no month", where=where, fix="write it as '1959-01'"
            )
        resolution = options.resolution or "month"
        if resolution == "month":
            first = int(year) * 12 + int(month[:2]) - 1
            return cls.of_months(first + np.arange(n), calendar)
        if resolution == "year":
            return cls.of_years(int(year) + np.arange(n), calendar)
        raise TimeError(
            f"a declared start does not go with steps of one {resolution}",
            where=where,
            fix="leave out time.start, or aggregate to months first",
        )
