"""The budget in a notebook: fields in xarray objects in, regional fluxes and tables out.

``integrate`` turns a field into regional fluxes with the same zones and kernels as a run;
``ensemble`` puts members side by side in the layout that all of `hpcbudget.science` works on
(``adjust``, ``science_tables``, ``closure_account`` among them); ``reconcile`` compares two sides
in one call.  Importing this module registers the accessor ``DataArray.hpcbudget``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hpcbudget.engine.domain import Domain, Integrator
from hpcbudget.errors import FluxDefinitionError, GridError, InputError
from hpcbudget.inputs.flux import define_flux
from hpcbudget.inputs.steps import axis_of_dates
from hpcbudget.inputs.times import TimeAxis
from hpcbudget.options import (
    AreaBasis,
    FluxOptions,
    GridOptions,
    RegionSetOptions,
    Sign,
    Species,
    StatisticsOptions,
    TimeOptions,
)
from hpcbudget.science.adjust import adjust
from hpcbudget.science.annual import Periods, decades
from hpcbudget.science.closure import closure_account
from hpcbudget.science.members import ensemble
from hpcbudget.science.reconcile import reconciliation
from hpcbudget.science.results import science_tables
from hpcbudget.space.grid import EARTH_RADIUS_M, Grid
from hpcbudget.space.regions import RegionSet, load_region_set
from hpcbudget.space.zones import Zones

__all__ = [
    "FluxAccessor",
    "adjust",
    "closure_account",
    "ensemble",
    "integrate",
    "reconcile",
    "science_tables",
]

KG_PER_PG = 1e12

Regions = str | RegionSet | RegionSetOptions
Float = npt.NDArray[np.float64]


def integrate(
    field: xr.DataArray,
    regions: Regions | Sequence[Regions] = "gcb_bands",
    *,
    sign: Sign | None = None,
    species: Species | None = None,
    area_basis: AreaBasis | None = None,
    units: str | None = None,
    cell_area: xr.DataArray | None = None,
    fraction: xr.DataArray | None = None,
    grid: Grid | GridOptions | None = None,
    time: TimeOptions | None = None,
    years: tuple[int, int] | None = None,
    overlap: Literal["fractional", "centre"] = "fractional",
    radius_m: float = EARTH_RADIUS_M,
) -> xr.Dataset:
    """Integrate a flux field over regions.

    A field on dask chunks stays lazy: nothing is read before the result is computed, and then
    each chunk of time once, whatever the number of regions.

    Parameters
    ----------
    field : xarray.DataArray
        A flux on any grid with CF coordinates; further dimensions (time, member) are kept.
    regions : str, RegionSet, RegionSetOptions, or a sequence of them
        Shipped sets by name, or your own.
    sign, species, area_basis, units : optional
        What the numbers mean, where the attributes of `field` do not say it (see
        `hpcbudget.inputs.flux`); a contradiction is an error.
    cell_area : xarray.DataArray, optional
        m2 on the grid of `field`; by default the cells' exact area on the sphere.
    fraction : xarray.DataArray, optional
        Part of each cell (0 to 1) that the flux stands for: needed where it is per m2 of land or
        sea.
    grid : Grid or GridOptions, optional
        Where the coordinates do not tell the cells.
    time : TimeOptions, optional
        Facts about the time axis that its stamps do not tell.
    years : (int, int), optional
        For a field without time: the years it is the mean of, both included.
    overlap : {"fractional", "centre"}
        Split cells that region edges cut, or give them whole to the region of their centre.
    radius_m : float
        Of the sphere.

    Returns
    -------
    xarray.Dataset
        ``flux_pgc_yr`` (Pg C/yr, positive to the atmosphere; NaN where a region has no valid
        cell), ``valid_area_m2``, ``missing_area_m2`` with the dimension ``region`` (id; "Globe"
        first) in place of the spatial ones; coordinates ``region_set`` and, along time,
        ``month_seconds`` and ``step_seconds``.

    Raises
    ------
    HpcBudgetError
        Whatever is unknown about flux, grid, time or regions.

    Examples
    --------
    >>> field = xr.DataArray(
    ...     np.full((18, 36), 1e-9),
    ...     {"lat": np.arange(-85, 90, 10.0), "lon": np.arange(-175, 180, 10.0)},
    ...     attrs={"units": "kg m-2 s-1"},
    ... )
    >>> totals = integrate(field, sign="to_atmosphere", species="C", area_basis="cell",
    ...                    years=(2001, 2001))
    >>> totals["flux_pgc_yr"].sel(region=["Globe", "North"]).values.round(3).tolist()
    [16.085, 4.021]
    """
    where = str(field.name or "field")
    options = FluxOptions(sign=sign, species=species, area_basis=area_basis, units=units)
    flux = define_flux([options], field.attrs, where)
    grid = grid if isinstance(grid, Grid) else _grid_of(field, grid)
    axis, time_dim = _time_axis(field, grid, time, years, where)
    chosen = [regions] if isinstance(regions, str | RegionSet | RegionSetOptions) else regions
    sets = [r if isinstance(r, RegionSet) else load_region_set(r) for r in chosen]
    zones = Zones.build(grid, sets, overlap)
    area_m2 = _on_grid(cell_area, field, grid) if cell_area is not None else grid.area_m2(radius_m)
    if flux.area_basis in ("land", "ocean", "sea_ice_free"):
        if fraction is None:
            raise FluxDefinitionError(
                f"the flux is per m2 of {flux.area_basis}, but the fraction of it is not given",
                where=where,
                why="cells with part land and part sea would count in full",
                fix="give fraction=..., such as sftlf / 100",
            )
        area_m2 = area_m2 * _on_grid(fraction, field, grid)
    weight = {
        "per_cell": lambda: np.ones(grid.size),
        "zonal_per_degree": grid.lat_width_deg,
    }.get(flux.area_basis, lambda: area_m2)()
    integrator = Integrator(Domain.build(zones, weight, area_m2, grid.row_length))
    sums, valid, missing = _apply(field, grid, integrator, len(zones.regions))
    to_pg = flux.kg_c_s(axis) * axis.year_seconds / KG_PER_PG
    scale: Any = xr.DataArray(to_pg, dims=time_dim) if time_dim is not None else float(to_pg[0])
    result = xr.Dataset(
        {"flux_pgc_yr": sums * scale, "valid_area_m2": valid, "missing_area_m2": missing},
        coords={"region": list(zones.regions), "region_set": ("region", _set_of(zones))},
        attrs={"sign": "positive to the atmosphere", "overlap": overlap, "radius_m": radius_m,
               "resolution": axis.resolution, "history": "\n".join(flux.steps())},
    )  # fmt: skip
    result["flux_pgc_yr"].attrs = {"units": "Pg C yr-1", "long_name": "flux to the atmosphere"}
    if time_dim is None:
        return result
    return result.assign_coords(
        month_seconds=(time_dim, axis.month_seconds),
        step_seconds=(time_dim, axis.seconds),
        month_number=(time_dim, axis.first_month),
    ).rename({time_dim: "time"} if time_dim != "time" else {})


def reconcile(
    top_down: Mapping[str, xr.Dataset],
    bottom_up: Mapping[str, xr.Dataset],
    *,
    component: str = "land",
    periods: Periods | None = None,
    options: StatisticsOptions | None = None,
) -> pd.DataFrame:
    """Compare two sets of estimates of one component, region by region.

    Parameters
    ----------
    top_down, bottom_up : mapping of str to xarray.Dataset
        Member -> result of `integrate`, all over the same regions and on one flux definition.
    component : str
        What the members estimate.
    periods : mapping of str to (int, int), optional
        By default the decades that a member covers, else all complete years.
    options : StatisticsOptions, optional
        Rules of agreement and verdict, ddof, span.

    Returns
    -------
    pandas.DataFrame
        See `hpcbudget.science.reconcile.reconciliation`.
    """
    sides = {"top_down": top_down, "bottom_up": bottom_up}
    fluxes = ensemble(
        {
            (side, member, component): result
            for side, members in sides.items()
            for member, result in members.items()
        }
    )
    rules = (options or StatisticsOptions()).model_copy(
        update={"top_down": ("top_down",), "bottom_up": {component: ("bottom_up",)}}
    )
    return reconciliation(fluxes, periods or decades(fluxes), rules)


_register: Any = xr.register_dataarray_accessor


@_register("hpcbudget")
class FluxAccessor:
    """Budget methods of a field: ``field.hpcbudget.integrate("gcb_bands", sign=...)``."""

    def __init__(self, field: xr.DataArray) -> None:
        self._field = field

    @property
    def grid(self) -> Grid:
        """Cells of the field, from its coordinates."""
        return _grid_of(self._field, None)

    def integrate(
        self, regions: Regions | Sequence[Regions] = "gcb_bands", **keywords: Any
    ) -> xr.Dataset:
        """Integrate the field over regions; see `hpcbudget.api.integrate`."""
        return integrate(self._field, regions, **keywords)


def _apply(
    field: xr.DataArray, grid: Grid, integrator: Integrator, n_regions: int
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Integrate over the grid's dimensions, chunk by chunk of the others if lazy."""

    def kernel(values: npt.NDArray[Any]) -> tuple[Float, Float, Float]:
        leading = values.shape[: values.ndim - len(grid.shape)]
        wide = values.dtype if values.dtype in (np.float32, np.float64) else np.float64
        flat = values.reshape(-1, grid.size).astype(wide, copy=False)
        sums, valid, missing, _ = integrator(flat)
        shape = (*leading, n_regions)
        return sums.reshape(shape), valid.reshape(shape), missing.reshape(shape)

    if field.chunks is not None:
        field = field.chunk(dict.fromkeys(grid.dims, -1))  # a cell's zone lies anywhere
    results = xr.apply_ufunc(
        kernel,
        field,
        input_core_dims=[list(grid.dims)],
        output_core_dims=[["region"]] * 3,
        dask="parallelized",
        output_dtypes=[np.float64] * 3,
        dask_gufunc_kwargs={"output_sizes": {"region": n_regions}},
    )
    sums, valid, missing = results
    return sums, valid, missing


def _grid_of(field: xr.DataArray, options: GridOptions | None) -> Grid:
    name = str(field.name or "field")
    return Grid.from_dataset(field.to_dataset(name=name), name, options)


def _on_grid(other: xr.DataArray, field: xr.DataArray, grid: Grid) -> Float:
    """Values of a static field (cell,) in the order of the grid's cells."""
    if not set(grid.dims) == set(map(str, other.dims)):
        raise GridError(
            f"dimensions {', '.join(map(str, other.dims))} are not {', '.join(grid.dims)}",
            where=str(other.name or "static field"),
            fix="put it on the grid of the flux",
        )
    try:
        xr.align(field.isel({d: 0 for d in field.dims if d not in grid.dims}, drop=True), other,
                 join="exact")  # fmt: skip
    except ValueError as error:
        raise GridError(
            f"its coordinates are not those of the flux: {error}",
            where=str(other.name or "static field"),
        ) from None
    values = other.transpose(*grid.dims).values.astype(np.float64).ravel()
    return np.where(np.isfinite(values), values, 0.0)


def _time_axis(
    field: xr.DataArray,
    grid: Grid,
    options: TimeOptions | None,
    years: tuple[int, int] | None,
    where: str,
) -> tuple[TimeAxis, str | None]:
    """Calendar months and lengths of the steps, and the dimension they run along."""
    found = [
        str(d)
        for d in field.dims
        if d not in grid.dims and (d == "time" or _is_time(field.coords.get(d)))
    ]
    if not found:
        if years is None:
            raise InputError(
                "the field has no time, so the length of its year is unknown",
                where=where,
                fix="say years=(first, last) that it is the mean of",
            )
        return TimeAxis.of_period(years, "standard"), None
    time = field[found[0]]
    if options is not None and options.start is not None:
        calendar = options.calendar or "standard"
        return TimeAxis.regular(options.start, time.size, options, calendar, where), found[0]
    if not _is_time(time):
        raise InputError(
            "the time coordinate holds no dates",
            where=where,
            fix="open the file with decode_times=True, or say time=TimeOptions(start='1990-01')",
        )
    index = time.to_index()
    dates = index if isinstance(index, xr.CFTimeIndex) else _as_cftime(index)
    calendar = str(time.dt.calendar)
    calendar = "standard" if calendar == "proleptic_gregorian" else calendar
    axis = axis_of_dates(list(dates), None, options or TimeOptions(), calendar, where)
    if axis.carried_seconds is not None:
        raise InputError(
            "steps of several days lie in two months",
            where=where,
            fix="average the field over days or months first, or give its files to a run",
        )
    return axis, found[0]


def _is_time(coordinate: xr.DataArray | None) -> bool:
    if coordinate is None:
        return False
    return coordinate.dtype.kind == "M" or isinstance(
        coordinate.to_index() if coordinate.ndim == 1 else None, xr.CFTimeIndex
    )


def _as_cftime(index: pd.Index) -> list[Any]:
    import cftime

    return [
        cftime.datetime(d.year, d.month, d.day, d.hour, d.minute, d.second, calendar="standard")
        for d in pd.DatetimeIndex(index)
    ]


def _set_of(zones: Zones) -> list[str]:
    named = {region: name for name, ids in zones.region_sets.items() for region in ids}
    return [named.get(region, "") for region in zones.regions]
