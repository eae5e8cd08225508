"""Plan: what a run will read, compute and hold, worked out before anything runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hpcbudget.config import Config
from hpcbudget.engine.block import Block, cut, whole_chunks
from hpcbudget.engine.domain import Domain
from hpcbudget.engine.read_ahead import READ_BYTES
from hpcbudget.engine.runner import Runner
from hpcbudget.errors import PlanError
from hpcbudget.inputs.catalogue import Catalogue
from hpcbudget.inputs.series import Series, SeriesKey
from hpcbudget.space.regions import ids_by_set, load_region_set, region_ids
from hpcbudget.space.zones import Zones

# Interpreter, libraries and compiled kernels of a worker, before any data (held by a test).
BASE_BYTES = 450_000_000
# Decoding holds the stored bytes and, for filters and byte shuffling, one more copy of the chunk.
DECODE_COPIES = 2
# A domain in memory: as stored, plus the kernel's tables made from it.
DOMAIN_COPIES = 3
# Domains that a worker keeps, see `hpcbudget.engine.domain.load_integrator`.
DOMAINS_KEPT = 4
# Arrays (step, zone) of the kernel: sums, missing and valid area, and one in between.
ZONE_ARRAYS = 4


@dataclass(frozen=True)
class Plan:
    """Blocks of a run and what they cost.

    Attributes
    ----------
    runner : Runner
        What a worker needs to compute them.
    blocks : tuple of Block
        In the order of series and time.
    regions : tuple of str
        Region axis of all totals; the Globe first.
    region_sets : tuple of (str, tuple of str)
        Regions of each set, its ``unassigned`` last.
    peak_bytes : int
        Upper bound of one worker's memory.
    """

    runner: Runner
    blocks: tuple[Block, ...]
    regions: tuple[str, ...]
    region_sets: tuple[tuple[str, tuple[str, ...]], ...]
    peak_bytes: int

    @property
    def read_bytes(self) -> int:
        """Decoded bytes of all blocks."""
        return sum(
            (b.stop - b.start) * self.runner.series[b.key].store.step_bytes for b in self.blocks
        )

    @property
    def output_bytes(self) -> int:
        """Upper bound of what the run writes: ledger, domains and fluxes, before compression."""
        steps = sum(b.stop - b.start for b in self.blocks)
        totals = steps * len(self.regions) * 3 * 8
        domains = sum(
            (self.runner.out / "domains" / f"{name}.domain").stat().st_size
            for name in set(self.runner.domains.values())
        )
        return 2 * totals + len(self.blocks) * 400 + domains

    @property
    def output_files(self) -> int:
        """Files that the run makes: one per block, three per series, and a fixed number."""
        return len(self.blocks) + 3 * len(self.runner.series) + 60

    def part(self, index: int, count: int) -> tuple[Block, ...]:
        """Blocks of part `index` (from 1) of `count`: every count-th, so that parts cost alike."""
        return self.blocks[index - 1 :: count]


def make_plan(config: Config, catalogue: Catalogue, out: Path) -> Plan:
    """Cut a catalogue into blocks and work out the domain of every series.

    Domains are written below ``out/domains``; nothing else is.

    Raises
    ------
    PlanError
        If a worker would need more memory than it may have.
    """
    sets = [load_region_set(spec, config.data_root) for spec in config.regions]
    zones_of: dict[str, Zones] = {}
    domains: dict[SeriesKey, str] = {}
    domain_bytes = in_flight = 0
    for one in catalogue.series:
        grid = one.grid.content_hash()
        if grid not in zones_of:
            zones_of[grid] = Zones.build(one.grid, sets, config.overlap)
        weight, area_m2 = one.measure(config.radius_m)
        domain = Domain.build(zones_of[grid], weight, area_m2, one.grid.row_length)
        domains[one.key] = domain.save(out / "domains")
        domain_bytes = max(domain_bytes, domain.nbytes)
        in_flight = max(in_flight, _in_flight(one, domain, config.engine.prefetch))
    threads = config.engine.threads_per_worker
    kept = DOMAINS_KEPT * DOMAIN_COPIES * domain_bytes
    plan = Plan(
        Runner(out, {s.key: s for s in catalogue.series}, domains, config.engine.prefetch),
        tuple(b for s in catalogue.series for b in cut(s, config.engine.block_mb * 1e6)),
        region_ids(sets),
        tuple(ids_by_set(sets).items()),
        BASE_BYTES + kept + threads * in_flight,
    )
    _refuse_if_too_large(plan, config)
    return plan


def _in_flight(series: Series, domain: Domain, prefetch: int) -> int:
    """Bound what one thread holds of a series: reads in flight, and the totals of their zones."""
    steps = max(b - a for a, b in whole_chunks(series, *series.steps, READ_BYTES))
    zones = domain.indptr.size - 1
    return steps * (
        (1 + prefetch + DECODE_COPIES) * series.store.step_bytes + ZONE_ARRAYS * 8 * zones
    )


def worker_memory(config: Config, workers: int = 1) -> int:
    """Bytes that one worker may use: as configured, or this machine's memory shared out."""
    if config.engine.memory_gb is not None:
        return int(config.engine.memory_gb * 1e9)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(machine * 0.9 / max(workers, 1))


def _refuse_if_too_large(plan: Plan, config: Config) -> None:
    limit = worker_memory(config)
    if plan.peak_bytes <= limit:
        return
    raise PlanError(
        f"a worker would need {plan.peak_bytes / 1e9:.2f} GB, it may use {limit / 1e9:.2f} GB",
        where="engine.memory_gb",
        why="the worker would be killed in the middle of a block",
        fix="raise engine.memory_gb, lower engine.threads_per_worker or engine.prefetch,\n"
        "or store the data in smaller chunks along time (hpcbudget ingest SRC DST.zarr)",
    )
