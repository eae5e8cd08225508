from __future__ import annotations

import numpy as np
import xarray as xr

from hpcbudget.options import StatisticsOptions
from hpcbudget.science.bootstrap import bootstrap
from hpcbudget.science.closure import closure_account
from hpcbudget.science.reconcile import reconciliation
from hpcbudget.science.statistics import ensemble_series, ensemble_statistics
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


def test_process_models_have_a_total_wherever_one_of_both_reaches(make_fluxes):
    nowhere = np.nan
    land = np.array([[-3.0], [-3.0], [nowhere], [nowhere]])
    ocean = np.array([[-2.0], [nowhere], [-2.0], [nowhere]])
    series = {}
    for model, more in (("A", 0.0), ("B", 0.5)):
        series["land_process", model, model, "land"] = land + more
        series["ocean_process", model, model, "ocean"] = ocean + more
        series["inversion", model, model, "land"] = land + more
        series["inversion", model, model, "ocean"] = ocean + more
    fluxes = make_fluxes(series)
    rules, period = StatisticsOptions(bootstrap=20), {"2000": (2000, 2000)}

    def of(table, family, column):
        rows = table[(table["family"] == family) & (table["component"] == "total")]
        return rows.set_index("region")[column].reindex(fluxes["region"].values).tolist()

    for table in (ensemble_statistics(fluxes, period, rules), ensemble_series(fluxes)):
        for family in ("process", "inversion"):
            np.testing.assert_allclose(of(table, family, "mean"), [-4.5, -2.75, -1.75, np.nan])
        np.testing.assert_array_equal(np.nan_to_num(of(table, "process", "n")), [4, 4, 4, 0])
        np.testing.assert_allclose(of(table, "process", "sd")[1], 0.5 / np.sqrt(2))
    both = reconciliation(fluxes, period, rules)
    both = both[both["component"] == "total"].set_index("region")
    np.testing.assert_allclose(both["gap"].iloc[:3], 0.0, atol=1e-12)
    sampled = bootstrap(fluxes, period, rules)
    drawn = sampled[(sampled["family"] == "process") & (sampled["statistic"] == "mean")]
    assert drawn["region"].tolist() == ["Globe", "North", "South"]
    # a land model that has cells in a region but lost their values has no total there
    lost = make_fluxes(series)
    lost["valid_area_m2"][{"series": 0, "region": 2}] = 5.0
    unknown = ensemble_statistics(lost, period, rules)
    assert np.isnan(of(unknown, "process", "mean")[3])
    assert of(unknown, "process", "n")[2] == 2  # the pairs of the other land model
