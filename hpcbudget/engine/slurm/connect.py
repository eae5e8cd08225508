"""Connect: the way from a plan to the workers that compute it, by the name of the cluster."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from hpcbudget.config import Config
from hpcbudget.engine.cluster import Connect, local_client
from hpcbudget.engine.slurm.allocation import Task, allocation_client
from hpcbudget.engine.slurm.jobqueue import Workers, slurm_client
from hpcbudget.engine.slurm.sites import Site
from hpcbudget.engine.slurm.walltime import Walltime

ClusterName = Literal["local", "slurm", "allocation"]


def connect_by(
    name: ClusterName,
    config: Config,
    out: Path,
    site: Site,
    *,
    workers: int | None = None,
    minimum: int | None = None,
    clock: Walltime,
    tell: Callable[[str], None],
) -> Connect:
    """Return what gives `hpcbudget.workflow.run_config` a client of its workers.

    Parameters
    ----------
    name : {"local", "slurm", "allocation"}
        This machine, jobs of workers submitted one by one, or the nodes of the job we are in.
    config, out, site
        The run, and where it runs.
    workers : int, optional
        Default: the cores of this machine, or what a node of the site takes.
    minimum : int, optional
        Let the number of workers follow the work, down to this; ``slurm`` only.
    clock : Walltime
        Told when workers cannot be had.
    tell : callable
        Given single lines of news.
    """
    if name == "slurm":
        asked = Workers(site, workers or site.node_workers, minimum)
        return partial(slurm_client, workers=asked, out=out, clock=clock, tell=tell)
    if name == "allocation":
        task = Task.here(out, site, workers)
        return partial(allocation_client, task=task, clock=clock, tell=tell)
    return partial(local_client, config=config, workers=workers)
