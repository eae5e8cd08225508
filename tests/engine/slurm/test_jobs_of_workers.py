"""Jobs of workers are replaced when they end; a run without hope is given up. No SLURM needed."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.engine.slurm import jobqueue
from hpcbudget.engine.slurm.allocation import Task, duty, exit_status_kept
from hpcbudget.engine.slurm.jobqueue import Keeper, Workers
from hpcbudget.engine.slurm.queue import JobState
from hpcbudget.engine.slurm.sites import load_site
from hpcbudget.engine.slurm.walltime import Walltime
from hpcbudget.errors import ClusterError, StoppedEarlyError

SITE = load_site("slurm-local")


class FakeCluster:
    """As much of a SLURMCluster as is looked at."""

    def __init__(self, jobs: int) -> None:
        self.workers: dict[int, Any] = {
            i: SimpleNamespace(name=f"w-{i}", job_id=str(100 + i)) for i in range(jobs)
        }
        self.scheduler_info: dict[str, Any] = {"workers": {}}
        self.refusals: list[str] = []
        self.scaled: list[int] = []
        self.loop = SimpleNamespace(add_callback=lambda call, *args: call(*args))

    def scale(self, jobs: int) -> None:
        self.scaled.append(jobs)

    def join(self, number: int) -> None:
        self.scheduler_info["workers"][f"tls://{number}"] = {"name": f"w-{number}"}


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def keeper(tmp_path: Path, said: list[str]) -> Keeper:
    return Keeper(FakeCluster(3), Workers(SITE, 3), tmp_path, Walltime(), said.append)


def states(monkeypatch: pytest.MonkeyPatch, **known: str) -> None:
    told = {job.removeprefix("j"): JobState(state, "Resources") for job, state in known.items()}
    monkeypatch.setattr(jobqueue, "job_states", lambda jobs: {j: told[j] for j in jobs})


def test_a_cancelled_job_is_replaced(
    keeper: Keeper, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper.cluster.join(1)
    states(monkeypatch, j100="RUNNING", j101="CANCELLED", j102="PENDING")
    keeper.look()
    assert set(keeper.cluster.workers) == {0, 2}
    assert keeper.cluster.scaled == [3]
    assert said[0] == "job 101 of workers cancelled, submitting another"
    assert "jobs wait in the queue: Resources" in said
    assert not keeper.in_vain


def test_silence_changes_nothing(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobqueue, "job_states", lambda _: {})
    keeper.look()
    assert len(keeper.cluster.workers) == 3
    assert not keeper.cluster.scaled


def test_a_refused_job_ends_the_run_with_slurms_words(keeper: Keeper) -> None:
    keeper.cluster.refusals.append("sbatch: error: Job violates accounting policy")
    with pytest.raises(ClusterError, match="accounting policy"):
        keeper.look()


def test_jobs_that_end_before_a_worker_joins_are_not_submitted_for_ever(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    for turn in range(2):
        keeper.cluster.workers = FakeCluster(3).workers
        for job in keeper.cluster.workers.values():
            job.job_id = f"{turn}{job.job_id}"
        monkeypatch.setattr(
            jobqueue, "job_states", lambda jobs: dict.fromkeys(jobs, JobState("FAILED"))
        )
        if turn == 0:
            keeper.look()
    with pytest.raises(ClusterError, match="before a worker could join"):
        keeper.look()


@given(workers=st.integers(1, 300), count=st.integers(1, 40))
def test_tasks_share_all_workers_evenly(workers: int, count: int) -> None:
    shares = [Task("1", rank, count, Path(), SITE, workers).share for rank in range(count)]
    assert sum(shares) == workers
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize(
    ("error", "status"), [(None, "0"), (StoppedEarlyError("time"), "75"), (ClusterError("x"), "3")]
)
def test_the_drivers_status_is_left_for_the_script(
    tmp_path: Path, error: Exception | None, status: str
) -> None:
    task = Task("42", 0, 2, tmp_path, SITE, 2)
    try:
        with exit_status_kept(task):
            if error is not None:
                raise error
    except (StoppedEarlyError, ClusterError) as raised:
        assert raised is error  # noqa: PT017 - it goes on to the command line
    assert (tmp_path / "slurm" / "42.status").read_text().strip() == status


def test_bad_input_an_allocation_outside_of_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(ClusterError, match="submit"), duty("allocation", tmp_path, SITE, None):
        pass


def test_a_task_whose_driver_ended_early_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    monkeypatch.setenv("SLURM_PROCID", "1")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # nothing is to be left in this process
    with (
        pytest.raises(ClusterError, match="bad"),
        exit_status_kept(Task("42", 0, 2, tmp_path, SITE, 2)),
    ):
        raise ClusterError("bad")
    with duty("allocation", tmp_path, SITE, None) as driving:
        assert not driving
