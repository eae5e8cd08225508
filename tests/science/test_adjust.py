from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcbudget.errors import ConfigError, InputError
from hpcbudget.options import Add, Combine, Fossil, Rivers, Scale
from hpcbudget.science.adjust import adjust
from hpcbudget.science.closure import closure_account
from hpcbudget.science.total import with_totals

few = settings(max_examples=15)  # each takes tens of milliseconds

BANDS = {
    "Globe": "",
    "North": "gcb_bands",
    "Tropics": "gcb_bands",
    "South": "gcb_bands",
    "gcb_bands/unassigned": "gcb_bands",
}
AND_MORE = BANDS | {"Land9": "nine", "nine/unassigned": "nine"}
COMMON = {"source": "a test", "families": ("inversion",)}
amounts = st.floats(-2, 2)


def flux_of(fluxes, component, region="Globe", member=None):
    wanted = fluxes["component"].values == component
    if member is not None:
        wanted &= fluxes["member"].values == member
    return fluxes["flux_pgc_yr"].isel(series=np.flatnonzero(wanted)).sel(region=region).values


@few
@given(seed=st.integers(0, 99), edition=st.sampled_from([2022, 2023, 2024, 2025]))
def test_rivers_leave_each_members_global_total(make_ensemble, seed, edition):
    fluxes = make_ensemble(seed, regions=BANDS)
    step = Rivers(name="rivers", kind="rivers", edition=edition, **COMMON)
    result = adjust(fluxes, [step])
    before, after = with_totals(fluxes), result.fluxes
    np.testing.assert_allclose(flux_of(after, "total"), flux_of(before, "total"), atol=1e-14)
    assert len(result.account) == 4
    assert all(row[-1] for row in result.account)
    assert closure_account(after, 1e-12, result.account)["ok"].all()
    # land and ocean do not share one split: each band's total moves
    moved = flux_of(after, "total", "North") - flux_of(before, "total", "North")
    np.testing.assert_allclose(moved, 0.30 - 0.14, atol=1e-14)


def test_rivers_of_products_and_untouched_families(make_ensemble):
    fluxes = make_ensemble(
        families={"ocean_product": ("ocean",), "ocean_process": ("ocean",)}, regions=BANDS
    )
    step = Rivers(
        name="r", kind="rivers", source="s", families=("ocean_product",), edition=2023,
        exclude=("ocean_product0",),
    )  # fmt: skip
    result = adjust(fluxes, [step]).fluxes
    change = (result["flux_pgc_yr"] - fluxes["flux_pgc_yr"]).isel(time=0)
    touched = (fluxes["family"] == "ocean_product") & (fluxes["member"] != "ocean_product0")
    for region, amount in {
        "Globe": -0.65,
        "North": -0.14,
        "Tropics": -0.42,
        "South": -0.09,
    }.items():
        np.testing.assert_allclose(
            change.sel(region=region), np.where(touched, amount, 0.0), atol=1e-14
        )
    np.testing.assert_allclose(change.sel(region="gcb_bands/unassigned"), 0.0, atol=1e-15)
    assert result.attrs["adjustments"] == ["r: s"]


def test_bands_of_another_set_are_not_taken_for_the_budgets(make_ensemble):
    mine = {"Globe": "", "North": "mine", "South": "mine", "mine/unassigned": "mine"}
    step = Rivers(name="r", kind="rivers", edition=2023, **COMMON)
    with pytest.raises(ConfigError, match="no amount for North"):
        adjust(make_ensemble(regions=mine), [step])


def test_editions_without_a_published_split_have_no_bands(make_ensemble):
    step = Rivers(name="r", kind="rivers", edition=2021, **COMMON)
    with pytest.raises(ConfigError, match="no amount for North, Tropics, South"):
        adjust(make_ensemble(regions=BANDS), [step])
    globe = make_ensemble(regions={"Globe": "", "x": "s"}).isel(region=[0])
    np.testing.assert_allclose(
        flux_of(adjust(globe, [step]).fluxes, "ocean") - flux_of(globe, "ocean"),
        np.where(np.arange(8) < 4, -0.61, 0)[:, None] + np.zeros((8, 24)),
        atol=1e-14,
    )
    with pytest.raises(ConfigError, match="no river amounts of the Global Carbon Budget 1999"):
        adjust(globe, [Rivers(name="r", kind="rivers", edition=1999, **COMMON)])


def test_rivers_that_make_carbon_are_refused(make_ensemble):
    step = Rivers(
        name="r", kind="rivers", land_pgc_yr={"Globe": 0.5}, ocean_pgc_yr={"Globe": -0.4}, **COMMON
    )
    with pytest.raises(ConfigError, match="do not cancel over the globe"):
        adjust(make_ensemble(), [step])


@pytest.mark.parametrize("unlisted", ["missing", "unadjusted", "error"])
def test_regions_without_an_amount(make_ensemble, unlisted):
    fluxes = make_ensemble(regions=AND_MORE)
    flux = fluxes["flux_pgc_yr"].values
    flux[:, 4] = 0
    flux[:, 0] = flux[:, 1:4].sum(axis=1)
    flux[:, 6] = flux[:, 0] - flux[:, 5]
    fluxes["valid_area_m2"][:] = [[[v]] for v in (3, 1, 1, 1, 0, 1, 2)] and np.array(
        [3.0, 1, 1, 1, 0, 1, 2]
    )[None, :, None]
    step = Rivers(name="r", kind="rivers", edition=2023, unlisted=unlisted, **COMMON)
    if unlisted == "error":
        with pytest.raises(ConfigError, match="no amount for Land9"):
            adjust(fluxes, [step])
        return
    result = adjust(fluxes, [step])
    land = flux_of(result.fluxes, "land", "Land9", "inversion0")
    account = closure_account(result.fluxes, 1e-12, result.account)
    if unlisted == "missing":
        assert np.isnan(land).all()
        assert account["ok"].all()
        inversions = account[account["family"] == "inversion"]
        assert not inversions["check"].str.contains("nine").any()
    else:
        np.testing.assert_array_equal(land, flux_of(fluxes, "land", "Land9", "inversion0"))
        assert not account["ok"].all()  # a set left as it was no longer adds up to the globe


@few
@given(seed=st.integers(0, 99))
def test_fossil_prior_is_replaced_and_the_airs_signal_stays(make_ensemble, seed):
    fluxes = make_ensemble(
        seed, families={"inversion": ("land", "fossil"), "bookkeeping": ("fossil",)}
    )
    step = Fossil(name="f", kind="fossil", common="bookkeeping/bookkeeping0", **COMMON)
    result = adjust(fluxes, [step])
    assert all(row[-1] for row in result.account)
    assert len(result.account) == 4
    common = flux_of(fluxes, "fossil", "North", "bookkeeping0")
    for member in (f"inversion{i}" for i in range(4)):
        np.testing.assert_array_equal(flux_of(result.fluxes, "fossil", "North", member), common)
        expected = (
            flux_of(fluxes, "land", "North", member)
            + flux_of(fluxes, "fossil", "North", member)
            - common
        )
        np.testing.assert_allclose(
            flux_of(result.fluxes, "land", "North", member), expected, atol=1e-13
        )
    again = adjust(result.fluxes, [step]).fluxes
    np.testing.assert_array_equal(again["flux_pgc_yr"], result.fluxes["flux_pgc_yr"])


def test_member_without_own_fossil_flux_is_refused(make_ensemble):
    step = Fossil(name="common prior", kind="fossil", common_pgc_yr={"Globe": 9.0},
                  unlisted="missing", **COMMON)  # fmt: skip
    with pytest.raises(ConfigError, match="inversion0 has no component fossil") as caught:
        adjust(make_ensemble(), [step])
    assert "common prior" in caught.value.where


@few
@given(a=amounts, b=amounts)
def test_trade_that_cancels_leaves_the_globe(make_ensemble, a, b):
    step = Add(
        name="trade", kind="add", component="land", conserve="globe",
        amounts_pgc_yr={"Globe": 0.0, "North": a, "South": b}, **COMMON,
    )  # fmt: skip
    result = adjust(make_ensemble(), [step])
    assert all(row[-1] for row in result.account)
    assert closure_account(result.fluxes, 1e-12)["ok"].all()


def test_trade_that_does_not_cancel_is_found(make_ensemble):
    step = Add(
        name="trade", kind="add", component="land", conserve="globe",
        amounts_pgc_yr={"Globe": 0.1, "North": 0.1, "South": 0.0}, **COMMON,
    )  # fmt: skip
    assert not any(row[-1] for row in adjust(make_ensemble(), [step]).account)


def test_amounts_from_a_table(make_ensemble, tmp_path):
    rows = [
        (region, year, value * (year - 1999))
        for year in (2000, 2001)
        for region, value in {"Globe": 3.0, "North": 1.0, "South": 2.0}.items()
    ]
    table = pd.DataFrame(rows, columns=["region", "year", "flux_pgc_yr"])
    table.to_csv(tmp_path / "trade.csv", index=False)
    fluxes = make_ensemble()
    step = Add(name="t", kind="add", component="land", conserve="none", table="trade.csv",
               factor=-1.0, **COMMON)  # fmt: skip
    result = adjust(fluxes, [step], root=tmp_path).fluxes
    change = flux_of(result, "land", "South", "inversion0") - flux_of(
        fluxes, "land", "South", "inversion0"
    )
    np.testing.assert_allclose(change[0], np.repeat([-2.0, -4.0], 12), atol=1e-12)
    assert closure_account(result, 1e-12)["ok"].all()  # the rest of the set was filled in
    table[table["year"] == 2000].to_csv(tmp_path / "trade.csv", index=False)
    cut = adjust(fluxes, [step], root=tmp_path).fluxes
    assert np.isnan(flux_of(cut, "land", "South", "inversion0")[:, 12:]).all()
    pd.concat([table, table]).to_csv(tmp_path / "trade.csv", index=False)
    with pytest.raises(InputError, match="stands twice"):
        adjust(fluxes, [step], root=tmp_path)
    with pytest.raises(InputError, match="cannot read the table"):
        adjust(fluxes, [step], root=tmp_path / "elsewhere")


@few
@given(north=st.floats(0.5, 1.5), south=st.floats(0.5, 1.5))
def test_scaled_bands_make_a_new_globe(make_ensemble, north, south):
    fluxes = make_ensemble()
    step = Scale(
        name="area", kind="scale", component="ocean", rebuild_globe_from="bands",
        factors={"North": north, "South": south}, **COMMON,
    )  # fmt: skip
    result = adjust(fluxes, [step]).fluxes
    assert closure_account(result, 1e-12)["ok"].all()
    np.testing.assert_allclose(
        flux_of(result, "ocean", "North", "inversion1"),
        north * flux_of(fluxes, "ocean", "North", "inversion1"),
    )
    same = Scale(name="area", kind="scale", component="ocean", factors=2.0, **COMMON)
    np.testing.assert_array_equal(
        flux_of(adjust(fluxes, [same]).fluxes, "ocean", "Globe", "inversion1"),
        2 * flux_of(fluxes, "ocean", "Globe", "inversion1"),
    )


def test_net_land_of_s2_and_land_use(make_ensemble):
    fluxes = make_ensemble(families={"land_process": ("land_s2", "eluc")})
    step = Combine(name="net", kind="combine", source="s", families=("land_process",),
                   into="land", terms={"land_s2": 1.0, "eluc": 1.0}, drop_terms=True)  # fmt: skip
    result = adjust(fluxes, [step]).fluxes
    assert set(result["component"].values) == {"land"}
    np.testing.assert_allclose(
        flux_of(result, "land", "North"),
        flux_of(fluxes, "land_s2", "North") + flux_of(fluxes, "eluc", "North"),
    )
    assert closure_account(result, 1e-12)["ok"].all()
    with pytest.raises(ConfigError, match="has no land_s3"):
        adjust(fluxes, [step.model_copy(update={"terms": {"land_s3": 1.0}})])


def test_steps_work_in_their_order_and_leave_the_input_alone(make_ensemble):
    fluxes = make_ensemble()
    kept = fluxes.copy(deep=True)
    plus = Add(name="a", kind="add", component="land", conserve="none",
               amounts_pgc_yr={"Globe": 2.0, "North": 1.0, "South": 1.0}, **COMMON)  # fmt: skip
    twice = Scale(name="b", kind="scale", component="land", factors=2.0, **COMMON)
    first = adjust(fluxes, [plus, twice]).fluxes
    second = adjust(fluxes, [twice, plus]).fluxes
    np.testing.assert_allclose(
        flux_of(first, "land", "Globe", "inversion0")
        - flux_of(second, "land", "Globe", "inversion0"),
        2.0,
        atol=1e-12,
    )
    assert fluxes.identical(kept)
    assert adjust(fluxes, []).fluxes.identical(with_totals(fluxes))


@pytest.mark.parametrize(
    "step",
    [
        Rivers(name="x", kind="rivers", source="s", families=("ocean_product",), edition=2023),
        Add(name="x", kind="add", source="s", families=("inversion",), component="wood",
            conserve="none", amounts_pgc_yr={"Globe": 1.0, "North": 0.5, "South": 0.5}),
        Scale(name="x", kind="scale", source="s", families=("inversion",), members=("Z",),
              component="land", factors=1.0),
    ],
)  # fmt: skip
def test_a_step_that_applies_to_nobody_is_refused(make_ensemble, step):
    with pytest.raises(ConfigError, match="applies to nobody"):
        adjust(make_ensemble(), [step])


def steps_of(kinds, value):
    """A list of adjustments of the given kinds, each of some size."""
    made = {
        "rivers": Rivers(
            name="r", kind="rivers",
            land_pgc_yr={"Globe": value, "North": 2 * value, "South": -value},
            ocean_pgc_yr={"Globe": -value, "North": 0.0, "South": -value}, **COMMON,
        ),
        "fossil": Fossil(name="f", kind="fossil", common="inversion/inversion1", **COMMON),
        "add": Add(
            name="a", kind="add", component="ocean", conserve="none",
            amounts_pgc_yr={"Globe": value, "North": value, "South": value}, **COMMON,
        ),
        "scale": Scale(
            name="s", kind="scale", component="land", rebuild_globe_from="bands",
            factors={"North": 1 + value, "South": 1 - value}, **COMMON,
        ),
        "combine": Combine(
            name="c", kind="combine", into="land", terms={"land": 1.0, "fossil": value}, **COMMON
        ),
    }  # fmt: skip
    return [made[kind] for kind in kinds]


@few
@given(
    kinds=st.lists(st.sampled_from(["rivers", "fossil", "add", "scale", "combine"]), max_size=5),
    value=st.floats(0.01, 0.9),
    seed=st.integers(0, 9),
)
def test_whatever_is_adjusted_still_adds_up(make_ensemble, kinds, value, seed):
    fluxes = make_ensemble(seed, n=2, families={"inversion": ("land", "ocean", "fossil")})
    result = adjust(with_totals(fluxes), steps_of(kinds, value))
    account = closure_account(result.fluxes, 1e-12, result.account)
    assert account["ok"].all()
    assert set(result.fluxes["component"].values) == {"land", "ocean", "fossil", "total"}
    assert result.fluxes.sizes["series"] == 8
    assert len(result.account) == 2 * sum(kind in ("rivers", "fossil") for kind in kinds)


def test_a_combination_is_as_coarse_as_its_coarsest_term(make_ensemble):
    fluxes = make_ensemble(families={"land_process": ("land_s2", "eluc")})
    yearly = np.where(fluxes["component"].values == "eluc", "year", "month")
    fluxes = fluxes.assign_coords(resolution=("series", yearly))
    step = Combine(name="net", kind="combine", source="s", families=("land_process",),
                   into="land", terms={"land_s2": 1.0, "eluc": 1.0})  # fmt: skip
    result = adjust(fluxes, [step]).fluxes
    made = result["resolution"].values[result["component"].values == "land"]
    assert set(made.tolist()) == {"year"}  # no months of its own: no seasonal cycle
