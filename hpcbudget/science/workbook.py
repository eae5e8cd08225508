"""Read the workbooks that the Global Carbon Budget publishes with each edition."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from hpcbudget.science.gcb import BUDGET_TERMS, Members, Recipe
from hpcbudget.science.sheet import Sheet, read_sheet

_OCEAN, _LAND, _ELUC = "Ocean Sink", "Terrestrial Sink", "Land-Use Change Emissions"
_BUDGET = "Global Carbon Budget"
_MODELS = ("Individual", "GOBM", "DGVM", "Models")
_PRODUCTS = ("Data-based", "Data products", "Observation-based", "fCO2", "pCO2")
_BUDGET_HEADERS = {
    "fossil": "fossil emissions", "eluc": "land-use change", "growth": "atmospheric growth",
    "ocean": "ocean sink", "land": "land sink", "cement": "cement carbonation",
    "imbalance": "budget imbalance",
}  # fmt: skip


def read_workbook(path: Path, rules: Recipe) -> Members:
    """Read an edition's workbook.

    Parameters
    ----------
    path : Path
        ``Global_Carbon_Budget_*.xlsx``.
    rules : Recipe
        Of the edition; says how the workbook counts the DGVMs' E_LUC.

    Raises
    ------
    InputError
        A sheet, column or group of columns is not where all known editions have it.
    """
    ocean, land = (read_sheet(path, name) for name in (_OCEAN, _LAND))
    eluc, budget = (read_sheet(path, name) for name in (_ELUC, _BUDGET))
    products = [
        i for i in ocean.group(*_PRODUCTS)
        if not ocean.header[i].casefold().startswith(("average", "sd "))
    ]  # fmt: skip
    return Members(
        budget=_budget(budget, rules),
        ocean_models=ocean.frame(ocean.group(*_MODELS)),
        products=ocean.frame(products),
        land_models=land.frame(land.group(*_MODELS)),
        eluc_models=eluc.frame(eluc.group(*_MODELS)) * rules.dgvm_eluc_sign,
        bookkeeping=eluc.frame(eluc.group_with("Bookkeeping methods", "Net")),
    )


def _budget(sheet: Sheet, rules: Recipe) -> pd.DataFrame:
    columns = {}
    for term in (*BUDGET_TERMS, "imbalance"):
        if term == "cement" and not rules.cement:
            columns[term] = [0.0] * len(sheet.years)
            continue
        starts = _BUDGET_HEADERS[term]
        title = next((t for t in sheet.header if t.casefold().startswith(starts)), starts)
        columns[term] = sheet.column(sheet.find(title))
    return pd.DataFrame(columns, index=sheet.years).sort_index()
