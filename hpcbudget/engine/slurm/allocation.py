"""Allocation: one job in which task 0 is driver and scheduler, and every node has workers.

All tasks are started by one ``srun`` with the same command. Task 0 writes where its scheduler
listens to a file of OUT that only its owner can read; the others wait for it, start their workers
and end with the scheduler. Workers have nannies, so one that dies is started again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcbudget.engine.cluster import ONE_THREAD, dask_settings
from hpcbudget.engine.plan import Plan
from hpcbudget.engine.slurm.compiled import node_scratch
from hpcbudget.engine.slurm.queue import in_job, private_folder
from hpcbudget.engine.slurm.sites import Site
from hpcbudget.engine.slurm.tls import make_security, read_security, write_security
from hpcbudget.engine.slurm.walltime import Walltime
from hpcbudget.errors import ClusterError, HpcBudgetError, status_of
from hpcbudget.files import write_atomic

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
# Workers that find no scheduler for so long end themselves: the driver is gone.
DEATH_SECONDS = 300
# A run without any worker for so long will not get one any more.
ALONE_SECONDS = 600.0


@dataclass(frozen=True)
class Task:
    """One task of the job's ``srun``.

    Attributes
    ----------
    job : str
        Number of the job and how often it was restarted: names the files of this very turn.
    rank, count : int
        Which of how many tasks.
    out : Path
    site : Site
    workers : int
        Of all tasks together.
    """

    job: str
    rank: int
    count: int
    out: Path
    site: Site
    workers: int

    @classmethod
    def here(cls, out: Path, site: Site, workers: int | None) -> Task:
        """Return the task that SLURM's environment says we are.

        Raises
        ------
        ClusterError
            Outside of a job.
        """
        job = in_job()
        if job is None:
            raise ClusterError(
                "not inside a SLURM job",
                why="--cluster allocation takes the nodes of the job it runs in",
                fix="hpcbudget submit CONFIG --site NAME, or --cluster local or slurm",
            )
        rank = int(os.environ.get("SLURM_PROCID", "0"))
        # a batch script that does not use srun is alone, however many tasks the job could have
        count = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))
        return cls(job, rank, count, out, site, workers or count * site.node_workers)

    @property
    def share(self) -> int:
        """Workers of this task."""
        return self.workers * (self.rank + 1) // self.count - self.workers * self.rank // self.count

    @property
    def contact(self) -> Path:
        """File that says where the scheduler listens."""
        turn = os.environ.get("SLURM_RESTART_COUNT", "0")
        return self.out / "slurm" / f"scheduler-{self.job}-{turn}.json"

    @property
    def keys(self) -> Path:
        """Folder of the certificate of this turn."""
        return self.contact.with_suffix(".tls")

    @property
    def ended(self) -> Path:
        """File with the driver's exit status; the batch script reads it."""
        return self.out / "slurm" / f"{self.job}.status"


@contextmanager
def duty(cluster: str, out: Path, site: Site, workers: int | None) -> Iterator[bool]:
    """Do a worker node's duty, or tell that this process is the driver.

    Yields
    ------
    bool
        True for the driver, of any kind of `cluster`. False once a task other than the first of
        an allocation has served the driver to its end.
    """
    if cluster != "allocation":
        yield True
        return
    task = Task.here(out, site, workers)
    if task.rank:
        serve(task)
        yield False
        return
    with exit_status_kept(task):
        yield True


@contextmanager
def exit_status_kept(task: Task) -> Iterator[None]:
    """Leave the driver's exit status in a file: that of srun also counts nodes that were lost."""
    status = 1
    try:
        yield
        status = 0
    except HpcBudgetError as error:
        status = status_of(error)
        raise
    finally:
        private_folder(task.out)
        write_atomic(task.ended, f"{status}\n".encode())


@contextmanager
def allocation_client(
    plan: Plan, *, task: Task, clock: Walltime, tell: Callable[[str], None]
) -> Iterator[Client]:
    """Start the scheduler and this node's workers, let the other nodes join, yield a client.

    Parameters
    ----------
    plan : Plan
    task : Task
        Task 0.
    clock : Walltime
        Told if all workers are lost.
    tell : callable
        Given single lines of news.
    """
    import dask
    from distributed import Client, LocalCluster
    from distributed.utils import get_ip, get_ip_interface

    site = task.site
    private_folder(task.out)
    security = make_security(site.tls)
    if security is None:
        tell("warning: no TLS: others on this network could reach the workers (site key tls)")
    address = get_ip_interface(site.interface) if site.interface else get_ip()
    # children, now and later, inherit this: the signal that tells the driver to stop in time
    # reaches every process of the job step, and would end the workers
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    with (
        node_scratch(site, task.out) as scratch,
        dask.config.set(worker_settings(scratch)),
        LocalCluster(
            n_workers=task.share,
            threads_per_worker=1,
            host=address,
            protocol="tls://" if security else "tcp://",
            security=security,
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            memory_limit=int(site.worker_gb * 1e9),
            local_directory=str(scratch),
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
        company(client, clock),
    ):
        if security is not None:
            write_security(security, task.keys)
        contact = {"address": cluster.scheduler_address, "tls": security is not None}
        write_private(task.contact, json.dumps(contact))
        tell(f"scheduler {contact['address']}, {task.workers} workers on {task.count} nodes")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        try:
            yield client
        finally:
            with suppress(Exception):  # in good order if possible: else they notice by themselves
                client.retire_workers(close_workers=True)
            task.contact.unlink(missing_ok=True)
            shutil.rmtree(task.keys, ignore_errors=True)


def serve(task: Task) -> None:
    """Start the workers of a node other than the first, and wait until the run ends."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # inherited by the workers
    logging.getLogger("distributed").setLevel(logging.WARNING)
    contact = _wait_for_scheduler(task)
    if contact is None or task.share == 0:
        return
    with node_scratch(task.site, task.out) as scratch:
        asyncio.run(_nannies(task, contact, scratch))


def _wait_for_scheduler(task: Task) -> dict[str, Any] | None:
    """Return what task 0 wrote; None if it ended without needing workers."""
    began = time.time()
    while True:
        with suppress(FileNotFoundError):
            found: dict[str, Any] = json.loads(task.contact.read_text())
            return found
        with suppress(FileNotFoundError):
            # clocks of nodes differ a little; a status of an earlier turn is older than that
            if task.ended.stat().st_mtime > began - 5:
                return None
        time.sleep(POLL_SECONDS)


async def _nannies(task: Task, contact: dict[str, Any], scratch: Path) -> None:
    import dask
    from distributed import Nanny

    options: dict[str, Any] = {
        "nthreads": 1,
        "memory_limit": int(task.site.worker_gb * 1e9),
        "local_directory": str(scratch),
        "death_timeout": DEATH_SECONDS,
        "security": read_security(task.keys) if contact["tls"] else None,
        "interface": task.site.interface,
        "dashboard_address": "127.0.0.1:0",
    }
    with dask.config.set(worker_settings(scratch)):
        nannies = [Nanny(contact["address"], **options) for _ in range(task.share)]
        started = await asyncio.gather(*nannies, return_exceptions=True)
        for failure in started:
            if isinstance(failure, BaseException):
                log.error("a worker did not start: %s", failure)
        alive = [n for n, s in zip(nannies, started, strict=True) if not isinstance(s, Exception)]
        await asyncio.gather(*(nanny.finished() for nanny in alive))


def worker_settings(scratch: Path) -> dict[str, Any]:
    """Return dask's settings for workers that share a node and its `scratch`."""
    environment = {
        **ONE_THREAD,
        "NUMBA_CACHE_DIR": str(scratch / "numba"),
        "DASK_LOGGING__DISTRIBUTED": "warning",  # thousands of lines say nothing new
    }
    return {
        **dask_settings(environment),
        "distributed.comm.timeouts.connect": "60s",
        # a node that went away without a word
        "distributed.scheduler.worker-ttl": "2 minutes",
    }


@contextmanager
def company(client: Client, clock: Walltime) -> Iterator[None]:
    """Give up a run that has had no worker for `ALONE_SECONDS`: it would wait for ever."""
    over = threading.Event()

    def watch() -> None:
        last = time.monotonic()
        while not over.wait(10.0):
            with suppress(Exception):  # an answer that does not come says nothing about workers
                if client.nthreads():
                    last = time.monotonic()
            if time.monotonic() - last > ALONE_SECONDS:
                clock.abandon(
                    ClusterError(
                        f"no worker has been there for {ALONE_SECONDS:.0f} s",
                        why="finished blocks are kept",
                        fix="look into the logs of the job, then submit again to go on",
                    )
                )
                return

    thread = threading.Thread(target=watch, name="company", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else can read, whole or not at all."""
    temporary = path.with_suffix(".new")
    opened = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
