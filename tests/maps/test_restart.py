"""However maps come about (chunks, order, parts, workers, kills), the bytes are the same."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from ensembles import write_small_ensemble
from gridded import files_of, make_maps, plan

from hpcbudget.config import Config, parse_config
from hpcbudget.engine.execute import execute_alone
from hpcbudget.engine.progress import Progress
from hpcbudget.workflow import merge, run_config, run_part

MAPS = """
maps:
  grid: "15"
  periods: {"first": [2000, 2000], "both": [2000, 2001]}
  seasons: [annual, seasons]
  quantiles: [0.5]
  tile_mb: 0.001
"""


def mapped_config(folder: Path, chunk: int = 5) -> Config:
    path = write_small_ensemble(folder, members=3, chunk=chunk)
    path.write_text(path.read_text() + MAPS)
    return parse_config(path.read_text(), origin=path)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    make_maps(mapped_config(folder / "in"), folder / "out").close()
    return files_of(folder / "out" / "maps.zarr")


@pytest.mark.parametrize("chunk", [1, 7, 24])
def test_chunks_change_nothing(tmp_path: Path, undisturbed: dict[str, bytes], chunk: int) -> None:
    make_maps(mapped_config(tmp_path / "in", chunk), tmp_path / "out").close()
    assert files_of(tmp_path / "out" / "maps.zarr") == undisturbed


def test_order_changes_nothing(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    config, out = mapped_config(tmp_path / "in"), tmp_path / "out"
    planned = plan(config, out)
    shuffle = random.Random(3)
    for work, pending in (
        (planned.averager, planned.pending_units),
        (planned.reducer, planned.pending_tiles),
    ):
        left = list(pending())
        shuffle.shuffle(left)
        for i in range(0, len(left), 3):
            some = left[i : i + 3]
            execute_alone(work, some, Progress(out, len(some), 0)).settle()
    planned.publish()
    assert files_of(out / "maps.zarr") == undisturbed


def test_workers_change_nothing_and_the_account_closes(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    config, out = mapped_config(tmp_path / "in"), tmp_path / "out"
    outcome = run_config(config, out, workers=2, with_report=False)
    assert files_of(out / "maps.zarr") == undisturbed
    own = outcome.closure[outcome.closure["check"].str.contains("map")]
    assert set(own["check"]) == {
        "mean map = table, before regridding",
        "mean map = table, after regridding",
        "ensemble maps = maps of its models",
    }
    assert len(own) == 3 * 2 * 2 + 3
    assert own["ok"].all()
    assert own["value"].max() < 1e-14
    assert not (out / ".maps.zarr.partial").exists()


def test_parts_and_merge_change_nothing(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    config, out = mapped_config(tmp_path / "in"), tmp_path / "out"
    for index in (2, 1):
        run_part(config, out, (index, 2))
    kept = {p: p.stat().st_mtime_ns for p in out.rglob("*.maps")}
    assert len(kept) == 3 * 2 * 2
    merge(out, with_report=False)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.maps")} == kept
    assert files_of(out / "maps.zarr") == undisturbed


def test_a_second_run_computes_nothing(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    config, out = mapped_config(tmp_path / "in"), tmp_path / "out"
    make_maps(config, out).close()
    planned = plan(config, out)
    assert planned.finished
    assert not planned.pending_units()
    assert not planned.pending_tiles()


def test_a_changed_member_is_averaged_anew_and_no_other(tmp_path: Path) -> None:
    from ensembles import write_member

    config, out = mapped_config(tmp_path / "in"), tmp_path / "out"
    make_maps(config, out).close()
    before = files_of(out / "maps.zarr")
    write_member(tmp_path / "in" / "m1.zarr", 77)
    planned = plan(config, out)
    assert {unit.key.member for unit in planned.pending_units()} == {"M1"}
    make_maps(config, out).close()
    after = files_of(out / "maps.zarr")
    assert {name for name in before if before[name] != after[name]} >= {"mean/c/0/0/0/0/0/0"}


@pytest.mark.parametrize("damage", ["truncate", "edit"])
@pytest.mark.parametrize("pattern", ["**/*.maps", ".maps.zarr.partial/mean/c/**/0"])
def test_what_is_damaged_is_made_anew(
    tmp_path: Path, undisturbed: dict[str, bytes], damage: str, pattern: str
) -> None:
    config, out = mapped_config(tmp_path / "in"), tmp_path / "out"
    planned = plan(config, out)
    execute_alone(planned.averager, planned.pending_units(), Progress(out, 1, 0)).settle()
    execute_alone(planned.reducer, planned.pending_tiles(), Progress(out, 1, 0)).settle()
    victim = sorted(p for p in out.glob(pattern) if p.is_file())[1]
    raw = victim.read_bytes()
    victim.write_bytes(raw[:-9] if damage == "truncate" else raw[:-9] + b"x" + raw[-8:])
    again = plan(config, out)
    assert len(again.pending_units()) + len(again.pending_tiles()) == 1
    make_maps(config, out).close()
    assert files_of(out / "maps.zarr") == undisturbed


CHILD = """
import os, signal, sys
from pathlib import Path
from hpcbudget.config import load_config
from hpcbudget.maps import ensembles, averager
from gridded import make_maps

left = int(sys.argv[2])
def count(own):
    def wrapped(*arguments):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return own(*arguments)
    return wrapped

ensembles.Ensembles._put = count(ensembles.Ensembles._put)
averager.accumulate = count(averager.accumulate)
folder = Path(sys.argv[1])
make_maps(load_config(folder / "in" / "config.yaml"), folder / "out")
"""


@pytest.mark.parametrize("moment", [9, 40, 150])
def test_a_kill_at_any_moment_leaves_nothing_half_visible(
    tmp_path: Path, undisturbed: dict[str, bytes], moment: int
) -> None:
    config, out = mapped_config(tmp_path / "in"), tmp_path / "out"
    tests = str(Path(__file__).resolve().parents[1])
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path), str(moment)],
        env={"PYTHONPATH": tests, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr.decode()
    assert not (out / "maps.zarr").exists()
    make_maps(config, out).close()
    assert files_of(out / "maps.zarr") == undisturbed
