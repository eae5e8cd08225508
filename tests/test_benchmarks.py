"""The peer comparisons run, on a tiny shape and with nobody looking at the clock."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from importlib.util import find_spec

import pytest

from hpcbudget.bench.pairs import PAIRS
from hpcbudget.bench.shapes import SHAPES


@pytest.fixture(scope="module")
def peers(repository):
    spec = importlib.util.spec_from_file_location("peers", repository / "benchmarks" / "peers.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["peers"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["peers"]


def test_problems_have_shapes_and_peers(peers):
    for problem in (peers.PROBLEMS | peers.ON_REQUEST).values():
        assert problem.shape in SHAPES or problem.shape in PAIRS
        assert problem.peers


def test_every_problem_meets_its_peers(peers, tmp_path):
    found = {}
    for name in peers.PROBLEMS:
        tiny = "TinyPair" if peers.PROBLEMS[name].shape in PAIRS else "Tiny"
        rows = peers.solve(name, shape=tiny, folder=tmp_path)
        found[name] = {peer for row in rows for peer in row["peers"]}
    installed = {"numpy.bincount", "scipy.sparse", "xarray.weighted"}
    installed |= {"flox"} if find_spec("flox") else set()
    assert installed <= found["IntegrateMonthly025x36zones"]
    assert "scipy.sparse" in found["RegridMonthly025"]
    if shutil.which("cdo"):
        assert {"cdo gencon", "cdo remap (files)"} <= found["WeightsOcean100to100"]
    if find_spec("flox"):
        assert "xarray+flox" in found["ReadMonthly025x36zones"]


def test_the_script_prints_its_table_and_keeps_its_rows(peers, tmp_path, capsys):
    kept = tmp_path / "peers.jsonl"
    name = "RegridMonthly100"
    peers.main([name, "--shape", "Tiny", "--json", str(kept)])
    peers.main([name, "--shape", "Tiny", "--compare", str(kept)])
    shown = capsys.readouterr().out
    assert shown.count("Tiny-separable") == 2
    assert "before" in shown
