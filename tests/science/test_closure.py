from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.errors import ClosureError
from hpcbudget.science.closure import (
    CLOSURE_COLUMNS,
    closure_account,
    relative_difference,
    require_closure,
)
from hpcbudget.science.total import with_totals


def test_what_adds_up_closes(make_ensemble):
    account = closure_account(with_totals(make_ensemble()), 1e-12)
    assert tuple(account.columns) == CLOSURE_COLUMNS
    assert account["ok"].all()
    assert set(account["check"]) == {
        "regions of bands = Globe",
        "area of bands = Globe",
        "land + ocean = total",
    }
    assert (
        len(account) == 4 * (3 * 2 - 1 + 1) + 2 * 2 * 4
    )  # 4 inversions x (2 checks x 3 + total), models
    require_closure(account)


@given(loss=st.floats(1e-6, 1), series=st.integers(0, 3), month=st.integers(0, 23))
def test_any_loss_is_found(make_ensemble, loss, series, month):
    fluxes = make_ensemble()
    fluxes["flux_pgc_yr"][series, 1, month] += loss
    account = closure_account(fluxes, 1e-12)
    assert (~account["ok"]).sum() == 1
    with pytest.raises(ClosureError, match="does not close: 1 of"):
        require_closure(account)


def test_region_without_data_adds_nothing(make_fluxes):
    flux = np.array([[-3.0], [-3.0], [np.nan], [np.nan]])
    fluxes = make_fluxes({("inversion", "A", "A", "land"): flux})
    assert closure_account(fluxes, 1e-12)["ok"].all()


def test_lost_region_is_not_taken_for_an_empty_one(make_fluxes):
    flux = np.array([[-3.0], [-3.0], [0.0], [0.0]])
    fluxes = make_fluxes({("inversion", "A", "A", "land"): flux})
    fluxes["flux_pgc_yr"][0, 2] = np.nan  # its area still says that there are data
    account = closure_account(fluxes, 1e-12)
    assert np.isinf(account.loc[~account["ok"], "value"]).all()
    assert not account["ok"].all()


def test_months_without_a_record_do_not_count(make_fluxes):
    flux = np.full((4, 12), np.nan)
    flux[:, :6] = np.array([[-3.0], [-1.0], [-2.0], [0.0]])
    fluxes = make_fluxes({("inversion", "A", "A", "land"): flux})
    for name in ("valid_area_m2", "missing_area_m2"):
        fluxes[name] = fluxes[name].where(np.isfinite(fluxes["flux_pgc_yr"]))
    account = closure_account(fluxes, 1e-12)
    assert len(account) == 2
    assert account["ok"].all()


def test_a_table_of_the_globe_has_no_regions_to_check(make_fluxes):
    flux = np.array([[-3.0], [np.nan], [np.nan], [np.nan]])
    fluxes = make_fluxes({("ocean_process", "A", "A", "ocean"): flux})
    fluxes["valid_area_m2"][:] = np.nan
    assert closure_account(fluxes, 1e-12).empty


def test_extra_rows_join_the_account(make_fluxes):
    fluxes = make_fluxes({("inversion", "A", "A", "land"): 0.0})
    extra = ("inversion", "A", "land", "a second integration", 1.0, 1e-12, False)
    account = closure_account(fluxes, 1e-12, [extra])
    assert (account["check"] == "a second integration").sum() == 1
    with pytest.raises(ClosureError, match="1 of 3"):
        require_closure(account)


def test_relative_to_the_sum_of_magnitudes():
    assert relative_difference(np.array([[10.0], [-10.0]]), np.array([1.0])) == 1 / 21
    assert np.isnan(relative_difference(np.array([[np.nan]]), np.array([np.nan])))
    assert relative_difference(np.array([[0.0]]), np.array([0.0])) == 0
