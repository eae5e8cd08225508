"""The way from a configuration to a report, in the order of the method section.

Each step can be run alone from what the one before left in OUT; `run` does them all.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import xarray as xr
import yaml

from hpcbudget.config import Config, parse_config
from hpcbudget.engine.cluster import Connect, default_workers, local_client
from hpcbudget.engine.execute import execute_alone, pending
from hpcbudget.engine.fluxes import write_fluxes
from hpcbudget.engine.ledger import Ledger
from hpcbudget.engine.merge import collect
from hpcbudget.engine.plan import Plan, make_plan
from hpcbudget.engine.progress import Progress, Snapshot
from hpcbudget.engine.provenance import write_provenance
from hpcbudget.engine.stages import Stage, work_off
from hpcbudget.engine.tally import Clock
from hpcbudget.errors import ConfigError, HpcBudgetError
from hpcbudget.files import free_bytes
from hpcbudget.inputs.catalogue import Catalogue, open_catalogue
from hpcbudget.inputs.check import CheckReport
from hpcbudget.inputs.notice import Notice, grouped
from hpcbudget.inputs.series import SeriesKey
from hpcbudget.maps.account import map_rows
from hpcbudget.maps.plan import MapsPlan, plan_maps
from hpcbudget.report.page import build_report
from hpcbudget.report.run import load_run
from hpcbudget.report.tables import annual_table, monthly_table, write_tables
from hpcbudget.science.adjust import adjust
from hpcbudget.science.annual import annual, decades
from hpcbudget.science.budget import imbalance_rows, members_of_run, run_budget
from hpcbudget.science.closure import Row, closure_account, require_closure
from hpcbudget.science.gcb import recipe
from hpcbudget.science.reconcile import area_rows
from hpcbudget.science.rehearse import rehearse
from hpcbudget.science.results import science_tables
from hpcbudget.science.tables import with_tables
from hpcbudget.space.regions import RegionSet, ids_by_set, load_region_set, region_ids

AUDIT = "zones = whole field"


@dataclass(frozen=True)
class Outcome:
    """What a finished run left.

    Attributes
    ----------
    out : Path
    report : Path or None
        ``report/index.html``, if it was asked for.
    closure : pandas.DataFrame
        The closure account, all of it within tolerance.
    """

    out: Path
    report: Path | None
    closure: pd.DataFrame

    def _repr_html_(self) -> str:
        """Show the run in a notebook."""
        return load_run(self.out)._repr_html_()


def prepare(config: Config, out: Path, *, look: bool = True) -> tuple[Catalogue, Plan]:
    """Open the inputs and plan the run; nothing is computed yet.

    The science is rehearsed too: a wrong column or adjustment stops the run here, not at its end.
    With `look`, a field of each series is read for values that cannot be fluxes; the parts of an
    array leave that to the submission, which has done it once for all.
    """
    catalogue = open_catalogue(config, look=look)
    plan = make_plan(config, catalogue, out)
    keys = (series.key for series in catalogue.series)
    set_of = {region: name for name, ids in plan.region_sets for region in ids}
    rehearse(
        config,
        [(key.family, key.model, key.member, key.component) for key in keys],
        {region: set_of.get(region, "") for region in plan.regions},
    )
    return catalogue, plan


def rehearsal(
    config: Config, inputs: CheckReport, out: Path
) -> tuple[list[HpcBudgetError], list[Notice]]:
    """Return what is wrong or odd beside the inputs: regions, tables, adjustments, periods, maps.

    Nothing is written to `out`; it is asked how much more it could hold.
    """
    problems: list[HpcBudgetError] = []
    sets: list[RegionSet] = []
    for spec in config.regions:
        try:
            sets.append(load_region_set(spec, config.data_root))
        except HpcBudgetError as error:
            problems.append(error)
    notices: list[Notice] = []
    if problems or inputs.problems:
        return problems, notices
    set_of = {region: name for name, ids in ids_by_set(sets).items() for region in ids}
    series = [(row.family, row.member, row.member, row.component) for row in inputs.rows]
    try:
        rehearse(config, series, {region: set_of.get(region, "") for region in region_ids(sets)})
    except HpcBudgetError as error:
        problems.append(error)
    if config.maps:
        try:
            with TemporaryDirectory() as nowhere:  # a rehearsal leaves nothing behind
                maps = plan_maps(config, Catalogue(inputs.series), Path(nowhere))
                needed, free = maps.ledger_bytes + maps.store_bytes, free_bytes(out)
            if needed > free:
                notices.append(
                    Notice("maps", f"write up to {needed / 1e9:.3g} GB before compression,"
                           f" {free / 1e9:.3g} GB are free", str(out))
                )  # fmt: skip
        except HpcBudgetError as error:
            problems.append(error)
    return problems, notices


def run_config(
    config: Config,
    out: Path,
    *,
    connect: Connect | None = None,
    workers: int | None = None,
    fresh: bool = False,
    show: Callable[[Snapshot], None] | None = None,
    tell: Callable[[str], None] | None = None,
    interval: float = 1.0,
    clock: Clock | None = None,
    with_report: bool = True,
) -> Outcome:
    """Run a configuration to its report, going on from what the ledger holds.

    Parameters
    ----------
    config : Config
    out : Path
        Output directory.
    connect : callable, optional
        Gives a client of the workers for a plan, as a context; default: workers of this machine.
    workers : int, optional
        How many of those, and processes that draw figures; default: its cores.
    fresh : bool
        Forget what earlier runs finished.
    show, tell : callable, optional
        Given snapshots of progress, and single lines of news.
    interval : float
        Seconds between snapshots.
    clock : Clock, optional
        Says when to stop taking blocks.
    with_report : bool
        Whether figures and the page are made too.

    Raises
    ------
    HpcBudgetError
        See `hpcbudget.errors`; the exit status says which kind.
    """
    tell = tell or (lambda _: None)
    connect = connect or partial(local_client, config=config, workers=workers)
    ledger = Ledger(out)
    with ledger.lock():
        if fresh:
            start_over(out)
        catalogue, plan = prepare(config, out)
        for warning in grouped(catalogue.notices):
            tell(f"warning: {warning}")
        write_provenance(out, config, catalogue, plan)
        ledger.forget_failures()
        maps = plan_maps(config, catalogue, out) if config.maps else None
        work_off(
            stages_of(plan, maps, ledger),
            plan,
            connect,
            partial(Progress, out, show=show, interval=interval),
            retries=config.engine.retries,
            clock=clock,
            tell=tell,
        )
        return finish(config, plan, out, maps=maps, with_report=with_report, workers=workers)


def run_part(
    config: Config,
    out: Path,
    part: tuple[int, int],
    *,
    show: Callable[[Snapshot], None] | None = None,
    interval: float = 1.0,
    clock: Clock | None = None,
) -> None:
    """Do every n-th block in this process, beside other parts, without any cluster.

    Parameters
    ----------
    part : (int, int)
        Index (from 1) and number of parts.
    """
    index, count = part
    if not 1 <= index <= count:
        raise ConfigError(
            f"part {index}/{count} does not exist", fix=f"use --part 1/{count} .. {count}/{count}"
        )
    ledger = Ledger(out)
    with ledger.lock(shared=True):
        catalogue, plan = prepare(config, out, look=False)
        write_provenance(out, config, catalogue, plan)
        mine = plan.part(index, count)
        left = pending(plan, ledger, mine)
        progress = Progress(out, len(mine), len(mine) - len(left), show, interval, part=part)
        execute_alone(plan.runner, left, progress, clock).settle()
        if config.maps:
            maps = plan_maps(config, catalogue, out)
            units = [u for u in maps.units[index - 1 :: count] if maps.kept(u) is None]
            progress = Progress(out, len(units), 0, show, interval, part=part)
            execute_alone(maps.averager, units, progress, clock).settle()


def merge(out: Path, *, workers: int | None = None, with_report: bool = True) -> Outcome:
    """Merge the blocks in the ledger of `out` into fluxes, tables and report.

    What is left to do of maps is done by `workers` of this machine (default: its cores).
    """
    config = resolved_config(out)
    with Ledger(out).lock():
        catalogue, plan = prepare(config, out)
        maps = plan_maps(config, catalogue, out) if config.maps else None
        work_off(
            stages_of(plan, maps, Ledger(out))[1:],
            plan,
            partial(local_client, config=config, workers=workers),
            partial(Progress, out),
            retries=config.engine.retries,
        )
        return finish(config, plan, out, maps=maps, with_report=with_report, workers=workers)


def stages_of(plan: Plan, maps: MapsPlan | None, ledger: Ledger) -> tuple[Stage, ...]:
    """Return the stages of a run in their order."""
    blocks = Stage(
        "blocks", plan.runner, len(plan.blocks), partial(pending, plan, ledger, plan.blocks)
    )
    if maps is None:
        return (blocks,)
    return (
        blocks,
        Stage("maps of members", maps.averager, len(maps.units), maps.pending_units),
        Stage("tiles of ensembles", maps.reducer, len(maps.tiles), maps.pending_tiles),
    )


def finish(
    config: Config,
    plan: Plan,
    out: Path,
    *,
    maps: MapsPlan | None = None,
    with_report: bool = True,
    workers: int | None = None,
) -> Outcome:
    """Make everything that follows from the totals of all blocks."""
    fluxes, audit = collect(plan, Ledger(out), config.period)
    rows = audit_rows(config, audit)
    if maps is not None:
        maps.publish()
        rows += map_rows(maps, fluxes, config.closure)
    root = config.data_root
    fluxes = with_tables(fluxes, config.tables, root=root, period=config.period)
    tolerance = config.closure.tolerance
    adjusted = adjust(fluxes, config.adjustments, root=root, tolerance=tolerance)
    fluxes = adjusted.fluxes
    fluxes.attrs.update(
        {
            "title": config.title or config.name,
            "sign": "positive to the atmosphere",
            "overlap": config.overlap,
            "radius_m": config.radius_m,
        }
    )
    write_fluxes(out / "fluxes.zarr", fluxes)
    tables, account = analyse(config, fluxes, [*rows, *adjusted.account])
    write_tables(out, {**tables, "closure": account})
    require_closure(account)
    page = build_report(out, workers or default_workers()) if with_report else None
    return Outcome(out, page, account)


def audit_rows(config: Config, audit: dict[SeriesKey, float]) -> list[Row]:
    """Make rows of the closure account from the engine's independent sums."""
    tolerance = config.closure.tolerance
    worst: dict[tuple[str, str, str], float] = {}
    for key, value in audit.items():
        name = (key.family, key.member, key.component)
        worst[name] = max(worst.get(name, 0.0), value)
    return [(*n, AUDIT, v, tolerance, v <= tolerance) for n, v in worst.items()]


def analyse(
    config: Config, fluxes: xr.Dataset, rows: list[Row]
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Compute all tables, and the closure account with the further `rows`."""
    periods = config.periods or decades(fluxes)
    rows = [*rows, *area_rows(fluxes, config.statistics)]
    tables = {
        "monthly": monthly_table(fluxes),
        "annual": annual_table(annual(fluxes)),
        **science_tables(fluxes, periods, config.statistics),
    }
    if config.budget is not None:
        members = members_of_run(fluxes, land=config.budget.land)
        rules = recipe(config.budget.edition)
        budget = run_budget(members, rules, adjusted=config.budget.adjusted)
        tables["budget"] = budget.reset_index()
        rows = [*rows, *imbalance_rows(budget, periods)]
    return tables, closure_account(fluxes, config.closure.tolerance, rows)


def resolved_config(out: Path) -> Config:
    """Read back the configuration that a run left in `out`.

    Raises
    ------
    ConfigError
        If `out` holds no run.
    """
    path = out / "config.resolved.yaml"
    if not path.exists():
        raise ConfigError(
            "no run here",
            where=str(out),
            fix="give the --out of a run; 'hpcbudget run CONFIG --out OUT' makes one",
        )
    text = path.read_text(encoding="utf-8")
    # the root as it was resolved then: neither the environment of today nor the place of OUT counts
    return parse_config(text, origin=path.absolute(), data=Path(yaml.safe_load(text)["data"]))


def start_over(out: Path) -> None:
    """Remove what earlier runs left, so that nothing of them can be taken over."""
    Ledger(out).clear()
    for name in (
        "fluxes.zarr",
        "maps.zarr",
        ".maps.zarr.partial",
        "tables",
        "figures",
        "report",
        "exports",
        "domains",
    ):
        shutil.rmtree(out / name, ignore_errors=True)
    shutil.rmtree(out / "parts", ignore_errors=True)
    (out / "progress.jsonl").unlink(missing_ok=True)
