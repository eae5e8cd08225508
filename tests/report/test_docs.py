"""Pages of the documentation link to what exists, and their code is code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from hpcbudget.options import RegionSetOptions

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    p for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if "generated" not in p.parts
)  # fmt: skip
GENERATED = re.compile(r"generated/")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http", "#", "mailto:")) or GENERATED.search(link):
            continue
        assert (page.parent / link.split("#")[0]).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_code_blocks_parse(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.DOTALL | re.M):
        if language == "python":
            ast.parse(code)
        elif language == "yaml":
            yaml.safe_load(code)


def test_region_sets_of_the_guide_are_valid() -> None:
    text = (ROOT / "docs" / "how-to" / "regions.md").read_text(encoding="utf-8")
    [code] = re.findall(r"^```yaml\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    sets = yaml.safe_load(code)["regions"]
    own = [RegionSetOptions.model_validate(item) for item in sets if isinstance(item, dict)]
    assert {s.name for s in own} == {"my_bands", "hotspots", "countries", "reccap"}


def test_every_page_is_in_the_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs" / "science").glob("*.md"):
        assert f"science/{page.stem}" in index


@pytest.mark.slow
def test_site_builds_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the docs extra is not installed")
    pytest.importorskip("myst_parser", reason="the docs extra is not installed")
    pytest.importorskip("furo", reason="the docs extra is not installed")
    import subprocess
    import sys

    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Reading the report" in (tmp_path / "how-to" / "report.html").read_text()
