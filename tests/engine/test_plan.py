"""What a plan says before anything runs."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from ensembles import small_config, write_small_ensemble
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.cli import main
from hpcbudget.engine.block import whole_chunks
from hpcbudget.engine.plan import Plan, make_plan
from hpcbudget.errors import PlanError
from hpcbudget.inputs.catalogue import open_catalogue
from hpcbudget.inputs.series import Series


def planned(folder: Path, **options: float) -> Plan:
    config = small_config(folder / "in", **options)
    return make_plan(config, open_catalogue(config), folder / "out")


def test_blocks_cover_every_step_once_and_are_whole_chunks(tmp_path: Path) -> None:
    plan = planned(tmp_path, chunk=5, steps=23, block_mb=0.03)
    for key, series in plan.runner.series.items():
        mine = [b for b in plan.blocks if b.key == key]
        assert [s for b in mine for s in range(b.start, b.stop)] == list(range(23))
        edges = set(series.store.time_chunks())
        assert {b.start for b in mine} | {b.stop for b in mine} <= edges


def test_parts_share_all_blocks_out(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    shares = [plan.part(i, 3) for i in (1, 2, 3)]
    assert sorted(b for share in shares for b in share) == sorted(plan.blocks)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_what_cannot_fit_is_refused_with_the_setting_to_change(tmp_path: Path) -> None:
    path = write_small_ensemble(tmp_path / "in")
    path.write_text(path.read_text().replace("engine: {", "engine: {memory_gb: 0.01, "))
    from hpcbudget.config import load_config

    config = load_config(path)
    with pytest.raises(PlanError, match="would need") as caught:
        make_plan(config, open_catalogue(config), tmp_path / "out")
    assert "engine.memory_gb" in str(caught.value)
    assert not list((tmp_path / "out").glob("ledger*"))


def test_the_command_tells_programs_what_a_run_costs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_small_ensemble(tmp_path / "in")
    arguments = ["hpcbudget", "plan", str(path), "--out", str(tmp_path / "out"), "--json"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    facts = json.loads(capsys.readouterr().out)
    assert facts["read_bytes"] == 2 * 2 * 24 * 18 * 36 * 4
    assert facts["blocks"] == 20
    assert facts["regions"] == 1 + 4 + 3
    assert facts["expected_seconds"] > 0
    assert facts["gb_per_s_per_worker"] > 0


class Chunks:
    """A store of which only the chunk boundaries matter."""

    step_bytes = 10

    def __init__(self, edges: list[int]) -> None:
        self.edges = edges

    def time_chunks(self) -> tuple[int, ...]:
        return tuple(self.edges)


class Record:
    """A series of which only the store matters."""

    def __init__(self, edges: list[int]) -> None:
        self.store = Chunks(edges)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.floats(1, 200), st.data())
def test_runs_of_chunks_join_up_and_stay_small(
    lengths: list[int], aim: float, data: st.DataObject
) -> None:
    edges = [sum(lengths[:i]) for i in range(len(lengths) + 1)]
    start = data.draw(st.integers(0, edges[-1] - 1))
    stop = data.draw(st.integers(start + 1, edges[-1]))
    record: Series = Record(edges)  # type: ignore[assignment]
    runs = list(whole_chunks(record, start, stop, aim))
    assert runs[0][0] == start
    assert runs[-1][1] == stop
    assert all(a[1] == b[0] for a, b in pairwise(runs))
    for first, last in runs:
        inner = [e for e in edges if first < e < last]
        assert (last - first) * 10 <= aim or not inner
