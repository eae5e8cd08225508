"""The same configuration gives the same bytes, however it is run."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from ensembles import result_bytes, small_config

from hpcbudget.engine.execute import execute_alone
from hpcbudget.engine.ledger import Ledger
from hpcbudget.engine.plan import make_plan
from hpcbudget.engine.progress import Progress
from hpcbudget.inputs.catalogue import open_catalogue
from hpcbudget.workflow import finish, merge, run_config, run_part


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    config = small_config(folder / "in")
    run_config(config, folder / "out", workers=1, with_report=False)
    return result_bytes(folder / "out")


@pytest.mark.parametrize("chunk", [1, 7, 24])
def test_chunks_and_blocks_change_nothing(
    tmp_path: Path, undisturbed: dict[str, bytes], chunk: int
) -> None:
    config = small_config(tmp_path / "in", chunk=chunk, block_mb=0.02 * chunk)
    run_config(config, tmp_path / "out", workers=2, with_report=False)
    assert result_bytes(tmp_path / "out") == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "processes"), [(8, False), (1, True), (2, True)])
def test_workers_change_nothing(
    tmp_path: Path,
    undisturbed: dict[str, bytes],
    workers: int,
    processes: bool,
) -> None:
    config = small_config(tmp_path / "in", processes=processes)
    run_config(config, tmp_path / "out", workers=workers, with_report=False)
    assert result_bytes(tmp_path / "out") == undisturbed


def test_order_and_resumes_change_nothing(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    config = small_config(tmp_path / "in")
    out = tmp_path / "out"
    catalogue = open_catalogue(config)
    plan = make_plan(config, catalogue, out)
    blocks = list(plan.blocks)
    random.Random(1).shuffle(blocks)
    for i in range(0, len(blocks), 5):
        some = blocks[i : i + 5]
        execute_alone(plan.runner, some, Progress(out, len(some), 0)).settle()
    finish(config, plan, out, with_report=False)
    assert result_bytes(out) == undisturbed


def test_parts_and_merge_change_nothing(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    config = small_config(tmp_path / "in")
    for index in (2, 3, 1):
        run_part(config, tmp_path / "out", (index, 3))
    merge(tmp_path / "out", with_report=False)
    assert result_bytes(tmp_path / "out") == undisturbed


def test_a_second_run_computes_nothing_and_changes_nothing(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    config = small_config(tmp_path / "in")
    out = tmp_path / "out"
    run_config(config, out, workers=1, with_report=False)
    entries = {p: p.stat().st_mtime_ns for p in (out / "ledger").rglob("*.totals")}
    run_config(config, out, workers=1, with_report=False)
    assert {p: p.stat().st_mtime_ns for p in (out / "ledger").rglob("*.totals")} == entries
    assert result_bytes(out) == undisturbed


def test_changed_inputs_invalidate_their_own_blocks_only(tmp_path: Path) -> None:
    from ensembles import write_member

    config = small_config(tmp_path / "in")
    out = tmp_path / "out"
    run_config(config, out, workers=1, with_report=False)
    before = {
        p.name + str(p.parent): p.stat().st_mtime_ns for p in (out / "ledger").rglob("*.totals")
    }
    write_member(tmp_path / "in" / "m1.zarr", 99)
    run_config(config, out, workers=1, with_report=False)
    after = {
        p.name + str(p.parent): p.stat().st_mtime_ns for p in (out / "ledger").rglob("*.totals")
    }
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name in before if "M1" in name}


def test_fresh_forgets_everything(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    config = small_config(tmp_path / "in")
    out = tmp_path / "out"
    run_config(config, out, workers=1, with_report=False)
    first = {p: p.stat().st_mtime_ns for p in (out / "ledger").rglob("*.totals")}
    run_config(config, out, workers=1, fresh=True, with_report=False)
    second = {p: p.stat().st_mtime_ns for p in (out / "ledger").rglob("*.totals")}
    assert first.keys() == second.keys()
    assert all(second[p] > first[p] for p in first)
    assert result_bytes(out) == undisturbed


@pytest.mark.parametrize("damage", ["truncate", "edit"])
def test_a_damaged_ledger_entry_is_redone(
    tmp_path: Path, undisturbed: dict[str, bytes], damage: str
) -> None:
    config = small_config(tmp_path / "in")
    out = tmp_path / "out"
    run_config(config, out, workers=1, with_report=False)
    entry = sorted(Ledger(out).folder.rglob("*.totals"))[3]
    raw = entry.read_bytes()
    entry.write_bytes(raw[:-9] if damage == "truncate" else raw[:-9] + b"x" + raw[-8:])
    run_config(config, out, workers=1, with_report=False)
    assert entry.read_bytes() == raw
    assert result_bytes(out) == undisturbed


def test_a_damaged_domain_is_mended_by_the_next_run(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    config = small_config(tmp_path / "in")
    out = tmp_path / "out"
    run_config(config, out, workers=1, with_report=False)
    domain = next((out / "domains").iterdir())
    domain.write_bytes(domain.read_bytes()[:-3])
    Ledger(out).clear()
    run_config(config, out, workers=1, with_report=False)
    assert result_bytes(out) == undisturbed
