"""The net flux of a member: land plus ocean, never fossil emissions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr

LAND, OCEAN, TOTAL = "land", "ocean", "total"

GLOBE = "Globe"
"""Id of the region that holds all others."""

_FINEST_FIRST = ("month", "year", "period")


def with_totals(fluxes: xr.Dataset) -> xr.Dataset:
    """Add a series ``total`` = land + ocean for each member that has both.

    Calling it twice changes nothing.  The area with data is that of both components together
    and never more than the region: two masks that complement each other cover it once, two
    fields that both cover it (zero outside their realm) cover it once too.

    Parameters
    ----------
    fluxes : xarray.Dataset
        The fluxes of a run: dimensions ``series``, ``region``, ``time``.

    Returns
    -------
    xarray.Dataset
        The same, with the new series behind the others; NaN where a part is unknown, or where
        neither reaches.

    Examples
    --------
    >>> fluxes = xr.Dataset(
    ...     {"flux_pgc_yr": (("series", "region", "time"), [[[-1.5]], [[-2.0]]])},
    ...     coords={
    ...         "family": ("series", ["inversion"] * 2), "model": ("series", ["A"] * 2),
    ...         "member": ("series", ["A"] * 2), "component": ("series", ["land", "ocean"]),
    ...         "resolution": ("series", ["month"] * 2),
    ...     },
    ... )
    >>> with_totals(fluxes)["flux_pgc_yr"].values.ravel().tolist()
    [-1.5, -2.0, -3.5]
    """
    where = {
        key: position
        for position, key in enumerate(
            zip(
                *(
                    fluxes[c].values.astype(str).tolist()
                    for c in ("family", "model", "member", "component")
                ),
                strict=True,
            )
        )
    }
    pairs = [
        (position, where[*member, OCEAN])
        for (*member, component), position in where.items()
        if component == LAND and (*member, OCEAN) in where and (*member, TOTAL) not in where
    ]
    if not pairs:
        return fluxes
    dims = ("series", "region", "time")
    land = fluxes.isel(series=[a for a, _ in pairs])
    ocean = fluxes.isel(series=[b for _, b in pairs])
    total = land.assign(flux_pgc_yr=(dims, np.sum(parts_of_total(land, ocean), axis=0)))
    total = total.assign_coords(
        component=("series", np.full(len(pairs), TOTAL)),
        resolution=("series", _coarser(land, ocean)),
    )
    if "series" in fluxes.coords:  # labels of the dimension itself, if the caller keeps any
        labels = ["/".join(map(str, (f, d, m, TOTAL))) for f, d, m in _names(land)]
        total = total.assign_coords(series=labels)
    if {"valid_area_m2", "missing_area_m2"} <= set(fluxes.data_vars):
        total = total.assign(_areas(land, ocean))
    return xr.concat([fluxes, total], dim="series", data_vars="minimal", coords="minimal",
                     compat="override", join="outer", combine_attrs="override")  # fmt: skip


def parts_of_total(land: xr.Dataset, ocean: xr.Dataset) -> np.ndarray:
    """Return the two parts of totals, zero where only the other one reaches.

    A component does not reach into a region if it has no valid cell there although it is known
    for the globe in that month: an inland region has no ocean. Without areas nothing is known
    of that.

    Parameters
    ----------
    land, ocean : xarray.Dataset
        ``flux_pgc_yr`` and, if known, ``valid_area_m2`` (series, region, time) of the same
        members in the same order.

    Returns
    -------
    ndarray, shape (2, series, region, time)
        NaN where a part is unknown, or where neither reaches.
    """
    parts = np.stack([_zero_beyond_reach(part) for part in (land, ocean)])
    dims = ("series", "region", "time")
    given = [part["flux_pgc_yr"].transpose(*dims).values for part in (land, ocean)]
    return np.where(np.isnan(given).all(axis=0), np.nan, parts)


def within_reach(fluxes: xr.Dataset, first: tuple[str, str], second: tuple[str, str]) -> xr.Dataset:
    """Return the series of two ensembles that are added, zero where only the other one reaches.

    What `parts_of_total` does for the two components of a member, for those of different members:
    land models say nothing of a region in mid-ocean, and their flux there is zero.

    Parameters
    ----------
    fluxes : xarray.Dataset
        Monthly fluxes of a run.
    first, second : (str, str)
        Family and component of the ensembles.

    Returns
    -------
    xarray.Dataset
        Their series alone; NaN where a series has lost values, or where neither ensemble reaches.
    """
    families, components = (fluxes[c].values.astype(str) for c in ("family", "component"))
    parts = [
        fluxes.isel(series=np.flatnonzero((families == family) & (components == component)))
        for family, component in (first, second)
    ]
    dims = ("series", "region", "time")
    given = [part["flux_pgc_yr"].transpose(*dims).values for part in parts]
    reached = [np.isfinite(values).any(axis=0) for values in given]
    filled = [
        part.assign(flux_pgc_yr=(dims, np.where(other, _zero_beyond_reach(part), values)))
        for part, values, other in zip(parts, given, reversed(reached), strict=True)
    ]
    return xr.concat(filled, dim="series", data_vars="minimal", coords="minimal",
                     compat="override", join="override", combine_attrs="override")  # fmt: skip


def coarsest(resolutions: Iterable[str]) -> str:
    """Return the resolution of a sum: its months are as independent as the coarsest part's.

    Examples
    --------
    >>> coarsest(["month", "year"])
    'year'
    """
    return max(resolutions, key=_FINEST_FIRST.index)


def _zero_beyond_reach(component: xr.Dataset) -> np.ndarray:
    dims = ("series", "region", "time")
    flux = component["flux_pgc_yr"].transpose(*dims).values
    regions = component["region"].values.tolist() if "region" in component.coords else []
    if "valid_area_m2" not in component or GLOBE not in regions:
        return np.asarray(flux)
    area = component["valid_area_m2"].transpose(*dims).values
    alive = np.isfinite(flux[:, [regions.index(GLOBE)]])
    return np.where(np.isnan(flux) & (area == 0) & alive, 0.0, flux)


def _names(series: xr.Dataset) -> list[tuple[str, ...]]:
    columns = (series[c].values.astype(str).tolist() for c in ("family", "model", "member"))
    return list(zip(*columns, strict=True))


def _coarser(land: xr.Dataset, ocean: xr.Dataset) -> list[str]:
    both = zip(land["resolution"].values.tolist(), ocean["resolution"].values.tolist(), strict=True)
    return [coarsest(pair) for pair in both]


def _areas(land: xr.Dataset, ocean: xr.Dataset) -> dict[str, xr.DataArray]:
    valid = [part["valid_area_m2"].values for part in (land, ocean)]
    region = np.maximum(
        *(v + p["missing_area_m2"].values for v, p in zip(valid, (land, ocean), strict=True))
    )
    covered = np.minimum(valid[0] + valid[1], region)
    return {
        "valid_area_m2": land["valid_area_m2"].copy(data=covered),
        "missing_area_m2": land["missing_area_m2"].copy(data=region - covered),
    }
