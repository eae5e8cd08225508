"""Submitted, killed, requeued, refused: on a real SLURM a budget has the same bytes every time."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from slurm.runs import Run, bytes_of, command, hpcbudget, log, state, until

pytestmark = pytest.mark.slurm

NewRun = Callable[..., Run]


@dataclass
class Disturbed:
    """A run that something happened to, and the blocks that were finished by then."""

    run: Run
    job: str
    before: dict[str, int]

    def require(self, reference: dict[str, bytes]) -> None:
        """Require that it ended right and did nothing twice that was finished."""
        assert self.run.wait(self.job) == "COMPLETED", log(self.run.out)
        assert bytes_of(self.run.out) == reference
        after = self.run.blocks()
        assert {name: after[name] for name in self.before} == self.before


@pytest.fixture(scope="session", autouse=True)
def limited(new_run: NewRun) -> Iterator[Disturbed]:
    """Submit more work than fits into the two minutes it may last; it sleeps beside other tests."""
    run = new_run("time-limit", slow=10.0)
    (job,) = run.submit("--workers", 2, "--time", "00:02:00")
    yield Disturbed(run, job, {})
    command("scancel", job)


@pytest.fixture(scope="session")
def disturbed(new_run: NewRun) -> Iterator[dict[str, Disturbed]]:
    """Submit two runs and do to both what is to be done, before either has ended."""
    runs: dict[str, Disturbed] = {}
    for name, workers in (("lost node", 4), ("requeue", 2)):
        run = new_run(name.replace(" ", "-"), slow=1.0)
        (job,) = run.submit("--workers", workers)
        runs[name] = Disturbed(run, job, {})

    lost = runs["lost node"]
    lost.run.wait_for_blocks(2)
    nodes = command("squeue", "-h", "-j", lost.job, "-o", "%N").stdout.strip()
    first, second = command("scontrol", "show", "hostnames", nodes).stdout.split()
    assert first != second
    lost.before = lost.run.blocks()
    command("scontrol", "update", f"nodename={second}", "state=down", "reason=test")

    again = runs["requeue"]
    again.run.wait_for_blocks(2)
    again.before = again.run.blocks()
    assert command("scontrol", "requeue", again.job).returncode == 0

    yield runs
    command("scancel", *(one.job for one in runs.values()))
    command("scontrol", "update", f"nodename={second}", "state=resume")


@pytest.mark.parametrize("mode", ["allocation", "array"])
def test_submitted_modes_give_the_bytes_of_a_local_run(
    new_run: NewRun, reference: dict[str, bytes], mode: str
) -> None:
    run = new_run(mode)
    jobs = run.submit("--mode", mode, "--workers", 3)
    assert run.wait(jobs[-1]) == "COMPLETED", log(run.out)
    assert bytes_of(run.out) == reference
    status = hpcbudget("status", run.out)
    assert "0 left, 0 failed" in status
    for job in jobs:
        assert f"job {job}" in status
    # neither the folder nor what is in it is for others
    assert not stat.S_IMODE(run.out.stat().st_mode) & 0o007
    assert stat.S_IMODE((run.out / "slurm").stat().st_mode) == 0o700
    assert not list((run.out / "slurm").glob("scheduler-*"))


def test_workers_as_jobs_and_one_of_them_cancelled(
    new_run: NewRun, reference: dict[str, bytes]
) -> None:
    import subprocess

    run = new_run("jobs", slow=3.0)
    driver = subprocess.Popen(
        [
            *(sys.executable, "-m", "hpcbudget.cli", "run", str(run.config), "--out", str(run.out)),
            *("--cluster", "slurm", "--site", "slurm-local", "--workers", "3", "--no-report"),
        ],
        env={**os.environ, **run.environment},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    run.wait_for_blocks(2)
    victim = next(str(j["job"]) for j in run.jobs if state(str(j["job"])) == "RUNNING")
    command("scancel", victim)
    said = driver.communicate(timeout=200)[1]
    assert driver.returncode == 0, said
    assert f"job {victim} of workers cancelled, submitting another" in said
    assert len({j["job"] for j in run.jobs}) >= 4
    assert bytes_of(run.out) == reference
    until(lambda: all(state(str(j["job"])) != "RUNNING" for j in run.jobs), "workers are gone")


def test_killed_without_warning_and_submitted_again(
    new_run: NewRun, reference: dict[str, bytes]
) -> None:
    run = new_run("killed", slow=0.7)
    (job,) = run.submit("--workers", 2)
    run.wait_for_blocks(3)
    command("scancel", "--full", "--signal=KILL", job)
    assert run.wait(job) != "COMPLETED"
    before = run.blocks()
    (again,) = run.submit("--workers", 2)
    assert run.wait(again) == "COMPLETED", log(run.out)
    after = run.blocks()
    assert {name: after[name] for name in before} == before
    assert bytes_of(run.out) == reference


def test_told_to_stop_it_chains_a_new_job(
    new_run: NewRun, reference: dict[str, bytes], tmp_path: Path
) -> None:
    site = tmp_path / "chained.yaml"
    site.write_text("extends: slurm-local\nagain: chain\n")
    run = new_run("chain", slow=0.7)
    (job,) = run.submit("--workers", 2, site=site)
    run.wait_for_blocks(3)
    command("scancel", "--signal=USR1", job)  # all of the job's steps, as --signal would
    run.wait(job)
    assert len(run.jobs) == 2, log(run.out)
    assert run.jobs[1]["after"] == job
    assert run.wait(str(run.jobs[1]["job"])) == "COMPLETED", log(run.out)
    assert bytes_of(run.out) == reference


def test_a_lost_part_is_named_and_submitted_alone(
    new_run: NewRun, reference: dict[str, bytes]
) -> None:
    run = new_run("part", slow=0.4)
    array, merge = run.submit("--mode", "array", "--workers", 3)
    run.wait_for_blocks(1)
    command("scancel", f"{array}_2")
    assert run.wait(merge) == "FAILED", log(run.out)
    assert "run again: finished blocks are not repeated" in log(run.out)
    _, merge = run.submit("--mode", "array", "--workers", 3, "--only", "2")
    assert run.wait(merge) == "COMPLETED", log(run.out)
    assert bytes_of(run.out) == reference


@pytest.mark.parametrize("way", [("submit",), ("run", "--cluster", "slurm")], ids=lambda w: w[0])
def test_a_job_refused_for_memory_says_why(
    new_run: NewRun, tmp_path: Path, way: tuple[str, ...]
) -> None:
    site = tmp_path / "huge.yaml"
    site.write_text("extends: slurm-local\nmemory_per_node_gb: 100000\n")
    run = new_run("refused")
    done = command(
        sys.executable, "-m", "hpcbudget.cli", way[0], str(run.config), *way[1:],
        *("--out", str(run.out), "--site", str(site)),
    )  # fmt: skip
    assert done.returncode == 3
    # in SLURM's own words, which differ between submitting and asking whether one could
    assert "refuse" in done.stderr
    assert "Memory specification" in done.stderr or "node configuration" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (run.out / "jobs.jsonl").exists()


def test_a_node_set_down_costs_its_workers_and_nothing_else(
    disturbed: dict[str, Disturbed], reference: dict[str, bytes]
) -> None:
    disturbed["lost node"].require(reference)


def test_requeued_by_the_administrator(
    disturbed: dict[str, Disturbed], reference: dict[str, bytes]
) -> None:
    disturbed["requeue"].require(reference)


def test_site_check_finds_the_profile_right_and_names_what_is_wrong(slurm: None) -> None:
    assert "wrong" not in hpcbudget("site", "check", "slurm-local")
    bad = command(
        *(sys.executable, "-m", "hpcbudget.cli", "site", "check", "slurm-local"),
        *("--partition", "nowhere", "--no-job"),
    )
    assert bad.returncode == 3
    assert "nowhere does not exist" in bad.stdout


def test_the_time_limit_is_met_and_the_job_goes_on_by_itself(
    limited: Disturbed, reference: dict[str, bytes]
) -> None:
    limited.require(reference)
    assert "stopped in time with" in log(limited.run.out)


def test_great_circle_weights_by_jobs_are_those_of_this_machine(
    ensemble: Path, tmp_path: Path
) -> None:
    store = tmp_path / "rotated.nc"
    write_rotated(store)
    made = {}
    for where in ("local", "slurm"):
        jobs = ("--cluster", "slurm", "--site", "slurm-local") if where == "slurm" else ()
        # nothing may be found in the cache that another has put there
        env = {"HPCBUDGET_CACHE": str(tmp_path / where)}
        weights, regridded = (tmp_path / f"{where}{suffix}" for suffix in (".nc", ".zarr"))
        words = ("-o", weights, "--edges", "great_circles", "--workers", 2, *jobs)
        hpcbudget("weights", "2", "3", *words, env=env)
        words = ("--to", "5", "-o", regridded, "--preserve", "integral", "--workers", 2, *jobs)
        hpcbudget("regrid", store, *words, env=env)
        files = [weights, *sorted(p for p in regridded.rglob("*") if p.is_file())]
        made[where] = [path.read_bytes() for path in files]
    assert made["slurm"] == made["local"]
    for name in ("slurm.nc", "slurm.zarr"):
        jobs = (tmp_path / f"{name}.workers" / "jobs.jsonl").read_text().splitlines()
        assert {json.loads(job)["kind"] for job in jobs} == {"worker"}


def write_rotated(path: Path) -> None:
    """Write one field on a model's own grid, whose rows are no parallels."""
    y, x = np.meshgrid(np.linspace(-30, 30, 31), np.linspace(-40, 40, 41), indexing="ij")
    lat, lon = y + x / 8, x - y / 8
    field = xr.Dataset(
        {"nee": (("time", "y", "x"), np.cos(np.radians(lat))[np.newaxis], {"units": "kg m-2 s-1"})},
        coords={
            "lat": (("y", "x"), lat, {"units": "degrees_north"}),
            "lon": (("y", "x"), lon, {"units": "degrees_east"}),
            "time": ("time", [15.0], {"units": "days since 2001-01-01"}),
        },
    )
    field.to_netcdf(path)
