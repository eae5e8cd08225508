"""What a user sees of bad input: one readable block, the file and the remedy, an exit status."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
import yaml
from paper import THREE_ROWS, VALUES, configure, write

from hpcbudget.cli import main
from hpcbudget.inputs.synthetic import write_ensemble
from hpcbudget.inputs.synthetic_truth import SyntheticTruth


class Answer(NamedTuple):
    status: int
    text: str


Command = Callable[..., Answer]


@pytest.fixture
def hpcbudget(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command line in this process."""
    monkeypatch.delenv("HPCBUDGET_DATA", raising=False)

    def command(*arguments: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["hpcbudget", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        text = captured.out + captured.err
        assert "Traceback" not in text
        assert isinstance(stop.value.code, int)
        return Answer(stop.value.code, text)

    return command


def both(hpcbudget: Command, folder: Path, config: Path) -> Answer:
    """`check` and `run` refuse alike, and `run` leaves no result."""
    checked = hpcbudget("check", config, "--data", folder)
    ran = hpcbudget("run", config, "--data", folder, "--out", folder / "out", "--workers", "1")
    assert checked.status == ran.status
    assert not (folder / "out" / "tables").exists()
    return ran


# ------------------------------------------------------------ configuration


def broken(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    write(folder / "a.nc", VALUES)
    path = configure(folder, {"a": {}}, regions=["gcb_bands"])
    config = yaml.safe_load(path.read_text())
    change(config)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(regoins=c.pop("regions")), ["regoins", "did you mean 'regions'"]),
        (lambda c: c.update(overlap="center"), ["overlap", "centre"]),
        (lambda c: c.update(regions=["gcb_band"]), ["gcb_band", "gcb_bands"]),
        (lambda c: c.update(period=[2005, 2001]), ["period", "2005"]),
        (lambda c: c["ensembles"][0].update(family="landprocess"), ["family", "land_process"]),
        (lambda c: c["ensembles"][0].pop("members"), ["members"]),
    ],
)
def test_bad_input_of_the_configuration_exits_2(
    tmp_path: Path, hpcbudget: Command, change: Callable[[dict[str, Any]], object], said: list[str]
) -> None:
    answer = both(hpcbudget, tmp_path, broken(tmp_path, change))
    assert answer.status == 2
    for word in said:
        assert word in answer.text
    assert "config.yaml" in answer.text or "gcb_band" in said


def test_bad_input_every_fault_of_the_configuration_at_once(
    tmp_path: Path, hpcbudget: Command
) -> None:
    def spoil(config: dict[str, Any]) -> None:
        config["regoins"] = config.pop("regions")
        config["overlap"] = "center"
        config["ensembles"][0]["members"]["a"]["pahts"] = "a.nc"

    answer = both(hpcbudget, tmp_path, broken(tmp_path, spoil))
    assert answer.status == 2
    assert all(word in answer.text for word in ("regoins", "center", "pahts", "'paths'"))


def test_bad_input_absent_and_unreadable_configuration(tmp_path: Path, hpcbudget: Command) -> None:
    assert hpcbudget("run", tmp_path / "no.yaml", "--out", tmp_path / "out").status == 2
    (tmp_path / "tab.yaml").write_text("name: a\n\tensembles: []\n")
    answer = hpcbudget("run", tmp_path / "tab.yaml", "--out", tmp_path / "out")
    assert answer.status == 2
    assert "tab.yaml" in answer.text
    (tmp_path / "list.yaml").write_text("- 1\n")
    assert hpcbudget("check", tmp_path / "list.yaml").status == 2


# -------------------------------------------------------------------- files


def days(n: int = 12, *, start: float = 15.0, step: float = 30.4) -> np.ndarray:
    return start + step * np.arange(n)


FILES: dict[str, tuple[Callable[[Path], object], dict[str, Any], list[str]]] = {
    "absent": (lambda p: None, {}, ["a.nc", "not found"]),
    "no_netcdf": (lambda p: p.write_bytes(b"<html>404</html>" * 9), {}, ["a.nc"]),
    "truncated": (
        lambda p: (write(p, VALUES), p.write_bytes(p.read_bytes()[:3000])),
        {},
        ["a.nc"],
    ),
    "variable": (lambda p: write(p, VALUES, variable="npb"), {}, ["a.nc", "'nbp'", "npb"]),
    "no_units": (lambda p: write(p, VALUES, units=None), {}, ["a.nc", "units"]),
    "odd_units": (lambda p: write(p, VALUES, units="furlongs"), {}, ["a.nc", "furlongs"]),
    "no_rate": (lambda p: write(p, VALUES, units="kg m-2"), {}, ["a.nc", "kg m-2"]),
    "species": (
        lambda p: write(p, VALUES),
        {"flux": {"species": None}},
        ["a.nc", "species: CO2"],
    ),
    "sign": (lambda p: write(p, VALUES), {"flux": {"sign": None}}, ["a.nc", "sign"]),
    "basis_and_units": (
        lambda p: write(p, VALUES),
        {"flux": {"area_basis": "per_cell"}},
        ["a.nc", "per_cell"],
    ),
    "land_fraction": (
        lambda p: write(p, VALUES),
        {"flux": {"area_basis": "land"}},
        ["a.nc", "land_fraction"],
    ),
    "gap": (
        lambda p: write(p, np.broadcast_to(VALUES, (11, 3, 4)), stamps=np.delete(days(), 4)),
        {},
        ["a.nc", "2001-05"],
    ),
    "twice": (
        lambda p: write(
            p, np.broadcast_to(VALUES, (13, 3, 4)), stamps=np.insert(days(), 4, days()[4])
        ),
        {},
        ["a.nc", "2001-05"],
    ),
    "backwards": (
        lambda p: write(p, np.broadcast_to(VALUES, (12, 3, 4)), stamps=days()[::-1]),
        {},
        ["a.nc"],
    ),
    "grid": (
        lambda p: write(p, VALUES, coords={"lat": [-60.0, 0.0, 100.0], "lon": THREE_ROWS["lon"]}),
        {},
        ["a.nc", "lat"],
    ),
    "infinite": (
        lambda p: write(p, np.where(VALUES > 11e-9, np.inf, VALUES)),
        {},
        ["a.nc", "infinite"],
    ),
}


@pytest.mark.parametrize("case", list(FILES))
def test_bad_input_files_exit_3_and_are_named(
    tmp_path: Path, hpcbudget: Command, case: str
) -> None:
    make, options, said = FILES[case]
    make(tmp_path / "a.nc")
    config = configure(tmp_path, {"a": options})
    out = tmp_path / "out"
    answer = hpcbudget("run", config, "--data", tmp_path, "--out", out, "--workers", "1")
    assert answer.status == 3
    for word in said:
        assert word in answer.text
    assert re.search(r"^\s+fix: ", answer.text, flags=re.MULTILINE)
    assert not (out / "tables").exists()


def test_bad_input_period_without_data(tmp_path: Path, hpcbudget: Command) -> None:
    write(tmp_path / "a.nc", VALUES)
    answer = both(hpcbudget, tmp_path, configure(tmp_path, {"a": {}}, period=[1990, 1999]))
    assert answer.status in (2, 3)
    assert "2001" in answer.text
    assert "1990" in answer.text


def test_bad_input_all_members_at_once(tmp_path: Path, hpcbudget: Command) -> None:
    write(tmp_path / "good.nc", VALUES)
    write(tmp_path / "units.nc", VALUES, units="furlongs")
    write(tmp_path / "name.nc", VALUES, variable="npb")
    members = {name: {} for name in ("good", "units", "name", "absent")}
    answer = both(hpcbudget, tmp_path, configure(tmp_path, members))
    assert answer.status == 3
    assert "3 problems" in answer.text
    assert all(f"{name}.nc" in answer.text for name in ("units", "name", "absent"))
    assert "good.nc" not in answer.text


def test_good_input_passes_the_same_check(tmp_path: Path, hpcbudget: Command) -> None:
    write(tmp_path / "a.nc", VALUES)
    config = configure(tmp_path, {"a": {}})
    assert hpcbudget("check", config, "--data", tmp_path).status == 0
    assert hpcbudget("plan", config, "--data", tmp_path, "--out", tmp_path / "out").status == 0


def test_the_installed_command_prints_no_traceback(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "hpcbudget.cli", "run", str(tmp_path / "none.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert "Traceback" not in ended.stderr


# ------------------------------------------------------------------ stores


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    """A small demo, not run yet: NetCDF files and zarr stores of one year-long chunk each year."""
    write_ensemble(tmp_path, members=1, years=2, resolution_deg=15)
    return tmp_path


def run_demo(hpcbudget: Command, folder: Path) -> Answer:
    out = folder / "out"
    config = folder / "config.yaml"
    return hpcbudget("run", config, "--data", folder, "--out", out, "--workers", "1")


def test_bad_input_lost_chunk_is_named_and_never_taken_as_missing_data(
    stores: Path, hpcbudget: Command
) -> None:
    (stores / "inputs" / "inversion-Aurora_r1.zarr" / "ocean" / "c" / "1" / "0" / "0").unlink()
    answer = run_demo(hpcbudget, stores)
    assert answer.status == 3
    for word in ("inversion-Aurora_r1.zarr", "c/1/0/0", "ocean"):
        assert word in answer.text
    assert "Aurora_r2" not in answer.text
    assert not (stores / "out" / "tables").exists()


def test_bad_input_cut_chunk_is_named(stores: Path, hpcbudget: Command) -> None:
    chunk = stores / "inputs" / "inversion-Aurora_r1.zarr" / "ocean" / "c" / "1" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-100])
    answer = run_demo(hpcbudget, stores)
    assert answer.status == 3
    for word in ("inversion-Aurora_r1.zarr", "ocean", "truncated or corrupt"):
        assert word in answer.text
    assert not (stores / "out" / "tables").exists()


def test_a_mended_store_is_run_on(stores: Path, hpcbudget: Command) -> None:
    chunk = stores / "inputs" / "inversion-Aurora_r1.zarr" / "ocean" / "c" / "1" / "0" / "0"
    whole = chunk.read_bytes()
    chunk.unlink()
    assert run_demo(hpcbudget, stores).status == 3
    chunk.write_bytes(whole)
    with mock.patch("hpcbudget.workflow.build_report", return_value=stores):  # not its business
        assert run_demo(hpcbudget, stores).status == 0
    errors = SyntheticTruth.read(stores / "truth.csv").compare(
        stores / "out" / "tables" / "monthly.csv"
    )
    assert errors.relative_error.max() < 1e-9


# ----------------------------------------------------------------- closure


def test_a_budget_that_does_not_close_exits_4_and_says_where(
    tmp_path: Path, hpcbudget: Command
) -> None:
    noise = np.random.default_rng(1).normal(0.0, 1e-9, (3, 4))
    write(tmp_path / "a.nc", noise)
    boxes = {"A": [10.0, 100.0, -50.0, 50.0], "B": [100.0, 333.3, -20.0, 77.0]}
    config = configure(
        tmp_path,
        {"a": {}},
        regions=[{"name": "parts", "boxes": boxes}],
        closure={"tolerance": 1e-300},  # no sum of rounded numbers can meet this
    )
    out = tmp_path / "out"
    answer = hpcbudget("run", config, "--data", tmp_path, "--out", out, "--workers", "1")
    assert answer.status == 4
    for word in ("close", "parts", "land_process", "1e-300"):
        assert word in answer.text
    closure = (out / "tables" / "closure.csv").read_text()
    assert "False" in closure
