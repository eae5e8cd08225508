"""The example analyses run as they are and find what was published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpcbudget.config import load_config
from hpcbudget.engine.fluxes import read_fluxes
from hpcbudget.inputs.synthetic import write_ensemble
from hpcbudget.science.gcb import BUDGET_TERMS, recipe
from hpcbudget.science.workbook import read_workbook
from hpcbudget.workflow import merge, run_part


def run_alone(config: Path, data: Path, out: Path) -> dict[str, pd.DataFrame]:
    """Run without a cluster and return the tables."""
    run_part(load_config(config, data=data), out, (1, 1))
    merge(out, with_report=False)
    return {
        path.stem: pd.read_csv(path, keep_default_na=False, na_values=[""])
        for path in (out / "tables").glob("*.csv")
    }


def test_gcb_like(repository, shared_data, tmp_path):
    tables = run_alone(repository / "configs" / "gcb-like.yaml", shared_data, tmp_path)
    published = read_workbook(
        shared_data / "gcb" / "Global_Carbon_Budget_2023v1.1.xlsx", recipe(2023)
    ).budget
    budget = tables["budget"].set_index("year")
    for term in (*BUDGET_TERMS, "imbalance"):
        np.testing.assert_allclose(budget[term], published[term], rtol=0, atol=1e-9)
    statistics = tables["statistics"].set_index(["family", "component", "region", "period"])
    inversions = statistics.loc[("inversion", "total", "Globe", "2001-2016")]
    assert inversions["n"] == 3
    assert inversions["sd"] < 0.1  # the air fixes the sum of land and ocean ...
    assert (
        statistics.loc[("inversion", "land", "North", "2001-2016")]["sd"] > 0.4
    )  # ... not the parts
    assert read_fluxes(tmp_path / "fluxes.zarr").sizes["time"] == 64 * 12
    rivers = tables["closure"][tables["closure"]["check"].str.startswith("rivers")]
    assert len(rivers) == 3
    assert (rivers["value"] < 1e-14).all()


@pytest.mark.slow
def test_kondo_like(repository, tmp_path):
    write_ensemble(tmp_path / "in", members=5, years=10, resolution_deg=4.0, seed=1)
    tables = run_alone(
        repository / "configs" / "kondo-like.yaml", tmp_path / "in", tmp_path / "out"
    )
    land = tables["reconciliation"]
    assert set(land["component"]) == {"land"}
    assert land["region"].nunique() == 11  # globe, nine regions and the rest
    assert (land["n_td"] == 5).all()  # seven members, five models
    assert set(tables["changes"]["agreement"]) <= {"kept", "gained", "lost", "never"}
    assert {"q05", "q95"} <= set(tables["variability"].columns)
    assert len(tables["bootstrap"]) > 1000
    steps = tables["closure"]["check"].str.contains("as before")
    assert steps.sum() == 3 * 7
    assert tables["closure"]["ok"].all()
