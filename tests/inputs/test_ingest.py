"""Ingested stores hold the bits of their sources, survive a kill, and name their damage."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr

from hpcbudget.errors import (
    BusyError,
    GridError,
    HpcBudgetError,
    InputError,
    MissingChunkError,
    OutputError,
)
from hpcbudget.inputs import ingest as ingest_module
from hpcbudget.inputs.catalogue import Catalogue
from hpcbudget.inputs.ingest import ingest
from hpcbudget.inputs.streaming import stream_layout
from hpcbudget.inputs.verify import verify

FLUX = "flux: {sign: to_atmosphere, species: C, area_basis: cell}, components: {land: nbp}"


@pytest.fixture
def yearly(tmp_path: Path, netcdf: Callable[..., Path]) -> list[Path]:
    """Three yearly files of float32 with NaN payloads and fill values."""
    rng = np.random.default_rng(0)
    paths = []
    for year in (2003, 2001, 2002):
        values = rng.standard_normal((12, 6, 12)).astype("f4") * 1e-9
        values[:, 0] = np.float32(1e20)
        values[:, 1, 0] = np.nan
        values[:6] = np.nan if year == 2002 else values[:6]
        paths.append(
            netcdf(
                tmp_path / f"{year}.nc", values=values, dtype="f4", fill=1e20,
                time_units=f"days since {year}-01-01", chunks=(5, 6, 12),
            )
        )  # fmt: skip
    return paths


def raw(path: Path) -> np.ndarray:
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        return file["nbp"][:]


def test_bits_are_kept(
    tmp_path: Path, yearly: list[Path], open_member: Callable[..., Catalogue]
) -> None:
    report = ingest([str(tmp_path / "*.nc")], tmp_path / "all.zarr")
    assert report.n_steps == 36
    stored = zarr.open_group(tmp_path / "all.zarr", mode="r")["nbp"][:]
    expected = np.concatenate([raw(p) for p in sorted(yearly)])
    assert stored.tobytes() == expected.tobytes()
    (old,) = open_member(f"{{paths: '*.nc', {FLUX}}}").series
    (new,) = open_member(f"{{paths: all.zarr, {FLUX}}}").series
    assert str(new.times) == "2001-01..2003-12"
    np.testing.assert_array_equal(new.store.read(0, 36), old.store.read(0, 36))
    np.testing.assert_array_equal(new.factor, old.factor)
    assert new.grid == old.grid
    assert verify(str(tmp_path / "all.zarr")).ok
    with xr.open_zarr(
        tmp_path / "all.zarr", consolidated=False
    ) as opened:  # others can read it too
        assert np.isnan(opened["nbp"].values[:, 0]).all()
        assert str(opened.time.values[12])[:10] == "2002-01-15"


def test_any_number_of_workers_writes_and_finds_the_same(
    tmp_path: Path, yearly: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpcbudget.inputs.streaming.CHUNK_BYTES", 500)
    monkeypatch.setattr("hpcbudget.inputs.streaming.SHARD_BYTES", 1500)
    monkeypatch.setattr("hpcbudget.inputs.verify.READ_BYTES", 1500)
    told: list[tuple[int, int]] = []
    reports = [
        ingest(
            [str(p) for p in yearly], tmp_path / f"{workers}.zarr", workers=workers,
            progress=lambda done, total: told.append((done, total)),
        )
        for workers in (1, 3)
    ]  # fmt: skip
    assert reports[0].stored_bytes == reports[1].stored_bytes
    half = len(told) // 2
    assert half == 6
    assert told[:half] == told[half:]
    assert told[-1] == (reports[0].read_bytes,) * 2
    one, three = (
        {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
        for root in (tmp_path / "1.zarr", tmp_path / "3.zarr")
    )
    assert one == three
    damaged = tmp_path / "3.zarr" / "nbp" / "c"
    (damaged / "1" / "0" / "0").unlink()
    os.truncate(damaged / "4" / "0" / "0", 100)
    found = [verify(str(tmp_path / "3.zarr"), workers=workers) for workers in (1, 3)]
    assert found[0] == found[1]
    assert len(found[0].defects) == 2


def test_a_killed_ingest_goes_on(
    tmp_path: Path, yearly: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpcbudget.inputs.streaming.CHUNK_BYTES", 500)
    monkeypatch.setattr("hpcbudget.inputs.streaming.SHARD_BYTES", 1500)
    copy, calls = ingest_module._copy, 0

    def dies(*args: object, **more: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        copy(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest_module, "_copy", dies)
    with pytest.raises(KeyboardInterrupt):
        ingest([str(p) for p in yearly], tmp_path / "all.zarr")
    assert not (tmp_path / "all.zarr").exists()
    # a shard that the kill has cut short is written again
    partial = tmp_path / ".all.zarr.partial" / "nbp" / "c" / "1" / "0" / "0"
    os.truncate(partial, partial.stat().st_size - 3)
    monkeypatch.setattr(ingest_module, "_copy", copy)
    report = ingest([str(p) for p in yearly], tmp_path / "all.zarr")
    assert report.resumed_shards == 2
    stored = zarr.open_group(tmp_path / "all.zarr", mode="r")["nbp"][:]
    assert stored.tobytes() == np.concatenate([raw(p) for p in sorted(yearly)]).tobytes()
    assert not partial.exists()


def test_changed_sources_begin_anew(
    tmp_path: Path, yearly: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ingest_module, "_flush", dies)
    with pytest.raises(KeyboardInterrupt):
        ingest([str(p) for p in yearly], tmp_path / "all.zarr")
    monkeypatch.undo()
    os.utime(yearly[0], (1, 1))
    assert ingest([str(p) for p in yearly], tmp_path / "all.zarr").resumed_shards == 0


def test_packing_that_differs_is_decoded(tmp_path: Path, netcdf: Callable[..., Path]) -> None:
    for year, scale in ((2001, 1e-10), (2002, 2e-10)):
        values = np.arange(12 * 72).reshape(12, 6, 12)
        netcdf(
            tmp_path / f"{year}.nc", values=values, dtype="i2", fill=-1,
            attrs={"scale_factor": scale}, time_units=f"days since {year}-01-01",
        )  # fmt: skip
    report = ingest([str(tmp_path / "*.nc")], tmp_path / "a.zarr")
    assert any("decoded" in note for note in report.notes)
    stored = zarr.open_group(tmp_path / "a.zarr", mode="r")["nbp"]
    assert "scale_factor" not in stored.attrs
    np.testing.assert_array_equal(stored[12:], np.arange(12 * 72).reshape(12, 6, 12) * 2e-10)


def test_member_dimension_and_names(tmp_path: Path, netcdf: Callable[..., Path]) -> None:
    def names(root: netCDF4.Dataset) -> None:
        root.createDimension("n_char", 5)
        held = root.createVariable("ensemble_member_name", "S1", ("n_char", "ensemble_member"))
        held[:] = np.array([list("CAMS "), list("CTE  ")], "S1").T

    netcdf(
        tmp_path / "gcp.nc", dims=("lon", "lat", "time", "ensemble_member"), extra=names,
        values=np.arange(12.0 * 6 * 12 * 2).reshape(12, 6, 12, 2) * 1e-12, units="PgC m-2 yr-1",
    )  # fmt: skip
    ingest([str(tmp_path / "gcp.nc")], tmp_path / "gcp.zarr")
    root = zarr.open_group(tmp_path / "gcp.zarr", mode="r")
    assert root["nbp"].metadata.dimension_names == ("time", "ensemble_member", "lon", "lat")
    assert root["nbp"].chunks[1] == 1
    assert root.attrs["labels"] == {"ensemble_member": ["CAMS", "CTE"]}


def test_bad_input_ingest(tmp_path: Path, yearly: list[Path], netcdf: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="no file matches"):
        ingest([str(tmp_path / "none*.nc")], tmp_path / "x.zarr")
    with pytest.raises(InputError, match="no variable 'nbpp'"):
        ingest([str(yearly[0])], tmp_path / "x.zarr", variables=["nbpp"])
    netcdf(tmp_path / "again.nc", time_units="days since 2002-01-01")
    with pytest.raises(HpcBudgetError, match="overlap in time"):
        ingest([str(tmp_path / "*.nc")], tmp_path / "x.zarr")
    (tmp_path / "y.zarr").mkdir()
    with pytest.raises(InputError, match="target exists"):
        ingest([str(yearly[0])], tmp_path / "y.zarr")
    netcdf(tmp_path / "static.nc", dims=("lat", "lon"))
    with pytest.raises(InputError, match="no variable has a time dimension"):
        ingest([str(tmp_path / "static.nc")], tmp_path / "x.zarr")
    assert not (tmp_path / "x.zarr").exists()


def test_bad_input_verify_names_damage(tmp_path: Path, yearly: list[Path]) -> None:
    ingest([str(p) for p in yearly], tmp_path / "all.zarr")
    shard = tmp_path / "all.zarr/nbp/c/0/0/0"
    whole = shard.read_bytes()
    flipped = bytearray(whole)
    flipped[40] ^= 1
    shard.write_bytes(flipped)
    (defect,) = verify(str(tmp_path / "all.zarr")).defects
    assert (defect.kind, defect.place) == ("corrupt", "nbp/c/0/0/0")
    shard.write_bytes(whole[:-9])
    (defect,) = verify(str(tmp_path / "all.zarr")).defects
    assert defect.kind == "corrupt"
    shard.unlink()
    (defect,) = verify(str(tmp_path / "all.zarr")).defects
    assert (defect.kind, defect.place) == ("missing", "shard nbp/c/0/0/0")


def test_bad_input_inner_chunk_never_written(
    tmp_path: Path, yearly: list[Path], open_member: Callable[..., Catalogue]
) -> None:
    ingest([str(p) for p in yearly], tmp_path / "all.zarr")
    root = zarr.open_group(tmp_path / "all.zarr", mode="r+")
    values = root["nbp"][:]
    attrs = dict(root["nbp"].attrs)
    del root["nbp"]
    array = root.create_array(
        "nbp", shape=values.shape, dtype="f4", chunks=(3, 6, 12), shards=(12, 6, 12),
        dimension_names=["time", "lat", "lon"], fill_value=np.nan,
    )  # fmt: skip
    array.attrs.update(attrs)
    values[12:15] = 1e-9
    values[15:18] = np.nan
    array[:] = values  # as other writers do: chunks of nothing but fill values are left out
    (defect,) = verify(str(tmp_path / "all.zarr")).defects
    assert defect.place == "chunk (5, 0, 0) of shard nbp/c/1/0/0"
    (series,) = open_member(f"{{paths: all.zarr, {FLUX}}}", top="period: [2003, 2003]").series
    assert np.isfinite(series.store.read(24, 36)[:, 2]).all()
    with pytest.raises(MissingChunkError, match=r"chunk \(5, 0, 0\) of shard nbp/c/1/0/0"):
        series.store.read(12, 24)


def test_bad_input_hdf5_chunks_never_written(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("time", 12)
        file.createDimension("x", 4)
        held = file.createVariable("nbp", "f4", ("time", "x"), chunksizes=(3, 4))
        held[:3] = 1.0
        held[6:] = 1.0
    (defect,) = verify(str(tmp_path / "a.nc")).defects
    assert (defect.kind, defect.place) == ("missing", "chunk at (3, 0)")


def test_layout_follows_the_grid() -> None:
    assert stream_layout((1440, 720, 1440), 0, 4).chunks == (1, 720, 1440)
    small = stream_layout((1440, 36, 72), 0, 8)
    assert small.chunks[0] == 48
    assert small.shards[0] % small.chunks[0] == 0
    assert stream_layout((1, 3600, 1800), 0, 8).shards == (1, 3600, 1800)
    assert stream_layout((100, 14, 180, 360), 1, 4).chunks[1] == 1


def test_bad_input_two_at_once(tmp_path: Path, yearly: list[Path]) -> None:
    with ingest_module._alone(tmp_path / ".all.zarr.partial"), pytest.raises(BusyError):
        ingest([str(p) for p in yearly], tmp_path / "all.zarr")


def test_bad_input_disk_full(
    tmp_path: Path, yearly: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ingest_module, "_copy", full)
    with pytest.raises(OutputError, match="no space left"):
        ingest([str(p) for p in yearly], tmp_path / "all.zarr")
    assert not (tmp_path / "all.zarr").exists()


def test_bad_input_a_lock_that_was_taken_away_is_none(
    tmp_path: Path, yearly: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_ends(*_: object) -> None:  # between our opening the file and our lock on it
        (tmp_path / ".all.zarr.lock").unlink()

    monkeypatch.setattr(ingest_module.fcntl, "flock", another_ends)
    with pytest.raises(BusyError):
        ingest([str(p) for p in yearly], tmp_path / "all.zarr")


def test_bad_input_another_has_finished_meanwhile(
    tmp_path: Path, yearly: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_ends(*_: object) -> None:
        (tmp_path / "all.zarr").mkdir()

    monkeypatch.setattr(ingest_module.fcntl, "flock", another_ends)
    monkeypatch.setattr(ingest_module, "_copy", None)  # nothing is copied in vain
    with pytest.raises(InputError, match="target exists"):
        ingest([str(p) for p in yearly], tmp_path / "all.zarr")


def on_grid(
    path: Path, lat: np.ndarray, lon: np.ndarray, names: str = "ab", mask: float = 1.0
) -> None:
    """A year of two members on a grid, with a field that has no time."""
    time = np.arange(12) * 30.0 + 360.0 * int(path.stem)
    stamps = {"units": "days since 2001-01-01", "calendar": "360_day"}
    shape = (12, 2, lat.size, lon.size)
    xr.Dataset(
        {
            "nbp": (("time", "m", "lat", "lon"), np.ones(shape, "f4"), {"units": "kg m-2 s-1"}),
            "mask": (("lat", "lon"), np.full(shape[2:], mask)),
        },
        coords={
            "time": ("time", time, stamps),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
            "m": ("m", np.array(list(names), object)),
        },
    ).to_netcdf(path)


LAT, LON = np.arange(-75.0, 90.0, 30.0), np.arange(20.0, 360.0, 40.0) / 3


@pytest.mark.parametrize(
    ("lat", "lon", "names", "error"),
    [
        (LAT[::-1], LON, "ab", GridError),
        (LAT, LON - 180, "ab", GridError),
        (LAT, LON, "ba", InputError),
    ],
    ids=["rows", "columns", "members"],
)
def test_bad_input_files_of_one_shape_and_different_places(
    tmp_path: Path, lat: np.ndarray, lon: np.ndarray, names: str, error: type[HpcBudgetError]
) -> None:
    on_grid(tmp_path / "0.nc", LAT, LON)
    on_grid(tmp_path / "1.nc", lat, lon, names)
    with pytest.raises(error, match="is not that of the first file"):
        ingest([str(tmp_path / "*.nc")], tmp_path / "all.zarr")
    assert not (tmp_path / "all.zarr").exists()


def test_rounded_coordinates_are_the_same_and_other_fields_are_named(tmp_path: Path) -> None:
    on_grid(tmp_path / "0.nc", LAT, LON)
    on_grid(tmp_path / "1.nc", LAT.astype("f4"), LON.astype("f4"), mask=0.5)
    report = ingest([str(tmp_path / "*.nc")], tmp_path / "all.zarr")
    assert report.notes == ("mask: differs between files, that of the first is kept",)
    assert (zarr.open_group(tmp_path / "all.zarr", mode="r")["mask"][:] == 1.0).all()
