"""Tables beyond those that every run has: whatever lies in ``OUT/tables`` can be looked at."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from hpcbudget.report.blocks import Cell, Table, judged, number, word
from hpcbudget.report.run import Run
from hpcbudget.report.tables import COLUMNS

CAPTIONS: Final[dict[str, str]] = {
    "budget": "Global Carbon Budget by the rules of an edition, Pg C/yr",
    "variability": "Variability, trend and seasonal cycle of the ensembles",
    "verdicts": "Sink, source or undetermined by every rule",
    "changes": "Agreement of top-down and bottom-up in two periods",
    "compensating": "Pairs of regions that compensate each other, strongest first",
    "merged": "Spread of the ensembles when compensating regions are merged",
    "bootstrap": "Intervals of the statistics from resampled members",
}
"""Captions of tables that a run may have."""

MOST_ROWS: Final = 300


def more_tables(run: Run) -> list[Table]:
    """Return the further tables of a run, those of the headline period where there are periods.

    Parameters
    ----------
    run : Run
        A finished run.
    """
    names = [name for name in CAPTIONS if name in run.tables]
    names += [name for name in run.tables if name not in CAPTIONS and name not in COLUMNS]
    return [_table(name, run.tables[name], run.period) for name in names]


def _table(name: str, frame: pd.DataFrame, period: str) -> Table:
    total = len(frame)
    caption = CAPTIONS.get(name, name)
    if "period" in frame and total > MOST_ROWS and (frame["period"] == period).any():
        frame, caption = frame[frame["period"] == period], f"{caption}, {period}"
    shown = frame.head(MOST_ROWS)
    rows = tuple(tuple(_cell(item) for item in row) for row in shown.itertuples(index=False))
    headers = tuple(str(column).replace("_", " ") for column in frame.columns)
    return Table(name, caption, headers, rows, total - len(shown), f"../tables/{name}.csv")


def _cell(item: Any) -> Cell:
    value = item.item() if isinstance(item, np.generic) else item
    if isinstance(value, bool):
        return judged(value)
    return number(value) if isinstance(value, int | float) else word(str(value))
