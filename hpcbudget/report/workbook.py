"""The tables of a run as one Excel workbook with a sheet that explains the others."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hpcbudget.report.run import Run

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

MOST_ROWS: Final = 50_000
"""Longer tables stay in their CSV files: a workbook is for looking, not for archives."""

SHEETS: Final[Mapping[str, str]] = {
    "statistics": "Mean, spread and verdict of every family; one model, one vote",
    "reconciliation": "Top-down against bottom-up with gap and agreement",
    "dipoles": "Correlation of regional fluxes across members",
    "closure": "Relative errors of everything that must add up",
    "ensembles": "Annual mean and spread of every family",
}


def workbook(run: Run) -> bytes:
    """Return the tables of a run as the bytes of an ``.xlsx`` file.

    Numbers are stored as numbers with 16 digits (the CSV files have them to the last bit); only
    their display is rounded. What is missing is an empty cell.

    Parameters
    ----------
    run : Run
        A finished run.
    """
    from openpyxl import Workbook

    book = Workbook()
    front = book.active
    tables = {**run.tables, "ensembles": run.series}
    present = [name for name in SHEETS if name in tables]
    present += [name for name in tables if name not in SHEETS]
    _front(front, run, {name: tables[name] for name in present})
    for name in present:
        if len(tables[name]) <= MOST_ROWS:
            _sheet(book, name, tables[name])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _front(sheet: Worksheet, run: Run, tables: Mapping[str, pd.DataFrame]) -> None:
    from openpyxl.styles import Font

    sheet.title = "read me"
    years = "none complete" if run.years is None else "{} to {}".format(*run.years)
    lines = [
        (run.title, ""),
        ("Fluxes", "Pg C/yr, positive to the atmosphere"),
        ("Years", years),
        ("Made by", f"hpcbudget {run.provenance.get('hpcbudget', '')}".strip()),
        ("", ""),
        ("Sheet", "Content"),
    ]
    for name, frame in tables.items():
        place = "" if len(frame) <= MOST_ROWS else f"; {len(frame)} rows, see tables/{name}.csv"
        lines.append((name, SHEETS.get(name, f"see {name}.csv") + place))
    for line in lines:
        sheet.append(line)
    for cell in (sheet["A1"], sheet["A6"], sheet["B6"]):
        cell.font = Font(bold=True)
    sheet.column_dimensions["A"].width = 18
    sheet.column_dimensions["B"].width = 80


def _sheet(book: Workbook, name: str, frame: pd.DataFrame) -> None:
    from openpyxl.styles import Font

    sheet = book.create_sheet(name)
    sheet.append(list(map(str, frame.columns)))
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for row in frame.itertuples(index=False, name=None):
        sheet.append([_value(item) for item in row])
    for column, values in zip(sheet.columns, frame.items(), strict=True):
        title, series = values
        width = max(len(str(title)), *(len(str(v)) for v in series.head(200)), 6)
        sheet.column_dimensions[column[0].column_letter].width = min(width, 28) + 2
        if pd.api.types.is_float_dtype(series):
            for cell in column[1:]:
                cell.number_format = "0.00E+00" if name == "closure" else "0.000"
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions


def _value(item: object) -> object:
    """Return a cell's value; what Excel has no number for becomes empty or text."""
    if isinstance(item, np.generic):
        item = item.item()
    if isinstance(item, float):
        if np.isnan(item):
            return None
        return item if np.isfinite(item) else str(item)
    if isinstance(item, str) and item.startswith("="):
        return f"'{item}"
    return item
