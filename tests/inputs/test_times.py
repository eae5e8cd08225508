"""Steps get the months and lengths of their own calendar, or are refused by name."""

from __future__ import annotations

import cftime
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.errors import TimeError
from hpcbudget.inputs.stamps import CALENDARS, canonical_calendar, decode_stamps, year_days
from hpcbudget.inputs.steps import axis_of_dates
from hpcbudget.inputs.times import TimeAxis
from hpcbudget.options import TimeOptions


def axis(values: object, units: str, calendar: str = "standard", **options: object) -> TimeAxis:
    dates = decode_stamps(np.asarray(values), units, calendar, "f")
    return axis_of_dates(dates, None, TimeOptions(**options), calendar, "f")


@given(
    st.sampled_from(CALENDARS),
    st.integers(1700, 2100),
    st.integers(2, 40),
    st.sampled_from([0.0, 0.5, 0.97]),
)
def test_months_fill_years(name: str, year: int, n_years: int, phase: float) -> None:
    calendar = canonical_calendar(name, "")
    dates = []
    for y in range(year, year + n_years):
        for m in range(1, 13):
            day = 1 + int(phase * 28)
            dates.append(cftime.datetime(y, m, day, calendar=calendar))
    found = axis_of_dates(dates, None, TimeOptions(), calendar, "f")
    assert found.resolution == "month"
    total = sum(year_days(y, calendar) for y in range(year, year + n_years)) * 86400.0
    assert found.seconds.sum() == total
    assert found.year_seconds[::12].sum() == total
    np.testing.assert_array_equal(np.diff(found.first_month), 1)


@pytest.mark.parametrize(
    ("values", "units"),
    [
        (np.arange(24) + 0.5, "months since 1960-01-01"),
        (np.arange(24), "months since 1960-01-01"),
        (np.arange(24), "months since 1960-01-15 00:00:00"),
        (np.arange(24) / 12, "years since 1960-01-01"),
        (((np.arange(24) + 0.5) / 12).astype("f4"), "years since 1960-01-01"),
        (1960 + (np.arange(24) + 0.5) / 12, "decimal year"),
        ([y * 100 + m for y in (1960, 1961) for m in range(1, 13)], "month as %Y%m.%f"),
        (
            [y * 10000 + m * 100 + 15 for y in (1960, 1961) for m in range(1, 13)],
            "day as %Y%m%d.%f",
        ),
    ],
)  # fmt: skip
def test_units_without_length(values: object, units: str) -> None:
    found = axis(values, units, "noleap")
    assert str(found) == "1960-01..1961-12"
    assert found.seconds[1] == 28 * 86400


def test_annual_and_period() -> None:
    years = axis(np.arange(5), "years since 1990-01-01", "360_day")
    assert years.resolution == "year"
    assert set(years.month) == {0}
    assert set(years.span_months) == {12}
    assert years.seconds[0] == 360 * 86400
    period = TimeAxis.of_period((2013, 2022), "standard")
    assert period.span_months[0] == 120
    assert period.seconds[0] == 3652 * 86400
    assert period.steps_within((1990, 2020)) == (0, 1)
    assert period.steps_within((1990, 2012)) == (0, 0)


@pytest.mark.parametrize("shift", [0.0, 0.0625])
def test_three_hourly(shift: float) -> None:
    found = axis(np.arange(0, 60, 0.125) + shift, "days since 2001-01-01")
    assert found.resolution == "hour"
    for month, days in ((1, 31), (2, 28)):
        assert found.seconds[found.month == month].sum() == days * 86400


def test_end_stamps_with_bounds() -> None:
    ends = np.cumsum([31, 28, 31]).astype(float)
    dates = decode_stamps(ends, "days since 2001-01-01", "noleap", "f")
    begins = decode_stamps(ends - [31, 28, 31], "days since 2001-01-01", "noleap", "f")
    found = axis_of_dates(
        dates, list(zip(begins, dates, strict=True)), TimeOptions(), "noleap", "f"
    )
    assert str(found) == "2001-01..2001-03"


def test_steps_within_period() -> None:
    found = axis(np.arange(48), "months since 1999-01-01")
    assert found.steps_within((2000, 2001)) == (12, 36)
    assert found.steps_within(None) == (0, 48)
    assert found.steps_within((1980, 1990)) == (0, 0)


BAD = {
    "gap": ([0, 1, 3], "months since 2000-01-01", "2000-03 are missing"),
    "duplicate": ([0, 31, 31, 60], "days since 2000-01-01", "2000-02 occur more than once"),
    "unsorted": ([0, 60, 31], "days since 2000-01-01", "2000-02 follows 2000-03"),
    "end_or_begin": (
        np.arange(1, 25),
        "months since 2000-01-01",
        "the end of January or the start",
    ),
    "weekly": ([0, 7, 14], "days since 2000-01-01", "7 days without time bounds"),
    "seasonal": ([0, 91, 182], "days since 2000-01-01", "neither hours, days, weeks, months"),
    "single": ([15], "days since 2000-01-01", "single time step"),
    "hour_end": (np.arange(1, 9) / 8, "days since 2000-01-01", "end of the first step"),
    "day_gap": ([0, 1, 3, 4], "days since 2000-01-01", "gap between 2000-01-02T00:00"),
    "nan": ([0.0, np.nan], "days since 2000-01-01", "not usable numbers"),
    "fill": ([0.0, 9.96921e36], "days since 2000-01-01", "not usable numbers"),
    "fortnights": ([0, 1], "fortnights since 2000-01-01", "cannot be decoded"),
    "no_units": ([0, 1], "", "no units"),
    "bad_month": ([0, 1], "months since 2000-13-01", "cannot be decoded"),
    "text": (["a", "b"], "days since 2000-01-01", "not numbers"),
    "digits": ([200013, 200014], "month as %Y%m.%f", "cannot be decoded"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_time(name: str) -> None:
    values, units, message = BAD[name]
    with pytest.raises(TimeError, match=message):
        axis(values, units)


def test_leap_days_left_out_are_explained() -> None:
    with pytest.raises(TimeError) as caught:
        axis(np.delete(np.arange(100), 59), "days since 2000-01-01")
    assert "calendar: noleap" in caught.value.fix


def test_declared_start_replaces_stamps() -> None:
    found = TimeAxis.regular("1959-01", 24, TimeOptions(), "noleap", "f")
    assert str(found) == "1959-01..1960-12"
    with pytest.raises(TimeError, match="no month"):
        TimeAxis.regular("1959/01", 24, TimeOptions(), "noleap", "f")
