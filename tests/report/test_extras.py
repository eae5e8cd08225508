"""Tables that only some runs have are shown as well, and long ones are cut with a word about it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hpcbudget.report.extras import MOST_ROWS, more_tables
from hpcbudget.report.page import render_page
from hpcbudget.report.run import Run


def test_unknown_tables_are_shown_with_their_own_words(run: Run) -> None:
    frame = pd.DataFrame(
        {"region": ["North"], "slope_pgc_yr": [np.nan], "n": [3], "sure": np.array([True])}
    )
    more = Run(run.fluxes, run.series, {**run.tables, "novelty": frame})
    [table] = more_tables(more)
    assert table.headers == ("region", "slope pgc yr", "n", "sure")
    assert [cell.text for cell in table.rows[0]] == ["North", "–", "3", "yes"]
    assert "../tables/novelty.csv" in render_page(more, [])


def test_long_tables_show_the_headline_period(run: Run) -> None:
    n = 2 * MOST_ROWS
    frame = pd.DataFrame({"period": ["1990s"] * n + ["2010s"] * n, "value": np.arange(2.0 * n)})
    [table] = more_tables(Run(run.fluxes, run.series, {**run.tables, "variability": frame}))
    assert len(table.rows) == MOST_ROWS
    assert table.left_out == 2 * n - MOST_ROWS
    assert {row[0].text for row in table.rows} == {"2010s"}
