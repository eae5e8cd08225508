"""One self-contained page: figures, tables and origin of a run in a single file.

The page loads nothing: styles, script and figures are inside it, and its content policy forbids
the browser to fetch anything.  It can be mailed, archived and opened from a disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hpcbudget._version import __version__
from hpcbudget.files import write_atomic
from hpcbudget.report.blocks import (
    closure_block,
    closure_state,
    headline_tables,
    reconciliation_block,
    statistics_block,
)
from hpcbudget.report.citations import citations
from hpcbudget.report.draw import Picture, draw_figures
from hpcbudget.report.exports import FILES, write_exports
from hpcbudget.report.extras import more_tables
from hpcbudget.report.gallery import SECTIONS, drawings
from hpcbudget.report.members import members_block
from hpcbudget.report.run import Run, load_run
from hpcbudget.science.verdict import rule_text

TEMPLATE = "report.html.j2"


def build_report(out: Path, workers: int = 1) -> Path:
    """Draw the figures of a run and write its page.

    Parameters
    ----------
    out : Path
        The run's output folder; nothing else is read.
    workers : int
        Processes that draw the figures; what they write is the same for any number.

    Returns
    -------
    Path
        ``OUT/report/index.html``.  Figures are in ``OUT/figures`` as PNG (300 dpi) and PDF,
        workbook, NetCDF, tables to paste and citations in ``OUT/exports``.

    Raises
    ------
    InputError
        The folder holds no merged fluxes.
    OutputError
        The folder cannot be written.
    """
    run = load_run(out)
    page = out / "report" / "index.html"
    write_exports(run, out / "exports")
    pictures = draw_figures(list(drawings(run)), out / "figures", workers)
    write_atomic(page, render_page(run, pictures).encode())
    return page


def render_page(run: Run, pictures: Iterable[Picture]) -> str:
    """Return the page as text.

    Parameters
    ----------
    run : Run
        A finished run.
    pictures : iterable of Picture
        Its figures in the order of the page.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hpcbudget.report"),
        autoescape=jinja2.select_autoescape(["html", "j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections: dict[str, list[Picture]] = {name: [] for name in SECTIONS}
    for picture in pictures:
        sections[picture.section].append(picture)
    closes, closure_text = closure_state(run)
    return environment.get_template(TEMPLATE).render(
        run=run,
        facts=_facts(run),
        rules=_rules(run),
        pictures=sections,
        headlines=headline_tables(run),
        reconciliation=reconciliation_block(run),
        statistics=statistics_block(run),
        more=more_tables(run),
        closure=closure_block(run),
        closes=closes,
        closure_text=closure_text,
        members=members_block(run),
        provenance={k: v for k, v in run.provenance.items() if k != "inputs"},
        inputs=run.provenance.get("inputs", []),
        citations=citations(run),
        exports=FILES,
        version=__version__,
    )


def _rules(run: Run) -> str:
    """Say by which rules the verdicts and agreements of the page were reached."""
    rules = run.rules
    bound = {
        "quadrature": "the root of the sum of both squared SDs",
        "overlap": "the sum of both SDs",
    }[rules.agreement.name]
    counted = {"common": "every year of the period", "all": "any year of it"}[rules.span]
    return (
        f"Sink or source: {rule_text(rules.verdict)}; else undetermined. Top-down and bottom-up "
        f"agree if their gap is below {rules.agreement.k:g} times {bound}. Models count that have "
        f"{counted}; SD with ddof = {run.ddof}."
    )


def _facts(run: Run) -> dict[str, str]:
    """Return what a reader must know before the first number."""
    attributes: dict[Any, Any] = run.fluxes.attrs
    members = set(zip(run.fluxes["family"].values, run.fluxes["member"].values, strict=True))
    radius = attributes.get("radius_m")
    return {
        "Years": "–".join(map(str, run.years)) if run.years else "none complete",
        "Members": str(len(members)),
        "Region sets": ", ".join(run.groups) or "globe only",
        "Overlap of cells and regions": str(attributes.get("overlap", "not recorded")),
        "Sphere": f"{float(radius) / 1e3:g} km" if radius else "not recorded",
        "Sign": str(attributes.get("sign", "positive to atmosphere")),
    }
