"""Fluxes on a UGRID mesh or on HEALPix cells need nothing in the configuration but their paths."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from hpcbudget.cli import main
from hpcbudget.space.grid import Grid
from hpcbudget.space.named_grids import healpix

Command = Callable[..., tuple[int, str]]
EARTH_M2 = 4 * np.pi * 6371e3**2
PGC_YR = 1e-10 * EARTH_M2 * 365 * 86400 * 1e-12  # of 1e-10 kg C m-2 s-1 everywhere
TIME = ("time", np.arange(12) * 30.4 + 15.0, {"units": "days since 2001-01-01"})


@pytest.fixture
def hpcbudget(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command line in this process."""
    monkeypatch.delenv("HPCBUDGET_DATA", raising=False)

    def command(*arguments: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["hpcbudget", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out + captured.err

    return command


def mesh() -> xr.Dataset:
    """Cells of 10 degrees as a mesh, triangles at the poles; numbers begin with 1."""
    lat, lon = np.arange(-90, 91, 10.0), np.arange(0, 360, 10.0)
    node = np.tile(np.arange(36), (19, 1)) + 36 * np.arange(19)[:, None]
    node[[0, -1]] = node[[0, -1], :1]
    around = np.roll(node, -1, axis=1)
    faces = np.stack([node[:-1], around[:-1], around[1:], node[1:]], axis=-1).reshape(-1, 4) + 1
    faces[:36, 1], faces[-36:, 3] = -1, -1  # a pole is one node
    return xr.Dataset(
        {
            "mesh2d": ((), np.int32(0), {
                "cf_role": "mesh_topology", "topology_dimension": 2,
                "node_coordinates": "node_lon node_lat", "face_node_connectivity": "face_nodes"}),
            "face_nodes": (("face", "corner"), faces.astype(np.int32), {
                "cf_role": "face_node_connectivity", "start_index": 1, "_FillValue": np.int32(-1)}),
            "node_lon": ("node", np.tile(lon, 19), {"standard_name": "longitude"}),
            "node_lat": ("node", np.repeat(lat, 36), {"standard_name": "latitude"}),
        }
    )  # fmt: skip


def flux(cells: int, dim: str, **attrs: str) -> xr.Dataset:
    values = np.full((12, cells), 1e-10)
    attrs = {"units": "kg C m-2 s-1", **attrs}
    return xr.Dataset({"nbp": (("time", dim), values, attrs), "time": TIME})


def on_mesh(location: str = "face") -> xr.Dataset:
    ds = mesh()
    return ds.merge(flux(ds.sizes[location], location, mesh="mesh2d", location=location))


def on_healpix(mapping: dict[str, Any], attribute: str = "crs") -> xr.Dataset:
    ds = flux(192, "cell", grid_mapping=attribute)
    ds["crs"] = ((), np.int32(0), {"grid_mapping_name": "healpix", **mapping})
    return ds


def numbered(index: np.ndarray) -> xr.Dataset:
    ds = on_healpix({"refinement_level": 2, "indexing_scheme": "nested"}).isel(cell=index)
    ds["number"] = ("cell", index, {"standard_name": "healpix_index"})
    return ds


FIELDS: dict[str, Callable[[], xr.Dataset]] = {
    "mesh": on_mesh,
    "cf": lambda: on_healpix({"refinement_level": 2, "indexing_scheme": "ring"}),
    "older": lambda: on_healpix({"healpix_nside": 4, "healpix_order": "nest"}, "crs: cell"),
    "numbered": lambda: numbered(np.random.default_rng(3).permutation(192)),
}


def configure(folder: Path, path: str, more: str = "") -> Path:
    config = folder / "config.yaml"
    config.write_text(
        f"name: m\nregions: [gcb_bands, reccap2]\nensembles:\n- family: land_process\n  members:\n"
        f"    M: {{paths: {path}, components: {{land: nbp}}, {more}"
        "flux: {sign: to_surface, species: C, area_basis: cell}}\n"
    )
    return config


@pytest.mark.parametrize("name", FIELDS)
def test_they_are_checked_as_they_are_and_as_a_store(
    name: str, tmp_path: Path, hpcbudget: Command
) -> None:
    ds = FIELDS[name]()
    ds.to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    assert hpcbudget("ingest", tmp_path / "a.nc", tmp_path / "a.zarr")[0] == 0
    held = json.loads((tmp_path / "a.zarr" / "nbp" / "zarr.json").read_text())
    assert held["chunk_grid"]["configuration"]["chunk_shape"] == list(ds.nbp.shape)
    ds.to_zarr(tmp_path / "b.zarr", zarr_format=2)
    for path in ("a.nc", "a.zarr", "b.zarr"):
        status, text = hpcbudget("check", configure(tmp_path, path))
        assert status == 0, text
        assert f"unstructured, {ds.nbp.shape[1]}" in text
        assert "no problems" in text


def results(out: Path) -> dict[str, float]:
    with (out / "tables" / "annual.csv").open() as file:
        return {row["region"]: float(row["flux_pgc_yr"]) for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", ["mesh", "numbered"])
def test_their_budget_closes_and_is_exact(name: str, tmp_path: Path, hpcbudget: Command) -> None:
    FIELDS[name]().to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    config = configure(tmp_path, "a.nc")
    status, text = hpcbudget("run", config, "--out", tmp_path / "out", "--workers", "1")
    assert status == 0, text
    found = results(tmp_path / "out")
    assert found["Globe"] == pytest.approx(-PGC_YR, rel=1e-12)
    bands = [found[band] for band in ("North", "Tropics", "South")]
    # edges of cells are no parallels, and do not cut the bands exactly
    np.testing.assert_allclose(bands, np.array([-0.25, -0.5, -0.25]) * PGC_YR, rtol=1e-3)
    assert sum(bands) == pytest.approx(-PGC_YR, rel=1e-12)
    assert found["Africa"] == pytest.approx(-PGC_YR * 30.17 / 510.06, rel=1e-3)


def test_a_part_of_the_healpix_cells_keeps_its_area(tmp_path: Path, hpcbudget: Command) -> None:
    index = np.arange(0, 192, 4)
    numbered(index).to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    (tmp_path / "elsewhere").mkdir()
    config = configure(tmp_path / "elsewhere", "../a.nc")
    assert hpcbudget("run", config, "--out", tmp_path / "out", "--workers", "1")[0] == 0
    assert results(tmp_path / "out")["Globe"] == pytest.approx(-PGC_YR / 4, rel=1e-12)


def test_corners_lie_where_the_configuration_says(
    tmp_path: Path, hpcbudget: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the data and not where the command is typed: the mesh of a flux without one."""
    (tmp_path / "data").mkdir()
    (tmp_path / "typed").mkdir()
    monkeypatch.chdir(tmp_path / "typed")
    mesh().to_netcdf(tmp_path / "data" / "grid.nc", engine="netcdf4")
    flux(648, "face", mesh="mesh2d").to_netcdf(tmp_path / "data" / "a.nc", engine="netcdf4")
    config = configure(tmp_path, "data/a.nc")
    status, text = hpcbudget("check", config)
    assert status == 3
    assert "nor its mesh mesh2d" in text or "neither time nor space" in text
    corners = "grid: {corners: {paths: data/grid.nc, variable: mesh2d}}, "
    config = configure(tmp_path, "data/a.nc", corners)
    assert hpcbudget("run", config, "--out", tmp_path / "out", "--workers", "1")[0] == 0
    assert results(tmp_path / "out")["Globe"] == pytest.approx(-PGC_YR, rel=1e-12)


BAD: dict[str, tuple[Callable[[], xr.Dataset], str]] = {
    "nodes": (lambda: on_mesh("node"), "on the nodes of mesh mesh2d"),
    "scheme": (
        lambda: on_healpix({"refinement_level": 2, "indexing_scheme": "nuniq"}),
        "numbers HEALPix cells by 'nuniq'",
    ),
    "size": (lambda: on_healpix({}), "neither refinement_level nor healpix_nside"),
    "count": (lambda: on_healpix({"healpix_nside": 8}), "768 cells"),
    "twice": (lambda: numbered(np.r_[0, 0:191]), "names a HEALPix cell twice"),
    "no_nodes": (lambda: on_mesh().drop_vars("node_lat"), "not in the file: node_lat"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_its_reason(
    name: str, tmp_path: Path, hpcbudget: Command
) -> None:
    make, said = BAD[name]
    make().to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    status, text = hpcbudget("check", configure(tmp_path, "a.nc"))
    assert status == 3
    assert said in text
    assert "a.nc" in text


@pytest.mark.parametrize("text", ["spam", "0.7", "n0", "hp3", "1x7", "none.nc"])
def test_bad_input_for_a_grid_is_a_slip_on_the_command_line(
    text: str, tmp_path: Path, hpcbudget: Command
) -> None:
    flux(3, "cell").to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    out = tmp_path / "w.nc"
    assert hpcbudget("weights", text, "30", "-o", out)[0] == 2
    assert hpcbudget("weights", "30", text, "-o", out)[0] == 2
    store = ("regrid", tmp_path / "a.nc", "--to", text, "--preserve", "mean")
    assert hpcbudget(*store, "-o", tmp_path / "b.zarr")[0] == 2
    # a file that is there and has no grid is another matter
    assert hpcbudget("weights", tmp_path / "a.nc", "30", "-o", out)[0] == 3
    assert not out.exists()


def test_healpix_cells_are_regridded_without_loss(tmp_path: Path, hpcbudget: Command) -> None:
    ds = on_healpix({"healpix_nside": 4, "healpix_order": "ring"})
    values = np.random.default_rng(1).normal(0, 1e-10, 192)
    ds.nbp[:] = values
    ds.to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    made = tmp_path / "b.zarr"
    options = ("--to", "6", "-o", made, "--preserve", "integral", "--json")
    status, text = hpcbudget("regrid", tmp_path / "a.nc", *options)
    assert status == 0
    (told,) = json.loads(text[text.index("{") :])["variables"]
    assert told["total_change"] < 1e-12
    assert told["missing"] == 0
    with xr.open_zarr(made, chunks=None) as ds:
        found = ds.nbp.isel(time=0).values
    total = (healpix(4, "ring").area_m2() * values).sum()
    # boxes are bounded by great circles there: 6 degrees are 0.2 % of their area at most
    scale = (Grid.regular(6.0).area_m2() * np.abs(found).ravel()).sum()
    assert (Grid.regular(6.0).area_m2() * found.ravel()).sum() == pytest.approx(
        total, abs=2e-3 * scale
    )
