"""Who took part: what was read of each member, what it covers and what was done to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from hpcbudget.report.blocks import Cell, Table, number, word
from hpcbudget.report.run import Run
from hpcbudget.report.style import component_label, family_rank, family_style


def members_block(run: Run) -> Table:
    """Return one row per member: model, components, record, missing share, units and history.

    Parameters
    ----------
    run : Run
        A finished run; what its provenance says of a series (units, sign, grid, history) is
        shown beside what the fluxes themselves tell.
    """
    fluxes = run.fluxes
    globe = int(np.flatnonzero(fluxes["region"].values.astype(str) == "Globe")[0])
    flux = fluxes["flux_pgc_yr"].transpose("series", "region", "time").values[:, globe]
    missing = fluxes["missing_area_m2"].transpose("series", "region", "time").values[:, globe]
    valid = fluxes["valid_area_m2"].transpose("series", "region", "time").values[:, globe]
    time = pd.DatetimeIndex(fluxes["time"].values)
    keys = [fluxes[name].values.astype(str).tolist() for name in ("family", "member")]
    members = sorted(set(zip(*keys, strict=True)), key=lambda k: (family_rank(k[0]), k[1]))
    recorded = _recorded(run.provenance)
    rows = []
    for family, member in members:
        own = [i for i, k in enumerate(zip(*keys, strict=True)) if k == (family, member)]
        known = np.isfinite(flux[own]).any(axis=0)
        first, last = (time[known][0], time[known][-1]) if known.any() else (None, None)
        span = f"{first:%Y-%m} to {last:%Y-%m}" if first is not None else "no data"
        area = np.nansum(missing[own]), np.nansum(valid[own])
        share = 100 * area[0] / sum(area) if sum(area) > 0 else float("nan")
        components = sorted({str(fluxes["component"].values[i]) for i in own})
        steps = sorted({str(fluxes["resolution"].values[i]) for i in own})
        facts = recorded.get((family, member), [])
        rows.append(
            (
                word(family_style(family).label.replace("$_2$", "₂")),
                word(member),
                word(str(fluxes["model"].values[own[0]])),
                word(", ".join(component_label(c).lower() for c in components)),
                Cell(span, span, "", f"{int(known.sum())} months, step {'/'.join(steps)}"),
                number(share, f"{share:.3g}" if np.isfinite(share) else "–"),
                _facts(facts, "units", "sign", "species", "area_basis"),
                _facts(facts, "grid", "calendar"),
                _steps(facts),
            )
        )
    headers = ("Method", "Member", "Model", "Components", "Record", "Missing area (%)",
               "Read as", "Grid", "What was done")  # fmt: skip
    caption = "Members of the run: what was read and what was done to it"
    return Table("members", caption, headers, tuple(rows))


def _recorded(provenance: dict[str, Any]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Group what the provenance says of each series by family and member."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for facts in provenance.get("inputs") or []:
        if isinstance(facts, dict) and "family" in facts and "member" in facts:
            whole = {**facts, **(facts.get("flux") or {})}
            found.setdefault((str(facts["family"]), str(facts["member"])), []).append(whole)
    return found


def _facts(series: list[dict[str, Any]], name: str, *more: str) -> Cell:
    """Say once what all series of a member share, and all of it where they differ."""
    said = {key: _once(str(facts.get(key) or "") for facts in series) for key in (name, *more)}
    text = "; ".join(said[name]) or "–"
    note = ", ".join(value.replace("_", " ") for key in more for value in said[key])
    return Cell(text, text.lower(), "", note)


def _steps(series: list[dict[str, Any]]) -> Cell:
    """List what was done to a member; long lists are folded."""
    steps = _once(str(step) for facts in series for step in facts.get("history") or [])
    if len(steps) < 2:
        return word("".join(steps) or "–")
    return Cell(f"{len(steps)} steps", str(len(steps)), "", "", tuple(steps))


def _once(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]
