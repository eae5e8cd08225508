"""Look at a folder and say what its files seem to be: members, families, presets, open questions.

A survey proposes; it never decides what a number means.  What metadata and presets leave open
(the sign, mass of what, per area of what) is returned as a question for the user.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hpcbudget.errors import HpcBudgetError, InputError, Problems, UnitsError
from hpcbudget.inputs.file_groups import SUFFIXES, files_below, group_files, month_in_name
from hpcbudget.inputs.flux import define_flux
from hpcbudget.inputs.layout import time_dim_of
from hpcbudget.inputs.preset import Preset, fit, shipped_presets
from hpcbudget.inputs.source import Source, Variable, open_source
from hpcbudget.inputs.units import parse_area, parse_units
from hpcbudget.options import FluxOptions

_COMPONENTS: Final = (
    ("fossil", r"foss|fff|ffco2|anthropogenic|cement"),
    ("eluc", r"luc\b|land.?use"),
    ("ocean", r"ocean|ocn|fgco2|fg.co2|air.?sea|sea.?air|sfco2_sea"),
    ("land", r"\bnbp|\bnee|\bnep|bio|lnd|land|terrest"),
)
_QUESTIONS: Final = ("sign", "species", "area_basis")


@dataclass(frozen=True)
class Candidate:
    """Files that look like one member.

    Attributes
    ----------
    name : str
        Proposed name of the member.
    model : str or None
        Proposed name of the model where the name ends in a realisation (``_r1``).
    family : str
        Proposed family.
    group : str or None
        Group of the file that holds the variables.
    pattern : str
        Path or glob below the folder.
    count : int
        Number of files.
    preset : str or None
        The shipped preset that the first file matches best.
    components : mapping of str to tuple of str
        Component to its variables; empty where their names tell no component.
    known : tuple of str
        What metadata and preset say of the flux.
    open : mapping of str to tuple of str
        Fact that must be declared (``sign``, ...) and the choices, as lines of YAML.
    unnamed : tuple of str
        The fluxes of a file none of which tells what it is a flux of.
    notes : tuple of str
        What a user should look at.
    """

    name: str
    model: str | None
    group: str | None
    family: str
    pattern: str
    count: int
    preset: str | None
    components: Mapping[str, tuple[str, ...]]
    known: tuple[str, ...]
    open: Mapping[str, tuple[str, ...]]
    unnamed: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """What a folder holds.

    Attributes
    ----------
    folder : Path
    candidates : tuple of Candidate
        Sorted by family and name.
    problems : tuple of str
        Files that cannot be read, and open questions, one line each.
    ignored : tuple of str
        Files without any flux.
    """

    folder: Path
    candidates: tuple[Candidate, ...]
    problems: tuple[str, ...]
    ignored: tuple[str, ...]


def survey(folder: Path) -> Survey:
    """Look at every NetCDF file and zarr store below a folder.

    Parameters
    ----------
    folder : Path
        Searched with its folders; hidden ones are left out.

    Raises
    ------
    InputError
        There is no such folder, or no file in it.
    """
    if not folder.is_dir():
        raise InputError("no such folder", where=str(folder), fix="give the folder of your files")
    files = sorted(files_below(folder))
    if not files:
        raise InputError(
            f"no NetCDF file or zarr store ({', '.join(SUFFIXES)})",
            where=str(folder),
            fix="give the folder that holds the flux files",
        )
    candidates: list[Candidate] = []
    problems: list[str] = []
    ignored: list[str] = []
    for pattern, members in group_files(folder, files, problems).items():
        try:
            found = _candidate(pattern, members)
        except HpcBudgetError as error:
            problems.append(f"{pattern}: {error.what}")
            continue
        if found is None:
            ignored.append(pattern)
            continue
        candidates.append(found)
        asked = [*found.open, *(["the component"] if found.unnamed else [])]
        problems += [f"{found.name}: {fact} must be declared" for fact in asked]
        problems += [f"{found.name}: {note[2:]}" for note in found.notes if note.startswith("? ")]
    ordered = sorted(_unique(candidates), key=lambda c: (c.family, c.name))
    return Survey(folder, tuple(ordered), tuple(problems), tuple(ignored))


def _candidate(pattern: str, files: list[Path]) -> Candidate | None:
    """Return what a group of files seems to be, or None if it holds no flux."""
    group = _group(str(files[0]))
    with open_source(str(files[0]), group) as source:
        matching = [f for f in (fit(p, source) for p in shipped_presets()) if f.matches]
        most = max((len(f.met) for f in matching), default=0)
        best = [f.preset for f in matching if len(f.met) == most]
        preset = best[0] if len(best) == 1 else None
        left: list[str] = []
        notes = [f"several presets match: {', '.join(p.name for p in best)}"] * (len(best) > 1)
        if preset is not None:
            components = _of_preset(preset, source)
        else:
            components, left = _by_name(source)
            if left and components:
                notes.append(f"other fluxes in the file: {', '.join(left)}")
        unnamed = tuple(left) if not components else ()
        if not components and not unnamed:
            return None
        known, questions = _meaning(source, components or {"": unnamed[:1]}, preset)
        notes += _fields_beside(source)
        named = [n for names in components.values() for n in names] or list(unnamed)
        fields = [source.variables[n] for n in named]
        if any(time_dim_of(source, field) is None for field in fields):
            notes.append(f"? no time in the file; declare  {_time_to_declare(files)}")
        dims = {dim for field in fields for dim in field.dims}
        notes += [
            f"dimension {dim}: one member each, with select: {{{dim}: ...}}"
            for dim in sorted(dims)
            if re.search(r"member|realiz|realis|ensemble", dim)
        ]
        told = f"{pattern} {source.attrs.get('title', '')} {preset.name if preset else ''}"
    name = _name(pattern)
    realisation = re.fullmatch(r"(.+?)[_-]r\d+(?:i\d+p\d+f\d+)?", name)
    return Candidate(
        name=name,
        model=realisation[1] if realisation else None,
        group=group,
        family=_family(components, told),
        pattern=pattern,
        count=len(files),
        preset=preset.name if preset else None,
        components=components,
        known=known,
        open=questions,
        unnamed=unnamed,
        notes=tuple(notes),
    )


def _group(path: str) -> str | None:
    """Return the first group that holds fluxes, of a file that has none outside its groups."""
    with open_source(path) as source:
        if any(_is_flux(source, variable) for variable in source.variables.values()):
            return None
        names = source.groups
    for name in names:
        with open_source(path, name) as source:
            if any(_is_flux(source, variable) for variable in source.variables.values()):
                return name
    return None


def _time_to_declare(files: list[Path]) -> str:
    """Return the YAML that answers for files without time; names of months give their first."""
    first = month_in_name(files[0]) if len(files) > 1 else None
    if first is None:
        return "time: {mean_over: [FIRST, LAST]}"
    return f"time: {{start: '{first // 12}-{first % 12 + 1:02d}'}}"


def _of_preset(preset: Preset, source: Source) -> dict[str, tuple[str, ...]]:
    named = {c: tuple(t.variable for t in terms) for c, terms in preset.reading.components.items()}
    return {c: names for c, names in named.items() if all(n in source.variables for n in names)}


def _by_name(source: Source) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Components by what variables are called; further candidates of a component are left."""
    components: dict[str, tuple[str, ...]] = {}
    left: list[str] = []
    for variable in source.variables.values():
        if not _is_flux(source, variable):
            continue
        attrs = variable.attrs
        told = [variable.name, *(str(attrs.get(k, "")) for k in ("standard_name", "long_name"))]
        found = next((c for text in told for c in _component(text)), None)
        if found is None or found in components:
            left.append(variable.name)
        else:
            components[found] = (variable.name,)
    return components, left


def _component(text: str) -> Iterator[str]:
    for component, expression in _COMPONENTS:
        if re.search(expression, text.lower().replace("_", " ")) or re.search(
            expression, text.lower()
        ):
            yield component


def _is_flux(source: Source, variable: Variable) -> bool:
    """Whether a variable is a field or zonal series with units of a carbon flux."""
    packed = variable.dtype.kind in "iu" and "scale_factor" in variable.attrs
    if not (variable.dtype.kind == "f" or packed) or max(variable.shape, default=0) < 2:
        return False
    space = [d for d in variable.dims if d != time_dim_of(source, variable)]
    try:
        parse_units(str(variable.attrs.get("units", "")))
    except HpcBudgetError:
        return False
    return bool(space)


def _meaning(
    source: Source, components: Mapping[str, tuple[str, ...]], preset: Preset | None
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Return what is known of the fluxes, and what must be asked."""
    known: dict[str, None] = {}
    questions: dict[str, tuple[str, ...]] = {}
    options = [preset.reading.flux] if preset else [FluxOptions()]
    for names in components.values():
        for name in names:
            attrs = source.variables[name].attrs
            known[f"{name}: {attrs.get('units', 'no units')}"] = None
            try:
                known.update(dict.fromkeys(define_flux(options, attrs, name).origin))
            except HpcBudgetError as error:
                problems = error.problems if isinstance(error, Problems) else (error,)
                for problem in problems:
                    questions.update(_question(problem))
    return tuple(known), questions


def _question(problem: HpcBudgetError) -> dict[str, tuple[str, ...]]:
    fact = problem.what.split(" ")[0].rstrip(":")
    if fact in _QUESTIONS and "unknown" in problem.what:
        lines = re.findall(r"flux: \{(\w+: \w+)\}\s+# (.+)", problem.fix)
        return {fact: tuple(f"{choice}   # {text}" for choice, text in lines)}
    return {fact if fact in _QUESTIONS else "units": (f"# {problem.what}", f"# {problem.fix}")}


def _fields_beside(source: Source) -> Iterator[str]:
    for variable in source.variables.values():
        standard = str(variable.attrs.get("standard_name", ""))
        if standard == "cell_area" or (len(variable.dims) > 1 and _is_area(variable)):
            yield f"cell areas in the file: cell_area: {{paths: ..., variable: {variable.name}}}"
        if standard in ("land_area_fraction", "sea_area_fraction"):
            yield f"land or sea fraction in the file: {variable.name}"


def _is_area(variable: Variable) -> bool:
    try:
        parse_area(str(variable.attrs.get("units", "")))
    except UnitsError:
        return False
    return True


def _family(components: Iterable[str], told: str) -> str:
    present = set(components)
    if {"land", "ocean"} <= present:
        return "inversion"
    if "land" in present:
        return "land_process"
    if "ocean" in present:
        product = re.search(r"fco2|pco2|product|ffn|seaflux|socat", told.lower())
        return "ocean_product" if product else "ocean_process"
    return "bookkeeping"


def _name(pattern: str) -> str:
    """Return the name of the file, or of its folder where that says more."""
    path = Path(pattern.replace("*", ""))
    stem = path.name[: -len(path.suffix)] if path.suffix else path.name
    words = r"(flux(es)?|co2|data|output|monthly|annual|za|ts|[_.\W\d])+"
    generic = re.fullmatch(words, stem, re.IGNORECASE)
    if generic and path.parent.name:
        stem = path.parent.name
    return re.sub(r"[^A-Za-z0-9.-]+", "_", stem).strip("_.-") or "member"


def _unique(candidates: list[Candidate]) -> Iterator[Candidate]:
    from dataclasses import replace

    seen: dict[tuple[str, str], int] = {}
    for candidate in candidates:
        key = (candidate.family, candidate.name)
        seen[key] = seen.get(key, 0) + 1
        again = seen[key]
        yield replace(candidate, name=f"{candidate.name}_{again}") if again > 1 else candidate
