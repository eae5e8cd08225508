"""Held against a real ESMF, which conda has: weights, weight files both ways, the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from esmf_cases import (
    PAIRS,
    displaced,
    esmf,
    lon_first,
    python_with_esmf,
    region,
    regrid_weight_gen,
    rotated,
    tripolar,
)
from scipy.sparse import csr_matrix

from hpcbudget.errors import BackendError, RegridError
from hpcbudget.kernels.sphere import polygon_areas
from hpcbudget.space.cf_write import grid_dataset
from hpcbudget.space.grid import Grid
from hpcbudget.space.named_grids import healpix
from hpcbudget.space.nodes import nodes
from hpcbudget.space.weight_files import read_weights, write_weights
from hpcbudget.space.weights import make_weights
from hpcbudget.space.xesmf_backend import PYTHON_VARIABLE, xesmf_weights

__all__ = ["esmf", "regrid_weight_gen"]  # fixtures
pytestmark = pytest.mark.esmf

AGREE = 1e-10
"""How far weights may lie apart; measured with ESMF 8.8.0: 1.2e-12 at most, 1e-13 usually."""


def matrix(weights):
    """Weights as files hold them, (destination, source)."""
    return csr_matrix(
        (weights.normalised, weights.table.indices, weights.table.indptr),
        shape=(weights.destination.size, weights.source.size),
    )


def apart(one, other) -> float:
    return float(abs(one - other).max())


# -- weights --------------------------------------------------------------------------------------

WEIGH = """
arrays = np.load(sys.argv[1])
answer = {}
for name in sorted({k.split("|")[0] for k in arrays.files}):
    grids = []
    for side in "sd":
        a = {k: arrays[f"{name}|{side}|{k}"] for k in ("lat", "lon", "lat_b", "lon_b", "mask")}
        grids.append(xr.Dataset(
            {"mask": (("y", "x"), a["mask"])} if (a["mask"] == 0).any() else {},
            coords={k: (("y", "x") if k in ("lat", "lon") else ("y_b", "x_b"), a[k])
                    for k in ("lat", "lon", "lat_b", "lon_b")}))
    for method in ("conservative", "conservative_normed"):
        data = xesmf.Regridder(*grids, method, ignore_degenerate=True).weights.data
        there = np.isfinite(data.data)
        answer |= {f"{name}|{method}|row": data.coords[0][there],
                   f"{name}|{method}|col": data.coords[1][there],
                   f"{name}|{method}|S": data.data[there]}
    for side, grid in zip("sd", grids):
        if "mask" not in grid:
            answer[f"{name}|area {side}"] = np.asarray(xesmf.util.cell_area(grid, 1.0)).ravel()
np.savez(sys.argv[2], **answer)
"""


@pytest.fixture(scope="session")
def theirs(esmf, tmp_path_factory):
    """What a real xESMF makes of all pairs, without any of our code around it."""
    folder = tmp_path_factory.mktemp("esmf")
    asked = {}
    for name, pair in PAIRS.items():
        for side, grid in zip("sd", pair(), strict=True):
            lat, lon = grid.centres()
            mesh = nodes(grid)
            asked |= {
                f"{name}|{side}|lat": lat.reshape(grid.shape),
                f"{name}|{side}|lon": lon.reshape(grid.shape),
                f"{name}|{side}|lat_b": mesh.lat_deg,
                f"{name}|{side}|lon_b": mesh.lon_deg,
                f"{name}|{side}|mask": mesh.there.astype(int),
            }
    np.savez(folder / "ask.npz", **asked)
    esmf(WEIGH, folder, "ask.npz", "answer.npz")
    with np.load(folder / "answer.npz") as answer:
        return dict(answer)


@pytest.mark.parametrize("method", ["conservative", "conservative_normed"])
@pytest.mark.parametrize("name", PAIRS)
def test_golden_weights_of_a_real_esmf(theirs, name, method):
    source, destination = PAIRS[name]()
    ours = make_weights(source, destination, method=method, edges="great_circles")
    row, col, data = (theirs[f"{name}|{method}|{k}"] for k in ("row", "col", "S"))
    found = csr_matrix((data, (row, col)), shape=(destination.size, source.size))
    assert apart(matrix(ours), found) < AGREE
    if method == "conservative":  # rows add up to the covered share
        covered = np.asarray(found.sum(axis=1)).ravel()
        np.testing.assert_allclose(ours.destination_fraction, covered, atol=AGREE)


@pytest.mark.parametrize("name", PAIRS)
def test_golden_areas_of_a_real_esmf(theirs, name):
    for side, grid in zip("sd", PAIRS[name](), strict=True):
        if f"{name}|area {side}" in theirs:
            area = polygon_areas(*map(np.ascontiguousarray, grid.corners()))
            np.testing.assert_allclose(theirs[f"{name}|area {side}"], area, rtol=2e-12)


@pytest.mark.parametrize(
    "name",
    [
        "displaced_pole_80x120_to_2x2",
        "gaussian_n48_to_2x2",
        "regular_1x1_to_gaussian_n32",
        "regular_2x2.5_to_1x1",
        "rotated_pole_0.88_to_1x1",
    ],
)
def test_golden_files_are_what_this_esmf_makes(esmf, shared_data, name):
    reference = np.load(shared_data / "esmf_golden" / f"{name}.npz")
    grids = []
    for side in ("src", "dst"):
        lat, lon = reference[f"{side}_lat_b"], reference[f"{side}_lon_b"]
        grids.append(Grid.boxes(lat, lon) if lat.ndim == 1 else Grid.curvilinear(lat, lon))
    weights = xesmf_weights(*grids)
    shape = (grids[1].size, grids[0].size)
    expected = csr_matrix((reference["S"], (reference["row"], reference["col"])), shape=shape)
    assert apart(matrix(weights), expected) < AGREE
    field = matrix(weights) @ reference["src_field"].ravel()
    np.testing.assert_allclose(field, reference["dst_field"].ravel(), atol=1e-9, rtol=0)


@pytest.mark.parametrize("method", ["conservative", "conservative_normed"])
@pytest.mark.parametrize("name", ["to Gaussian", "longitude first", "masked", "to masked"])
def test_the_backend_hands_back_what_esmf_says(theirs, name, method):
    source, destination = PAIRS[name]()
    weights = xesmf_weights(source, destination, method)
    row, col, data = (theirs[f"{name}|{method}|{k}"] for k in ("row", "col", "S"))
    found = csr_matrix((data, (row, col)), shape=(destination.size, source.size))
    assert apart(matrix(weights), found) < 1e-12
    assert weights.edges == "great_circles"


def smooth(grid: Grid):
    lat, lon = (np.radians(a) for a in grid.centres())
    return (np.cos(lat) * np.cos(lon) + 0.5 * np.sin(lat)).reshape(grid.shape)


@pytest.mark.parametrize(
    "source", [Grid.regular(5.0), lon_first(Grid.regular(5.0)), displaced(), tripolar(junk=np.nan)]
)
def test_weights_for_pictures(esmf, source):
    destination = Grid.regular(4.0)
    for method in ("bilinear", "nearest_s2d"):
        weights = xesmf_weights(source, destination, method)
        out = weights.apply(smooth(source), "mean").values
        there = np.isfinite(out)
        if source.area_m2().all():  # no seam where the columns meet
            assert there.all()
        if method == "bilinear":
            # ESMF fills the poles with the mean of the last row, of what is there of it
            there &= np.abs(destination.lat_deg)[:, None] < 70.0
            assert np.abs(out - smooth(destination))[there].max() < 0.03
        with pytest.raises(RegridError, match="do not keep totals"):
            weights.apply(smooth(source), "integral")


def test_nothing_outside_a_region_is_made_up(esmf):
    out = xesmf_weights(region(), Grid.regular(4.0), "bilinear").apply(smooth(region()), "mean")
    assert np.isnan(out.values).mean() > 0.9
    assert (out.valid_fraction[np.isnan(out.values)] == 0).all()


# -- two libraries --------------------------------------------------------------------------------


def test_the_child_loads_no_other_netcdf(esmf, tmp_path, monkeypatch):
    """Where ESMF's netCDF is another one, opening a file after it ends the process."""
    for name in ("netCDF4", "h5py", "h5netcdf"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('loaded beside ESMF')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert xesmf_weights(Grid.regular(30.0), Grid.regular(20.0)).source_fraction.min() > 0.999


def test_this_process_can_read_and_write_after_weights(esmf, tmp_path):
    weights = xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))
    write_weights(weights, tmp_path / "w.nc")
    again = read_weights(tmp_path / "w.nc")
    assert apart(matrix(again), matrix(weights)) < 1e-15
    assert not {"esmpy", "xesmf"} & set(sys.modules)


def test_bad_input_a_lost_esmf_is_named(esmf, tmp_path, monkeypatch):
    monkeypatch.setenv("ESMFMKFILE", str(tmp_path / "esmf.mk"))
    with pytest.raises(BackendError, match=r"esmf\.mk") as caught:
        xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))
    assert "ESMFMKFILE" in caught.value.why


# -- weight files of ESMF_RegridWeightGen ---------------------------------------------------------


def write_scrip(grid: Grid, path: Path, mask=None) -> Path:
    degrees = {"units": "degrees"}
    mask = grid.area_m2() > 0 if mask is None else mask
    lat, lon = grid.centres()
    corners = [np.nan_to_num(a) for a in grid.corners()]
    xr.Dataset(
        {
            "grid_dims": ("grid_rank", np.array(grid.shape[::-1], np.int32)),
            "grid_center_lat": ("grid_size", lat, degrees),
            "grid_center_lon": ("grid_size", lon, degrees),
            "grid_imask": ("grid_size", np.asarray(mask, np.int32)),
            "grid_corner_lat": (("grid_size", "grid_corners"), corners[0], degrees),
            "grid_corner_lon": (("grid_size", "grid_corners"), corners[1], degrees),
        }
    ).to_netcdf(path, engine="netcdf4", format="NETCDF3_64BIT")
    return path


def write_ugrid(grid: Grid, path: Path) -> Path:
    lat, lon = grid.corners()
    points = np.stack([lat.ravel(), lon.ravel() % 360.0], axis=1).round(10)
    points[np.abs(points[:, 0]) == 90.0, 1] = 0.0
    nodes_deg, number = np.unique(points, axis=0, return_inverse=True)
    faces = np.full(lat.shape, -1, np.int32)
    for face, corners in zip(faces, number.reshape(lat.shape), strict=True):
        own = list(dict.fromkeys(corners))
        face[: len(own)] = own
    mesh = {
        "cf_role": "mesh_topology",
        "topology_dimension": 2,
        "node_coordinates": "node_lon node_lat",
        "face_node_connectivity": "faces",
        "face_coordinates": "face_lon face_lat",
    }
    north = {"standard_name": "latitude", "units": "degrees_north"}
    east = {"standard_name": "longitude", "units": "degrees_east"}
    faces_of = {"cf_role": "face_node_connectivity", "start_index": np.int32(0)}
    centre_lat, centre_lon = grid.centres()
    xr.Dataset(
        {
            "mesh": ((), np.int32(0), mesh),
            "faces": (("face", "corner"), faces, {**faces_of, "_FillValue": np.int32(-1)}),
            "node_lat": ("node", nodes_deg[:, 0], north),
            "node_lon": ("node", nodes_deg[:, 1], east),
            "face_lat": ("face", centre_lat, north),
            "face_lon": ("face", centre_lon, east),
        }
    ).to_netcdf(path, engine="netcdf4", format="NETCDF3_64BIT")
    return path


def write_cf(grid: Grid, path: Path) -> Path:
    grid_dataset(grid).to_netcdf(path, engine="netcdf4")
    return path


REGIONAL = ("--src_regional",)
FILES = {
    "SCRIP": (write_scrip, Grid.regular(5.0), ("-t", "SCRIP")),
    "SCRIP tripolar": (write_scrip, tripolar(), ("-t", "SCRIP")),
    "SCRIP unstructured": (write_scrip, healpix(4), ("-t", "SCRIP")),
    "SCRIP regional": (write_scrip, rotated(), ("-t", "SCRIP", *REGIONAL)),
    "CF": (write_cf, Grid.regular(5.0), ("-t", "CFGRID")),
    "CF regional": (write_cf, rotated(), ("-t", "CFGRID", *REGIONAL)),
    "UGRID": (write_ugrid, rotated(), ("-t", "UGRID")),
}


@pytest.mark.parametrize("norm", ["dstarea", "fracarea"])
@pytest.mark.parametrize("name", FILES)
def test_golden_files_of_regrid_weight_gen(regrid_weight_gen, tmp_path, name, norm):
    write, source, options = FILES[name]
    destination = Grid.gaussian(16)
    paths = [write(g, tmp_path / f"{i}.nc") for i, g in enumerate((source, destination))]
    if not regrid_weight_gen(
        *paths, tmp_path / "w.nc", "-m", "conserve", "--norm_type", norm, *options
    ):
        pytest.skip("this ESMF is built without what it reads such files with")
    method = "conservative" if norm == "dstarea" else "conservative_normed"
    ours = make_weights(source, destination, method=method, edges="great_circles")
    alone = read_weights(tmp_path / "w.nc")
    given = read_weights(tmp_path / "w.nc", source=source, destination=destination)
    for read in (alone, given):
        assert read.method == method
        assert apart(matrix(read), matrix(ours)) < AGREE
        there = source.area_m2() > 0
        np.testing.assert_allclose(read.source_area[there], ours.source_area[there], rtol=1e-9)
        values = np.random.default_rng(0).normal(size=source.shape)
        values[~there.reshape(source.shape)] = np.nan
        kept = read.apply(values, "integral").values
        before, after = read.totals(np.nan_to_num(values), kept)
        scale = float(np.abs(np.nan_to_num(values)).ravel() @ source.area_m2(1.0))
        assert abs(after - before)[0] < 1e-12 * scale
        # and over the areas that ESMF wrote down, without our scaling to the cells' own
        shares = matrix(read) if norm == "dstarea" else matrix(read).multiply(
            read.destination_fraction[:, None]
        )  # fmt: skip
        by_esmf = read.destination_area @ (shares @ np.nan_to_num(values).ravel())
        total = float(
            (np.nan_to_num(values).ravel() * read.source_area * read.source_fraction).sum()
        )
        assert abs(by_esmf - total) < 1e-12 * scale


def test_golden_files_of_a_masked_grid(regrid_weight_gen, tmp_path):
    """Land is masked, its corners are true; our grid has lost them, as in model output."""
    source, lost, destination = tripolar(), tripolar(junk=np.nan), Grid.regular(4.0)
    paths = tmp_path / "0.nc", write_scrip(destination, tmp_path / "1.nc")
    write_scrip(source, paths[0], mask=lost.area_m2() > 0)
    regrid_weight_gen(*paths, tmp_path / "w.nc", "-m", "conserve", "-t", "SCRIP")
    read = read_weights(tmp_path / "w.nc", source=source, destination=destination)
    assert apart(matrix(read), matrix(make_weights(lost, destination))) < AGREE


def test_bad_input_masked_cells_whose_corners_are_junk(regrid_weight_gen, tmp_path):
    """ESMF takes the corners that neighbours share from either of them, and so from the junk."""
    pair = tripolar(junk=0.0), Grid.regular(4.0)
    paths = [write_scrip(g, tmp_path / f"{i}.nc") for i, g in enumerate(pair)]
    regrid_weight_gen(*paths, tmp_path / "w.nc", "-m", "conserve", "-t", "SCRIP")
    with pytest.raises(RegridError, match="do not fit their corners"):
        read_weights(tmp_path / "w.nc")


@pytest.mark.parametrize("method", ["bilinear", "neareststod"])
def test_files_for_pictures(regrid_weight_gen, tmp_path, method):
    source, destination = Grid.regular(5.0), Grid.regular(4.0)
    paths = [write_scrip(g, tmp_path / f"{i}.nc") for i, g in enumerate((source, destination))]
    regrid_weight_gen(*paths, tmp_path / "w.nc", "-m", method, "-p", "none")
    weights = read_weights(tmp_path / "w.nc", source=source, destination=destination)
    assert weights.method == {"neareststod": "nearest_s2d"}.get(method, method)
    out = weights.apply(smooth(source), "mean").values
    np.testing.assert_allclose(out[3:-3], smooth(destination)[3:-3], atol=0.12)


def test_bad_input_a_region_that_esmf_closed_round_the_earth(regrid_weight_gen, tmp_path):
    """Without --src_regional ESMF joins the last column to the first: its weights are nonsense."""
    paths = [write_scrip(g, tmp_path / f"{g.size}.nc") for g in (rotated(), Grid.regular(5.0))]
    regrid_weight_gen(*paths, tmp_path / "w.nc", "-m", "conserve")
    with pytest.raises(RegridError, match="do not fit their corners") as caught:
        read_weights(tmp_path / "w.nc")
    assert "--src_regional" in caught.value.fix


# -- our weight files in xESMF --------------------------------------------------------------------

USE = """
ds = [
    xr.Dataset(coords={k: ((k[4:] + "y", k[4:] + "x"), v) for k, v in np.load(f).items()})
    for f in sys.argv[1:3]
]
values = np.load(sys.argv[3])
regridder = xesmf.Regridder(*ds, "conservative", weights=sys.argv[4])
out = regridder(xr.DataArray(values, dims=("time", "y", "x")))
np.save(sys.argv[5], out.values)
"""


@pytest.mark.parametrize("method", ["conservative", "conservative_normed"])
@pytest.mark.parametrize("name", ["regular", "rotated", "tripolar"])
def test_our_files_give_the_same_field_in_xesmf(esmf, tmp_path, name, method):
    pair = PAIRS[name]()
    weights = make_weights(*pair, method=method)
    write_weights(weights, tmp_path / "w.nc")
    for i, grid in enumerate(pair):
        lat, lon = (a.reshape(grid.shape) for a in grid.centres())
        mesh = nodes(grid)
        corners = {"lat_b": mesh.lat_deg, "lon_b": mesh.lon_deg}
        np.savez(tmp_path / f"{i}.npz", lat=lat, lon=lon, **corners)
    values = np.random.default_rng(0).normal(size=(3, *pair[0].shape))
    np.save(tmp_path / "v.npy", values)
    esmf(USE, tmp_path, "0.npz", "1.npz", "v.npy", "w.nc", "o.npy")
    found = np.load(tmp_path / "o.npy")
    ours = (matrix(weights) @ values.reshape(3, -1).T).T.reshape(found.shape)
    np.testing.assert_allclose(found, ours, atol=1e-13)
    if method == "conservative_normed":  # a mean of what is there, as `preserve mean` gives
        mean = weights.apply(values, "mean")
        there = mean.valid_fraction > 0
        np.testing.assert_allclose(found[there], mean.values[there], atol=1e-12)


# -- the command line -----------------------------------------------------------------------------


def command(*arguments: object, cache: Path, **environment: str):
    return subprocess.run(
        [sys.executable, "-m", "hpcbudget.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HPCBUDGET_CACHE": str(cache), **environment},
    )


@pytest.fixture
def store(tmp_path):
    """Three steps of a field on a tripolar grid that misses a continent at the second step."""
    grid = tripolar()
    values = np.random.default_rng(1).normal(size=(3, *grid.shape))
    values[1, 10:25, 20:40] = np.nan
    ds = grid_dataset(grid).drop_vars("cell_area")
    ds["flux"] = ("time", "y", "x"), values, {"units": "kg m-2 s-1", "coordinates": "lat lon"}
    ds.to_netcdf(tmp_path / "in.nc", engine="netcdf4")
    return tmp_path / "in.nc", grid, values


def test_regrid_through_the_command_line(esmf, store, tmp_path):
    path, grid, values = store
    done = command(
        "regrid", path, "--to", "4", "-o", tmp_path / "i.zarr", "--preserve", "integral",
        "--backend", "xesmf", "--json", cache=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)["variables"]
    assert report["total_change"] < 1e-12
    area = Grid.regular(4.0).area_m2().reshape(45, 90)
    with xr.open_zarr(tmp_path / "i.zarr", consolidated=False, chunks=None) as ds:
        flux, share = ds["flux"].values, ds["flux_valid_fraction"].values
    before = np.nansum(values * grid.area_m2().reshape(grid.shape), axis=(1, 2))
    after = np.nansum(flux * area, axis=(1, 2))
    scale = np.nansum(np.abs(values) * grid.area_m2().reshape(grid.shape), axis=(1, 2))
    np.testing.assert_array_less(np.abs(after - before), 1e-12 * scale)
    # missing is never zero
    lost = share[1] == 0
    assert lost.sum() > (share[0] == 0).sum()
    np.testing.assert_array_equal(np.isnan(flux), share == 0)
    native = make_weights(grid, Grid.regular(4.0)).apply(values, "integral")
    np.testing.assert_allclose(flux, native.values, atol=1e-10)
    np.testing.assert_allclose(share, native.valid_fraction, atol=1e-10)

    done = command(
        "regrid", path, "--to", "4", "-o", tmp_path / "m.zarr", "--preserve", "mean",
        "--backend", "xesmf", "--min-valid", "0.5", cache=tmp_path, ESMFMKFILE="/no/longer",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr  # weights are in the cache
    with xr.open_zarr(tmp_path / "m.zarr", consolidated=False, chunks=None) as ds:
        mean = make_weights(grid, Grid.regular(4.0)).apply(values, "mean", min_valid=0.5)
        np.testing.assert_allclose(ds["flux"].values, mean.values, atol=1e-10)


def test_weights_through_the_command_line(esmf, store, tmp_path):
    path, grid, values = store
    for method in ("conservative_normed", "bilinear", "nearest_s2d"):
        file, out = tmp_path / f"{method}.nc", tmp_path / f"{method}.zarr"
        arguments = (path, 4, "-o", file, "--method", method, "--backend", "xesmf")
        assert command("weights", *arguments, cache=tmp_path).returncode == 0
        preserve = ("--preserve", "mean", "--weights", file)
        done = command("regrid", path, "--to", 4, "-o", out, *preserve, cache=tmp_path)
        assert done.returncode == 0, done.stderr
        with xr.open_zarr(out, consolidated=False, chunks=None) as ds:
            found = ds["flux"].values
        expected = xesmf_weights(grid, Grid.regular(4.0), method).apply(values, "mean").values
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_bad_input_on_the_command_line(esmf, store, tmp_path):
    path, _, _ = store
    arguments = ("weights", path, "4", "-o", tmp_path / "w.nc", "--backend", "xesmf")
    done = command(*arguments, cache=tmp_path, ESMFMKFILE=str(tmp_path / "none.mk"))
    assert done.returncode == 2
    assert re.search("ESMFMKFILE", done.stderr)
    assert "conda install" in done.stderr
    assert "Traceback" not in done.stderr
    gone = {PYTHON_VARIABLE: str(tmp_path / "python")}
    assert command(*arguments, cache=tmp_path, **gone).returncode == 2
    done = command(
        "weights", "hp4", "4", "-o", tmp_path / "w.nc", "--backend", "xesmf", cache=tmp_path
    )
    assert done.returncode == 3
    assert "--backend native" in done.stderr
    done = command(*arguments, "--edges", "parallels", cache=tmp_path)
    assert done.returncode == 2
    assert not (tmp_path / "w.nc").exists()


def test_another_environment_may_have_esmf(esmf, tmp_path, monkeypatch):
    monkeypatch.setenv(PYTHON_VARIABLE, str(python_with_esmf()))
    weights = xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))
    ours = make_weights(Grid.regular(30.0), Grid.regular(20.0), edges="great_circles")
    assert apart(matrix(weights), matrix(ours)) < AGREE
