"""The driver stops in time, and ends in good order when told to."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.engine.slurm import queue
from hpcbudget.engine.slurm.walltime import BLOCKS_IN_LINE, Walltime
from hpcbudget.errors import ClusterError, StoppedEarlyError


@dataclass
class Time:
    """A clock that is turned by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@given(limit=st.floats(10, 1e5), reserve=st.floats(1, 100), block=st.floats(0.01, 100))
def test_whatever_is_begun_ends_before_the_reserve(
    limit: float, reserve: float, block: float
) -> None:
    time = Time()
    clock = Walltime(lambda: limit - time.now, reserve, time)
    if limit < reserve + BLOCKS_IN_LINE * block:
        with pytest.raises(ClusterError, match="too short"):
            clock.may_begin(block)
        return
    for _ in range(1000):
        if not clock.may_begin(block):
            assert clock.why is not None
            assert not clock.may_begin(0.0)
            return
        assert limit - time.now - BLOCKS_IN_LINE * block >= reserve - 1e-6
        time.now += block


def test_without_a_limit_it_goes_on() -> None:
    assert Walltime().may_begin(1e9)


def test_a_changed_limit_is_noticed_and_silence_changes_nothing() -> None:
    time, answers = Time(), iter([100.0, None, 5000.0])
    clock = Walltime(lambda: next(answers), 10.0, time)
    assert clock.left() == 100.0
    time.now = 301.0
    assert clock.left() == 100.0 - 301.0
    time.now = 602.0
    assert clock.left() == 5000.0


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_signal_ends_the_taking_of_blocks(number: signal.Signals) -> None:
    clock = Walltime()
    with clock.watched():
        assert clock.may_begin(1.0)
        signal.raise_signal(number)
        assert not clock.may_begin(1.0)
    assert clock.why == number.name


def test_told_twice_it_gives_up_what_is_in_flight() -> None:
    clock = Walltime()
    with pytest.raises(StoppedEarlyError), clock.watched():  # noqa: PT012 - the second raises
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_no_workers_any_more_reaches_the_main_thread() -> None:
    clock = Walltime()
    with pytest.raises(ClusterError, match="gone"), clock.watched():  # noqa: PT012
        clock.abandon(ClusterError("workers are gone"))
        time.sleep(5)


def test_job_scripts_do_not_inherit_our_own_allocation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "100")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    monkeypatch.setenv("SBATCH_ACCOUNT", "me")
    kept = queue.clean_environment()
    assert "SLURM_MEM_PER_CPU" not in kept
    assert kept["SLURM_CONF"] == "/etc/slurm.conf"
    assert kept["SBATCH_ACCOUNT"] == "me"


@given(d=st.integers(0, 30), h=st.integers(0, 23), m=st.integers(0, 59), s=st.integers(0, 59))
def test_time_left_is_read(d: int, h: int, m: int, s: int) -> None:
    text = f"{d}-{h:02}:{m:02}:{s:02}" if d else f"{h}:{m:02}:{s:02}" if h else f"{m}:{s:02}"
    assert queue.parse_time_left(text) == ((24 * d + h) * 60 + m) * 60 + s


@pytest.mark.parametrize("text", ["UNLIMITED", "INVALID", "", "NOT_SET", "1:2:3:4"])
def test_no_time_left_is_read_where_none_is(text: str) -> None:
    assert queue.parse_time_left(text) is None


def test_refusal_comes_in_slurms_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sbatch").write_text(
        "#!/bin/sh\necho 'sbatch: error: Invalid account' >&2\nexit 1\n"
    )
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(ClusterError, match="Invalid account"):
        queue.submit_script(tmp_path / "x.sh")


def test_an_array_shows_its_worst_element(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "101|100|COMPLETED|None|0:00\n102|100|FAILED|NonZero|0:00\n7|7|RUNNING|n1|9:00\n"
    (tmp_path / "squeue").write_text(f"#!/bin/sh\nprintf '{lines}'\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    states = queue.job_states(["100", "7", "8"])
    assert {job: s.state for job, s in states.items()} == {
        "100": "FAILED",
        "7": "RUNNING",
        "8": "UNKNOWN",
    }
    assert states["7"].detail == "n1"
