"""The check table is complete, also where members have problems."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from flux_files import write_netcdf

from hpcbudget.config import parse_config
from hpcbudget.errors import ConfigError, HpcBudgetError
from hpcbudget.inputs.check import COLUMNS, check_table
from hpcbudget.inputs.notice import Notice, grouped
from hpcbudget.workflow import rehearsal

TEXT = """
name: mixed
ensembles:
- family: land_process
  flux: {sign: to_atmosphere, area_basis: cell}
  components: {land: nbp}
  members:
    A: {paths: a.nc}
    B: {paths: absent.nc}
- family: inversion
  flux: {area_basis: cell}
  components: {land: nbp, ocean: nbp}
  members:
    C: {paths: a.nc}
"""


def test_rows_and_problems(tmp_path: Path) -> None:
    both_signs = np.where(np.arange(12) % 2, 1e-9, -1e-9) * np.ones((12, 6, 1))
    write_netcdf(tmp_path / "a.nc", values=both_signs)
    report = check_table(parse_config(TEXT, origin=tmp_path / "c.yaml"))
    assert report.exit_status == 3
    tables = report.by_family()
    assert list(tables) == ["land_process", "inversion"]
    good, bad = tables["land_process"]
    assert dict(zip(COLUMNS, good.cells(), strict=True)) == {
        "member": "A",
        "component": "land",
        "variable": "nbp",
        "grid": "30 deg rectilinear, S-N, 6x12",
        "calendar": "noleap",
        "period": "2001-01..2001-12 (month)",
        "units": "kg C m-2 s-1 -> kg C s-1",
        "sign": "+ to atmosphere",
        "area basis": "cell",
        "chunks": "1 x 576 B, 1 file",
        "problems": "ok",
    }
    assert (bad.member, bad.problems) == ("B", "1 problem")
    # the sign is asked for once, though two components lack it
    assert [p.what for p in report.problems] == ["file not found", "sign of the flux is unknown"]
    assert json.loads(json.dumps([row.as_dict() for row in report.rows]))[0]["member"] == "A"


def test_real_files_pass(shared_data: Path, repository: Path) -> None:
    text = (repository / "configs" / "real-inversions.yaml").read_text(encoding="utf-8")
    config = parse_config(text, origin=shared_data / "real.yaml", data=shared_data)
    report = check_table(config)
    assert report.exit_status == 0
    assert not report.warnings
    assert len(report.rows) == 11
    assert {row.problems for row in report.rows} == {"ok"}


def test_bad_input_chunks_never_written(tmp_path: Path) -> None:
    import netCDF4

    half = np.where(np.arange(12) % 2, 1e-9, -1e-9) * np.ones((6, 6, 1))
    write_netcdf(tmp_path / "a.nc", chunks=(3, 6, 12), name="other")
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as root:
        held = root.createVariable("nbp", "f8", ("time", "lat", "lon"), chunksizes=(3, 6, 12))
        held.units = "kg C m-2 s-1"
        held[3:9] = half
    config = parse_config(TEXT.replace("absent", "a"), origin=tmp_path / "c.yaml")
    assert "2 chunks of" in check_table(config).warnings[0]


def test_equal_warnings_are_one_line(tmp_path: Path) -> None:
    for name in "abcde":
        write_netcdf(tmp_path / f"{name}.nc", values=np.full((12, 6, 12), np.nan))
    members = "".join(f"    M-{name}: {{paths: {name}.nc}}\n" for name in "abcde")
    text = TEXT[: TEXT.index("    A:")] + members
    found = check_table(parse_config(text, origin=tmp_path / "c.yaml"))
    assert len(found.warnings) == 5
    (line,) = grouped(found.notices)
    assert line.startswith(
        "land_process/M-a/land.nbp, land_process/M-b/land.nbp, land_process/M-c/land.nbp and 2 more"
    )
    assert line.count("no value at all") == 1
    assert "a.nc, variable nbp" in line
    assert grouped([Notice("A", "one"), Notice("B", "two")]) == ("A: one", "B: two")


def rehearsed(tmp_path: Path, maps: str) -> tuple[list[HpcBudgetError], list[Notice]]:
    half = np.where(np.arange(12) % 2, 1e-9, -1e-9) * np.ones((12, 6, 1))
    write_netcdf(tmp_path / "a.nc", values=half)
    text = TEXT.replace("absent", "a").replace("{area_basis", "{sign: to_atmosphere, area_basis")
    config = parse_config(f"{text}\nmaps: {maps}", origin=tmp_path / "c.yaml")
    return rehearsal(config, check_table(config), tmp_path / "out" / "deep")


def test_maps_are_rehearsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rehearsed(tmp_path, "{grid: '30'}") == ([], [])
    assert not (tmp_path / "out").exists()
    for maps, where in (
        ("{grid: nowhere}", "maps.grid"),
        ("{grid: '30', components: [lnad]}", "maps.components"),
        ("{grid: '30', weights: {A: absent.nc}}", "maps.weights.A"),
        ("{grid: '30', periods: {old: [1950, 1959]}}", "maps"),
    ):
        (problem,), _ = rehearsed(tmp_path, maps)
        assert isinstance(problem, ConfigError)
        assert problem.where == where
    monkeypatch.setattr("hpcbudget.workflow.free_bytes", lambda _: 1000)
    (problems, (notice,)) = rehearsed(tmp_path, "{grid: '30'}")
    assert problems == []
    assert "1e-06 GB are free" in str(notice)
