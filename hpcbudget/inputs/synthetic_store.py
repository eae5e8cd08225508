"""Write the files of the synthetic ensemble: CF NetCDF 4 and zarr 3, one year at a time."""

from __future__ import annotations

import calendar as gregorian
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from hpcbudget.inputs.synthetic_fields import Array, SyntheticGrid

Stamp = Literal["start", "middle", "end"]

#: What CMIP writes where there is no value.
CMIP_FILL = 1e20

_DAY_S = 86400.0
_NOLEAP_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class Months:
    """Monthly steps of whole years in a calendar.

    Attributes
    ----------
    calendar : str
        CF name.
    years, months : ndarray of int64, shape (n,)
    seconds, year_seconds : ndarray of float64, shape (n,)
        Length of each month and of the year it belongs to.
    """

    calendar: str
    years: NDArray[np.int64]
    months: NDArray[np.int64]
    seconds: Array
    year_seconds: Array

    @classmethod
    def build(cls, calendar: str, first_year: int, n_years: int) -> Months:
        """Lay out `n_years` years from `first_year` on.

        Examples
        --------
        >>> print(Months.build("noleap", 2000, 1).year_seconds[0] / 86400)
        365.0
        >>> print(Months.build("standard", 2000, 1).seconds[1] / 86400)
        29.0
        """
        years = np.repeat(np.arange(first_year, first_year + n_years), 12)
        months = np.tile(np.arange(1, 13), n_years)
        days = [_month_days(calendar, int(y), int(m)) for y, m in zip(years, months, strict=True)]
        seconds = np.array(days) * _DAY_S
        year_seconds = np.repeat(seconds.reshape(n_years, 12).sum(axis=1), 12)
        return cls(calendar, years, months, seconds, year_seconds)

    @property
    def units(self) -> str:
        """Units of the time coordinate."""
        return f"days since {self.years[0]}-01-01 00:00:00"

    def bounds_days(self) -> Array:
        """Return start and end of each month in `units`, shape (n, 2)."""
        ends = np.cumsum(self.seconds) / _DAY_S
        return np.stack([ends - self.seconds / _DAY_S, ends], axis=1)

    def stamps_days(self, stamp: Stamp) -> Array:
        """Return the time coordinate in `units`, shape (n,)."""
        bounds = self.bounds_days()
        weight = {"start": 0.0, "middle": 0.5, "end": 1.0}[stamp]
        return bounds[:, 0] + weight * (bounds[:, 1] - bounds[:, 0])


def _month_days(calendar: str, year: int, month: int) -> int:
    if calendar == "360_day":
        return 30
    if calendar == "noleap":
        return _NOLEAP_DAYS[month - 1]
    return gregorian.monthrange(year, month)[1]


class StoreWriter:
    """One file or store of monthly fields, open for writing year by year.

    Parameters
    ----------
    path : Path
        Ends in ``.nc`` or ``.zarr``.
    grid : SyntheticGrid
    months : Months
    stamp : Stamp
        Where in the month the time coordinate lies; only ``end`` needs (and gets) ``time_bnds``.
    dtype : {"f4", "f8"}
    units : str
        Written as each variable's ``units``.
    names : list of str
        Variables.
    static : dict
        Fields without time (such as ``cell_area``) that go into the same store.
    """

    def __init__(
        self,
        path: Path,
        grid: SyntheticGrid,
        months: Months,
        *,
        stamp: Stamp,
        dtype: Literal["f4", "f8"],
        units: str,
        names: list[str],
        static: dict[str, tuple[Array, dict[str, str]]],
    ) -> None:
        self._target = _Zarr(path) if path.suffix == ".zarr" else _NetCDF(path)
        self._fill = CMIP_FILL if path.suffix == ".nc" and dtype == "f4" else np.nan
        self._dtype = dtype
        create = self._target.create
        time = {"units": months.units, "calendar": months.calendar, "standard_name": "time"}
        if stamp == "end":
            time["bounds"] = "time_bnds"
            create("time_bnds", ("time", "bnds"), values=months.bounds_days(), attrs={})
        create("time", ("time",), values=months.stamps_days(stamp), attrs=time)
        _write_coordinates(self._target, grid)
        for name, (values, attrs) in static.items():
            create(name, ("lat", "lon"), values=values, attrs=attrs)
        for name in names:
            self._target.reserve(
                name,
                ("time", "lat", "lon"),
                shape=(months.years.size, *grid.shape),
                chunks=(12, *grid.shape),
                dtype=dtype,
                fill=self._fill,
                attrs={"units": units, "cell_methods": "time: mean"},
            )

    def write(
        self, name: str, first: int, values: NDArray[np.floating[Any]]
    ) -> NDArray[np.floating[Any]]:
        """Store steps from `first` on and return what a reader will find, NaN for missing."""
        stored = values.astype(self._dtype, copy=False)
        if np.isnan(self._fill):
            self._target.put(name, first, stored)
        else:
            fill = stored.dtype.type(self._fill)
            self._target.put(name, first, np.where(np.isnan(stored), fill, stored))
        return stored

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._target.close()


def write_static(
    path: Path, grid: SyntheticGrid, name: str, values: NDArray[np.float32], units: str
) -> None:
    """Write one field without time to a NetCDF file of its own."""
    target = _NetCDF(path)
    _write_coordinates(target, grid)
    target.create(name, ("lat", "lon"), values=values, attrs={"units": units})
    target.close()


def _write_coordinates(target: _NetCDF | _Zarr, grid: SyntheticGrid) -> None:
    lat = {"units": "degrees_north", "standard_name": "latitude"}
    lon = {"units": "degrees_east", "standard_name": "longitude"}
    if grid.name == "gaussian":  # rows are not half-way between the centres
        lat["bounds"] = "lat_bnds"
        edges = np.stack([grid.lat_edges_deg[:-1], grid.lat_edges_deg[1:]], axis=1)
        target.create("lat_bnds", ("lat", "bnds"), values=edges, attrs={})
    target.create("lat", ("lat",), values=grid.lat_deg, attrs=lat)
    target.create("lon", ("lon",), values=grid.lon_deg, attrs=lon)


class _NetCDF:
    """NetCDF 4 through the reference library."""

    def __init__(self, path: Path) -> None:
        import netCDF4

        self._file = netCDF4.Dataset(str(path), "w", format="NETCDF4")
        self._file.setncattr("Conventions", "CF-1.11")

    def create(
        self,
        name: str,
        dims: tuple[str, ...],
        *,
        values: NDArray[np.floating[Any]],
        attrs: dict[str, str],
    ) -> None:
        for dim, size in zip(dims, values.shape, strict=True):
            if dim not in self._file.dimensions:
                self._file.createDimension(dim, size)
        variable = self._file.createVariable(name, values.dtype, dims)
        variable.setncatts(attrs)
        variable[...] = values

    def reserve(
        self,
        name: str,
        dims: tuple[str, ...],
        *,
        shape: tuple[int, ...],
        chunks: tuple[int, ...],
        dtype: str,
        fill: float,
        attrs: dict[str, str],
    ) -> None:
        variable = self._file.createVariable(
            name, dtype, dims, chunksizes=chunks, fill_value=np.dtype(dtype).type(fill)
        )
        variable.set_auto_maskandscale(False)
        variable.setncatts(attrs)

    def put(self, name: str, first: int, values: NDArray[np.floating[Any]]) -> None:
        self._file.variables[name][first : first + len(values)] = values

    def close(self) -> None:
        self._file.close()


class _Zarr:
    """Zarr 3, empty chunks written, so that an absent chunk is always a lost one."""

    def __init__(self, path: Path) -> None:
        import zarr
        from zarr.codecs import BloscCodec

        self._codec = BloscCodec(cname="lz4", clevel=1, shuffle="shuffle")
        self._group = zarr.open_group(str(path), mode="w", zarr_format=3)
        self._group.attrs["Conventions"] = "CF-1.11"

    def create(
        self,
        name: str,
        dims: tuple[str, ...],
        *,
        values: NDArray[np.floating[Any]],
        attrs: dict[str, str],
    ) -> None:
        self.reserve(
            name,
            dims,
            shape=values.shape,
            chunks=values.shape,
            dtype=values.dtype.str,
            fill=np.nan,
            attrs=attrs,
        )
        self.put(name, 0, values)

    def reserve(
        self,
        name: str,
        dims: tuple[str, ...],
        *,
        shape: tuple[int, ...],
        chunks: tuple[int, ...],
        dtype: str,
        fill: float,
        attrs: dict[str, str],
    ) -> None:
        self._group.create_array(
            name,
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            fill_value=fill,
            dimension_names=dims,
            attributes=dict(attrs),
            compressors=self._codec,
            config={"write_empty_chunks": True},
        )

    def put(self, name: str, first: int, values: NDArray[np.floating[Any]]) -> None:
        array: Any = self._group[name]
        array[first : first + len(values)] = values

    def close(self) -> None:
        return
