"""One known flux, written in every convention of the field, gives the same Pg C/yr."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cftime
import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from hpcbudget.config import parse_config
from hpcbudget.inputs.catalogue import Catalogue
from hpcbudget.inputs.ingest import ingest
from hpcbudget.inputs.series import Series
from hpcbudget.workflow import run_config

RADIUS_M = 6371e3
C, CO2 = 12.011, 44.009
NLAT, NLON, NYEAR = 6, 12, 2
LAT_EDGES = np.linspace(-90, 90, NLAT + 1)
LAT = (LAT_EDGES[1:] + LAT_EDGES[:-1]) / 2
LON = np.arange(15.0, 360.0, 30.0)
AREA = (
    RADIUS_M**2 * np.radians(30) * np.diff(np.sin(np.radians(LAT_EDGES)))[:, None] * np.ones(NLON)
)
rng = np.random.default_rng(7)
FRACTION = np.round(rng.random((NLAT, NLON)), 3)
FRACTION[0] = 0.0
FRACTION[3] = 1.0
FLUX = rng.normal(0, 1e-9, (12 * NYEAR, NLAT, NLON))  # kg C m-2 s-1 to the atmosphere
YEARS = np.repeat([2003, 2004], 12)
MONTHS = np.tile(np.arange(1, 13), NYEAR)


def days(calendar: str) -> np.ndarray:
    """Days of each month, from cftime itself."""
    return np.array(
        [
            cftime.datetime(y, m, 1, calendar=calendar).daysinmonth
            for y, m in zip(YEARS, MONTHS, strict=True)
        ]
    )


def month_s(calendar: str) -> np.ndarray:
    return (days(calendar) * 86400.0)[:, None, None]


def year_s(calendar: str) -> np.ndarray:
    return np.repeat(days(calendar).reshape(NYEAR, 12).sum(1) * 86400.0, 12)[:, None, None]


def known(calendar: str, area: np.ndarray = AREA) -> np.ndarray:
    """Pg C/yr of each month, summed by hand."""
    return (FLUX * area).sum(axis=(1, 2)) * year_s(calendar).ravel() * 1e-12


class Case:
    """Writes files into a folder and says how the member is declared."""

    def __init__(self, member: str, calendar: str = "noleap", expected: Any = None) -> None:
        self.member = member
        self.calendar = calendar
        self.expected = known(calendar) if expected is None else expected


def stamps(calendar: str, where: float = 0.5) -> np.ndarray:
    ends = np.cumsum(days(calendar))
    return ends - days(calendar) * (1 - where)


def write(
    path: Path,
    fields: dict[str, tuple[np.ndarray, str | None, dict[str, Any]]],
    *,
    calendar: str = "noleap",
    dims: tuple[str, ...] = ("time", "lat", "lon"),
    time: np.ndarray | None = None,
    units: str = "days since 2003-01-01",
    static: dict[str, tuple[np.ndarray, str | None]] | None = None,
    lat: np.ndarray = LAT,
    lon: np.ndarray = LON,
    group: str | None = None,
    attrs: dict[str, str] | None = None,
    time_name: str = "time",
    format: str = "NETCDF4",
) -> None:
    time = stamps(calendar) if time is None else time
    sizes = {time_name: len(time), "lat": len(lat), "lon": len(lon)}
    with netCDF4.Dataset(path, "w", format=format) as root:
        root.setncatts(attrs or {})
        for dim in dims:
            shape = next(iter(fields.values()))[0].shape
            root.createDimension(dim, sizes.get(dim, shape[dims.index(dim)]))
        for name, values, degrees in (("lat", lat, "degrees_north"), ("lon", lon, "degrees_east")):
            if name in dims:
                held = root.createVariable(name, "f8", name)
                held[:], held.units = values, degrees
        if time_name in dims:
            held = root.createVariable(time_name, "f8", time_name)
            held[:], held.units, held.calendar = time, units, calendar
        for name, (values, text, more) in fields.items():
            place = root.createGroup(group) if group else root
            held = place.createVariable(name, "f8", dims, fill_value=more.get("_FillValue"))
            held.set_auto_maskandscale(False)
            held[:] = values
            held.setncatts({k: v for k, v in more.items() if k != "_FillValue"})
            if text is not None:
                held.units = text
        for name, (values, text) in (static or {}).items():
            held = root.createVariable(name, "f8", ("lat", "lon"))
            held[:] = values
            if text is not None:
                held.units = text


def trendy(folder: Path) -> Case:
    write(
        folder / "MODEL_S3_nbp.nc", {"nbp": (-FLUX[:, ::-1], "kg C m-2 s-1", {})},
        lat=LAT[::-1], time=np.arange(24.0), units="months since 2003-01-01", calendar="360_day",
    )  # fmt: skip
    return Case("{paths: MODEL_S3_nbp.nc, preset: trendy, flux: {area_basis: cell}}", "360_day")


def trendy_years_since(folder: Path) -> Case:
    write(
        folder / "a.nc", {"nbp": (-FLUX, "Kg/m2/s", {})}, calendar="standard",
        time=(np.arange(24) + 0.5) / 12, units="years since 2003-01-01",
    )  # fmt: skip
    return Case(
        "{paths: a.nc, flux: {sign: to_surface, species: C, area_basis: cell},"
        " components: {land: nbp}}",
        "standard",
    )


def cmip6_land(folder: Path) -> Case:
    with np.errstate(divide="ignore", invalid="ignore"):
        per_land = np.where(FRACTION > 0, -FLUX / FRACTION, 1e20)
    more = {
        "standard_name": "surface_net_downward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due"
        "_to_all_land_processes",
        "cell_methods": "area: mean where land time: mean",
        "cell_measures": "area: areacella",
        "_FillValue": 1e20,
    }
    write(
        folder / "nbp_Lmon_M.nc",
        {"nbp": (per_land, "kg m-2 s-1", more)},
        attrs={"mip_era": "CMIP6"},
    )
    own = AREA * 1.001
    write(folder / "sftlf_fx_M.nc", {"sftlf": (FRACTION * 100, "%", {})}, dims=("lat", "lon"))
    write(folder / "areacella_fx_M.nc", {"areacella": (own, "m2", {})}, dims=("lat", "lon"))
    return Case(
        "{paths: nbp_Lmon_M.nc, preset: auto}",
        expected=known("noleap", own * (FRACTION > 0)),
    )


def cmip6_ocean_co2(folder: Path) -> Case:
    sea = 1 - FRACTION
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(sea > 0, -FLUX / sea * CO2 / C, np.nan)
    more = {
        "standard_name": "surface_downward_mass_flux_of_carbon_dioxide",
        "cell_methods": "area: mean where sea time: mean",
    }
    write(folder / "fgco2.nc", {"fgco2": (values, "kg m-2 s-1", more)})
    write(folder / "sftof.nc", {"sftof": (sea, "1", {})}, dims=("lat", "lon"))
    return Case(
        "{paths: fgco2.nc, components: {ocean: fgco2}, mask: {paths: sftof.nc, variable: sftof}}",
        expected=known("noleap", AREA * (sea > 0)),
    )


def gcb_ocean(folder: Path) -> Case:
    sea = 1 - FRACTION
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(sea > 0, -FLUX / sea / (C * 1e-3), np.nan)
    write(
        folder / "a.nc", {"fgco2": (values, "molC m-2 s-1", {})}, calendar="standard",
        static={"area": (AREA, "m2"), "mask_sfc": (sea, None)},
    )  # fmt: skip
    return Case("{paths: a.nc, preset: gcb_ocean}", "standard", known("standard", AREA * (sea > 0)))


def gcp_inversions(folder: Path) -> Case:
    both = np.stack([np.full_like(FLUX, np.nan), FLUX * year_s("standard") * 1e-12], axis=-1)
    name = "land_flux_only_fossil_cement_adjusted"
    dims = ("lon", "lat", "time", "ensemble_member")
    path = folder / "gcp.nc"
    write(path, {name: (both.transpose(2, 1, 0, 3), "PgC m-2 yr-1", {})}, dims=dims,
          calendar="standard", static={"cell_area": (AREA, "m2")})  # fmt: skip
    with netCDF4.Dataset(path, "a") as root:
        root.createDimension("chars", 6)
        held = root.createVariable("ensemble_member_name", "S1", ("ensemble_member", "chars"))
        held[:] = np.array([list("CAMS  "), list("UoE   ")], "S1")
    return Case("{paths: gcp.nc, preset: auto, select: {ensemble_member: UoE}}", "standard")


def carbontracker(folder: Path) -> Case:
    moles = FLUX / (C * 1e-3)
    bio, fire = moles * 0.75, moles * 0.25
    bio[:, 0, 0] = fire[:, 0, 0] = -1e34
    write(
        folder / "ct.nc",
        {"bio_flux_opt": (bio, "mol m-2 s-1", {}), "fire_flux_imp": (fire, "mol m-2 s-1", {}),
         "ocn_flux_opt": (moles * 0, "mol m-2 s-1", {})},
        calendar="standard",
    )  # fmt: skip
    area = AREA.copy()
    area[0, 0] = 0
    return Case("{paths: ct.nc, preset: auto}", "standard", known("standard", area))


def cte(folder: Path) -> Case:
    moles = FLUX / (C * 1e-3)
    write(
        folder / "cte.nc",
        {"biosphere_flux_optimized": (moles * 0.5, "mol m-2 s-1", {}),
         "fire_flux_imposed": (moles * 0.5, "mol m-2 s-1", {}),
         "ocean_flux_optimized": (moles * 0, "mol m-2 s-1", {})},
    )  # fmt: skip
    return Case("{paths: cte.nc, preset: auto}")


def cams(folder: Path) -> Case:
    lat = np.linspace(-90, 90, NLAT)  # half cells at the poles
    middle = (lat[1:] + lat[:-1]) / 2
    edges = np.concatenate([[-90], middle, [90]])
    area = (
        RADIUS_M**2 * np.radians(30) * np.diff(np.sin(np.radians(edges)))[:, None] * np.ones(NLON)
    )
    per_month = FLUX * month_s("standard")
    unit = "kgC m-2 month-1"
    write(
        folder / "cams.nc",
        {"flux_apos_bio": (per_month, unit, {}), "flux_apos_ocean": (per_month * 0, unit, {})},
        calendar="standard", lat=lat, static={"area": (area, "m2")},
    )  # fmt: skip
    return Case("{paths: cams.nc, preset: auto}", "standard", known("standard", area))


def jena(folder: Path) -> Case:
    per_cell = FLUX * AREA * year_s("standard") * 1e-12
    n = days("standard")
    daily = np.repeat(per_cell, n, axis=0)
    write(
        folder / "jena.nc",
        {"co2flux_land": (daily, "PgC/yr", {}), "co2flux_ocean": (daily * 0, "PgC/yr", {})},
        dims=("mtime", "lat", "lon"), time_name="mtime", time=np.arange(n.sum()) * 86400.0 + 43200,
        units="seconds since 2003-01-01 00:00:00", calendar="standard",
    )  # fmt: skip
    return Case("{paths: jena.nc, preset: auto}", "standard")


def miroc4(folder: Path) -> Case:
    values = FLUX * CO2 / C * month_s("noleap")
    unit = "kg-CO2/m2/month"
    write(
        folder / "miroc.nc",
        {"flux_apos_land": (values, unit, {}), "flux_apos_ocean": (values * 0, unit, {})},
    )
    return Case("{paths: miroc.nc, preset: auto}")


def gridfed(folder: Path) -> Case:
    values = FLUX * CO2 / C * AREA * month_s("standard")
    write(folder / "GCP-GridFED.nc", {"TOTAL": (values, None, {})}, group="CO2",
          calendar="standard")  # fmt: skip
    return Case("{paths: GCP-GridFED.nc, preset: gridfed}", "standard")


def som_ffn(folder: Path) -> Case:
    values = FLUX / (C * 1e-3) * year_s("standard")
    write(
        folder / "som.nc", {"fgco2_smoothed": (values, "mol m^{-2} yr^{-1}", {"FillValue": 1e20})},
        calendar="standard",
    )  # fmt: skip
    return Case("{paths: som.nc, preset: auto, flux: {area_basis: cell}}", "standard")


def open_water(folder: Path) -> Case:
    """Per m2 of open water, which changes from month to month and is unknown over land."""
    ice = np.round(np.random.default_rng(1).random((24, NLAT, NLON)), 3) * 0.9
    water = (1 - ice) * 100.0
    values = FLUX / (1 - ice) / (C * 1e-3) * 86400 * 1e3
    values[:, 4] = np.nan
    water[:, 4] = np.nan
    fields = {"fgco2": (values, "mmol m-2 d-1", {}), "open_water": (water, "%", {})}
    write(folder / "a.nc", fields, calendar="standard")
    area = AREA.copy()
    area[4] = 0
    return Case(
        "{paths: a.nc, flux: {sign: to_atmosphere, area_basis: sea_ice_free},"
        " components: {ocean: fgco2}, mask: {paths: a.nc, variable: open_water}}",
        "standard",
        known("standard", area),
    )


def zonal(folder: Path) -> Case:
    per_degree = (FLUX * AREA).sum(axis=2) * year_s("standard")[:, :, 0] * 1e-12 / 30.0
    write(
        folder / "z.nc", {"SFCO2": (per_degree, "Pg C yr$^{-1}$ degree$^{-1}$", {})},
        dims=("time", "lat"), calendar="standard",
    )  # fmt: skip
    return Case("{paths: z.nc, flux: {sign: to_atmosphere}, components: {land: SFCO2}}", "standard")


def classic_grams(folder: Path) -> Case:
    write(
        folder / "a.nc", {"nee": (FLUX * 1e3 * 86400, "gC m-2 d-1", {"_FillValue": -9999.0})},
        calendar="360_day", format="NETCDF3_CLASSIC", lon=LON - 360.0,
    )  # fmt: skip
    return Case(
        "{paths: a.nc, flux: {sign: to_atmosphere, area_basis: cell}, components: {land: nee}}",
        "360_day",
    )


def bookkeeping(folder: Path) -> Case:
    write(folder / "a.nc", {"eluc": (FLUX * year_s("noleap") * 10.0, "tC ha-1 yr-1", {})})
    return Case(
        "{paths: a.nc, flux: {sign: to_atmosphere, area_basis: cell}, components: {eluc: eluc}}"
    )


def year_of_365_25_days(folder: Path) -> Case:
    write(folder / "a.nc", {"nbp": (FLUX * 365.25 * 86400, "kg C m-2 yr-1", {"positive": "up"})})
    return Case(
        "{paths: a.nc, flux: {area_basis: cell, year_length_days: 365.25}, components: {land: nbp}}"
    )


def three_hourly(folder: Path) -> Case:
    n = days("standard") * 8
    write(
        folder / "a.nc", {"nee": (np.repeat(FLUX, n, axis=0), "kg C m-2 s-1", {})},
        calendar="standard", time=np.arange(n.sum()) / 8,
    )  # fmt: skip
    return Case(
        "{paths: a.nc, flux: {sign: to_atmosphere, area_basis: cell}, components: {land: nee}}",
        "standard",
    )


def yearly_files(folder: Path) -> Case:
    for number, year in ((1, 2004), (0, 2003)):
        part = slice(number * 12, number * 12 + 12)
        write(
            folder / f"f{year}.nc", {"nbp": (-FLUX[part], "kg C m-2 s-1", {"positive": "down"})},
            time=stamps("noleap")[:12], units=f"days since {year}-01-01",
        )  # fmt: skip
    return Case("{paths: f*.nc, flux: {area_basis: cell}, components: {land: nbp}}")


def annual(folder: Path) -> Case:
    means = FLUX.reshape(NYEAR, 12, NLAT, NLON).mean(axis=1)
    write(
        folder / "a.nc", {"nbp": (-means, "kg C m-2 s-1", {})}, calendar="noleap",
        time=np.arange(2.0), units="years since 2003-01-01",
    )  # fmt: skip
    expected = (means * AREA).sum(axis=(1, 2)) * 365 * 86400 * 1e-12
    return Case(
        "{paths: a.nc, flux: {sign: to_surface, area_basis: cell}, components: {land: nbp}}",
        expected=expected,
    )


def dataset(calendar: str = "noleap") -> xr.Dataset:
    values = np.where(FRACTION == 0, np.nan, FLUX)
    return xr.Dataset(
        {"nbp": (("time", "lat", "lon"), values, {"units": "kg C m-2 s-1"})},
        {
            "time": ("time", stamps(calendar),
                     {"units": "days since 2003-01-01", "calendar": calendar}),
            "lat": ("lat", LAT, {"standard_name": "latitude"}),
            "lon": ("lon", LON, {"standard_name": "longitude"}),
        },
    )  # fmt: skip


ZARR = "flux: {sign: to_atmosphere, area_basis: cell}, components: {land: nbp}}"


def zarr_of_xarray(folder: Path) -> Case:
    dataset().to_zarr(
        folder / "a.zarr", zarr_format=3, consolidated=False,
        encoding={"nbp": {"chunks": (5, 4, 12), "write_empty_chunks": True}},
    )  # fmt: skip
    return Case("{paths: a.zarr, " + ZARR, expected=known("noleap", AREA * (FRACTION > 0)))


def zarr_2_with_fill(folder: Path) -> Case:
    ds = dataset()
    ds["nbp"] = ds["nbp"].fillna(-9999.0)
    ds["nbp"].attrs["units"] = "kg C m-2 s-1"
    ds.to_zarr(
        folder / "a.zarr", zarr_format=2, consolidated=True,
        encoding={"nbp": {"_FillValue": -9999.0, "write_empty_chunks": True}},
    )  # fmt: skip
    return Case("{paths: a.zarr, " + ZARR, expected=known("noleap", AREA * (FRACTION > 0)))


def sharded_zarr(folder: Path) -> Case:
    dataset().to_zarr(folder / "b.zarr", zarr_format=3, consolidated=False)
    root = zarr.open_group(folder / "b.zarr", mode="r+")
    values, attrs = root["nbp"][:], dict(root["nbp"].attrs)
    del root["nbp"]
    array = root.create_array(
        "nbp", shape=values.shape, dtype="f8", chunks=(2, 3, 12), shards=(6, 6, 12),
        dimension_names=["time", "lat", "lon"], fill_value=np.nan,
        config={"write_empty_chunks": True},
    )  # fmt: skip
    array[:] = values
    array.attrs.update(attrs)
    return Case("{paths: b.zarr, " + ZARR, expected=known("noleap", AREA * (FRACTION > 0)))


def ingested(folder: Path) -> Case:
    yearly_files(folder)
    ingest([str(folder / "f*.nc")], folder / "all.zarr")
    return Case("{paths: all.zarr, flux: {area_basis: cell}, components: {land: nbp}}")


CONVENTIONS = [
    trendy, trendy_years_since, cmip6_land, cmip6_ocean_co2, gcb_ocean, gcp_inversions,
    carbontracker, cte, cams, jena, miroc4, gridfed, som_ffn, open_water, zonal, classic_grams,
    bookkeeping, year_of_365_25_days, three_hourly, yearly_files, annual, zarr_of_xarray,
    zarr_2_with_fill, sharded_zarr, ingested,
]  # fmt: skip


def by_month(series: Series, pgc: np.ndarray) -> np.ndarray:
    """Means of shorter steps over each month, weighted by their length."""
    number = series.times.first_month
    sums = [
        (pgc[number == n] * series.times.seconds[number == n]).sum()
        / series.times.seconds[number == n].sum()
        for n in np.unique(number)
    ]
    return np.array(sums)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda f: f.__name__)
def test_same_flux_in_every_convention(
    convention: Callable[[Path], Case],
    tmp_path: Path,
    open_member: Callable[..., Catalogue],
    pgc_yr: Callable[[Series], np.ndarray],
) -> None:
    case = convention(tmp_path)
    catalogue = open_member(case.member)
    components = {s.key.component for s in catalogue.series}
    main = next(c for c in ("land", "eluc", "ocean", "fossil") if c in components)
    total = sum(by_month(s, pgc_yr(s)) for s in catalogue.series if s.key.component == main)
    scale = np.abs(case.expected).max()
    np.testing.assert_allclose(total, case.expected, rtol=1e-12, atol=1e-12 * scale)
    assert {s.times.calendar for s in catalogue.series} == {case.calendar}


@pytest.mark.slow
def test_same_flux_through_a_whole_run(tmp_path: Path) -> None:
    """All conventions as members of one ensemble: blocks, kernel, merge and tables included."""
    members, expected = [], {}
    for convention in CONVENTIONS:
        folder = tmp_path / convention.__name__
        folder.mkdir()
        case = convention(folder)
        inside = re.sub(r"paths: ([\w.*-]+)", rf"paths: {convention.__name__}/\1", case.member)
        members.append(f"    {convention.__name__}: {inside}")
        expected[convention.__name__] = case.expected
    text = "name: run\nensembles:\n- family: inversion\n  members:\n" + "\n".join(members)
    config = parse_config(text, origin=tmp_path / "run.yaml")
    run_config(config, tmp_path / "out", workers=1, with_report=False)
    tables = tmp_path / "out" / "tables"
    monthly, annual_means = (pd.read_csv(tables / f"{n}.csv") for n in ("monthly", "annual"))
    for name, known_pgc_yr in expected.items():
        table = annual_means if name == "annual" else monthly
        rows = table[(table.member == name) & (table.region == "Globe")]
        main = next(c for c in ("land", "eluc", "ocean", "fossil") if c in set(rows.component))
        found = rows[rows.component == main].flux_pgc_yr.to_numpy()
        scale = np.abs(known_pgc_yr).max()
        np.testing.assert_allclose(found, known_pgc_yr, rtol=1e-12, atol=1e-12 * scale)
