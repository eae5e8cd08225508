"""The plan promises a peak for maps too; a fresh process keeps it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ensembles import write_small_ensemble

pytestmark = pytest.mark.slow

RUN_ALONE = """
import json, sys
from pathlib import Path
from hpcbudget.config import load_config
from hpcbudget.engine import read_ahead
from hpcbudget.inputs.catalogue import open_catalogue
from hpcbudget.maps import plan as planning

read_ahead.READ_BYTES = planning.READ_BYTES = 3e6
config = load_config(Path(sys.argv[1]))
plan = planning.plan_maps(config, open_catalogue(config), Path(sys.argv[2]))
for unit in plan.pending_units():
    plan.averager.run(unit)
for tile in plan.pending_tiles():
    plan.reducer.run(tile)
# not getrusage: a process inherits the peak of the one that started it
lines = Path("/proc/self/status").read_text().splitlines()
peak = 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
print(json.dumps({"peak": peak, "projected": plan.peak_bytes}))
"""


def measure(tmp_path: Path, steps: int) -> dict[str, int]:
    path = write_small_ensemble(tmp_path / f"in{steps}", members=1, steps=steps, deg=1.0, chunk=12)
    years = [2000, 2000 + steps // 12 - 1]
    path.write_text(
        path.read_text() + f"maps: {{grid: '1', seasons: months, periods: {{x: {years}}}}}"
    )
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALONE, str(path), str(tmp_path / f"out{steps}")],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_memory_is_as_promised_and_does_not_grow_with_the_record(tmp_path: Path) -> None:
    short, long = measure(tmp_path, 36), measure(tmp_path, 240)
    for found in (short, long):
        assert found["peak"] <= found["projected"]
        assert found["projected"] <= 2.5 * found["peak"]
    grown = 204 * 2 * 64800 * 4  # bytes read more
    assert long["peak"] - short["peak"] < 0.1 * grown
