"""A corpus of bad and odd inputs, one line each: what is wrong, and what the message must contain.

None of them may end in a traceback, a silent number or a wrong total. The files are made here: by
default twelve noleap months of 1e-9 kg C m-2 s-1 on 6 x 12 cells in ``a.nc``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from flux_files import LAT, LON, make_config, write_netcdf

from hpcbudget.errors import HpcBudgetError, Problems
from hpcbudget.inputs.catalogue import Catalogue, open_catalogue
from hpcbudget.inputs.check import check_table
from hpcbudget.inputs.ingest import ingest
from hpcbudget.inputs.series import Series

FLUX = "flux: {sign: to_atmosphere, species: C, area_basis: cell}"
PLAIN = f"{{paths: a.nc, {FLUX}, components: {{land: nbp}}}}"
GLOB = f"{{paths: '*.nc', {FLUX}, components: {{land: nbp}}}}"
STORE = f"{{paths: a.zarr, {FLUX}, components: {{land: nbp}}}}"
LAND = "{paths: a.nc, flux: {sign: to_atmosphere, area_basis: land}, components: {land: nbp}, "
FRACTION = "land_fraction: {paths: f.nc, variable: sftlf"
EXPECTED = 1e-9 * 4 * np.pi * 6371e3**2 * 365 * 86400 * 1e-12


def member(options: str) -> str:
    return f"{{paths: a.nc, components: {{land: nbp}}, {options}}}"


def a(folder: Path, **options: Any) -> None:
    write_netcdf(folder / "a.nc", **options)


def field(folder: Path, **options: Any) -> None:
    """A flux, and a land fraction beside it."""
    a(folder)
    given = {
        "name": "sftlf",
        "dims": ("lat", "lon"),
        "units": "%",
        "values": np.full((6, 12), 50.0),
    }
    write_netcdf(folder / "f.nc", **{**given, **options})


def years(folder: Path, *which: int, **second: Any) -> None:
    """One file a year; `second` changes the last."""
    for year in which:
        more = second if year == which[-1] else {}
        given = {"time_units": f"days since {year}-01-01", **more}
        write_netcdf(folder / f"{year}.nc", **given)


def with_value(value: float, share: int = 2, dtype: str = "f8") -> np.ndarray:
    values = np.full((12, 6, 12), 1e-9)
    values[:, :share] = value
    return values.astype(dtype)


def text(folder: Path, content: bytes) -> None:
    (folder / "a.nc").write_bytes(content)


def truncated(folder: Path, **options: Any) -> None:
    a(folder, **options)
    content = (folder / "a.nc").read_bytes()
    text(folder, content[: len(content) * 2 // 3])


def store(folder: Path) -> Path:
    a(folder)
    ingest([str(folder / "a.nc")], folder / "a.zarr")
    return folder / "a.zarr"


def flipped(folder: Path) -> None:
    shard = store(folder) / "nbp/c/0/0/0"
    content = bytearray(shard.read_bytes())
    content[30] ^= 4
    shard.write_bytes(content)


def two_members(root: Any) -> None:
    root.createVariable("ensemble_member", "i4", "ensemble_member")[:] = [1, 2]


MEMBERS = {"dims": ("time", "lat", "lon", "ensemble_member"),
           "values": np.full((12, 6, 12, 2), 1e-9), "extra": two_members}  # fmt: skip
FUTURE = np.arange(12) * 30.4 + 15

# id: (writes the files, member, what the message must contain)
BAD: dict[str, tuple[Callable[[Path], object], str, str]] = {
    # files and stores
    "file_missing": (lambda f: None, PLAIN, "file not found"),
    "file_misspelt": (lambda f: write_netcdf(f / "b.nc"), PLAIN, "did you mean"),
    "glob_without_match": (lambda f: None, GLOB, "no file matches"),
    "file_empty": (lambda f: text(f, b""), PLAIN, "the file is empty"),
    "file_is_text": (lambda f: text(f, b"lat lon flux\n"), PLAIN, "cannot be opened as netCDF"),
    "file_is_a_web_page": (lambda f: text(f, b"<html>404</html>"), PLAIN, "cannot be opened"),
    "netcdf4_truncated": (lambda f: truncated(f), PLAIN, "cannot be opened"),
    "netcdf3_truncated": (lambda f: truncated(f, format="NETCDF3_CLASSIC"), PLAIN, "truncated"),
    "netcdf5_truncated": (lambda f: truncated(f, format="NETCDF3_64BIT_DATA"), PLAIN, "truncated"),
    "folder_instead_of_file": (lambda f: (f / "a.nc").mkdir(), PLAIN, "neither a zarr store nor"),
    "zarr_empty_folder": (lambda f: (f / "a.zarr").mkdir(), STORE, "cannot be opened as a zarr"),
    "zarr_metadata_damaged": (
        lambda f: (store(f) / "nbp/zarr.json").write_text("{"), STORE, "cannot be opened"),
    "zarr_shard_lost": (lambda f: (store(f) / "nbp/c/0/0/0").unlink(), STORE, "is not stored"),
    "zarr_shard_empty": (
        lambda f: (store(f) / "nbp/c/0/0/0").write_bytes(b""), STORE, "is not stored"),
    "zarr_bit_flipped": (flipped, STORE, "cannot be decoded"),
    "file_named_twice": (
        lambda f: a(f), PLAIN.replace("a.nc", "[a.nc, '*.nc']"), "named more than once"),
    "variable_misspelt": (lambda f: a(f, name="npb"), PLAIN, "did you mean 'npb'"),
    "variable_is_text": (lambda f: a(f, dtype="S1", values=np.full((12, 6, 12), b"x")), PLAIN,
                         "not numbers"),
    "group_missing": (lambda f: a(f), member(f"group: CO2, {FLUX}"), "no group 'CO2'"),
    "select_no_such_dimension": (lambda f: a(f), member(f"select: {{member: A}}, {FLUX}"),
                                 "no dimension of"),
    "select_no_such_label": (lambda f: a(f, **MEMBERS),
                             member(f"select: {{ensemble_member: CAMS}}, {FLUX}"), "none is named"),
    "members_not_selected": (lambda f: a(f, **MEMBERS), PLAIN, "neither time nor space"),
    "files_of_two_grids": (
        lambda f: years(f, 2001, 2002, lat=np.arange(-85.0, 90, 34), values=None), GLOB,
        "not that of the other files"),
    "files_of_two_units": (lambda f: years(f, 2001, 2002, units="g C m-2 s-1"), GLOB,
                           "differ from the other files"),
    "files_of_two_calendars": (lambda f: years(f, 2001, 2002, calendar="360_day"), GLOB,
                               "different calendars"),
    "files_overlap": (lambda f: years(f, 2001, 2002, time_units="days since 2001-06-01"), GLOB,
                      "overlap in time"),
    "files_with_a_year_lacking": (lambda f: years(f, 2001, 2003), GLOB, "2002-01, 2002-02"),
    # units
    "units_missing": (lambda f: a(f, units=None), PLAIN, "has no units"),
    "units_without_species": (lambda f: a(f, units="kg m-2 s-1"),
                              member("flux: {sign: to_atmosphere, area_basis: cell}"),
                              "species: CO2"),
    "units_of_energy": (lambda f: a(f, units="W m-2"), PLAIN, "cannot be read"),
    "units_of_temperature": (lambda f: a(f, units="degC"), PLAIN, "no flux of mass"),
    "units_without_rate": (lambda f: a(f, units="kg C m-2"), PLAIN, "lack a rate"),
    "units_one": (lambda f: a(f, units="1"), PLAIN, "no flux of mass or moles"),
    "units_of_co2_equivalents": (lambda f: a(f, units="kg CO2eq m-2 s-1"), PLAIN, "cannot be read"),
    "units_contradicted": (
        lambda f: a(f), member("flux: {sign: to_atmosphere, area_basis: cell, units: g C m-2 s-1}"),
        "but the file says"),
    "species_contradicted": (
        lambda f: a(f), member("flux: {sign: to_atmosphere, species: CO2, area_basis: cell}"),
        "declared CO2, but"),
    "per_cell_as_per_area": (lambda f: a(f, units="PgC/yr"), PLAIN, "declared cell, but"),
    "per_area_as_per_cell": (
        lambda f: a(f), member("flux: {sign: to_atmosphere, area_basis: per_cell}"),
        "does not go with units"),
    "per_degree_with_longitudes": (
        lambda f: a(f, units="Pg C yr-1 degree-1"),
        member("flux: {sign: to_atmosphere}"), "no latitude width per cell"),
    # meaning
    "sign_unknown": (lambda f: a(f), member("flux: {area_basis: cell}"), "sign of the flux"),
    "sign_contradicted_by_positive": (lambda f: a(f, attrs={"positive": "down"}), PLAIN,
                                      "says to_surface"),
    "sign_contradicted_by_name": (
        lambda f: a(f, attrs={"standard_name": "surface_net_downward_mass_flux_of_carbon_dioxide"
                              "_expressed_as_carbon_due_to_all_land_processes"}), PLAIN,
        "standard_name says to_surface"),
    "metadata_contradict_each_other": (
        lambda f: a(f, attrs={"standard_name": "surface_upward_mass_flux_of_carbon_dioxide"
                              "_expressed_as_carbon", "positive": "down"}),
        member("flux: {area_basis: cell}"), "says to_surface; standard_name says to_atmosphere"),
    "basis_unknown": (lambda f: a(f), member("flux: {sign: to_surface}"), "area_basis of the flux"),
    "basis_contradicted": (lambda f: a(f, attrs={"cell_methods": "area: mean where land"}), PLAIN,
                           "cell_methods says land"),
    "land_without_fraction": (lambda f: a(f), LAND + "fill_value: -1}", "needs land_fraction"),
    "ocean_without_mask": (
        lambda f: a(f), member("flux: {sign: to_atmosphere, area_basis: ocean}"), "needs mask"),
    "fraction_is_percent": (lambda f: field(f, units=None), LAND + FRACTION + ", scale: fraction}}",
                            "values from 0 to 50"),
    "fraction_scale_contradicted": (lambda f: field(f), LAND + FRACTION + ", scale: fraction}}",
                                    "say percent"),
    "fraction_scale_unknown": (lambda f: field(f, units=None), LAND + FRACTION + "}}",
                               "fraction or percent"),
    "fraction_on_another_grid": (
        lambda f: field(f, lat=np.arange(-80.0, 90, 40), values=np.ones((5, 12))),
        LAND + FRACTION + "}}", "not that of the flux"),
    "fraction_shifted_half_a_cell": (lambda f: field(f, lon=LON - 15), LAND + FRACTION + "}}",
                                     "not that of the flux"),
    "fraction_all_zero": (lambda f: field(f, values=np.zeros((6, 12))), LAND + FRACTION + "}}",
                          "values from 0 to 0"),
    "fraction_negative": (lambda f: field(f, values=np.full((6, 12), -9999.0)),
                          LAND + FRACTION + "}}", "values from -99.99"),
    "fraction_of_other_years": (
        lambda f: field(f, dims=("time", "lat", "lon"), values=np.ones((24, 6, 12)),
                        time=np.arange(24), time_units="months since 1990-01-01"),
        LAND + FRACTION + "}}", "the flux of the other months"),
    "fraction_variable_missing": (
        lambda f: field(f), LAND + FRACTION.replace("sftlf", "lsm") + "}}", "no variable 'lsm'"),
    "area_without_units": (
        lambda f: field(f, name="area", units=None),
        member(f"{FLUX}, cell_area: {{paths: f.nc, variable: area}}"), "cell area has no units"),
    "area_in_metres": (
        lambda f: field(f, name="area", units="m"),
        member(f"{FLUX}, cell_area: {{paths: f.nc, variable: area}}"), "no unit of area"),
    "components_missing": (lambda f: a(f), f"{{paths: a.nc, {FLUX}}}", "no components"),
    "paths_missing": (lambda f: a(f), f"{{components: {{land: nbp}}, {FLUX}}}", "no paths"),
    "preset_misspelt": (lambda f: a(f), member("preset: trendi"), "did you mean 'trendy'"),
    "preset_auto_without_match": (lambda f: a(f), member("preset: auto"), "no preset matches"),
    "preset_file_missing": (lambda f: a(f), member("preset: mine.yaml"), "cannot read the preset"),
    "preset_file_invalid": (
        lambda f: (a(f), (f / "mine.yaml").write_text("name: x\n")), member("preset: mine.yaml"),
        "not a valid preset"),
    # time
    "terms_of_different_years": (
        lambda f: years(f, 2001, 2002),
        "{flux: {sign: to_atmosphere, area_basis: cell}, components: {land:"
        " [{variable: nbp, paths: 2001.nc}, {variable: nbp, paths: 2002.nc}]}}",
        "cover different months"),
    "time_dimension_missing": (lambda f: a(f, dims=("lat", "lon")), PLAIN, "no time dimension"),
    "time_without_units": (lambda f: a(f, time_units=None), PLAIN, "has no units"),
    "time_units_unknown": (lambda f: a(f, time_units="moons since 2001-01-01"), PLAIN,
                           "cannot be decoded"),
    "time_reference_impossible": (lambda f: a(f, time_units="days since 2001-02-30"), PLAIN,
                                  "cannot be decoded"),
    "calendar_unknown": (lambda f: a(f, calendar="martian"), PLAIN, "unknown calendar"),
    "months_doubled": (lambda f: a(f, time=[15.0, 15, 46], values=None), PLAIN, "2001-01 occur"),
    "month_lacking": (lambda f: a(f, time=[15.0, 46, 105]), PLAIN, "2001-03 are missing"),
    "months_unsorted": (lambda f: a(f, time=[46.0, 15, 75]), PLAIN, "not sorted"),
    "one_step_of_unknown_length": (lambda f: a(f, time=[15.0]), PLAIN, "single time step"),
    "steps_of_a_week": (lambda f: a(f, time=np.arange(12) * 7.0), PLAIN, "begin, middle or end"),
    "end_or_beginning": (
        lambda f: a(f, time=np.cumsum([31.0, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])), PLAIN,
        "end of January or the start"),
    "years_end_or_begin": (
        lambda f: a(f, time=np.arange(1, 13), time_units="years since 1990-01-01"), PLAIN,
        "the end of 1990 or the start of 1991"),
    "time_with_nan": (lambda f: a(f, time=[15.0, np.nan, 75]), PLAIN, "not usable numbers"),
    "time_bounds_reversed": (
        lambda f: a(f, bounds=np.stack([FUTURE, FUTURE - 30], 1)), PLAIN, "no positive length"),
    "time_bounds_of_two_months": (
        lambda f: a(f, time=FUTURE, bounds=np.stack([FUTURE - 30, FUTURE + 30], 1)),
        member(f"{FLUX}, time: {{resolution: month}}"), "span 60 days"),
    "leap_days_left_out": (
        lambda f: a(f, time=np.delete(np.arange(366.0), 59), calendar="standard", values=None,
                    time_units="days since 2004-01-01"), PLAIN, "calendar: noleap"),
    "start_is_no_month": (lambda f: a(f), member(f"{FLUX}, time: {{start: '2001'}}"), "no month"),
    "mean_over_a_series": (lambda f: a(f), member(f"{FLUX}, time: {{mean_over: [2001, 2002]}}"),
                           "there are 12 steps"),
    # values
    "fill_9999_undeclared": (lambda f: a(f, values=with_value(-9999.0)), PLAIN,
                             "fill_value: -9999"),
    "fill_1e20_undeclared": (lambda f: a(f, values=with_value(1e20, dtype="f4"), dtype="f4"), PLAIN,
                             "fill_value: 1e+20"),
    "fill_1e34_undeclared": (lambda f: a(f, values=with_value(-1e34)), PLAIN, "-1e+34 stands in"),
    "fill_unheard_of_undeclared": (lambda f: a(f, values=with_value(-88888.0)), PLAIN,
                                   "fill_value: -88888"),
    "fill_32768_undeclared": (
        lambda f: a(f, values=with_value(-32768, dtype="i2"), dtype="i2",
                    attrs={"scale_factor": 1e-10}), PLAIN, "-32768 stands in"),
    "infinite_values": (lambda f: a(f, values=with_value(np.inf)), PLAIN, "infinite values"),
    "scale_of_zero": (lambda f: a(f, attrs={"scale_factor": 0.0}), PLAIN, "cannot unpack"),
    "fill_attribute_is_text": (lambda f: a(f, attrs={"missing_value": "none"}), PLAIN,
                               "not a number"),
    # grids
    "latitude_missing": (lambda f: a(f, dims=("time", "y", "lon"), values=np.ones((12, 6, 12))),
                         PLAIN, "neither time nor space"),
    "latitude_beyond_the_pole": (lambda f: a(f, lat=np.arange(-90.0, 180, 45)), PLAIN, "latitude"),
    "latitude_doubled": (lambda f: a(f, lat=np.array([-75.0, -45, -45, 15, 45, 75])), PLAIN, ""),
    "longitude_cyclic": (lambda f: a(f, lon=np.arange(0.0, 361, 30)), PLAIN, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str, tmp_path: Path) -> None:
    write, options, message = BAD[name]
    write(tmp_path)
    config = make_config(tmp_path, options)
    with pytest.raises(HpcBudgetError) as caught:
        open_catalogue(config)
    told = str(caught.value)
    assert message in told
    problems = caught.value.problems if isinstance(caught.value, Problems) else (caught.value,)
    assert all(p.fix or p.why for p in problems), "no way out is offered"
    # the table shows the same, without raising
    report = check_table(config)
    assert report.exit_status in (2, 3)
    assert report.rows


PERIOD = "period: [1950, 1960]"


def test_bad_input_outside_the_period(tmp_path: Path) -> None:
    a(tmp_path)
    with pytest.raises(HpcBudgetError, match="no time step lies in the period"):
        open_catalogue(make_config(tmp_path, PLAIN, top=PERIOD))


def reordered(folder: Path) -> None:
    a(folder, dims=("lon", "lat", "time"))


def stray(folder: Path) -> None:
    (store(folder) / "README.txt").write_text("made by me")
    (folder / "a.zarr/nbp/.DS_Store").write_text("x")


def float_coordinates(root: Any) -> None:
    root["lat"].setncattr("valid_range", np.array([-90.0, 90.0], "f4"))


# id: (writes the files, member); all hold the same flux
ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "north_to_south": (lambda f: a(f, lat=LAT[::-1]), PLAIN),
    "longitudes_from_minus_300": (lambda f: a(f, lon=LON - 300), PLAIN),
    "longitudes_across_the_date_line": (lambda f: a(f, lon=(LON + 180) % 360), PLAIN),
    "longitude_first": (reordered, PLAIN),
    "classic_format": (lambda f: a(f, format="NETCDF3_CLASSIC"), PLAIN),
    "hours_as_integers": (
        lambda f: a(f, time=(np.arange(12) * 730 + 360).astype("i4"),
                    time_units="hours since 2001-01-01"), PLAIN),
    "stamps_at_beginnings": (
        lambda f: a(f, time=np.cumsum([0.0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30])), PLAIN),
    "stamps_unusable_but_declared": (
        lambda f: a(f, time=np.zeros(12)), member(f"{FLUX}, time: {{start: 2001-01}}")),
    "dimension_of_length_one": (
        lambda f: a(f, dims=("time", "z", "lat", "lon"), values=np.full((12, 1, 6, 12), 1e-9)),
        PLAIN),
    "units_in_capitals": (lambda f: a(f, units="Kg/m2/s"), PLAIN),
    "units_missing_but_declared": (
        lambda f: a(f, units=None),
        member("flux: {sign: to_atmosphere, area_basis: cell, units: kg C m-2 s-1}")),
    "units_unreadable_but_declared": (
        lambda f: a(f, units="see readme"),
        member("flux: {sign: to_atmosphere, area_basis: cell, units: kg C m-2 s-1}")),
    "bounds_named_but_absent": (
        lambda f: a(f, extra=lambda root: root["time"].setncattr("bounds", "time_bnds")), PLAIN),
    "stray_files_in_the_store": (stray, STORE),
    "spaces_and_umlauts": (
        lambda f: write_netcdf(f / "müller flux.nc"),
        f"{{paths: 'müller flux.nc', {FLUX}, components: {{land: nbp}}}}"),
    "stored_small_and_scaled": (
        lambda f: a(f, values=np.full((12, 6, 12), 10), dtype="i2",
                    attrs={"scale_factor": 1e-10, "add_offset": 0.0}), PLAIN),
    "two_missing_values": (
        lambda f: a(f, attrs={"missing_value": np.array([-999.0, -99.0])}), PLAIN),
    "selected_by_number": (lambda f: a(f, **MEMBERS),
                           member(f"select: {{ensemble_member: 2}}, {FLUX}")),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_bad_input_odd_but_right(
    name: str, tmp_path: Path, pgc_yr: Callable[[Series], np.ndarray]
) -> None:
    write, options = ODD[name]
    write(tmp_path)
    (series,) = open_catalogue(make_config(tmp_path, options)).series
    np.testing.assert_allclose(pgc_yr(series), EXPECTED, rtol=1e-13)
    assert str(series.times) == "2001-01..2001-12"


def fossil(factor: float) -> Callable[[Path], None]:
    """Ten Pg C/yr of fossil emissions, times a slip."""
    per_m2 = 10e12 / (4 * np.pi * 6371e3**2 * 365 * 86400)
    return lambda f: a(f, values=np.full((12, 6, 12), per_m2 * factor))


SLIPS = {
    "grams_for_kilograms": (1e3, "1e3 (g taken for kg)"),
    "co2_for_carbon": (44.009 / 12.011, "44/12"),
    "months_for_years": (12.0, "12 (a month taken for a year)"),
    "moles_for_kilograms": (1 / 0.012011, "83 (moles taken for kg of C)"),
    "petagrams_for_kilograms": (1e-12, "1e12"),
    "sign_reversed": (-1.0, "with the other sign"),
}


@pytest.mark.parametrize("name", SLIPS)
def test_bad_input_slip_is_suspected_by_name(name: str, tmp_path: Path) -> None:
    factor, message = SLIPS[name]
    fossil(factor)(tmp_path)
    options = PLAIN.replace("land: nbp", "fossil: nbp")
    report = check_table(make_config(tmp_path, options, family="inversion"))
    assert not report.problems
    (warning,) = report.warnings
    assert message in warning
    assert "a.nc, variable nbp" in warning
    assert report.rows[0].problems == "1 warning"


def test_no_slip_no_warning(tmp_path: Path) -> None:
    fossil(1.0)(tmp_path)
    options = PLAIN.replace("land: nbp", "fossil: nbp")
    assert not check_table(make_config(tmp_path, options)).warnings


def test_catalogue_warns_of_slips_too(tmp_path: Path) -> None:
    fossil(1e3)(tmp_path)
    options = PLAIN.replace("land: nbp", "fossil: nbp")
    found: Catalogue = open_catalogue(make_config(tmp_path, options))
    assert "1e3" in found.warnings[0]


def test_corpus_is_large_enough() -> None:
    assert len(BAD) + len(ODD) + len(SLIPS) >= 100
    assert zarr.__version__
