"""Bootstrap over models: how far the numbers of the tables depend on who took part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Final
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hpcbudget.options import StatisticsOptions
from hpcbudget.science.annual import Periods
from hpcbudget.science.dipoles import region_pairs
from hpcbudget.science.ensemble import (
    PARTS_OF_PROCESS,
    PROCESS,
    EnsembleKey,
    FloatArray,
    Votes,
    period_votes,
    process_votes,
)
from hpcbudget.science.seasonal import MONTHS
from hpcbudget.science.total import TOTAL, with_totals
from hpcbudget.science.variability import member_votes

BOOTSTRAP_COLUMNS = (
    "family", "component", "region", "period", "statistic", "n", "low", "high", "level", "samples",
)  # fmt: skip

Draws = npt.NDArray[np.int64]
Sampled = tuple[str, str, str, str, str, int, FloatArray]
"""Family, component, region, period, statistic, n votes, and the value of each draw."""

Ordered = Callable[[FloatArray], npt.ArrayLike]
"""Ordered votes (draw, vote) -> value of each draw."""


def _at(share: float) -> Ordered:
    """Return the quantile (linear between votes) of ordered votes."""

    def quantile(ordered: FloatArray) -> FloatArray:
        whole, part = divmod(share * (ordered.shape[-1] - 1), 1.0)
        low = ordered[..., int(whole)]
        high = ordered[..., min(int(whole) + 1, ordered.shape[-1] - 1)]
        return np.asarray(low + part * (high - low))

    return quantile


SAMPLED: Final[dict[str, Ordered]] = {
    "mean": lambda ordered: ordered.mean(axis=-1),
    "min": _at(0.0),
    "max": _at(1.0),
    "median": _at(0.5),
    "q25": _at(0.25),
    "q75": _at(0.75),
    "sink_votes": lambda ordered: (ordered < 0).sum(axis=-1),
}
"""Columns of the statistics table that follow from votes: ordered (sample, vote) -> (sample,)."""


def bootstrap(fluxes: xr.Dataset, periods: Periods, options: StatisticsOptions) -> pd.DataFrame:
    """Give percentile intervals of every statistic in the tables.

    Models are drawn with replacement, ``options.bootstrap`` times. One draw serves all regions of
    an ensemble, so that correlations between regions survive; land and ocean models of family
    ``process``, and the two sides of a gap, are drawn independently. The draws depend on the seed
    and on the names of family and models, not on what else is in the run.

    Parameters
    ----------
    fluxes, periods
        See `hpcbudget.science.ensemble.samples`.
    options : StatisticsOptions
        ``bootstrap`` (samples), ``seed``, ``bootstrap_level``, ddof, span, and the sides of the
        reconciliation.

    Returns
    -------
    pandas.DataFrame
        family, component, region, period, statistic, n votes (those of the tables: pairs of models
        for family ``process``, of both sides for a gap), low and high (Pg C/yr or the unit of the
        statistic), level, samples. Statistics are those of the tables: mean, sd, min, max,
        median, q25, q75, sink_votes; ``correlation`` and ``variance_ratio`` of pairs of regions
        (region ``A + B``); ``gap`` (family ``top_down - bottom_up``); and the mean over models of
        iav, trend and the others of the variability table (a peak month may lie beyond 0 or 12,
        so that low <= high). Ensembles of fewer than two models have no rows.
    """
    if not options.bootstrap:
        return pd.DataFrame(columns=list(BOOTSTRAP_COLUMNS))
    fluxes = with_totals(fluxes)
    parts = process_votes(fluxes, periods, options.span)
    found = chain.from_iterable(
        _statistics(fluxes, groups, parts.get(period, {}), period, options)
        for period, groups in period_votes(fluxes, periods, options.span).items()
    )
    rows = [
        (*key, n, *_interval(values, options), options.bootstrap_level, options.bootstrap)
        for *key, n, values in chain(found, _variability(fluxes, periods, options))
    ]
    return pd.DataFrame(rows, columns=list(BOOTSTRAP_COLUMNS))


def _variability(
    fluxes: xr.Dataset, periods: Periods, options: StatisticsOptions
) -> Iterator[Sampled]:
    """Yield the mean over models of every statistic of the variability table."""
    regions = fluxes["region"].values.astype(str).tolist()
    for period, name, key, group in member_votes(fluxes, periods, options):
        if name == "mean":
            continue  # has its interval already
        for column, region in enumerate(regions):
            votes, n = _drawn(key, group, [column], period, options)
            if n < 2:
                continue
            if np.iscomplexobj(votes):  # one vote also where realisations of a model differ
                votes = np.exp(1j * np.angle(votes))
            means = votes[..., 0].mean(axis=-1)
            if np.iscomplexobj(means):  # months, counted on from the mean of all draws
                middle = means.mean()
                turned = np.angle(means / middle) + np.angle(middle)
                means = np.asarray(turned * MONTHS / (2 * np.pi))
            yield (*key, region, period, name, n, means)


def _statistics(
    fluxes: xr.Dataset,
    found: dict[EnsembleKey, Votes],
    process: dict[EnsembleKey, Votes],
    period: str,
    options: StatisticsOptions,
) -> Iterator[Sampled]:
    """Yield family, component, region, period, statistic, n and the sampled values."""
    regions = fluxes["region"].values.astype(str).tolist()
    pairs = region_pairs(fluxes)
    for key, group in found.items():
        ddof = options.ddof_of(key.family)
        for column, region in enumerate(regions):
            votes, n = _drawn(key, group, [column], period, options)
            if n < 2:
                continue
            one = votes[..., 0]
            for name, values in {**_plain(one), "sd": one.std(axis=-1, ddof=ddof)}.items():
                yield (*key, region, period, name, n, values)
        for a, b in pairs:
            votes, n = _drawn(key, group, [a, b], period, options)
            if n < 3:
                continue
            name = f"{regions[a]} + {regions[b]}"
            for statistic, values in _compensation(votes).items():
                yield (*key, name, period, statistic, n, values)
    if process:
        for column, region in enumerate(regions):
            parts = [_drawn(k, process[k], [column], period, options) for k in PARTS_OF_PROCESS]
            if min(n for _, n in parts) < 2:
                continue
            land, ocean = (votes[..., 0] for votes, _ in parts)
            sums = _pairs(land, ocean)
            ddofs = [options.ddof_of(k.family) for k in PARTS_OF_PROCESS]
            sd = np.hypot(land.std(axis=-1, ddof=ddofs[0]), ocean.std(axis=-1, ddof=ddofs[1]))
            for name, values in {**_plain(sums), "sd": sd}.items():
                yield (PROCESS, TOTAL, region, period, name, sums.shape[-1], values)
    yield from _gaps(regions, found, process, period, options)


def _pairs(land: FloatArray, ocean: FloatArray) -> FloatArray:
    """Return the sums (sample, pair) of all pairs of a land and an ocean model."""
    return (land[:, :, None] + ocean[:, None, :]).reshape(len(land), -1)


def _gaps(
    regions: list[str],
    found: dict[EnsembleKey, Votes],
    process: dict[EnsembleKey, Votes],
    period: str,
    options: StatisticsOptions,
) -> Iterator[Sampled]:
    for component, families in sorted(options.bottom_up.items()):
        for column, region in enumerate(regions):
            top, bottom = (
                np.concatenate(
                    [
                        _side(EnsembleKey(f, component), found, process, column, period, options)
                        for f in side
                    ],
                    axis=-1,
                )
                for side in (options.top_down, families)
            )
            if min(top.shape[-1], bottom.shape[-1]) >= 2:
                n = top.shape[-1] + bottom.shape[-1]
                gap = top.mean(axis=-1) - bottom.mean(axis=-1)
                yield ("top_down - bottom_up", component, region, period, "gap", n, gap)


def _side(
    key: EnsembleKey, found: dict[EnsembleKey, Votes], process: dict[EnsembleKey, Votes],
    column: int, period: str, options: StatisticsOptions,
) -> FloatArray:  # fmt: skip
    """Return what one family of a side has drawn (sample, vote), in the total of models as pairs.

    The table pools votes of the same families (see `hpcbudget.science.reconcile.reconciliation`).
    """
    if key == (PROCESS, TOTAL) and process:
        parts = [_drawn(k, process[k], [column], period, options) for k in PARTS_OF_PROCESS]
        if min(n for _, n in parts) >= 2:
            land, ocean = (votes[..., 0] for votes, _ in parts)
            return _pairs(land, ocean)
    elif key in found:
        return np.asarray(_drawn(key, found[key], [column], period, options)[0][..., 0])
    return np.empty((options.bootstrap, 0))


def _drawn(
    key: EnsembleKey, group: Votes, columns: list[int], period: str, options: StatisticsOptions
) -> tuple[npt.NDArray[Any], int]:
    """Draw (sample, model, region) from the models that have all of these regions."""
    values = group.values_pgc_yr[:, columns]
    known = values[np.isfinite(values).all(axis=1)]
    n = len(known)
    if not n:
        return np.empty((options.bootstrap, 0, len(columns))), 0
    name = crc32("\0".join((*key, period, *group.models)).encode())
    rng = np.random.default_rng([options.seed, name, n])
    draws: Draws = rng.integers(0, n, size=(options.bootstrap, n))
    return known[draws], n


def _plain(votes: FloatArray) -> dict[str, FloatArray]:
    ordered = np.sort(votes, axis=-1)
    return {name: np.asarray(of(ordered), dtype=np.float64) for name, of in SAMPLED.items()}


def _compensation(votes: FloatArray) -> dict[str, FloatArray]:
    """Correlation and variance ratio of two regions, from (sample, model, 2)."""
    centred = votes - votes.mean(axis=1, keepdims=True)
    a, b = centred[..., 0], centred[..., 1]
    squares_a, squares_b = np.square(a).sum(axis=1), np.square(b).sum(axis=1)
    product = (a * b).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.clip(product / np.sqrt(squares_a * squares_b), -1, 1)
        ratio = np.maximum(0.0, 1 + 2 * product / (squares_a + squares_b))
    return {"correlation": correlation, "variance_ratio": ratio}


def _interval(values: FloatArray, options: StatisticsOptions) -> tuple[float, float]:
    """Percentile interval of the samples that have a value (a draw of one model alone has no r)."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.nan, np.nan
    tail = (1 - options.bootstrap_level) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)
