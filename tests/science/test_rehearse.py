from __future__ import annotations

from pathlib import Path

import pytest

from hpcbudget.config import Config, parse_config
from hpcbudget.errors import ConfigError, InputError, Problems
from hpcbudget.science.rehearse import rehearse

REGIONS = {
    "Globe": "", "North": "gcb_bands", "Tropics": "gcb_bands", "South": "gcb_bands",
    "gcb_bands/unassigned": "gcb_bands",
}  # fmt: skip
SERIES = [("inversion", "A", "A", component) for component in ("land", "ocean", "fossil")]


def config(tmp_path: Path, more: str = "") -> Config:
    text = f"""
name: x
periods: {{early: [2000, 2004], late: [2005, 2009]}}
ensembles:
  - family: inversion
    members: {{A: {{paths: a.nc}}}}
{more}
"""
    return parse_config(text, origin=tmp_path / "x.yaml")


def test_what_will_work_passes(tmp_path):
    (tmp_path / "t.csv").write_text("year,A\n2000,1\n")
    more = """
budget: {edition: 2023}
statistics: {change: [[early, late]]}
adjustments:
  - {name: r, kind: rivers, source: s, families: [inversion], edition: 2023}
  - {name: f, kind: fossil, source: s, families: [inversion], common: bookkeeping/Inventory,
     unlisted: missing}
tables:
  - {family: bookkeeping, component: fossil, path: t.csv, sign: to_atmosphere,
     units: Pg C yr-1, members: {Inventory: A}}
"""
    rehearse(config(tmp_path, more), SERIES, REGIONS)
    rehearse(config(tmp_path), SERIES, REGIONS)


def test_every_problem_is_found_before_the_run(tmp_path):
    more = """
budget: {edition: 2024, adjusted: true}
statistics: {change: [[early, never]]}
tables:
  - {family: bookkeeping, component: fossil, path: t.csv, sign: to_atmosphere,
     units: Pg C yr-1, members: {Inventory: A}}
"""
    with pytest.raises(Problems) as caught:
        rehearse(config(tmp_path, more), SERIES, REGIONS)
    text = str(caught.value)
    assert "no such file" in text
    assert "no adjusted estimates" in text
    assert "no period called never" in text


def test_an_adjustment_without_its_member_is_found(tmp_path):
    more = """
adjustments:
  - {name: common prior, kind: fossil, source: s, families: [inversion], common: bookkeeping/X}
"""
    with pytest.raises(ConfigError, match="'bookkeeping/X' has no component fossil") as caught:
        rehearse(config(tmp_path, more), SERIES, REGIONS)
    assert "common prior" in caught.value.where


def test_an_unreadable_table_of_amounts_is_found(tmp_path):
    more = """
adjustments:
  - {name: trade, kind: add, source: s, families: [inversion], component: land, conserve: none,
     table: absent.csv}
"""
    with pytest.raises(InputError, match="cannot read the table"):
        rehearse(config(tmp_path, more), SERIES, REGIONS)
