"""Cluster: workers on this machine, and what they are asked beside blocks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hpcbudget.config import Config
from hpcbudget.engine.plan import Plan, worker_memory
from hpcbudget.space.great_circles import Mapper, Piece, Stretch, in_turn

if TYPE_CHECKING:
    from distributed import Client

# One kernel, one thread: dask already runs as many kernels as there are cores.
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
# Dask watches itself so closely that the driver and each idle worker take 7 and 4 % of a core; so
# they take 2 and 1.
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "5s",
}
# Below this, starting processes takes longer than reading everything.
SMALL_RUN_BYTES = 500e6


def default_workers() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0))


Connect = Callable[[Plan], AbstractContextManager["Client"]]
"""Gives a client of some workers for the time of a run."""


@contextmanager
def local_client(plan: Plan, config: Config, workers: int | None = None) -> Iterator[Client]:
    """Start workers on this machine and yield a client of theirs.

    Small runs get threads of this process, others processes of their own that a nanny restarts.

    Parameters
    ----------
    plan : Plan
    config : Config
        Its engine options say how many threads a worker has, and how much memory.
    workers : int, optional
        Default: the cores this process may use.
    """
    import dask
    from distributed import Client, LocalCluster

    workers = workers or default_workers()
    threads_per_worker = config.engine.threads_per_worker
    memory_limit = worker_memory(config, workers)
    processes = config.engine.processes
    if processes is None:
        processes = plan.read_bytes > SMALL_RUN_BYTES and workers > 1
    with (
        dask.config.set(dask_settings(ONE_THREAD)),
        LocalCluster(
            n_workers=workers if processes else 1,
            threads_per_worker=threads_per_worker if processes else workers,
            processes=processes,
            host="127.0.0.1" if processes else None,  # within a process there is no address
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            memory_limit=memory_limit if processes else 0,
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def dask_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return dask's settings for a scheduler and the workers it starts.

    Parameters
    ----------
    environment : mapping
        Variables of the workers.
    """
    return {
        **QUIET,
        "distributed.nanny.pre-spawn-environ": dict(environment),
        "distributed.scheduler.allowed-failures": 2,
        "distributed.worker.daemon": True,
    }


def on_workers(connect: Callable[[], AbstractContextManager[Client]]) -> Mapper:
    """Return what has the stretches of a great-circle overlap worked on by a cluster.

    The cluster is there from the first stretch to the last: weights that are found in the cache
    start no workers. The driver holds two stretches per thread of the workers, a worker what it
    works on.

    Parameters
    ----------
    connect : callable
        Gives a client for some time.
    """
    import dask

    def mapper(work: Callable[[Stretch], Piece], items: Iterable[Stretch]) -> Iterator[Piece]:
        # a stretch travels with its task, so that a lost worker takes nothing with it
        quiet = {"distributed.admin.large-graph-warning-threshold": "1 GB"}
        with connect() as client, dask.config.set(quiet):
            client.wait_for_workers(1)
            submit = partial(client.submit, pure=False)
            yield from in_turn(submit, lambda: 2 * max(1, sum(client.nthreads().values())))(
                work, items
            )

    return mapper


def dashboard_of(client: Client) -> str | None:
    """Return where the scheduler's dashboard listens; None if bokeh is not installed."""
    port = client.scheduler_info(n_workers=0).get("services", {}).get("dashboard")
    return f"http://127.0.0.1:{port}/status" if port and find_spec("bokeh") else None
