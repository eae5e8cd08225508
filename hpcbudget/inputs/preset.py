"""Presets: what is known of the files of a project, as small YAML files.

A preset says how to recognise its files (`match`) and what it knows about reading them
(`reading`, the same keys as a member). It is used when a configuration asks for it by name, by the
path of a file of one's own, or as ``preset: auto``; it is never applied unasked. What a preset
declares is held against the files' metadata like any other declaration.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from hpcbudget.errors import ConfigError
from hpcbudget.inputs.source import Source
from hpcbudget.options import Model, Reading


class Match(Model):
    """How to recognise a file: all that is given must hold.

    Attributes
    ----------
    file : str or None
        Glob that the file's name must match.
    variables : tuple of str
        Variables that must be there.
    any_variable : tuple of str
        Variables of which one must be there.
    dims : tuple of str
        Dimensions that some variable must have.
    attributes : dict of str to str
        Global attributes and regular expressions that they must contain.
    """

    file: str | None = None
    variables: tuple[str, ...] = ()
    any_variable: tuple[str, ...] = ()
    dims: tuple[str, ...] = ()
    attributes: dict[str, str] = Field({})


class Preset(Model):
    """What is known of the files of a project.

    Attributes
    ----------
    name, title, about : str
        `about` says where the knowledge comes from and what a user still has to declare.
    match : Match
    reading : Reading
        Options below those of the ensemble and the member.
    group : str or None
        Group of the file that holds the variables.
    """

    name: str
    title: str
    about: str
    match: Match
    reading: Reading
    group: str | None = None


@dataclass(frozen=True)
class Fit:
    """How a preset and a file go together.

    Attributes
    ----------
    preset : Preset
    met, unmet : tuple of str
        Conditions that hold and that do not.
    """

    preset: Preset
    met: tuple[str, ...]
    unmet: tuple[str, ...]

    @property
    def matches(self) -> bool:
        """Whether all conditions hold."""
        return not self.unmet

    def __str__(self) -> str:
        told = "; ".join(self.met if self.matches else self.unmet)
        return f"preset {self.preset.name}: {told}"


def shipped_presets() -> tuple[Preset, ...]:
    """Return the presets of the package, by name.

    Examples
    --------
    >>> [p.name for p in shipped_presets()][:2]
    ['cams', 'carbontracker']
    """
    return _shipped()


@cache
def _shipped() -> tuple[Preset, ...]:
    folder = resources.files("hpcbudget.inputs") / "presets"
    found = [
        _parse(entry.read_text(encoding="utf-8"), entry.name)
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    ]
    return tuple(sorted(found, key=lambda p: p.name))


def load_preset(spec: str, root: Path) -> Preset:
    """Return a preset by name, or from a YAML file of the user's own.

    Raises
    ------
    ConfigError
        No such preset or file, or one that is not valid.
    """
    if spec.endswith((".yaml", ".yml")):
        path = root / Path(spec).expanduser()
        try:
            return _parse(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            raise ConfigError(
                f"cannot read the preset: {error.strerror}", where=str(path), fix="correct the path"
            ) from None
    names = [p.name for p in _shipped()]
    if spec not in names:
        near = difflib.get_close_matches(spec, names, n=1)
        raise ConfigError(
            f"no preset {spec!r}",
            fix=(f"did you mean {near[0]!r}? " if near else "")
            + f"There are: {', '.join(names)}; 'auto', or a YAML file of your own",
        )
    return next(p for p in _shipped() if p.name == spec)


def fit(preset: Preset, source: Source) -> Fit:
    """Hold a preset's conditions against an opened file."""
    match = preset.match
    met: list[str] = []
    unmet: list[str] = []

    def note(holds: bool, yes: str, no: str) -> None:
        (met if holds else unmet).append(yes if holds else no)

    name = Path(source.path.rstrip("/")).name
    if match.file is not None:
        note(
            fnmatch.fnmatch(name.lower(), match.file.lower()),
            f"file name matches {match.file}",
            f"file name {name} is not like {match.file}",
        )
    if match.variables:
        absent = [v for v in match.variables if v not in source.variables]
        note(
            not absent,
            f"has {', '.join(match.variables)}",
            f"has no {', '.join(absent)}",
        )
    if match.any_variable:
        found = [v for v in match.any_variable if v in source.variables]
        note(bool(found), f"has {', '.join(found)}", f"has none of {', '.join(match.any_variable)}")
    for dim in match.dims:
        there = any(dim in v.dims for v in source.variables.values())
        note(there, f"has dimension {dim}", f"has no dimension {dim}")
    for key, pattern in match.attributes.items():
        text = str(source.attrs.get(key, ""))
        note(
            re.search(pattern, text, re.IGNORECASE) is not None,
            f"attribute {key} contains {pattern}",
            f"attribute {key} is {text!r}, not like {pattern}",
        )
    return Fit(preset, tuple(met), tuple(unmet))


def best_fit(source: Source, where: str) -> Fit:
    """Return the one preset that a file matches best: with the most conditions.

    Raises
    ------
    ConfigError
        If none matches, or several equally well.
    """
    fits = [f for f in (fit(p, source) for p in _shipped()) if f.matches]
    fits.sort(key=lambda f: -len(f.met))
    best = [f for f in fits if len(f.met) == len(fits[0].met)]
    if len(best) == 1:
        return best[0]
    raise ConfigError(
        "several presets match equally well: " + ", ".join(f.preset.name for f in best)
        if best
        else "no preset matches",
        where=where,
        fix="name one of them: preset: " + " | ".join(f.preset.name for f in best)
        if best
        else "declare flux and components instead of 'preset: auto'",
    )


def _parse(text: str, origin: str) -> Preset:
    try:
        return Preset.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigError(
            f"not a valid preset: {error}",
            where=origin,
            fix="it needs name, title, about, match and reading (see the documentation)",
        ) from None
