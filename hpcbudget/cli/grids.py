"""Commands for space: regions, weights, regridding."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hpcbudget.cli.app import AsJson, SiteName, Workers, app
from hpcbudget.cli.display import print_table, tell
from hpcbudget.errors import ConfigError

if TYPE_CHECKING:
    from hpcbudget.space.weight_cache import Backend as BackendName

regions_app = typer.Typer(help="Region sets: list, show and draw them.", no_args_is_help=True)
app.add_typer(regions_app, name="regions")

SetName = Annotated[str, typer.Argument(metavar="SET", help="A shipped set, such as kondo9.")]
GridText = Annotated[
    str, typer.Argument(metavar="GRID", help="1, 1x1.25, n80, a store or a grid file.")
]
Method = Annotated[
    Literal["conservative", "conservative_normed", "bilinear", "nearest_s2d"],
    typer.Option(help="bilinear and nearest_s2d, for pictures, need the backend xesmf."),
]
Backend = Annotated[
    Literal["native", "xesmf"], typer.Option(help="Our own polygons and boxes, or ESMF.")
]

Cluster = Annotated[
    Literal["local", "slurm"],
    typer.Option(help="Who makes great-circle weights: threads here, or SLURM jobs."),
]


@regions_app.command("list")
def regions_list() -> None:
    """Print the region sets that are shipped."""
    from hpcbudget.space.regions import shipped_region_sets

    print_table("region sets", ("name", "what"), shipped_region_sets().items())


@regions_app.command("show")
def regions_show(name: SetName, as_json: AsJson = False) -> None:
    """Print the regions of a set and their areas.

    Example: hpcbudget regions show reccap2
    """
    from hpcbudget.space.picture import region_areas
    from hpcbudget.space.regions import load_region_set

    areas = region_areas(load_region_set(name))
    if as_json:
        print(json.dumps(areas, indent=1))
        return
    rows = [(region, f"{area / 1e12:.3f}") for region, area in areas.items()]
    print_table(name, ("region", "10^6 km2"), rows)


@regions_app.command("plot")
def regions_plot(
    name: SetName,
    out: Annotated[Path, typer.Option("--out", help="PNG or PDF.")] = Path("regions.png"),
) -> None:
    """Draw a region set.

    Example: hpcbudget regions plot kondo9 --out kondo9.png
    """
    from hpcbudget.space.picture import draw_regions
    from hpcbudget.space.regions import load_region_set

    figure = draw_regions(load_region_set(name))
    if out.suffix.lstrip(".") not in figure.canvas.get_supported_filetypes():
        raise ConfigError(f"cannot draw into {out}", fix="--out NAME.png, .pdf or .svg")
    figure.savefig(out, dpi=150)
    print(out)


@app.command()
def weights(
    source: GridText,
    destination: GridText,
    out: Annotated[Path, typer.Option("--out", "-o", help="Weight file to write (netCDF).")],
    method: Method = "conservative",
    backend: Backend = "native",
    edges: Annotated[
        Literal["parallels", "great_circles"] | None,
        typer.Option(help="Edges of boxes; ESMF takes great circles. Default: parallels."),
    ] = None,
    workers: Workers = None,
    cluster: Cluster = "local",
    site: SiteName = None,
) -> None:
    """Write conservative weights between two grids as an ESMF weight file.

    Example: hpcbudget weights 0.25 1 -o quarter_to_one.nc
    """
    from hpcbudget.space.grid import Grid
    from hpcbudget.space.weight_cache import cached_weights
    from hpcbudget.space.weight_files import write_weights

    if backend == "xesmf" and edges == "parallels":
        raise ConfigError(
            "ESMF has no weights along parallels",
            fix="leave out --edges, or use --backend native",
        )
    grids = Grid.parse(source), Grid.parse(destination)
    who = _who(backend, cluster, workers, site, out)
    made = cached_weights(*grids, method=method, edges=edges, **who)
    write_weights(made, out)
    print(f"{out}: edges {made.edges}, areas differ from boxes by {made.area_mismatch:.1e}")


@app.command()
def regrid(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="NetCDF file or zarr store.")],
    to: Annotated[str, typer.Option("--to", help="1, 1x1.25, n80, a store or a grid file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Zarr store to write.")],
    preserve: Annotated[
        Literal["integral", "mean"],
        typer.Option(help="integral keeps totals, mean keeps constants; no default."),
    ],
    variable: Annotated[
        list[str] | None,
        typer.Option("--variable", help="May be repeated; default: all on a grid."),
    ] = None,
    min_valid: Annotated[
        float, typer.Option(min=0, max=1, help="Least valid share of a cell that has a value.")
    ] = 0.0,
    weight_file: Annotated[
        Path | None, typer.Option("--weights", help="Weight file onto that grid, ours or ESMF's.")
    ] = None,
    dtype: Annotated[
        Literal["float64", "float32"], typer.Option(help="float32 keeps totals to 1e-7 only.")
    ] = "float64",
    backend: Backend = "native",
    workers: Workers = None,
    cluster: Cluster = "local",
    site: SiteName = None,
    as_json: AsJson = False,
) -> None:
    """Regrid a store conservatively, as it streams; run again after a kill to go on.

    Example: hpcbudget regrid flux.nc --to 1 -o flux_1.zarr --preserve integral
    """
    from dataclasses import asdict

    from hpcbudget.space.grid import Grid
    from hpcbudget.space.regrid import regrid_store
    from hpcbudget.space.weight_cache import cached_weights
    from hpcbudget.space.weight_files import read_weights

    if weight_file is not None and backend != "native":
        raise ConfigError(
            "weights of a file are made already", fix="leave out --backend, or --weights"
        )
    grid = Grid.parse(to)
    made = regrid_store(
        store,
        grid
        if weight_file is None
        else read_weights(weight_file, source=Grid.parse(str(store)), destination=grid),
        out,
        preserve=preserve,
        min_valid=min_valid,
        variables=variable,
        dtype=dtype,
        weigh=partial(cached_weights, **_who(backend, cluster, workers, site, out)),
    )
    if as_json:
        print(json.dumps({"out": str(out), "variables": [asdict(one) for one in made]}, indent=1))
        return
    rows = [
        (one.name, one.source, one.destination, str(one.steps), f"{one.total_change:.1e}",
         f"{one.missing:.1%}")
        for one in made
    ]  # fmt: skip
    head = ("variable", "from", "to", "steps", "change of total", "missing")
    print_table(str(out), head, rows)


def _who(
    backend: BackendName,
    cluster: Literal["local", "slurm"],
    workers: int | None,
    site: str | None,
    out: Path,
) -> dict[str, Any]:
    """Return what tells `cached_weights` who makes weights that it has not got."""
    from hpcbudget.engine.cluster import default_workers, on_workers

    if cluster == "local" or backend == "xesmf":
        return {"backend": backend, "threads": workers or default_workers()}
    from hpcbudget.engine.slurm.jobqueue import Workers as Jobs
    from hpcbudget.engine.slurm.jobqueue import slurm_client
    from hpcbudget.engine.slurm.sites import load_site
    from hpcbudget.engine.slurm.walltime import Walltime

    profile = load_site(site or "generic")
    folder = out.absolute().with_name(f"{out.name}.workers")
    jobs = Jobs(profile, workers or profile.node_workers)
    clock = Walltime.of_job(profile.stop_seconds)
    return {
        "mapper": on_workers(
            partial(slurm_client, workers=jobs, out=folder, clock=clock, tell=tell)
        )
    }
