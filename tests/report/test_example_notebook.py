"""The example notebook runs from its first cell to its last, in a bare interpreter."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "example.ipynb"


def test_cells_run_and_show_what_they_promise() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") for cell in cells), "commit the notebook without outputs"
    names: dict[str, Any] = {"__name__": "notebook"}
    shown = []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body[-1]
        ends_in_value = isinstance(last, ast.Expr)
        body = ast.Module(tree.body[:-1] if ends_in_value else tree.body, [])
        exec(compile(body, str(NOTEBOOK), "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names))
    north, imbalance, table, figure = shown
    assert float(north.min()) < -10 < 5 < float(north.max())
    assert imbalance == pytest.approx(0, abs=1e-12)
    assert table["region"].tolist() == [
        "Globe",
        "North",
        "Tropics",
        "South",
        "gcb_bands/unassigned",
    ]
    assert (table.loc[table["region"] == "North", "verdict"] == "sink").all()
    assert len(figure.axes) == 4
