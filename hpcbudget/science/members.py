"""Integrated members side by side, in the layout that statistics and budgets work on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from hpcbudget.errors import InputError
from hpcbudget.science.total import with_totals

_FIELDS = ("flux_pgc_yr", "valid_area_m2", "missing_area_m2")


def ensemble(members: Mapping[tuple[str, str, str], xr.Dataset]) -> xr.Dataset:
    """Put integrated members side by side, as `hpcbudget.science` wants them.

    Parameters
    ----------
    members : mapping of (family, member, component) to xarray.Dataset
        Results of `hpcbudget.api.integrate` over the same regions, of months, years or shorter
        steps that fill their months. A member called ``model/realisation`` shares the vote of
        ``model``.

    Returns
    -------
    xarray.Dataset
        ``flux_pgc_yr``, ``valid_area_m2``, ``missing_area_m2`` (series, region, time) and
        ``month_seconds`` (series, time); totals added where a member has land and ocean.

    Raises
    ------
    InputError
        No members, different regions, or a member without time.
    """
    if not members:
        raise InputError("an ensemble without members")
    first = next(iter(members.values()))
    parts = []
    for (family, member, component), result in members.items():
        name = f"{family} {member} {component}"
        if "time" not in result.dims or set(result["flux_pgc_yr"].dims) != {"time", "region"}:
            found = ", ".join(map(str, result["flux_pgc_yr"].dims))
            raise InputError(
                f"dimensions {found} instead of time and region",
                where=name,
                fix="integrate a field with time; select one member at a time",
            )
        if result["region"].values.tolist() != first["region"].values.tolist():
            raise InputError(
                "other regions than the first member",
                where=name,
                fix="integrate all members over the same region sets",
            )
        parts.append(_Monthly(result))
    months = np.arange(min(p.number[0] for p in parts), max(p.number[-1] for p in parts) + 1)
    shape = (len(parts), first.sizes["region"], months.size)
    values = {name: np.full(shape, np.nan) for name in _FIELDS}
    seconds = np.full((len(parts), months.size), np.nan)
    for row, part in enumerate(parts):
        at = part.number - months[0]
        for name in _FIELDS:
            values[name][row][:, at] = part.values[name]
        seconds[row, at] = part.seconds
    families, names, components = zip(*members, strict=True)
    dims = ("series", "region", "time")
    fluxes = xr.Dataset(
        {**{n: (dims, v) for n, v in values.items()}, "month_seconds": (dims[::2], seconds)},
        coords={
            "region": first["region"].values,
            "region_set": ("region", first["region_set"].values),
            "time": [np.datetime64(f"{m // 12:04d}-{m % 12 + 1:02d}", "ns") for m in months],
            "family": ("series", list(families)),
            "model": ("series", [name.split("/")[0] for name in names]),
            "member": ("series", list(names)),
            "component": ("series", list(components)),
            "resolution": ("series", [part.resolution for part in parts]),
        },
    )
    return with_totals(fluxes)


class _Monthly:
    """One member by calendar month; steps shorter than a month are averaged over it."""

    def __init__(self, result: xr.Dataset) -> None:
        ordered = result.transpose(..., "region", "time").sortby("month_number")
        number = ordered["month_number"].values.astype(np.int64)
        steps_s = ordered["step_seconds"].values
        month_s = ordered["month_seconds"].values
        self.resolution = str(result.attrs.get("resolution", "month"))
        values = {name: ordered[name].values.astype(np.float64) for name in _FIELDS}
        if self.resolution == "year":
            number = (number[:, None] + np.arange(12)).ravel()
            values = {name: np.repeat(v, 12, axis=1) for name, v in values.items()}
            month_s = np.repeat(month_s, 12)
        elif self.resolution != "month":
            number, begins = np.unique(number, return_index=True)
            filled = np.add.reduceat(steps_s, begins)
            month_s = month_s[begins]
            whole = np.abs(filled - month_s) < 1.0
            values = {
                name: np.where(
                    whole, np.add.reduceat(v * steps_s, begins, axis=1) / month_s, np.nan
                )
                for name, v in values.items()
            }
            self.resolution = "month"
        self.number, self.seconds, self.values = number, month_s, values
