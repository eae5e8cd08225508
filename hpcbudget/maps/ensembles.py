"""Ensembles of one tile: from what members say to statistics over models, season by season.

Realisations of a model are averaged first, so that each model has one vote in each cell; models
vote in the order of their names. States of one season of one tile are all that is in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from hpcbudget.kernels import moments
from hpcbudget.maps.member import Kept, MemberKey, MemberUnit, open_maps
from hpcbudget.maps.store import Frame, open_array
from hpcbudget.maps.votes import (
    PARTS_OF_PROCESS,
    PROCESS,
    TOTAL,
    Sums,
    Tile,
    Vote,
    mean_of_known,
    sum_of_known,
)
from hpcbudget.options import StatisticsOptions

Float = npt.NDArray[np.float64]


class Ensembles:
    """All ensembles on the cells of one tile.

    Parameters
    ----------
    tile : Tile
    frame : Frame
    votes : tuple of Vote
        Sorted.
    rules : StatisticsOptions
    units : collection of MemberUnit
        Maps that there are.
    out, store : Path
        Where those maps lie, and where the statistics go.
    """

    def __init__(
        self,
        tile: Tile,
        frame: Frame,
        votes: tuple[Vote, ...],
        rules: StatisticsOptions,
        units: Collection[MemberUnit],
        out: Path,
        store: Path,
    ) -> None:
        self.tile, self.frame, self.votes, self.rules = tile, frame, votes, rules
        self.units, self.out, self.store = units, out, store
        self.span = next(span for span in self.frame.spans if span.name == tile.span)
        self.cells = slice(tile.start * self.frame.row_cells, tile.stop * self.frame.row_cells)
        self.area_m2 = self.frame.area_m2[self.cells]
        self.kept: dict[MemberKey, Kept | None] = {}
        self.arrays: dict[str, zarr.Array[Any]] = {}
        self.written: list[Path] = []
        self.read = 0

    def reduce(self, season: str) -> Iterator[Sums]:
        """Write all statistics of a season; yield what they add up to."""
        states: dict[tuple[str, str], Float] = {}
        for (family, component), votes in groupby(
            self.votes, key=lambda v: (v.family, v.component)
        ):
            found = self._models(list(votes), season)
            if found is None:
                continue
            models, inside = found
            state = moments.empty_state(self.area_m2.size)
            for values in models:
                moments.push(state, np.where(inside, values, np.nan))
            states[family, component] = state
            mean = self._write(family, component, season, state)
            if self.frame.quantiles:
                samples = np.where(inside, np.stack(models), np.nan)
                self._write_quantiles(family, component, season, samples)
            yield self._sums(family, component, season, mean * state[moments.COUNT], models)
        self._write_process(season, states)
        self._write_gaps(season, states)

    # -- votes ---------------------------------------------------------------------------------

    def _models(
        self, votes: list[Vote], season: str
    ) -> tuple[list[Float], npt.NDArray[np.bool_]] | None:
        """Return one value per model and cell, and where any of them knows of its own realm.

        Elsewhere all that is said is that there is no land (or sea), which makes no map.
        """
        models: list[Float] = []
        inside = np.zeros(self.area_m2.size, dtype=bool)
        for _, own in groupby(votes, key=lambda v: v.model):
            found = [self._values(vote, season, inside) for vote in own]
            members = [values for values in found if values is not None]
            if members:
                models.append(mean_of_known(members))
        return (models, inside) if models else None

    def _values(self, vote: Vote, season: str, inside: npt.NDArray[np.bool_]) -> Float | None:
        """Return what a member says, and add to `inside` where it knows of its own realm."""
        start, stop = self.cells.start, self.cells.stop
        kept = [self._open(key) for key in vote.parts]
        parts = [maps and maps.values(season, start, stop) for maps in kept]
        known = [values for values in parts if isinstance(values, np.ndarray)]
        if len(known) < len(parts):
            return None
        for maps, values in zip(kept, known, strict=True):
            assert maps is not None
            inside |= maps.inside(start, stop) & ~np.isnan(values)
            self.read += values.nbytes
        return known[0] if len(known) == 1 else sum_of_known(known)

    def _open(self, key: MemberKey) -> Kept | None:
        if key not in self.kept:
            unit = MemberUnit(key, self.tile.span)
            self.kept[key] = open_maps(unit.path(self.out)) if unit in self.units else None
        return self.kept[key]

    def _sums(
        self, family: str, component: str, season: str, mapped: Float, models: list[Float]
    ) -> Sums:
        amounts = [np.nan_to_num(values) * self.area_m2 for values in models]
        return Sums(
            family,
            component,
            season,
            float(np.nansum(mapped * self.area_m2)),
            sum(float(a.sum()) for a in amounts),
            sum(float(np.abs(a).sum()) for a in amounts),
        )

    # -- statistics ----------------------------------------------------------------------------

    def _write(self, family: str, component: str, season: str, state: Float) -> Float:
        mean, sd, agreement = moments.describe(state, self.rules.ddof_of(family))
        at = self._at(family, component, season)
        self._put("mean", at, mean)
        self._put("sd", at, sd)
        self._put("n", at, state[moments.COUNT])
        self._put("agreement", at, agreement)
        return mean

    def _write_quantiles(self, family: str, component: str, season: str, samples: Float) -> None:
        found = moments.quantiles(samples, np.array(self.frame.quantiles))
        for level, values in enumerate(found):
            self._put("quantiles", (level, *self._at(family, component, season)), values)

    def _write_process(self, season: str, states: Mapping[tuple[str, str], Float]) -> None:
        if PROCESS not in self.frame.families or not any(p in states for p in PARTS_OF_PROCESS):
            return
        mean, sd, n = self._process(states)
        at = self._at(PROCESS, TOTAL, season)
        self._put("mean", at, mean)
        self._put("sd", at, sd)
        self._put("n", at, n)

    def _write_gaps(self, season: str, states: Mapping[tuple[str, str], Float]) -> None:
        rules = self.rules
        for component, families in sorted(rules.bottom_up.items()):
            if component not in self.frame.components:
                continue
            top = self._pool(rules.top_down, component, states)
            bottom = self._pool(families, component, states)
            if top is None or bottom is None:
                continue
            gap, gap_sd = top[0] - bottom[0], np.hypot(top[1], bottom[1])
            width = gap_sd if rules.agreement.name == "quadrature" else top[1] + bottom[1]
            agrees = np.where(
                np.isfinite(gap) & np.isfinite(width), np.abs(gap) < rules.agreement.k * width, -1
            )
            at = self._at(self.frame.families[0], component, season)[1:]
            self._put("gap", at, gap)
            self._put("gap_sd", at, gap_sd)
            self._put("gap_agrees", at, agrees)

    def _pool(
        self, families: tuple[str, ...], component: str, states: Mapping[tuple[str, str], Float]
    ) -> tuple[Float, Float] | None:
        """Return mean and SD of the votes of several families together."""
        pairs = component == TOTAL and all(part in states for part in PARTS_OF_PROCESS)
        present = [f for f in families if (f, component) in states or (f == PROCESS and pairs)]
        if not present:
            return None
        if present == [PROCESS]:
            return self._process(states)[:2]
        pooled = moments.empty_state(self.area_m2.size)
        for family in present:
            made = _pairs(states) if family == PROCESS else states[family, component]
            moments.merge(pooled, made)
        mean, sd, _ = moments.describe(pooled, max(map(self.rules.ddof_of, present)))
        return mean, sd

    def _process(self, states: Mapping[tuple[str, str], Float]) -> tuple[Float, Float, Float]:
        """Add land and ocean models: means add up, SDs in quadrature, n is that of all pairs."""
        empty = moments.empty_state(self.area_m2.size)
        parts = [states.get(part, empty) for part in PARTS_OF_PROCESS]
        (land, land_sd, _), (ocean, ocean_sd, _) = (
            moments.describe(state, self.rules.ddof_of(family))
            for state, (family, _) in zip(parts, PARTS_OF_PROCESS, strict=True)
        )
        n = [state[moments.COUNT] for state in parts]
        both, only_land = (n[0] > 0) & (n[1] > 0), n[1] == 0
        alone = np.where(only_land, n[0], n[1])
        return (
            sum_of_known([land, ocean]),
            np.where(both, np.hypot(land_sd, ocean_sd), np.where(only_land, land_sd, ocean_sd)),
            np.where(both, n[0] * n[1], alone),
        )

    # -- writing -------------------------------------------------------------------------------

    def _at(self, family: str, component: str, season: str) -> tuple[int, int, int, int]:
        frame = self.frame
        return (
            frame.families.index(family),
            frame.components.index(component),
            frame.spans.index(self.span),
            frame.seasons.index(season),
        )

    def _put(self, name: str, at: tuple[int, ...], values: npt.NDArray[Any]) -> None:
        array = self.arrays.get(name)
        if array is None:
            array = self.arrays[name] = open_array(self.store, name)
        rows = slice(self.tile.start, self.tile.stop)
        block = values.reshape(rows.stop - rows.start, *self.frame.grid.shape[1:])
        key = (*at, self.tile.start // self.frame.tile_rows, *(0,) * (block.ndim - 1))
        shard = self.store / name / array.metadata.encode_chunk_key(key)
        # what a killed task left is not to be mended but to be replaced
        shard.unlink(missing_ok=True)
        place: tuple[int | slice, ...] = (*at, rows)
        array[place] = block.astype(array.dtype)
        self.written.append(shard)


def _pairs(states: Mapping[tuple[str, str], Float]) -> Float:
    """Return count, mean and squares of the sums of all pairs of a land and an ocean model.

    Where only one of them reaches, those of its own. Signs of pairs are not counted.
    """
    land, ocean = (states[part] for part in PARTS_OF_PROCESS)
    n_land, n_ocean = (np.maximum(state[moments.COUNT], 1.0) for state in (land, ocean))
    pairs: Float = land + ocean  # the means; where one has no value its state is 0
    pairs[moments.COUNT] = np.where(
        (land[moments.COUNT] > 0) | (ocean[moments.COUNT] > 0), n_land * n_ocean, 0.0
    )
    pairs[moments.SQUARES] = n_ocean * land[moments.SQUARES] + n_land * ocean[moments.SQUARES]
    return pairs
