"""The blocks a page is built from: tables whose cells know how they sort, and key figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from hpcbudget.report.numbers import flux_text, mean_text, plain_text, spread_text
from hpcbudget.report.places import BANDS, find_region
from hpcbudget.report.run import Run
from hpcbudget.report.style import COMPONENT_LABELS, component_label, family_rank, family_style
from hpcbudget.science.ensemble import PROCESS

MOST_ROWS = 600
"""A page carries at most this many rows of one table; the file has them all."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text : str
        What is shown.
    order : str
        What is sorted by: a number as text, or lower-case text.
    kind : str
        Class of the cell: ``number``, ``good``, ``bad`` or empty.
    note : str
        Small print below the text.
    folded : tuple of str
        Lines that open below the text when asked for.
    """

    text: str
    order: str = ""
    kind: str = ""
    note: str = ""
    folded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of a page.

    Attributes
    ----------
    name : str
        Unique on the page.
    caption : str
        What the rows are, with units.
    headers : tuple of str
        Column titles.
    rows : tuple of tuple of Cell
        As many cells a row as there are headers.
    left_out : int
        Rows that only the file has.
    file : str
        Where the file is, relative to the page; empty if there is none.
    """

    name: str
    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0
    file: str = ""


def number(value: float, text: str | None = None, note: str = "") -> Cell:
    """Make a cell that sorts as a number; what is not known sorts last."""
    known = isinstance(value, (int, float)) and math.isfinite(value)
    shown = plain_text(float(value)) if text is None else text
    return Cell(shown, repr(float(value)) if known else "", "number", note)


def word(text: str, kind: str = "") -> Cell:
    """Make a cell that sorts as text."""
    return Cell(text, text.lower(), kind)


def judged(value: object) -> Cell:
    """Make a cell of something that is true, false or unknown."""
    if str(value) in ("True", "False"):
        good = str(value) == "True"
        return Cell("yes" if good else "no", "1" if good else "0", "good" if good else "bad")
    return Cell("–", "")


def headline_tables(run: Run) -> list[Table]:
    """Return the headline tables of all periods, that of the headline period first."""
    periods = [run.period, *(p for p in reversed(run.periods) if p != run.period)]
    tables = [headline_table(run, period) for period in periods]
    return [table for table in tables if table is not None]


def headline_table(run: Run, period: str) -> Table | None:
    """Return mean ± SD of each family in the globe and the bands, for one period.

    Parameters
    ----------
    run : Run
        A finished run.
    period : str
        One of its periods.
    """
    frame = run.tables.get("statistics")
    if frame is None or not period:
        return None
    frame = frame[(frame["period"].astype(str) == period) & (frame["n"] > 0)]
    listed = list(dict.fromkeys(frame["region"].astype(str)))
    found = [(name, find_region(listed, name)) for name in BANDS]
    columns = [(name, region) for name, region in found if region is not None]
    if not columns:
        return None
    rows = []
    keys = set(zip(frame["component"].astype(str), frame["family"].astype(str), strict=True))
    order = sorted(keys, key=lambda k: (_component_rank(k[0]), family_rank(k[1])))
    for component, family in order:
        own = frame[(frame["component"] == component) & (frame["family"] == family)]
        by_region = {str(row["region"]): row for row in own.to_dict("records")}
        cells = [word(component_label(component)), word(_plain_label(family))]
        for _, region in columns:
            if region not in by_region:
                cells.append(Cell("–", "", "number"))
                continue
            row = by_region[region]
            note = f"{row['verdict']}, n = {int(row['n'])}" + " pairs" * (family == PROCESS)
            cells.append(number(row["mean"], mean_text(row["mean"], row["sd"]), note))
        rows.append(tuple(cells))
    headers = ("Component", "Method", *(BANDS[name] for name, _ in columns))
    caption = f"Mean ± 1 SD over models, {period}, Pg C/yr, + to the atmosphere"
    return Table(f"headline-{period}", caption, headers, tuple(rows))


def statistics_block(run: Run) -> Table | None:
    """Return the whole table of ensemble statistics, headline period first."""
    frame = run.tables.get("statistics")
    if frame is None:
        return None
    frame = frame[frame["n"] > 0]
    newest = frame["period"].astype(str) == run.period
    frame = pd.concat([frame[newest], frame[~newest]])
    rows = [
        (
            word(_plain_label(row["family"])), word(component_label(row["component"])),
            word(row["region"]), word(str(row["period"])), number(row["n"]),
            *(number(row[c], flux_text(row[c], 3)) for c in ("mean",)),
            number(row["sd"], spread_text(row["sd"], 3)),
            *(number(row[c], flux_text(row[c], 3)) for c in ("min", "median", "max")),
            number(row["sink_votes"]), word(str(row["verdict"])),
        )
        for row in frame.head(MOST_ROWS).to_dict("records")
    ]  # fmt: skip
    headers = ("Method", "Component", "Region", "Period", "n", "Mean", "SD", "Min", "Median",
               "Max", "Sink votes", "Verdict")  # fmt: skip
    caption = "Ensemble statistics in Pg C/yr, + to the atmosphere; one model, one vote"
    return _table("statistics", caption, headers, rows, len(frame))


def reconciliation_block(run: Run) -> Table | None:
    """Return top-down beside bottom-up with gap and verdict."""
    frame = run.tables.get("reconciliation")
    if frame is None:
        return None
    frame = frame[(frame["n_td"] > 0) & (frame["n_bu"] > 0)]
    if frame.empty:
        return None
    newest = frame["period"].astype(str) == run.period
    frame = pd.concat([frame[newest], frame[~newest]])
    paired = {c for c, families in run.rules.bottom_up.items() if PROCESS in families}
    rows = [
        (
            word(component_label(row["component"])), word(row["region"]), word(str(row["period"])),
            number(row["top_down_mean"], mean_text(row["top_down_mean"], row["top_down_sd"]),
                   f"n = {int(row['n_td'])}"),
            number(row["bottom_up_mean"], mean_text(row["bottom_up_mean"], row["bottom_up_sd"]),
                   f"n = {int(row['n_bu'])}" + " pairs" * (row["component"] in paired)),
            number(row["gap"], mean_text(row["gap"], row["gap_sd"])),
            judged(row["agree"] if math.isfinite(row["gap_sd"]) else None),
            word(str(row["verdict"])),
        )
        for row in frame.head(MOST_ROWS).to_dict("records")
    ]  # fmt: skip
    headers = ("Component", "Region", "Period", "Top-down", "Bottom-up", "Gap (top-down − "
               "bottom-up)", "Agree", "Verdict")  # fmt: skip
    caption = "Top-down against bottom-up, mean ± 1 SD, Pg C/yr, + to the atmosphere"
    return _table("reconciliation", caption, headers, rows, len(frame))


def closure_block(run: Run) -> Table | None:
    """Return the closure account by check and component: how many fail, and which is the worst.

    The worst is the one that comes closest to its tolerance, or exceeds it most. What has no
    tolerance is stated, and neither closes nor fails.
    """
    frame = run.tables.get("closure")
    if frame is None:
        return None
    frame = frame.assign(ok=frame["ok"].map(lambda v: str(v) == "True"))
    rows = []
    frame = frame.assign(size=frame["value"].abs().fillna(math.inf))
    frame = frame.assign(used=(frame["size"] / frame["tolerance"]).fillna(0.0))
    for (check, component), own in frame.groupby(["check", "component"], sort=True):
        worst = own.sort_values(["used", "size"], kind="stable").iloc[-1]
        bound = math.isfinite(worst["tolerance"])
        rows.append(
            (
                _state(int((~own["ok"]).sum()), len(own), bound), word(str(check)),
                word(component_label(str(component))), number(len(own)),
                number(worst["value"]), number(worst["tolerance"], None if bound else "none"),
                word(" / ".join(filter(None, (str(worst["family"]), str(worst["member"]))))),
            )
        )  # fmt: skip
    rows.sort(key=lambda cells: float(cells[0].order))
    headers = ("State", "Check", "Component", "Members", "Largest error", "Tolerance", "Worst")
    caption = "Relative errors of everything that must add up, and differences that are stated"
    return _table("closure", caption, headers, rows, len(rows))


def _state(failed: int, checks: int, bound: bool) -> Cell:
    if failed:
        return Cell(f"{failed} of {checks} fail", str(-failed), "bad")
    return Cell("closes", "0", "good") if bound else Cell("stated", "1")


def closure_state(run: Run) -> tuple[bool | None, str]:
    """Say in one line whether the budget closes; None if no account was made."""
    frame = run.tables.get("closure")
    if frame is None or frame.empty:
        return None, "no closure account"
    failed = int((frame["ok"].astype(str) != "True").sum())
    checks = int((frame["tolerance"] < math.inf).sum())
    if failed:
        return False, f"does not close: {failed} of {checks} checks fail"
    return True, f"closes: all {checks} checks pass"


def _table(
    name: str, caption: str, headers: Sequence[str], rows: Sequence[tuple[Cell, ...]], total: int
) -> Table:
    left_out = total - len(rows)
    return Table(name, caption, tuple(headers), tuple(rows), left_out, f"../tables/{name}.csv")


def _plain_label(family: str) -> str:
    return family_style(family).label.replace("$_2$", "₂")


def _component_rank(component: str) -> tuple[int, str]:
    known = list(COMPONENT_LABELS)
    return (known.index(component) if component in known else len(known), component)
