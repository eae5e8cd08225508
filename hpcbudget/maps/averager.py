"""Averager: streams one member's record into its maps over one span.

Steps are summed on the stored grid as long as they belong to the same class (see
`hpcbudget.maps.spans`), then handed over to the common grid. So memory holds one field of sums
and one of seconds, however long the record is, and how it is read in pieces changes no bit.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from hpcbudget.engine.read_ahead import read_ahead
from hpcbudget.engine.work import Done
from hpcbudget.errors import HpcBudgetError
from hpcbudget.inputs.series import Series
from hpcbudget.kernels import means
from hpcbudget.kernels.means import accumulate, settle
from hpcbudget.maps.member import Balance, MemberKey, MemberMaps, MemberUnit
from hpcbudget.maps.remap import Remap, load_remap
from hpcbudget.maps.spans import Mask, Span, classes_of, steps_of

Float = npt.NDArray[np.float64]

# Part of every fingerprint: raise it when the same inputs would give other maps.
MAPS_VERSION = "1"


@dataclass(frozen=True)
class Averager:
    """Everything a worker needs to make the maps of members, sent to it once.

    Attributes
    ----------
    out : Path
        Output directory, on a file system that all workers share.
    series : mapping of MemberKey to tuple of Series
        Terms of each component, sorted.
    remaps : mapping of MemberKey to tuple of str
        Name (content hash) of each term's remap below ``out/domains``.
    spans : mapping of str to Span
    area_m2 : ndarray, shape (cell,)
        Areas of the common grid's cells.
    rule : {"common", "all"}
        Which record counts (see `steps_of`).
    preserve : {"integral", "mean"}
        Whether a cell that is covered in part keeps its total, or the mean of what is covered.
    min_valid : float
        Least valid share of a cell's area and time.
    prefetch : int
        Reads ahead of the kernel.
    """

    out: Path
    series: Mapping[MemberKey, tuple[Series, ...]]
    remaps: Mapping[MemberKey, tuple[str, ...]]
    spans: Mapping[str, Span]
    area_m2: Float
    rule: Literal["common", "all"]
    preserve: Literal["integral", "mean"]
    min_valid: float
    prefetch: int = 1

    def masks(self, unit: MemberUnit) -> dict[str, tuple[Mask, ...]]:
        """Return by season the steps of each term; seasons that a term lacks are left out."""
        span = self.spans[unit.span]
        found: dict[str, tuple[Mask, ...]] = {}
        for season in span.seasons:
            masks = [
                steps_of(s.times, s.steps, span, season, self.rule) for s in self.series[unit.key]
            ]
            whole = tuple(m for m in masks if m is not None)
            if len(whole) == len(masks):
                found[season] = whole
        return found

    def fingerprint(self, unit: MemberUnit) -> str:
        """Identify all that a unit's maps depend on: data, factors, weights, grid, rules."""
        rules = (MAPS_VERSION, repr(self.spans[unit.span]), self.rule, self.preserve)
        digest = sha256(repr((*rules, self.min_valid)).encode())
        digest.update(self.area_m2.tobytes())
        masks = self.masks(unit)
        for i, (series, remap) in enumerate(
            zip(self.series[unit.key], self.remaps[unit.key], strict=True)
        ):
            start, stop = _range([own[i] for own in masks.values()])
            for season, own in masks.items():
                digest.update(season.encode() + own[i].tobytes())
            digest.update(series.store.fingerprint(start, stop).encode() + remap.encode())
            digest.update(np.ascontiguousarray(series.factor[start:stop]).tobytes())
        return digest.hexdigest()

    def read_bytes(self, unit: MemberUnit) -> int:
        """Return the decoded bytes that a unit reads."""
        masks = self.masks(unit)
        total = 0
        for i, series in enumerate(self.series[unit.key]):
            start, stop = _range([own[i] for own in masks.values()])
            total += (stop - start) * series.store.step_bytes
        return total

    def warm(self) -> None:
        """Compile the kernels of means and shares."""
        means.warm()

    def run(self, unit: MemberUnit, /) -> Done:
        """Make the maps of a unit and record them in the ledger.

        Raises
        ------
        HpcBudgetError
            Naming the unit; nothing is recorded.
        """
        begin = time.perf_counter()
        try:
            maps = self.compute(unit)
        except HpcBudgetError as error:
            raise error.at(f"maps of {unit.key}, {unit.span}") from error
        maps.save(unit.path(self.out), unit.name, self.fingerprint(unit))
        return Done(unit, self.read_bytes(unit), time.perf_counter() - begin)

    def compute(self, unit: MemberUnit) -> MemberMaps:
        """Read and average all terms of a unit."""
        masks = self.masks(unit)
        seasons = tuple(masks)
        terms = [
            self._term(series, name, {season: own[i] for season, own in masks.items()})
            for i, (series, name) in enumerate(
                zip(self.series[unit.key], self.remaps[unit.key], strict=True)
            )
        ]
        maps: list[Float] = []
        balances: list[Balance] = []
        basis = np.maximum.reduce([term.basis_m2 for term in terms])
        for season in seasons:
            seconds = terms[0].seconds[season]
            rate = sum((t.kg[season] / t.seconds[season] for t in terms[1:]),
                       start=terms[0].kg[season] / seconds)  # fmt: skip
            # a sum of terms is known where, and as long as, all of them are
            valid = np.minimum.reduce([t.valid_m2_s[season] / t.seconds[season] for t in terms])
            values = self._density(rate, valid, basis)
            maps.append(values)
            balances.append(
                Balance(
                    seconds,
                    sum(t.before_kg[season] / t.seconds[season] for t in terms),
                    float(np.nansum(values * self.area_m2)),
                    sum(t.magnitude_kg[season] / t.seconds[season] for t in terms),
                )
            )
        return MemberMaps(seasons, np.stack(maps), basis > 0, tuple(balances))

    def _density(self, rate_kg_s: Float, valid_m2: Float, basis_m2: Float) -> Float:
        """Turn amounts into kg m-2 s-1 of the whole cell."""
        area = self.area_m2
        known = (valid_m2 > 0) & (valid_m2 >= (self.min_valid - 1e-9) * basis_m2)
        if self.preserve == "integral":
            values = rate_kg_s / area
        else:
            covered = np.divide(basis_m2, valid_m2, out=np.zeros_like(area), where=known)
            values = rate_kg_s / area * covered
        return np.where(known, values, np.where(basis_m2 > 0, np.nan, 0.0))

    def _term(self, series: Series, name: str, masks: Mapping[str, Mask]) -> _Term:
        remap = load_remap(str(self.out / "domains"), name)
        class_of_step, classes = classes_of(masks)
        start, stop = _range(list(masks.values()))
        sums = _Sums(remap, 1 + int(class_of_step.max()), self.area_m2.size)
        for begin, values in read_ahead(series, start, stop, self.prefetch):
            own = class_of_step[begin : begin + values.shape[0]]
            edges = np.flatnonzero(np.diff(own)) + 1
            for first, last in zip([0, *edges], [*edges, own.size], strict=True):
                if own[first] < 0:
                    continue
                at = slice(begin + first, begin + last)
                seconds = series.times.seconds[at]
                sums.add(int(own[first]), values[first:last], series.factor[at], seconds)
        return sums.finish(classes)


@dataclass(frozen=True)
class _Term:
    """Sums over time of one term on the common grid, by season."""

    kg: dict[str, Float]
    valid_m2_s: dict[str, Float]
    seconds: dict[str, float]
    before_kg: dict[str, float]
    magnitude_kg: dict[str, float]
    basis_m2: Float


class _Sums:
    """Running sums of one term: by stored cell within a run of steps, then by class."""

    def __init__(self, remap: Remap, classes: int, cells: int) -> None:
        self.remap = remap
        self.basis_m2 = remap.spread(remap.area_m2)
        self.kg, self.valid_m2_s = np.zeros((classes, cells)), np.zeros((classes, cells))
        self.seconds, self.before_kg, self.magnitude_kg = (np.zeros(classes) for _ in range(3))
        self.current = -1
        self.run_seconds = 0.0
        self.native, self.seen, self.amounts = (np.zeros(remap.weight.size) for _ in range(3))
        # most records lack the same cells all along: where they lie is worked out once
        self.known = np.ones(remap.weight.size, dtype=bool)
        self.known_m2, self.stale = self.basis_m2, False

    def add(
        self, into: int, values: npt.NDArray[np.floating], factor: Float, seconds: Float
    ) -> None:
        """Add steps (step, cell) of one class."""
        if into != self.current:
            self.flush()
            self.current = into
        accumulate(values, factor * seconds, seconds, self.native, self.seen)
        for length in seconds.tolist():
            self.run_seconds += length

    def flush(self) -> None:
        """Hand what was summed over to the common grid."""
        if self.current < 0:
            return
        at, remap = self.current, self.remap
        total, magnitude, partly, same = settle(
            self.native, self.seen, remap.weight, self.run_seconds, self.amounts, self.known
        )
        self.before_kg[at] += total
        self.magnitude_kg[at] += magnitude
        self.kg[at] += remap.spread(self.amounts)
        if partly:  # some cells came and went within the run
            self.valid_m2_s[at] += remap.spread(self.seen * remap.area_m2)
            self.seen[:] = 0.0
        else:
            if not same or self.stale:
                self.known_m2 = remap.spread(self.known * remap.area_m2)
            self.valid_m2_s[at] += self.run_seconds * self.known_m2
        self.stale = partly
        self.seconds[at] += self.run_seconds
        self.run_seconds = 0.0

    def finish(self, classes: Mapping[str, list[int]]) -> _Term:
        """Add up classes to seasons."""
        self.flush()
        return _Term(
            {season: self.kg[own].sum(axis=0) for season, own in classes.items()},
            {season: self.valid_m2_s[own].sum(axis=0) for season, own in classes.items()},
            {season: float(self.seconds[own].sum()) for season, own in classes.items()},
            {season: float(self.before_kg[own].sum()) for season, own in classes.items()},
            {season: float(self.magnitude_kg[own].sum()) for season, own in classes.items()},
            self.basis_m2,
        )


def _range(masks: list[Mask]) -> tuple[int, int]:
    """Return the half-open range of steps that some mask has."""
    at = np.flatnonzero(np.logical_or.reduce(masks))
    return int(at[0]), int(at[-1]) + 1
