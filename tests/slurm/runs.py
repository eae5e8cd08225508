"""Runs of a small ensemble on a real SLURM, and what SLURM says about them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

COMPARED = ("fluxes.zarr", "tables")
PATIENCE = 240.0


def command(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )


def hpcbudget(*words: object, env: dict[str, str] | None = None) -> str:
    """Run the command line and return what it printed; fail on any other end."""
    done = command(sys.executable, "-m", "hpcbudget.cli", *map(str, words), env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait for something that SLURM does in its own time."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"not within {patience:.0f} s: {what}"
        time.sleep(0.3)


def state(job: str) -> str:
    """State of a job; it stays visible for minutes after its end."""
    told = command("squeue", "-h", "-t", "all", "-j", job, "-o", "%T").stdout.split()
    return told[0] if told else "UNKNOWN"


def log(out: Path) -> str:
    """Everything that the jobs of a run wrote."""
    return "\n".join(p.read_text() for p in sorted((out / "slurm").glob("*.log")))


def bytes_of(out: Path) -> dict[str, bytes]:
    """Every file of the results by its path."""
    files = (p for name in COMPARED for p in sorted((out / name).rglob("*")) if p.is_file())
    return {str(p.relative_to(out)): p.read_bytes() for p in files}


@dataclass
class Run:
    """A run of the small ensemble below a folder of its own."""

    config: Path
    out: Path
    environment: dict[str, str] = field(default_factory=dict)

    def submit(self, *words: object, site: object = "slurm-local") -> list[str]:
        """Submit it and return the numbers of its jobs."""
        printed = hpcbudget(
            "submit", self.config, "--out", self.out, "--site", site, "--no-report", *words,
            env=self.environment,
        )  # fmt: skip
        return [line.split()[-1] for line in printed.splitlines() if line.startswith("submitted")]

    def blocks(self) -> dict[str, int]:
        """Finished blocks, and when each was written last."""
        files = (self.out / "ledger").rglob("*.totals")
        return {str(p.relative_to(self.out)): p.stat().st_mtime_ns for p in files}

    def wait_for_blocks(self, count: int) -> None:
        until(lambda: len(self.blocks()) >= count, f"{count} blocks: {log(self.out)}")

    def wait(self, job: str) -> str:
        """Wait until a job has ended for good and return its state."""
        going = {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED"}
        until(lambda: state(job) not in going, f"job {job} ends: {log(self.out)}")
        return state(job)

    def wait_for_result(self) -> None:
        until((self.out / "tables" / "closure.csv").exists, f"a result: {log(self.out)}")

    @property
    def jobs(self) -> list[dict[str, object]]:
        """What was recorded as submitted."""
        return [json.loads(line) for line in (self.out / "jobs.jsonl").read_text().splitlines()]
