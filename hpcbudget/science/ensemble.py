"""Votes of an ensemble: one model one vote, only where a member covers what is compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from hpcbudget.options import StatisticsOptions
from hpcbudget.science.annual import Periods, annual
from hpcbudget.science.total import LAND, OCEAN, TOTAL, with_totals, within_reach

FloatArray = npt.NDArray[np.float64]
Span = Literal["common", "all"]

PROCESS = "process"
"""Family of the bottom-up totals: every pair of a land and an ocean process model."""


class EnsembleKey(NamedTuple):
    """What one ensemble estimates."""

    family: str
    component: str


PARTS_OF_PROCESS = (EnsembleKey("land_process", LAND), EnsembleKey("ocean_process", OCEAN))
"""Ensembles whose sum is the process models' total."""


class SampleKey(NamedTuple):
    """Where and when an ensemble is looked at."""

    family: str
    component: str
    region: str
    period: str


@dataclass(frozen=True)
class Votes:
    """One value per model and region (or per model, region and year)."""

    models: tuple[str, ...]
    """Names, sorted."""
    values_pgc_yr: FloatArray
    """(model, region, ...) in Pg C/yr; NaN where a model has no vote."""


@dataclass(frozen=True)
class Sample:
    """The votes of one ensemble in one region over one period."""

    votes_pgc_yr: FloatArray
    """(n,) finite values in Pg C/yr, of models or of pairs of models."""
    mean: float
    """Pg C/yr; NaN without votes."""
    sd: float
    """Standard deviation over the votes in Pg C/yr; NaN if too few."""
    standard_error: float
    """Of the mean, from the SD with ddof = 1, in Pg C/yr."""
    degrees_of_freedom: float
    """Of `standard_error`."""

    @property
    def n(self) -> int:
        """Number of votes."""
        return int(self.votes_pgc_yr.size)

    @cached_property
    def _ordered(self) -> list[float]:
        return sorted(self.votes_pgc_yr.tolist())

    def quantile(self, share: float) -> float:
        """Return the `share` quantile in Pg C/yr, linear between votes; NaN without votes.

        Examples
        --------
        >>> Sample.of_models([3.0, 1.0, 2.0], ddof=1).quantile(0.75)
        2.5
        """
        if not self.n:
            return float("nan")
        whole, part = divmod(share * (self.n - 1), 1.0)
        low, high = self._ordered[int(whole)], self._ordered[min(int(whole) + 1, self.n - 1)]
        return low + part * (high - low)

    @classmethod
    def of_models(cls, values_pgc_yr: npt.ArrayLike, ddof: int) -> Sample:
        """Make a sample of one value per model; NaN has no vote.

        Examples
        --------
        >>> Sample.of_models([-1.0, float("nan"), -3.0], ddof=1).mean
        -2.0
        """
        values = np.asarray(values_pgc_yr, dtype=np.float64)
        votes = values[np.isfinite(values)]
        n = votes.size
        return cls(
            votes_pgc_yr=votes,
            mean=float(votes.mean()) if n else np.nan,
            sd=float(votes.std(ddof=ddof)) if n > ddof else np.nan,
            standard_error=float(votes.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan,
            degrees_of_freedom=float(n - 1) if n else np.nan,
        )

    @classmethod
    def of_pairs(cls, first: Sample, second: Sample) -> Sample:
        """Add two independent samples: all pairs of votes, SDs in quadrature.

        The mean is the sum of the means. The degrees of freedom are those of Welch and
        Satterthwaite, because pairs are not independent of each other.

        Examples
        --------
        >>> a, b = Sample.of_models([1.0, 7.0], 0), Sample.of_models([0.0, 8.0], 0)
        >>> pairs = Sample.of_pairs(a, b)
        >>> pairs.n, pairs.mean, pairs.sd
        (4, 8.0, 5.0)
        """
        squares = np.square([first.standard_error, second.standard_error])
        spread = np.square(squares) / [first.degrees_of_freedom, second.degrees_of_freedom]
        total = float(spread.sum())
        return cls(
            votes_pgc_yr=np.add.outer(first.votes_pgc_yr, second.votes_pgc_yr).ravel(),
            mean=first.mean + second.mean,
            sd=float(np.hypot(first.sd, second.sd)),
            standard_error=float(np.sqrt(squares.sum())),
            degrees_of_freedom=float(squares.sum() ** 2 / total) if total > 0 else np.nan,
        )


def period_means(years: xr.Dataset, first: int, last: int, span: Span) -> FloatArray:
    """Average annual fluxes over a period.

    Parameters
    ----------
    years : xarray.Dataset
        Annual, from `hpcbudget.science.annual.annual`.
    first, last : int
        First and last year of the period, both included.
    span : {"common", "all"}
        ``common`` keeps the series that have every year of the period, so all votes speak of the
        same years; ``all`` takes the mean over those years of the period that a series has.

    Returns
    -------
    ndarray
        (series, region) in Pg C/yr, NaN without a value.
    """
    year = years["year"].values
    flux = years["flux_pgc_yr"].transpose("series", "region", "year").values
    block = flux[..., (year >= first) & (year <= last)]
    if span == "all":
        return mean_of_finite(block)
    if block.shape[-1] < last - first + 1:
        return np.full(block.shape[:-1], np.nan)
    return np.asarray(block.mean(axis=-1))


def votes(series: xr.Dataset, values_pgc_yr: npt.NDArray[Any]) -> dict[EnsembleKey, Votes]:
    """Give each model one vote: realisations of a model are averaged first.

    Parameters
    ----------
    series : xarray.Dataset
        With the coordinates family, model, member and component along ``series``.
    values_pgc_yr : ndarray
        (series, region, ...) in Pg C/yr; NaN where a series has no value.

    Returns
    -------
    dict of EnsembleKey to Votes
        Sorted by family and component; models sorted by name, so the order in which members
        were read has no influence, not even on the last bit.
    """
    members: dict[EnsembleKey, dict[str, list[tuple[str, int]]]] = {}
    columns = (series[c].values.astype(str) for c in ("family", "component", "model", "member"))
    for position, (family, component, model, member) in enumerate(zip(*columns, strict=True)):
        models = members.setdefault(EnsembleKey(str(family), str(component)), {})
        models.setdefault(str(model), []).append((str(member), position))
    result = {}
    for key in sorted(members):
        names = tuple(sorted(members[key]))
        rows = [[position for _, position in sorted(members[key][name])] for name in names]
        stacked = np.stack([mean_of_finite(values_pgc_yr[row], axis=0) for row in rows])
        result[key] = Votes(names, stacked)
    return result


def period_votes(
    fluxes: xr.Dataset, periods: Periods, span: Span
) -> dict[str, dict[EnsembleKey, Votes]]:
    """Return the votes of every ensemble in every period.

    Parameters
    ----------
    fluxes : xarray.Dataset
        Monthly fluxes; ``total`` is added where a member has land and ocean.
    periods : mapping of str to (int, int)
        Names with first and last year.
    span : {"common", "all"}
        See `period_means`.

    Returns
    -------
    dict of str to dict of EnsembleKey to Votes
        By period and ensemble, values (model, region).
    """
    years = annual(with_totals(fluxes))
    return {
        name: votes(years, period_means(years, first, last, span))
        for name, (first, last) in periods.items()
    }


def process_votes(
    fluxes: xr.Dataset, periods: Periods, span: Span
) -> dict[str, dict[EnsembleKey, Votes]]:
    """Return the votes that totals of process models are made of, in every period.

    Where land models do not reach and ocean models do, or the reverse, each of them votes zero,
    as a member that has both does in its own total. Empty if one of the ensembles is not there.
    """
    present = zip(*(fluxes[c].values.astype(str) for c in ("family", "component")), strict=True)
    if not set(PARTS_OF_PROCESS) <= set(present):
        return {}
    return period_votes(within_reach(fluxes, *PARTS_OF_PROCESS), periods, span)


def samples(
    fluxes: xr.Dataset, periods: Periods, rules: StatisticsOptions
) -> Iterator[tuple[SampleKey, Sample]]:
    """Yield the sample of every family, component, region and period, in this order.

    Family ``process`` (component ``total``) is yielded where the run has land and ocean process
    models: its votes are the sums of all pairs of a land and an ocean model (Bastos et al. 2020,
    doi:10.1029/2019GB006393), its SD is both SDs in quadrature (see `process_votes`).

    Parameters
    ----------
    fluxes, periods
        See `period_votes`.
    rules : StatisticsOptions
        ``span``, and ``ddof`` of the SD (``ddof_by_family`` goes before it).
    """
    by_period = period_votes(fluxes, periods, rules.span)
    parts = process_votes(fluxes, periods, rules.span)
    regions = fluxes["region"].values.astype(str).tolist()
    ensembles = sorted({key for group in by_period.values() for key in group})

    def sample(group: Votes, key: EnsembleKey, column: int) -> Sample:
        ddof = rules.ddof_of(key.family)
        return Sample.of_models(group.values_pgc_yr[:, column], ddof)

    for key in ensembles:
        for column, region in enumerate(regions):
            for period, found in by_period.items():
                yield SampleKey(*key, region, period), sample(found[key], key, column)
    for column, region in enumerate(regions):
        for period, found in parts.items():
            land, ocean = (sample(found[key], key, column) for key in PARTS_OF_PROCESS)
            yield SampleKey(PROCESS, TOTAL, region, period), Sample.of_pairs(land, ocean)


def summarise(values_pgc_yr: FloatArray, ddof: int) -> dict[str, FloatArray]:
    """Return n, mean, sd, min and max over the models of (model, ...), ignoring NaN.

    Where no model has a value n is 0 and the others are NaN.
    """
    finite = np.isfinite(values_pgc_yr)
    n = finite.sum(axis=0)
    mean = mean_of_finite(values_pgc_yr, axis=0)
    squares = np.where(finite, np.square(values_pgc_yr - mean), 0.0).sum(axis=0)
    low = np.where(finite, values_pgc_yr, np.inf).min(axis=0)
    high = np.where(finite, values_pgc_yr, -np.inf).max(axis=0)
    return {
        "n": n,
        "mean": mean,
        "sd": np.where(n > ddof, np.sqrt(squares / np.maximum(n - ddof, 1)), np.nan),
        "min": np.where(n > 0, low, np.nan),
        "max": np.where(n > 0, high, np.nan),
    }


def mean_of_finite(values: npt.NDArray[Any], axis: int = -1) -> npt.NDArray[Any]:
    """Mean over the finite values along an axis; NaN where there is none."""
    finite = np.isfinite(values)
    count = finite.sum(axis=axis)
    total = np.where(finite, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
