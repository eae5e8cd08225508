from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.errors import InputError
from hpcbudget.science.reccap import (
    Estimate,
    Lateral,
    balances,
    net_ecosystem_exchange,
    stock_change,
    sum_of,
)

estimates = st.builds(Estimate, st.floats(-900, 900), st.floats(0, 500))
laterals = st.builds(Lateral, estimates, estimates, estimates, estimates)


@given(change=estimates, lateral=laterals)
def test_nee_and_stock_change_are_inverse(change, lateral):
    back = stock_change(net_ecosystem_exchange(change, lateral), lateral)
    assert back.mean == pytest.approx(change.mean, abs=1e-9)
    assert back.sd >= change.sd


def test_published_balances_of_nine_regions(shared_data):
    table = pd.read_csv(
        shared_data / "reccap1" / "reccap_app_master_v3.15.2.csv", sep="\t", decimal=","
    )
    computed = balances(table)
    published = table[table["Name"] == "NEE"].set_index("Region")
    regions = computed.index[computed.index != "Globe"]
    assert len(regions) == 9
    assert (computed["nee"] - published["Mean"]).loc[regions].abs().max() <= 1.3 + 1e-9
    # the published sigma of South-East Asia is smaller than that of its stock change alone
    others = regions.drop("SouthEast Asia")
    assert (computed["nee_sd"] - published["Uncert"]).loc[others].abs().max() <= 1.3
    lateral = {
        "North America": 70, "South Asia": 27, "East Asia": -37, "SouthEast Asia": 166,
        "Russia": 58, "Europe": -82, "South America": 213, "Australia": 9.7, "Africa": 24,
    }  # fmt: skip
    for region, value in lateral.items():
        assert computed.loc[region, "lateral"] == pytest.approx(value, abs=0.05)


def test_global_sigma_is_the_quadrature_of_the_regions(shared_data):
    table = pd.read_csv(
        shared_data / "reccap1" / "reccap_app_master_v3.15.2.csv", sep="\t", decimal=","
    )
    nee = table[table["Name"] == "NEE"].set_index("Region")
    regions = nee.drop("Globe")
    total = sum_of([Estimate(r.Mean, r.Uncert) for r in regions.itertuples()])
    assert total.sd == pytest.approx(nee.loc["Globe", "Uncert"], abs=0.5)
    assert total.mean == pytest.approx(nee.loc["Globe", "Mean"], abs=1.3)


def test_a_missing_term_is_not_zero():
    table = pd.DataFrame({"Region": ["A"], "Name": ["dC"], "Mean": [1.0], "Uncert": [1.0]})
    with pytest.raises(InputError, match="0 rows instead of one for 'Wood export'"):
        balances(table)
