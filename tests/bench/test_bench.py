"""The suites on a tiny shape, timing off: they run, and what they compare is the same quantity."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import xarray as xr
from esmf_cases import esmf

from hpcbudget import bench
from hpcbudget.bench import peers
from hpcbudget.bench.kernel_speed import joined_sets
from hpcbudget.bench.measure import side_by_side
from hpcbudget.bench.pairs import Pair, TinyPair, displaced_pole
from hpcbudget.bench.regrid_speed import measure_pair
from hpcbudget.bench.regridders import regridders
from hpcbudget.bench.shapes import EARTH_RADIUS_M, Monthly100x36zones, Tiny
from hpcbudget.errors import ConfigError
from hpcbudget.kernels.integrate import integrate, make_runs
from hpcbudget.space.grid import Grid
from hpcbudget.space.weights import make_weights

__all__ = ["esmf"]  # a fixture

FIELDS = {
    "bench",
    "name",
    "gb_per_s",
    "limit_gb_per_s",
    "ratio_to_limit",
    "limit",
    "peers",
    "details",
    "versions",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bench")


@pytest.mark.parametrize("which", bench.BENCHES)
def test_suite_runs_and_says_what_it_measured(which, folder):
    rows = bench.run(which, shape="Tiny", folder=folder, workers=1)
    assert rows
    for row in rows:
        assert set(row) == FIELDS
        assert row["bench"] == which
        assert row["ratio_to_limit"] == pytest.approx(row["gb_per_s"] / row["limit_gb_per_s"])
        assert all(ratio > 0 for ratio in row["peers"].values())
    assert len({row["name"] for row in rows}) == len(rows)


@pytest.mark.parametrize("name", list(peers.integrators()))
def test_peers_find_our_totals(name):
    values, labels, area = Tiny.values(), Tiny.labels(), Tiny.area_m2()
    runs = make_runs(labels, area, area, Tiny.n_zones, Tiny.n_lon)
    theirs = peers.integrators()[name](values, labels, area, Tiny.n_zones)
    np.testing.assert_allclose(integrate(values, runs)[0], theirs, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize("pair", [TinyPair, Pair("Boxes", *(lambda: Grid.regular(30.0),) * 2, 2)])
def test_pairs_of_grids_are_weighed_and_applied(pair):
    rows = list(measure_pair(pair, rounds=1))
    making = [row for row in rows if row.name.endswith("-weights")]
    boxes = pair is not TinyPair
    assert len(making) == len(rows) - len(making) == 1 + boxes
    for row in making:
        assert row.details["seconds_ours"] > 0
        assert row.details["weights"] >= 72


@pytest.mark.skipif(shutil.which("cdo") is None, reason="cdo is not installed")
def test_cdo_regrids_to_our_field(tmp_path):
    weights = make_weights(Grid.regular(10.0), Grid.regular(15.0))
    values = np.random.default_rng(0).normal(size=(2, 648)).astype("f4")
    with regridders(weights, values, tmp_path) as found:
        for which in ("weights", "apply"):
            (name,) = (name for name in found[which] if name.startswith("cdo"))
            assert found[which][name]() > 0
    with xr.open_dataset(tmp_path / "cdo-out.nc", engine="netcdf4") as out:
        ours = weights.apply(values.reshape(2, 18, 36), "mean").values
        np.testing.assert_allclose(out["flux"].values, ours, atol=1e-6)


@pytest.mark.esmf
def test_xesmf_regrids_to_our_field(esmf, tmp_path):
    weights = make_weights(displaced_pole(20, 30), Grid.regular(15.0))
    values = np.random.default_rng(0).normal(size=(2, 600)).astype("f4")
    with regridders(weights, values, tmp_path) as found:
        assert found["weights"]["xesmf"]() > 0
        assert found["apply"]["xesmf"]() > 0


def test_a_broken_xesmf_is_no_peer(tmp_path, monkeypatch):
    monkeypatch.setenv("HPCBUDGET_ESMF_PYTHON", "/bin/false")
    weights = make_weights(Grid.regular(30.0), Grid.regular(45.0))
    with regridders(weights, np.zeros((1, 72), "f4"), tmp_path) as found:
        assert "xesmf" not in found["weights"] | found["apply"]
        assert found["apply"]["scipy.sparse"]() >= 0
    monkeypatch.setenv("HPCBUDGET_ESMF_PYTHON", str(tmp_path / "none"))
    with regridders(weights, np.zeros((1, 72), "f4"), tmp_path) as found:
        assert "xesmf" not in found["apply"]


def test_shapes_are_planets():
    shape = Monthly100x36zones
    assert shape.area_m2().sum() == pytest.approx(4 * np.pi * EARTH_RADIUS_M**2)
    assert shape.ocean().mean() == pytest.approx(0.7, abs=0.01)
    assert np.array_equal(np.unique(shape.labels()), np.arange(36))
    assert np.isnan(shape.smooth_values()[0]).mean() == pytest.approx(0.7, abs=0.01)


def test_joined_sets_know_each_set():
    zones, n_zones = joined_sets(Tiny, 4)
    assert zones.max() + 1 == n_zones
    first = [np.unique(Tiny.labels()[zones == zone]) for zone in range(n_zones)]
    assert all(len(region) == 1 for region in first)


def test_works_take_turns():
    calls: list[str] = []
    side_by_side({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2)
    assert calls == ["a", "b"] * 3


def test_results_are_kept_and_compared(tmp_path):
    rows = bench.run("regrid", shape="Tiny")
    bench.save(rows, tmp_path / "before.jsonl")
    again = bench.load(tmp_path / "before.jsonl")
    assert again == rows
    compared = bench.compare(rows, again[:1])
    assert compared[0]["before"] == rows[0]["ratio_to_limit"]
    assert compared[1]["before"] is None
    assert "before" in bench.table(compared).splitlines()[0]
    assert "before" not in bench.table(rows).splitlines()[0]


def test_bad_input_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no bench 'kernel'"):
        bench.run("kernel")
    with pytest.raises(ConfigError, match="pair of grids"):
        bench.run("kernels", shape="TinyPair")
    with pytest.raises(ConfigError, match="no shape"):
        bench.run("kernels", shape="Monthly")
    (tmp_path / "other.json").write_text('{"a": 1}\n')
    with pytest.raises(ConfigError, match="no result of an earlier bench"):
        bench.load(tmp_path / "other.json")


@pytest.mark.skipif(shutil.which("cdo") is None, reason="cdo is not installed")
def test_cdo_finds_the_sum_of_a_field(folder, tmp_path):
    import subprocess

    import netCDF4

    from hpcbudget.bench.stores import VARIABLE, write_stores

    stores = write_stores(Tiny, folder)
    target = tmp_path / "sum.nc"
    subprocess.run(["cdo", "-s", "-fldsum", str(stores["netcdf"]), str(target)], check=True)
    with netCDF4.Dataset(target) as found:
        theirs = np.asarray(found[VARIABLE][:]).ravel()
    ours = np.nansum(Tiny.smooth_values().astype(float), axis=(1, 2))
    np.testing.assert_allclose(theirs, ours, rtol=1e-4)
