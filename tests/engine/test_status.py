"""What ``status`` says of a run, also where its own account is lost or damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hpcbudget.engine.ledger import Ledger
from hpcbudget.engine.status import read_status
from hpcbudget.errors import ConfigError
from tests.faulty_work import Chore

GARBAGE = (b"", b"\x00\x00\xff", b'{"done": 1', b"5\n[1, 2]\n", b'{"done": 3}\n')


def ledger_of(out: Path, done: int, blocks: int) -> None:
    folder = out / "ledger" / "inversion" / "A" / "land.nbp"
    folder.mkdir(parents=True)
    for i in range(done):
        (folder / f"{i:06d}-{i + 1:06d}.totals").write_bytes(b"")
    (out / "provenance.json").write_text(json.dumps({"blocks": blocks}))


@pytest.mark.parametrize("garbage", GARBAGE)
def test_bad_input_progress_that_cannot_be_read(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "progress.jsonl").write_bytes(garbage)
    with pytest.raises(ConfigError, match="no run was begun here"):
        read_status(tmp_path)
    ledger_of(tmp_path, done=3, blocks=5)
    Ledger(tmp_path).record_failure(Chore("bad"), "chunk 3 is truncated")
    status = read_status(tmp_path)
    assert (status.done, status.failed, status.left, status.total) == (3, 1, 1, 5)
    assert status.failures == ("chunk 3 is truncated",)
    assert status.updated > 0


def test_the_last_whole_event_counts(tmp_path: Path) -> None:
    ledger_of(tmp_path, done=3, blocks=5)
    event = {
        "time": 9.0, "done": 4, "failed": 0, "total": 5, "workers": 2, "gb_per_s": 1.0,
        "eta_seconds": 3.0,
    }  # fmt: skip
    (tmp_path / "progress.jsonl").write_text(json.dumps(event) + '\n{"time": 10.0, "do')
    assert read_status(tmp_path).done == 4


def test_a_ledger_without_provenance_is_counted(tmp_path: Path) -> None:
    ledger_of(tmp_path, done=2, blocks=0)
    (tmp_path / "provenance.json").unlink()
    assert read_status(tmp_path).total == 2
