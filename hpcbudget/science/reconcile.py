"""Top-down against bottom-up: the gap, its uncertainty, and whether the two agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from hpcbudget.options import AgreementRule, StatisticsOptions
from hpcbudget.science.annual import Periods
from hpcbudget.science.closure import Row
from hpcbudget.science.ensemble import Sample, SampleKey, mean_of_finite, samples
from hpcbudget.science.verdict import Verdict, verdict

RECONCILIATION_COLUMNS = (
    "component", "region", "period", "top_down_mean", "top_down_sd", "n_td",
    "bottom_up_mean", "bottom_up_sd", "n_bu", "gap", "gap_sd", "agree", "verdict",
)  # fmt: skip


def reconciliation(fluxes: xr.Dataset, periods: Periods, rules: StatisticsOptions) -> pd.DataFrame:
    """Compare inversions with surface models, region by region and period by period.

    gap = mean_TD - mean_BU and gap_sd = sqrt(SD_TD^2 + SD_BU^2), after Kondo et al. 2020
    (doi:10.1111/gcb.14917), where no numerical criterion of agreement is published: it is
    ``rules.agreement``.

    Parameters
    ----------
    fluxes : xarray.Dataset
        Monthly fluxes of a run, on one flux definition (see `hpcbudget.science.adjust`).
    periods : mapping of str to (int, int)
        Names with first and last year.
    rules : StatisticsOptions
        ``top_down``: families of that side; ``bottom_up``: families by component; votes of
        several families are pooled. ddof, span, agreement and the rule of the verdict.

    Returns
    -------
    pandas.DataFrame
        Columns `RECONCILIATION_COLUMNS` in Pg C/yr for each component that both sides have.
        ``agree`` is False where the gap or its uncertainty is unknown. ``verdict`` is ``sink``
        or ``source`` where both sides say so by the rule, else ``undetermined``.
    """
    found = dict(samples(fluxes, periods, rules))
    places = list(dict.fromkeys((key.region, key.period) for key in found))
    rows = []
    for component, families in sorted(rules.bottom_up.items()):
        sides = [_present(found, side, component) for side in (rules.top_down, families)]
        if not all(sides):
            continue
        for region, period in places:
            top, bottom = (
                _pool([found[SampleKey(f, component, region, period)] for f in side], side, rules)
                for side in sides
            )
            rows.append((component, region, period, *_compare(top, bottom, rules)))
    return pd.DataFrame(rows, columns=list(RECONCILIATION_COLUMNS))


def area_rows(fluxes: xr.Dataset, rules: StatisticsOptions) -> list[Row]:
    """State in the closure account how far the areas behind the two sides differ.

    The value is the largest relative difference, over regions, of the mean area that top-down and
    bottom-up members stand for (valid and missing). It has no tolerance: a flux per m2 of land
    stands for less than the whole cells of an inversion, and rightly so; but with both sides on
    whole cells it is the difference of their grids' coasts and edges.

    Parameters
    ----------
    fluxes : xarray.Dataset
        ``valid_area_m2`` and ``missing_area_m2`` (series, region, time).
    rules : StatisticsOptions
        ``top_down`` and ``bottom_up``.
    """
    area = (fluxes["valid_area_m2"] + fluxes["missing_area_m2"]).transpose(
        "series", "region", "time"
    )
    by_series = mean_of_finite(np.where(area.values > 0, area.values, np.nan))
    family, component = (fluxes[c].values.astype(str) for c in ("family", "component"))
    rows: list[Row] = []
    for name, families in sorted(rules.bottom_up.items()):
        sides = [
            by_series[np.isin(family, side) & (component == name)]
            for side in (rules.top_down, families)
        ]
        top, bottom = (mean_of_finite(side, axis=0) for side in sides)
        difference = np.abs(top - bottom) / np.maximum(top, bottom)
        known = difference[np.isfinite(difference)]
        if known.size:
            check = "area of top-down = area of bottom-up"
            rows.append(("both sides", "", name, check, float(known.max()), np.inf, True))
    return rows


def agreement(top_down: Sample, bottom_up: Sample, rule: AgreementRule) -> bool:
    """Say whether two samples agree; unknown spreads never do.

    Parameters
    ----------
    top_down, bottom_up : Sample
        In Pg C/yr.
    rule : AgreementRule
        ``quadrature``: |gap| < k sqrt(SD_TD^2 + SD_BU^2); ``overlap``: the intervals
        mean -+ k SD overlap, |gap| < k (SD_TD + SD_BU), which is the milder one.

    Examples
    --------
    >>> a, b = Sample.of_models([0.0, 2.0], 0), Sample.of_models([1.9, 3.5], 0)
    >>> agreement(a, b, AgreementRule(name="quadrature")), agreement(
    ...     a, b, AgreementRule(name="overlap"))
    (False, True)
    """
    if rule.name == "overlap":
        width = top_down.sd + bottom_up.sd
    else:
        width = float(np.hypot(top_down.sd, bottom_up.sd))
    return bool(abs(top_down.mean - bottom_up.mean) < rule.k * width)


def _present(
    found: Mapping[SampleKey, Sample], families: Iterable[str], component: str
) -> list[str]:
    known = {(key.family, key.component) for key in found}
    return [family for family in families if (family, component) in known]


def _pool(parts: list[Sample], families: list[str], rules: StatisticsOptions) -> Sample:
    """Put the votes of several families into one sample; one family's sample stays as it is."""
    if len(parts) == 1:
        return parts[0]
    ddof = max(map(rules.ddof_of, families))
    return Sample.of_models(np.concatenate([part.votes_pgc_yr for part in parts]), ddof)


def _compare(
    top: Sample, bottom: Sample, rules: StatisticsOptions
) -> tuple[float, float, int, float, float, int, float, float, bool, Verdict]:
    gap, gap_sd = top.mean - bottom.mean, float(np.hypot(top.sd, bottom.sd))
    said = {verdict(top, rules.verdict), verdict(bottom, rules.verdict)}
    joint: Verdict = said.pop() if len(said) == 1 else "undetermined"
    agree = agreement(top, bottom, rules.agreement)
    return (top.mean, top.sd, top.n, bottom.mean, bottom.sd, bottom.n, gap, gap_sd, agree, joint)
