"""Commands for supercomputers: submit a run, list and check sites."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hpcbudget.cli.app import (
    Account,
    AsJson,
    ConfigPath,
    DataPath,
    DryRun,
    Mode,
    OutPath,
    Partition,
    TimeLimit,
    Workers,
    app,
)
from hpcbudget.cli.display import print_table, tell
from hpcbudget.errors import ConfigError

sites_app = typer.Typer(help="Site profiles of supercomputers.", no_args_is_help=True)
app.add_typer(sites_app, name="site")


@app.command()
def submit(
    config: ConfigPath,
    site: Annotated[str, typer.Option("--site", metavar="NAME", help="Site profile.")],
    out: OutPath = Path("out"),
    data: DataPath = None,
    mode: Annotated[
        Mode, typer.Option("--mode", help="One job with workers, or an array of parts.")
    ] = "allocation",
    workers: Workers = None,
    account: Account = None,
    partition: Partition = None,
    time: TimeLimit = None,
    only: Annotated[
        str | None, typer.Option(metavar="I,J", help="Elements of the array to submit again.")
    ] = None,
    with_report: Annotated[
        bool, typer.Option("--report/--no-report", help="Draw figures and the page, too.")
    ] = True,
    dry_run: DryRun = False,
) -> None:
    """Write, print and submit the job of a run; it goes on by itself until the run is done.

    Example: hpcbudget submit analysis.yaml --site levante --account ab0123 --out /scratch/run1
    """
    from tempfile import TemporaryDirectory

    from hpcbudget.config import load_config
    from hpcbudget.engine.slurm.sites import load_site
    from hpcbudget.engine.slurm.submit import prepare_submission, require_memory
    from hpcbudget.engine.slurm.submit import submit as submit_jobs
    from hpcbudget.workflow import prepare

    loaded = load_config(config, data=data)
    profile = load_site(site, account=account, partition=partition, walltime=time)
    chosen = _parse_only(only)
    submission = prepare_submission(
        loaded,
        out,
        profile,
        mode=mode,
        workers=workers,
        only=chosen,
        with_report=with_report,
    )
    for script in submission.scripts.values():
        print(script)
    with TemporaryDirectory() as nowhere:  # found wrong here, it need not wait in the queue first
        _, planned = prepare(loaded, Path(nowhere))
    require_memory(planned, profile)
    tell(
        f"{len(planned.blocks)} blocks, {planned.read_bytes / 1e9:.1f} GB to read, "
        f"about {planned.output_files} files to write"
    )
    if not profile.tested:
        tell(f"note: profile {profile.name} is written from documentation ({profile.source})")
    if dry_run:
        tell("nothing was submitted")
        return
    for kind, number in submit_jobs(loaded, submission).items():
        print(f"submitted {kind} job {number}")
    tell(f"'hpcbudget status {out} --watch' shows it; logs are in {out / 'slurm'}")


@sites_app.command("list")
def site_list() -> None:
    """Print the site profiles that are shipped."""
    from hpcbudget.engine.slurm.sites import load_site, site_names

    profiles = [load_site(name) for name in site_names()]
    rows = [
        (s.name, s.title, f"{s.cores_per_node}", f"{s.memory_per_node_gb:g}", _yes(s.tested))
        for s in profiles
    ]
    print_table("site profiles", ("name", "what", "cores", "GB", "tested"), rows)


@sites_app.command("check")
def site_check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Site profile.")],
    account: Account = None,
    partition: Partition = None,
    time: TimeLimit = None,
    job: Annotated[bool, typer.Option("--job/--no-job", help="Try a job on a node.")] = True,
    as_json: AsJson = False,
) -> None:
    """Verify a site profile: SLURM, partition, limits, network, scratch, Python on the nodes.

    Example: hpcbudget site check levante --account ab0123
    """
    from hpcbudget.engine.slurm.sitecheck import check_site
    from hpcbudget.engine.slurm.sites import load_site
    from hpcbudget.errors import ClusterError

    profile = load_site(name, account=account, partition=partition, walltime=time)
    findings = check_site(profile, try_job=job)
    if as_json:
        print(json.dumps([f.as_dict() for f in findings], indent=1))
    else:
        rows = [(f.verdict, f.what, f.detail) for f in findings]
        print_table(profile.title or profile.name, ("", "checked", "found"), rows)
    bad = [f.what for f in findings if f.verdict == "wrong"]
    if bad:
        raise ClusterError(
            f"the site profile does not fit: {', '.join(bad)}",
            where=name,
            fix="correct these keys in a profile of your own (extends: " + profile.name + ")",
        )


def _parse_only(text: str | None) -> tuple[int, ...]:
    numbers = (text or "").split(",") if text else []
    if not all(number.strip().isdigit() for number in numbers):
        raise ConfigError(f"--only {text!r} is not a list of numbers", fix="for example --only 3,7")
    return tuple(int(number) for number in numbers)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
