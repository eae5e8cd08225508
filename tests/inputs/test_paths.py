"""Paths, globs, tables of files and URLs lead to the files that are meant, or say why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hpcbudget.errors import HpcBudgetError, InputError
from hpcbudget.inputs.catalogue import Catalogue
from hpcbudget.inputs.ingest import ingest
from hpcbudget.inputs.paths import find_files

FLUX = "flux: {sign: to_atmosphere, area_basis: cell}, components: {land: nbp}"
TABLE = """model,variable,path
A,nbp,data/a.nc
B,nbp,data/b.nc
B,fgco2,data/c.nc
"""


@pytest.fixture
def folder(tmp_path: Path, netcdf: Callable[..., Path]) -> Path:
    (tmp_path / "data").mkdir()
    for name in "abc":
        netcdf(tmp_path / f"data/{name}.nc")
    (tmp_path / "files.csv").write_text(TABLE)
    (tmp_path / "esm.json").write_text(
        json.dumps({"catalog_file": "files.csv", "assets": {"column_name": "path"}})
    )
    return tmp_path


def test_globs_are_sorted(folder: Path) -> None:
    assert [Path(p).name for p in find_files(["data/*.nc"], folder, "x")] == [
        "a.nc",
        "b.nc",
        "c.nc",
    ]


def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        (tmp_path / f"run{number}_b.nc").touch()
    found = find_files(["run*.nc"], tmp_path, "x")
    assert [Path(p).name for p in found] == ["run1_b.nc", "run2_b.nc", "run10_b.nc"]


@pytest.mark.parametrize("table", ["files.csv", "esm.json"])
def test_rows_of_a_table(folder: Path, table: str) -> None:
    found = find_files([f"{table}[model=B, variable=nbp|npp]"], folder, "x")
    assert [Path(p).name for p in found] == ["b.nc"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("files.csv[modell=B]", "did you mean 'model'"),
        ("files.csv[model=C]", "model is one of A, B"),
        ("none.csv[model=C]", "table not found"),
        ("files.csv[model]", "asks for no column"),
        ("data/a.nc.csv[model=A]", "table not found"),
        ("nothing/*.nc", "does not exist"),
        ("data/d.nc", "did you mean"),
        ("file:///nowhere/a.nc", ""),
        ("nosuchprotocol://a/b.nc", "rotocol"),
        ("nosuchprotocol://a/b.zarr", "rotocol"),
    ],
)
def test_bad_input_paths(
    folder: Path, pattern: str, message: str, open_member: Callable[..., Catalogue]
) -> None:
    with pytest.raises(HpcBudgetError) as caught:
        open_member(f"{{paths: '{pattern}', {FLUX}}}")
    assert message in str(caught.value)
    assert caught.value.fix


def test_bad_input_table_without_paths(folder: Path) -> None:
    (folder / "files.csv").write_text("model,variable\nA,nbp\n")
    with pytest.raises(InputError, match="no column holds paths"):
        find_files(["files.csv[model=A]"], folder, "x")


def test_urls(
    folder: Path, open_member: Callable[..., Catalogue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPCBUDGET_CACHE", str(folder / "cache"))
    ingest([str(folder / "data/a.nc")], folder / "a.zarr")
    (near,) = open_member(f"{{paths: data/a.nc, {FLUX}}}").series
    for path in ("data/a.nc", "data/[a].nc", "a.zarr"):
        (far,) = open_member(f"{{paths: 'file://{folder}/{path}', {FLUX}}}").series
        np.testing.assert_array_equal(far.store.read(0, 12), near.store.read(0, 12))
        assert far.store.fingerprint(0, 12) == far.store.fingerprint(0, 12)
