"""SLURM's commands, as far as a run needs them: submit, ask, requeue, and remember the jobs.

Nothing here waits for a job, and every command has a time limit of its own: a controller that does
not answer must not hold up a driver.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcbudget.errors import BackendError, ClusterError
from hpcbudget.files import unwritable

COMMAND_SECONDS = 30.0
# A driver inside a job must not hand its own allocation's settings to the jobs it submits.
_KEPT = {"SLURM_CONF", "SLURM_CLUSTERS"}


@dataclass(frozen=True)
class JobState:
    """What SLURM says about a job now.

    Attributes
    ----------
    state : str
        ``PENDING``, ``RUNNING``, ``COMPLETED``, ...; ``UNKNOWN`` once SLURM has forgotten it.
    detail : str
        Reason it waits, or the nodes it has.
    time_left : str
        Until its limit.
    """

    state: str
    detail: str = ""
    time_left: str = ""


def in_job(environ: Mapping[str, str] | None = None) -> str | None:
    """Return the number of the job this process runs in, None outside of any."""
    return (os.environ if environ is None else environ).get("SLURM_JOB_ID")


def clean_environment() -> dict[str, str]:
    """Return the environment without what SLURM put there for the job we are in."""
    return {k: v for k, v in os.environ.items() if not k.startswith("SLURM_") or k in _KEPT}


def submit_script(script: Path, options: Sequence[str] = ()) -> str:
    """Submit a batch script and return the number of its job.

    Raises
    ------
    BackendError
        If there is no SLURM here.
    ClusterError
        If SLURM refuses it; with SLURM's own words.
    """
    answer = _command("sbatch", "--parsable", *options, str(script))
    if answer.returncode != 0:
        raise ClusterError(
            f"SLURM refuses the job: {_said(answer.stderr)}",
            where=str(script),
            why="nothing was submitted",
            fix="ask for less (--workers, --time), or correct the site profile;\n"
            "'hpcbudget site check SITE' says what it finds wrong",
        )
    # a federation adds ";cluster" to the number
    return answer.stdout.strip().split(";")[0]


def require_accepted(script: Path) -> None:
    """Ask SLURM whether it would ever run a script, without submitting it.

    Raises
    ------
    ClusterError
        If not, with SLURM's own words.
    """
    answer = _command("sbatch", "--test-only", str(script))
    if answer.returncode != 0:
        raise ClusterError(
            f"SLURM would refuse the workers' jobs: {_said(answer.stderr)}",
            where=str(script),
            fix="ask for less, or correct the site profile ('hpcbudget site check SITE')",
        )


def seconds_left(job: str) -> float | None:
    """Return the seconds until a job's time limit; None if there is none or nobody answers."""
    end = os.environ.get("SLURM_JOB_END_TIME")  # SLURM 23.02 and later; not renewed if changed
    answer = ask("squeue", "--noheader", "--format=%L", "--jobs", job)
    left = parse_time_left(answer) if answer else None
    if left is None and end is not None and end.isdigit():
        return float(end) - time.time()
    return left


def parse_time_left(text: str) -> float | None:
    """Return the seconds of squeue's ``[D-][[HH:]MM:]SS``, None for anything else.

    Examples
    --------
    >>> parse_time_left("1-02:00:05")
    93605.0
    >>> parse_time_left("4:30")
    270.0
    >>> parse_time_left("UNLIMITED") is None
    True
    """
    days, dash, clock = text.strip().rpartition("-")
    parts = clock.split(":")
    if not all(p.isdigit() for p in parts) or (dash and not days.isdigit()) or len(parts) > 3:
        return None
    seconds = 0.0
    for part in parts:
        seconds = 60 * seconds + int(part)
    return seconds + 86400 * int(days or 0)


def job_states(jobs: Iterable[str]) -> dict[str, JobState]:
    """Return what SLURM says about `jobs`, with one question for all; empty if nobody answers."""
    asked = list(dict.fromkeys(jobs))
    if not asked or shutil.which("squeue") is None:
        return {}
    known = {job: JobState("UNKNOWN") for job in asked}
    # one number that SLURM has forgotten makes it refuse the whole list, so ask for all of ours
    answer = ask("squeue", "--noheader", "--states=all", "--me", "--format=%A|%F|%T|%R|%L")
    if answer is None:
        return {}
    for line in answer.splitlines():
        job, array, state, detail, left = line.split("|", 4)
        for name in {job, array} & known.keys():
            known[name] = _worse(known[name], JobState(state, detail, left))
    return known


def _worse(one: JobState, other: JobState) -> JobState:
    """Of the elements of an array, show the one that matters most to whoever waits for all."""
    order = ("UNKNOWN", "COMPLETED", "PENDING", "COMPLETING", "RUNNING")
    return max(one, other, key=lambda s: order.index(s.state) if s.state in order else len(order))


def record_job(out: Path, job: str, kind: str, **facts: Any) -> None:
    """Append a submitted job to ``OUT/jobs.jsonl``."""
    line = json.dumps({"time": round(time.time(), 3), "job": job, "kind": kind, **facts})
    path = out / "jobs.jsonl"
    try:
        out.mkdir(parents=True, exist_ok=True, mode=0o750)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise unwritable(path, error) from error


def private_folder(out: Path) -> Path:
    """Return ``OUT/slurm``, which only its owner can look into: scripts, logs, keys."""
    folder = out / "slurm"
    try:
        out.mkdir(parents=True, exist_ok=True, mode=0o750)
        folder.mkdir(exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(words[0]) is None:
        raise BackendError(
            f"there is no {words[0]} on this machine",
            why="jobs are submitted by SLURM's own commands",
            fix="log in where SLURM is, or run here: hpcbudget run CONFIG --cluster local",
        )
    try:
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
            env=clean_environment(),
        )
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"{words[0]} did not answer within {COMMAND_SECONDS:.0f} s",
            why="SLURM's controller is down or very busy",
            fix="try again later; 'sinfo' shows whether it answers",
        ) from None


def ask(*words: str) -> str | None:
    """Return a command's output; None where it does not work, which is no reason to stop."""
    try:
        answer = _command(*words)
    except (BackendError, ClusterError):
        return None
    return answer.stdout if answer.returncode == 0 else None


def _said(stderr: str) -> str:
    lines = [line.removeprefix("sbatch: ").removeprefix("error: ") for line in stderr.splitlines()]
    return "; ".join(line for line in lines if line) or "without saying why"
