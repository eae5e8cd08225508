from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import hpcbudget
from hpcbudget.api import ensemble, integrate, reconcile
from hpcbudget.errors import FluxDefinitionError, GridError, HpcBudgetError, InputError
from hpcbudget.options import RegionSetOptions, StatisticsOptions, TimeOptions
from hpcbudget.science.annual import annual
from hpcbudget.science.closure import closure_account
from hpcbudget.science.statistics import ensemble_statistics

RADIUS_M = 6371e3
FLUX = {"sign": "to_atmosphere", "species": "C", "area_basis": "cell"}


@pytest.fixture
def field() -> xr.DataArray:
    rng = np.random.default_rng(1)
    time = pd.date_range("2000-01", periods=24, freq="MS")
    coords = {"time": time, "lat": np.arange(-87.5, 90, 5.0), "lon": np.arange(-177.5, 180, 5.0)}
    values = rng.normal(size=(24, 36, 72)) * 1e-9
    return xr.DataArray(values, coords, name="nbp", attrs={"units": "kg m-2 s-1"})


def band_sums(field: xr.DataArray) -> dict[str, np.ndarray]:
    """Pg C/yr by plain numpy: 5-degree rows do not straddle 30 degrees."""
    edges = np.radians(np.arange(-90, 91, 5))
    area = RADIUS_M**2 * np.radians(5.0) * np.diff(np.sin(edges))
    rows = (field.values * area[None, :, None]).sum(axis=2)
    days = np.where(pd.DatetimeIndex(field["time"]).is_leap_year, 366, 365)
    rows *= (days * 86400.0 / 1e12)[:, None]
    return {
        "Globe": rows.sum(axis=1),
        "South": rows[:, :12].sum(axis=1),
        "Tropics": rows[:, 12:24].sum(axis=1),
        "North": rows[:, 24:].sum(axis=1),
    }


def test_regional_sums_by_plain_numpy(field):
    result = integrate(field, **FLUX)
    for region, expected in band_sums(field).items():
        np.testing.assert_allclose(
            result["flux_pgc_yr"].sel(region=region), expected, rtol=1e-11, atol=1e-13
        )
    np.testing.assert_allclose(
        result["valid_area_m2"].sel(region="Globe"), 4 * np.pi * RADIUS_M**2, rtol=1e-13
    )
    assert (result["missing_area_m2"] == 0).all()


def test_lazy_fields_stay_lazy_and_give_the_same_bits(field):
    eager = integrate(field, **FLUX)
    lazy = field.chunk({"time": 5, "lat": 10, "lon": 30})

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("computed before it was asked to")

    import dask

    with dask.config.set(scheduler=refuse):
        result = lazy.hpcbudget.integrate("gcb_bands", **FLUX)
        assert result["flux_pgc_yr"].chunks is not None
    with dask.config.set(scheduler="synchronous"):
        computed = result.compute()
    for name in ("flux_pgc_yr", "valid_area_m2", "missing_area_m2"):
        np.testing.assert_array_equal(
            computed[name].transpose("time", "region"), eager[name].transpose("time", "region")
        )


def test_order_of_dimensions_and_further_ones(field):
    label = xr.Variable("realisation", [0.5, 1.5])  # a number, but no place on earth
    many = xr.concat([field, 2 * field], dim="realisation").assign_coords(realisation=label)
    many = many.transpose("lon", "realisation", "lat", "time")
    result = integrate(many, **FLUX)["flux_pgc_yr"]
    one = integrate(field, **FLUX)["flux_pgc_yr"]
    assert set(result.dims) == {"realisation", "time", "region"}
    for factor in (1, 2):
        np.testing.assert_allclose(
            result.isel(realisation=factor - 1).transpose(*one.dims), factor * one, rtol=1e-12
        )


def test_missing_cells_are_accounted_for(field):
    gappy = field.where(field["lat"] > 30)
    result = integrate(gappy, **FLUX)
    assert np.isnan(result["flux_pgc_yr"].sel(region="South")).all()
    assert (result["valid_area_m2"].sel(region="South") == 0).all()
    np.testing.assert_allclose(
        result["missing_area_m2"].sel(region="Globe"), 3 * np.pi * RADIUS_M**2, rtol=1e-12
    )


def test_fraction_is_needed_and_used_where_the_flux_is_per_land(field):
    land = {**FLUX, "area_basis": "land"}
    with pytest.raises(FluxDefinitionError, match="fraction of it is not given"):
        integrate(field, **land)
    half = xr.full_like(field.isel(time=0, drop=True), 0.5)
    np.testing.assert_allclose(
        integrate(field, fraction=half, **land)["flux_pgc_yr"],
        0.5 * integrate(field, **FLUX)["flux_pgc_yr"],
    )
    with pytest.raises(GridError, match="coordinates are not those of the flux"):
        integrate(field, fraction=half.assign_coords(lat=half["lat"] + 1), **land)
    own_area = xr.full_like(half, 1e12)
    total = integrate(field, cell_area=own_area, **FLUX)["valid_area_m2"].sel(region="Globe")
    np.testing.assert_allclose(total, 36 * 72 * 1e12)


def test_the_package_itself_offers_the_interface():
    assert hpcbudget.integrate is integrate
    assert {"integrate", "ensemble", "reconcile"} <= set(hpcbudget.__all__)


def test_what_is_not_known_is_refused(field):
    with pytest.raises(HpcBudgetError, match="sign of the flux is unknown"):
        integrate(field, species="C", area_basis="cell")
    no_time = field.isel(time=0, drop=True)
    with pytest.raises(InputError, match="length of its year is unknown"):
        integrate(no_time, **FLUX)
    np.testing.assert_allclose(
        integrate(no_time, years=(2000, 2000), **FLUX)["flux_pgc_yr"],
        integrate(field, **FLUX)["flux_pgc_yr"].isel(time=0),
        rtol=1e-14,
    )
    numbers = field.assign_coords(time=np.arange(24))
    with pytest.raises(InputError, match="holds no dates"):
        integrate(numbers, **FLUX)
    np.testing.assert_array_equal(
        integrate(numbers, time=TimeOptions(start="2000-01"), **FLUX)["flux_pgc_yr"],
        integrate(field, **FLUX)["flux_pgc_yr"],
    )


def test_calendar_of_the_field_counts(field):
    time = xr.date_range("2000-01", periods=24, freq="MS", calendar="noleap", use_cftime=True)
    noleap = integrate(field.assign_coords(time=time), **FLUX)["flux_pgc_yr"]
    ratio = noleap / integrate(field, **FLUX)["flux_pgc_yr"].values
    np.testing.assert_allclose(ratio.isel(time=0, region=0), 365 / 366)
    np.testing.assert_allclose(ratio.isel(time=12, region=0), 1.0)


def test_own_regions_side_by_side_with_shipped_ones(field):
    mine = RegionSetOptions(name="mine", boxes={"Box": (0.0, 10.0, 0.0, 10.0)})
    result = integrate(field, ["gcb_bands", mine], **FLUX)
    sums = result["flux_pgc_yr"].groupby("region_set").sum()
    for name in ("gcb_bands", "mine"):
        np.testing.assert_allclose(
            sums.sel(region_set=name), result["flux_pgc_yr"].sel(region="Globe"), atol=1e-12
        )


def test_ensemble_feeds_the_science(field):
    members = {
        ("inversion", "A/1", "land"): integrate(field, **FLUX),
        ("inversion", "A/2", "land"): integrate(2 * field, **FLUX),
        ("inversion", "B", "land"): integrate(3 * field.isel(time=slice(0, 12)), **FLUX),
        ("inversion", "B", "ocean"): integrate(field.isel(time=slice(0, 12)), **FLUX),
    }
    fluxes = ensemble(members)
    assert fluxes["component"].values.tolist() == ["land", "land", "land", "ocean", "total"]
    assert closure_account(fluxes, 1e-12)["ok"].all()
    assert np.isnan(annual(fluxes)["flux_pgc_yr"].isel(series=2).sel(year=2001)).all()
    table = ensemble_statistics(fluxes, {"2000": (2000, 2000)}, StatisticsOptions())
    row = table[(table["component"] == "land") & (table["region"] == "Globe")].iloc[0]
    one = annual(fluxes)["flux_pgc_yr"].isel(series=0).sel(year=2000, region="Globe").item()
    assert row["n"] == 2
    assert row["mean"] == pytest.approx((1.5 + 3) / 2 * one)


def test_daily_fields_become_months(field):
    month = field.isel(time=slice(0, 12))
    days = pd.date_range("2000-01-01", "2000-12-31", freq="D")
    daily = month.reindex(time=days, method="ffill")
    by_day = ensemble({("inversion", "A", "land"): integrate(daily, **FLUX)})
    by_month = ensemble({("inversion", "A", "land"): integrate(month, **FLUX)})
    np.testing.assert_allclose(by_day["flux_pgc_yr"], by_month["flux_pgc_yr"], rtol=1e-12)
    np.testing.assert_allclose(by_day["month_seconds"], by_month["month_seconds"])
    cut = ensemble({("inversion", "A", "land"): integrate(daily.isel(time=slice(0, 45)), **FLUX)})
    assert np.isnan(cut["flux_pgc_yr"].isel(time=1)).all()


def test_reconcile_in_one_call(field):
    top = {f"t{k}": integrate(field * k, **FLUX) for k in (1, 2, 3)}
    bottom = {f"b{k}": integrate(field * k, **FLUX) for k in (1, 2)}
    table = reconcile(top, bottom)
    assert set(table["component"]) == {"land"}
    row = table[table["region"] == "Globe"].iloc[0]
    assert (row["n_td"], row["n_bu"]) == (3, 2)
    assert row["gap"] == pytest.approx(row["top_down_mean"] - row["bottom_up_mean"])


def test_members_over_other_regions_are_refused(field):
    mine = RegionSetOptions(name="mine", boxes={"Box": (0.0, 10.0, 0.0, 10.0)})
    with pytest.raises(InputError, match="other regions than the first member"):
        ensemble(
            {
                ("inversion", "A", "land"): integrate(field, **FLUX),
                ("inversion", "B", "land"): integrate(field, mine, **FLUX),
            }
        )
    with pytest.raises(InputError, match="without members"):
        ensemble({})
    no_time = integrate(field.isel(time=0, drop=True), years=(2000, 2000), **FLUX)
    with pytest.raises(InputError, match="instead of time and region"):
        ensemble({("inversion", "A", "land"): no_time})
