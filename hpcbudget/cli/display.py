"""What the commands print, and the bar that shows progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpcbudget.engine.progress import Snapshot
    from hpcbudget.engine.status import Status
    from hpcbudget.workflow import Outcome

DEMO_GOAL = 1e-9


def tell(line: str) -> None:
    """Say a line of news, beside the answer, on standard error."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def progress_display() -> Iterator[tuple[Callable[[Snapshot], None], float]]:
    """Show a bar on a terminal, otherwise one line per interval."""
    if not sys.stderr.isatty():
        yield lambda snapshot: tell(str(snapshot)), 10.0
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


def print_outcome(outcome: Outcome, *, as_json: bool = False, **further: Any) -> None:
    """Print how well the budget closes and where the report is."""
    account = outcome.closure
    judged = account["tolerance"] < float("inf")  # the others, such as the imbalance, are stated
    checks, worst = int(judged.sum()), float(account.loc[judged, "value"].max())
    if as_json:
        facts = {
            "out": str(outcome.out),
            "report": str(outcome.report) if outcome.report else None,
            "closure": {"checks": checks, "worst": worst, "ok": bool(account["ok"].all())},
            **further,
        }
        print(json.dumps(facts))
        return
    print(f"closure: {checks} checks, largest relative difference {worst:.1e}: closed")
    print(f"report:  {outcome.report or 'not made'}")


def print_errors(errors: Any) -> None:
    """Print the errors of a demo, a row per member and component and a column per region."""
    print("largest relative error of any month against the known answer:")
    table = errors.pivot_table(
        index=["family", "member", "component"], columns="region", values="relative_error"
    )
    print(table.to_string(float_format=lambda e: f"{e:.0e}"))
    print(f"largest of all: {errors['relative_error'].max():.1e} (goal: below {DEMO_GOAL:g})")


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table as wide as the terminal; in a file nothing is cut off."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, title=title, title_justify="left", box=None)
    for row in rows:
        table.add_row(*row)
    # a log file has no width: nothing is cut off there
    Console(width=None if sys.stdout.isatty() else 240).print(table)


def status_text(now: Status) -> str:
    """Return the lines of `hpcbudget status`."""
    eta = f"{now.eta_seconds:.0f} s" if now.eta_seconds is not None else "unknown"
    lines = [
        f"blocks {now.done} done, {now.left} left, {now.failed} failed of {now.total}; "
        f"{now.gb_per_s:.2f} GB/s, expected {eta}, workers {now.workers}; "
        + ("merged" if now.merged else "not merged yet"),
        *job_lines(now.jobs),
        *now.failures,
    ]
    return "\n".join(lines)


def job_lines(jobs: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Say of each job what SLURM says about it; where there is no SLURM, only that it was sent."""
    from hpcbudget.engine.slurm.queue import JobState, job_states

    sent = list(jobs)
    states = job_states(job["job"] for job in sent)
    for job in sent:
        now = states.get(job["job"], JobState("SUBMITTED"))
        left = f", {now.time_left} left" if now.state == "RUNNING" else ""
        detail = f" {now.detail}" if now.state in ("RUNNING", "PENDING") else ""
        yield f"job {job['job']} {job['kind']}: {now.state.lower()}{detail}{left}"
