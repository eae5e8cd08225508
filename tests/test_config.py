from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hpcbudget.config import DATA_VARIABLE, Config, load_config, parse_config
from hpcbudget.errors import ConfigError, Problems

MINIMAL = """
name: small
ensembles:
  - family: inversion
    flux: {sign: to_atmosphere, species: C}
    components: {land: [bio, {variable: fire}], ocean: ocn}
    members:
      A: {paths: a.nc}
      B: {paths: [b1.nc, b2.nc], model: A}
"""


def parse(text: str) -> Config:
    return parse_config(text, origin=Path("small.yaml"))


def test_short_forms_mean_what_they_say() -> None:
    ensemble = parse(MINIMAL).ensembles[0]
    assert [t.variable for t in ensemble.components["land"]] == ["bio", "fire"]
    assert [t.variable for t in ensemble.components["ocean"]] == ["ocn"]
    assert ensemble.members["A"].paths == ("a.nc",)
    assert ensemble.members["B"].paths == ("b1.nc", "b2.nc")


def test_resolved_text_means_the_same_configuration() -> None:
    config = parse(MINIMAL)
    assert parse(yaml.safe_dump(config.model_dump(mode="json"))) == config


@pytest.mark.parametrize(
    ("bad_input", "message"),
    [
        ("regoins: [a]", "did you mean 'regions'"),
        ("overlap: middle", "overlap"),
        ("period: [2000, 1990]", "comes after"),
        ("periods: {a: [2000, 1990]}", "comes after"),
        ("radius_km: 6371000", "radius_km"),
        ("statistics: {ddof: 2}", "ddof"),
        ("regions: [{name: x}]", "exactly one of"),
        ("regions: [{name: x, bands: {a: [0, 1]}, boxes: {b: [0, 1, 0, 1]}}]", "exactly one of"),
        ("name: twice", "stands twice"),
        ("name: [unclosed", "not valid YAML"),
        ("{a: b}: c", "plain word"),
        ("ensembles: [{family: inversion, members: {'../x': {paths: a.nc}}}]", "../x"),
        ("ensembles: [{family: inversion, members: {..: {paths: a.nc}}}]", "pattern"),
        ("adjustments: [{kind: rivers, name: r, families: [inversion]}]", "source"),
    ],
)
def test_bad_input_names_key_and_remedy(bad_input: str, message: str) -> None:
    key = bad_input.partition(":")[0]
    kept = MINIMAL.partition("ensembles:")[0] if key == "ensembles" else MINIMAL
    with pytest.raises(ConfigError, match=r".") as caught:
        parse(f"{kept}\n{bad_input}\n")
    assert message in str(caught.value)
    assert "small.yaml" in str(caught.value)


def test_anchors_and_merge_keys_are_yaml_too() -> None:
    text = MINIMAL.replace(
        "      A: {paths: a.nc}", "      A: &a {paths: a.nc}\n      C: {<<: *a, model: A}"
    )
    members = parse(text).ensembles[0].members
    assert members["C"].paths == ("a.nc",)
    assert members["C"].model == "A"


def test_bad_input_all_problems_come_at_once() -> None:
    text = MINIMAL.replace("paths: a.nc", "path: a.nc").replace("species", "specie")
    with pytest.raises(Problems) as caught:
        parse(text + "\nregoins: []\n")
    assert len(caught.value.problems) == 3
    assert "ensembles.0.members.A.path" in str(caught.value)


@pytest.mark.parametrize("bad_input", ["", "- a\n- b\n", "just text"])
def test_bad_input_not_a_mapping(bad_input: str) -> None:
    with pytest.raises(ConfigError, match="mapping"):
        parse(bad_input)


def test_bad_input_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "none.yaml")
    assert "hpcbudget init" in caught.value.fix


def test_data_root_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(MINIMAL)
    assert load_config(path).data_root == tmp_path
    path.write_text(MINIMAL + "\ndata: inputs\n")
    assert load_config(path).data_root == tmp_path / "inputs"
    monkeypatch.setenv(DATA_VARIABLE, "/elsewhere")
    assert load_config(path).data_root == Path("/elsewhere")
    assert load_config(path, data=Path("/first")).data_root == Path("/first")
