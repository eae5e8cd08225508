"""The commands; the only place that prints.

Errors are one readable block on standard error, without a traceback unless ``--debug`` is given,
and decide the exit status: 2 configuration, 3 data, 4 the budget does not close, 75 run again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpcbudget._version import __version__
from hpcbudget.errors import ConfigError, HpcBudgetError, status_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpcbudget.engine.progress import Snapshot
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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


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
    from hpcbudget.inputs.check import check_table

    report = check_table(load_config(config, data=data), explain=explain)
    if as_json:
        print(json.dumps(report.rows, indent=1))
    else:
        _print_rows(report.rows)
        for warning in report.warnings:
            print(f"warning: {warning}")
    report.settle()


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
) -> None:
    """Integrate all members, merge, check closure and write the report; resumes by default.

    Example: hpcbudget run configs/real-inversions.yaml --data /data/fluxes --out out
    """
    from hpcbudget.config import load_config

    if fresh and resume:
        raise ConfigError("--fresh and --resume contradict each other", fix="give one of them")
    loaded = load_config(config, data=data)
    if part is not None:
        from hpcbudget.workflow import run_part

        with _display() as (show, interval):
            run_part(loaded, out, _parse_part(part), show=show, interval=interval)
        _tell(f"part {part} done; 'hpcbudget merge {out}' when all parts are")
        return
    _print_outcome(_run(loaded, out, workers=workers, fresh=fresh, with_report=with_report))


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


def _print_rows(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return
    table = Table(*rows[0], box=None)
    for row in rows:
        table.add_row(*("" if v is None else str(v) for v in row.values()))
    Console().print(table)


def _print_errors(errors: Any) -> None:
    print("largest relative error of any month against the known answer:")
    table = errors.pivot_table(
        index=["family", "member", "component"], columns="region", values="relative_error"
    )
    print(table.to_string(float_format=lambda e: f"{e:.0e}"))
    print(f"largest of all: {errors['relative_error'].max():.1e} (goal: below 1e-9)")


if __name__ == "__main__":
    main()
