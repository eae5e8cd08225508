"""A look at a folder proposes members and families, asks what is open, and guesses nothing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hpcbudget.config import load_config
from hpcbudget.errors import ConfigError, HpcBudgetError, InputError, Problems
from hpcbudget.inputs.catalogue import open_catalogue
from hpcbudget.inputs.init import init
from hpcbudget.inputs.survey import survey

CF = {
    "units": "kg m-2 s-1",
    "cell_methods": "area: mean time: mean",
    "standard_name": "surface_net_downward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_"
    "all_land_processes",
}


def write(path: Path, year: int = 2001, **variables: dict[str, str]) -> None:
    """Write a year of coarse global fields with the given attributes."""
    lat, lon = np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30)
    time = pd.date_range(f"{year}-01-01", periods=12, freq="MS")
    data = {
        name: (("time", "lat", "lon"), np.ones((12, 6, 12), np.float32), attrs)
        for name, attrs in variables.items()
    }
    coords = {"time": time, "lat": lat, "lon": lon}
    dataset = xr.Dataset(data, coords)
    dataset["lat"].attrs = {"units": "degrees_north", "standard_name": "latitude"}
    dataset["lon"].attrs = {"units": "degrees_east", "standard_name": "longitude"}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zarr":
        dataset.to_zarr(path, zarr_format=2)
    else:
        dataset.to_netcdf(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for year in (2001, 2002):
        write(root / f"MODEL_nbp_{year}.nc", year, nbp=CF)
    per_m2 = {"units": "mol m-2 s-1"}
    write(root / "inverse" / "Aurora_r1.zarr", bio=per_m2, ocean=per_m2)
    write(root / "inverse" / "Aurora_r2.zarr", bio=per_m2, ocean=per_m2)
    write(root / "sftlf.nc", sftlf={"units": "%"})
    return root


def test_years_are_one_member_and_realisations_share_a_model(folder: Path) -> None:
    found = {c.name: c for c in survey(folder).candidates}
    assert set(found) == {"MODEL_nbp", "Aurora_r1", "Aurora_r2"}
    assert found["MODEL_nbp"].pattern == "MODEL_nbp_*.nc"
    assert found["MODEL_nbp"].count == 2
    assert found["MODEL_nbp"].family == "land_process"
    assert found["Aurora_r1"].model == found["Aurora_r2"].model == "Aurora"
    assert found["Aurora_r1"].family == "inversion"
    assert found["Aurora_r1"].components == {"land": ("bio",), "ocean": ("ocean",)}


def test_what_the_metadata_say_is_not_asked(folder: Path) -> None:
    found = {c.name: c for c in survey(folder).candidates}
    assert found["MODEL_nbp"].open == {}
    assert set(found["Aurora_r1"].open) == {"sign", "area_basis"}
    assert len(survey(folder).problems) == 4
    assert survey(folder).ignored == ("sftlf.nc",)


def test_the_configuration_is_valid_and_refused_until_answered(folder: Path) -> None:
    written = init(folder, folder.parent / "mine.yaml")
    config = load_config(written.config)
    assert config.data_root.resolve() == folder.resolve()
    with pytest.raises(Problems, match="sign of the flux is unknown"):
        open_catalogue(config)
    answered = re.sub(r"# (sign: to_atmosphere|area_basis: cell)\b", r"\1", written.text)
    written.config.write_text(answered)
    catalogue = open_catalogue(load_config(written.config))
    assert len(catalogue.series) == 5
    assert {s.key.model for s in catalogue.series} == {"MODEL_nbp", "Aurora"}


def test_an_existing_configuration_is_not_lost(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("mine")
    with pytest.raises(ConfigError, match="there already"):
        init(folder, config)
    assert config.read_text() == "mine"
    assert "ensembles:" in init(folder, config, force=True).config.read_text()


def test_a_field_without_time_is_asked_for_its_years(tmp_path: Path) -> None:
    path = tmp_path / "mean.nc"
    write(path, eluc={"units": "kg C m-2 s-1", "long_name": "land use change emission"})
    with xr.open_dataset(path) as dataset:
        mean = dataset.isel(time=0, drop=True).load()
    mean.to_netcdf(path)
    found = survey(tmp_path)
    assert found.candidates[0].family == "bookkeeping"
    assert any("mean_over" in problem for problem in found.problems)


@pytest.mark.parametrize("kind", ["absent", "empty", "fluxless", "unreadable"])
def test_bad_input_folders_get_one_clear_error(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "data"
    if kind != "absent":
        folder.mkdir()
    if kind == "fluxless":
        write(folder / "t2m.nc", t2m={"units": "K"})
    if kind == "unreadable":
        (folder / "broken.nc").write_bytes(b"not a file of any kind")
    expected = InputError if kind in ("absent", "empty") else ConfigError
    with pytest.raises(expected) as caught:
        init(folder, tmp_path / "c.yaml")
    assert isinstance(caught.value, HpcBudgetError)
    assert caught.value.fix
    assert not (tmp_path / "c.yaml").exists()


def test_a_broken_file_beside_good_ones_is_named(folder: Path) -> None:
    (folder / "broken.nc").write_bytes(b"not a file of any kind")
    found = survey(folder)
    assert len(found.candidates) == 3
    assert any("broken.nc" in problem for problem in found.problems)


def test_preset_is_proposed_for_files_it_knows(tmp_path: Path) -> None:
    write(tmp_path / "ABC_S3_nbp.nc", nbp={"units": "kg m-2 s-1"})
    candidate = survey(tmp_path).candidates[0]
    assert candidate.preset == "trendy"
    assert set(candidate.open) == {"area_basis"}
    text = init(tmp_path, tmp_path / "c.yaml").text
    assert "preset: trendy" in text
    assert "# sign" not in text


def test_fluxes_whose_names_say_nothing_are_asked_for(tmp_path: Path) -> None:
    """They are no files without a flux: FG_CO2 of an ocean model, packed carbon of fires."""
    write(tmp_path / "data" / "pop.nc", FLX={"units": "mmol/m^3 cm/s"})
    with xr.open_dataset(tmp_path / "data" / "pop.nc") as dataset:
        packed = dataset.load()
    packed["FLX"].encoding = {"dtype": "int16", "scale_factor": 0.5, "_FillValue": -32767}
    packed.to_netcdf(tmp_path / "data" / "packed.nc")
    found = survey(tmp_path / "data")
    assert {c.name for c in found.candidates} == {"pop", "packed"}
    assert {c.components == {} for c in found.candidates} == {True}
    assert "pop: the component must be declared" in found.problems
    text = init(tmp_path / "data", tmp_path / "c.yaml").text
    assert "# components: {ocean: FLX}" in text
    answered = re.sub(
        r"# (components: {ocean: FLX}|sign: to_surface|area_basis: cell)", r"\1", text
    )
    (tmp_path / "c.yaml").write_text(answered)
    assert len(open_catalogue(load_config(tmp_path / "c.yaml")).series) == 2


def test_fluxes_in_a_group_are_found(tmp_path: Path) -> None:
    write(tmp_path / "a.nc", fgco2={"units": "g C m-2 day-1"})
    with xr.open_dataset(tmp_path / "a.nc") as dataset:
        held = dataset.load()
    (tmp_path / "a.nc").unlink()
    path = tmp_path / "grouped.nc"
    held[["time", "lat", "lon"]].to_netcdf(path)
    held[["fgco2"]].drop_vars(["time", "lat", "lon"]).to_netcdf(path, mode="a", group="flux")
    (candidate,) = survey(tmp_path).candidates
    assert (candidate.group, dict(candidate.components)) == ("flux", {"ocean": ("fgco2",)})
    assert "group: flux" in init(tmp_path, tmp_path / "c.yaml").text


def test_monthly_files_without_time_are_one_member(tmp_path: Path) -> None:
    for month in (11, 12, 13):
        path = tmp_path / f"inv_v20r2_{2000 + month // 13}{(month - 1) % 12 + 1:02d}.nc"
        write(path, flux_bio={"units": "kgC m-2 month-1"})
        with xr.open_dataset(path) as dataset:
            mean = dataset.isel(time=0, drop=True).load()
        mean.to_netcdf(path)
    found = survey(tmp_path)
    assert [c.count for c in found.candidates] == [3]
    assert any("time: {start: '2000-11'}" in problem for problem in found.problems)


def test_cell_areas_in_any_unit_are_pointed_out(tmp_path: Path) -> None:
    write(tmp_path / "a.nc", nbp={"units": "kg C m-2 s-1"}, TAREA={"units": "centimeter^2"})
    (candidate,) = survey(tmp_path).candidates
    assert any("variable: TAREA" in note for note in candidate.notes)
