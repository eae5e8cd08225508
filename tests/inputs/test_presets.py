"""Presets are asked for, recognised by what files hold, and explained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flux_files import make_config, write_netcdf

from hpcbudget.errors import ConfigError
from hpcbudget.inputs.catalogue import Catalogue, open_catalogue
from hpcbudget.inputs.check import check_table
from hpcbudget.inputs.preset import fit, load_preset, shipped_presets
from hpcbudget.inputs.source import open_source

NAMES = {
    "trendy", "isimip", "cmip6_land", "cmip6_ocean", "gcp_inversions", "carbontracker", "cte",
    "cams", "jena_carboscope", "miroc4_actm", "gridfed", "gcb_ocean", "fco2_product", "som_ffn",
}  # fmt: skip


def test_all_are_valid_and_tell_their_source() -> None:
    found = shipped_presets()
    assert {p.name for p in found} == NAMES
    assert len({p.title for p in found}) == len(found)
    for preset in found:
        assert len(preset.about) > 40
        assert preset.reading.components
        conditions = preset.match.model_dump(exclude_defaults=True)
        assert conditions, "a preset without conditions would match anything"


def test_conditions_are_explained(tmp_path: Path) -> None:
    path = write_netcdf(tmp_path / "CABLE_S3_nbp.nc")
    with open_source(str(path)) as source:
        good = fit(load_preset("trendy", tmp_path), source)
        bad = fit(load_preset("cams", tmp_path), source)
    assert good.matches
    assert str(good) == "preset trendy: file name matches *_S[0-3]_nbp*.nc; has nbp"
    assert not bad.matches
    assert str(bad) == "preset cams: has no flux_apos_bio, flux_apos_ocean, area"


def test_own_preset(tmp_path: Path, open_member: Callable[..., Catalogue]) -> None:
    write_netcdf(tmp_path / "a.nc", name="flux")
    (tmp_path / "mine.yaml").write_text(
        "name: mine\ntitle: my model\nabout: made by me\nmatch: {variables: [flux]}\n"
        "reading: {flux: {sign: to_surface, area_basis: cell}, components: {land: flux}}\n"
    )
    (series,) = open_member("{paths: a.nc, preset: mine.yaml}").series
    assert series.flux.sign == "to_surface"
    assert series.history[0] == "preset mine (asked for): has flux"


def test_declarations_win_over_the_preset(
    tmp_path: Path, open_member: Callable[..., Catalogue]
) -> None:
    write_netcdf(tmp_path / "X_S3_nbp.nc")
    (series,) = open_member(
        "{paths: X_S3_nbp.nc, preset: trendy, flux: {area_basis: cell, sign: to_atmosphere}}"
    ).series
    assert series.flux.sign == "to_atmosphere"


def test_what_the_file_lacks_is_told(tmp_path: Path) -> None:
    zero = np.zeros((12, 6, 12))
    units = "mol m-2 s-1"
    path = write_netcdf(tmp_path / "a.nc", name="bio_flux_opt", units=units, values=zero)
    import netCDF4

    with netCDF4.Dataset(path, "a") as root:
        held = root.createVariable("ocn_flux_opt", "f8", ("time", "lat", "lon"))
        held[:], held.units = zero + 1e-9, units
    found = open_catalogue(make_config(tmp_path, "{paths: a.nc, preset: auto}"))
    assert [s.key.component for s in found.series] == ["ocean"]
    assert "no land flux: not all of bio_flux_opt, fire_flux_imp" in found.warnings[0]


def test_bad_input_preset_for_other_files(tmp_path: Path) -> None:
    write_netcdf(tmp_path / "other.nc")
    config = make_config(tmp_path, "{paths: other.nc, preset: trendy, flux: {area_basis: cell}}")
    assert "is not like *_S[0-3]_nbp*.nc" in open_catalogue(config).warnings[0]


def test_bad_input_ambiguous_files(tmp_path: Path, open_member: Callable[..., Catalogue]) -> None:
    def both(root: object) -> None:
        for name in ("ocn_flux_opt", "biosphere_flux_optimized", "ocean_flux_optimized"):
            root.createVariable(name, "f4", ("time", "lat", "lon"))  # type: ignore[attr-defined]

    write_netcdf(tmp_path / "a.nc", name="bio_flux_opt", extra=both)
    with pytest.raises(ConfigError, match="equally well: carbontracker, cte"):
        open_member("{paths: a.nc, preset: auto}")


def test_check_explains_and_suggests(tmp_path: Path) -> None:
    write_netcdf(tmp_path / "X_S2_nbp.nc", attrs={"positive": "down"})
    options = "{paths: X_S2_nbp.nc, flux: {area_basis: cell}, components: {land: nbp}}"
    (row,) = check_table(make_config(tmp_path, options)).rows
    assert row.sign == "+ to surface, reversed"
    assert "sign to_surface: from attribute positive='down'" in row.explanation
    assert "species C: from units 'kg C m-2 s-1'" in row.explanation
    assert "area_basis cell: declared" in row.explanation
    assert row.explanation[-1].startswith("not used: preset trendy would fit: file name matches")
