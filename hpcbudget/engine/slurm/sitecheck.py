"""Site check: does a profile fit the system we are on, as far as that can be found out."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from hpcbudget.engine.slurm.queue import ask, parse_time_left
from hpcbudget.engine.slurm.scripts import placement
from hpcbudget.engine.slurm.sites import Site, walltime_seconds
from hpcbudget.errors import BackendError, ClusterError

Verdict = Literal["ok", "wrong", "unknown"]
# A small job on a busy machine waits; longer than this nobody watches.
JOB_SECONDS = 120


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    verdict : {"ok", "wrong", "unknown"}
    what, detail : str
    """

    verdict: Verdict
    what: str
    detail: str

    def as_dict(self) -> dict[str, str]:
        """Return it for JSON."""
        return asdict(self)


def check_site(site: Site, *, try_job: bool = True) -> list[Finding]:
    """Look at everything a profile claims.

    Parameters
    ----------
    site : Site
    try_job : bool
        Run one small job that looks at a node: Python, scratch, network, cores, memory.
    """
    if site.batch_system != "slurm":
        text = f"{site.batch_system.upper()}: start from jobs/{site.name}.pbs"
        return [Finding("wrong", "batch system", text)]
    if shutil.which("sbatch") is None:
        return [Finding("wrong", "sbatch", "not on the PATH: is this a login node of the system?")]
    looks: list[Callable[[Site], Iterator[Finding]]] = [_slurm, _partition, _account, _tls]
    if try_job:
        looks.append(_node)
    return [finding for look in looks for finding in look(site)]


def _slurm(site: Site) -> Iterator[Finding]:
    try:
        answer = ask("sinfo", "--version")
    except (BackendError, ClusterError) as error:
        yield Finding("wrong", "SLURM", error.what)
        return
    yield Finding("ok" if answer else "wrong", "SLURM", (answer or "does not answer").strip())


def _partition(site: Site) -> Iterator[Finding]:
    """Compare the largest nodes and the limit of the partition with what the profile says."""
    words = ["sinfo", "--noheader", "--format=%P|%l|%c|%m|%a"]
    if site.partition:
        words.append(f"--partition={site.partition}")
    rows = [line.split("|") for line in (ask(*words) or "").split()]
    if not site.partition:
        rows = [row for row in rows if row[0].endswith("*")] or rows
    name = site.partition or "the default one"
    if not rows:
        yield Finding("wrong", "partition", f"{name} does not exist")
        return
    up = any(row[4] == "up" for row in rows)
    yield Finding("ok" if up else "wrong", "partition", f"{rows[0][0]} is {'up' if up else 'down'}")
    limit = parse_time_left(rows[0][1])
    fits = limit is None or walltime_seconds(site.walltime) <= limit
    yield Finding("ok" if fits else "wrong", "walltime", f"{site.walltime} of {rows[0][1]}")
    cores = max(int(row[2].rstrip("+")) for row in rows)
    fits = site.cores_per_node <= cores
    yield Finding("ok" if fits else "wrong", "cores", f"{site.cores_per_node} of {cores}")
    memory = max(int(row[3].rstrip("+")) for row in rows) * 2**20 / 1e9
    fits = site.memory_per_node_gb <= memory
    text = f"{site.memory_per_node_gb:g} GB of {memory:.1f} GB"
    yield Finding("ok" if fits else "wrong", "memory", text)


def _account(site: Site) -> Iterator[Finding]:
    if site.account_needed and not site.account:
        yield Finding("wrong", "account", "every job needs one: --account, or in your profile")
        return
    user = f"user={os.environ.get('USER', '')}"
    known = ask("sacctmgr", "--noheader", "--parsable2", "show", "associations", user)
    if not site.account:
        yield Finding("ok", "account", "none asked for")
    elif not known:
        yield Finding("unknown", "account", f"{site.account}: this SLURM does not tell")
    else:
        mine = any(site.account in line.split("|") for line in known.splitlines())
        text = site.account if mine else f"{site.account} is none of yours"
        yield Finding("ok" if mine else "wrong", "account", text)


def _tls(site: Site) -> Iterator[Finding]:
    there = find_spec("cryptography") is not None
    if site.tls == "off":
        yield Finding("unknown", "TLS", "off: whoever reaches the scheduler can act as you")
    elif there:
        yield Finding("ok", "TLS", "a certificate for each run")
    else:
        verdict: Verdict = "wrong" if site.tls == "require" else "unknown"
        yield Finding(verdict, "TLS", "python -m pip install 'hpcbudget[tls]'")


# what a node is asked; prints one "what|verdict|detail" a line
_PROBE = """
import os, shutil, socket, sys, tempfile
interface, scratch = sys.argv[1], os.path.expandvars(sys.argv[2])
names = [name for _, name in socket.if_nameindex()]
if not interface:
    print("interface|ok|that of the host's name")
elif interface in names:
    print("interface|ok|" + interface)
else:
    print("interface|wrong|%s; the node has %s" % (interface, ", ".join(names)))
try:
    tempfile.TemporaryDirectory(dir=scratch).cleanup()
    print("scratch|ok|%s, %.0f GB free" % (scratch, shutil.disk_usage(scratch).free / 1e9))
except OSError as error:
    print("scratch|wrong|%s: %s" % (scratch, error))
import hpcbudget
print("Python on the node|ok|%s, hpcbudget %s" % (sys.version.split()[0], hpcbudget.__version__))
"""


def _node(site: Site) -> Iterator[Finding]:
    """Look at a node from within a job."""
    python = site.python or shlex.quote(sys.executable)
    probe = f"{python} -c {shlex.quote(_PROBE)} {shlex.quote(site.interface or '')} "
    lines = [*site.prologue, probe + shlex.quote(site.scratch)]
    options = [*placement(site), "--time=00:02:00", "--ntasks=1", "--nodes=1", *site.directives]
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".site-check-") as folder:
        script = Path(folder) / "probe.sh"
        script.write_text("#!/bin/bash\n" + "\n".join(lines) + "\n")
        script.chmod(0o700)
        words = ["srun", *options, f"--immediate={JOB_SECONDS}", str(script)]
        try:
            answer = subprocess.run(
                words, capture_output=True, text=True, check=False, timeout=JOB_SECONDS + 60
            )
        except subprocess.TimeoutExpired:
            yield Finding("unknown", "a job", f"did not start within {JOB_SECONDS} s")
            return
    found = [line.split("|", 2) for line in answer.stdout.splitlines() if line.count("|") >= 2]
    for what, verdict, detail in found:
        yield Finding("ok" if verdict == "ok" else "wrong", what, detail)
    if answer.returncode or not found:
        said = "; ".join(answer.stderr.strip().splitlines()[-2:]) or f"status {answer.returncode}"
        yield Finding("wrong", "a job", said)
    else:
        yield Finding("ok", "a job", f"ran, submitted from {socket.gethostname()}")
