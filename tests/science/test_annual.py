from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.errors import InputError
from hpcbudget.science.annual import annual, decades

MODEL = ("inversion", "A", "A", "land")


@given(value=st.floats(-5, 5), n_years=st.integers(1, 5))
def test_constant_flux_is_its_own_annual_mean(make_fluxes, value, n_years):
    years = annual(make_fluxes({MODEL: value}, n_years=n_years))
    np.testing.assert_allclose(years["flux_pgc_yr"], value, rtol=1e-15)
    assert years["year"].values.tolist() == list(range(2000, 2000 + n_years))


def test_months_count_with_their_length(make_fluxes):
    january = np.zeros(12)
    january[0] = 366.0
    years = annual(make_fluxes({MODEL: january}))  # 2000 has 366 days
    np.testing.assert_allclose(years["flux_pgc_yr"], 31.0, rtol=1e-15)


def test_each_series_has_its_own_calendar(make_fluxes):
    january = np.zeros(12)
    january[0] = 12.0
    fluxes = make_fluxes({MODEL: january})
    fluxes["month_seconds"][:] = 30 * 86400.0  # 360_day
    np.testing.assert_allclose(annual(fluxes)["flux_pgc_yr"], 1.0, rtol=1e-15)


def test_a_year_without_all_months_is_nan(make_fluxes):
    flux = np.ones(24)
    flux[3] = np.nan
    years = annual(make_fluxes({MODEL: flux}, n_years=2))["flux_pgc_yr"]
    assert np.isnan(years.sel(year=2000)).all()
    assert (years.sel(year=2001) == 1).all()
    cut = annual(make_fluxes({MODEL: 1.0}, n_years=2).isel(time=slice(0, 23)))["flux_pgc_yr"]
    assert np.isnan(cut.sel(year=2001)).all()


def test_time_order_does_not_matter(make_ensemble):
    fluxes = make_ensemble()
    backwards = fluxes.isel(time=slice(None, None, -1)).transpose("time", "region", "series")
    np.testing.assert_array_equal(annual(fluxes)["flux_pgc_yr"], annual(backwards)["flux_pgc_yr"])


def test_doubled_month_is_refused(make_fluxes):
    fluxes = make_fluxes({MODEL: 1.0})
    with pytest.raises(InputError, match="2000-01 stands twice"):
        annual(fluxes.isel(time=[0, 0, 1]))


def test_decades_need_one_whole_series(make_fluxes):
    fluxes = make_fluxes({MODEL: 1.0}, first_year=1999, n_years=12)
    assert decades(fluxes) == {"2000s": (2000, 2009)}
    assert decades(make_fluxes({MODEL: 1.0}, first_year=2003, n_years=3)) == {
        "2003-2005": (2003, 2005)
    }
    assert decades(make_fluxes({MODEL: np.nan})) == {}


def test_decades_of_two_halves_are_not_whole(make_fluxes):
    late = np.ones(120)
    late[:60] = np.nan
    early = np.ones(120)
    early[60:] = np.nan
    other = ("inversion", "B", "B", "land")
    fluxes = make_fluxes({MODEL: late, other: early}, n_years=10)
    assert decades(fluxes) == {"2000-2009": (2000, 2009)}
