"""The shipped configuration on real data reproduces what the authors of the data published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hpcbudget.config import load_config
from hpcbudget.workflow import run_config

#: latitude range in the authors' file names, and our name of the same band
RANGES = {
    "-90_0_to_-30_0": "South",
    "-90_0_to_-45_0": "South45",
    "-45_0_to_-30_0": "S45_S30",
}
COMPONENTS = {"SFCO2_LND": "land", "SFCO2_OCN": "ocean", "SFCO2_FFF": "fossil"}
#: largest difference in Pg C/yr; CTE2018 is stored, and was summed by its authors, in float32
TOLERANCE = {"CAMSv20r1": 1e-12, "CT2017": 1e-12, "CTE2018": 1e-6, "SOM-FFN": 1e-12}


@pytest.fixture(scope="module")
def out(shared_data: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    config = load_config(repository / "configs" / "real-inversions.yaml", data=shared_data)
    run_config(config, folder, workers=1)
    return folder


@pytest.fixture(scope="module")
def monthly(out: Path) -> pd.DataFrame:
    table = pd.read_csv(out / "tables" / "monthly.csv", keep_default_na=False, na_values=[""])
    return table.set_index(["member", "component", "region"]).sort_index()


def published(path: Path, variable: str) -> tuple[np.ndarray, np.ndarray]:
    """Return months since year 0 and the authors' sums."""
    with xr.open_dataset(path) as dataset:
        months = dataset.time.dt.year * 12 + dataset.time.dt.month
        return months.to_numpy(), dataset[variable].to_numpy().astype(float)


@pytest.mark.parametrize("member", list(TOLERANCE))
def test_band_sums_of_the_authors(shared_data: Path, monthly: pd.DataFrame, member: str) -> None:
    files = sorted((shared_data / "inversions" / member).glob("flux_ts_monthly.lat_range=*.nc"))
    assert files
    for path in files:
        region = RANGES[path.stem.split("=")[1]]
        for variable, component in COMPONENTS.items():
            if member == "SOM-FFN" and component != "ocean":
                continue
            months, sums = published(path, variable)
            rows = monthly.loc[(member, component, region)].sort_values(["year", "month"])
            rows = rows.dropna(subset="flux_pgc_yr")
            np.testing.assert_array_equal(rows.year * 12 + rows.month, months)
            assert np.abs(rows.flux_pgc_yr.to_numpy() - sums).max() <= TOLERANCE[member]


def test_total_is_land_plus_ocean_without_fossil(monthly: pd.DataFrame) -> None:
    parts = {c: monthly.loc[("CT2017", c, "Globe")].flux_pgc_yr for c in ("land", "ocean", "total")}
    difference = parts["total"].to_numpy() - parts["land"].to_numpy() - parts["ocean"].to_numpy()
    assert np.nanmax(np.abs(difference)) < 1e-14
    assert "total" not in monthly.loc["SOM-FFN"].index.get_level_values("component")


def test_land_use_field_of_the_global_carbon_budget(out: Path) -> None:
    """1.284 Pg C/yr on the 6371 km sphere: 0.046 North, 1.217 Tropics, 0.020 South."""
    annual = pd.read_csv(out / "tables" / "annual.csv", keep_default_na=False, na_values=[""])
    eluc = annual[annual.component == "eluc"].dropna(subset="flux_pgc_yr")
    assert sorted(set(eluc.year)) == list(range(2013, 2023))
    for region, expected in {
        "Globe": 1.2836711005,
        "North": 0.0462543786,
        "Tropics": 1.2171346699,
        "South": 0.0202820520,
    }.items():
        values = eluc[eluc.region == region].flux_pgc_yr
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9)


def test_the_budget_closes_and_the_figure_is_drawn(out: Path) -> None:
    closure = pd.read_csv(out / "tables" / "closure.csv")
    assert closure.ok.all()
    assert len(closure) >= 5
    assert list((out / "figures").glob("*.png"))
    assert list((out / "figures").glob("*.pdf"))
    assert (out / "report" / "index.html").stat().st_size > 10_000


def test_bad_input_missing_data_folder_names_every_file_and_the_way_out(
    repository: Path, tmp_path: Path
) -> None:
    from hpcbudget.inputs.catalogue import open_catalogue

    config = load_config(repository / "configs" / "real-inversions.yaml", data=tmp_path)
    with pytest.raises(ValueError, match="CT2017") as caught:
        open_catalogue(config)
    message = str(caught.value)
    for member in ("CAMSv20r1", "CTE2018", "SOM-FFN", "GCB2023"):
        assert member in message
    assert str(tmp_path) in message
    assert "--data" in message or "HPCBUDGET_DATA" in message
