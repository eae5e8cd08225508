"""What a user should look at, said once of all it is true of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NAMED = 3
"""Members and files that are named where there are many."""


@dataclass(frozen=True)
class Notice:
    """One thing that is odd and yet no error.

    Attributes
    ----------
    who : str
        Series or member.
    what : str
        The fact; the same words for all that it is true of.
    file : str
        Where it was seen; empty if it is no file's.
    """

    who: str
    what: str
    file: str = ""

    def __str__(self) -> str:
        return f"{self.who}: {self.what}" + (f" ({self.file})" if self.file else "")


def grouped(notices: Iterable[Notice]) -> tuple[str, ...]:
    r"""Say each fact once, with who and what files it is true of.

    Parameters
    ----------
    notices : iterable of Notice
        In the order in which they are to be read.

    Examples
    --------
    >>> same = [Notice(f"M{i}", "no value at all in 2001-01", f"{i}.nc") for i in range(5)]
    >>> print(*grouped([*same, Notice("A", "half of the cells are missing")]), sep="\n")
    M0, M1, M2 and 2 more: no value at all in 2001-01 (0.nc, 1.nc, 2.nc and 2 more)
    A: half of the cells are missing
    """
    facts: dict[str, list[Notice]] = {}
    for notice in notices:
        facts.setdefault(notice.what, []).append(notice)
    return tuple(
        str(Notice(_some([n.who for n in own]), what, _some([n.file for n in own if n.file])))
        for what, own in facts.items()
    )


def _some(names: Sequence[str]) -> str:
    different = list(dict.fromkeys(names))
    more = len(different) - NAMED
    return ", ".join(different[:NAMED]) + (f" and {more} more" if more > 0 else "")
