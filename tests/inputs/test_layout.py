"""Time, space and selections are found whatever the order and number of dimensions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from flux_files import LAT, LON, write_netcdf

from hpcbudget.inputs.catalogue import Catalogue
from hpcbudget.inputs.series import Series

OPTIONS = "flux: {sign: to_surface, area_basis: cell}, components: {land: nbp}}"
VALUES = np.random.default_rng(5).normal(0, 1e-9, (12, 6, 12))
EARTH_M2 = 4 * np.pi * 6371e3**2


@pytest.mark.parametrize(
    "dims", list(itertools.permutations(("time", "lat", "lon"))), ids=lambda d: "-".join(d)
)
def test_any_order_of_dimensions(
    dims: tuple[str, ...],
    tmp_path: Path,
    open_member: Callable[..., Catalogue],
    pgc_yr: Callable[[Series], np.ndarray],
) -> None:
    order = [("time", "lat", "lon").index(d) for d in dims]
    write_netcdf(tmp_path / "a.nc", dims=dims, values=VALUES.transpose(order))
    write_netcdf(tmp_path / "b.nc", values=VALUES)
    (a,) = open_member(f"{{paths: a.nc, {OPTIONS}").series
    (b,) = open_member(f"{{paths: b.nc, {OPTIONS}").series
    np.testing.assert_allclose(pgc_yr(a), pgc_yr(b), rtol=1e-13)
    assert a.store.read(3, 5).shape == (2, *a.grid.shape)


def named(root: netCDF4.Dataset) -> None:
    root.createDimension("chars", 8)
    held = root.createVariable("model_name", "S1", ("model", "chars"))
    held[:] = np.array([list("CAMS    "), list("CTE2018 ")], "S1")


@pytest.mark.parametrize("label", ["CTE2018", "cte2018", 1])
def test_selection_by_name_or_number(
    label: str | int, tmp_path: Path, open_member: Callable[..., Catalogue]
) -> None:
    values = np.stack([VALUES * 0, VALUES], axis=1)
    write_netcdf(
        tmp_path / "a.nc", dims=("time", "model", "lat", "lon"), values=values, extra=named
    )
    (series,) = open_member(f"{{paths: a.nc, select: {{model: {label}}}, {OPTIONS}").series
    np.testing.assert_array_equal(series.store.read(0, 12), VALUES)
    assert any(f"selected model={label!r} (index 1 of 2)" in step for step in series.history)


def cells(path: Path, dims: tuple[str, ...], lat: np.ndarray, lon: np.ndarray) -> None:
    """Write a constant flux on cells that latitude and longitude arrays describe."""
    with netCDF4.Dataset(path, "w") as root:
        for dim, length in zip(dims, lat.shape, strict=True):
            root.createDimension(dim, length)
        root.createDimension("time", 12)
        root.createDimension("nv", 4)
        time = root.createVariable("time", "f8", "time")
        time[:], time.units = np.arange(12), "months since 2001-01-01"
        corners = {"lat": ([-15, -15, 15, 15], "degrees_north"),
                   "lon": ([-15, 15, 15, -15], "degrees_east")}  # fmt: skip
        for name, values in (("lat", lat), ("lon", lon)):
            offset, units = corners[name]
            held = root.createVariable(name, "f8", dims)
            held[:], held.units, held.bounds = values, units, f"{name}_vertices"
            root.createVariable(f"{name}_vertices", "f8", (*dims, "nv"))[:] = values[
                ..., None
            ] + np.array(offset, float)
        held = root.createVariable("nbp", "f8", ("time", *dims))
        held[:], held.units = 1e-9, "kg C m-2 s-1"


def test_cells_with_corners(
    tmp_path: Path, open_member: Callable[..., Catalogue], pgc_yr: Callable[[Series], np.ndarray]
) -> None:
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    cells(tmp_path / "curvilinear.nc", ("j", "i"), lat, lon)
    cells(tmp_path / "unstructured.nc", ("cell",), lat.ravel(), lon.ravel())
    expected = -1e-9 * EARTH_M2 * 365 * 86400 * 1e-12
    for name in ("curvilinear", "unstructured"):
        (series,) = open_member(f"{{paths: {name}.nc, {OPTIONS}").series
        np.testing.assert_allclose(pgc_yr(series)[0], expected, rtol=1e-9)


def test_corners_of_another_file(tmp_path: Path, open_member: Callable[..., Catalogue]) -> None:
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    cells(tmp_path / "grid.nc", ("cell",), lat.ravel(), lon.ravel())
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as root:
        root.createDimension("time", 12)
        root.createDimension("ncells", 72)
        time = root.createVariable("time", "f8", "time")
        time[:], time.units = np.arange(12), "months since 2001-01-01"
        held = root.createVariable("nbp", "f8", ("time", "ncells"))
        held[:], held.units = 1e-9, "kg C m-2 s-1"
    (series,) = open_member(
        f"{{paths: a.nc, grid: {{corners: {{paths: grid.nc, variable: nbp}}}}, {OPTIONS}"
    ).series
    assert series.grid.size == 72
    assert series.measure(6371e3)[0].sum() == pytest.approx(EARTH_M2, rel=1e-9)


def test_healpix(tmp_path: Path, open_member: Callable[..., Catalogue]) -> None:
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as root:
        root.createDimension("time", 12)
        root.createDimension("cell", 192)
        time = root.createVariable("time", "f8", "time")
        time[:], time.units = np.arange(12), "months since 2001-01-01"
        crs = root.createVariable("crs", "i4", ())
        crs.grid_mapping_name, crs.healpix_nside, crs.healpix_order = "healpix", 4, "nest"
        held = root.createVariable("nbp", "f8", ("time", "cell"))
        held[:], held.units, held.grid_mapping = 1e-9, "kg C m-2 s-1", "crs"
    (series,) = open_member(f"{{paths: a.nc, {OPTIONS}").series
    assert series.grid.size == 192
    weight = series.measure(6371e3)[0]
    # the stored cells stand for equal areas; polygons of great circles are near to that
    np.testing.assert_allclose(weight.sum(), EARTH_M2, rtol=1e-6)


def test_files_share_one_grid(tmp_path: Path, open_member: Callable[..., Catalogue]) -> None:
    for year in (2001, 2002):
        write_netcdf(tmp_path / f"{year}.nc", time_units=f"days since {year}-01-01")
    found = open_member(f"{{paths: 2001.nc, {OPTIONS}").series
    again = open_member(f"{{paths: 2002.nc, {OPTIONS}").series
    assert found[0].grid is again[0].grid
