"""Runs that are killed, starved and fed with damaged files end right or say why, and go on."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from ensembles import result_bytes, write_small_ensemble

pytestmark = pytest.mark.slow

STEPS = 120  # one step to a block: members x components x steps blocks
COMMAND = [sys.executable, "-m", "hpcbudget.cli"]


def start(config: Path, out: Path) -> subprocess.Popen[str]:
    command = [*COMMAND, "run", str(config), "--out", str(out), "--workers", "2", "--no-report"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=240)
    return process.returncode, errors


def run(config: Path, out: Path) -> tuple[int, str]:
    return finished(start(config, out))


def entries(out: Path) -> int:
    return sum(1 for _ in (out / "ledger").rglob("*.totals"))


def wait_for_entries(out: Path, process: subprocess.Popen[str], more: int) -> bool:
    """Wait until `more` further blocks are done; False if the run ended before."""
    goal = entries(out) + more
    while process.poll() is None:
        if entries(out) >= goal:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ensemble")
    return write_small_ensemble(
        folder, members=2, steps=STEPS, chunk=1, block_mb=1e-6, processes=True
    )


@pytest.fixture(scope="module")
def undisturbed(ensemble: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    status, errors = run(ensemble, out)
    assert status == 0, errors
    return result_bytes(out)


def test_killed_drivers_cost_the_blocks_in_flight_only(
    ensemble: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    dice = random.Random(7)
    for whole_tree in (True, False, True):
        process = start(ensemble, out)
        wait_for_entries(out, process, dice.randint(1, 60))
        before = entries(out)
        if whole_tree:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.communicate()
        assert entries(out) >= before
    first = {p: p.stat().st_mtime_ns for p in (out / "ledger").rglob("*.totals")}
    status, errors = run(ensemble, out)
    assert status == 0, errors
    assert all(p.stat().st_mtime_ns == then for p, then in first.items()), "done blocks redone"
    assert result_bytes(out) == undisturbed
    assert not list(out.rglob("*.tmp")) or all(".tmp" in p.name for p in out.rglob("*.tmp"))


def test_killed_workers_are_replaced(
    ensemble: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start(ensemble, out)
    for _ in range(2):
        if not wait_for_entries(out, process, 40):
            break
        workers = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if "spawn_main" in " ".join(child.cmdline())
        ]
        assert workers
        workers[0].kill()
    status, errors = finished(process)
    assert status == 0, errors
    assert result_bytes(out) == undisturbed


@pytest.mark.parametrize("damage", ["deleted", "truncated", "vanished member"])
def test_bad_input_stops_its_own_blocks_only_and_is_curable(
    ensemble: Path, undisturbed: dict[str, bytes], tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "in"
    shutil.copytree(ensemble.parent, folder)
    config, out = folder / ensemble.name, tmp_path / "out"
    # the same data root in both places keeps the provenance of values the same
    chunk = folder / "m1.zarr" / "land" / "c" / "57" / "0" / "0"
    raw = chunk.read_bytes()
    if damage == "deleted":
        chunk.unlink()
    elif damage == "truncated":
        chunk.write_bytes(raw[: len(raw) // 2])
    else:
        (folder / "m1.zarr").rename(folder / "gone")
    status, errors = run(config, out)
    assert status == 3, errors
    assert "Traceback" not in errors
    assert "m1.zarr" in errors
    if damage == "vanished member":
        (folder / "gone").rename(folder / "m1.zarr")
    else:
        assert "57" in errors
        assert entries(out) == 2 * 2 * STEPS - 1, "all other blocks are finished"
        shown = subprocess.run(
            [*COMMAND, "status", str(out), "--json"], capture_output=True, text=True, check=True
        )
        now = json.loads(shown.stdout)
        assert (now["failed"], now["left"]) == (1, 0)
        assert "m1.zarr" in now["failures"][0]
        chunk.write_bytes(raw)
    assert not (out / "fluxes.zarr").exists()
    status, errors = run(config, out)
    assert status == 0, errors
    assert result_bytes(out) == undisturbed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of half a megabyte."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_said_and_the_run_goes_on_after_the_cure(
    ensemble: Path, undisturbed: dict[str, bytes], small_disk: Path
) -> None:
    out = small_disk / "out"
    status, errors = run(ensemble, out)
    assert status == 3, errors
    assert "no space left" in errors
    assert "Traceback" not in errors
    done = entries(out)
    assert done > 0
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    status, errors = run(ensemble, out)
    assert status == 0, errors
    assert f"{done} done before" in errors
    assert result_bytes(out) == undisturbed


def test_an_unwritable_place_is_said(ensemble: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    status, errors = run(ensemble, tmp_path / "file" / "out")
    assert status == 3
    assert "cannot write" in errors
    assert "Traceback" not in errors


def test_a_second_driver_is_refused_while_the_first_runs(ensemble: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = start(ensemble, out)
    try:
        assert wait_for_entries(out, first, 1)
        status, errors = run(ensemble, out)
        assert status == 2
        assert "another driver" in errors
    finally:
        assert finished(first)[0] == 0
