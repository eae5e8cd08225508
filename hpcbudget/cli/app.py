"""The application, the options that commands share, and how errors become exit statuses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from hpcbudget._version import __version__
from hpcbudget.errors import HpcBudgetError, status_of

ORDER = (
    "demo", "init", "check", "plan", "run", "status", "merge", "report", "submit", "site",
    "ingest", "verify", "regions", "weights", "regrid", "bench", "config",
)  # fmt: skip


class InOrder(TyperGroup):
    """Lists the commands in the order in which a newcomer needs them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands for ``--help``."""
        return sorted(super().list_commands(ctx), key=ORDER.index)


app = typer.Typer(
    name="hpcbudget",
    cls=InOrder,
    help="Ensembles of gridded CO2 fluxes in, a reconciled carbon budget that closes out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML configuration.")]
OutPath = Annotated[Path, typer.Option("--out", help="Output directory.")]
OutArgument = Annotated[Path, typer.Argument(metavar="OUT", help="Output directory of a run.")]
DataPath = Annotated[
    Path | None,
    typer.Option("--data", help="Root of relative paths (or $HPCBUDGET_DATA)."),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Workers; default: the cores there are.")
]
SiteName = Annotated[
    str | None, typer.Option("--site", metavar="NAME", help="Site profile, or a YAML of yours.")
]
Account = Annotated[str | None, typer.Option("--account", help="Who pays; wins over the site's.")]
Partition = Annotated[str | None, typer.Option("--partition", help="Wins over the site's.")]
TimeLimit = Annotated[
    str | None, typer.Option("--time", metavar="HH:MM:SS", help="Walltime of a job.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the job script, submit nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


Cluster = Literal["local", "slurm", "allocation"]
"""Where the workers of a run come from: this machine, jobs of their own, or the job we are in."""
Mode = Literal["allocation", "array"]
"""How a run is submitted."""


def main() -> None:
    """Run the command line and end with its exit status."""
    debug = "--debug" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        app(arguments, standalone_mode=True)
    except HpcBudgetError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(status_of(error)) from None
    except KeyboardInterrupt:
        print("interrupted; finished blocks are kept, run again to go on", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        if debug:
            raise
        print(
            f"error: {type(error).__name__}: {error}\n"
            "  why:   this was not foreseen: a defect of hpcbudget\n"
            "  fix:   please report it with what --debug prints",
            file=sys.stderr,
        )
        raise SystemExit(1) from None


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Ensembles of gridded CO2 fluxes in, a reconciled carbon budget that closes out."""
    if version:
        print(f"hpcbudget {__version__}")
        raise typer.Exit
