"""The plan promises a peak; a fresh process keeps it, whatever the length of the record."""

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
from hpcbudget.engine.execute import execute_alone
from hpcbudget.engine.progress import Progress
from hpcbudget.engine import plan as planning, read_ahead
from hpcbudget.workflow import prepare

if len(sys.argv) > 3:  # short reads, so that a short record is many of them
    read_ahead.READ_BYTES = planning.READ_BYTES = float(sys.argv[3])
out = Path(sys.argv[2])
_, plan = prepare(load_config(Path(sys.argv[1])), out)
execute_alone(plan.runner, plan.blocks, Progress(out, len(plan.blocks), 0)).settle()
# not getrusage: that still counts what the parent held when it started us
status = Path("/proc/self/status").read_text()
peak = 1024 * int(status.partition("VmHWM:")[2].split()[0])
print(json.dumps({"peak": peak, "projected": plan.peak_bytes, "read": plan.read_bytes}))
"""


def measure(config: Path, out: Path, *read_bytes: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALONE, str(config), str(out), *read_bytes],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("chunk", [1, 60])
def test_peak_stays_under_the_projection(tmp_path: Path, chunk: int) -> None:
    config = write_small_ensemble(
        tmp_path / "in", members=1, steps=120, deg=1.0, chunk=chunk, block_mb=8
    )
    found = measure(config, tmp_path / "out")
    assert found["peak"] <= found["projected"]
    # a promise far above what is needed would be of no use either
    assert found["projected"] <= 2.5 * found["peak"]


def test_memory_does_not_grow_with_the_record(tmp_path: Path) -> None:
    peaks = []
    for steps in (60, 240):
        config = write_small_ensemble(
            tmp_path / f"in{steps}", members=1, steps=steps, deg=1.0, chunk=12, block_mb=8
        )
        peaks.append(measure(config, tmp_path / f"out{steps}", "3e6")["peak"])
    grown = 180 * 2 * 64800 * 4  # bytes read more
    assert peaks[1] - peaks[0] < 0.1 * grown
