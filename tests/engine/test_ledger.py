from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpcbudget.engine.block import Block
from hpcbudget.engine.ledger import Ledger
from hpcbudget.engine.totals import Totals
from hpcbudget.errors import BusyError, OutputError
from hpcbudget.inputs.series import SeriesKey

KEY = SeriesKey("inversion", "A", "A", "land", "nbp")
BLOCK = Block(KEY, 0, 2)


def make(value: float = 1.0) -> Totals:
    full = np.full((2, 3), value)
    return Totals(full, full, full)


def test_a_recorded_block_is_found_with_its_fingerprint_only(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.find(BLOCK, "f") is None
    ledger.record(BLOCK, "f", make())
    found = ledger.find(BLOCK, "f")
    assert found is not None
    assert np.array_equal(found.rate_kg_s, make().rate_kg_s)
    assert ledger.find(BLOCK, "other inputs") is None
    assert ledger.find(Block(KEY, 0, 3), "f") is None


@pytest.mark.parametrize("damage", ["truncate", "edit", "empty"])
def test_a_damaged_entry_counts_as_not_done(tmp_path: Path, damage: str) -> None:
    ledger = Ledger(tmp_path)
    ledger.record(BLOCK, "f", make())
    path = ledger.path(BLOCK)
    raw = path.read_bytes()
    path.write_bytes(
        {"truncate": raw[:-1], "edit": raw.replace(b'"f"', b'"g"'), "empty": b""}[damage]
    )
    assert ledger.find(BLOCK, "f") is None
    ledger.record(BLOCK, "f", make())
    assert ledger.find(BLOCK, "f") is not None


def test_an_entry_moved_to_another_block_is_not_taken_for_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record(BLOCK, "f", make())
    other = Block(KEY, 2, 4)
    ledger.path(BLOCK).rename(ledger.path(other))
    assert ledger.find(other, "f") is None


def test_last_of_two_writers_wins_and_leaves_no_litter(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record(BLOCK, "f", make(1.0))
    ledger.record(BLOCK, "f", make(1.0))
    assert [p.name for p in ledger.path(BLOCK).parent.iterdir()] == [ledger.path(BLOCK).name]


def test_an_unwritable_place_says_so_and_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("a file where a folder must be")
    with pytest.raises(OutputError, match="cannot write") as caught:
        Ledger(tmp_path).record(BLOCK, "f", make())
    assert "--out" in caught.value.fix


HOLD = """
import sys, time
from pathlib import Path
from hpcbudget.engine.ledger import Ledger
with Ledger(Path(sys.argv[1])).lock(shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [("whole", "whole", True), ("shared", "whole", True), ("whole", "shared", True),
     ("shared", "shared", False)],
)  # fmt: skip
def test_a_second_driver_is_refused_unless_both_are_parts(
    tmp_path: Path, first: str, second: str, refused: bool
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), first],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        ledger = Ledger(tmp_path)
        if refused:
            with (
                pytest.raises(BusyError, match="another driver"),
                ledger.lock(shared=second == "shared"),
            ):
                pass
        else:
            with ledger.lock(shared=second == "shared"):
                pass
        holder.kill()
    with ledger.lock():  # the lock of a killed process is gone with it
        pass
