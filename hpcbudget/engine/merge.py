"""Merge: the totals of all blocks, put together in key order, become monthly fluxes in Pg C/yr.

Nothing here depends on how the blocks came about: every step's totals are read from the ledger and
placed by their key, terms of a component add up in the order of the configuration, and steps
shorter than a month are averaged over the month in the order of time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt
import xarray as xr

from hpcbudget.engine.block import Block
from hpcbudget.engine.ledger import Ledger
from hpcbudget.engine.plan import Plan
from hpcbudget.engine.totals import Totals
from hpcbudget.errors import BlockError, ConfigError, InputError
from hpcbudget.inputs.series import Series, SeriesKey

Float = npt.NDArray[np.float64]
PG = 1e12  # kg in a Pg


class Monthly:
    """One series' totals by month, on the month numbers ``year * 12 + month - 1``.

    A mean over years or a period counts with its rate in each of its months.
    """

    def __init__(
        self, series: Series, totals: Totals, period: tuple[int, int] | None = None
    ) -> None:
        first, last = series.steps
        axis = series.times
        self.resolution = axis.resolution
        if self.resolution in ("year", "period"):
            spans = axis.span_months[first:last]
            self.number = np.concatenate(
                [m + np.arange(n) for m, n in zip(axis.first_month[first:last], spans, strict=True)]
            )
            step_of = np.repeat(np.arange(last - first), spans)
            year_seconds = axis.year_seconds[first:last][step_of, np.newaxis]
            self.flux = totals.rate_kg_s[step_of] * year_seconds / PG
            self.valid = totals.valid_m2[step_of]
            self.missing = totals.missing_m2[step_of]
            self.seconds = axis.month_seconds[first:last][step_of]
            self._clip(period)
            return
        if axis.carried_seconds is not None:  # some steps lie in two months
            axis, step_of = axis.pieces(first, last)
            totals = totals.at(step_of)
            first, last = 0, len(axis)
        self.number, begins = np.unique(axis.first_month[first:last], return_index=True)
        weights = axis.seconds[first:last, np.newaxis]
        self.seconds = axis.month_seconds[first:last][begins]
        year_seconds = axis.year_seconds[first:last][begins, np.newaxis]
        if axis.resolution == "month":
            rate, self.valid, self.missing = totals.rate_kg_s, totals.valid_m2, totals.missing_m2
        else:
            whole = np.abs(np.add.reduceat(weights, begins) - self.seconds[:, np.newaxis]) < 1
            rate, self.valid, self.missing = (
                np.add.reduceat(values * weights, begins) / self.seconds[:, np.newaxis]
                for values in (totals.rate_kg_s, totals.valid_m2, totals.missing_m2)
            )
            rate = np.where(whole, rate, np.nan)  # a month that the record covers in part
        self.flux = rate * year_seconds / PG
        self._clip(period)

    def _clip(self, period: tuple[int, int] | None) -> None:
        """Drop the months outside the configured years."""
        if period is None:
            return
        keep = (self.number >= period[0] * 12) & (self.number < (period[1] + 1) * 12)
        self.number, self.seconds = self.number[keep], self.seconds[keep]
        self.flux, self.valid, self.missing = (
            values[keep] for values in (self.flux, self.valid, self.missing)
        )

    def add(self, other: Monthly, key: SeriesKey) -> None:
        """Add another term of the same component."""
        if not np.array_equal(self.number, other.number):
            raise InputError(
                "the terms of a component cover different months",
                where=f"{key}",
                why="their sum would mix one term with both",
                fix="set period: to the years that all terms cover",
            )
        self.flux = self.flux + other.flux
        self.valid = np.minimum(self.valid, other.valid)
        self.missing = np.maximum(self.missing, other.missing)


def collect(
    plan: Plan, ledger: Ledger, period: tuple[int, int] | None = None
) -> tuple[xr.Dataset, dict[SeriesKey, float]]:
    """Read all totals from the ledger and make monthly fluxes.

    Returns
    -------
    fluxes : xarray.Dataset
        Dimensions ``series``, ``region``, ``time``.
    audit : dict of SeriesKey to float
        Largest audit error of each series.

    Raises
    ------
    BlockError
        Naming the blocks that are not in the ledger: a budget without them would be wrong.
    """
    blocks: dict[SeriesKey, list[Block]] = defaultdict(list)
    for block in plan.blocks:
        blocks[block.key].append(block)
    merged: dict[tuple[str, str, str, str], Monthly] = {}
    audit: dict[SeriesKey, float] = {}
    missing: list[Block] = []
    for key in sorted(blocks):
        parts: list[Totals] = []
        for block in sorted(blocks[key]):
            totals = ledger.find(block, plan.runner.fingerprint(block))
            if totals is None:
                missing.append(block)
            else:
                parts.append(totals)
        if missing:
            continue
        totals = Totals.concatenate(parts)
        audit[key] = totals.audit_error
        month = Monthly(plan.runner.series[key], totals, period)
        name = (key.family, key.model, key.member, key.component)
        if name in merged:
            merged[name].add(month, key)
        else:
            merged[name] = month
    if missing:
        raise BlockError(
            f"{len(missing)} of {len(plan.blocks)} blocks are not done",
            where=_some(missing),
            why="a budget without them would be wrong",
            fix="run again: finished blocks are not repeated",
        )
    return _dataset(merged, plan, period), audit


def _some(blocks: Sequence[Block]) -> str:
    named = [str(block) for block in blocks[:5]]
    more = len(blocks) - len(named)
    return "\n".join(named + ([f"... and {more} more"] if more else []))


def _dataset(
    merged: dict[tuple[str, str, str, str], Monthly], plan: Plan, period: tuple[int, int] | None
) -> xr.Dataset:
    first, last = _months(merged, period)
    n_time = last - first + 1
    shape = (len(merged), len(plan.regions), n_time)
    flux, valid, missing = (np.full(shape, np.nan) for _ in range(3))
    seconds = np.full((len(merged), n_time), np.nan)
    for i, month in enumerate(merged.values()):
        at = month.number - first
        flux[i, :, at] = month.flux
        valid[i, :, at] = month.valid
        missing[i, :, at] = month.missing
        seconds[i, at] = month.seconds
    names = ("family", "model", "member", "component")
    columns = list(zip(*merged, strict=True)) or [()] * len(names)
    set_of = {region: name for name, ids in plan.region_sets for region in ids}
    dims = ("series", "region", "time")
    return xr.Dataset(
        {
            "flux_pgc_yr": (dims, flux),
            "valid_area_m2": (dims, valid),
            "missing_area_m2": (dims, missing),
            "month_seconds": (("series", "time"), seconds),
        },
        coords={
            **{n: ("series", np.array(c, dtype=str)) for n, c in zip(names, columns, strict=True)},
            "resolution": (
                "series",
                np.array([_coarse(m.resolution) for m in merged.values()], str),
            ),
            "region": np.array(plan.regions),
            "region_set": ("region", np.array([set_of.get(r, "") for r in plan.regions])),
            "time": _month_starts(first, n_time),
        },
    )


def _months(
    merged: dict[tuple[str, str, str, str], Monthly], period: tuple[int, int] | None
) -> tuple[int, int]:
    """Return the first and last month number of all members; without any, those of the period."""
    if merged:
        return (
            min(int(m.number[0]) for m in merged.values()),
            max(int(m.number[-1]) for m in merged.values()),
        )
    if period is None:
        raise ConfigError(
            "an analysis of tables alone needs its years",
            where="key period",
            fix="period: [1990, 2020]",
        )
    return period[0] * 12, period[1] * 12 + 11


def _coarse(resolution: str) -> str:
    return resolution if resolution in ("year", "period") else "month"


def _month_starts(first: int, n: int) -> npt.NDArray[np.datetime64]:
    months = np.datetime64("1970-01", "M") + (first - 1970 * 12 + np.arange(n))
    return months.astype("datetime64[ns]")


def region_sets_of(fluxes: xr.Dataset) -> dict[str, tuple[str, ...]]:
    """Return the regions of each set in the order of the dataset."""
    pairs = zip(fluxes["region_set"].values, fluxes["region"].values, strict=True)
    return {
        str(name): tuple(str(region) for _, region in group)
        for name, group in groupby(pairs, key=lambda pair: pair[0])
        if name
    }
