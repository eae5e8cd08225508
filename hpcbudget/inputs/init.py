"""Write a first configuration from a look at a folder of files, with every open question in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import yaml

from hpcbudget.errors import ConfigError
from hpcbudget.files import write_atomic
from hpcbudget.inputs.survey import Candidate, Survey, survey

_HEAD = """\
# A first configuration, proposed by 'hpcbudget init' from a look at {folder}.
#
# Lines marked '?' are questions that the files do not answer: take the '#' from the line that is
# true. Nothing is guessed, so a run refuses to start before they are answered. Then
#
#   hpcbudget check {config}
#   hpcbudget run {config} --out out/{name}

name: {name}
title: {name}
data: {data}   # root of the paths below
# period: [1990, 2020]         # inclusive years; left out: all there is
overlap: fractional            # or centre: a cell belongs where its centre lies
regions:
  - gcb_bands                  # North (>30N), Tropics, South (<30S)

ensembles:
"""


@dataclass(frozen=True)
class Proposal:
    """A configuration that was written, and what it leaves open.

    Attributes
    ----------
    config : Path
        The file.
    text : str
        Its content.
    survey : Survey
        What was found in the folder.
    """

    config: Path
    text: str
    survey: Survey


def init(folder: Path, config: Path, *, force: bool = False) -> Proposal:
    """Look at `folder` and write a commented configuration.

    Parameters
    ----------
    folder : Path
        Holds NetCDF files or zarr stores, in any depth.
    config : Path
        YAML file to be written.
    force : bool
        Replace a file that is there.

    Returns
    -------
    Proposal
        Its ``survey.problems`` are what a user has to settle.

    Raises
    ------
    InputError
        The folder does not exist or holds no file.
    ConfigError
        No file holds a carbon flux, or `config` exists and `force` was not given.
    """
    if config.exists() and not force:
        raise ConfigError(
            "the configuration is there already",
            where=str(config),
            why="what you wrote into it would be lost",
            fix="choose another name with --out, or --force to replace it",
        )
    found = survey(folder)
    if not found.candidates:
        raise ConfigError(
            f"no carbon flux found in {len(found.ignored)} files",
            where=str(folder),
            why="no variable has units of carbon or CO2 per time",
            fix="write the configuration by hand and declare flux.units; see configs/example.yaml",
        )
    text = render(found, config)
    write_atomic(config, text.encode())
    return Proposal(config, text, found)


def render(found: Survey, config: Path) -> str:
    """Return the configuration as text.

    Parameters
    ----------
    found : Survey
        From `hpcbudget.inputs.survey.survey`.
    config : Path
        Where it will stand: the data root is written relative to it.
    """
    data = os.path.relpath(found.folder.absolute(), config.absolute().parent)
    name = config.stem if config.stem[:1].isalnum() else "budget"
    head = _HEAD.format(folder=found.folder, config=config, name=name, data=_plain(data))
    lines = [head.rstrip("\n")]
    for family, members in groupby(found.candidates, key=lambda c: c.family):
        lines += [f"  - family: {family}", "    members:"]
        for candidate in members:
            lines += [f"      {line}" if line else "" for line in _member(candidate)]
    if found.ignored:
        lines += ["", "# Files without a carbon flux (cell areas, masks, others):"]
        lines += [f"#   {path}" for path in found.ignored]
    return "\n".join(lines) + "\n"


def _member(candidate: Candidate) -> Iterator[str]:
    """Lines of one member, from its own indentation on."""
    yield f"{_plain(candidate.name)}:"
    if candidate.model:
        yield f"  model: {_plain(candidate.model)}   # realisations of one model share one vote"
    files = f"   # {candidate.count} files" if candidate.count > 1 else ""
    yield f"  paths: {_plain(candidate.pattern)}{files}"
    if candidate.group:
        yield f"  group: {_plain(candidate.group)}"
    if candidate.unnamed:
        yield "  # ? component, one of (several variables of one are a list)"
        for name in candidate.unnamed:
            for component in ("land", "ocean", "fossil", "eluc", "fire"):
                yield f"  # components: {{{component}: {_plain(name)}}}"
    elif candidate.preset:
        yield f"  preset: {candidate.preset}   # matched; 'hpcbudget check --explain' says why"
        shown = ", ".join(f"{c}: {' + '.join(v)}" for c, v in candidate.components.items())
        yield f"  # of the preset: {shown}"
    else:
        pairs = [
            f"{component}: {names[0] if len(names) == 1 else list(names)}"
            for component, names in candidate.components.items()
        ]
        yield f"  components: {{{', '.join(pairs)}}}"
    for fact in candidate.known:
        yield f"  # {fact}"
    if candidate.open:
        yield "  flux:"
        for fact, choices in candidate.open.items():
            yield f"    # ? {fact}, one of"
            for choice in choices:
                for line in choice.splitlines():
                    yield f"    # {line.strip().removeprefix('# ')}"
        # an empty mapping is a null in YAML; nothing is declared until a line is uncommented
        yield "    scope: null"
    for note in candidate.notes:
        yield f"  # {note}"


def _plain(text: str) -> str:
    """Return a YAML scalar, quoted only if it must be."""
    return yaml.safe_dump(text, width=10_000, allow_unicode=True).splitlines()[0]
