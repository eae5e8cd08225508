"""Site profiles: shipped ones are whole, users' own build on them, mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.engine.slurm.sites import load_site, site_names, walltime_seconds
from hpcbudget.errors import ConfigError, HpcBudgetError


@pytest.mark.parametrize("name", site_names())
def test_shipped_profiles_are_whole(name: str) -> None:
    site = load_site(name)
    assert site.name == name
    assert site.title
    assert site.advice
    assert site.worker_gb > 1
    # where we never were, it is said, and where the numbers come from
    assert site.tested or site.source.startswith("https://")
    assert site.tested or site.tls == "require"


def test_shipped_profiles_are_also_in_configs(repository: Path) -> None:
    shown = {path.stem for path in (repository / "configs" / "sites").glob("*.yaml")}
    assert shown == set(site_names())


def test_own_profile_builds_on_a_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text("extends: levante\naccount: ab0123\nworkers_per_node: 32\n")
    site = load_site(path, walltime="01:00:00")
    assert (site.name, site.partition, site.account) == ("ours", "compute", "ab0123")
    assert (site.node_workers, site.walltime) == (32, "01:00:00")


@given(days=st.integers(0, 9), h=st.integers(0, 23), m=st.integers(0, 59), s=st.integers(0, 59))
def test_walltime_is_read_back(days: int, h: int, m: int, s: int) -> None:
    assert walltime_seconds(f"{days}-{h:02}:{m:02}:{s:02}") == 86400 * days + 3600 * h + 60 * m + s


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cores_per_nod: 4", "did you mean 'cores_per_node'"),
        ("walltime: 2h", "HH:MM:SS"),
        ("cores_per_node: 0", "cores_per_node"),
        ("partition: 'a b; rm'", "partition"),
        ("max_walltime: '00:30:00'", "above the limit"),
        ('directives: ["--x\\ny"]', "one line"),
        ("extends: levnte", "did you mean 'levante'"),
        ("- 1", "mapping"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text if "extends" in text or text == "- 1" else f"extends: generic\n{text}\n")
    with pytest.raises(HpcBudgetError) as caught:
        load_site(path)
    assert said in str(caught.value)


def test_bad_input_circle(tmp_path: Path) -> None:
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    a.write_text(f"extends: {b}\n")
    b.write_text(f"extends: {a}\n")
    with pytest.raises(ConfigError, match="circle"):
        load_site(a)
