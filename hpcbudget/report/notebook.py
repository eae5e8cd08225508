"""How a run shows itself in a notebook: state, headline numbers and the budget figure."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

from hpcbudget.report.blocks import Cell, Table, closure_state, headline_table
from hpcbudget.report.figures.budget import budget_figure
from hpcbudget.report.style import paper

if TYPE_CHECKING:
    from hpcbudget.report.run import Run


def run_html(run: Run) -> str:
    """Return a run as HTML: closure, headline numbers and the Global Carbon Budget figure.

    Parameters
    ----------
    run : Run
        A finished run.
    """
    closes, state = closure_state(run)
    mark = {True: "\u2713", False: "\u2717", None: "\u2013"}[closes]
    parts = [f"<h3>{escape(run.title)}</h3>", f"<p>{mark} {escape(state)}</p>"]
    table = headline_table(run, run.period)
    if table is not None:
        parts.append(table_html(table))
    image = io.BytesIO()
    with paper():
        budget_figure(run.series).savefig(image, format="png", dpi=110)
    encoded = base64.b64encode(image.getvalue()).decode()
    parts.append(
        f'<img src="data:image/png;base64,{encoded}" style="max-width: 100%" '
        'alt="Annual ocean, land and total flux by latitude band and method">'
    )
    return "\n".join(parts)


def table_html(table: Table) -> str:
    """Return a table of the page as plain HTML, for where its style sheet is not.

    Parameters
    ----------
    table : Table
        For example `hpcbudget.report.blocks.headline_table` of a run.
    """
    head = "".join(f"<th>{escape(header)}</th>" for header in table.headers)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows)
    return (
        f"<table><caption>{escape(table.caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _cell(cell: Cell) -> str:
    note = f"<br><small>{escape(cell.note)}</small>" if cell.note else ""
    return f"<td>{escape(cell.text)}{note}</td>"
