"""Pairs of grids that ESMF and we must agree on, and how a real ESMF is asked."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hpcbudget.space.grid import Grid
from hpcbudget.space.xesmf_backend import PYTHON_VARIABLE

# -- grids ----------------------------------------------------------------------------------------


def rotated(ny=40, nx=40, *, pole_lat=39.25, size=40.0, turn=0.0) -> Grid:
    """A regional grid with a rotated pole, `size` degrees wide."""
    side = np.radians(np.linspace(-size / 2, size / 2, nx + 1))
    lon, lat = np.meshgrid(side, np.radians(np.linspace(-size / 2, size / 2, ny + 1)))
    tilt = np.radians(90 - pole_lat)
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    x, z = x * np.cos(tilt) - z * np.sin(tilt), x * np.sin(tilt) + z * np.cos(tilt)
    return Grid.curvilinear(np.degrees(np.arcsin(z)), np.degrees(np.arctan2(y, x)) + turn)


def on_plane(z) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude of points of the stereographic plane, the north pole at 0."""
    return np.degrees(np.pi / 2 - 2 * np.arctan(np.abs(z))), np.degrees(np.angle(z))


def displaced(ny=40, nx=60) -> Grid:
    """A global ocean grid whose northern pole lies in Greenland; a cell holds the true pole."""
    lat, lon = np.meshgrid(
        np.radians(np.linspace(-78, 90, ny + 1)),
        np.radians(np.linspace(0, 360, nx + 1)),
        indexing="ij",
    )
    radius = np.tan(np.pi / 4 - lat / 2)
    pole = np.tan(np.radians(17.0) / 2) * np.exp(-1j * np.radians(40.0))
    return Grid.curvilinear(
        *on_plane(radius * np.exp(1j * lon) + pole * np.clip(1 - radius, 0, 1) ** 2)
    )


def tripolar(ny=40, nx=60, *, junk=None) -> Grid:
    """A global ocean grid with two northern poles and a fold, columns from -280 to 80 degrees.

    `junk` takes the place of the corners of a third of its cells, as on land in model output.
    """
    south, join = ny * 3 // 4, 65.0
    lat, lon = np.meshgrid(
        np.linspace(-78, join, south + 1), np.linspace(-280, 80, nx + 1), indexing="ij"
    )
    radius = np.tan(np.radians(90 - join) / 2)
    around = np.radians(np.linspace(-180, 180, nx + 1))
    flat = 1 - np.linspace(0, 1, ny - south + 1)[1:, None]
    cap_lat, cap_lon = on_plane(radius * (np.cos(around) + 1j * flat * np.sin(around)))
    grid = Grid.curvilinear(np.vstack([lat, cap_lat]), np.vstack([lon, cap_lon - 100.0]))
    if junk is None:
        return grid
    land = np.random.default_rng(0).random(grid.shape) < 0.2
    land[5:20, 10:30] = True
    corners = [
        np.where(land.reshape(-1, 1), junk, a) for a in (grid.corner_lat_deg, grid.corner_lon_deg)
    ]
    return Grid.polygons(*corners, shape=grid.shape)


def half_polar(start=-180.0) -> Grid:
    """Rows centred on the poles: half cells there, as LMDZ has them."""
    lat = np.concatenate([[-90.0], np.linspace(-90, 90, 91)[1::2], [90.0]])
    return Grid.boxes(lat, start + np.linspace(0, 360, 73))


def concave() -> Grid:
    """Cells of which every fourth has a corner that points inwards."""
    lat, lon = np.mgrid[-60:61:10.0, 0:121:10.0]
    lat[1:-1:2, 1:-1:2] += 5.5
    lon[1:-1:2, 1:-1:2] += 5.5
    return Grid.curvilinear(lat, lon)


def from_north(grid: Grid) -> Grid:
    return Grid.boxes(grid.lat_edges_deg[::-1], grid.lon_edges_deg)


def lon_first(grid: Grid) -> Grid:
    return Grid.boxes(grid.lat_edges_deg, grid.lon_edges_deg, lat_axis=1, dims=("lon", "lat"))


def from_degree(step: float, west: float) -> Grid:
    grid = Grid.regular(step)
    return Grid.boxes(grid.lat_edges_deg, grid.lon_edges_deg + 180.0 + west)


def region() -> Grid:
    return Grid.boxes(np.arange(30, 71, 2.0), np.arange(-15, 46, 3.0))


PAIRS = {
    "regular": lambda: (Grid.regular(5.0), Grid.regular(4.0)),
    "itself": lambda: (Grid.regular(5.0), Grid.regular(5.0)),
    "fine to coarse": lambda: (Grid.regular(2.0), Grid.regular(15.0)),
    "coarse to fine": lambda: (Grid.regular(15.0), Grid.regular(2.0)),
    "to Gaussian": lambda: (Grid.regular(5.0), Grid.gaussian(16)),
    "Gaussian": lambda: (Grid.gaussian(16), Grid.regular(5.0)),
    "half polar cells": lambda: (half_polar(), Grid.gaussian(16)),
    "to half polar cells": lambda: (Grid.regular(5.0), half_polar(-182.5)),
    "0 to 360": lambda: (from_degree(5.0, 0.0), Grid.regular(4.0)),
    "-300 to 60": lambda: (from_degree(5.0, -300.0), from_degree(4.0, 0.0)),
    "from the north": lambda: (from_north(Grid.regular(5.0)), from_north(from_degree(4.0, 0.0))),
    "longitude first": lambda: (lon_first(Grid.regular(5.0)), Grid.regular(4.0)),
    "to longitude first": lambda: (Grid.regular(5.0), lon_first(from_north(Grid.gaussian(12)))),
    "region to globe": lambda: (region(), Grid.regular(4.0)),
    "globe to region": lambda: (Grid.regular(4.0), region()),
    "rotated": lambda: (rotated(), Grid.regular(2.0)),
    "rotated over the pole": lambda: (rotated(pole_lat=5.0, size=50.0), Grid.regular(2.0)),
    "to rotated over the date line": lambda: (Grid.regular(2.0), rotated(turn=175.0)),
    "rotated to rotated": lambda: (rotated(30, 30), rotated(23, 31, pole_lat=50.0)),
    "displaced pole": lambda: (displaced(), Grid.regular(4.0)),
    "to displaced pole": lambda: (Grid.regular(4.0), displaced()),
    "tripolar": lambda: (tripolar(), Grid.regular(4.0)),
    "to tripolar": lambda: (from_degree(5.0, 0.0), tripolar()),
    "masked": lambda: (tripolar(junk=np.nan), Grid.regular(4.0)),
    "masked by zeros": lambda: (tripolar(junk=0.0), Grid.regular(4.0)),
    "to masked": lambda: (Grid.regular(4.0), tripolar(junk=1e20)),
    "concave": lambda: (concave(), Grid.regular(4.0)),
    "to concave": lambda: (Grid.regular(4.0), concave()),
}


# -- a real ESMF ----------------------------------------------------------------------------------

ASK = """
import sys
import netCDF4, h5py  # before ESMF: the other way round crashes where libraries differ
import esmpy, xesmf, xarray as xr, numpy as np
"""


def python_with_esmf() -> str | None:
    """The Python that should have ESMF, None where there is none."""
    if os.environ.get(PYTHON_VARIABLE):
        return os.environ[PYTHON_VARIABLE]
    return sys.executable if importlib.util.find_spec("esmpy") else None


@cache
def why_not() -> str:
    """Why a real ESMF cannot be asked; empty if it can."""
    python = python_with_esmf()
    if python is None:
        return "needs xESMF and ESMF, which conda has"
    done = subprocess.run(
        [python, "-c", "import esmpy, xesmf"], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else f"ESMF is broken: {done.stderr.strip()[-300:]}"


@pytest.fixture(scope="session")
def esmf():
    """Asks a real ESMF: runs code with its Python in a folder, gives back what it prints."""
    if why_not():
        pytest.skip(why_not())

    def ask(code: str, folder: Path, *arguments: object) -> str:
        command = [python_with_esmf(), "-", *map(str, arguments)]
        done = subprocess.run(
            command, input=ASK + code, capture_output=True, text=True, check=False, cwd=folder
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return ask


@pytest.fixture(scope="session")
def regrid_weight_gen():
    """Runs the program ``ESMF_RegridWeightGen``; False if this ESMF lacks a library for it."""
    program = _program()
    if program is None:
        pytest.skip("needs ESMF_RegridWeightGen on the PATH or beside $ESMFMKFILE")

    def run(source: Path, destination: Path, weights: Path, *options: str) -> bool:
        files = ["-s", source, "-d", destination, "-w", weights]
        done = subprocess.run(
            [program, *map(str, files), "-i", "--ignore_degenerate", *options],
            capture_output=True,
            text=True,
            check=False,
            cwd=weights.parent,
        )
        logs = "".join(p.read_text() for p in weights.parent.glob("PET*Log*"))
        if "Library needed by ESMF not present" in logs:
            return False
        assert done.returncode == 0, done.stdout[-2000:] + logs[-2000:]
        return True

    return run


def _program() -> str | None:
    name = "ESMF_RegridWeightGen"
    folders = [str(Path(python_with_esmf() or sys.executable).parent)]
    recipe = os.environ.get("ESMFMKFILE")
    if recipe and Path(recipe).exists():
        folders += re.findall(r"^ESMF_APPSDIR=(.*)$", Path(recipe).read_text(), re.MULTILINE)
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))


def versions(ask, folder: Path) -> dict[str, str]:
    """Versions of the ESMF that was asked."""
    code = "import json; print(json.dumps({m.__name__: m.__version__ for m in (esmpy, xesmf)}))"
    return dict(json.loads(ask(code, folder)))
