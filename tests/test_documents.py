"""What the documents show works: configurations are valid, commands and linked files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from hpcbudget._version import __version__
from hpcbudget.cli import app
from hpcbudget.config import load_config, parse_config

COMMANDS = set(get_command(app).commands)  # type: ignore[attr-defined]


def texts(repository: Path) -> dict[str, str]:
    paths = [*repository.glob("*.md"), *(repository / "docs").rglob("*.md")]
    return {
        str(p.relative_to(repository)): p.read_text(encoding="utf-8")
        for p in paths
        if "generated" not in p.parts  # made from docstrings, checked when the pages are built
    }


def test_configurations_of_the_readme_are_valid(repository: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", texts(repository)["README.md"], flags=re.DOTALL)
    assert blocks
    for block in blocks:
        config = parse_config(block, origin=repository / "README.yaml")
        assert config.ensembles
        assert len(block.splitlines()) <= 25


CONFIGURATIONS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_shipped_configurations_are_valid(path: Path) -> None:
    assert load_config(path).name == path.stem


def test_every_command_in_the_readme_exists(repository: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", texts(repository)["README.md"], flags=re.DOTALL)
    text = "".join(blocks)
    used = set(re.findall(r"^hpcbudget ([a-z]+)", text, flags=re.MULTILINE))
    assert used
    assert used <= COMMANDS
    targets = re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(re.findall(r"^make ([a-z-]+)", text, flags=re.MULTILINE)) <= set(targets)


def test_links_between_documents_lead_somewhere(repository: Path) -> None:
    for name, text in texts(repository).items():
        folder = (repository / name).parent
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text):
            if "reference/generated/" in target:
                continue  # written by the build, which fails on a link that leads nowhere
            if "://" not in target and not target.startswith("mailto:"):
                assert (folder / target).exists(), f"{name}: {target}"


def test_conda_environment_names_what_pip_installs(repository: Path) -> None:
    import tomllib

    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((repository / "environment.yml").read_text())["dependencies"]
    names = {re.split(r"[<>=]", str(item))[0].lower() for item in environment}
    names |= {name.removesuffix("-core").removesuffix("-base") for name in names}
    for requirement in project["dependencies"]:
        assert re.split(r"[<>=\[]", requirement)[0].lower() in names
    assert {"xesmf", "esmpy"} <= names


def test_the_citation_file_names_this_version(repository: Path) -> None:
    citation = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == "MIT"
