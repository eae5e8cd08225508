"""Totals of steps become monthly fluxes in Pg C/yr, computed by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hpcbudget.engine.merge import Monthly
from hpcbudget.engine.totals import Totals
from hpcbudget.errors import InputError
from hpcbudget.inputs.series import SeriesKey
from hpcbudget.inputs.times import TimeAxis

DAY = 86400.0
KEY = SeriesKey("inversion", "A", "A", "land", "nbp")


def series(axis: TimeAxis, steps: tuple[int, int] | None = None) -> SimpleNamespace:
    return SimpleNamespace(times=axis, steps=steps or (0, len(axis)))


def months(first: int, n: int, calendar: str) -> TimeAxis:
    return TimeAxis.of_months(first + np.arange(n), calendar)


def totals(rates: list[float]) -> Totals:
    column = np.array(rates)[:, np.newaxis]
    return Totals(column, np.ones_like(column), np.zeros_like(column))


def test_a_month_is_its_rate_over_the_calendar_year() -> None:
    # 1000 kg/s through the leap year 2000 and through 2001
    axis = months(2000 * 12 + 11, 2, "standard")
    month = Monthly(series(axis), totals([1000.0, 1000.0]))
    expected = [1000 * 366 * DAY / 1e12, 1000 * 365 * DAY / 1e12]
    assert month.flux[:, 0] == pytest.approx(expected, rel=1e-15)
    assert month.seconds.tolist() == [31 * DAY, 31 * DAY]


@pytest.mark.parametrize(("calendar", "days"), [("noleap", 365), ("360_day", 360)])
def test_each_calendar_has_its_own_year(calendar: str, days: int) -> None:
    axis = months(2000 * 12, 12, calendar)
    month = Monthly(series(axis), totals([1.0] * 12))
    assert month.flux[:, 0] == pytest.approx(days * DAY / 1e12, rel=1e-15)
    assert month.seconds.sum() == days * DAY


def test_a_mean_over_years_counts_in_each_of_its_months_within_the_period() -> None:
    axis = TimeAxis.of_period((2013, 2022), "standard")
    whole = Monthly(series(axis), totals([1.0]))
    assert whole.number.tolist() == list(range(2013 * 12, 2023 * 12))
    clipped = Monthly(series(axis), totals([1.0]), (2015, 2016))
    assert clipped.number.tolist() == list(range(2015 * 12, 2017 * 12))
    assert np.all(clipped.flux == whole.flux[0])


def days_of(month_lengths: list[int], calendar: str = "noleap") -> TimeAxis:
    """Daily steps from January 2001 on."""
    number = np.repeat(2001 * 12 + np.arange(len(month_lengths)), month_lengths)
    whole = months(2001 * 12, len(month_lengths), calendar)
    at = number - 2001 * 12
    return TimeAxis(
        year=(number // 12).astype(np.int32),
        month=(number % 12 + 1).astype(np.int32),
        span_months=np.ones(number.size, np.int32),
        seconds=np.full(number.size, DAY),
        month_seconds=whole.month_seconds[at],
        year_seconds=whole.year_seconds[at],
        resolution="day",
        calendar=calendar,
    )


def test_days_are_averaged_over_their_month_and_a_cut_month_is_unknown() -> None:
    axis = days_of([31, 28, 10])  # ten days of March
    rates = [1.0] * 31 + [2.0] * 14 + [4.0] * 14 + [1.0] * 10
    month = Monthly(series(axis), totals(rates))
    year = 365 * DAY / 1e12
    assert month.flux[:2, 0] == pytest.approx([year, 3 * year], rel=1e-14)
    assert np.isnan(month.flux[2, 0])


def test_terms_add_up_and_their_areas_overlap() -> None:
    axis = months(2000 * 12, 1, "standard")
    a, b = (Monthly(series(axis), totals([rate])) for rate in (1.0, -3.0))
    alone = a.flux.copy()
    a.add(b, KEY)
    assert a.flux == pytest.approx(-2 * alone)
    assert a.valid.item() == 1.0


def test_bad_input_terms_of_other_months_are_refused() -> None:
    a = Monthly(series(months(2000 * 12, 2, "standard")), totals([1.0, 1.0]))
    b = Monthly(series(months(2000 * 12 + 1, 2, "standard")), totals([1.0, 1.0]))
    with pytest.raises(InputError, match="different months") as caught:
        a.add(b, KEY)
    assert "period" in caught.value.fix
