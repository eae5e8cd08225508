from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpcbudget.errors import InputError, Problems
from hpcbudget.options import TableEnsemble
from hpcbudget.science.annual import annual
from hpcbudget.science.closure import closure_account
from hpcbudget.science.sheet import read_sheet
from hpcbudget.science.tables import read_tables

TIME = pd.date_range("2000-01", periods=36, freq="MS").to_numpy()


def ensemble(**changes: object) -> TableEnsemble:
    options = {
        "family": "ocean_process", "component": "ocean", "path": "t.csv", "sign": "to_surface",
        "units": "Pg C yr-1", "members": {"A": "A", "B": {"Globe": "B", "North": "Bn"}},
    }  # fmt: skip
    return TableEnsemble.model_validate(options | changes)


@pytest.fixture
def regions(make_fluxes):
    return make_fluxes({("inversion", "A", "A", "land"): 0.0})["region"]


@pytest.fixture
def annual_csv(tmp_path: Path) -> Path:
    (tmp_path / "t.csv").write_text("# a comment\n Year,A ,B,Bn\n2000,2,3,1\n2001,2.5,,1\n")
    return tmp_path


def test_annual_series_come_out_as_they_went_in(annual_csv, regions):
    fluxes = read_tables([ensemble()], TIME, regions, root=annual_csv)
    assert fluxes["member"].values.tolist() == ["A", "B"]
    assert set(fluxes["resolution"].values) == {"year"}
    years = annual(fluxes)["flux_pgc_yr"]
    np.testing.assert_allclose(
        years.sel(region="Globe"), [[-2, -2.5, np.nan], [-3, np.nan, np.nan]]
    )
    np.testing.assert_allclose(years.sel(region="North")[1], [-1, -1, np.nan])
    assert np.isnan(years.sel(region="South")).all()
    assert closure_account(fluxes, 1e-12).empty


def test_units_sign_decimals_and_models(tmp_path, regions):
    (tmp_path / "t.tsv").write_text("year\tA\tB\n2000\t2000,5\t1000\n")
    table = ensemble(path="t.tsv", units="Tg C yr-1", sign="to_atmosphere", decimal=",",
                     members={"A": "A", "B": "B"}, models={"A": "M", "B": "M"})  # fmt: skip
    fluxes = read_tables([table], TIME, regions, root=tmp_path)
    np.testing.assert_allclose(fluxes["flux_pgc_yr"].values[:, 0, 0], [2.0005, 1.0])
    assert set(fluxes["model"].values) == {"M"}
    carbon = ensemble(path="t.tsv", units="Pg CO2 yr-1", members={"B": "B"})
    flux = read_tables([carbon], TIME, regions, root=tmp_path)["flux_pgc_yr"].values[0, 0, 0]
    assert flux == pytest.approx(-1000 * 12.011 / 44.009)


def test_monthly_series(tmp_path, regions):
    rows = [f"{2000 + i // 12},{i % 12 + 1},{i}" for i in range(35)]
    (tmp_path / "t.csv").write_text("\n".join(["year,month,A", *rows]))
    table = ensemble(month="month", members={"A": "A"}, sign="to_atmosphere")
    fluxes = read_tables([table], TIME, regions, root=tmp_path)
    np.testing.assert_array_equal(fluxes["flux_pgc_yr"].values[0, 0], [*np.arange(35.0), np.nan])
    assert fluxes["resolution"].item() == "month"


def test_all_problems_at_once(annual_csv, regions):
    table = ensemble(members={"A": "nope", "B": {"Atlantis": "B"}})
    with pytest.raises(Problems) as caught:
        read_tables([table, ensemble(path="absent.csv")], TIME, regions, root=annual_csv)
    text = str(caught.value)
    assert "3 problems" in text
    assert "no column 'nope'" in text
    assert "'Atlantis'" in text
    assert "no such file" in text


def test_bad_input_names_its_place(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("year,A,A\n2000,x,1\n2000,2,2\n")
    sheet = read_sheet(path)
    with pytest.raises(InputError, match="2 columns are called 'A'") as caught:
        sheet.find("A")
    assert "A#2" in caught.value.fix
    assert sheet.find("A#2") == 2
    with pytest.raises(InputError, match="'x' is no number"):
        sheet.column(1)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no row holds a column called 'year'"):
        read_sheet(path)
    path.write_text("year,b\n")
    with pytest.raises(InputError, match="no row with a year"):
        read_sheet(path)
    (tmp_path / "t.doc").write_text("")
    with pytest.raises(InputError, match=r"type '\.doc'"):
        read_sheet(tmp_path / "t.doc")


def test_what_is_no_workbook_or_no_text_is_refused(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(b"no zip")
    (tmp_path / "t.csv").write_bytes(b"year,A\n2000,\xff\n")
    for name in ("t.xlsx", "t.csv"):
        with pytest.raises(InputError, match="cannot read the table"):
            read_sheet(tmp_path / name)


@pytest.mark.parametrize("separator", ["\t", ";", ","])
def test_separator_is_that_of_the_header(tmp_path, separator):
    """Prose full of commas stands above, and a comma is a decimal point where it can be."""
    comma = "," if separator != "," else "."
    (tmp_path / "t.csv").write_text(
        "Year\nSinks, sources, and all, in words; really, all\n\n"
        + separator.join(("Year", "A", "B"))
        + "".join(f"\n{y}{separator}1{comma}5{separator}2{comma}25" for y in range(2000, 2004))
    )
    sheet = read_sheet(tmp_path / "t.csv")
    assert sheet.header == ("Year", "A", "B")
    assert sheet.column(2, comma) == [2.25] * 4


def test_cells_of_published_tables(tmp_path):
    """Line breaks and hard blanks in names; words for no value; a blank behind a sheet's name."""
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Notes"
    page = book.create_sheet("Ocean Sink ")
    page.append(["GtC/yr"])
    page.append(["Year", "fossil emissions\nexcluding  carbonation", "NEMO\xa0(IPSL) ", "C"])
    page.append([1959, "#N/A", "n/a", "-"])
    page.append(["1960", 2.5, "1.5", "1,5"])
    page.append(["2023*", 9, 9, 9])
    book.save(tmp_path / "t.xlsx")
    sheet = read_sheet(tmp_path / "t.xlsx", "Ocean Sink")
    assert sheet.years.tolist() == [1959, 1960]
    named = ("fossil emissions excluding carbonation", "NEMO (IPSL)")
    columns = [sheet.column(sheet.find(name)) for name in named]
    np.testing.assert_array_equal(columns, [[np.nan, 2.5], [np.nan, 1.5]])
    with pytest.raises(InputError, match="'1,5' is no number") as caught:
        sheet.column(3)
    assert caught.value.fix == "declare decimal: ','"


def test_a_table_that_changed_is_read_again(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("year,A\n2000,1\n")
    assert read_sheet(path).column(1) == [1.0]
    path.write_text("year,A\n2000,2\n")
    os.utime(path, ns=(1, 1))
    assert read_sheet(path).column(1) == [2.0]


def test_a_year_that_stands_twice_is_refused(tmp_path, regions):
    (tmp_path / "t.csv").write_text("year,A\n2000,1\n2000,2\n")
    with pytest.raises(InputError, match="2000 stands twice"):
        read_tables([ensemble(members={"A": "A"})], TIME, regions, root=tmp_path)


def test_workbook_sheet_as_members(shared_data, regions):
    table = ensemble(
        path="gcb/Global_Carbon_Budget_2023v1.1.xlsx", sheet="Ocean Sink",
        members={"CESM-ETHZ": "CESM-ETHZ", "MRI": "MRI-ESM2-21"},
    )  # fmt: skip
    years = annual(read_tables([table], TIME, regions, root=shared_data))["flux_pgc_yr"]
    assert years.sel(region="Globe", year=2000).values == pytest.approx(
        [-v for v in (1.8, 1.8)], abs=0.6
    )


def test_column_name_used_twice_in_a_workbook(shared_data):
    sheet = read_sheet(
        shared_data / "gcb" / "Global_Carbon_Budget_2023v1.1.xlsx", "Land-Use Change Emissions"
    )
    with pytest.raises(InputError, match="2 columns are called 'LPX-Bern'"):
        sheet.find("LPX-Bern")
    assert sheet.find("LPX-Bern#2") > sheet.find("LPX-Bern#1")
    with pytest.raises(InputError, match="no sheet 'Ocean'"):
        read_sheet(shared_data / "gcb" / "Global_Carbon_Budget_2023v1.1.xlsx", "Ocean")


def test_no_tables(regions):
    assert read_tables([], TIME, regions, root=Path()) is None
