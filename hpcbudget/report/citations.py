"""What has to be cited: the data that were read, the adjustments that were made, the software."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from hpcbudget._version import __version__
from hpcbudget.report.run import Run

_TELLING: Final = ("citation", "references", "reference", "doi", "info", "source", "license")
"""Attributes of files that say whose work they are, in the order of preference."""


@dataclass(frozen=True)
class Citation:
    """One entry of the list.

    Attributes
    ----------
    subject : str
        What it is about.
    text : str
        The reference as the configuration or the file gives it; empty if neither does.
    origin : str
        Where the text was found.
    """

    subject: str
    text: str
    origin: str

    @property
    def links(self) -> tuple[str, ...]:
        """DOIs in the text as addresses.

        Examples
        --------
        >>> Citation("a", "Kondo et al. 2020, doi:10.1111/gcb.14917.", "config").links
        ('https://doi.org/10.1111/gcb.14917',)
        """
        found = re.findall(r"10\.\d{4,9}/[^\s\"<>;,)]+", self.text)
        return tuple(f"https://doi.org/{doi.rstrip('.')}" for doi in dict.fromkeys(found))


def citations(run: Run) -> list[Citation]:
    """List what a paper that uses the run has to cite.

    A member's own entry of the configuration comes first, then its ensemble's, then what its
    files say of themselves.  A member without any of them is listed with an empty text: somebody
    made those data, and the list says that the reference is still to be found.

    Parameters
    ----------
    run : Run
        A finished run.
    """
    entries = [*_members(run), *_adjustments(run.config)]
    software = f"hpcbudget {__version__}, see CITATION.cff of the project"
    entries.append(Citation("Software", software, "hpcbudget"))
    return list(dict.fromkeys(entries))


def _members(run: Run) -> Iterator[Citation]:
    declared: dict[tuple[str, str], str] = {}
    for ensemble in run.config.get("ensembles") or []:
        shared = ensemble.get("citation") or ""
        for name, member in (ensemble.get("members") or {}).items():
            own = member.get("citation") if isinstance(member, dict) else None
            declared[str(ensemble.get("family")), str(name)] = str(own or shared)
    files: dict[tuple[str, str], str] = {}
    for facts in run.provenance.get("inputs") or []:
        key = str(facts.get("family")), str(facts.get("member"))
        files[key] = files.get(key) or _told_by((facts.get("attributes") or {}).get("file") or {})
    keys = zip(
        run.fluxes["family"].values.astype(str),
        run.fluxes["member"].values.astype(str),
        strict=True,
    )
    for family, member in sorted(set(keys)):
        key = str(family), str(member)
        text, origin = declared.get(key, ""), "configuration"
        if not text:
            text, origin = files.get(key, ""), "attributes of the file"
        yield Citation(f"{key[0]} / {key[1]}", text, origin if text else "not given")


def _told_by(attributes: dict[str, Any]) -> str:
    lower = {str(name).lower(): str(value).strip() for name, value in attributes.items()}
    return "; ".join(dict.fromkeys(lower[name] for name in _TELLING if lower.get(name)))


def _adjustments(config: dict[str, Any]) -> Iterator[Citation]:
    for step in config.get("adjustments") or []:
        yield Citation(f"Adjustment {step.get('name')}", str(step.get("source")), "configuration")
    for table in config.get("tables") or []:
        text = str(table.get("citation") or "")
        yield Citation(f"Table {table.get('path')}", text, "configuration" if text else "not given")
