"""Parallel efficiency of the allocation mode: the same run with 1, 2, 4 workers on a real SLURM.

    python benchmarks/slurm_scaling.py [--site slurm-local] [--workers 1 2 4] [--copies 6]

Blocks are bound by computing: a synthetic ensemble whose files stay in the page cache stands in the
configuration many times over, under other names. Pace is that between the first and the last
finished block, so that waiting in the queue and starting up are not in it. Prints JSON lines.
`cores` is what this machine has: with more workers than that, no pace can grow any more, and
`efficiency_of_cores` says what was made of those that are there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from hpcbudget import __version__
from hpcbudget.inputs.synthetic import write_ensemble

GOING = {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING"}


def write_config(folder: Path, copies: int, years: int, resolution_deg: float) -> Path:
    """Write an ensemble and a configuration that names each member `copies` times."""
    write_ensemble(folder, members=1, years=years, resolution_deg=resolution_deg)
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    for ensemble in config["ensembles"]:
        ensemble["members"] = {
            f"{name}-{i}": {**member, "model": f"{name}-{i}"}
            for name, member in ensemble["members"].items()
            for i in range(copies)
        }
    config["engine"] = {"block_mb": 32}
    path.write_text(yaml.safe_dump(config))
    return path


def blocks_per_second(out: Path) -> tuple[int, float]:
    """Return the number of finished blocks and their pace."""
    stamps = sorted(p.stat().st_mtime for p in (out / "ledger").rglob("*.totals"))
    return len(stamps), (len(stamps) - 1) / (stamps[-1] - stamps[0])


def run(config: Path, out: Path, site: str, workers: int) -> tuple[int, float]:
    """Submit the run, wait for its blocks, and return their number and pace."""
    command = [sys.executable, "-m", "hpcbudget.cli", "submit", str(config), "--out", str(out)]
    options = ["--site", site, "--workers", str(workers), "--no-report"]
    said = subprocess.run([*command, *options], check=True, capture_output=True, text=True).stdout
    job = said.split()[-1]
    query = ["squeue", "-h", "-t", "all", "-j", job, "-o", "%T"]
    while True:
        state = subprocess.run(query, check=False, capture_output=True, text=True).stdout.strip()
        if state not in GOING:
            break
        time.sleep(1)
    if state != "COMPLETED":
        logs = "\n".join(p.read_text() for p in (out / "slurm").glob("*.log"))
        raise SystemExit(f"job {job} {state}: {logs}")
    return blocks_per_second(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", default="slurm-local")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--copies", type=int, default=6)
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--resolution", type=float, default=0.5)
    parser.add_argument("--folder", type=Path, help="a folder that all nodes see")
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        config = write_config(folder / "data", given.copies, given.years, given.resolution)
        os.environ["HPCBUDGET_KERNELS"] = str(folder / "kernels")
        single = None
        for workers in given.workers:
            count, pace = run(config, folder / f"out-{workers}", given.site, workers)
            single = single or pace / workers
            line = {
                "bench": "slurm_scaling",
                "name": f"allocation {workers}",
                "blocks": count,
                "blocks_per_s": round(pace, 2),
                "efficiency": round(pace / single / workers, 3),
                "efficiency_of_cores": round(pace / single / min(workers, cores), 3),
                "cores": cores,
                "load": round(os.getloadavg()[0], 1),
                "versions": {"hpcbudget": __version__, "python": sys.version.split()[0]},
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
