"""What maps cost per core: a member streamed into its maps, against reading it, and against CDO.

    python benchmarks/maps.py [--folder DIR]

Prints JSON lines. Rates are decoded GB per second of CPU time of one core, memory is the peak of a
fresh process. CDO, where it is installed, averages over time and regrids the same file with weights
made beforehand.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
import yaml

from hpcbudget.bench.measure import versions
from hpcbudget.config import load_config
from hpcbudget.engine.read_ahead import read_ahead
from hpcbudget.inputs.catalogue import open_catalogue
from hpcbudget.maps.plan import MapsPlan, plan_maps

#: degrees of the member and of the common grid, months, means within the period
PROBLEMS = {
    "annual-0.25-to-1": (0.25, "1", 60, "annual"),
    "months-0.25-to-1": (0.25, "1", 60, "months"),
    "annual-0.1-to-0.25": (0.1, "0.25", 12, "annual"),
    "months-0.1-to-0.25": (0.1, "0.25", 12, "months"),
}


def write_member(path: Path, deg: float, months: int) -> None:
    """Write random float32 fluxes, a fifth of the cells missing, one month to a chunk."""
    rows, columns = round(180 / deg), round(360 / deg)
    random = np.random.default_rng(1)
    gone = random.random((rows, columns)) < 0.2
    stamps = (np.datetime64("2000-01", "M") + np.arange(months)).astype("datetime64[D]")
    values = np.empty((months, rows, columns), np.float32)
    for month in range(months):
        values[month] = random.standard_normal((rows, columns), np.float32) * 1e-8
        values[month, gone] = np.nan
    lat = -90 + deg * (np.arange(rows) + 0.5)
    lon = -180 + deg * (np.arange(columns) + 0.5)
    dataset = xr.Dataset(
        {"flux": (("time", "lat", "lon"), values, {"units": "kg m-2 s-1"})},
        coords={
            "time": stamps.astype("datetime64[ns]"),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )
    encoding = {"flux": {"chunksizes": (1, rows, columns)}}
    dataset.to_netcdf(path / "m.nc", engine="netcdf4", encoding=encoding)


def planned(folder: Path, grid: str, months: int, seasons: str) -> MapsPlan:
    """Plan the maps of the one member in `folder`."""
    years = [2000, 2000 + months // 12 - 1]
    flux = {"sign": "to_atmosphere", "species": "C", "area_basis": "cell"}
    config = {
        "name": "bench",
        "ensembles": [
            {
                "family": "inversion",
                "flux": flux,
                "components": {"land": "flux"},
                "members": {"M": {"paths": "m.nc"}},
            }
        ],
        "maps": {"grid": grid, "seasons": seasons, "periods": {"all": years}},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    loaded = load_config(path, data=folder)
    return plan_maps(loaded, open_catalogue(loaded), folder / "out")


def peak_bytes() -> int:
    """Return the peak of this process (getrusage would give that of the one that started it)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that work takes, children included, once it is warm."""
    work()
    before = time.process_time() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    work()
    return time.process_time() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def measure(folder: Path, name: str) -> dict[str, object]:
    """Measure one problem in this process."""
    _, grid, months, seasons = PROBLEMS[name]
    plan = planned(folder, grid, months, seasons)
    (unit,) = plan.units
    plan.averager.run(unit)
    peak = peak_bytes()
    gigabytes = plan.averager.read_bytes(unit) / 1e9
    (series,) = plan.averager.series[unit.key]

    def read() -> None:
        for _ in read_ahead(series, 0, months):
            pass

    ours, reading = cpu_seconds(lambda: plan.averager.compute(unit)), cpu_seconds(read)
    peers = {}
    if shutil.which("cdo"):
        step = float(grid)
        words = f"r{round(360 / step)}x{round(180 / step)}"
        mean = "ymonmean" if seasons == "months" else "timmean"
        run = ["cdo", "-s", "-L"]
        source, made = str(folder / "m.nc"), str(folder / "w.nc")
        subprocess.run([*run, f"gencon,{words}", "-seltimestep,1", source, made], check=True)
        remap = [*run, f"remap,{words},{made}", f"-{mean}", source, str(folder / "o.nc")]
        peers["cdo"] = cpu_seconds(lambda: subprocess.run(remap, check=True)) / ours
    return {
        "bench": "maps",
        "name": name,
        "gb_per_s": gigabytes / ours,
        "limit_gb_per_s": gigabytes / reading,
        "ratio_to_limit": reading / ours,
        "limit": "reading and decoding the same chunks",
        "peers": peers,
        "details": {
            "peak_gb": peak / 1e9,
            "promised_gb": plan.peak_bytes / 1e9,
            "member_gb": gigabytes,
        },
        "versions": versions(),
    }


def main() -> None:
    """Measure every problem in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--one", choices=PROBLEMS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.folder, given.one)))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as scratch:
        written: tuple[float, int] | None = None
        folder = Path(scratch)
        for name, (deg, _, months, _) in PROBLEMS.items():
            if written != (deg, months):
                shutil.rmtree(folder)
                folder.mkdir()
                write_member(folder, deg, months)
                written = deg, months
            command = [sys.executable, __file__, "--folder", str(folder), "--one", name]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
