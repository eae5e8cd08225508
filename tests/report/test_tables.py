"""Tables keep every bit, every column and every gap."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.errors import InputError
from hpcbudget.report.tables import (
    COLUMNS,
    annual_table,
    monthly_table,
    read_tables,
    write_table,
    write_tables,
)
from hpcbudget.science.statistics import annual as annual_of

FLOATS = st.floats(allow_nan=True, allow_infinity=False)


@given(values=st.lists(FLOATS, min_size=1, max_size=20))
def test_floats_survive_the_file_bit_for_bit(values: list[float], tmp_path: Path) -> None:
    frame = pd.DataFrame({"region": ["NA"] * len(values), "mean": values})
    write_tables(tmp_path, {"other": frame})
    back = read_tables(tmp_path)["other"]
    assert back["region"].tolist() == ["NA"] * len(values)
    expected = np.array(values)
    assert back["mean"].to_numpy(float).tobytes() == expected.tobytes() or all(
        a == b or (math.isnan(a) and math.isnan(b))
        for a, b in zip(back["mean"], values, strict=True)
    )


def test_numbers_are_written_in_their_shortest_exact_form(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [0.1, 1 / 3, 1e-15, np.nan], "ok": [True, False, True, True]})
    text = write_table(frame, tmp_path / "t.csv").read_text()
    assert text.splitlines() == ["a,ok", "0.1,True", f"{1 / 3!r},False", "1e-15,True", ",True"]


def test_same_rows_give_the_same_bytes(tmp_path: Path, fluxes: xr.Dataset) -> None:
    first = write_table(monthly_table(fluxes), tmp_path / "a.csv", COLUMNS["monthly"])
    shuffled = fluxes.isel(series=np.random.default_rng(1).permutation(fluxes.sizes["series"]))
    second = write_table(monthly_table(shuffled), tmp_path / "b.csv", COLUMNS["monthly"])
    assert first.read_bytes() == second.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def test_monthly_rows_are_the_months_of_the_record(fluxes: xr.Dataset) -> None:
    table = monthly_table(fluxes)
    assert tuple(table.columns) == COLUMNS["monthly"]
    member = table[table["member"] == "INV-C"]
    assert member["year"].min() == 2001
    assert len(member) == 20 * 12 * fluxes.sizes["region"] * 4
    row = member[
        (member["component"] == "land") & (member["region"] == "North")
        & (member["year"] == 2003) & (member["month"] == 7)
    ]  # fmt: skip
    at = np.flatnonzero(
        (fluxes["member"].values == "INV-C") & (fluxes["component"].values == "land")
    )
    expected = fluxes["flux_pgc_yr"].isel(series=at).sel(region="North", time="2003-07-01")
    assert row["flux_pgc_yr"].tolist() == expected.values.tolist()


def test_a_month_without_data_is_a_row_with_its_missing_area(fluxes: xr.Dataset) -> None:
    holed = fluxes.isel(series=[0], region=[0]).copy(deep=True)
    holed["flux_pgc_yr"][0, 0, 5] = np.nan
    holed["valid_area_m2"][0, 0, 5] = 0.0
    holed["missing_area_m2"][0, 0, 5] = 1e14
    table = monthly_table(holed)
    assert len(table) == fluxes.sizes["time"]
    assert table["missing_area_m2"].max() == 1e14
    assert table["flux_pgc_yr"].isna().sum() == 1


def test_a_region_without_cells_has_empty_rows_inside_the_record(fluxes: xr.Dataset) -> None:
    landless = fluxes.isel(series=np.flatnonzero(fluxes["member"] == "INV-C")).copy(deep=True)
    landless["flux_pgc_yr"][:, 3] = np.nan
    table = monthly_table(landless)
    rows = table[(table["region"] == "South") & (table["component"] == "land")]
    assert rows["flux_pgc_yr"].isna().all()
    assert len(rows) == 20 * 12


def test_series_constant_within_years_are_not_monthly(fluxes: xr.Dataset) -> None:
    yearly = fluxes.isel(series=[0, 1]).assign_coords(resolution=("series", ["year", "month"]))
    assert set(monthly_table(yearly)["member"]) == {"DGVM-B"}
    assert set(annual_table(annual_of(yearly))["member"]) == {"DGVM-A", "DGVM-B"}


def test_annual_rows_agree_with_plain_pandas(fluxes: xr.Dataset, annual: pd.DataFrame) -> None:
    table = annual_table(annual_of(fluxes))
    assert tuple(table.columns) == COLUMNS["annual"]
    keys = ["family", "member", "component", "region", "year"]
    both = table.astype(dict.fromkeys(keys[:4], str)).merge(annual, on=keys, suffixes=("", "_pd"))
    assert len(both) == len(table) == len(annual)
    np.testing.assert_allclose(both["flux_pgc_yr"], both["flux_pgc_yr_pd"], rtol=0, atol=1e-13)


def test_bad_input_a_lacking_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing: ok; not expected: fine"):
        write_tables(
            tmp_path, {"closure": pd.DataFrame(columns=[*COLUMNS["closure"][:-1], "fine"])}
        )
    assert not (tmp_path / "tables" / "closure.csv").exists()
