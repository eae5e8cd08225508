"""Stages of a run: units of one kind after those of another, all by the same workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from hpcbudget.engine.cluster import Connect, dashboard_of
from hpcbudget.engine.execute import execute
from hpcbudget.engine.plan import Plan
from hpcbudget.engine.progress import Progress
from hpcbudget.engine.tally import Clock
from hpcbudget.engine.work import Unit, Work


@dataclass(frozen=True)
class Stage:
    """Units of one kind; all of them are done before those of the next stage begin.

    Attributes
    ----------
    name : str
        What the units are called.
    work : Work
    total : int
    pending : callable
        Returns those that are still to be done.
    """

    name: str
    work: Work
    total: int
    pending: Callable[[], Sequence[Unit]]


def work_off(
    stages: Sequence[Stage],
    plan: Plan,
    connect: Connect,
    begin: Callable[[int, int], Progress],
    *,
    retries: int,
    clock: Clock | None = None,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Do what is left of each stage, in their order; workers are started for work only.

    Parameters
    ----------
    stages : sequence of Stage
    plan : Plan
    connect : callable
        Gives a client of the workers for a plan, as a context.
    begin : callable
        Gives the progress of a stage from its total and what was done before.
    retries, clock
        See `hpcbudget.engine.execute.execute`.
    tell : callable, optional
        Given single lines of news.

    Raises
    ------
    BlockError, StoppedEarlyError
        See `hpcbudget.engine.tally.Tally.settle`.
    """
    tell = tell or (lambda _: None)
    with ExitStack() as stack:
        client = None
        for stage in stages:
            left = stage.pending()
            before = stage.total - len(left)
            tell(f"{stage.total} {stage.name}, {before} done before")
            if not left:
                continue
            if client is None:
                client = stack.enter_context(connect(plan))
                if link := dashboard_of(client):
                    tell(f"dashboard {link}")
            progress = begin(stage.total, before)
            execute(client, stage.work, left, progress, retries=retries, clock=clock).settle()
