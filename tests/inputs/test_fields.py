"""Cell areas, land fractions and masks are laid onto the flux's cells by their coordinates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flux_files import LAT, LON, write_netcdf
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.errors import GridError, InputError
from hpcbudget.inputs.catalogue import Catalogue
from hpcbudget.inputs.fields import fraction_scale, open_field
from hpcbudget.inputs.source import open_source
from hpcbudget.options import GridOptions
from hpcbudget.space.grid import Grid

AREA = 6371e3**2 * np.radians(30) * np.diff(np.sin(np.radians(np.arange(-90, 91, 30))))
OCEAN = "flux: {sign: to_surface, area_basis: ocean}, components: {ocean: nbp}"


@given(st.booleans(), st.integers(0, 11), st.booleans(), st.sampled_from([-360.0, 0.0, 360.0]))
def test_order_of_rows_and_columns_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, flip: bool, roll: int, turn: bool, shift: float
) -> None:
    values = np.arange(72.0).reshape(6, 12) / 72
    lat, lon = (LAT[::-1] if flip else LAT), np.roll(LON, roll) + shift
    stored = np.roll(values[::-1] if flip else values, roll, axis=1)
    path = write_netcdf(
        tmp_path_factory.mktemp("f") / "f.nc", name="sftlf", units="1", lat=lat, lon=lon,
        dims=("lon", "lat") if turn else ("lat", "lon"), values=stored.T if turn else stored,
    )  # fmt: skip
    grid = Grid.boxes(np.arange(-90.0, 91, 30), np.arange(0.0, 361, 30))
    with open_source(str(path)) as source:
        field = open_field(source, "sftlf", grid, "fraction", None, GridOptions())
    np.testing.assert_array_equal(field.read().reshape(6, 12), values)


def test_own_area_is_used_and_compared(
    tmp_path: Path, open_member: Callable[..., Catalogue]
) -> None:
    write_netcdf(tmp_path / "a.nc", attrs={"cell_measures": "area: cell_area"})
    import netCDF4

    with netCDF4.Dataset(tmp_path / "a.nc", "a") as root:
        held = root.createVariable("cell_area", "f8", ("lat", "lon"))
        held[:], held.units = AREA[:, None] * 1e-6 * 1.001, "km2"
    options = "flux: {sign: to_surface, area_basis: cell}, components: {land: nbp}"
    (series,) = open_member(f"{{paths: a.nc, {options}}}").series
    weight, area = series.measure(6371e3)
    np.testing.assert_allclose(weight.reshape(6, 12)[:, 0], AREA * 1.001, rtol=1e-14)
    np.testing.assert_array_equal(weight, area)
    assert any("differs from the sphere's boxes by +1.00e-03" in step for step in series.history)


def test_bad_input_areas_of_another_resolution(
    tmp_path: Path, open_member: Callable[..., Catalogue]
) -> None:
    areas = np.repeat(AREA[:, None], 12, axis=1) / 16
    write_netcdf(tmp_path / "a.nc", name="fgco2")
    write_netcdf(tmp_path / "area.nc", name="area", units="m2", dims=("lat", "lon"), values=areas)
    mask = np.full((6, 12), 0.7)
    write_netcdf(tmp_path / "m.nc", name="mask", units="1", dims=("lat", "lon"), values=mask)
    found = open_member(
        "{paths: a.nc, flux: {sign: to_surface, area_basis: ocean}, components: {ocean: fgco2},"
        " cell_area: {paths: area.nc, variable: area}, mask: {paths: m.nc, variable: mask}}"
    )
    assert "cell areas differ by -93.8%" in found.warnings[0]


def test_ocean_is_what_is_not_land(tmp_path: Path, open_member: Callable[..., Catalogue]) -> None:
    land = np.linspace(0, 1, 72).reshape(6, 12)
    write_netcdf(tmp_path / "a.nc")
    write_netcdf(tmp_path / "f.nc", name="lsm", units="1", dims=("lat", "lon"), values=land)
    (series,) = open_member(
        f"{{paths: a.nc, {OCEAN}, land_fraction: {{paths: f.nc, variable: lsm}}}}"
    ).series
    weight, _ = series.measure(6371e3)
    np.testing.assert_allclose(weight.reshape(6, 12), AREA[:, None] * (1 - land), rtol=1e-13)
    assert weight[-1] == 0


@pytest.mark.parametrize(
    ("name", "basis", "key", "sea"),
    [
        ("oceanCoverFrac", "land", "land_fraction", True),
        ("sftlf", "land", "land_fraction", False),
        ("sftlf", "ocean", "mask", False),
        ("sftof", "ocean", "mask", True),
        ("sftof", "ocean", "land_fraction", True),
        ("lsm", "land", "land_fraction", False),
    ],
)
def test_metadata_tell_what_a_fraction_covers(
    name: str, basis: str, key: str, sea: bool, tmp_path: Path,
    open_member: Callable[..., Catalogue],
) -> None:  # fmt: skip
    field = np.linspace(0, 1, 72).reshape(6, 12)
    write_netcdf(tmp_path / "a.nc")
    write_netcdf(tmp_path / "f.nc", name=name, units="1", dims=("lat", "lon"), values=field)
    (series,) = open_member(
        f"{{paths: a.nc, flux: {{sign: to_surface, area_basis: {basis}}}, components: {{x: nbp}},"
        f" {key}: {{paths: f.nc, variable: {name}}}}}"
    ).series
    weight, _ = series.measure(6371e3)
    wanted = field if sea == (basis == "ocean") else 1 - field
    np.testing.assert_allclose(weight.reshape(6, 12), AREA[:, None] * wanted, rtol=1e-13)


def test_weights_of_each_basis(tmp_path: Path, open_member: Callable[..., Catalogue]) -> None:
    write_netcdf(tmp_path / "a.nc", units="PgC/yr")
    (series,) = open_member(
        "{paths: a.nc, flux: {sign: to_surface}, components: {land: nbp}}"
    ).series
    weight, area = series.measure(6371e3)
    assert set(weight) == {1.0}
    np.testing.assert_allclose(area.sum(), 4 * np.pi * 6371e3**2, rtol=1e-14)


def test_twelve_months_for_every_year_are_told(
    tmp_path: Path, open_member: Callable[..., Catalogue]
) -> None:
    write_netcdf(
        tmp_path / "a.nc", time=np.arange(24), time_units="months since 2001-01-01",
        values=np.full((24, 6, 12), 1e-9),
    )  # fmt: skip
    water = np.arange(12.0)[:, None, None] / 12 * np.ones((12, 6, 12))
    write_netcdf(tmp_path / "m.nc", name="water", units="1", values=water)
    found = open_member(
        f"{{paths: a.nc, {OCEAN}, mask: {{paths: m.nc, variable: water, scale: fraction}}}}"
    )
    (series,) = found.series
    np.testing.assert_allclose(
        series.store.read(11, 14)[:, 0, 0], [11e-9 / 12, 0, 1e-9 / 12], rtol=1e-14
    )
    assert any("twelve months of water are used for every year" in w for w in found.warnings)
    assert series.store.fingerprint(0, 1) != series.store.fingerprint(1, 2)


def test_bad_input_a_fraction_taken_for_percent(
    tmp_path: Path, open_member: Callable[..., Catalogue]
) -> None:
    write_netcdf(tmp_path / "a.nc", values=np.full((12, 6, 12), 1e-9))
    whole = {"dims": ("lat", "lon"), "values": np.ones((6, 12))}
    write_netcdf(tmp_path / "m.nc", name="water", units="%", **whole)
    with pytest.raises(InputError, match=r"largest fraction is 1\.00%") as caught:
        open_member(f"{{paths: a.nc, {OCEAN}, mask: {{paths: m.nc, variable: water}}}}")
    assert "100 times too small" in caught.value.why


def test_bad_input_scales() -> None:
    assert fraction_scale("%", None, "f") == 0.01
    assert fraction_scale("", "fraction", "f") == 1.0
    with pytest.raises(InputError, match="say percent"):
        fraction_scale("%", "fraction", "f")
    with pytest.raises(InputError, match="fraction or percent"):
        fraction_scale("0-1", None, "f")


def test_bad_input_moving_fraction_on_another_grid(
    tmp_path: Path, open_member: Callable[..., Catalogue]
) -> None:
    write_netcdf(tmp_path / "a.nc")
    write_netcdf(
        tmp_path / "m.nc", name="water", units="1", lat=LAT[::-1], values=np.ones((12, 6, 12))
    )
    with pytest.raises(GridError, match="not that of the flux"):
        open_member(f"{{paths: a.nc, {OCEAN}, mask: {{paths: m.nc, variable: water}}}}")
