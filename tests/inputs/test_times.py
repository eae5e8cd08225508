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


def numbers(calendar: str, first_year: int, n: int, place: float) -> np.ndarray:
    """Days since 1700 of `n` months from January of a year on, at a place of each month."""
    months = [first_year * 12 + k for k in range(n + 1)]
    firsts = [cftime.datetime(m // 12, m % 12 + 1, 1, calendar=calendar) for m in months]
    edges = cftime.date2num(firsts, "days since 1700-01-01", calendar)
    return edges[:-1] + place * np.diff(edges)


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0 - 1e-3])
@pytest.mark.parametrize(("year", "n"), [(1990, 12), (2001, 12), (2001, 24), (2015, 96)])
def test_bad_input_numbers_of_another_calendar(place: float, year: int, n: int) -> None:
    """A file without its calendar: its months would be off by two and none would be missing."""
    values = numbers("noleap", year, n, place)
    assert str(axis(values, "days since 1700-01-01", "noleap")).startswith(f"{year}-01")
    with pytest.raises(TimeError) as caught:
        axis(values, "days since 1700-01-01")
    assert "calendar: noleap" in caught.value.fix


def test_bad_input_years_of_another_calendar() -> None:
    values = 365.0 * np.arange(290, 310)
    assert str(axis(values, "days since 1700-01-01", "noleap")) == "1990..2009"
    with pytest.raises(TimeError, match="keep to no place in their years") as caught:
        axis(values, "days since 1700-01-01")
    assert "calendar: noleap" in caught.value.fix


@pytest.mark.parametrize(
    "stamps",
    [
        [30.4375 * (k + 0.5) for k in range(48)],  # all months taken for equal
        [31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366],  # last days
        [29, 59, 89, 119, 150, 180, 211, 242, 272, 303, 333, 364],  # the 30th, 29 February
        [15, 45, 74, 105, 135, 166, 196, 227, 258, 288, 319, 349],  # the 16th or 15th
    ],
)  # fmt: skip
def test_usual_places_are_known(stamps: list[float]) -> None:
    values = np.array(stamps, float) - (0.5 if stamps[0] == 31 else 0.0)
    assert str(axis(values, "days since 2000-01-01")).startswith("2000-01")


@pytest.mark.parametrize(
    ("values", "first"), [(np.arange(1, 24), "2000-01"), (np.arange(4, 13), "2000-04")]
)
def test_bad_input_month_ends_or_beginnings(values: np.ndarray, first: str) -> None:
    with pytest.raises(TimeError, match=r"the end of (January|December) or the start of") as caught:
        axis(values, "months since 2000-01-01")
    assert f"start: '{first}'}} if they are ends" in caught.value.fix


def test_decimal_years_in_single_precision() -> None:
    years = np.array([1982 + k / 12 for k in range(480)], "f4")
    found = axis(years, "decimal year")
    assert (str(found), len(found)) == ("1982-01..2021-12", 480)


@pytest.mark.parametrize(
    ("written", "name"),
    [("365 days", "noleap"), ("no_leap", "noleap"), ("360-day", "360_day"),
     ("proleptic gregorian", "proleptic_gregorian")],
)  # fmt: skip
def test_spellings_of_calendars(written: str, name: str) -> None:
    assert canonical_calendar(written, "f") == name


def test_reference_dates() -> None:
    assert str(axis([15.0, 45.0], "days since 2000/01/01")) == "2000-01..2000-02"
    assert str(axis([24000, 24001], "months since 0000-01-01")) == "2000-01..2000-02"
    assert str(axis([2001, 2002, 2003], "YYYY")) == "2001..2003"


@pytest.mark.parametrize("date", ["01-02-2000", "1/2/2000"])
@pytest.mark.parametrize("unit", ["days", "months"])
def test_bad_input_reference_dates_that_end_with_the_year(unit: str, date: str) -> None:
    with pytest.raises(TimeError, match="does not begin with its year"):
        axis([0, 31, 59], f"{unit} since {date}")


def test_bad_input_year_zero_is_answered() -> None:
    with pytest.raises(TimeError) as caught:
        axis([730500, 730531], "days since 0000-01-01")
    assert "time: {calendar: proleptic_gregorian}" in caught.value.fix


def test_leap_days_left_out_are_explained() -> None:
    with pytest.raises(TimeError) as caught:
        axis(np.delete(np.arange(100), 59), "days since 2000-01-01")
    assert "calendar: noleap" in caught.value.fix


def test_declared_start_replaces_stamps() -> None:
    found = TimeAxis.regular("1959-01", 24, TimeOptions(), "noleap", "f")
    assert str(found) == "1959-01..1960-12"
    with pytest.raises(TimeError, match="no month"):
        TimeAxis.regular("1959/01", 24, TimeOptions(), "noleap", "f")
