"""Every way in which work goes wrong, alone and on workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster
from faulty_work import Chore, FaultyWork

from hpcbudget.engine.execute import BUNDLE_BLOCKS, bundle_size, execute, execute_alone
from hpcbudget.engine.ledger import Ledger
from hpcbudget.engine.progress import Progress
from hpcbudget.engine.tally import Tally
from hpcbudget.engine.work import Done, Failed
from hpcbudget.errors import BlockError, InputError, OutputError, StoppedEarlyError


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=60,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def chores(*names: str) -> list[Chore]:
    return [Chore(name) for name in names]


GOOD = [f"good-{i}" for i in range(40)]


@pytest.mark.slow
def test_what_fails_is_named_and_all_else_is_done(client: Client, tmp_path: Path) -> None:
    work = FaultyWork(tmp_path)
    units = chores(*GOOD[:20], "bad-1", "killer-1", "bug-1", "flaky-1", *GOOD[20:])
    progress = Progress(tmp_path, len(units), 0)
    tally = execute(client, work, units, progress, retries=2)
    assert {unit.name for unit in tally.failed} == {"bad-1", "killer-1", "bug-1"}
    assert tally.done == len(units) - 3
    assert all(work.tries(unit) >= 1 for unit in units)
    with pytest.raises(BlockError, match="3 blocks failed") as caught:
        tally.settle()
    assert "chunk 3.0.0 is truncated" in str(caught.value)
    assert "killer-1" in str(caught.value)
    assert len(Ledger(tmp_path).failures()) == 3
    # each worker got ready before its first unit, also the one that took the place of a killed one
    assert len((tmp_path / "warmed").read_text()) > 2


@pytest.mark.slow
def test_only_what_may_be_cured_is_tried_again(client: Client, tmp_path: Path) -> None:
    work = FaultyWork(tmp_path)
    units = chores(*GOOD, "bad-1", "bug-1", "flaky-2")
    tally = execute(client, work, units, Progress(tmp_path, len(units), 0), retries=2)
    tries = {name: work.tries(Chore(name)) for name in ("bad-1", "bug-1", "flaky-2")}
    assert tries == {"bad-1": 1, "bug-1": 3, "flaky-2": 3}
    assert {unit.name for unit in tally.failed} == {"bad-1", "bug-1"}


@pytest.mark.slow
def test_a_disk_that_is_full_stops_the_run_at_once(client: Client, tmp_path: Path) -> None:
    units = chores("full-1", *GOOD)
    with pytest.raises(OutputError, match="no space left"):
        execute(client, FaultyWork(tmp_path), units, Progress(tmp_path, len(units), 0))


class Patience:
    """A clock that lets so many questions pass."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def may_begin(self, longest_seconds: float) -> bool:
        self.left -= 1
        return self.left >= 0


def test_alone_a_failure_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    units = chores("bad-1", *GOOD)
    tally = execute_alone(FaultyWork(tmp_path), units, Progress(tmp_path, len(units), 0))
    assert tally.done == len(GOOD)
    with pytest.raises(BlockError, match="1 blocks failed"):
        tally.settle()


def test_when_the_time_is_up_the_rest_is_left(tmp_path: Path) -> None:
    units = chores(*GOOD)
    progress = Progress(tmp_path, len(units), 0)
    tally = execute_alone(FaultyWork(tmp_path), units, progress, Patience(7))
    assert (tally.done, tally.left) == (7, len(GOOD) - 7)
    with pytest.raises(StoppedEarlyError) as caught:
        tally.settle()
    assert caught.value.exit_code == 75


@pytest.mark.slow
def test_on_workers_too(client: Client, tmp_path: Path) -> None:
    units = chores(*GOOD)
    progress = Progress(tmp_path, len(units), 0)
    tally = execute(client, FaultyWork(tmp_path), units, progress, clock=Patience(2))
    assert tally.done + tally.left == len(GOOD)
    assert tally.left > 0


@pytest.mark.parametrize(
    ("seconds", "left", "size"),
    [
        (10.0, 10**6, 1),
        (0.25, 10**6, 2),
        (1e-9, 10**6, BUNDLE_BLOCKS),
        (1e-9, 40, 10),  # the last ones are shared out among four
        (1e-9, 1, 1),
    ],
)
def test_small_blocks_travel_together(tmp_path: Path, seconds: float, left: int, size: int) -> None:
    tally = Tally(tmp_path)
    assert bundle_size(tally, left, 4) == 1
    tally.count(Done(Chore("x"), 0, seconds))
    assert bundle_size(tally, left, 4) == size


def test_a_failing_file_system_is_curable_however_deep_it_lies() -> None:
    named, placed = InputError("cannot be read", where="m.nc"), InputError("block x")
    named.__cause__ = OSError("stale file handle")
    placed.__cause__ = named
    assert Failed.of(Chore("x"), placed).curable
    assert not Failed.of(Chore("x"), InputError("bad data")).curable
