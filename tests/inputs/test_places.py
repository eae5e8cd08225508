"""Places in space and time that a file writes in unusual ways, or leaves out, or gets wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from flux_files import LAT, LON, write_netcdf

from hpcbudget.errors import GridError, HpcBudgetError
from hpcbudget.inputs.catalogue import Catalogue
from hpcbudget.inputs.series import Series

OPTIONS = "flux: {sign: to_surface, area_basis: cell}, components: {land: nbp}}"
MEMBER = f"{{paths: a.nc, {OPTIONS}"
ENDS = np.cumsum([31.0, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
BEGINS = np.append(0.0, ENDS[:-1])
Open = Callable[..., Catalogue]


def bounds_without_a_name(values: np.ndarray) -> Callable[[netCDF4.Dataset], None]:
    def add(root: netCDF4.Dataset) -> None:
        root.createDimension("nv", 2)
        root.createVariable("time_bnds", "f8", ("time", "nv"))[:] = values

    return add


def test_bounds_that_no_attribute_names(tmp_path: Path, open_member: Open) -> None:
    extra = bounds_without_a_name(np.stack([BEGINS, ENDS], 1))
    write_netcdf(tmp_path / "a.nc", time=ENDS, extra=extra)
    (series,) = open_member(MEMBER).series
    assert str(series.times) == "2001-01..2001-12"


def test_bounds_that_hold_no_stamps_are_left_aside(tmp_path: Path, open_member: Open) -> None:
    write_netcdf(
        tmp_path / "a.nc", time=BEGINS + 14, extra=bounds_without_a_name(np.zeros((12, 2)))
    )
    (series,) = open_member(MEMBER).series
    assert str(series.times) == "2001-01..2001-12"


def curvilinear(path: Path, hole: float | None) -> None:
    """Write cells of two-dimensional places, bent a little; six of them may have none."""
    lat = LAT[:, None] + 0.5 * np.sin(np.radians(LON))[None]
    lon = np.broadcast_to(LON, lat.shape).copy()
    if hole is not None:
        lat[2:4, 3:6] = lon[2:4, 3:6] = hole
    with netCDF4.Dataset(path, "w") as root:
        for dim, size in {"time": 12, "y": LAT.size, "x": LON.size}.items():
            root.createDimension(dim, size)
        time = root.createVariable("time", "f8", ("time",))
        time.setncatts({"units": "days since 2001-01-01", "calendar": "noleap"})
        time[:] = BEGINS + 14
        for name, values, axis in (("TLAT", lat, "north"), ("TLONG", lon, "east")):
            held = root.createVariable(name, "f8", ("y", "x"), fill_value=9.969209968386869e36)
            held.units = f"degrees_{axis}"
            held[:] = values
        flux = root.createVariable("nbp", "f8", ("time", "y", "x"))
        flux.setncatts({"units": "kg C m-2 s-1", "coordinates": "TLONG TLAT"})
        flux[:] = 1e-9


def test_bad_input_cells_without_a_place(tmp_path: Path, open_member: Open) -> None:
    """A fill value of the coordinates was taken for a latitude: areas were junk beside it."""
    curvilinear(tmp_path / "a.nc", None)
    assert open_member(MEMBER).series[0].grid.kind == "curvilinear"
    curvilinear(tmp_path / "a.nc", 9.969209968386869e36)
    with pytest.raises(GridError, match="6 cells have no value of TLAT") as caught:
        open_member(MEMBER)
    assert "grid: {corners:" in caught.value.fix


def test_places_written_as_zero_are_told(tmp_path: Path, open_member: Open) -> None:
    curvilinear(tmp_path / "a.nc", 0.0)
    assert any(
        "6 cells are said to lie at 0 N, 0 E" in warning for warning in open_member(MEMBER).warnings
    )


def test_packed_coordinates(
    tmp_path: Path, open_member: Open, pgc_yr: Callable[[Series], np.ndarray]
) -> None:
    write_netcdf(tmp_path / "a.nc")
    expected = pgc_yr(open_member(MEMBER).series[0])
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as root:
        root.set_auto_scale(False)
        for name in ("lat", "lon"):
            root[name][:] = root[name][:] * 2
            root[name].scale_factor = 0.5
    np.testing.assert_array_equal(pgc_yr(open_member(MEMBER).series[0]), expected)


@pytest.mark.parametrize(("lat", "told"), [(LAT - 15, True), (LAT, False)])
def test_latitudes_that_name_edges_are_told(
    lat: np.ndarray, told: bool, tmp_path: Path, open_member: Open
) -> None:
    write_netcdf(tmp_path / "a.nc", lat=lat)
    warnings = open_member(MEMBER).warnings
    assert any("look like edges of rows" in warning for warning in warnings) is told


def test_bad_input_plain_hdf5_without_named_dimensions(tmp_path: Path, open_member: Open) -> None:
    import h5py

    with h5py.File(tmp_path / "a.nc", "w") as root:
        lon, lat = np.meshgrid(LON, LAT)
        root["lat"], root["lon"] = lat, lon
        month = root.create_dataset("emissions/C", data=np.ones(lat.shape))
        month.attrs["units"] = np.bytes_("g C m^-2 month^-1")
    member = (
        "{paths: a.nc, group: emissions, time: {start: '2001-01'},"
        " flux: {sign: to_atmosphere, area_basis: cell}, components: {fire: C}}"
    )
    with pytest.raises(HpcBudgetError, match=r"plain HDF5") as caught:
        open_member(member)
    assert "with xarray" in str(caught.value)
