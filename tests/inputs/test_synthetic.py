"""The synthetic ensemble: its files say what its answer says; the answer looks like a budget."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hpcbudget.config import Config, load_config
from hpcbudget.errors import ConfigError, OutputError
from hpcbudget.inputs.synthetic import write_ensemble
from hpcbudget.inputs.synthetic_recipes import RECIPES
from hpcbudget.inputs.synthetic_truth import SyntheticTruth

BANDS = ["North", "Tropics", "South"]


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> SyntheticTruth:
    return write_ensemble(tmp_path_factory.mktemp("demo"), members=3, years=2, resolution_deg=3)


@pytest.fixture(scope="module")
def config(ensemble: SyntheticTruth) -> Config:
    return load_config(ensemble.config, data=ensemble.config.parent)


def series(truth: SyntheticTruth, member: str, component: str, region: str) -> np.ndarray:
    table = truth.table
    rows = table[
        (table.member == member) & (table.component == component) & (table.region == region)
    ]
    return rows.flux_pgc_yr.to_numpy()


def raw(ensemble: SyntheticTruth, config: Config, member: str, component: str) -> xr.DataArray:
    options = next(e.members[member] for e in config.ensembles if member in e.members)
    assert options.paths is not None
    path = ensemble.config.parent / options.paths[0]
    engine = "zarr" if path.suffix == ".zarr" else "netcdf4"
    more = {"consolidated": False} if engine == "zarr" else {}
    variable = options.components[component][0].variable
    with xr.open_dataset(path, engine=engine, decode_times=False, **more) as dataset:
        return dataset[variable].load()


def test_every_kind_of_grid_calendar_and_basis_occurs_with_two_members_per_family() -> None:
    first_two = [recipe for recipes in RECIPES.values() for recipe in recipes[:2]]
    assert {r.grid for r in first_two} == {
        "half",
        "one_0_360",
        "one_180",
        "two_by_two_and_half",
        "gaussian",
    }
    assert {r.calendar for r in first_two} == {
        "standard",
        "noleap",
        "360_day",
        "proleptic_gregorian",
    }
    assert {r.area_basis for r in first_two} == {"cell", "land", "per_cell"}
    assert {r.sign for r in first_two} == {"to_surface", "to_atmosphere"}
    assert {r.species for r in first_two} == {"C", "CO2"}
    assert {r.store for r in first_two} == {"nc", "zarr"}
    assert {r.dtype for r in first_two} == {"f4", "f8"}
    assert {r.stamp for r in first_two} == {"start", "middle", "end"}
    assert any(r.realisations > 1 for r in first_two)


def test_members_are_models_and_one_model_has_two_realisations(config: Config) -> None:
    models = {e.family: [m.model for m in e.members.values()] for e in config.ensembles}
    assert {family: len(set(names)) for family, names in models.items()} == dict.fromkeys(models, 3)
    assert models["inversion"].count("Aurora") == 2


def test_bands_and_boxes_each_add_up_to_the_globe(ensemble: SyntheticTruth) -> None:
    keys = ["family", "member", "component", "year", "month"]
    wide = ensemble.table.set_index([*keys, "region"]).flux_pgc_yr.unstack()
    boxes = ["Amazonia", "Congo", "Siberia", "Warm_pool", "hotspots/unassigned"]
    size = wide.abs().sum(axis=1)
    for parts in (BANDS, boxes):
        assert ((wide[parts].sum(axis=1) - wide["Globe"]).abs() <= 1e-14 * size).all()


def test_the_ensemble_looks_like_the_real_budget(ensemble: SyntheticTruth) -> None:
    mean = ensemble.table.groupby(["component", "region"]).flux_pgc_yr.mean()
    assert -4.0 < mean["land", "Globe"] < -2.0
    assert -3.5 < mean["ocean", "Globe"] < -2.0
    assert 9.0 < mean["fossil", "Globe"] < 11.0
    assert mean["fossil", "North"] > mean["fossil", "Tropics"] > mean["fossil", "South"] > 0
    assert mean["ocean", "South"] < mean["ocean", "North"] < 0 < mean["ocean", "Tropics"]
    assert mean["land", "South"] > mean["land", "Tropics"]


def test_land_files_recomputed_by_hand(ensemble: SyntheticTruth, config: Config) -> None:
    """nbp per land area, + into the land, 0.5-degree layout from north to south, noleap."""
    field = raw(ensemble, config, "Linden", "land")
    with xr.open_dataset(ensemble.config.parent / "inputs/land_process-Linden-sftlf.nc") as static:
        fraction = static["sftlf"].to_numpy().astype(float) / 100
    n_lat, n_lon = field.shape[1:]
    assert field.lat[0] > field.lat[-1]
    edges = np.linspace(90, -90, n_lat + 1)
    area = -np.diff(np.sin(np.deg2rad(edges))) * 6371e3**2 * 2 * math.pi / n_lon
    per_row = np.nansum(field.to_numpy().astype(float) * fraction, axis=2) * area
    globe = -per_row.sum(axis=1) * 365 * 86400 / 1e12
    np.testing.assert_allclose(series(ensemble, "Linden", "land", "Globe"), globe, rtol=1e-12)
    north = -per_row[:, field.lat.to_numpy() > 30].sum(axis=1) * 365 * 86400 / 1e12
    np.testing.assert_allclose(series(ensemble, "Linden", "land", "North"), north, rtol=1e-12)


def test_per_month_file_is_weighted_with_the_length_of_its_month(
    ensemble: SyntheticTruth, config: Config
) -> None:
    """kgC m-2 month-1 in a Gregorian zarr store; 2019 is the second and last year."""
    field = raw(ensemble, config, "Aurora_r2", "ocean").to_numpy().astype(float)
    edges = np.linspace(-90, 90, field.shape[1] + 1)
    area = np.diff(np.sin(np.deg2rad(edges))) * 6371e3**2 * 2 * math.pi / field.shape[2]
    february = (field[13].sum(axis=1) * area).sum() * 365 / 28 * 1e-12
    found = series(ensemble, "Aurora_r2", "ocean", "Globe")[13]
    assert found == pytest.approx(february, rel=1e-12)


def test_per_cell_totals_need_no_area(ensemble: SyntheticTruth, config: Config) -> None:
    field = raw(ensemble, config, "Borealis", "fossil")
    assert field.attrs["units"] == "PgC/yr"
    globe = field.to_numpy().sum(axis=(1, 2))
    np.testing.assert_allclose(series(ensemble, "Borealis", "fossil", "Globe"), globe, rtol=1e-13)


def test_co2_moles_and_carbon_agree_on_a_unit_flux(
    ensemble: SyntheticTruth, config: Config
) -> None:
    """The Gaussian store holds kg CO2: its carbon is 12.011 / 44.009 of it."""
    field = raw(ensemble, config, "Gingko", "land").to_numpy().astype(float)
    _, weights = np.polynomial.legendre.leggauss(field.shape[1])
    area = weights * 6371e3**2 * 2 * math.pi / field.shape[2]
    carbon = np.nansum(field, axis=2) @ area * 12.011 / 44.009
    globe = carbon * 360 * 86400 * 1e-12
    np.testing.assert_allclose(series(ensemble, "Gingko", "land", "Globe"), globe, rtol=1e-12)


def test_regions_without_a_valid_cell_are_nan_and_never_zero(ensemble: SyntheticTruth) -> None:
    assert np.isnan(series(ensemble, "Linden", "land", "Warm_pool")).all()
    assert (series(ensemble, "Aurora_r1", "land", "Warm_pool") == 0.0).all()  # stored as zeros
    assert np.isfinite(series(ensemble, "Nekton", "ocean", "North")).all()


def test_zarr_chunks_are_all_written_even_if_empty(ensemble: SyntheticTruth) -> None:
    for store in (ensemble.config.parent / "inputs").glob("ocean*.zarr"):
        for name in ("fgco2",):
            chunks = [p for p in (store / name).rglob("*") if p.is_file() and p.name != "zarr.json"]
            assert len(chunks) == 2  # one per year


def test_same_seed_same_answer(tmp_path: Path, ensemble: SyntheticTruth) -> None:
    again = write_ensemble(tmp_path / "again", members=3, years=2, resolution_deg=3)
    pd.testing.assert_frame_equal(again.table, ensemble.table)
    other = write_ensemble(tmp_path / "other", members=1, years=1, resolution_deg=10, seed=1)
    assert not np.array_equal(
        other.table.flux_pgc_yr, ensemble.table.flux_pgc_yr[: len(other.table)]
    )


def test_more_members_than_recipes_get_names_of_their_own(tmp_path: Path) -> None:
    truth = write_ensemble(tmp_path, members=4, years=1, resolution_deg=15)
    assert "Linden2" in set(truth.table.member)
    assert truth.table.groupby("family").member.nunique()["inversion"] == 4 + 2


def test_progress_names_every_file(tmp_path: Path) -> None:
    lines: list[str] = []
    write_ensemble(tmp_path, members=1, years=1, resolution_deg=15, progress=lines.append)
    assert len(lines) == 5
    assert all((tmp_path / line.split(": ")[1].split(",")[0]).exists() for line in lines)


@pytest.mark.parametrize(
    "bad",
    [
        {"members": 0},
        {"years": 0},
        {"years": 900},
        {"resolution_deg": 0.0},
        {"resolution_deg": 30.0},
    ],
)
def test_bad_input_sizes_are_refused(tmp_path: Path, bad: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        write_ensemble(tmp_path, **bad)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def stamps(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_the_same_ensemble_is_not_written_twice(tmp_path: Path) -> None:
    sizes = {"members": 1, "years": 1, "resolution_deg": 15}
    first = write_ensemble(tmp_path, **sizes)
    before = stamps(tmp_path)
    again = write_ensemble(tmp_path, **sizes)
    assert stamps(tmp_path) == before
    pd.testing.assert_frame_equal(again.table, first.table, check_dtype=False)
    write_ensemble(tmp_path, **sizes, seed=1)
    assert stamps(tmp_path) != before


def test_a_damaged_ensemble_is_written_again(tmp_path: Path) -> None:
    sizes = {"members": 1, "years": 1, "resolution_deg": 15}
    write_ensemble(tmp_path, **sizes)
    chunk = next((tmp_path / "inputs" / "inversion-Aurora_r1.zarr" / "bio").rglob("c/0/0/0"))
    whole = chunk.read_bytes()
    chunk.unlink()
    write_ensemble(tmp_path, **sizes)
    assert chunk.read_bytes() == whole


def test_bad_input_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError):
        write_ensemble(tmp_path / "out", members=1, years=1, resolution_deg=15)
