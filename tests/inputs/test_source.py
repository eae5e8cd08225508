"""Raw numbers arrive as they are stored, from every format, or a clear error does."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest
import zarr
from flux_files import write_netcdf

from hpcbudget.errors import InputError, MissingChunkError
from hpcbudget.inputs.classic import check_length, expected_bytes
from hpcbudget.inputs.source import engine_of, open_source

CLASSIC = ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"]


@pytest.mark.parametrize("format", CLASSIC)
@pytest.mark.parametrize("unlimited", [True, False])
@pytest.mark.parametrize("variables", [1, 3])
def test_length_of_classic_files(
    tmp_path: Path, format: str, unlimited: bool, variables: int
) -> None:
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w", format=format) as file:
        file.title = "x" * 5
        file.createDimension("time", None if unlimited else 7)
        file.createDimension("x", 5)
        for number in range(variables):
            held = file.createVariable(f"v{number}", ("i2", "f4", "f8")[number], ("time", "x"))
            held.units = "kg"
            held[:] = np.arange(35).reshape(7, 5)
    size = path.stat().st_size
    expected = expected_bytes(path)
    assert expected is not None
    assert size - 4 < expected <= size  # the end may be padded
    check_length(str(path))
    with path.open("r+b") as file:
        file.truncate(expected - 1)
    with pytest.raises(MissingChunkError, match="truncated"):
        check_length(str(path))


def test_other_formats_have_no_classic_length(tmp_path: Path) -> None:
    assert expected_bytes(write_netcdf(tmp_path / "a.nc")) is None


@pytest.mark.parametrize("kind", ["f4", "f8", "i2", "u1"])
def test_bits_of_both_engines(tmp_path: Path, kind: str) -> None:
    values = np.arange(60).reshape(3, 4, 5).astype(kind)
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        for name, length in zip("tyx", values.shape, strict=True):
            file.createDimension(name, length)
        held = file.createVariable("v", ">" + kind, ("t", "y", "x"), endian="big")
        held.set_auto_maskandscale(False)
        held[:] = values
        held.scale_factor = 2.0
    root = zarr.open_group(tmp_path / "a.zarr", mode="w")
    root.create_array("v", data=values, chunks=(2, 3, 5), dimension_names=list("tyx"))
    for path in ("a.nc", "a.zarr"):
        with open_source(str(tmp_path / path)) as source:
            assert source.variables["v"].dims == ("t", "y", "x")
            for index in [(), (slice(1, 3),), (2, slice(0, 2)), (slice(0, 2), 1, slice(None))]:
                found = source.read("v", index)
                np.testing.assert_array_equal(found, values[index])
                assert found.dtype == np.dtype(kind)
                assert found.dtype.isnative


def test_coordinates_of_enclosing_groups_are_seen(tmp_path: Path) -> None:
    path = write_netcdf(tmp_path / "a.nc", group="a/b")
    with open_source(str(path), "a/b") as source:
        assert {"nbp", "lat", "time"} <= set(source.variables)
    with pytest.raises(InputError, match="no group 'b'") as caught:
        open_source(str(path), "b")
    assert "a" in caught.value.fix


def test_engine_follows_the_content(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "store", mode="w")
    assert engine_of(str(tmp_path / "store")) == "zarr"
    assert engine_of(str(tmp_path / "a.nc")) == "netcdf"
    assert engine_of("s3://bucket/a.zarr/") == "zarr"
    assert engine_of("https://host/a.nc") == "netcdf"


def test_zarr_in_a_group_and_without_dimension_names(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    root.create_group("g").create_array("v", data=np.zeros((2, 3)))
    with open_source(str(tmp_path / "a.zarr"), "g") as source:
        assert source.variables["v"].dims == ("dim_0", "dim_1")
    with pytest.raises(InputError, match="with group 'h'"):
        open_source(str(tmp_path / "a.zarr"), "h")
