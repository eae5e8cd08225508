"""Which files of a folder belong together: years of one member, or months without any time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from hpcbudget.errors import HpcBudgetError
from hpcbudget.inputs.source import Source, open_source

SUFFIXES: Final = (".nc", ".nc4", ".cdf", ".h5", ".hdf5", ".zarr")
_NO_TIME: Final = "no time"


def files_below(folder: Path) -> Iterator[Path]:
    """Yield stores and files; what lies inside a store is not looked at."""
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.suffix in SUFFIXES:
            yield path
        elif path.is_dir():
            marked = any((path / mark).exists() for mark in ("zarr.json", ".zgroup"))
            yield from [path] if marked else files_below(path)


def group_files(folder: Path, files: Iterable[Path], problems: list[str]) -> dict[str, list[Path]]:
    """Put together the files of one member: names that differ in a date, times that differ too.

    Parameters
    ----------
    folder : Path
        What the patterns start from.
    files : iterable of Path
        Sorted by name.
    problems : list of str
        Files that cannot be read are added to it.

    Returns
    -------
    dict of str to list of Path
        Glob, or name of a single file, to its files.
    """
    alike: dict[str, list[Path]] = {}
    for path in files:
        relative = path.relative_to(folder).as_posix()
        stem, dot, suffix = relative.rpartition(".")
        alike.setdefault(re.sub(r"\d{4,}([-_]\d{4,})*", "*", stem) + dot + suffix, []).append(path)
    groups: dict[str, list[Path]] = {}
    for pattern, members in alike.items():
        if len(members) > 1 and _follow_each_other(members, problems):
            groups[pattern] = members
        else:
            groups.update({m.relative_to(folder).as_posix(): [m] for m in members})
    return groups


def _follow_each_other(files: list[Path], problems: list[str]) -> bool:
    starts = []
    for path in files:
        try:
            with open_source(str(path)) as source:
                starts.append((tuple(sorted(source.variables)), _start(source)))
        except HpcBudgetError as error:
            problems.append(f"{path}: {error.what}")
            return False
    if len({names for names, _ in starts}) > 1:
        return False
    if all(start == _NO_TIME for _, start in starts):
        months = [month_in_name(path) for path in files]
        return None not in months and months == [*range(months[0] or 0, (months[-1] or 0) + 1)]
    return len({s for _, s in starts}) == len(files)


def month_in_name(path: Path) -> int | None:
    """Return ``year * 12 + (month - 1)`` of a name such as ``flux_201507.nc``, None without.

    Examples
    --------
    >>> month_in_name(Path("v20r2_flux_2015-07.nc")) == 2015 * 12 + 6, month_in_name(Path("v20.nc"))
    (True, None)
    """
    found = re.findall(r"(?<!\d)((?:1[789]|20)\d\d)[-_]?(0[1-9]|1[0-2])(?!\d)", path.stem)
    return int(found[-1][0]) * 12 + int(found[-1][1]) - 1 if found else None


def _start(source: Source) -> str:
    for variable in source.variables.values():
        if "since" in str(variable.attrs.get("units", "")) and variable.shape != (0,):
            first = source.read(variable.name).ravel()[0]
            return f"{first} {variable.attrs['units']}"
    return _NO_TIME
