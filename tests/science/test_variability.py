from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpcbudget.options import StatisticsOptions
from hpcbudget.science.seasonal import circular_mean_sd, seasonal_cycle
from hpcbudget.science.trend import linear_trend
from hpcbudget.science.variability import MEMBER_STATISTICS, variability

fluxes_of_years = st.lists(st.floats(-5, 5), min_size=4, max_size=30)


@given(flux=fluxes_of_years)
def test_trend_agrees_with_scipy(flux):
    years = np.arange(1990, 1990 + len(flux))
    trend = linear_trend(years, flux)
    expected = stats.linregress(years, flux)
    assert trend.slope_pgc_yr2 == pytest.approx(expected.slope, abs=1e-9)
    if np.isfinite(expected.stderr):
        assert trend.standard_error_pgc_yr2 == pytest.approx(expected.stderr, abs=1e-7)
    residual = np.array(flux) - expected.slope * years - expected.intercept
    assert trend.iav_pgc_yr == pytest.approx(residual.std(ddof=1), abs=1e-7)
    if expected.stderr > 1e-3:
        assert trend.p_value == pytest.approx(expected.pvalue, abs=1e-6)


@given(slope=st.floats(-1, 1), offset=st.floats(-5, 5), n=st.integers(3, 40))
def test_a_straight_line_has_no_variability(slope, offset, n):
    years = np.arange(2000.0, 2000 + n)
    trend = linear_trend(years, slope * (years - 2000) + offset)
    assert trend.slope_pgc_yr2 == pytest.approx(slope, abs=1e-10)
    assert trend.iav_pgc_yr == pytest.approx(0, abs=1e-10)


def test_missing_years_are_left_out_not_zero():
    years = np.arange(2000, 2006)
    flux = np.array([0.0, 1.0, np.nan, 3.0, 4.0, np.nan])
    trend = linear_trend(years, [flux, np.full(6, np.nan)])
    np.testing.assert_allclose(trend.slope_pgc_yr2, [1.0, np.nan])
    assert trend.n_years.tolist() == [4, 0]
    assert np.isnan(linear_trend([2000, 2001], [1.0, 2.0]).slope_pgc_yr2)


def test_persistence_widens_the_standard_error():
    years = np.arange(1960, 2020)
    wave = np.sin(2 * np.pi * (years - 1960) / 8)  # lag-one autocorrelation near 0.7
    plain = linear_trend(years, wave)
    wider = linear_trend(years, wave, autocorrelated=True)
    assert wider.slope_pgc_yr2 == plain.slope_pgc_yr2
    # as good as independent of one another are fewer than two of these 60 years: no judgement
    slow = linear_trend(years, np.sin(2 * np.pi * (years - 1960) / 20), autocorrelated=True)
    assert np.isnan(slow.standard_error_pgc_yr2)
    assert wider.standard_error_pgc_yr2 > 2 * plain.standard_error_pgc_yr2


@given(amplitude=st.floats(0.1, 9), peak=st.floats(0, 11.99), mean=st.floats(-5, 5))
def test_cycle_of_a_harmonic(amplitude, peak, mean):
    month = np.arange(12) + 0.5
    flux = mean + amplitude * np.cos(2 * np.pi * (month - peak) / 12)
    cycle = seasonal_cycle(np.stack([flux, flux, np.where(month < 3, np.nan, 9.0)]))
    assert cycle.amplitude_pgc_yr == pytest.approx(amplitude)
    assert abs((cycle.peak_month - peak + 6) % 12 - 6) < 1e-6
    assert amplitude * 1.9 < cycle.peak_to_trough_pgc_yr <= amplitude * 2.0000001


def test_no_complete_year_no_cycle():
    cycle = seasonal_cycle(np.full((2, 12), np.nan))
    assert np.isnan(cycle.amplitude_pgc_yr)
    assert np.isnan(circular_mean_sd([])[0])


def one(table, statistic, region="Globe", **where):
    rows = table[(table["statistic"] == statistic) & (table["region"] == region)]
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_table_by_hand(make_fluxes):
    ramp = np.repeat([0.0, 1.0, 2.0, 3.0], 12)
    fluxes = make_fluxes(
        {("inversion", "A", "A", "land"): ramp, ("inversion", "B", "B", "land"): 3 * ramp},
        n_years=4,
    )
    table = variability(
        fluxes, {"p": (2000, 2003)}, StatisticsOptions(quantiles=(0.05, 0.5, 0.975))
    )
    assert one(table, "trend")["mean"] == pytest.approx(2.0)
    assert one(table, "trend")["sd"] == pytest.approx(np.sqrt(2))
    assert one(table, "iav")["mean"] == pytest.approx(0.0, abs=1e-12)
    assert one(table, "cumulative")[["min", "max"]].tolist() == pytest.approx([6.0, 18.0])
    assert one(table, "mean")["q50"] == pytest.approx(3.0)
    assert {"q05", "q50", "q97.5"} <= set(table.columns)


def test_span_rules(make_fluxes):
    late = np.repeat([np.nan, 1.0, 2.0, 3.0], 12)
    fluxes = make_fluxes(
        {("inversion", "A", "A", "land"): late, ("inversion", "B", "B", "land"): 1.0}, n_years=4
    )
    common = variability(fluxes, {"p": (2000, 2003)}, StatisticsOptions())
    every = variability(fluxes, {"p": (2000, 2003)}, StatisticsOptions(span="all"))
    assert one(common, "trend")["n"] == 1
    assert one(every, "trend")["mean"] == pytest.approx(0.5)
    assert one(every, "cumulative")["n"] == 1  # a sum needs every year, whatever the span
    assert variability(fluxes, {"p": (1980, 1989)}, StatisticsOptions(span="all")).empty


def test_peak_months_average_on_the_circle_also_over_realisations(make_fluxes):
    month = np.arange(12) + 0.5
    series = {
        ("inversion", "A", name, "land"): np.cos(2 * np.pi * (month - peak) / 12)
        for name, peak in (("A1", 11.5), ("A2", 0.5))
    }
    series["inversion", "B", "B", "land"] = np.cos(2 * np.pi * month / 12)
    row = one(
        variability(make_fluxes(series), {"p": (2000, 2000)}, StatisticsOptions()),
        "seasonal_peak_month",
    )
    assert row["n"] == 2
    assert abs((row["mean"] + 6) % 12 - 6) < 1e-6
    assert row["sd"] == pytest.approx(0, abs=1e-6)


def test_annual_data_have_no_season(make_fluxes):
    fluxes = make_fluxes({("inversion", "A", "A", "land"): 1.0}, resolution="year", n_years=3)
    found = set(variability(fluxes, {"p": (2000, 2002)}, StatisticsOptions())["statistic"])
    assert "trend" in found
    assert not any(name.startswith("seasonal") for name in found)
    assert found < set(MEMBER_STATISTICS)


def test_a_sum_over_years_that_the_run_does_not_reach_is_unknown(make_fluxes):
    fluxes = make_fluxes({("f", "A", "A", "land"): -1.0, ("f", "B", "B", "land"): -2.0}, n_years=5)
    options = StatisticsOptions(span="all")
    found = variability(fluxes, {"half": (2000, 2009), "whole": (2000, 2004)}, options)
    sums = found[(found["statistic"] == "cumulative") & (found["region"] == "Globe")]
    assert sums["period"].tolist() == ["whole"]
    assert sums["mean"].tolist() == [-7.5]
    trends = found[(found["statistic"] == "trend") & (found["region"] == "Globe")]
    assert trends["mean"].tolist() == pytest.approx([0.0, 0.0], abs=1e-12)
