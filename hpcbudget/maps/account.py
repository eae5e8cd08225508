"""What the maps add up to, against the tables: part of the closure account.

The tables come from the engine's zones, the maps from sums by cell and a change of grid: two ways
to one number. They are compared as rates (kg C s-1), which no calendar enters.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import xarray as xr

from hpcbudget.maps.plan import MapsPlan
from hpcbudget.maps.spans import Rule, Span
from hpcbudget.options import ClosureOptions
from hpcbudget.science.closure import Row

Float = npt.NDArray[np.float64]
PG = 1e12  # kg in a Pg
GLOBE = "Globe"

BEFORE = "mean map = table, before regridding"
AFTER = "mean map = table, after regridding"
ENSEMBLE = "ensemble maps = maps of its models"


def map_rows(plan: MapsPlan, fluxes: xr.Dataset, closure: ClosureOptions) -> list[Row]:
    """Make rows of the closure account: the worst of all periods and seasons of a series.

    Parameters
    ----------
    plan : MapsPlan
        Of finished maps.
    fluxes : xarray.Dataset
        As the engine found them, before any adjustment.
    closure : ClosureOptions
        Largest differences that pass, relative to the sum of magnitudes: weights made elsewhere
        are as exact as their makers wrote them.
    """
    worst: dict[tuple[str, str, str, str], float] = {}
    for name, value in [*_members(plan, fluxes), *_ensembles(plan)]:
        worst[name] = float(np.maximum(worst.get(name, 0.0), value))  # NaN stays, and fails
    foreign = {(key.family, key.member, key.component) for key in plan.foreign}
    rows: list[Row] = []
    for name, value in sorted(worst.items()):
        regridded = name[-1] == AFTER and name[:-1] in foreign
        tolerance = closure.foreign_weights if regridded else closure.tolerance
        rows.append((*name, value, tolerance, value <= tolerance))
    return rows


def _members(
    plan: MapsPlan, fluxes: xr.Dataset
) -> Iterator[tuple[tuple[str, str, str, str], float]]:
    tables = _Tables(fluxes)
    averager, frame = plan.averager, plan.reducer.frame
    sphere = 4 * np.pi * float(str(frame.attributes["radius_m"])) ** 2
    whole = abs(float(frame.area_m2.sum()) / sphere - 1.0) < 1e-9
    keeps_all = averager.preserve == "integral" and averager.min_valid == 0 and whole
    for unit, kept in plan.balances():
        key = unit.key
        span = averager.spans[unit.span]
        for season, balance in zip(kept.seasons, kept.balances, strict=True):
            table = tables.rate(
                (key.family, key.member, key.component), span, season, averager.rule
            )
            if table is None:
                continue
            magnitude = max(balance.magnitude, abs(table))
            name = key.family, key.member, key.component
            for check, value in ((BEFORE, balance.before), (AFTER, balance.after)):
                if check == BEFORE or keeps_all:
                    yield (*name, check), _relative(value - table, magnitude)


def _ensembles(plan: MapsPlan) -> Iterator[tuple[tuple[str, str, str, str], float]]:
    found: dict[tuple[str, str, str], list[float]] = {}
    for tile, sums in plan.sums():
        for one in sums:
            total = found.setdefault(
                (f"{tile.span}/{one.season}", one.family, one.component), [0.0] * 3
            )
            for i, value in enumerate((one.mapped, one.direct, one.magnitude)):
                total[i] += value
    for (_, family, component), (mapped, direct, magnitude) in found.items():
        yield (family, "ensemble", component, ENSEMBLE), _relative(mapped - direct, magnitude)


class _Tables:
    """Rates of the Globe over the months of a span."""

    def __init__(self, fluxes: xr.Dataset) -> None:
        names = (fluxes[n].values.astype(str) for n in ("family", "member", "component"))
        self.where = {identity: i for i, identity in enumerate(zip(*names, strict=True))}
        globe = fluxes["region"].values.astype(str).tolist().index(GLOBE)
        flux = fluxes["flux_pgc_yr"].transpose("series", "region", "time")
        self.flux: Float = flux.values[:, globe]
        self.seconds: Float = fluxes["month_seconds"].transpose("series", "time").values
        self.month = fluxes["time"].values.astype("datetime64[M]").astype(np.int64) + 1970 * 12

    def rate(
        self, identity: tuple[str, str, str], span: Span, season: str, rule: Rule
    ) -> float | None:
        """Return the mean rate in kg C s-1 of the months a map stands for; None if not known."""
        series = self.where.get(identity)
        if series is None:
            return None
        wanted = span.months(season)
        kg, total = 0.0, 0.0
        for year in np.unique(wanted // 12):
            months = wanted[wanted // 12 == year]
            whole_year = np.isin(self.month, year * 12 + np.arange(12))
            year_seconds = float(self.seconds[series, whole_year].sum())
            at = np.isin(self.month, months)
            flux, seconds = self.flux[series, at], self.seconds[series, at]
            if flux.size < months.size or not np.isfinite(flux).all():
                if rule == "common":
                    return None
                continue
            if whole_year.sum() < 12 or not np.isfinite(year_seconds):
                return None  # the length of the year, and so the rate, is not known from the table
            kg += float((flux * seconds).sum()) * PG / year_seconds
            total += float(seconds.sum())
        return kg / total if total else None


def _relative(difference: float, magnitude: float) -> float:
    return abs(difference) / magnitude if magnitude else abs(difference)
