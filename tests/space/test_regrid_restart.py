"""Regridding a store: kills, lost chunks, and the Climate Data Operators on the result."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from ensembles import write_member
from gridded import files_of, regridded

from hpcbudget.errors import MissingChunkError, RegridError
from hpcbudget.space.cf_write import grid_dataset
from hpcbudget.space.grid import Grid
from hpcbudget.space.regrid import regrid_store

CHILD = """
import os, signal, sys
from pathlib import Path
from hpcbudget.space import regrid
from hpcbudget.space.grid import Grid
from hpcbudget.space.weights import Weights

left, own = int(sys.argv[2]), Weights.apply
def counted(*arguments, **options):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return own(*arguments, **options)
Weights.apply = counted
regrid.STRETCH_BYTES = 8 * 5000
folder = Path(sys.argv[1])
regrid.regrid_store(folder / "m.zarr", Grid.regular(15.0), folder / "o.zarr", preserve="integral")
"""


@pytest.mark.parametrize("moment", [0, 1, 7])
def test_a_kill_leaves_nothing_visible_and_is_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    monkeypatch.setattr("hpcbudget.space.regrid.STRETCH_BYTES", 8 * 5000)
    write_member(tmp_path / "m.zarr", 3)
    grid = Grid.regular(15.0)
    regrid_store(tmp_path / "m.zarr", grid, tmp_path / "whole.zarr", preserve="integral")
    killed = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), str(moment)], capture_output=True, check=False
    )
    assert killed.returncode == -9, killed.stderr.decode()
    assert not (tmp_path / "o.zarr").exists()
    calls = []
    regrid_store(
        tmp_path / "m.zarr", grid, tmp_path / "o.zarr", preserve="integral",
        progress=lambda *facts: calls.append(facts),
    )  # fmt: skip
    assert files_of(tmp_path / "o.zarr") == files_of(tmp_path / "whole.zarr")
    assert calls[-1] == ("ocean", 24, 24)
    assert not list(tmp_path.glob(".*"))


def test_another_job_does_not_go_on_from_these_marks(tmp_path: Path) -> None:
    write_member(tmp_path / "m.zarr", 3)
    subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), "3"], capture_output=True, check=False
    )
    write_member(tmp_path / "m.zarr", 4)
    grid = Grid.regular(15.0)
    regrid_store(tmp_path / "m.zarr", grid, tmp_path / "o.zarr", preserve="mean")
    regrid_store(tmp_path / "m.zarr", grid, tmp_path / "whole.zarr", preserve="mean")
    assert files_of(tmp_path / "o.zarr") == files_of(tmp_path / "whole.zarr")


def test_lost_chunks_are_refused(tmp_path: Path) -> None:
    write_member(tmp_path / "m.zarr", 3)
    (tmp_path / "m.zarr" / "ocean" / "c" / "1" / "0" / "0").unlink()
    with pytest.raises(MissingChunkError, match="1 of 5 chunks are not stored"):
        regrid_store(tmp_path / "m.zarr", Grid.regular(15.0), tmp_path / "o.zarr", preserve="mean")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("preserve", ["integral", "mean"])
def test_values_are_those_of_plain_arrays_and_open_without_warnings(
    tmp_path: Path, preserve: str
) -> None:
    write_member(tmp_path / "m.zarr", 3)
    out = tmp_path / "o.zarr"
    regrid_store(tmp_path / "m.zarr", Grid.regular(15.0), out, preserve=preserve)  # type: ignore[arg-type]
    with xr.open_zarr(tmp_path / "m.zarr", consolidated=False, chunks=None) as old:
        land = old["land"].values.astype("f8")
    with xr.open_zarr(out, chunks=None) as new:
        found = new["land"].values
    for step in (0, 13, 23):
        expected = regridded(land[step], 12, 24, preserve)
        assert found[step] == pytest.approx(expected, rel=1e-12, abs=1e-22, nan_ok=True)


@pytest.mark.skipif(shutil.which("cdo") is None, reason="cdo absent (apt: cdo)")
def test_cdo_reads_the_result_and_finds_our_totals(tmp_path: Path) -> None:
    write_member(tmp_path / "m.zarr", 3)
    out = tmp_path / "o.zarr"
    regrid_store(
        tmp_path / "m.zarr", Grid.regular(12.0), out, preserve="integral", variables=["land"]
    )
    # Debian's CDO has no zarr v3: the same variables and attributes as NetCDF
    with xr.open_zarr(out, chunks=None) as new:
        new.drop_encoding().to_netcdf(tmp_path / "o.nc", engine="netcdf4")
        amounts = (new["land"] * new["cell_area"]).values
    command = ["cdo", "-s", "-L", "-b", "F64", "fldint", "-selname,land", "o.nc", "sum.nc"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    with xr.open_dataset(tmp_path / "sum.nc") as opened:
        totals = opened["land"].values.squeeze()
    size = np.nansum(np.abs(amounts), axis=(1, 2))
    assert np.abs(totals - np.nansum(amounts, axis=(1, 2))).max() < 1e-12 * size.max()
    shown = subprocess.run(
        ["cdo", "-s", "showdate", "o.nc"], cwd=tmp_path, capture_output=True, check=True, text=True
    ).stdout.split()
    assert (shown[0], shown[-1]) == ("2000-01-01", "2001-12-01")


@pytest.mark.parametrize("place", ["folder", "file", "itself", "inside"])
def test_bad_input_a_target_that_is_not_ours_stays_as_it_is(tmp_path: Path, place: str) -> None:
    source = tmp_path / "source.nc"
    grid = Grid.regular(30.0)
    values = ("lat", "lon"), np.ones(grid.shape), {"units": "kg m-2 s-1"}
    grid_dataset(grid).assign(flux=values).to_netcdf(source)
    out = {
        "folder": tmp_path / "precious",
        "file": tmp_path / "notes.txt",
        "itself": source,
        "inside": source / "x.zarr",
    }[place]
    if place == "folder":
        out.mkdir()
        (out / "thesis.txt").write_text("mine")
    elif place == "file":
        out.write_text("mine")
    before = source.read_bytes()
    with pytest.raises(RegridError, match=r"target exists|own source"):
        regrid_store(source, Grid.regular(45.0), out, preserve="integral")
    assert source.read_bytes() == before
    assert place != "folder" or (out / "thesis.txt").read_text() == "mine"
    assert place != "file" or out.read_text() == "mine"


@pytest.mark.parametrize("units", ["PgC/yr", "kg CO2 cell-1 month-1", "Pg C yr-1"])
def test_bad_input_amounts_per_cell_have_no_integral_over_area(tmp_path: Path, units: str) -> None:
    source = tmp_path / "source.nc"
    grid = Grid.regular(30.0)
    values = ("lat", "lon"), np.ones(grid.shape), {"units": units}
    grid_dataset(grid).assign(flux=values).to_netcdf(source)
    with pytest.raises(RegridError, match="amount per cell"):
        regrid_store(source, Grid.regular(45.0), tmp_path / "out.zarr", preserve="integral")
