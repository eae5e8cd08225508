"""A run shows itself in one cell of a notebook, safely."""

from __future__ import annotations

from hpcbudget.report.run import Run


def test_html_has_numbers_state_and_figure(run: Run) -> None:
    html = run._repr_html_()
    assert "closes: all" in html
    assert "sink, n = 4" in html
    assert html.count('<img src="data:image/png;base64,') == 1
    assert "<Run 'Synthetic ensemble': 18 members, 1980-2020" in repr(run)


def test_names_are_escaped_and_bare_runs_work(run: Run) -> None:
    html = Run(run.fluxes, run.series, {}, {}, {"title": "<b>"})._repr_html_()
    assert "<h3>&lt;b&gt;</h3>" in html
    assert "no closure account" in html
