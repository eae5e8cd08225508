"""Jobs and parts in the status of a run, and two turns of one job on one output directory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hpcbudget.engine.block import Block
from hpcbudget.engine.ledger import Ledger
from hpcbudget.engine.progress import Progress
from hpcbudget.engine.slurm.queue import private_folder, record_job
from hpcbudget.engine.status import read_status
from hpcbudget.engine.work import Done
from hpcbudget.errors import BusyError
from hpcbudget.inputs.series import SeriesKey

BLOCK = Block(SeriesKey("inversion", "m", "m", "land", "land"), 0, 12)


def do(progress: Progress, blocks: int) -> None:
    for _ in range(blocks):
        progress.finished(Done(BLOCK, 10, 0.1))
    progress.emit()


def test_parts_add_up_to_the_run(tmp_path: Path) -> None:
    (tmp_path / "provenance.json").write_text('{"blocks": 20}')
    do(Progress(tmp_path, total=7, resumed=2, part=(1, 3)), 5)
    do(Progress(tmp_path, total=7, resumed=0, part=(2, 3)), 3)
    status = read_status(tmp_path)
    assert (status.done, status.total, status.left) == (10, 20, 10)
    assert status.workers == 1
    # parts of an earlier division do not count
    do(Progress(tmp_path, total=10, resumed=0, part=(1, 2)), 4)
    assert read_status(tmp_path).done == 4
    # nor do parts once a whole run goes on after them
    do(Progress(tmp_path, total=20, resumed=14), 6)
    assert read_status(tmp_path).left == 0


def test_a_job_that_waits_is_shown_before_anything_ran(tmp_path: Path) -> None:
    record_job(tmp_path, "42", "allocation", site="generic")
    status = read_status(tmp_path)
    assert status.total == 0
    assert [job["job"] for job in status.jobs] == ["42"]
    assert not status.merged


def test_a_line_that_is_being_written_is_no_job_yet(tmp_path: Path) -> None:
    record_job(tmp_path, "42", "allocation")
    with (tmp_path / "jobs.jsonl").open("a") as file:
        file.write('{"job": "43", "ki')
    assert len(read_status(tmp_path).jobs) == 1


def test_scripts_and_keys_are_private(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "out")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "out").stat().st_mode & 0o007 == 0


def test_a_requeued_job_goes_on_beside_its_own_lost_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    ledger = Ledger(tmp_path)
    with ledger.lock():
        assert json.loads((tmp_path / "driver.lock").read_text())["job"] == ["7", 0]
        # another driver in the same allocation is not a later turn of it
        with pytest.raises(BusyError, match="another driver"), Ledger(tmp_path).lock():
            pass
        monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
        with Ledger(tmp_path).lock():
            pass
        monkeypatch.setenv("SLURM_JOB_ID", "8")
        with pytest.raises(BusyError, match="another driver"), Ledger(tmp_path).lock():
            pass
