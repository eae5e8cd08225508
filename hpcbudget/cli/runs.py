"""Commands of a run: demo, check, plan, run, status, merge, report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpcbudget.cli.app import (
    Account,
    AsJson,
    Cluster,
    ConfigPath,
    DataPath,
    DryRun,
    OutArgument,
    OutPath,
    Partition,
    SiteName,
    TimeLimit,
    Workers,
    app,
)
from hpcbudget.cli.display import (
    DEMO_GOAL,
    print_errors,
    print_outcome,
    print_table,
    progress_display,
    status_text,
    tell,
)
from hpcbudget.errors import ClosureError, ConfigError, Problems, raise_all, status_of

if TYPE_CHECKING:
    from hpcbudget.engine.slurm.sites import Site
    from hpcbudget.workflow import Outcome


@app.command()
def demo(
    out: OutPath = Path("demo"),
    size: Annotated[
        str, typer.Option(help="small (seconds), default, or large (fills a machine).")
    ] = "default",
    members: Annotated[int | None, typer.Option(help="Members per family.")] = None,
    years: Annotated[int | None, typer.Option(help="Years of monthly fields.")] = None,
    resolution: Annotated[float | None, typer.Option(help="Finest grid in degrees.")] = None,
    workers: Workers = None,
    cluster: Annotated[
        Cluster, typer.Option("--cluster", help="Workers here, or as SLURM jobs.")
    ] = "local",
    site: SiteName = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget finished blocks.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a synthetic ensemble with a known answer, run it, and print how far off we are.

    Example: hpcbudget demo --out /tmp/demo --years 5
    """
    from hpcbudget.config import load_config
    from hpcbudget.inputs.synthetic import write_ensemble
    from hpcbudget.inputs.synthetic_recipes import SIZES

    if size not in SIZES:
        raise ConfigError(f"unknown --size {size!r}", fix="one of " + ", ".join(SIZES))
    usual = SIZES[size]
    truth = write_ensemble(
        out,
        members=usual[0] if members is None else members,
        years=usual[1] if years is None else years,
        resolution_deg=usual[2] if resolution is None else resolution,
        progress=tell,
    )
    config = load_config(truth.config, data=out)
    connect = None
    if cluster != "local":
        from hpcbudget.engine.slurm.connect import connect_by
        from hpcbudget.engine.slurm.sites import load_site
        from hpcbudget.engine.slurm.walltime import Walltime

        profile = load_site(site or "generic")
        clock = Walltime.of_job(profile.stop_seconds)
        connect = connect_by(cluster, config, out, profile, workers=workers, clock=clock, tell=tell)
    outcome = _run_shown(config, out, connect=connect, workers=workers, fresh=fresh)
    errors = truth.compare(out / "tables" / "monthly.csv")
    worst = float(errors["relative_error"].max())
    if not as_json:
        print_errors(errors)
    print_outcome(outcome, as_json=as_json, largest_relative_error=worst, goal=DEMO_GOAL)
    if not worst < DEMO_GOAL:
        raise ClosureError(
            f"the known answer was missed by {worst:.1e} relative",
            where=str(out),
            why=f"every regional total must come back within {DEMO_GOAL:g}",
            fix="please report this with the versions in provenance.json",
        )


@app.command()
def check(
    config: ConfigPath,
    data: DataPath = None,
    out: OutPath = Path("out"),
    explain: Annotated[
        bool, typer.Option("--explain", help="Say which preset matched and why.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print every problem of inputs, regions, adjustments and maps at once, a table per ensemble.

    Example: hpcbudget check configs/real-inversions.yaml --data /data/fluxes
    """
    from hpcbudget.config import load_config
    from hpcbudget.inputs.check import COLUMNS, check_table
    from hpcbudget.inputs.notice import grouped
    from hpcbudget.workflow import rehearsal

    loaded = load_config(config, data=data)
    found = check_table(loaded)
    wrong, odd = rehearsal(loaded, found, out)
    problems = [*found.problems, *wrong]
    if as_json:
        shown = {
            "rows": [row.as_dict() for row in found.rows],
            "problems": [str(problem) for problem in problems],
            "warnings": [*found.warnings, *map(str, odd)],
        }
        print(json.dumps(shown, indent=1))
        raise typer.Exit(status_of(Problems(problems)) if problems else 0)
    for family, rows in found.by_family().items():
        print_table(family, COLUMNS, [row.cells() for row in rows])
        if explain:
            for row in rows:
                for line in row.explanation:
                    print(f"  {row.member} {row.component}: {line}")
    for warning in grouped([*found.notices, *odd]):
        print(f"warning: {warning}")
    raise_all(problems)
    print("no problems")


@app.command()
def plan(
    config: ConfigPath,
    data: DataPath = None,
    out: OutPath = Path("out"),
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Print blocks, bytes, memory and expected time of a run; refuse what cannot fit.

    Example: hpcbudget plan configs/example.yaml --workers 4
    """
    from tempfile import TemporaryDirectory

    from hpcbudget.config import load_config
    from hpcbudget.engine.calibrate import calibrate
    from hpcbudget.engine.cluster import default_workers
    from hpcbudget.engine.execute import pending
    from hpcbudget.engine.ledger import Ledger
    from hpcbudget.engine.plan import worker_memory
    from hpcbudget.maps.plan import plan_maps
    from hpcbudget.workflow import prepare

    loaded = load_config(config, data=data)
    count = workers or default_workers()
    weights: dict[str, str] = {}
    with TemporaryDirectory() as nowhere:  # planning leaves nothing behind
        catalogue, planned = prepare(loaded, Path(nowhere))
        left = len(pending(planned, Ledger(out), planned.blocks))
        pace = calibrate(planned)
        facts: dict[str, Any] = {
            "blocks": len(planned.blocks),
            "blocks_done": len(planned.blocks) - left,
            "tasks": len(planned.blocks),
            "regions": len(planned.regions),
            "read_bytes": planned.read_bytes,
            "peak_bytes_per_worker": planned.peak_bytes,
            "memory_bytes_per_worker": worker_memory(loaded, count),
            "workers": count,
            "gb_per_s_per_worker": round(pace.gb_per_s, 3),
            "expected_seconds": round(pace.seconds(planned, count), 1),
            "output_bytes": planned.output_bytes,
            "output_files": planned.output_files,
        }
        if loaded.maps:
            maps = plan_maps(loaded, catalogue, Path(nowhere))
            weights = maps.weights
            facts |= maps.facts()
    if as_json:
        print(json.dumps(facts | ({"maps_weights": weights} if weights else {})))
        return
    for name, value in facts.items():
        unit = f"  ({value / 1e9:.3f} GB)" if "bytes" in name else ""
        print(f"{name:<24} {value}{unit}")
    for name, how in weights.items():
        print(f"weights {name}: {how}")


@app.command()
def run(
    config: ConfigPath,
    out: OutPath = Path("out"),
    data: DataPath = None,
    workers: Workers = None,
    part: Annotated[
        str | None, typer.Option(metavar="I/N", help="Do part I of N, without a cluster.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget finished blocks.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the ledger: the default.")
    ] = False,
    with_report: Annotated[
        bool, typer.Option("--report/--no-report", help="Draw figures and the page, too.")
    ] = True,
    cluster: Annotated[
        Cluster, typer.Option("--cluster", help="Workers here, as SLURM jobs, or of our own job.")
    ] = "local",
    site: SiteName = None,
    account: Account = None,
    partition: Partition = None,
    time: TimeLimit = None,
    adapt: Annotated[
        int | None, typer.Option("--adapt", min=1, help="Least workers; --workers is the most.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Integrate all members, merge, check closure and write the report; resumes by default.

    Example: hpcbudget run configs/real-inversions.yaml --data /data/fluxes --out out
    """
    from hpcbudget.config import load_config
    from hpcbudget.engine.slurm.sites import load_site
    from hpcbudget.engine.slurm.walltime import Walltime

    if fresh and resume:
        raise ConfigError("--fresh and --resume contradict each other", fix="give one of them")
    profile = load_site(site or "generic", account=account, partition=partition, walltime=time)
    if dry_run:
        _print_worker_script(profile, workers, out, cluster)
        return
    loaded = load_config(config, data=data)
    clock = Walltime.of_job(profile.stop_seconds)
    if part is not None:
        from hpcbudget.workflow import run_part

        if cluster != "local" or workers is not None:
            raise ConfigError(
                "a part runs in one process, without workers",
                fix="leave out --cluster and --workers, or --part",
            )
        with clock.watched(), progress_display() as (show, interval):
            run_part(loaded, out, _parse_part(part), show=show, interval=interval, clock=clock)
        tell(f"part {part} done; 'hpcbudget merge {out}' when all parts are")
        if as_json:
            print(json.dumps({"out": str(out), "part": part, "done": True}))
        return
    from hpcbudget.engine.slurm.allocation import duty
    from hpcbudget.engine.slurm.connect import connect_by

    with duty(cluster, out, profile, workers) as driving:
        if not driving:
            return
        connect = connect_by(
            cluster,
            loaded,
            out,
            profile,
            workers=workers,
            minimum=adapt,
            clock=clock,
            tell=tell,
        )
        with clock.watched():
            outcome = _run_shown(
                loaded,
                out,
                connect=connect,
                workers=workers if cluster == "local" else None,  # others are not of this machine
                fresh=fresh,
                with_report=with_report,
                clock=clock,
            )
        print_outcome(outcome, as_json=as_json)


@app.command()
def status(
    out: OutArgument,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat until the run ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print blocks done, left and failed, rate and expected time of a run.

    Example: hpcbudget status out --watch
    """
    import time
    from dataclasses import asdict

    from hpcbudget.engine.status import read_status

    while True:
        now = read_status(out)
        if as_json:
            print(json.dumps({**asdict(now), "left": now.left}))
        else:
            print(status_text(now), flush=True)
        if not watch or now.left == 0:
            break
        time.sleep(2)


@app.command()
def merge(
    out: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="Output directory of a run.")
    ] = None,
    out_option: Annotated[Path | None, typer.Option("--out", help="The same.")] = None,
    workers: Workers = None,
    with_report: Annotated[
        bool, typer.Option("--report/--no-report", help="Draw figures and the page, too.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Merge the blocks of all parts into fluxes, tables and the report.

    Example: hpcbudget merge out
    """
    from hpcbudget.workflow import merge as merge_blocks

    place = out or out_option
    if place is None or (out and out_option and out != out_option):
        raise ConfigError("merge needs one output directory", fix="hpcbudget merge OUT")
    outcome = merge_blocks(place, workers=workers, with_report=with_report)
    print_outcome(outcome, as_json=as_json)


@app.command()
def report(out: OutArgument, workers: Workers = None) -> None:
    """Draw the figures and write OUT/report/index.html again from OUT alone.

    Example: hpcbudget report out
    """
    from hpcbudget.engine.cluster import default_workers
    from hpcbudget.report.page import build_report

    print(build_report(out, workers or default_workers()))


def _run_shown(config: Any, out: Path, **options: Any) -> Outcome:
    from hpcbudget.workflow import run_config

    with progress_display() as (show, interval):
        return run_config(config, out, show=show, tell=tell, interval=interval, **options)


def _parse_part(text: str) -> tuple[int, int]:
    index, slash, count = text.partition("/")
    if not (slash and text.isascii() and index.isdecimal() and count.isdecimal()):
        raise ConfigError(f"--part {text!r} is not I/N", fix="for example --part 3/16")
    return int(index), int(count)


def _print_worker_script(site: Site, workers: int | None, out: Path, cluster: Cluster) -> None:
    from hpcbudget.engine.slurm.jobqueue import Workers as Asked
    from hpcbudget.engine.slurm.jobqueue import worker_script

    if cluster != "slurm":
        raise ConfigError(
            f"--dry-run shows a job script, --cluster {cluster} has none",
            fix="--cluster slurm, or 'hpcbudget submit ... --dry-run'",
        )
    print(worker_script(Asked(site, workers or site.node_workers), out))
