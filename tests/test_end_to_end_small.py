"""Tiny inputs written by hand, through the whole pipeline, against numbers worked out on paper.

Three rows (edges -90, -30, 30, 90) and four columns: on a sphere of area A a polar cell has A/16,
a middle cell A/8. Values 1 2 3 4 / 5 6 7 8 / 9 10 11 12 (south to north) times 1e-9 kg C m-2 s-1
therefore give South 10/16 A, Tropics 26/8 A, North 42/16 A and Globe 6.5 A. With R = 6371 km and a
year of 365 days, A times 1e-9 kg C m-2 s-1 is 16.0853931861 Pg C/yr (`PAPER`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from paper import GLOBE, NORTH, PAPER, SOUTH, SPHERE_M2, TROPICS, VALUES, configure, write

from hpcbudget.config import load_config
from hpcbudget.workflow import run_config


def run(folder: Path, members: dict[str, dict[str, Any]], **more: Any) -> Path:
    """Run members of one family and return the output folder."""
    config = load_config(configure(folder, members, **more), data=folder)
    out = folder / "out"
    run_config(config, out, workers=1, with_report=False)
    return out


def table(out: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(out / "tables" / f"{name}.csv", keep_default_na=False, na_values=[""])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run over every case, one member each."""
    folder = tmp_path_factory.mktemp("paper")
    members: dict[str, dict[str, Any]] = {}

    write(folder / "plain.nc", VALUES)
    members["plain"] = {}
    write(folder / "uptake.nc", -VALUES)
    members["uptake"] = {"flux": {"sign": "to_surface"}}
    write(folder / "co2.nc", VALUES * 44.009 / 12.011)
    members["co2"] = {"flux": {"species": "CO2"}}
    write(folder / "moles.nc", VALUES / 12.011e-3, units="mol m-2 s-1")
    members["moles"] = {}
    write(folder / "grams_a_day.nc", VALUES * 1e3 * 86400, units="g m-2 d-1", dtype="f4")
    members["grams_a_day"] = {}

    # all calendars: the same rate lasts 365, 360, 365 (2001) and 366 days (2000)
    write(folder / "days360.nc", VALUES, calendar="360_day")
    members["days360"] = {}
    write(folder / "standard.nc", VALUES, calendar="standard")
    members["standard"] = {}
    write(folder / "leap.nc", VALUES, calendar="standard", start="2000-01-01")
    members["leap"] = {}
    # 1e-12 of the monthly amounts are January's and February's days: the rate is constant again
    lengths = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) * 86400.0
    per_month = VALUES * lengths[:, None, None]
    write(folder / "per_month.nc", per_month, units="kg m-2 month-1")
    members["per_month"] = {}
    write(folder / "per_year.nc", VALUES * 365 * 86400.0, units="kg m-2 yr-1")
    members["per_year"] = {}

    # the same field stored from north to south, columns shifted to -180..180
    turned = {"lat": [60.0, 0.0, -60.0], "lon": [-135.0, -45.0, 45.0, 135.0]}
    write(folder / "turned.nc", np.roll(VALUES, 2, axis=1)[::-1], coords=turned)
    members["turned"] = {}

    # per m2 of land: the northern row is half land, the middle one a quarter, the south none
    fraction = np.repeat([[0.0], [25.0], [50.0]], 4, axis=1)
    sftlf = {"sftlf": (("lat", "lon"), fraction, {"units": "%"})}
    write(folder / "half_land.nc", VALUES, more=sftlf)
    members["half_land"] = {
        "flux": {"area_basis": "land"},
        "land_fraction": {"paths": "half_land.nc", "variable": "sftlf", "scale": "percent"},
    }
    # totals of cells, twelve times 1 Pg C/yr
    write(folder / "per_cell.nc", np.ones((3, 4)), units="PgC/yr")
    members["per_cell"] = {"flux": {"area_basis": "per_cell"}}
    # a cell area of the file's own, 1 percent more than the sphere's
    area = np.repeat([[1 / 16], [1 / 8], [1 / 16]], 4, axis=1) * SPHERE_M2 * 1.01
    areacella = {"areacella": (("lat", "lon"), area, {"units": "m2"})}
    write(folder / "own_area.nc", VALUES, more=areacella)
    members["own_area"] = {"cell_area": {"paths": "own_area.nc", "variable": "areacella"}}

    # missing: the whole south and one cell of the north, by NaN and by a declared fill
    holes = VALUES.copy()
    holes[0] = holes[2, 3] = np.nan
    write(folder / "holes.nc", holes)
    members["holes"] = {}
    write(folder / "filled.nc", np.nan_to_num(holes, nan=-9999.0))
    members["filled"] = {"fill_value": -9999.0}

    # bands cut the rows: four rows of 45 degrees
    four = {"lat": [-67.5, -22.5, 22.5, 67.5], "lon": [45.0, 135.0, 225.0, 315.0]}
    rows = np.repeat([[1.0], [2.0], [3.0], [4.0]], 4, axis=1) * 1e-9
    write(folder / "straddling.nc", rows, coords=four)
    members["straddling"] = {}
    # half cells at the poles: rows of 30, 60, 60 and 30 degrees, the band edges lie on centres
    polar = {"lat": [-90.0, -30.0, 30.0, 90.0], "lon": [45.0, 135.0, 225.0, 315.0]}
    write(folder / "polar.nc", rows, coords=polar)
    members["polar"] = {}
    # one number per latitude: Pg C/yr per degree, rows of 60 degrees
    zonal = {"lat": [-60.0, 0.0, 60.0]}
    write(folder / "zonal.nc", np.array([1.0, 2.0, 3.0]), coords=zonal, units="Pg C yr-1 degree-1")
    members["zonal"] = {
        "flux": {"area_basis": "zonal_per_degree"},
        "grid": {"lat_width_deg": 60.0},
    }
    return run(folder, members)


@pytest.fixture(scope="module")
def found(out: Path) -> Callable[[str, str], float]:
    """Annual flux of a member and region; every month must say the same, for rates are constant."""
    annual, monthly = table(out, "annual"), table(out, "monthly")

    def values(rows: pd.DataFrame, member: str, region: str) -> np.ndarray:
        chosen = rows[(rows.member == member) & (rows.region == region)]
        return chosen.flux_pgc_yr.dropna().to_numpy()

    def look_up(member: str, region: str) -> float:
        months, years = values(monthly, member, region), values(annual, member, region)
        assert (len(months), len(years)) in ((12, 1), (0, 0))
        if not len(years):
            return float("nan")
        np.testing.assert_allclose(months, years[0], rtol=1e-13)
        return float(years[0])

    return look_up


Found = Callable[[str, str], float]


@pytest.mark.parametrize(
    "member",
    ["plain", "uptake", "co2", "moles", "standard", "per_month", "per_year", "turned"],
)
def test_one_flux_told_in_many_ways(found: Found, member: str) -> None:
    assert found(member, "Globe") == pytest.approx(GLOBE * PAPER, rel=1e-12)
    assert found(member, "South") == pytest.approx(SOUTH * PAPER, rel=1e-12)
    assert found(member, "Tropics") == pytest.approx(TROPICS * PAPER, rel=1e-12)
    assert found(member, "North") == pytest.approx(NORTH * PAPER, rel=1e-12)


def test_float32_input_loses_only_its_own_rounding(found: Found) -> None:
    assert found("grams_a_day", "Globe") == pytest.approx(GLOBE * PAPER, rel=6e-8)


def test_a_year_has_the_days_of_its_calendar(found: Found) -> None:
    assert found("days360", "Globe") == pytest.approx(GLOBE * PAPER * 360 / 365, rel=1e-12)
    assert found("leap", "Globe") == pytest.approx(GLOBE * PAPER * 366 / 365, rel=1e-12)


def test_half_land_cells_count_half(found: Found) -> None:
    assert found("half_land", "North") == pytest.approx(0.5 * NORTH * PAPER, rel=1e-12)
    assert found("half_land", "Tropics") == pytest.approx(0.25 * TROPICS * PAPER, rel=1e-12)
    expected = (0.5 * NORTH + 0.25 * TROPICS) * PAPER
    assert found("half_land", "Globe") == pytest.approx(expected, rel=1e-12)


def test_totals_of_cells_are_added_as_they_are(found: Found) -> None:
    assert [found("per_cell", r) for r in ("Globe", "North", "Tropics", "South")] == pytest.approx(
        [12.0, 4.0, 4.0, 4.0], rel=1e-13
    )


def test_cell_areas_of_the_file_come_first(found: Found) -> None:
    assert found("own_area", "Globe") == pytest.approx(1.01 * GLOBE * PAPER, rel=1e-12)


@pytest.mark.parametrize("member", ["holes", "filled"])
def test_missing_is_never_zero(out: Path, found: Found, member: str) -> None:
    assert np.isnan(found(member, "South"))
    assert found(member, "North") == pytest.approx(30 / 16 * PAPER, rel=1e-12)
    assert found(member, "Globe") == pytest.approx((TROPICS + 30 / 16) * PAPER, rel=1e-12)
    rows = table(out, "monthly").set_index(["member", "region"]).loc[member]
    for region, valid, missing in (
        ("South", 0, 4 / 16),
        ("North", 3 / 16, 1 / 16),
        ("Globe", 11 / 16, 5 / 16),
    ):
        np.testing.assert_allclose(
            rows.loc[region, "valid_area_m2"], valid * SPHERE_M2, rtol=1e-12, atol=1.0
        )
        np.testing.assert_allclose(
            rows.loc[region, "missing_area_m2"], missing * SPHERE_M2, rtol=1e-12, atol=1.0
        )


def test_bands_take_their_share_of_the_rows_they_cut(found: Found) -> None:
    """Row 3 lies at 0-45 N: sin 45 - sin 30 of it belongs to the North."""
    inner, outer = 0.20710678118654752 / 2, 0.2928932188134524 / 2
    north = (4 * outer + 3 * inner) * PAPER
    south = (1 * outer + 2 * inner) * PAPER
    assert found("straddling", "North") == pytest.approx(north, rel=1e-12)
    assert found("straddling", "South") == pytest.approx(south, rel=1e-12)
    assert found("straddling", "Tropics") == pytest.approx((2 + 3) / 4 * PAPER, rel=1e-12)


def test_polar_rows_are_half_as_high(found: Found) -> None:
    """Edges -90 -60 0 60 90: a polar row has (1 - sin 60)/2 of the sphere."""
    polar, middle = 0.1339745962155614 / 2, 0.8660254037844386 / 2
    globe = (1 * polar + 2 * middle + 3 * middle + 4 * polar) * PAPER
    north = (4 * polar + 3 * (0.8660254037844386 - 0.5) / 2) * PAPER
    assert found("polar", "Globe") == pytest.approx(globe, rel=1e-12)
    assert found("polar", "North") == pytest.approx(north, rel=1e-12)


def test_zonal_input_is_multiplied_with_its_width(found: Found) -> None:
    assert [found("zonal", r) for r in ("Globe", "North", "Tropics", "South")] == pytest.approx(
        [360.0, 180.0, 120.0, 60.0], rel=1e-13
    )


def test_centre_rule_takes_whole_rows(tmp_path: Path) -> None:
    four = {"lat": [-67.5, -22.5, 22.5, 67.5], "lon": [45.0, 135.0, 225.0, 315.0]}
    rows = np.repeat([[1.0], [2.0], [3.0], [4.0]], 4, axis=1) * 1e-9
    write(tmp_path / "rows.nc", rows, coords=four)
    folder = run(tmp_path, {"rows": {}}, overlap="centre")
    annual = table(folder, "annual").set_index("region").flux_pgc_yr
    outer, inner = 0.2928932188134524 / 2, 0.7071067811865476 / 2
    assert annual["North"] == pytest.approx(4 * outer * PAPER, rel=1e-12)
    assert annual["Tropics"] == pytest.approx((2 + 3) * inner * PAPER, rel=1e-12)


def test_opposite_signs_give_opposite_totals(tmp_path: Path) -> None:
    write(tmp_path / "up.nc", VALUES)
    write(tmp_path / "down.nc", VALUES)
    folder = run(tmp_path, {"up": {}, "down": {"flux": {"sign": "to_surface"}}})
    annual = table(folder, "annual").set_index(["member", "region"]).flux_pgc_yr
    np.testing.assert_array_equal(annual.loc["up"], -annual.loc["down"])
