"""The page stands alone, shows the numbers of the tables, and never hides a failure."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from shutil import copytree, ignore_patterns

import pandas as pd
import pytest
import xarray as xr

from hpcbudget.engine.fluxes import write_fluxes
from hpcbudget.errors import InputError
from hpcbudget.report.blocks import (
    closure_block,
    closure_state,
    headline_table,
    reconciliation_block,
)
from hpcbudget.report.gallery import drawings
from hpcbudget.report.numbers import mean_text
from hpcbudget.report.page import build_report, render_page
from hpcbudget.report.run import Run


class Reader(HTMLParser):
    """Collects tags with their attributes and checks that they nest."""

    VOID = ("meta", "link", "img", "br", "input")

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="session")
def html(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


def test_page_and_figures_are_where_the_contract_says(out: Path, page: Path) -> None:
    assert page == out / "report" / "index.html"
    for stem in ("global_carbon_budget", "regions_land", "dipoles_lands"):
        assert (out / "figures" / f"{stem}.png").stat().st_size > 10_000
        assert (out / "figures" / f"{stem}.pdf").read_bytes().startswith(b"%PDF")


def test_nothing_is_loaded_from_anywhere(read: Reader, html: str) -> None:
    assert all(image["src"].startswith("data:image/") for image in read.all("img"))
    assert not [s for s in read.all("script") if "src" in s]
    assert [link["href"] for link in read.all("link")] == ["data:,"]
    assert not re.search(r"url\(|@import", html)
    policy = next(m for m in read.all("meta") if "http-equiv" in m)
    assert policy["content"].startswith("default-src 'none'")


def test_links_lead_somewhere(read: Reader, page: Path) -> None:
    targets = {a["id"] for _, a in read.tags if "id" in a}
    links = [a["href"] for a in read.all("a")]
    assert len(links) > 10
    for link in links:
        if link.startswith("#"):
            assert link[1:] in targets
        elif link.startswith("https://doi.org/10."):
            continue
        else:
            assert (page.parent / link).is_file(), link


def test_accessible_basics(read: Reader) -> None:
    assert read.all("html")[0]["lang"] == "en"
    assert all(len(image["alt"]) > 40 for image in read.all("img"))
    assert len(read.all("h1")) == 1
    assert len(read.all("caption")) == len(read.all("table"))
    assert all(header["scope"] == "col" for header in read.all("th"))
    names = [a["id"] for _, a in read.tags if "id" in a]
    assert len(names) == len(set(names))


def test_headline_numbers_are_those_of_the_table(run: Run, html: str) -> None:
    table = run.tables["statistics"]
    row = table[
        (table["family"] == "inversion") & (table["component"] == "land")
        & (table["region"] == "North") & (table["period"] == "2010s")
    ].iloc[0]  # fmt: skip
    headline = headline_table(run, "2010s")
    cells = next(r for r in headline.rows if r[0].text == "Land" and r[1].text == "Inversions")
    assert cells[3].text == mean_text(row["mean"], row["sd"])
    assert float(cells[3].order) == row["mean"]
    assert cells[3].note == f"{row['verdict']}, n = 4"
    assert cells[3].text in html


def test_a_budget_that_does_not_close_says_so_first(run: Run) -> None:
    closure = run.tables["closure"].copy()
    closure.loc[3, ["value", "ok"]] = [1e-3, False]
    broken = Run(run.fluxes, run.series, {**run.tables, "closure": closure})
    assert closure_state(broken) == (False, f"does not close: 1 of {len(closure)} checks fail")
    text = render_page(broken, [])
    assert 'class="badge bad"' in text
    assert "1 of" in text
    assert 'class="badge good"' in render_page(run, [])
    assert 'class="badge neutral"' in render_page(Run(run.fluxes, run.series, {}), [])


def test_names_from_files_cannot_become_markup(run: Run) -> None:
    nasty = Run(run.fluxes, run.series, {}, {"note": "<script>alert(1)</script>"}, {"title": "<b>"})
    text = render_page(nasty, [])
    assert "<script>alert" not in text
    assert "<h1>&lt;b&gt;</h1>" in text


def test_same_run_same_page(out: Path, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # equal figures are equal files (test_style); here one of them stands for all
    everything = drawings
    monkeypatch.setattr("hpcbudget.report.page.drawings", lambda run: [list(everything(run))[2]])
    folder = out.parent / "again"
    copytree(out, folder, ignore=ignore_patterns("figures", "report", "exports"))
    first = build_report(folder).read_bytes()
    assert b"figure-models_per_year" in first
    assert build_report(folder).read_bytes() == first


def test_the_page_names_its_rules(run: Run) -> None:
    assert "Sink or source: |mean| &gt; 1 SD" in render_page(run, [])
    config = {"statistics": {"verdict": {"name": "minmax"}, "span": "all", "ddof": 0}}
    text = render_page(Run(run.fluxes, run.series, run.tables, {}, config), [])
    assert "sign of all votes" in text
    assert "any year of it; SD with ddof = 0" in text


def test_a_run_of_half_a_year_has_a_page(tmp_path: Path, fluxes: xr.Dataset) -> None:
    write_fluxes(tmp_path / "fluxes.zarr", fluxes.isel(time=slice(0, 6)))
    text = build_report(tmp_path).read_text(encoding="utf-8")
    assert "none complete" in text
    assert "no closure account" in text


def test_bad_input_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no merged fluxes"):
        build_report(tmp_path)


def test_members_tell_their_record(run: Run) -> None:
    from hpcbudget.report.members import members_block

    rows = {row[1].text: row for row in members_block(run).rows}
    assert rows["DGVM-A"][6].text == "kg m-2 s-1"
    assert rows["DGVM-A"][6].note == "to surface, C, cell"
    assert rows["DGVM-A"][8].text == "sign turned from to_surface"
    assert len(rows) == 18
    assert rows["INV-C"][4].text == "2001-01 to 2020-12"
    assert rows["DGVM-F-r2"][2].text == "DGVM-F"
    assert rows["INV-A"][3].text == "fossil, land, ocean, total"


def test_statistics_without_votes_are_not_shown(run: Run) -> None:
    table = run.tables["statistics"]
    empty = table.head(1).assign(n=0, mean=float("nan"), period="2030s")
    padded = Run(run.fluxes, run.series, {"statistics": pd.concat([table, empty])})
    assert padded.period == "2010s"
    assert headline_table(padded, "2030s") is None


def test_closure_shows_the_check_that_is_furthest_over_and_what_is_only_stated(run: Run) -> None:
    rows = [
        ("inversion", "A", "land", "maps", 5e-10, 1e-9, True),
        ("inversion", "B", "land", "maps", 3e-12, 1e-12, False),
        ("inversion", "A", "ocean", "maps", 5e-10, 1e-9, True),
        ("both sides", "", "land", "areas", 0.4, float("inf"), True),
    ]
    columns = ["family", "member", "component", "check", "value", "tolerance", "ok"]
    tables = {**run.tables, "closure": pd.DataFrame(rows, columns=columns)}
    block = closure_block(Run(run.fluxes, run.series, tables, run.provenance, run.config))
    assert block is not None
    assert [[cell.text for cell in row] for row in block.rows] == [
        ["1 of 2 fail", "maps", "Land", "2", "3e-12", "1e-12", "inversion / B"],
        ["closes", "maps", "Ocean", "1", "5e-10", "1e-09", "inversion / A"],
        ["stated", "areas", "Land", "1", "0.4", "none", "both sides"],
    ]
    assert block.rows[-1][0].kind == ""


def test_pairs_of_models_are_called_pairs(run: Run) -> None:
    land = run.tables["reconciliation"]
    land = land[(land["component"] == "land") & (land["n_td"] > 0) & (land["n_bu"] > 0)].head(2)
    both = pd.concat([land, land.assign(component="total")])
    tables = {**run.tables, "reconciliation": both}
    block = reconciliation_block(Run(run.fluxes, run.series, tables, run.provenance, run.config))
    assert block is not None
    assert [row[0].text for row in block.rows] == ["Land", "Land", "Total", "Total"]
    for row in block.rows:
        assert row[4].note.endswith(" pairs") == (row[0].text == "Total")
        assert not row[3].note.endswith(" pairs")
