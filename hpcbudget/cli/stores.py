"""Commands for files: propose a configuration, lay stores out, find what they have lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hpcbudget.cli.app import AsJson, Workers, app
from hpcbudget.cli.display import tell
from hpcbudget.errors import MissingChunkError, Problems

Group = Annotated[str | None, typer.Option("--group", help="Group within the files.")]


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the files are.")],
    out: Annotated[Path, typer.Option("--out", help="Configuration to write.")] = Path(
        "hpcbudget.yaml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Look at a folder of files and write a commented configuration for them.

    Example: hpcbudget init /data/fluxes --out analysis.yaml
    """
    from hpcbudget.inputs.init import init as propose

    proposal = propose(folder, out, force=force)
    print(f"wrote {proposal.config}")
    for found in proposal.survey.candidates:
        components = ", ".join(found.components) or "a flux of what?"
        preset = f" (preset {found.preset})" if found.preset else ""
        print(f"  {found.family} {found.name}: {components}{preset}")
    for problem in proposal.survey.problems:
        print(f"to settle: {problem}")
    print(f"next: hpcbudget check {out}")


@app.command()
def ingest(
    sources: Annotated[list[str], typer.Argument(metavar="SRC... DST.zarr")],
    variable: Annotated[
        list[str] | None, typer.Option("--variable", help="Only these (may be repeated).")
    ] = None,
    group: Group = None,
    workers: Workers = None,
) -> None:
    """Write files as zarr laid out for streaming, bit for bit, and check them on the way.

    Example: hpcbudget ingest nbp_*.nc nbp.zarr
    """
    from hpcbudget.engine.cluster import default_workers
    from hpcbudget.inputs.ingest import ingest as ingest_files

    if len(sources) < 2:
        raise typer.BadParameter("give at least one source and the target store")

    def show(done: int, total: int) -> None:
        tell(f"{done / 1e9:.3f} of {total / 1e9:.3f} GB copied")

    report = ingest_files(
        sources[:-1],
        Path(sources[-1]),
        variables=tuple(variable or ()),
        group=group,
        progress=show,
        workers=workers or default_workers(),
    )
    for note in report.notes:
        print(f"note: {note}")
    print(
        f"{report.target}: {', '.join(report.variables)}, {report.n_steps} steps, "
        f"{report.read_bytes / 1e9:.3f} GB read, {report.stored_bytes / 1e9:.3f} GB stored, "
        f"{report.resumed_shards} shards kept from an earlier run"
    )


@app.command()
def verify(
    store: Annotated[str, typer.Argument(metavar="STORE", help="zarr store or netCDF file.")],
    group: Group = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Read every chunk and name those that are missing, truncated or corrupt.

    Example: hpcbudget verify nbp.zarr
    """
    from hpcbudget.engine.cluster import default_workers
    from hpcbudget.inputs.verify import verify as verify_store

    found = verify_store(store, group=group, workers=workers or default_workers())
    defects = [str(defect) for defect in found.defects]
    if as_json:
        print(json.dumps({"ok": found.ok, "objects": found.objects, "defects": defects}, indent=1))
        raise typer.Exit(0 if found.ok else 3)
    if not found.ok:
        raise Problems(
            [
                MissingChunkError(
                    defect, where=store, why="it would be lost or wrong in every total"
                )
                for defect in defects
            ]
        )
    print(f"{store}: {found.objects} stored objects, {found.read_bytes / 1e9:.3f} GB: all whole")
