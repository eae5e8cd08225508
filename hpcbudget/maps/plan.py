"""Plan of the maps: what is averaged, onto which grid, by which weights, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from pathlib import Path

import numpy as np

from hpcbudget.config import Config
from hpcbudget.engine.block import whole_chunks
from hpcbudget.engine.plan import BASE_BYTES, DECODE_COPIES, worker_memory
from hpcbudget.engine.read_ahead import READ_BYTES
from hpcbudget.errors import ConfigError, PlanError
from hpcbudget.files import replace_folder, unwritable, write_atomic
from hpcbudget.inputs.catalogue import Catalogue
from hpcbudget.inputs.series import Series
from hpcbudget.maps.averager import Averager
from hpcbudget.maps.choices import (
    common_grid,
    components_of,
    families_of,
    mappable,
    refuse_unknown,
    unadjusted,
    votes_of,
)
from hpcbudget.maps.member import Kept, MemberKey, MemberUnit, find_maps, open_maps
from hpcbudget.maps.reducer import Reducer
from hpcbudget.maps.remap import Remap
from hpcbudget.maps.spans import spans_of
from hpcbudget.maps.store import Frame, create_store
from hpcbudget.maps.votes import Sums, Tile, Vote
from hpcbudget.maps.weights import choose_weights
from hpcbudget.options import MapsOptions
from hpcbudget.space.grid import Grid


@dataclass(frozen=True)
class MapsPlan:
    """Units of work of the maps, in two stages: members, then tiles of the ensembles.

    Attributes
    ----------
    averager : Averager
    reducer : Reducer
    units : tuple of MemberUnit
    tiles : tuple of Tile
    weights : dict of str to str
        By member and component, how its cells are handed over to the common grid.
    foreign : frozenset of MemberKey
        Whose weights, or those of a term of theirs, ESMF or a file made.
    left_out : tuple of str
        Members without maps, and why.
    peak_bytes : int
        Upper bound of one worker's memory.
    """

    averager: Averager
    reducer: Reducer
    units: tuple[MemberUnit, ...]
    tiles: tuple[Tile, ...]
    weights: dict[str, str]
    foreign: frozenset[MemberKey]
    left_out: tuple[str, ...]
    peak_bytes: int

    @property
    def out(self) -> Path:
        """Output directory."""
        return self.averager.out

    @property
    def final(self) -> Path:
        """Where the finished store is."""
        return self.out / "maps.zarr"

    @property
    def read_bytes(self) -> int:
        """Decoded bytes that the members' maps read."""
        return sum(self.averager.read_bytes(unit) for unit in self.units)

    @property
    def ledger_bytes(self) -> int:
        """Bytes of all members' maps in the ledger."""
        cells = self.reducer.frame.grid.size
        return sum(cells * (8 * len(self.averager.masks(u)) + 1) for u in self.units)

    @property
    def store_bytes(self) -> int:
        """Bytes of the store, before compression."""
        return self.reducer.frame.nbytes

    def facts(self) -> dict[str, int | str]:
        """Return what ``hpcbudget plan`` shows."""
        return {
            "maps_of_members": len(self.units),
            "tiles_of_ensembles": len(self.tiles),
            "maps_grid": self.reducer.frame.grid.describe(),
            "maps_read_bytes": self.read_bytes,
            "maps_ledger_bytes": self.ledger_bytes,
            "maps_store_bytes": self.store_bytes,
            "maps_peak_bytes_per_worker": self.peak_bytes,
        }

    @cached_property
    def fingerprint(self) -> str:
        """Identify everything that the finished store depends on."""
        return sha256("\n".join(self.reducer.fingerprints.values()).encode()).hexdigest()

    @property
    def finished(self) -> bool:
        """Whether the store is there, made of these very inputs."""
        return _noted(self.out, "finished") == self.fingerprint and self.final.exists()

    def pending_units(self) -> list[MemberUnit]:
        """Return the members' maps that the ledger does not hold."""
        if self.finished:
            return []
        return [unit for unit in self.units if self.kept(unit) is None]

    def kept(self, unit: MemberUnit) -> Kept | None:
        """Return the maps of a unit if the ledger holds them for these very inputs."""
        found = find_maps(unit.path(self.out), unit.name, self.averager.fingerprint(unit))
        return found if found and found.cells == self.reducer.frame.grid.size else None

    def pending_tiles(self) -> list[Tile]:
        """Return the tiles that are not in the store under construction, which is begun."""
        if self.finished:
            return []
        store = self.reducer.store
        try:
            if _noted(self.out, "begun") != self.fingerprint or not store.exists():
                create_store(store, self.reducer.frame)
                _note(self.out, "begun", self.fingerprint)
        except OSError as error:
            raise unwritable(store, error) from error
        return [tile for tile in self.tiles if self.reducer.find(tile) is None]

    def publish(self) -> None:
        """Give the finished store its name."""
        if self.finished:
            return
        replace_folder(self.reducer.store, self.final)
        _note(self.out, "finished", self.fingerprint)

    def balances(self) -> Iterable[tuple[MemberUnit, Kept]]:
        """Yield all members' maps, to be compared with the tables."""
        return ((unit, open_maps(unit.path(self.out))) for unit in self.units)

    def sums(self) -> Iterable[tuple[Tile, tuple[Sums, ...]]]:
        """Yield what the ensembles of every tile add up to."""
        return ((tile, self.reducer.noted(tile)) for tile in self.tiles)


def plan_maps(config: Config, catalogue: Catalogue, out: Path) -> MapsPlan:
    """Plan the maps that a configuration asks for.

    The shares of every member's grid are written below ``out/domains``; nothing else is.

    Raises
    ------
    ConfigError, Problems
        Nothing can be mapped, or a name or the common grid is not known.
    PlanError
        A worker would need more memory than it may have.
    RegridError
        A member's cells cannot be shared out.
    """
    options = config.maps
    if options is None:
        raise ConfigError("the configuration asks for no maps", fix="add maps: {grid: '1'}")
    refuse_unknown(options, catalogue, config.data_root)
    grid = common_grid(options, config.data_root)
    area_m2 = grid.area_m2(config.radius_m)
    series, left_out = mappable(catalogue, options)
    spans = spans_of(
        options,
        config.periods,
        [(one.times, one.steps) for terms in series.values() for one in terms],
    )
    remaps, described, foreign, domain_bytes = _remaps(config, options, series, grid, out)
    averager = Averager(
        out,
        series,
        remaps,
        {span.name: span for span in spans},
        area_m2,
        config.statistics.span,
        options.preserve,
        options.min_valid,
        config.engine.prefetch,
    )
    every = (MemberUnit(key, span.name) for key in sorted(series) for span in spans)
    units = tuple(unit for unit in every if averager.masks(unit))
    if not units:
        raise ConfigError(
            "there is nothing to make maps of",
            where="maps",
            why="; ".join(left_out) or "no member covers a period",
            fix="correct maps.periods, maps.families and maps.components",
        )
    covered = {unit.span for unit in units}
    spans = tuple(span for span in spans if span.name in covered)
    votes = votes_of(units)
    attributes = {
        "title": config.title or config.name,
        "sign": "positive to the atmosphere",
        "radius_m": config.radius_m,
        "preserve": options.preserve,
        "min_valid": options.min_valid,
        "span_rule": config.statistics.span,
        "ddof": config.statistics.ddof,
        **{f"ddof_of_{f}": n for f, n in sorted(config.statistics.ddof_by_family.items())},
        "grid": grid.describe(),
        # text: other formats have no attributes within attributes
        "weights": "\n".join(f"{key}: {how}" for key, how in described.items()),
        "left_out": "\n".join(left_out),
        "adjustments": unadjusted(config.adjustments),
    }
    frame = Frame(
        grid,
        area_m2,
        families_of(votes),
        components_of(votes),
        spans,
        options.quantiles,
        options.tile_mb * 1e6,
        attributes,
    )
    prints = _fingerprints(averager, units, votes, frame, config)
    store = out / ".maps.zarr.partial"
    reducer = Reducer(out, store, frame, votes, config.statistics, frozenset(units), prints)
    tiles = tuple(Tile(span.name, *rows) for span in spans for rows in frame.tiles)
    peak = _peak_bytes(config, averager, units, domain_bytes, frame)
    if peak > worker_memory(config):
        raise PlanError(
            f"maps would need {peak / 1e9:.2f} GB per worker,"
            f" it may use {worker_memory(config) / 1e9:.2f} GB",
            where="engine.memory_gb",
            why="the worker would be killed in the middle of a member",
            fix="raise engine.memory_gb, choose a coarser maps.grid or smaller maps.tile_mb",
        )
    return MapsPlan(averager, reducer, units, tiles, described, foreign, left_out, peak)


def _remaps(
    config: Config,
    options: MapsOptions,
    series: dict[MemberKey, tuple[Series, ...]],
    grid: Grid,
    out: Path,
) -> tuple[dict[MemberKey, tuple[str, ...]], dict[str, str], frozenset[MemberKey], int]:
    names: dict[MemberKey, tuple[str, ...]] = {}
    described: dict[str, str] = {}
    foreign: set[MemberKey] = set()
    largest = 0
    choose = choose_weights(options, grid, config.data_root)
    for key, terms in series.items():
        own: list[str] = []
        chosen = [choose(key.member, one.grid) for one in terms]
        for one, found in zip(terms, chosen, strict=True):
            remap = Remap.build(found.weights, *one.measure(config.radius_m))
            own.append(remap.save(out / "domains"))
            largest = max(largest, remap.nbytes)
        names[key] = tuple(own)
        described[str(key)] = "; ".join(dict.fromkeys(found.described for found in chosen))
        if any(found.foreign for found in chosen):
            foreign.add(key)
    return names, described, frozenset(foreign), largest


def _fingerprints(
    averager: Averager,
    units: tuple[MemberUnit, ...],
    votes: tuple[Vote, ...],
    frame: Frame,
    config: Config,
) -> dict[str, str]:
    rules = config.statistics.model_dump_json()
    shape = (frame.families, frame.components, frame.seasons, frame.spans, frame.quantiles)
    common = repr((votes, rules, shape, frame.tile_rows, frame.chunk_rows, frame.attributes))
    found = {}
    for span in frame.spans:
        own = [averager.fingerprint(unit) for unit in units if unit.span == span.name]
        text = "\n".join([span.name, common, frame.grid.content_hash(), *own])
        found[span.name] = sha256(text.encode()).hexdigest()
    return found


def _peak_bytes(
    config: Config,
    averager: Averager,
    units: tuple[MemberUnit, ...],
    domain_bytes: int,
    frame: Frame,
) -> int:
    """Bound one worker's memory: chunks in flight, native sums, classes, or votes on a tile."""
    largest = 0
    cells = frame.grid.size
    for unit in units:
        masks = averager.masks(unit)
        kept = 8 * cells * (4 * len(masks) + 2)
        for i, series in enumerate(averager.series[unit.key]):
            at = np.flatnonzero(np.logical_or.reduce([own[i] for own in masks.values()]))
            chunk = max(
                (stop - start) * series.store.step_bytes
                for start, stop in whole_chunks(series, int(at[0]), int(at[-1]) + 1, READ_BYTES)
            )
            in_flight = (1 + config.engine.prefetch + DECODE_COPIES) * chunk
            # sums and seconds, and what is handed over of them
            native = 5 * 8 * series.grid.size
            largest = max(largest, in_flight + native + kept)
    tile = 8 * frame.tile_rows * frame.row_cells
    models = max(len(list(group)) for _, group in groupby(
        averager.series, key=lambda k: (k.family, k.component)))  # fmt: skip
    reducing = tile * (2 * models + 12 * len(frame.families))
    threads = config.engine.threads_per_worker
    return BASE_BYTES + 2 * domain_bytes + threads * max(largest, reducing)


def _noted(out: Path, what: str) -> str:
    path = out / "ledger" / "maps" / what
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _note(out: Path, what: str, text: str) -> None:
    write_atomic(out / "ledger" / "maps" / what, text.encode())
