"""Tables of files: a CSV, or an intake-esm catalogue, asked for rows.

In a configuration, ``catalogue.csv[source_id=CESM2, variable_id=nbp]`` stands for the files of the
rows with these values; ``A|B`` allows either.
"""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path

import pandas as pd

from hpcbudget.errors import InputError

_ASKED = re.compile(r"^(?P<table>.+\.(?:csv|csv\.gz|tsv|json))\[(?P<query>.*)\]$")
_PATH_COLUMNS = ("path", "paths", "file", "filename", "uri", "url", "zstore", "location")


def is_listing(pattern: str) -> bool:
    """Whether a path of a configuration asks a table for files."""
    return _ASKED.match(pattern) is not None


def files_of(pattern: str, root: Path, where: str) -> list[str]:
    """Return the files that a table lists for some values of its columns, in order of the table.

    Parameters
    ----------
    pattern : str
        ``TABLE[column=value, column=value|value]``; TABLE is CSV (gzipped or not), TSV, or the
        JSON of an intake-esm catalogue.
    root : Path
        What a relative path of the table starts from; paths in it start from its own folder.
    where : str
        Configuration key, for messages.

    Raises
    ------
    InputError
        No such table, column or row.
    """
    match = _ASKED.match(pattern)
    assert match is not None
    table = root / Path(match["table"]).expanduser()
    rows, column = _read(table, where)
    for condition in filter(None, (part.strip() for part in match["query"].split(","))):
        key, equals, value = (part.strip() for part in condition.partition("="))
        if not equals or key not in rows.columns:
            near = difflib.get_close_matches(key, list(rows.columns), n=1)
            raise InputError(
                f"{condition!r} asks for no column of the table",
                where=f"{where}, {table}",
                fix=(f"did you mean {near[0]!r}? " if near else "")
                + f"Its columns are {', '.join(rows.columns)}",
            )
        kept = rows[rows[key].isin([v.strip() for v in value.split("|")])]
        if kept.empty:
            there = sorted(set(rows[key].dropna()))
            raise InputError(
                f"no row has {condition}",
                where=f"{where}, {table}",
                fix=f"{key} is one of {', '.join(there[:12])}{', ...' if len(there) > 12 else ''}",
            )
        rows = kept
    return [
        name if "://" in name else str(table.parent / name) for name in rows[column].astype(str)
    ]


def _read(table: Path, where: str) -> tuple[pd.DataFrame, str]:
    """Rows of a table and the name of the column that holds the paths."""
    column: str | None = None
    try:
        if table.suffix == ".json":
            told = json.loads(table.read_text(encoding="utf-8"))
            column = str(told["assets"]["column_name"])
            table = table.parent / str(told["catalog_file"])
        rows = pd.read_csv(table, dtype=str, sep="\t" if table.suffix == ".tsv" else ",")
    except FileNotFoundError:
        raise InputError(
            "table not found", where=f"{where}, {table}", fix="correct the path or set --data"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"cannot be read as a table of files: {error!r}",
            where=f"{where}, {table}",
            fix="give a CSV with a column 'path', or the JSON of an intake-esm catalogue",
        ) from None
    column = column or next((c for c in rows.columns if c.lower() in _PATH_COLUMNS), None)
    if column is None or column not in rows.columns:
        raise InputError(
            "no column holds paths",
            where=f"{where}, {table}",
            fix=f"name it 'path'; the columns are {', '.join(rows.columns)}",
        )
    return rows, column
