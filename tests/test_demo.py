"""The demo recovers its known answer, and the example configuration runs on what it wrote."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from hpcbudget.cli import main
from hpcbudget.config import load_config
from hpcbudget.inputs.synthetic_truth import SyntheticTruth
from hpcbudget.workflow import run_config


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One coarse demo of all ten years, through the command line."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        # someone's own data root must not lead the demo astray
        patch.setenv("HPCBUDGET_DATA", str(folder / "elsewhere"))
        patch.setattr(
            sys,
            "argv",
            ["hpcbudget", "demo", "--out", str(folder), "--resolution", "6", "--workers", "1"],
        )
        with pytest.raises(SystemExit) as stop:
            main()
    assert stop.value.code == 0
    return folder


def test_every_regional_total_is_recovered(out: Path) -> None:
    errors = SyntheticTruth.read(out / "truth.csv").compare(out / "tables" / "monthly.csv")
    assert len(errors) == 162
    assert (errors.months == 120).all()
    assert errors.relative_error.max() < 1e-9
    assert errors.error_pgc_yr.max() < 1e-13


def test_one_model_has_one_vote(out: Path) -> None:
    statistics = pd.read_csv(out / "tables" / "statistics.csv", keep_default_na=False)
    globe = statistics[(statistics.region == "Globe") & (statistics.family == "inversion")]
    assert set(globe.n) == {2}  # three members, two models


def test_the_budget_closes_and_the_report_is_there(out: Path) -> None:
    closure = pd.read_csv(out / "tables" / "closure.csv")
    assert closure.ok.all()
    for path in (
        "report/index.html",
        "figures/global_carbon_budget.png",
        "figures/global_carbon_budget.pdf",
        "provenance.json",
        "config.resolved.yaml",
        "fluxes.zarr",
    ):
        assert (out / path).exists()


def test_the_example_configuration_runs_on_the_demo_files(
    out: Path, repository: Path, tmp_path: Path
) -> None:
    config = load_config(repository / "configs" / "example.yaml", data=out)
    run_config(config, tmp_path, workers=1, with_report=False)
    keys = ["family", "member", "component", "region", "year", "month"]
    tables = [
        pd.read_csv(folder / "tables" / "monthly.csv", keep_default_na=False, dtype=str)
        for folder in (out, tmp_path)
    ]
    both = tables[0].merge(tables[1], on=keys, suffixes=("", "_again"))
    both = both[~both.region.str.contains("unassigned")]  # of fewer boxes
    assert len(both) > 18 * 120 * 5
    difference = both.flux_pgc_yr.replace("", "0").astype(float) - both.flux_pgc_yr_again.replace(
        "", "0"
    ).astype(float)
    assert difference.abs().max() < 1e-13
