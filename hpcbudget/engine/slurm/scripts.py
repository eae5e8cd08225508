"""Batch scripts: rendered from templates into something a user can read, keep and edit."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from hpcbudget.engine.slurm.compiled import kernels_folder, scratch_in_shell
from hpcbudget.engine.slurm.sites import Site, walltime_seconds
from hpcbudget.errors import ConfigError

TEMPLATES = Path(__file__).parent / "templates"
# The driver asks for its remaining time itself; SLURM's signal is for when it gets no answer. It
# may come a minute early, which would cost short jobs more than it saves.
SIGNAL_SECONDS = 900
Kind = Literal["allocation", "array", "merge"]


@dataclass(frozen=True)
class Job:
    """A run as it is submitted.

    Attributes
    ----------
    name : str
        Of the analysis.
    out, data, config : Path
        Absolute; `config` is the copy that lies in OUT, so that editing the original while the job
        waits changes nothing.
    site : Site
    workers : int
        Worker processes, or parts of the array.
    with_report : bool
        Whether figures and the page are made.
    """

    name: str
    out: Path
    data: Path
    config: Path
    site: Site
    workers: int
    with_report: bool = True

    @property
    def folder(self) -> Path:
        """Scripts and logs."""
        return self.out / "slurm"

    @property
    def site_file(self) -> Path:
        """The profile as it was used."""
        return self.folder / "site.yaml"

    @property
    def tasks(self) -> int:
        """Parts that share one element of the array: a node's worth where nodes are not shared."""
        return min(self.site.node_workers, self.workers) if self.site.whole_nodes else 1

    @property
    def elements(self) -> int:
        """Elements of the array."""
        return -(-self.workers // self.tasks)


def render(kind: Kind, job: Job, only: tuple[int, ...] = ()) -> str:
    """Return a batch script.

    Parameters
    ----------
    kind : {"allocation", "array", "merge"}
    job : Job
    only : tuple of int
        Elements of the array, counted from 1; default all.

    Raises
    ------
    ConfigError
        If the site wants an account and none was given, or has no SLURM.
    """
    import jinja2

    _refuse(job)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # a shell script, not a page; paths are quoted below
    )
    cpus, options = _resources(kind, job, only)
    python = job.site.python or shlex.quote(sys.executable)
    values: dict[str, Any] = {
        "kind": kind,
        "site": job.site,
        "options": options,
        "cpus": cpus,
        "workers": job.workers,
        "tasks": job.tasks,
        "job_name": re.sub(r"[^\w.-]", "-", f"hpcbudget-{job.name}"),
        "folder": directive_path(job.folder),
        "log": "%A_%a" if kind == "array" else "%j",
        "out": shlex.quote(str(job.out)),
        "data": shlex.quote(str(job.data)),
        "config": shlex.quote(str(job.config)),
        "site_file": shlex.quote(str(job.site_file)),
        "python": python,
        "signal": walltime_seconds(job.site.walltime) >= SIGNAL_SECONDS,
        "report": "" if job.with_report else " --no-report",
        "scratch": scratch_in_shell(job.site, kernels_folder(job.out), python),
        "job": "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
        if kind == "array"
        else "$SLURM_JOB_ID",
        "chain": ('--array="$SLURM_ARRAY_TASK_ID" ' if kind == "array" else "")
        + f'"$OUT/slurm/{kind}.sh"',
    }
    return environment.get_template(f"{kind}.sh.j2").render(values)


def site_yaml(site: Site) -> str:
    """Return a profile as a file, everything said."""
    return yaml.safe_dump(site.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def placement(site: Site) -> list[str]:
    """Return the directives that say where a job goes and who pays."""
    names = ("partition", "account", "qos", "constraint")
    return [f"--{name}={value}" for name in names if (value := getattr(site, name))]


def _resources(kind: Kind, job: Job, only: tuple[int, ...]) -> tuple[int, list[str]]:
    """Return the CPUs of a task, and the directives that ask for nodes, CPUs and memory."""
    site, cores = job.site, job.site.cores_per_worker
    options = placement(site)
    if kind == "allocation":
        nodes = site.nodes(job.workers)
        on_a_node = -(-job.workers // nodes)
        cpus = site.cores_per_node if site.whole_nodes else on_a_node * cores
        options += [f"--nodes={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={cpus}"]
        options.append("--no-kill")
    elif kind == "array":
        on_a_node, cpus = job.tasks, cores
        elements = ",".join(map(str, only)) if only else f"1-{job.elements}"
        options += [f"--array={elements}", f"--ntasks={job.tasks}", f"--cpus-per-task={cpus}"]
        options.append("--nodes=1")
    else:
        on_a_node, cpus = 1, cores
        options += ["--nodes=1", "--ntasks=1", f"--cpus-per-task={cpus}"]
    if site.whole_nodes:
        options.append("--exclusive")
    megabytes = int(site.worker_gb * 1e9 / 2**20)  # SLURM's M is a MiB
    if site.ask_memory == "node":
        options.append(f"--mem={megabytes * on_a_node}M")
    elif site.ask_memory == "cpu":
        options.append(f"--mem-per-cpu={megabytes // cores}M")
    return cpus, options


def _refuse(job: Job) -> None:
    site = job.site
    if site.batch_system != "slurm":
        raise ConfigError(
            f"{site.title or site.name} has {site.batch_system.upper()}, not SLURM",
            fix=f"start from jobs/{site.name}.pbs: parts of a run without any cluster, then merge",
        )
    if site.account_needed and not site.account:
        raise ConfigError(
            f"{site.title or site.name} wants an account for every job",
            fix="--account PROJECT, or the key account of your site profile",
        )


def directive_path(path: Path) -> str:
    """Return a path as sbatch wants it in a directive, where only double quotes help.

    Raises
    ------
    ConfigError
        If its name cannot be written there at all.
    """
    text = str(path).replace("%", "%%")
    if '"' in text or "\n" in text:
        raise ConfigError(
            "SLURM cannot write logs into a folder of that name",
            where=str(path),
            fix="choose another --out",
        )
    return f'"{text}"' if re.search(r"\s", text) else text
