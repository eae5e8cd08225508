"""The command that measures this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpcbudget.cli.app import Workers, app
from hpcbudget.cli.display import tell


@app.command()
def bench(
    which: Annotated[str | None, typer.Argument(metavar="[kernels|read|run|regrid|scale]")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Append the rows as JSON lines.")
    ] = None,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="FILE", help="An earlier --json file.")
    ] = None,
    shape: Annotated[
        str,
        typer.Option("--shape", help="A named problem, or rows x columns x steps: 360x720x120."),
    ] = "Monthly025x36zones",
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", help="Where stores are written and kept: the disk to be measured."
        ),
    ] = None,
    workers: Workers = None,
) -> None:
    """Measure throughput beside this machine's own limits, and beside other tools.

    Example: hpcbudget bench read --folder /scratch/me/bench --json bench.jsonl
    """
    from hpcbudget import bench as benches

    rows = benches.run(which, shape=shape, folder=folder, workers=workers, tell=tell)
    if compare is not None:
        rows = benches.compare(rows, benches.load(compare))
    print(benches.table(rows))
    if json_file is not None:
        benches.save(rows, json_file)
