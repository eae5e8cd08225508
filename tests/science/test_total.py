from __future__ import annotations

import numpy as np
import xarray as xr

from hpcbudget.science.closure import closure_account
from hpcbudget.science.total import with_totals


def test_total_is_land_plus_ocean_only_where_both_are(make_ensemble):
    fluxes = make_ensemble()
    result = with_totals(fluxes)
    added = result.isel(series=slice(fluxes.sizes["series"], None))
    assert set(added["component"].values) == {"total"}
    assert set(added["family"].values) == {"inversion"}
    for row in range(added.sizes["series"]):
        one = added.isel(series=row)
        parts = fluxes.isel(series=np.flatnonzero(fluxes["member"].values == one["member"].item()))
        np.testing.assert_array_equal(one["flux_pgc_yr"], parts["flux_pgc_yr"].sum("series"))
    assert with_totals(result).identical(result)


def test_fossil_is_never_part_of_the_total(make_fluxes):
    name = ("inversion", "A", "A")
    fluxes = make_fluxes({(*name, "land"): -2.0, (*name, "ocean"): -1.0, (*name, "fossil"): 9.0})
    total = with_totals(fluxes).isel(series=-1)
    assert (total["flux_pgc_yr"] == -3).all()


def test_missing_part_makes_the_total_missing(make_fluxes):
    name = ("inversion", "A", "A")
    fluxes = make_fluxes({(*name, "land"): np.nan, (*name, "ocean"): -1.0})
    assert np.isnan(with_totals(fluxes).isel(series=-1)["flux_pgc_yr"]).all()


def test_area_counts_once_and_resolution_is_the_coarser(make_fluxes):
    name = ("inversion", "A", "A")
    fluxes = make_fluxes({(*name, "land"): -2.0, (*name, "ocean"): -1.0})
    fluxes["valid_area_m2"][:] = xr.DataArray([30.0, 70.0], dims="series")
    fluxes["missing_area_m2"][:] = xr.DataArray([70.0, 30.0], dims="series")
    fluxes["resolution"] = ("series", ["month", "year"])
    total = with_totals(fluxes).isel(series=-1)
    assert (total["valid_area_m2"] == 100).all()
    assert (total["missing_area_m2"] == 0).all()
    assert total["resolution"].item() == "year"
    fluxes["valid_area_m2"][:] = 100.0
    fluxes["missing_area_m2"][:] = 0.0
    assert (with_totals(fluxes).isel(series=-1)["valid_area_m2"] == 100).all()


def test_an_inland_region_has_no_ocean_but_a_total(make_fluxes):
    name = ("inversion", "A", "A")
    land = np.array([[-3.0], [-1.0], [-2.0], [np.nan]])
    ocean = np.array([[-2.0], [np.nan], [-2.0], [np.nan]])
    fluxes = with_totals(make_fluxes({(*name, "land"): land, (*name, "ocean"): ocean}))
    total = fluxes.isel(series=-1, time=0)["flux_pgc_yr"].values
    np.testing.assert_array_equal(total, [-5.0, -1.0, -4.0, np.nan])
    assert closure_account(fluxes, 1e-12)["ok"].all()
    unknown = make_fluxes({(*name, "land"): land, (*name, "ocean"): ocean})
    unknown["valid_area_m2"][1, 1] = 5.0  # it has cells there: then its flux is not zero but lost
    assert np.isnan(with_totals(unknown).isel(series=-1, region=1)["flux_pgc_yr"]).all()
