"""Reducer: gives each task a tile of the ensembles, and notes what it wrote."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from hpcbudget.engine.work import Done
from hpcbudget.errors import HpcBudgetError
from hpcbudget.files import unwritable, write_atomic
from hpcbudget.kernels import moments
from hpcbudget.maps.ensembles import Ensembles
from hpcbudget.maps.member import MemberUnit
from hpcbudget.maps.store import Frame
from hpcbudget.maps.votes import Sums, Tile, Vote
from hpcbudget.options import StatisticsOptions


@dataclass(frozen=True)
class Reducer:
    """Everything a worker needs to reduce members to ensembles, sent to it once.

    Attributes
    ----------
    out : Path
    store : Path
        Store under construction.
    frame : Frame
    votes : tuple of Vote
        Sorted.
    rules : StatisticsOptions
    units : frozenset of MemberUnit
        Maps of members that there are.
    fingerprints : mapping of str to str
        By span: identifies all member maps and rules that its ensembles depend on.
    """

    out: Path
    store: Path
    frame: Frame
    votes: tuple[Vote, ...]
    rules: StatisticsOptions
    units: frozenset[MemberUnit]
    fingerprints: Mapping[str, str]

    def find(self, tile: Tile) -> tuple[Sums, ...] | None:
        """Return the sums of a finished tile; None if it or a shard of it is not as recorded."""
        try:
            note = json.loads(tile.path(self.out).read_text(encoding="utf-8"))
            if note["tile"] != tile.name or note["fingerprint"] != self.fingerprints[tile.span]:
                return None
            for name, digest in note["shards"].items():
                if checksum(self.store / name) != digest:
                    return None
            return tuple(Sums(**s) for s in note["sums"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def noted(self, tile: Tile) -> tuple[Sums, ...]:
        """Return the sums that a finished tile noted, whatever has become of the store."""
        note = json.loads(tile.path(self.out).read_text(encoding="utf-8"))
        return tuple(Sums(**s) for s in note["sums"])

    def warm(self) -> None:
        """Compile the kernels of the statistics over models."""
        moments.warm()

    def run(self, tile: Tile, /) -> Done:
        """Reduce a tile, write its shards and record them."""
        begin = time.perf_counter()
        ensembles = Ensembles(
            tile, self.frame, self.votes, self.rules, self.units, self.out, self.store
        )
        try:
            sums = [s for season in ensembles.span.seasons for s in ensembles.reduce(season)]
            shards = {
                str(path.relative_to(self.store)): checksum(path) for path in ensembles.written
            }
        except HpcBudgetError as error:
            raise error.at(f"ensembles of {tile.span}, rows {tile.start}-{tile.stop}") from error
        except OSError as error:
            raise unwritable(self.store, error) from error
        note = {
            "tile": tile.name,
            "fingerprint": self.fingerprints[tile.span],
            "shards": shards,
            "sums": [asdict(s) for s in sums],
        }
        write_atomic(tile.path(self.out), json.dumps(note).encode())
        return Done(tile, ensembles.read, time.perf_counter() - begin)


def checksum(shard: Path) -> str:
    """Return the hash of a shard; "empty" for one without any value, which zarr does not write."""
    return sha256(shard.read_bytes()).hexdigest() if shard.exists() else "empty"
