"""The rooms import one way, and the heavy libraries stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "hpcbudget"

# a room may import from itself and from those before it
LAYERS = [
    {"_version", "errors", "kernels"},
    {"files", "options", "config", "processes"},
    {"space"},
    {"inputs"},
    {"engine", "science"},
    {"maps"},
    {"report"},
    {"api", "workflow"},
    {"bench"},
    {"cli", "__init__"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_room_has_a_layer() -> None:
    assert {room_of(path) for path in MODULES} <= set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    here = room_of(path)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "hpcbudget" or len(parts) < 2 or parts[1] not in LEVEL:
            continue
        there = parts[1]
        allowed = there == here or LEVEL[there] < LEVEL[here]
        assert allowed or {here, there} == {"options", "config"}, f"{here} imports {there}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    here = room_of(path)
    roots = {name.split(".")[0] for name in imported(path)}
    if here not in ("engine", "bench"):
        assert not roots & {"dask", "distributed", "dask_jobqueue"}
    if here != "report" and here != "cli":
        assert "matplotlib" not in roots or here == "space"
    if here == "kernels":
        assert not roots & {"xarray", "pydantic", "zarr"}
    assert not [n for n in imported(path) if n.startswith("hpcbudget.kernels.hpcbudget")]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_command_line_prints(path: Path) -> None:
    if room_of(path) == "cli":
        return
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not calls


def test_importing_the_package_is_light() -> None:
    heavy = ["dask", "distributed", "matplotlib", "numba", "shapely", "xesmf"]
    code = f"import hpcbudget, sys; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
