"""Paths of a configuration into files that exist."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

from hpcbudget.errors import InputError
from hpcbudget.inputs.listing import files_of, is_listing
from hpcbudget.inputs.remote import expand_url, is_remote


def find_files(patterns: Iterable[str], root: Path, where: str) -> tuple[str, ...]:
    """Expand paths and globs under the data root, each glob in order of names and numbers.

    Parameters
    ----------
    patterns : iterable of str
        Paths, globs (``**`` allowed), URLs, or rows of a table (see `listing`); ``~`` and
        environment variables are expanded.
    root : Path
        What relative paths start from.
    where : str
        Configuration key, for messages.

    Raises
    ------
    InputError
        If a path does not exist, a glob matches nothing, or a file is named twice.
    """
    found: list[str] = []
    for pattern in patterns:
        if is_listing(pattern):
            found.extend(find_files(files_of(pattern, root, where), root, where))
            continue
        if is_remote(pattern):
            found.extend(_remote(pattern, where))
            continue
        path = os.path.join(root, os.path.expandvars(os.path.expanduser(pattern)))
        if os.path.exists(path):
            found.append(os.path.normpath(path))
            continue
        matches = sorted(glob.glob(path, recursive=True), key=_natural)
        if not matches:
            raise InputError(
                "no file matches" if glob.has_magic(path) else "file not found",
                where=f"{where}, path {path}",
                fix=_near(path, root),
            )
        found.extend(os.path.normpath(m) for m in matches)
    doubled = sorted({p for p in found if found.count(p) > 1})
    if doubled:
        raise InputError(
            f"{doubled[0]} is named more than once",
            where=where,
            why="its fluxes would be counted twice",
            fix="make the globs disjoint",
        )
    return tuple(found)


def _natural(path: str) -> list[tuple[int, str]]:
    """Key that sorts ``run2`` before ``run10``."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", path)]


def _remote(url: str, where: str) -> list[str]:
    if not glob.has_magic(url):
        return [url]
    matches = expand_url(url)
    if not matches:
        raise InputError("no file matches", where=f"{where}, {url}", fix="correct the URL")
    return matches


def _near(path: str, root: Path) -> str:
    """Advice for a path that is not there: the folder that lacks, or a similar name."""
    folder = Path(path).parent
    if not root.exists():
        return f"the data root {root} does not exist: give --data or set $HPCBUDGET_DATA"
    if not folder.exists():
        return f"the folder {folder} does not exist; relative paths start from {root} (--data)"
    names = sorted(p.name for p in folder.iterdir())
    near = difflib.get_close_matches(Path(path).name, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {folder / near[0]}?"
    return f"correct the path; relative paths start from {root} (--data)"
