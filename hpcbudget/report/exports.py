"""What others take along: workbook, tables to paste, NetCDF and the list of citations."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hpcbudget.files import write_atomic
from hpcbudget.report.blocks import headline_tables
from hpcbudget.report.citations import citations
from hpcbudget.report.netcdf import write_netcdf
from hpcbudget.report.run import Run
from hpcbudget.report.typeset import citation_list, latex, markdown
from hpcbudget.report.workbook import workbook

FILES: Final[dict[str, str]] = {
    "budget.xlsx": "Excel workbook of the tables",
    "headline.md": "headline numbers as Markdown",
    "headline.tex": "headline numbers as LaTeX",
    "fluxes.nc": "monthly fluxes of all members, CF NetCDF",
    "ensembles.nc": "annual ensemble means and spreads, CF NetCDF",
    "citations.md": "what to cite",
}
"""Files of ``OUT/exports`` and what they hold."""


def write_exports(run: Run, folder: Path) -> list[Path]:
    """Write every file of `FILES` into a folder.

    Parameters
    ----------
    run : Run
        A finished run.
    folder : Path
        Usually ``OUT/exports``; made if absent.
    """
    headlines = headline_tables(run)
    write_atomic(folder / "budget.xlsx", workbook(run))
    write_atomic(folder / "headline.md", markdown(headlines).encode())
    write_atomic(folder / "headline.tex", latex(headlines).encode())
    write_atomic(folder / "citations.md", citation_list(citations(run)).encode())
    write_netcdf(run, folder)
    return [folder / name for name in FILES]
