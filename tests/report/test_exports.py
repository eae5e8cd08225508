"""What others take along says the same as the tables, in formats that read back."""

from __future__ import annotations

import io
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hpcbudget.report.blocks import headline_tables
from hpcbudget.report.citations import citations
from hpcbudget.report.exports import FILES
from hpcbudget.report.run import Run
from hpcbudget.report.typeset import citation_list, escape, latex, markdown
from hpcbudget.report.workbook import workbook


def test_every_file_is_there(page: Path) -> None:
    folder = page.parents[1] / "exports"
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES)


def test_workbook_holds_sixteen_digits(run: Run) -> None:
    book = pd.read_excel(io.BytesIO(workbook(run)), sheet_name=None, keep_default_na=False)
    assert list(book) == [
        "read me", "statistics", "reconciliation", "dipoles", "closure", "ensembles",
    ]  # fmt: skip
    for name in ("statistics", "reconciliation"):
        expected = run.tables[name]
        assert list(book[name].columns) == list(expected.columns)
        column = "mean" if name == "statistics" else "gap"
        assert book[name][column].tolist() == pytest.approx(expected[column].tolist(), rel=1e-15)


def test_workbook_empties_what_is_missing_and_defuses_formulas(run: Run) -> None:
    table = run.tables["statistics"].head(2).assign(sd=float("nan"), region="=1+1")
    book = workbook(Run(run.fluxes, run.series, {"statistics": table}))
    sheet = pd.read_excel(io.BytesIO(book), sheet_name="statistics")
    assert sheet["sd"].isna().all()
    assert sheet["region"].tolist() == ["'=1+1"] * 2


def test_netcdf_round_trip(page: Path, fluxes: xr.Dataset) -> None:
    with xr.open_dataset(page.parents[1] / "exports" / "fluxes.nc") as stored:
        assert stored.attrs["Conventions"] == "CF-1.11"
        assert stored["flux_pgc_yr"].attrs["units"] == "Pg yr-1"
        assert stored["time"].attrs["bounds"] == "time_bounds"
        bounds = stored["time_bounds"].values
        assert (bounds[1:, 0] == bounds[:-1, 1]).all()
        keys = ["family", "member", "component"]
        order = np.lexsort([fluxes[k].values.astype(str) for k in reversed(keys)])
        assert stored["member"].values.tolist() == fluxes["member"].values[order].tolist()
        np.testing.assert_array_equal(
            stored["flux_pgc_yr"].values, fluxes["flux_pgc_yr"].values[order]
        )


def test_ensemble_file_has_the_series(page: Path, series: pd.DataFrame) -> None:
    with xr.open_dataset(page.parents[1] / "exports" / "ensembles.nc") as stored:
        own = series[(series["family"] == "process") & (series["region"] == "South")]
        row = own[own["year"] == 1999].iloc[0]
        at = {"family": "process", "component": "total", "region": "South", "year": 1999}
        assert float(stored["mean"].sel(at)) == pytest.approx(row["mean"], abs=1e-12)
        assert int(stored["n"].sel(at)) == row["n"]


def test_headlines_can_be_pasted(run: Run) -> None:
    tables = headline_tables(run)
    assert [t.name for t in tables] == ["headline-2010s", "headline-2000s", "headline-1990s"]
    text = markdown(tables)
    assert text.count("| --- | --- | --- | --- | --- | --- |") == 3
    assert all(line.count("|") == 7 for line in text.splitlines() if line.startswith("|"))
    typeset = latex(tables)
    assert typeset.count(r"\begin{tabular}{llrrrr}") == 3
    assert typeset.isascii()
    assert markdown([]) == latex([]) == ""


def test_latex_special_characters() -> None:
    assert escape("a_b & 5% {x} \\ ~") == r"a\_b \& 5\% \{x\} \textbackslash{} \textasciitilde{}"


def test_citations_prefer_the_member_and_name_what_is_lacking(run: Run) -> None:
    entries = {entry.subject: entry for entry in citations(run)}
    assert entries["inversion / INV-A"].links == ("https://doi.org/10.5194/acp-0-0-2020",)
    assert entries["inversion / INV-B"].text == "The inversions & friends 2024"
    assert entries["land_process / DGVM-A"].origin == "not given"
    assert entries["Adjustment rivers"].text == "Regnier et al. 2022"
    assert "reference still to be found" in citation_list(list(entries.values()))


def test_citations_read_the_files_own_words(run: Run) -> None:
    told = {"family": "land_process", "member": "DGVM-A",
            "attributes": {"file": {"References": "doi:10.1000/x", "history": "cdo"}}}  # fmt: skip
    entries = citations(Run(run.fluxes, run.series, {}, {"inputs": [told]}))
    entry = next(e for e in entries if e.subject == "land_process / DGVM-A")
    assert (entry.text, entry.origin) == ("doi:10.1000/x", "attributes of the file")


def test_bad_input_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """HDF5 does not raise OSError there, and may not survive closing the file."""
    script = (
        "import sys; from pathlib import Path; import numpy as np, xarray as xr\n"
        "from hpcbudget.errors import OutputError\n"
        "from hpcbudget.report.netcdf import _write\n"
        "large = xr.Dataset({'a': ('x', np.arange(100_000.0))})\n"
        "try: _write(large, Path(sys.argv[1]) / 'a.nc')\n"
        "except OutputError: print('said')\n"
    )

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        preexec_fn=small_disk, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "said\n"), done.stderr
    assert list(tmp_path.iterdir()) == []
