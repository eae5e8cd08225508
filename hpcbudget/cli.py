"""The commands; the only place that prints.

Errors are one readable block on standard error, without a traceback unless ``--debug`` is given,
and decide the exit status: 2 configuration, 3 data, 4 the budget does not close, 75 run again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpcbudget._version import __version__
from hpcbudget.errors import ConfigError, HpcBudgetError, Problems, status_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpcbudget.engine.progress import Snapshot
    from hpcbudget.engine.sites import Site
    from hpcbudget.engine.status import Status
    from hpcbudget.workflow import Outcome

app = typer.Typer(
    name="hpcbudget",
    help="Ensembles of gridded CO2 fluxes in, a reconciled carbon budget that closes out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML configuration.")]
OutPath = Annotated[Path, typer.Option("--out", help="Output directory.")]
OutArgument = Annotated[Path, typer.Argument(metavar="OUT", help="Output directory of a run.")]
DataPath = Annotated[
    Path | None,
    typer.Option("--data", help="Root of relative paths (or $HPCBUDGET_DATA)."),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Workers; default: the cores there are.")
]
SiteName = Annotated[
    str | None, typer.Option("--site", metavar="NAME", help="Site profile, or a YAML of yours.")
]
Account = Annotated[str | None, typer.Option("--account", help="Who pays; wins over the site's.")]
Partition = Annotated[str | None, typer.Option("--partition", help="Wins over the site's.")]
TimeLimit = Annotated[
    str | None, typer.Option("--time", metavar="HH:MM:SS", help="Walltime of a job.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the job script, submit nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


class Cluster(StrEnum):
    """Where the workers of a run come from."""

    local = "local"
    slurm = "slurm"
    allocation = "allocation"


class Mode(StrEnum):
    """How a run is submitted."""

    allocation = "allocation"
    array = "array"


def main() -> None:
    """Run the command line and end with its exit status."""
    debug = "--debug" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        app(arguments, standalone_mode=True)
    except HpcBudgetError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(status_of(error)) from None
    except KeyboardInterrupt:
        print("interrupted; finished blocks are kept, run again to go on", file=sys.stderr)
        raise SystemExit(130) from None


sites_app = typer.Typer(help="Site profiles of supercomputers.", no_args_is_help=True)
app.add_typer(sites_app, name="site")


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Ensembles of gridded CO2 fluxes in, a reconciled carbon budget that closes out."""
    if version:
        print(f"hpcbudget {__version__}")
        raise typer.Exit


@app.command()
def demo(
    out: OutPath = Path("demo"),
    members: Annotated[int, typer.Option(min=1, help="Members per family.")] = 2,
    years: Annotated[int, typer.Option(min=1, help="Years of monthly fields.")] = 10,
    resolution: Annotated[float, typer.Option(help="Finest grid in degrees.")] = 0.5,
    workers: Workers = None,
) -> None:
    """Make a synthetic ensemble with a known answer, run it, and print how far off we are.

    Example: hpcbudget demo --out /tmp/demo --years 5
    """
    from hpcbudget.config import load_config
    from hpcbudget.inputs.synthetic import write_ensemble

    truth = write_ensemble(
        out, members=members, years=years, resolution_deg=resolution, progress=_tell
    )
    config = load_config(out / "config.yaml")
    outcome = _run(config, out, workers=workers)
    errors = truth.compare(out / "tables" / "monthly.csv")
    _print_errors(errors)
    _print_outcome(outcome)


@app.command()
def check(
    config: ConfigPath,
    data: DataPath = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say which preset matched and why.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print every problem of the inputs at once, as a table per ensemble.

    Example: hpcbudget check configs/real-inversions.yaml --data /data/fluxes
    """
    from hpcbudget.config import load_config
    from hpcbudget.inputs.check import COLUMNS, check_table

    found = check_table(load_config(config, data=data))
    if as_json:
        shown = {
            "rows": [row.as_dict() for row in found.rows],
            "problems": [str(problem) for problem in found.problems],
            "warnings": list(found.warnings),
        }
        print(json.dumps(shown, indent=1))
        raise typer.Exit(found.exit_status)
    for family, rows in found.by_family().items():
        _print_table(family, COLUMNS, [row.cells() for row in rows])
        if explain:
            for row in rows:
                for line in row.explanation:
                    print(f"  {row.member} {row.component}: {line}")
    for warning in found.warnings:
        print(f"warning: {warning}")
    if found.problems:
        raise Problems(found.problems)
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
    from hpcbudget.config import load_config
    from hpcbudget.engine.calibrate import calibrate
    from hpcbudget.engine.cluster import default_workers
    from hpcbudget.engine.plan import worker_memory
    from hpcbudget.workflow import prepare

    loaded = load_config(config, data=data)
    _, planned = prepare(loaded, out)
    count = workers or default_workers()
    pace = calibrate(planned)
    facts = {
        "blocks": len(planned.blocks),
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
    if as_json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        unit = f"  ({value / 1e9:.3f} GB)" if "bytes" in name else ""
        print(f"{name:<24} {value}{unit}")


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
    ] = Cluster.local,
    site: SiteName = None,
    account: Account = None,
    partition: Partition = None,
    time: TimeLimit = None,
    adapt: Annotated[
        int | None, typer.Option("--adapt", min=1, help="Least workers; --workers is the most.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Integrate all members, merge, check closure and write the report; resumes by default.

    Example: hpcbudget run configs/real-inversions.yaml --data /data/fluxes --out out
    """
    from hpcbudget.config import load_config
    from hpcbudget.engine.sites import load_site
    from hpcbudget.engine.walltime import Walltime

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

        with clock.watched(), _display() as (show, interval):
            run_part(loaded, out, _parse_part(part), show=show, interval=interval, clock=clock)
        _tell(f"part {part} done; 'hpcbudget merge {out}' when all parts are")
        return
    from hpcbudget.engine.allocation import duty
    from hpcbudget.engine.connect import connect_by

    with duty(cluster, out, profile, workers) as driving:
        if not driving:
            return
        connect = connect_by(
            cluster.value,
            loaded,
            out,
            profile,
            workers=workers,
            minimum=adapt,
            clock=clock,
            tell=_tell,
        )
        with clock.watched():
            outcome = _run(
                loaded, out, connect=connect, fresh=fresh, with_report=with_report, clock=clock
            )
        _print_outcome(outcome)


@app.command()
def submit(
    config: ConfigPath,
    site: Annotated[str, typer.Option("--site", metavar="NAME", help="Site profile.")],
    out: OutPath = Path("out"),
    data: DataPath = None,
    mode: Annotated[
        Mode, typer.Option("--mode", help="One job with workers, or an array of parts.")
    ] = Mode.allocation,
    workers: Workers = None,
    account: Account = None,
    partition: Partition = None,
    time: TimeLimit = None,
    only: Annotated[
        str | None, typer.Option(metavar="I,J", help="Elements of the array to submit again.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Write, print and submit the job of a run; it goes on by itself until the run is done.

    Example: hpcbudget submit analysis.yaml --site levante --account ab0123 --out /scratch/run1
    """
    from tempfile import TemporaryDirectory

    from hpcbudget.config import load_config
    from hpcbudget.engine.sites import load_site
    from hpcbudget.engine.submit import prepare_submission, require_memory
    from hpcbudget.engine.submit import submit as submit_jobs
    from hpcbudget.workflow import prepare

    loaded = load_config(config, data=data)
    profile = load_site(site, account=account, partition=partition, walltime=time)
    chosen = _parse_only(only)
    submission = prepare_submission(
        loaded, out, profile, mode=mode.value, workers=workers, only=chosen
    )
    for script in submission.scripts.values():
        print(script)
    with TemporaryDirectory() as nowhere:  # found wrong here, it need not wait in the queue first
        _, planned = prepare(loaded, Path(nowhere))
    require_memory(planned, profile)
    _tell(f"{len(planned.blocks)} blocks, {planned.read_bytes / 1e9:.1f} GB to read")
    if not profile.tested:
        _tell(f"note: profile {profile.name} is written from documentation ({profile.source})")
    if dry_run:
        _tell("nothing was submitted")
        return
    for kind, number in submit_jobs(loaded, submission).items():
        print(f"submitted {kind} job {number}")
    _tell(f"'hpcbudget status {out} --watch' shows it; logs are in {out / 'slurm'}")


@sites_app.command("list")
def site_list() -> None:
    """Print the site profiles that are shipped."""
    from hpcbudget.engine.sites import load_site, site_names

    profiles = [load_site(name) for name in site_names()]
    rows = [
        (s.name, s.title, f"{s.cores_per_node}", f"{s.memory_per_node_gb:g}", _yes(s.tested))
        for s in profiles
    ]
    _print_table("site profiles", ("name", "what", "cores", "GB", "tested"), rows)


@sites_app.command("check")
def site_check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Site profile.")],
    account: Account = None,
    partition: Partition = None,
    time: TimeLimit = None,
    job: Annotated[bool, typer.Option("--job/--no-job", help="Try a job on a node.")] = True,
    as_json: AsJson = False,
) -> None:
    """Verify a site profile: SLURM, partition, limits, network, scratch, Python on the nodes.

    Example: hpcbudget site check levante --account ab0123
    """
    from hpcbudget.engine.sitecheck import check_site
    from hpcbudget.engine.sites import load_site
    from hpcbudget.errors import ClusterError

    profile = load_site(name, account=account, partition=partition, walltime=time)
    findings = check_site(profile, try_job=job)
    if as_json:
        print(json.dumps([f.as_dict() for f in findings], indent=1))
    else:
        rows = [(f.verdict, f.what, f.detail) for f in findings]
        _print_table(profile.title or profile.name, ("", "checked", "found"), rows)
    bad = [f.what for f in findings if f.verdict == "wrong"]
    if bad:
        raise ClusterError(
            f"the site profile does not fit: {', '.join(bad)}",
            where=name,
            fix="correct these keys in a profile of your own (extends: " + profile.name + ")",
        )


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
            print(_status_text(now), flush=True)
        if not watch or now.left == 0:
            break
        time.sleep(2)


@app.command()
def merge(out: OutArgument) -> None:
    """Merge the blocks of all parts into fluxes, tables and the report."""
    from hpcbudget.workflow import merge as merge_blocks

    _print_outcome(merge_blocks(out))


@app.command()
def report(out: OutArgument) -> None:
    """Draw the figures and write OUT/report/index.html again from OUT alone."""
    from hpcbudget.report.page import build_report

    print(build_report(out))


# ------------------------------------------------------------------ display


def _print_worker_script(site: Site, workers: int | None, out: Path, cluster: Cluster) -> None:
    from hpcbudget.engine.jobqueue import Workers as Asked
    from hpcbudget.engine.jobqueue import worker_script

    if cluster is not Cluster.slurm:
        raise ConfigError(
            f"--dry-run shows a job script, --cluster {cluster} has none",
            fix="--cluster slurm, or 'hpcbudget submit ... --dry-run'",
        )
    print(worker_script(Asked(site, workers or site.node_workers), out))


def _parse_only(text: str | None) -> tuple[int, ...]:
    numbers = (text or "").split(",") if text else []
    if not all(number.strip().isdigit() for number in numbers):
        raise ConfigError(f"--only {text!r} is not a list of numbers", fix="for example --only 3,7")
    return tuple(int(number) for number in numbers)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _run(config: Any, out: Path, **options: Any) -> Outcome:
    from hpcbudget.workflow import run_config

    with _display() as (show, interval):
        return run_config(config, out, show=show, tell=_tell, interval=interval, **options)


@contextmanager
def _display() -> Iterator[tuple[Callable[[Snapshot], None], float]]:
    """Show a bar on a terminal, otherwise one line per interval."""
    if not sys.stderr.isatty():
        yield lambda snapshot: _tell(str(snapshot)), 10.0
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("blocks"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} {task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("", total=None, rate="")

        def show(s: Snapshot) -> None:
            rate = f"{s.gb_per_s:.2f} GB/s {s.workers} workers"
            bar.update(task, total=s.total, completed=s.done, rate=rate)

        yield show, 0.2


def _status_text(now: Status) -> str:
    eta = f"{now.eta_seconds:.0f} s" if now.eta_seconds is not None else "unknown"
    lines = [
        f"blocks {now.done} done, {now.left} left, {now.failed} failed of {now.total}; "
        f"{now.gb_per_s:.2f} GB/s, expected {eta}, workers {now.workers}; "
        + ("merged" if now.merged else "not merged yet"),
        *(f"job {job}" for job in now.jobs),
        *now.failures,
    ]
    return "\n".join(lines)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parse_part(text: str) -> tuple[int, int]:
    index, slash, count = text.partition("/")
    if not (slash and index.isdigit() and count.isdigit()):
        raise ConfigError(f"--part {text!r} is not I/N", fix="for example --part 3/16")
    return int(index), int(count)


def _print_outcome(outcome: Outcome) -> None:
    account = outcome.closure
    worst = account["value"].max()
    print(f"closure: {len(account)} checks, largest relative difference {worst:.1e}: closed")
    print(f"report:  {outcome.report or 'not made'}")


def _print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, title=title, title_justify="left", box=None)
    for row in rows:
        table.add_row(*row)
    # a log file has no width: nothing is cut off there
    Console(width=None if sys.stdout.isatty() else 240).print(table)


def _print_errors(errors: Any) -> None:
    print("largest relative error of any month against the known answer:")
    table = errors.pivot_table(
        index=["family", "member", "component"], columns="region", values="relative_error"
    )
    print(table.to_string(float_format=lambda e: f"{e:.0e}"))
    print(f"largest of all: {errors['relative_error'].max():.1e} (goal: below 1e-9)")


if __name__ == "__main__":
    main()
