"""Real and small files become series that integrate to the known Pg C/yr."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr

from hpcbudget.config import parse_config
from hpcbudget.errors import HpcBudgetError, MissingChunkError, Problems
from hpcbudget.inputs.catalogue import Catalogue, open_catalogue
from hpcbudget.inputs.series import Series

FLUX = "flux: {sign: to_atmosphere, species: C, area_basis: cell}"
EARTH_M2 = 4 * np.pi * 6371e3**2


def test_hand_computed_total(
    tmp_path: Path,
    netcdf: Callable[..., Path],
    open_member: Callable[..., Catalogue],
    pgc_yr: Callable[[Series], np.ndarray],
) -> None:
    netcdf(tmp_path / "a.nc")
    (series,) = open_member(f"{{paths: a.nc, {FLUX}, components: {{land: nbp}}}}").series
    expected = 1e-9 * EARTH_M2 * 365 * 86400 * 1e-12
    np.testing.assert_allclose(pgc_yr(series), expected, rtol=1e-13)
    assert series.steps == (0, 12)
    copy = pickle.loads(pickle.dumps(series))
    assert copy.store.fingerprint(0, 12) == series.store.fingerprint(0, 12)
    assert any("positive to the atmosphere" in step for step in series.history)


def test_all_problems_at_once(tmp_path: Path, netcdf: Callable[..., Path]) -> None:
    netcdf(tmp_path / "a.nc", units="kg m-2 s-1")
    text = f"""
name: bad
period: [1990, 1995]
ensembles:
- family: land_process
  members:
    A: {{paths: a.nc, components: {{land: nbp}}}}
    B: {{paths: b.nc, components: {{land: nbp}}}}
    C: {{paths: a.nc, components: {{land: npb}}}}
    D: {{paths: a.nc, {FLUX}, components: {{land: nbp}}}}
"""
    with pytest.raises(Problems) as caught:
        open_catalogue(parse_config(text, origin=tmp_path / "c.yaml"))
    told = str(caught.value)
    assert len(caught.value.problems) == 6
    for part in ("sign of the flux is unknown", "species of the flux is unknown", "area_basis",
                 "file not found", "did you mean 'nbp'", "no time step lies in the period",
                 "member A", "member B", "a.nc, variable nbp"):  # fmt: skip
        assert part in told


def test_zarr_with_a_lost_chunk(
    tmp_path: Path, open_member: Callable[..., Catalogue], pgc_yr: Callable[[Series], np.ndarray]
) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w")
    data = np.full((12, 6, 12), 1e-9)
    dims = {
        "time": np.arange(12) + 0.5,
        "lat": np.arange(-75.0, 90, 30),
        "lon": np.arange(12) * 30.0,
    }
    for name, values in dims.items():
        array = root.create_array(name, data=values, dimension_names=[name])
        array.attrs["units"] = {
            "time": "months since 2001-01-01", "lat": "degrees_north", "lon": "degrees_east"
        }[name]  # fmt: skip
    root["time"].attrs["calendar"] = "noleap"
    nbp = root.create_array("nbp", data=data, chunks=(4, 3, 12), dimension_names=list(dims))
    nbp.attrs["units"] = "kg C m-2 s-1"
    (series,) = open_member(f"{{paths: a.zarr, {FLUX}, components: {{land: nbp}}}}").series
    assert series.store.time_chunks() == (0, 4, 8, 12)
    np.testing.assert_allclose(pgc_yr(series), 1e-9 * EARTH_M2 * 365 * 86400 * 1e-12, rtol=1e-13)
    before = series.store.fingerprint(4, 8)
    (tmp_path / "a.zarr/nbp/c/1/0/0").unlink()
    assert series.store.fingerprint(4, 8) != before
    assert np.isfinite(series.store.read(0, 4)).all()
    with pytest.raises(MissingChunkError, match="nbp/c/1/0/0 is not stored"):
        series.store.read(4, 8)


def test_yearly_files_packed_differently(
    tmp_path: Path,
    netcdf: Callable[..., Path],
    open_member: Callable[..., Catalogue],
) -> None:
    for year, scale in ((2002, 1e-10), (2001, 5e-11)):
        raw = np.full((12, 6, 12), round(1e-9 / scale))
        raw[:, 0] = -32768
        netcdf(
            tmp_path / f"{year}.nc",
            values=raw,
            dtype="i2",
            fill=-32768,
            attrs={"scale_factor": scale, "add_offset": 0.0},
            time_units=f"days since {year}-01-01",
        )
    (series,) = open_member(f"{{paths: '*.nc', {FLUX}, components: {{land: nbp}}}}").series
    values = series.store.read(10, 14)
    assert values.dtype == np.float64
    assert np.isnan(values[:, 0]).all()
    np.testing.assert_allclose(values[:, 1:], 1e-9, rtol=1e-15)
    assert str(series.times) == "2001-01..2002-12"
    assert series.store.time_chunks()[12] == 12


def test_overlapping_files_are_named(
    tmp_path: Path, netcdf: Callable[..., Path], open_member: Callable[..., Catalogue]
) -> None:
    netcdf(tmp_path / "one.nc")
    netcdf(tmp_path / "two.nc")
    with pytest.raises(HpcBudgetError, match="overlap in time") as caught:
        open_member(f"{{paths: '*.nc', {FLUX}, components: {{land: nbp}}}}")
    assert "one.nc" in caught.value.where
    assert "two.nc" in caught.value.where


def test_land_fraction_from_a_flipped_file(
    tmp_path: Path,
    netcdf: Callable[..., Path],
    open_member: Callable[..., Catalogue],
    pgc_yr: Callable[[Series], np.ndarray],
) -> None:
    lat, lon = np.arange(-75.0, 90.0, 30.0), np.arange(15.0, 360.0, 30.0)
    percent = np.zeros((6, 12))
    percent[4, 2] = 50.0
    netcdf(
        tmp_path / "sftlf.nc", name="sftlf", dims=("lat", "lon"), units="%",
        lat=lat[::-1], lon=np.where(lon > 180, lon - 360, lon), values=percent[::-1],
    )  # fmt: skip
    netcdf(tmp_path / "a.nc")
    (series,) = open_member(
        "{paths: a.nc, flux: {sign: to_atmosphere, area_basis: land}, components: {land: nbp},"
        " land_fraction: {paths: sftlf.nc, variable: sftlf}}"
    ).series
    weight, area = series.measure(6371e3)
    box = 6371e3**2 * np.radians(30) * (np.sin(np.radians(60)) - np.sin(np.radians(30)))
    assert weight.reshape(6, 12)[4, 2] == pytest.approx(box / 2, rel=1e-14)
    assert np.count_nonzero(weight) == 1
    assert np.count_nonzero(area) == 1
    assert pgc_yr(series)[0] == pytest.approx(1e-9 * box / 2 * 365 * 86400 * 1e-12, rel=1e-13)


REAL = """
name: real
ensembles:
- family: inversion
  flux: {sign: to_atmosphere, species: C, area_basis: zonal_per_degree}
  components: {land: SFCO2_LND, ocean: SFCO2_OCN, fossil: SFCO2_FFF}
  members:
    CAMS:
      paths: inversions/CAMSv20r1/fluxes_za_ts_monthly.nc
      grid: {lat_width_deg: 1.894736842105263}
    CT2017: {paths: inversions/CT2017/fluxes_za_ts_monthly.nc}
    CTE2018: {paths: inversions/CTE2018/fluxes_za_ts_monthly.nc}
- family: ocean_product
  flux: {sign: to_atmosphere}
  components: {ocean: SFCO2_OCN}
  members: {SOM-FFN: {paths: inversions/SOM-FFN/fluxes_za_ts_monthly.nc}}
- family: bookkeeping
  flux: {sign: to_atmosphere, species: C, area_basis: cell}
  time: {mean_over: [2013, 2022]}
  components: {eluc: Landuse_Cflux}
  members: {GCB2023: {paths: gcb_gridded/*.nc}}
"""


def test_real_files(shared_data: Path, pgc_yr: Callable[[Series], np.ndarray]) -> None:
    found = open_catalogue(parse_config(REAL, origin=shared_data / "real.yaml", data=shared_data))
    totals = {f"{s.key.member}/{s.key.component}": pgc_yr(s) for s in found.series}
    assert len(totals) == 11
    assert totals["GCB2023/eluc"][0] == pytest.approx(1.2837, abs=5e-5)  # data/README: 1.284
    assert totals["CT2017/land"][0] == pytest.approx(5.72796836, rel=1e-8)
    assert {s.grid.kind for s in found.series} == {"zonal", "rectilinear"}
    assert str(found.series[0].times) == "2013..2022"


def test_real_band_sums_of_the_authors(shared_data: Path) -> None:
    """CT2017 south of 45 S: the authors' own sum over centres, 1e-12 as data/README says."""
    import netCDF4

    found = open_catalogue(parse_config(REAL, origin=shared_data / "real.yaml", data=shared_data))
    for series in found.series:
        if series.key.member != "CT2017" or series.key.component != "land":
            continue
        weight, _ = series.measure(6371e3)
        rows = series.grid.lat_deg < -45
        values = series.store.read(0, series.store.n_steps)[:, rows]
        ours = (
            (values * weight[rows]).sum(axis=1) * series.factor * series.times.year_seconds * 1e-12
        )
        name = "inversions/CT2017/flux_ts_monthly.lat_range=-90_0_to_-45_0.nc"
        with netCDF4.Dataset(shared_data / name) as file:
            theirs = file["SFCO2_LND"][:].data
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)
