"""The grid of a field: which patch of the sphere each stored number stands for.

Two geometries. *Boxes* (rectilinear and zonal grids) lie between parallels and meridians and have
the exact area R^2 dlon (sin lat2 - sin lat1). *Polygons* (curvilinear and unstructured grids) have
corners joined by great circles.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import GridError
from hpcbudget.space.edges import gaussian_latitudes

if TYPE_CHECKING:
    import xarray as xr

    from hpcbudget.options import GridOptions

Array = NDArray[np.float64]
Kind = Literal["rectilinear", "zonal", "curvilinear", "unstructured"]

EARTH_RADIUS_M = 6371e3


@dataclass(frozen=True, eq=False)
class Grid:
    """Cells of one stored field, in the C order of its spatial dimensions.

    Attributes
    ----------
    kind : {"rectilinear", "zonal", "curvilinear", "unstructured"}
        Boxes for the first two, polygons for the others.
    shape, dims : tuple
        Stored spatial dimensions; (lat, lon) and (lon, lat) are both rectilinear.
    lat_edges_deg, lon_edges_deg : array (n, 2), optional
        Bounds of boxes in stored order: south and north, west and east (east > west, not wrapped).
    lat_deg, lon_deg : array
        Centres: per row and column for boxes, per cell for polygons.
    corner_lat_deg, corner_lon_deg : array (cell, vertex), optional
        Corners of polygons; a polygon with fewer corners repeats one or ends in NaN.
    width_deg : float, optional
        Zonal data only: declared width of every row, which `lat_width_deg` returns.
    rule : str
        Where the edges come from.
    lat_axis : int
        Dimension that latitude runs along (boxes).

    Examples
    --------
    >>> grid = Grid.regular(90.0)
    >>> grid.shape, grid.lon_edges_deg.tolist()
    ((2, 4), [[-180.0, -90.0], [-90.0, 0.0], [0.0, 90.0], [90.0, 180.0]])
    >>> float((grid.area_m2() / (4 * np.pi * 6371e3**2)).sum().round(12))
    1.0
    """

    kind: Kind
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    lat_deg: Array
    lon_deg: Array
    lat_edges_deg: Array | None = None
    lon_edges_deg: Array | None = None
    corner_lat_deg: Array | None = field(default=None, repr=False)
    corner_lon_deg: Array | None = field(default=None, repr=False)
    width_deg: float | None = None
    rule: str = ""
    lat_axis: int = 0

    # -- making one ------------------------------------------------------------------------------

    @classmethod
    def boxes(
        cls,
        lat_edges_deg: NDArray[Any],
        lon_edges_deg: NDArray[Any],
        *,
        dims: tuple[str, str] = ("lat", "lon"),
        lat_axis: int = 0,
        lat_deg: Array | None = None,
        lon_deg: Array | None = None,
        rule: str = "given edges",
    ) -> Self:
        """Make a rectilinear grid from bounds (n, 2) or edges (n + 1,) in degrees.

        Raises
        ------
        GridError
            Columns that go round more than once.
        """
        lat, lon = _as_bounds(lat_edges_deg), _as_bounds(lon_edges_deg)
        lat.sort(axis=1)
        if float((lon[:, 1] - lon[:, 0]).sum()) > 360.0 * (1 + 1e-6):
            raise GridError(
                f"columns go round {(lon[:, 1] - lon[:, 0]).sum():g} degrees of longitude",
                why="a doubled (cyclic) column would be counted twice",
                fix="drop the repeated column from the file",
            )
        n = (len(lat), len(lon))
        return cls(
            kind="rectilinear",
            shape=n if lat_axis == 0 else n[::-1],
            dims=dims,
            lat_deg=lat.mean(axis=1) if lat_deg is None else lat_deg,
            lon_deg=lon.mean(axis=1) if lon_deg is None else lon_deg,
            lat_edges_deg=lat,
            lon_edges_deg=lon,
            rule=rule,
            lat_axis=lat_axis,
        )

    @classmethod
    def zonal(
        cls,
        lat_edges_deg: NDArray[Any],
        *,
        dim: str = "lat",
        lat_deg: Array | None = None,
        width_deg: float | None = None,
        rule: str = "given edges",
    ) -> Self:
        """Make a grid of whole latitude rows from bounds (n, 2) or edges (n + 1,) in degrees."""
        lat = _as_bounds(lat_edges_deg)
        lat.sort(axis=1)
        return cls(
            kind="zonal",
            shape=(len(lat),),
            dims=(dim,),
            lat_deg=lat.mean(axis=1) if lat_deg is None else lat_deg,
            lon_deg=np.zeros(1),
            lat_edges_deg=lat,
            lon_edges_deg=np.array([[-180.0, 180.0]]),
            width_deg=width_deg,
            rule=rule,
        )

    @classmethod
    def polygons(
        cls,
        corner_lat_deg: NDArray[Any],
        corner_lon_deg: NDArray[Any],
        *,
        shape: tuple[int, ...] | None = None,
        dims: tuple[str, ...] | None = None,
        lat_deg: NDArray[Any] | None = None,
        lon_deg: NDArray[Any] | None = None,
        rule: str = "given corners",
    ) -> Self:
        """Make a grid from corners (..., vertex) in degrees; one leading dimension: unstructured.

        A corner that is not on the sphere (NaN, a fill value) is no corner; a cell with fewer than
        three has no shape and area 0.
        """
        lat, lon = np.array(corner_lat_deg, np.float64), np.array(corner_lon_deg, np.float64)
        off = ~((np.abs(lat) <= 90.0 + 1e-6) & (np.abs(lon) <= 1e4))
        lat[off], lon[off] = np.nan, np.nan
        shape = lat.shape[:-1] if shape is None else shape
        corners = lat.reshape(-1, lat.shape[-1]), lon.reshape(-1, lon.shape[-1])
        if lat_deg is None or lon_deg is None:
            lat_deg, lon_deg = polygon_centres(*corners)
        flat = len(shape) == 1
        return cls(
            kind="unstructured" if flat else "curvilinear",
            shape=shape,
            dims=dims or (("cell",) if flat else ("y", "x")),
            lat_deg=np.asarray(lat_deg, np.float64).ravel(),
            lon_deg=np.asarray(lon_deg, np.float64).ravel(),
            corner_lat_deg=corners[0],
            corner_lon_deg=corners[1],
            rule=rule,
        )

    @classmethod
    def curvilinear(
        cls, node_lat_deg: NDArray[Any], node_lon_deg: NDArray[Any], **keywords: Any
    ) -> Self:
        """Make a grid from the nodes (ny + 1, nx + 1) that neighbouring cells share."""
        corners = [
            np.stack([a[:-1, :-1], a[:-1, 1:], a[1:, 1:], a[1:, :-1]], axis=-1)
            for a in (node_lat_deg, node_lon_deg)
        ]
        return cls.polygons(*corners, **keywords)

    @classmethod
    def regular(cls, dlat_deg: float, dlon_deg: float | None = None) -> Self:
        """Make a global grid of equal steps with edges at -90 and -180, south to north.

        Raises
        ------
        GridError
            Steps that do not divide 180 and 360 degrees.
        """
        dlon_deg = dlat_deg if dlon_deg is None else dlon_deg
        counts = []
        for step, circle in ((dlat_deg, 180.0), (dlon_deg, 360.0)):
            n = round(circle / step) if step > 0 else 0
            if n < 1 or abs(n * step - circle) > 1e-6 * circle:
                raise GridError(
                    f"a step of {step:g} degrees does not divide {circle:g}",
                    fix="choose a divisor such as 0.25, 0.5, 1, 2 or 2.5",
                )
            counts.append(n)
        nlat, nlon = counts
        lat = (np.arange(nlat + 1) - nlat / 2) * (180.0 / nlat)
        lon = (np.arange(nlon + 1) - nlon / 2) * (360.0 / nlon)
        return cls.boxes(lat, lon, rule="regular")

    @classmethod
    def gaussian(cls, n: int) -> Self:
        """Make the full Gaussian grid of number n: 2n rows, 4n columns, first centred on 0 E."""
        lat, edges = gaussian_latitudes(2 * n)
        lon = (np.arange(4 * n + 1) - 0.5) * (90.0 / n)
        return cls.boxes(edges, lon, lat_deg=lat, rule=f"Gaussian n{n}")

    @classmethod
    def from_dataset(
        cls, ds: xr.Dataset, variable: str, options: GridOptions | None = None
    ) -> Grid:
        """Read the grid of a variable from CF metadata (see `hpcbudget.space.cf`)."""
        from hpcbudget.space.cf import grid_from_dataset

        return grid_from_dataset(ds, variable, options)

    @classmethod
    def parse(cls, text: str | Path) -> Grid:
        """Read ``"1"``, ``"1x1.25"``, ``"n80"`` or a path (see `hpcbudget.space.parse`)."""
        from hpcbudget.space.parse import parse_grid

        return parse_grid(text)

    # -- what it tells ---------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Number of cells."""
        return int(np.prod(self.shape))

    @property
    def row_length(self) -> int:
        """Cells along the last stored dimension."""
        return self.shape[-1]

    @property
    def is_boxes(self) -> bool:
        """Whether cells lie between parallels and meridians."""
        return self.lat_edges_deg is not None

    def area_m2(self, radius_m: float = EARTH_RADIUS_M) -> Array:
        """Return the area of each cell (size,) in m2 on a sphere; 0 for a cell without a shape."""
        if self.lat_edges_deg is None or self.lon_edges_deg is None:
            from hpcbudget.kernels.sphere import polygon_areas

            corner_lat, corner_lon = self.corners()
            area: Array = radius_m**2 * polygon_areas(corner_lat, corner_lon)
            return area
        dlon = np.radians(self.lon_edges_deg[:, 1] - self.lon_edges_deg[:, 0])
        return radius_m**2 * self.spread(sine_difference(self.lat_edges_deg), dlon)

    def spread(self, by_lat: Array, by_lon: Array) -> Array:
        """Return the product of a row and a column quantity for every cell (size,) of boxes."""
        if self.lat_axis == 0:
            return np.multiply.outer(by_lat, by_lon).ravel()
        return np.multiply.outer(by_lon, by_lat).ravel()

    def lat_width_deg(self) -> Array:
        """Return the latitude width (size,) of each row of a zonal grid, as declared or as is.

        Raises
        ------
        GridError
            The grid is not zonal.
        """
        if self.kind != "zonal" or self.lat_edges_deg is None:
            raise GridError(
                f"a {self.kind} grid has no latitude width per cell",
                fix="'zonal_per_degree' is for variables whose only spatial dimension is latitude",
            )
        if self.width_deg is not None:
            return np.full(self.size, self.width_deg)
        return self.lat_edges_deg[:, 1] - self.lat_edges_deg[:, 0]

    def centres(self) -> tuple[Array, Array]:
        """Return latitude and longitude of each cell's centre, both (size,), in degrees."""
        if not self.is_boxes:
            return self.lat_deg, self.lon_deg
        row, column = np.ones(len(self.lat_deg)), np.ones(len(self.lon_deg))
        return self.spread(self.lat_deg, column), self.spread(row, self.lon_deg)

    def corners(self, start: int = 0, stop: int | None = None) -> tuple[Array, Array]:
        """Return corner latitudes and longitudes (stop - start, vertex) of a stretch of cells.

        Corners of boxes run counter-clockwise from the south-west.
        """
        if self.corner_lat_deg is not None and self.corner_lon_deg is not None:
            return self.corner_lat_deg[start:stop], self.corner_lon_deg[start:stop]
        assert self.lat_edges_deg is not None
        assert self.lon_edges_deg is not None
        cell = np.arange(start, self.size if stop is None else stop)
        row, column = np.divmod(cell, self.shape[-1] if len(self.shape) > 1 else 1)
        if self.lat_axis == 1:
            row, column = column, row
        return self.lat_edges_deg[row][:, [0, 0, 1, 1]], self.lon_edges_deg[column][:, [0, 1, 1, 0]]

    def content_hash(self) -> str:
        """Return a hash (32 hex digits) of the cells' shapes and order; names do not count."""
        digest = hashlib.sha256(f"{self.is_boxes}{self.shape}{self.lat_axis}".encode())
        digest.update(repr(self.width_deg).encode())
        parts = (self.lat_edges_deg, self.lon_edges_deg, self.corner_lat_deg, self.corner_lon_deg)
        for part in parts:
            if part is not None:
                # + 0.0 turns -0.0 into 0.0
                digest.update(np.ascontiguousarray(part + 0.0, "<f8").tobytes())
        return digest.hexdigest()[:32]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Grid) and self.content_hash() == other.content_hash()

    def __hash__(self) -> int:
        return hash(self.content_hash())

    def describe(self) -> str:
        """Return the grid in a few words.

        Examples
        --------
        >>> Grid.regular(0.5).describe()
        '0.5 deg rectilinear, S-N, 360x720'
        """
        size = "x".join(str(n) for n in self.shape)
        if self.lat_edges_deg is None or self.lon_edges_deg is None:
            return f"{self.kind}, {size}"
        dlat = _typical_width(self.lat_edges_deg)
        order = "N-S" if self.lat_deg[0] > self.lat_deg[-1] else "S-N"
        if self.kind == "zonal":
            return f"{dlat:.4g} deg zonal, {order}, {size}"
        dlon = _typical_width(self.lon_edges_deg)
        step = f"{dlat:.4g}" if abs(dlat - dlon) < 1e-3 * dlat else f"{dlat:.4g}x{dlon:.4g}"
        name = "Gaussian" if "Gaussian" in self.rule else "rectilinear"
        return f"{step} deg {name}, {order}, {size}"

    def with_dims(self, dims: tuple[str, ...]) -> Self:
        """Return the same cells under other dimension names."""
        return replace(self, dims=dims)


def sine_difference(bounds_deg: Array) -> Array:
    """Return sin(north) - sin(south) of bounds (..., 2) without loss of digits in thin rows."""
    south, north = np.radians(bounds_deg[..., 0]), np.radians(bounds_deg[..., 1])
    result: Array = 2.0 * np.cos(0.5 * (north + south)) * np.sin(0.5 * (north - south))
    return result


def polygon_centres(corner_lat_deg: Array, corner_lon_deg: Array) -> tuple[Array, Array]:
    """Return the direction (cell,) of the mean of each polygon's corners (cell, vertex)."""
    lat, lon = np.radians(corner_lat_deg), np.radians(corner_lon_deg)
    x, y, z = (
        np.where(np.isfinite(part), part, 0.0).sum(axis=1)
        for part in (np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat))
    )
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def _as_bounds(edges: NDArray[Any]) -> Array:
    values = np.array(edges, np.float64)
    return np.stack([values[:-1], values[1:]], axis=1) if values.ndim == 1 else values


def _typical_width(bounds: Array) -> float:
    return float(np.median(np.abs(bounds[:, 1] - bounds[:, 0])))
