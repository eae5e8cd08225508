"""The forms that files come in (split, packed, daily, annual, by realisation), end to end.

Grid and numbers are those of `paper`: 1 to 12 times 1e-9 kg C m-2 s-1 on three rows and four
columns make 6.5 `PAPER` Pg C/yr. There are two years, 2001 and 2002, so that spans can differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from paper import FLUX, GLOBE, NORTH, PAPER, SOUTH, THREE_ROWS, TROPICS, VALUES, write

from hpcbudget.config import load_config
from hpcbudget.workflow import run_config

MONTHS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
DAYS = np.concatenate([MONTHS, MONTHS])
MIDDLE = np.cumsum(DAYS) - DAYS / 2


class Run(NamedTuple):
    monthly: pd.DataFrame
    annual: pd.DataFrame
    statistics: pd.DataFrame

    def months(self, member: str, region: str = "Globe", component: str = "land") -> pd.Series:
        return self._series(self.monthly, ["year", "month"], member, region, component)

    def years(self, member: str, region: str = "Globe", component: str = "land") -> pd.Series:
        return self._series(self.annual, ["year"], member, region, component)

    @staticmethod
    def _series(
        table: pd.DataFrame, index: list[str], member: str, region: str, component: str
    ) -> pd.Series:
        rows = table[
            (table.member == member) & (table.region == region) & (table.component == component)
        ]
        return rows.set_index(index).flux_pgc_yr.dropna()


def two_years(values: np.ndarray = VALUES) -> np.ndarray:
    return np.broadcast_to(values, (24, *values.shape[-2:])).copy()


def put(path: Path, values: np.ndarray, **more: Any) -> None:
    write(path, values, **{"stamps": MIDDLE, **more})


def make(folder: Path) -> dict[str, dict[str, Any]]:
    """Write the files of all members and return their entries."""
    members: dict[str, dict[str, Any]] = {}

    for year in (2001, 2002):
        write(folder / f"split_{year}.nc", VALUES * (year - 2000), start=f"{year}-01-01")
    members["split"] = {"paths": "split_*.nc"}

    put(folder / "terms.nc", two_years(), variable="bio")
    put(folder / "terms_fire.nc", two_years(VALUES * 0.25), variable="fire")
    members["terms"] = {
        "components": {
            "land": [{"variable": "bio"}, {"variable": "fire", "paths": "terms_fire.nc"}]
        }
    }

    packed = xr.DataArray(np.round(two_years() / 1e-9).astype("i2"), dims=("time", "lat", "lon"))
    packed[:, 0, 0] = -32768
    packed.attrs = {"units": "kg m-2 s-1", "scale_factor": 1e-9, "_FillValue": np.int16(-32768)}
    axes = {"time": MIDDLE, **THREE_ROWS}
    dataset = xr.Dataset({"nbp": packed}, coords=axes)
    dataset.time.attrs = {"units": "days since 2001-01-01", "calendar": "noleap"}
    dataset.to_netcdf(folder / "packed.nc", engine="netcdf4")
    members["packed"] = {}

    # 365 days a year; the last day of January 2001 counts 32 times
    daily = np.broadcast_to(VALUES, (730, 3, 4)).copy()
    daily[30] *= 32
    write(folder / "daily.nc", daily, stamps=np.arange(730) + 0.5)
    members["daily"] = {}

    yearly = np.stack([VALUES, 3 * VALUES])
    write(folder / "yearly.nc", yearly, stamps=np.array([182.5, 547.5]))
    members["yearly"] = {}

    # ends in October 2002: that year has no annual flux
    put(folder / "short.nc", two_years()[:22], stamps=MIDDLE[:22])
    members["short"] = {}

    # stamps at the end of the month, which only the bounds put right
    ends = np.cumsum(DAYS).astype(float)
    bounds = np.stack([ends - DAYS, ends], axis=1)
    season = two_years() * np.tile(np.arange(1.0, 13.0), 2)[:, None, None]
    ended = {"time_bnds": (("time", "bnds"), bounds, {})}
    put(folder / "ended.nc", season, stamps=ends, more=ended, time_attrs={"bounds": "time_bnds"})
    members["ended"] = {}

    # longitude first
    turned = xr.open_dataset(folder / "split_2001.nc", decode_times=False)
    turned.transpose("time", "lon", "lat").to_netcdf(folder / "turned.nc", engine="netcdf4")
    turned.close()
    members["turned"] = {}

    # two realisations in one file, and another model: one vote each
    both = np.stack([two_years(), two_years(3 * VALUES)], axis=1)
    names = ("time", "realisation", "lat", "lon")
    ensemble = xr.Dataset(
        {"nbp": (names, both, {"units": "kg m-2 s-1"})},
        coords={"realisation": [1, 2], **axes},
    )
    ensemble.time.attrs = {"units": "days since 2001-01-01", "calendar": "noleap"}
    ensemble.to_netcdf(folder / "realisations.nc", engine="netcdf4")
    ensemble.to_zarr(folder / "realisations.zarr", zarr_format=3, consolidated=False)
    for k, path in ((1, "realisations.nc"), (2, "realisations.zarr")):
        members[f"run{k}"] = {"paths": path, "model": "twice", "select": {"realisation": k}}

    # a tenth of every cell is sea; the values are per m2 of it
    sea = {"sftof": (("lat", "lon"), np.full((3, 4), 10.0), {"units": "%"})}
    put(folder / "sea.nc", two_years(), more=sea)
    members["sea"] = {
        "flux": {"area_basis": "ocean"},
        "mask": {"paths": "sea.nc", "variable": "sftof", "scale": "percent"},
    }
    return members


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("forms")
    members = {
        name: {
            "paths": f"{name}.nc",
            "components": {"land": "nbp"},
            **options,
            "flux": FLUX | options.get("flux", {}),
        }
        for name, options in make(folder).items()
    }
    vote = {name: members.pop(name) for name in ("run1", "run2")}
    vote["other"] = {**vote["run1"], "model": "once", "select": {"realisation": 2}}
    config = {
        "name": "forms",
        "periods": {"both": [2001, 2002]},
        "ensembles": [
            {"family": "land_process", "members": members},
            {"family": "inversion", "members": vote},
        ],
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    out = folder / "out"
    run_config(load_config(path, data=folder), out, workers=1, with_report=False)
    return Run(
        *(
            pd.read_csv(out / "tables" / f"{name}.csv", keep_default_na=False, na_values=[""])
            for name in ("monthly", "annual", "statistics")
        )
    )


def test_files_of_single_years_are_one_series(run: Run) -> None:
    assert run.years("split").to_dict() == pytest.approx(
        {2001: GLOBE * PAPER, 2002: 2 * GLOBE * PAPER}, rel=1e-12
    )
    assert len(run.months("split")) == 24


def test_terms_of_a_component_are_added(run: Run) -> None:
    np.testing.assert_allclose(run.years("terms"), 1.25 * GLOBE * PAPER, rtol=1e-12)
    np.testing.assert_allclose(run.months("terms", "South"), 1.25 * SOUTH * PAPER, rtol=1e-12)


def test_packed_integers_are_unpacked_and_their_fill_is_missing(run: Run) -> None:
    np.testing.assert_allclose(run.years("packed", "South"), 9 / 16 * PAPER, rtol=1e-12)
    np.testing.assert_allclose(run.years("packed", "North"), NORTH * PAPER, rtol=1e-12)


def test_days_are_averaged_over_their_months(run: Run) -> None:
    months = run.months("daily")
    assert months[2001, 1] == pytest.approx(2 * GLOBE * PAPER, rel=1e-12)
    assert months[2001, 2] == pytest.approx(GLOBE * PAPER, rel=1e-12)
    years = run.years("daily")
    assert years[2001] == pytest.approx(GLOBE * PAPER * (365 + 31) / 365, rel=1e-12)
    assert years[2002] == pytest.approx(GLOBE * PAPER, rel=1e-12)


def test_annual_members_have_years_and_no_months(run: Run) -> None:
    assert run.years("yearly").to_dict() == pytest.approx(
        {2001: GLOBE * PAPER, 2002: 3 * GLOBE * PAPER}, rel=1e-12
    )
    assert run.months("yearly").empty


def test_a_year_that_lacks_months_has_no_annual_flux(run: Run) -> None:
    assert len(run.months("short")) == 22
    assert list(run.years("short").index) == [2001]


def test_bounds_decide_where_a_month_lies(run: Run) -> None:
    months = run.months("ended").to_numpy().reshape(2, 12)
    np.testing.assert_allclose(months[0], np.arange(1, 13) * GLOBE * PAPER, rtol=1e-12)
    weighted = (np.arange(1, 13) * MONTHS).sum() / 365  # months weigh as long as they last
    np.testing.assert_allclose(run.years("ended"), weighted * GLOBE * PAPER, rtol=1e-12)


def test_order_of_dimensions_does_not_matter(run: Run) -> None:
    assert run.years("turned", "Tropics")[2001] == pytest.approx(TROPICS * PAPER, rel=1e-12)


def test_realisations_share_the_vote_of_their_model(run: Run) -> None:
    """Model means are 2 and 3 times 6.5 PAPER: mean 2.5, standard deviation sqrt(1/2)."""
    np.testing.assert_allclose(run.years("run2"), 3 * GLOBE * PAPER, rtol=1e-12)
    rows = run.statistics
    row = rows[
        (rows.family == "inversion") & (rows.region == "Globe") & (rows.period == "both")
    ].iloc[0]
    assert row.n == 2
    assert row["mean"] == pytest.approx(2.5 * GLOBE * PAPER, rel=1e-12)
    assert row.sd == pytest.approx(np.sqrt(0.5) * GLOBE * PAPER, rel=1e-12)
    assert (row["min"], row["max"]) == pytest.approx((2 * GLOBE * PAPER, 3 * GLOBE * PAPER))
    assert row.sink_votes == 0
    assert row.verdict == "source"


def test_statistics_name_only_members_with_the_whole_period(run: Run) -> None:
    rows = run.statistics
    row = rows[
        (rows.family == "land_process") & (rows.region == "Globe") & (rows.period == "both")
    ].iloc[0]
    members = {"split", "terms", "packed", "daily", "yearly", "ended", "sea"}
    assert row.n == len(members)  # not short, nor turned, which has 2001 only


def test_per_sea_area(run: Run) -> None:
    np.testing.assert_allclose(run.years("sea"), 0.1 * GLOBE * PAPER, rtol=1e-12)
