"""Submit: check a run, write its scripts into OUT, hand them to SLURM, remember the jobs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hpcbudget.config import Config
from hpcbudget.engine.plan import Plan
from hpcbudget.engine.provenance import resolved_yaml
from hpcbudget.engine.slurm.compiled import compile_kernels
from hpcbudget.engine.slurm.queue import private_folder, record_job, submit_script
from hpcbudget.engine.slurm.scripts import Job, Kind, render, site_yaml
from hpcbudget.engine.slurm.sites import Site
from hpcbudget.errors import ConfigError, PlanError
from hpcbudget.files import write_atomic

Mode = Literal["allocation", "array"]


@dataclass(frozen=True)
class Submission:
    """Scripts of a run, and the numbers of its jobs once submitted.

    Attributes
    ----------
    job : Job
    scripts : dict
        Name of the script to its text, in the order of submission.
    """

    job: Job
    scripts: dict[Kind, str]


def prepare_submission(
    config: Config,
    out: Path,
    site: Site,
    *,
    mode: Mode = "allocation",
    workers: int | None = None,
    only: tuple[int, ...] = (),
    with_report: bool = True,
) -> Submission:
    """Render the scripts of a run; nothing is written or submitted.

    Parameters
    ----------
    config : Config
    out : Path
    site : Site
    mode : {"allocation", "array"}
        One job with a scheduler and workers, or an array of parts and a merge after it.
    workers : int, optional
        Worker processes, or parts; default: what a node takes.
    only : tuple of int
        Elements of the array to submit again.
    with_report : bool
        Whether the last job draws figures and the page.

    Raises
    ------
    ConfigError
        If the site does not let such jobs in.
    """
    out = out.absolute()
    job = Job(
        name=config.name,
        out=out,
        data=config.data_root,
        config=out / "config.resolved.yaml",
        site=site,
        workers=workers or site.node_workers,
        with_report=with_report,
    )
    if only and mode != "array":
        raise ConfigError("--only names elements of an array", fix="add --mode array")
    if any(not 1 <= element <= job.elements for element in only):
        raise ConfigError(
            f"--only {','.join(map(str, only))}: the array has elements 1 to {job.elements}",
            fix="give the same --workers as when it was first submitted",
        )
    kinds: tuple[Kind, ...] = ("allocation",) if mode == "allocation" else ("array", "merge")
    return Submission(job, {kind: render(kind, job, only) for kind in kinds})


def require_memory(plan: Plan, site: Site) -> None:
    """Refuse what a worker of the site could not hold, before it waits in the queue.

    Raises
    ------
    PlanError
        Saying how many workers a node would take instead.
    """
    share = site.worker_gb * 1e9
    if plan.peak_bytes <= share:
        return
    fit = int(site.memory_per_node_gb * 1e9 // plan.peak_bytes)
    raise PlanError(
        f"a worker needs {plan.peak_bytes / 1e9:.2f} GB, on {site.name} it would have "
        f"{share / 1e9:.2f} GB",
        where="workers_per_node of the site profile",
        why="it would be killed in the middle of a block",
        fix=f"workers_per_node: {fit} in a profile of your own (extends: {site.name})"
        if fit
        else "nodes with more memory, or data in smaller chunks (hpcbudget ingest)",
    )


def submit(config: Config, submission: Submission) -> dict[Kind, str]:
    """Write the scripts into ``OUT/slurm``, submit them in order and record their numbers.

    Returns
    -------
    dict
        Script to the number of its job. The merge waits for the array, whatever becomes of it,
        for it can say which blocks are missing.

    Raises
    ------
    ClusterError, BackendError
        If SLURM refuses a job, or is not there.
    """
    job = submission.job
    folder = private_folder(job.out)
    write_atomic(job.config, resolved_yaml(config).encode())
    write_atomic(job.site_file, site_yaml(job.site).encode())
    for kind, text in submission.scripts.items():
        path = folder / f"{kind}.sh"
        write_atomic(path, text.encode())
        path.chmod(0o700)
    compile_kernels(job.out)
    numbers: dict[Kind, str] = {}
    for kind in submission.scripts:
        after = numbers.get("array")
        options = [f"--dependency=afterany:{after}"] if after else []
        numbers[kind] = submit_script(folder / f"{kind}.sh", options)
        record_job(
            job.out, numbers[kind], kind, site=job.site.name, workers=job.workers, after=after
        )
    return numbers
