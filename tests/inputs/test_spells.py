"""Steps of several days are split over months by the seconds they have in each."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import cftime
import numpy as np
import pandas as pd
import pytest
from flux_files import write_netcdf
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcbudget.config import parse_config
from hpcbudget.engine.merge import PG, Monthly
from hpcbudget.engine.totals import Totals
from hpcbudget.errors import FluxDefinitionError, TimeError
from hpcbudget.inputs.flux import define_flux
from hpcbudget.inputs.stamps import linear_seconds
from hpcbudget.inputs.steps import axis_of_dates
from hpcbudget.inputs.times import DAY, TimeAxis
from hpcbudget.options import FluxOptions, TimeOptions
from hpcbudget.workflow import run_config

CALENDARS = ("standard", "noleap", "360_day", "all_leap")


def dates(days: np.ndarray, calendar: str) -> list[cftime.datetime]:
    units = "days since 2003-12-20"
    return list(cftime.num2date(days, units, calendar, only_use_cftime_datetimes=True))


def axis(begins: np.ndarray, ends: np.ndarray, calendar: str = "standard") -> TimeAxis:
    bounds = list(zip(dates(begins, calendar), dates(ends, calendar), strict=True))
    return axis_of_dates(dates(begins, calendar), bounds, TimeOptions(), calendar, "f")


def monthly(times: TimeAxis, rate: np.ndarray, period: tuple[int, int] | None = None) -> Monthly:
    column = np.asarray(rate, dtype=np.float64)[:, np.newaxis]
    steps = times.steps_within(period)
    totals = Totals(column, np.full_like(column, 3.0), np.zeros_like(column))
    totals = totals.at(np.arange(*steps))
    return Monthly(SimpleNamespace(times=times, steps=steps), totals, period)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(
    calendar=st.sampled_from(CALENDARS),
    length=st.integers(2, 27),
    count=st.integers(2, 150),
    seed=st.integers(0, 99),
    hours=st.integers(0, 23),
)
def test_the_integral_is_kept_and_days_give_the_same(
    calendar: str, length: int, count: int, seed: int, hours: int
) -> None:
    begins = length * np.arange(count) + hours / 24
    times = axis(begins, begins + length, calendar)
    assert times.resolution == "days"
    rate = np.random.default_rng(seed).normal(0, 1e5, count)
    parts, step_of = times.pieces(0, count)
    np.testing.assert_array_equal(np.bincount(step_of, weights=parts.seconds), times.seconds)
    assert (np.diff(parts.first_month) >= 0).all()
    amounts = np.bincount(
        parts.first_month - parts.first_month[0], weights=parts.seconds * rate[step_of]
    )
    assert amounts.sum() == pytest.approx((rate * times.seconds).sum(), rel=1e-12, abs=1e-3)

    if hours:
        return
    # the same flux, written out day by day
    day = np.arange(length * count)
    daily = monthly(axis(day, day + 1.0, calendar), np.repeat(rate, length))
    spells = monthly(times, rate)
    np.testing.assert_array_equal(spells.number, daily.number)
    np.testing.assert_array_equal(spells.seconds, daily.seconds)
    for name in ("flux", "valid", "missing"):
        np.testing.assert_allclose(
            getattr(spells, name), getattr(daily, name), rtol=1e-12, atol=1e-15
        )
    assert np.isnan(spells.flux[0]).all()  # it begins on 20 December
    whole = np.isfinite(spells.flux[:, 0])
    year_seconds = TimeAxis.of_months(spells.number[whole], calendar).year_seconds
    kept = (spells.flux[whole, 0] * PG / year_seconds * spells.seconds[whole]).sum()
    inside = np.isin(parts.first_month, spells.number[whole])
    expected = (parts.seconds * rate[step_of])[inside].sum()
    assert kept == pytest.approx(expected, rel=1e-12, abs=1e-3)


def test_a_step_by_hand() -> None:
    # 8 days from 28 January 2004: 4 in January, 4 in February
    times = axis(np.array([31.0, 39.0]) + 0, np.array([39.0, 47.0]))
    begin = dates(np.array([31.0]), "standard")[0]
    assert (begin.month, begin.day) == (1, 20)
    assert times.carried_seconds is not None
    assert (times.carried_seconds / DAY).tolist() == [0.0, 4.0]
    parts, step_of = times.pieces(0, 2)
    assert parts.month.tolist() == [1, 1, 2]
    assert (parts.seconds / DAY).tolist() == [8.0, 4.0, 4.0]
    assert step_of.tolist() == [0, 1, 1]


def test_the_period_cuts_a_step_at_the_turn_of_the_year() -> None:
    begins = 8.0 * np.arange(100)
    times = axis(begins, begins + 8)
    rate = np.arange(100.0)
    whole, cut = monthly(times, rate), monthly(times, rate, (2004, 2004))
    assert cut.number.tolist() == [2004 * 12 + m for m in range(12)]
    inside = np.isin(whole.number, cut.number)
    np.testing.assert_array_equal(cut.flux, whole.flux[inside])
    assert np.isfinite(cut.flux).all()


def composites(years: int) -> tuple[np.ndarray, np.ndarray]:
    """Eight-day composites from January 2004 on; those of each year begin on 1 January."""
    firsts = [12]
    for year in range(2004, 2004 + years):
        firsts.append(firsts[-1] + (366 if year % 4 == 0 else 365))
    begins = np.concatenate([np.arange(a, b, 8.0) for a, b in pairwise(firsts)])
    return begins, np.append(begins[1:], firsts[-1])


@pytest.mark.parametrize("place", ["begin", "end"])
def test_composites_that_begin_anew_each_year(place: str) -> None:
    begins, ends = composites(3)
    stamps = dates(begins if place == "begin" else ends, "standard")
    found = axis_of_dates(stamps, None, TimeOptions(stamp=place), "standard", "f")
    given_bounds = axis(begins, ends)
    if place == "begin":  # the last step has no successor, and is taken for a whole one
        assert found.seconds[-1] == 8 * DAY
        found_seconds = np.append(found.seconds[:-1], given_bounds.seconds[-1])
    else:
        found_seconds = found.seconds
    np.testing.assert_array_equal(found_seconds, given_bounds.seconds)
    np.testing.assert_array_equal(found.first_month, given_bounds.first_month)
    assert (given_bounds.seconds.min() / DAY, given_bounds.seconds.max() / DAY) == (5.0, 8.0)
    fluxes = monthly(given_bounds, np.ones(len(given_bounds)))
    assert np.isfinite(fluxes.flux).all()
    assert fluxes.number.size == 36


def test_stamps_in_the_middle_are_half_a_step_off() -> None:
    begins = 8.0 * np.arange(50)
    stamps = dates(begins + 4, "noleap")
    found = axis_of_dates(stamps, None, TimeOptions(stamp="middle"), "noleap", "f")
    expected = axis(begins, begins + 8, "noleap")
    np.testing.assert_array_equal(found.first_month, expected.first_month)
    assert found.carried_seconds is not None
    np.testing.assert_array_equal(found.carried_seconds, expected.carried_seconds)


@pytest.mark.parametrize(
    ("days", "stamp", "said"),
    [
        ([0, 8, 16, 24], None, "begin, middle or end"),
        ([0, 8, 16, 32, 40], "begin", "is 16 days long"),
        ([0, 8, 8, 16, 24, 32], "begin", "is 0 days long"),
        ([0, 8, 24, 16, 32, 40, 48], "end", "days long"),
        ([0, 8, 13, 21, 29], "middle", "is 5 days long"),
    ],
)
def test_bad_input_stamps_of_spells(days: list[float], stamp: str | None, said: str) -> None:
    with pytest.raises(TimeError, match=said):
        axis_of_dates(
            dates(np.array(days), "standard"), None, TimeOptions(stamp=stamp), "standard", "f"
        )


def test_bad_input_bounds_with_a_gap_or_an_overlap() -> None:
    begins = np.array([0.0, 8.0, 17.0])
    with pytest.raises(TimeError, match="gap between step 1"):
        axis(begins, begins + 8)
    with pytest.raises(TimeError, match="overlap or disorder between step 0"):
        axis(8.0 * np.arange(3), 8.0 * np.arange(3) + 9)


def test_bad_input_units_per_month() -> None:
    begins = 8.0 * np.arange(20)
    times = axis(begins, begins + 8)
    options = FluxOptions(sign="to_atmosphere", species="C", area_basis="cell")
    flux = define_flux((options,), {"units": "kg m-2 month-1"}, "f")
    with pytest.raises(FluxDefinitionError, match="per month"):
        flux.kg_c_s(times)
    per_day = define_flux((options,), {"units": "kg m-2 day-1"}, "f")
    assert np.isfinite(per_day.kg_c_s(times)).all()


def test_an_eight_day_file_from_end_to_end(tmp_path: Path) -> None:
    """Two files of 8-day composites give what the same flux gives day by day."""
    begins, ends = composites(2)
    begins, ends = begins - 12, ends - 12  # from 1 January 2004 on
    grid = {"time_units": "days since 2004-01-01", "calendar": "standard"}
    rates = np.random.default_rng(1).normal(0, 1e-9, len(begins))
    steps = np.broadcast_to(rates[:, None, None], (len(begins), 6, 12))
    half = len(begins) // 2
    for name, part in (("spell_a", slice(0, half)), ("spell_b", slice(half, None))):
        bounds = np.stack([begins[part], ends[part]], axis=1)
        write_netcdf(
            tmp_path / f"{name}.nc", values=steps[part], time=begins[part], bounds=bounds, **grid
        )
    daily = np.repeat(steps, (ends - begins).astype(int), axis=0)
    write_netcdf(tmp_path / "day.nc", values=daily, time=np.arange(len(daily)) + 0.5, **grid)
    what = "flux: {sign: to_atmosphere, species: C, area_basis: cell}, components: {land: nbp}"
    text = "name: spells\nensembles:\n- family: land_process\n  members:\n" + "".join(
        f"    {name}: {{paths: {paths!r}, {what}}}\n"
        for name, paths in (("S", "spell_*.nc"), ("D", "day.nc"))
    )
    config = parse_config(text, origin=tmp_path / "c.yaml")
    run_config(config, tmp_path / "out", workers=1, with_report=False)
    table = pd.read_csv(tmp_path / "out" / "tables" / "monthly.csv")
    wide = table.pivot(
        index=["region", "year", "month"], columns="member", values="flux_pgc_yr"
    ).dropna(how="all")
    assert len(wide) >= 24 * 4
    assert wide.notna().all(axis=None)
    np.testing.assert_allclose(wide["S"], wide["D"], rtol=1e-12, atol=1e-15)


def test_linear_seconds_are_whole_days() -> None:
    begins = linear_seconds(dates(np.array([12.0]), "standard"), "standard")
    assert begins[0] % DAY == 0
