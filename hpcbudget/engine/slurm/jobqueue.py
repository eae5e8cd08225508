"""Jobqueue: the driver outside, each node's worth of workers a SLURM job of its own.

dask-jobqueue submits the jobs. What it leaves to its user is done here: a job that SLURM refuses
is an error with SLURM's words instead of a wait without end, and a job that ended, was cancelled,
ran out of time or lost its node is replaced for as long as there are blocks.
"""

from __future__ import annotations

import logging
import shlex
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcbudget.engine.cluster import ONE_THREAD, QUIET
from hpcbudget.engine.plan import Plan
from hpcbudget.engine.slurm.allocation import DEATH_SECONDS, worker_settings
from hpcbudget.engine.slurm.compiled import compile_kernels, kernels_folder, scratch_in_shell
from hpcbudget.engine.slurm.queue import (
    JobState,
    job_states,
    private_folder,
    record_job,
    require_accepted,
)
from hpcbudget.engine.slurm.scripts import directive_path, placement
from hpcbudget.engine.slurm.sites import Site, walltime_seconds
from hpcbudget.engine.slurm.tls import make_security, read_security, write_security
from hpcbudget.engine.slurm.walltime import Walltime
from hpcbudget.errors import ClusterError, ConfigError
from hpcbudget.files import write_atomic

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

# Asked with one command for all jobs; sites ask users not to do so every second.
LOOK_SECONDS = 10.0
ALIVE = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "REQUEUED", "SUSPENDED", "STOPPED"}


@dataclass(frozen=True)
class Workers:
    """What is asked of SLURM.

    Attributes
    ----------
    site : Site
    count : int
        Worker processes; with `minimum`, the most of them.
    minimum : int or None
        Least number while there is work, if their number is to follow the work.
    """

    site: Site
    count: int
    minimum: int | None = None

    @property
    def per_job(self) -> int:
        """Workers of one job: a node's worth where nodes are not shared."""
        return min(self.site.node_workers, self.count) if self.site.whole_nodes else 1

    @property
    def jobs(self) -> int:
        """Jobs for all workers."""
        return -(-self.count // self.per_job)

    @property
    def least_jobs(self) -> int:
        """Jobs that are kept at least."""
        return self.jobs if self.minimum is None else -(-self.minimum // self.per_job)


@contextmanager
def slurm_client(
    plan: Plan | None = None,
    *,
    workers: Workers,
    out: Path,
    clock: Walltime,
    tell: Callable[[str], None],
) -> Iterator[Client]:
    """Submit jobs of workers and yield a client of theirs; cancel them at the end.

    Raises
    ------
    ClusterError
        If SLURM would never run such a job.
    """
    import dask
    from distributed import Client

    with (
        dask.config.set(worker_settings(Path("$HPCBUDGET_SCRATCH"))),
        slurm_cluster(workers, out.absolute(), tell) as cluster,
    ):
        script = private_folder(out) / "worker.sh"
        write_atomic(script, cluster.job_script().encode())
        require_accepted(script)
        compile_kernels(out.absolute())
        keeper = Keeper(cluster, workers, out, clock, tell)
        with Client(cluster) as client, keeper:
            if workers.minimum is None:
                cluster.scale(jobs=workers.jobs)
                asked = f"{workers.jobs}"
            else:
                cluster.adapt(minimum_jobs=workers.least_jobs, maximum_jobs=workers.jobs)
                asked = f"{workers.least_jobs} to {workers.jobs}"
            tell(f"jobs of workers: {asked}, each with {workers.per_job}")
            yield client


def worker_script(workers: Workers, out: Path) -> str:
    """Return the script of one job of workers, as it would be submitted.

    The scheduler that it names listens only as long as this function runs.
    """
    with slurm_cluster(workers, out.absolute(), lambda _: None) as cluster:
        script: str = cluster.job_script()
    return script


@contextmanager
def slurm_cluster(workers: Workers, out: Path, tell: Callable[[str], None]) -> Iterator[Any]:
    """Start a scheduler in this process that can submit workers; none is submitted yet."""
    from dask_jobqueue.slurm import SLURMCluster, SLURMJob
    from distributed.utils import get_ip, get_ip_interface

    site = workers.site
    if any(c.isspace() or c in "\"'$`" for c in str(out)):
        raise ConfigError(
            "dask-jobqueue cannot name files in a folder with blanks or quotes",
            where=str(out),
            fix="choose another --out, or 'hpcbudget submit'",
        )
    folder = private_folder(out)
    keys = folder / "worker.tls"
    security = make_security(site.tls)
    if security is None:
        tell("warning: no TLS: others on this network could reach the workers (site key tls)")
    else:
        write_security(security, keys)
        security = read_security(keys)

    class Recorded(SLURMJob):
        """A job whose number, or refusal, is remembered."""

        async def start(self) -> None:
            try:
                await super().start()  # type: ignore[no-untyped-call]
            except RuntimeError as error:
                cluster.refusals.append(str(error))
                raise
            record_job(out, str(self.job_id), "worker", site=site.name, workers=workers.per_job)

    class Cluster(SLURMCluster):
        """Cluster of such jobs."""

        job_cls = Recorded
        refusals: list[str]

    address = get_ip_interface(site.interface) if site.interface else get_ip()
    lifetime = walltime_seconds(site.walltime) - site.stop_seconds
    cluster = Cluster(
        queue=site.partition,
        account=site.account,
        walltime=site.walltime,
        cores=workers.per_job,
        processes=workers.per_job,
        memory=f"{int(workers.per_job * site.worker_gb * 1e9)}B",
        job_cpu=workers.per_job * site.cores_per_worker,
        job_name="hpcbudget-worker",
        job_directives_skip=[] if site.ask_memory == "node" else ["--mem="],
        job_extra_directives=_directives(workers, folder),
        job_script_prologue=_prologue(site, out),
        worker_extra_args=[
            # leave in order before SLURM kills; not all at once
            *("--lifetime", f"{lifetime}s", "--lifetime-stagger", f"{site.stop_seconds // 4}s"),
            *("--dashboard-address", "127.0.0.1:0"),
        ],
        local_directory='"$HPCBUDGET_SCRATCH"',
        death_timeout=str(DEATH_SECONDS),
        python=site.python or shlex.quote(sys.executable),
        interface=site.interface,
        protocol="tls://" if security else "tcp://",
        security=security,
        scheduler_options={"host": address, "dashboard_address": "127.0.0.1:0"},
        log_directory=None,
        silence_logs=logging.ERROR,
    )
    cluster.refusals = []
    try:
        yield cluster
    finally:
        with suppress(TimeoutError):
            cluster.close()
        shutil.rmtree(keys, ignore_errors=True)


def _directives(workers: Workers, folder: Path) -> list[str]:
    site = workers.site
    # dask-jobqueue writes those of partition and account itself
    options = [o for o in placement(site) if not o.startswith(("--partition", "--account"))]
    if site.whole_nodes:
        options.append("--exclusive")
    if site.ask_memory == "cpu":
        megabytes = int(site.worker_gb * 1e9 / 2**20)
        options.append(f"--mem-per-cpu={megabytes // site.cores_per_worker}M")
    return [*options, f"--output={directive_path(folder)}/worker-%j.log", *site.directives]


def _prologue(site: Site, out: Path) -> list[str]:
    """Shell lines before the workers: threads, a folder on the node's disk, compiled kernels."""
    # such workers have their settings of dask from the environment
    quiet = {f"DASK_{key.upper().replace('.', '__')}": str(value) for key, value in QUIET.items()}
    variables = {**ONE_THREAD, **{name.replace("-", "_"): value for name, value in quiet.items()}}
    exported = " ".join(f"{name}={value}" for name, value in variables.items())
    python = site.python or shlex.quote(sys.executable)
    return [
        "umask 027",
        *site.prologue,
        f"export {exported}",
        *scratch_in_shell(site, kernels_folder(out), python),
    ]


@dataclass
class Keeper:
    """Looks after the jobs in a thread of its own, for as long as it is entered.

    Attributes
    ----------
    cluster : SLURMCluster
    workers : Workers
    out : Path
    clock : Walltime
        Told when there is no hope.
    tell : callable
        Given single lines of news.
    in_vain : set of str
        Numbers of jobs that ended before a worker of theirs was seen.
    """

    cluster: Any
    workers: Workers
    out: Path
    clock: Walltime
    tell: Callable[[str], None]
    in_vain: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)
    _waiting: str = ""

    def __enter__(self) -> Keeper:
        threading.Thread(target=self._keep, name="keeper", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _keep(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            try:
                self.look()
            except ClusterError as error:
                self.clock.abandon(error)
                return
            except Exception:  # the next look may go better; the run does not depend on this one
                log.exception("could not look after the jobs")

    def look(self) -> None:
        """Ask SLURM once about all jobs and replace those that ended.

        Raises
        ------
        ClusterError
            If SLURM refuses jobs, or they end again and again before any worker of theirs joins.
        """
        if self.cluster.refusals:
            raise ClusterError(
                f"SLURM refuses a job of workers: {self.cluster.refusals[-1].strip()}",
                why="finished blocks are kept",
                fix="correct the site profile and run again to go on",
            )
        self._note_workers()
        jobs = {name: getattr(job, "job_id", None) for name, job in self.cluster.workers.items()}
        states = job_states(number for number in jobs.values() if number)
        if not states:
            return
        ended = {n: j for n, j in jobs.items() if j in states and states[j].state not in ALIVE}
        for number in ended.values():
            self.tell(f"job {number} of workers {states[number].state.lower()}, submitting another")
            if number not in self._seen:
                self.in_vain.add(number)
        if len(self.in_vain) > 2 + self.workers.jobs:
            raise ClusterError(
                f"{len(self.in_vain)} jobs of workers ended before a worker could join",
                where=", ".join(str(self.out / "slurm" / f"worker-{j}.log") for j in self.in_vain),
                why="finished blocks are kept",
                fix="read these logs; 'hpcbudget site check SITE' tries a job",
            )
        if ended:
            self.cluster.loop.add_callback(self._replace, set(ended))
        self._tell_waiting([states[j] for j in jobs.values() if j in states])

    def _note_workers(self) -> None:
        """Remember the jobs whose workers have joined."""
        names = {str(w["name"]) for w in self.cluster.scheduler_info["workers"].values()}
        for name, job in self.cluster.workers.items():
            label = str(getattr(job, "name", name))
            if any(n == label or n.startswith(f"{label}-") for n in names):
                self._seen.add(getattr(job, "job_id", ""))

    def _replace(self, names: set[Any]) -> None:
        """Forget ended jobs and have the cluster make up for them; in its own event loop."""
        for name in names:
            self.cluster.workers.pop(name, None)
        if self.workers.minimum is None:
            self.cluster.scale(jobs=self.workers.jobs)
        else:
            self.cluster.scale(len(self.cluster.worker_spec))

    def _tell_waiting(self, states: list[JobState]) -> None:
        """Say why jobs wait in the queue, once for each reason."""
        reasons = sorted({s.detail for s in states if s.state == "PENDING"})
        news = f"jobs wait in the queue: {', '.join(reasons)}" if reasons else ""
        if news and news != self._waiting:
            self.tell(news)
        self._waiting = news
