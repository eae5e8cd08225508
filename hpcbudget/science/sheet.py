"""Find the table in a CSV, TSV or XLSX file whose first rows are prose, as in published budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from hpcbudget.errors import InputError

Cell = object
Row = Sequence[Cell]

_NOTHING = frozenset(("", "#n/a", "n/a", "na", "nan", "-", "--", "\N{EN DASH}"))
"""What stands in a cell that has no value, in small letters."""


@dataclass(frozen=True)
class Sheet:
    """A table found inside a sheet: what stands above it, its header and its rows."""

    origin: str
    """File and sheet, for messages."""
    groups: tuple[str, ...]
    """Text in the row above the header, by column."""
    header: tuple[str, ...]
    """Names of the columns, blanks stripped; empty where a column has none."""
    below: tuple[str, ...]
    """Text in the row below the header where that is no data row, else empty."""
    rows: tuple[Row, ...]
    """Data rows: those with a number in the year column."""
    year_column: int

    @property
    def years(self) -> pd.Index:
        """Years of the rows."""
        return pd.Index([int(float(str(r[self.year_column]))) for r in self.rows], name="year")

    def column(self, position: int, decimal: str = ".") -> list[float]:
        """Numbers of one column; NaN where the cell is empty."""
        return [self._number(row, position, decimal) for row in self.rows]

    def find(self, name: str) -> int:
        """Return the position of the column called `name`; of two alike, ``name#2`` is the second.

        Raises
        ------
        InputError
            No such column, or several and no number given.
        """
        name = _text(name)
        wanted, _, nth = name.partition("#")
        found = [i for i, title in enumerate(self.header) if title == name]
        if not found and nth.isdigit():
            found = [i for i, t in enumerate(self.header) if t == wanted][int(nth) - 1 : int(nth)]
        if len(found) == 1:
            return found[0]
        if not found:
            known = ", ".join(dict.fromkeys(t for t in self.header if t))
            raise InputError(f"no column {name!r}", where=self.origin, fix=f"columns: {known}")
        listed = ", ".join(f"{name}#{i + 1} (under {self._group(p)!r})"
                           for i, p in enumerate(found))  # fmt: skip
        raise InputError(
            f"{len(found)} columns are called {name!r}",
            where=self.origin,
            why="one of them would be taken for the other",
            fix=f"write one of {listed}",
        )

    def group(self, *labels: str) -> list[int]:
        """Positions of the columns from the one under a label up to the next empty header.

        Parameters
        ----------
        *labels : str
            Beginnings of what may stand there, since editions change their words.

        Raises
        ------
        InputError
            Nothing of these names stands above the header.
        """
        start = self._start(*labels)
        stop = start
        while stop < len(self.header) and self.header[stop]:
            stop += 1
        return list(range(start, stop))

    def group_with(self, label: str, below: str) -> list[int]:
        """Positions under `label`, up to the next label, whose second header line is `below`."""
        start = self._start(label)
        stop = next((i for i in range(start + 1, len(self.groups)) if self.groups[i]),
                    len(self.header))  # fmt: skip
        return [i for i in range(start, stop) if self.below[i] == below and self.header[i]]

    def frame(self, positions: Sequence[int], decimal: str = ".") -> pd.DataFrame:
        """Columns as a table of years by names, sorted by year."""
        table = {self.header[i]: self.column(i, decimal) for i in positions}
        return pd.DataFrame(table, index=self.years, dtype=np.float64).sort_index()

    def _start(self, *labels: str) -> int:
        beginnings = tuple(label.casefold() for label in labels)
        for position, text in enumerate(self.groups):
            if text.casefold().startswith(beginnings):
                return position
        known = ", ".join(repr(g) for g in self.groups if g)
        raise InputError(
            f"no group of columns called {' or '.join(map(repr, labels))}",
            where=self.origin,
            fix=f"groups: {known}",
        )

    def _group(self, position: int) -> str:
        return next((g for g in reversed(self.groups[: position + 1]) if g), "")

    def _number(self, row: Row, position: int, decimal: str) -> float:
        value = row[position] if position < len(row) else None
        text = _text(value)
        if text.casefold() in _NOTHING:
            return float("nan")
        try:
            return float(text.replace(decimal, "."))
        except ValueError:
            comma = decimal != "," and text.count(",") == 1 and text.replace(",", "").isdigit()
            raise InputError(
                f"{value!r} is no number",
                where=f"{self.origin}, column {self.header[position]!r}, "
                f"year {row[self.year_column]}",
                fix="declare decimal: ','" if comma else "correct the cell, or empty it",
            ) from None


def read_sheet(path: Path, sheet: str | None = None, *, year: str = "year") -> Sheet:
    """Find the table in a CSV, TSV or XLSX file: its header is the row that holds `year`.

    Parameters
    ----------
    path : Path
        ``.csv`` (comma or semicolon), ``.tsv`` or ``.xlsx``.
    sheet : str, optional
        Of a workbook; by default its first.
    year : str
        Header of the year column; case and blanks around it do not matter.

    Raises
    ------
    InputError
        The file, sheet or header is not there, or the table has no rows.
    """
    origin = f"{path}, sheet {sheet!r}" if sheet else str(path)
    rows: tuple[Row, ...] = ()
    number = None
    for separator in _separators(path):
        rows = _rows(path, sheet, origin, separator)
        number = _header_row(rows, year)
        if number is not None:
            break
    if number is None:
        raise InputError(
            f"no row holds a column called {year!r}",
            where=origin,
            fix="name the header of the year column with the key 'year'",
        )
    titles = [_text(cell) for cell in rows[number]]
    at = [title.casefold() for title in titles].index(_text(year).casefold())
    data = tuple(row for row in rows[number + 1 :] if _is_year(row, at))
    if not data:
        raise InputError("no row with a year below the header", where=origin)
    width = len(titles)
    under: Row = rows[number + 1] if not _is_year(rows[number + 1], at) else ()
    return Sheet(
        origin=origin,
        groups=_padded(rows[number - 1] if number else (), width),
        header=tuple(titles),
        below=_padded(under, width),
        rows=data,
        year_column=at,
    )


def _header_row(rows: Sequence[Row], year: str) -> int | None:
    """Find the row that names the year column and another one."""
    for number, row in enumerate(rows):
        titles = [title for cell in row if (title := _text(cell).casefold())]
        if len(titles) > 1 and _text(year).casefold() in titles:
            return number
    return None


def _separators(path: Path) -> tuple[str, ...]:
    """Separators to try: prose above a table, and decimal commas, make counts of them useless."""
    kind = path.suffix.casefold()
    return {".csv": ("\t", ";", ","), ".tsv": ("\t",)}.get(kind, ("",))


def _rows(path: Path, sheet: str | None, origin: str, separator: str) -> tuple[Row, ...]:
    kind = path.suffix.casefold()
    if kind not in (".csv", ".tsv", ".xlsx"):
        raise InputError(
            f"cannot read a table of type {path.suffix!r}",
            where=origin,
            fix="give a .csv, .tsv or .xlsx file",
        )
    if not path.is_file():
        raise InputError("no such file", where=str(path), fix="correct the path of the table")
    try:
        return _read(str(path), sheet, separator, path.stat().st_mtime_ns)
    except InputError:
        raise
    except Exception as error:  # openpyxl and zipfile have no common base of theirs
        raise InputError(
            f"cannot read the table: {error}",
            where=origin,
            fix="save it again as .xlsx, or as .csv in UTF-8",
        ) from None


@lru_cache(maxsize=32)
def _read(path: str, sheet: str | None, separator: str, mtime_ns: int) -> tuple[Row, ...]:
    """Read all cells; several members share a sheet, and a run reads it twice."""
    if path.casefold().endswith(".xlsx"):
        from openpyxl import load_workbook

        book = load_workbook(path, data_only=True, read_only=True)
        try:
            # a blank behind a name cannot be seen in Excel
            names = {_text(name): name for name in reversed(book.sheetnames)}
            wanted = _text(sheet) if sheet is not None else _text(book.sheetnames[0])
            if wanted not in names:
                raise InputError(
                    f"no sheet {sheet!r}", where=path, fix=f"sheets: {', '.join(names)}"
                )
            return tuple(book[names[wanted]].iter_rows(values_only=True))
        finally:
            book.close()
    import csv

    text = Path(path).read_text(encoding="utf-8-sig")
    return tuple(map(tuple, csv.reader(text.splitlines(), delimiter=separator)))


def _is_year(row: Row, column: int) -> bool:
    text = _text(row[column]) if column < len(row) else ""
    try:
        return float(text).is_integer()
    except ValueError:
        return False


def _text(cell: Cell) -> str:
    """Return a cell's text, with one blank where line breaks or several blanks stand."""
    return "" if cell is None else " ".join(str(cell).split())


def _padded(row: Row, width: int) -> tuple[str, ...]:
    texts = [_text(cell) for cell in row][:width]
    return (*texts, *("" for _ in range(width - len(texts))))
