"""Grids named on the command line: ``1``, ``1x1.25``, ``n80``, ``o80``, ``hp32``, or a file."""

from __future__ import annotations

import re
from pathlib import Path

from hpcbudget.errors import GridError, GridNameError
from hpcbudget.space.grid import Grid
from hpcbudget.space.named_grids import healpix, octahedral

_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"


LARGEST_NUMBER = 4096
"""Beyond the finest models of today (o2560, HEALPix zoom 12); more is a slip of the finger."""


def parse_grid(text: str | Path) -> Grid:
    """Return the grid that a user's text means.

    Parameters
    ----------
    text : str or Path
        Degrees (``"1"``, ``"0.5"``), latitude x longitude step (``"1x1.25"``), full Gaussian
        grid (``"n80"``), octahedral reduced Gaussian grid (``"o80"``), HEALPix in nested or ring
        order (``"hp32"``, ``"hp32r"``), or a CF, UGRID or SCRIP NetCDF file or zarr store.

    Raises
    ------
    GridNameError
        None of these.
    GridError
        A file without a grid.

    Examples
    --------
    >>> parse_grid("2x2.5").describe()
    '2x2.5 deg rectilinear, S-N, 90x144'
    >>> parse_grid("n16").describe()
    '5.541x5.625 deg Gaussian, S-N, 32x64'
    """
    name = str(text).strip()
    try:
        named = _named(name)
    except GridError as error:
        raise GridNameError(error.what, where=error.where, why=error.why, fix=error.fix) from None
    if named is not None:
        return named
    path = Path(name)
    if not path.exists():
        raise GridNameError(
            f"{name!r} is neither a grid name nor a file",
            fix="give degrees (1, 0.5), lat x lon degrees (1x1.25), a Gaussian number (n80),\n"
            "or the path of a NetCDF file or zarr store whose grid is meant",
        )
    from hpcbudget.space.cf import grid_from_path

    return grid_from_path(path)


def _named(name: str) -> Grid | None:
    """Return the grid that a formula gives, None where the name is none of these."""
    if match := re.fullmatch(f"{_NUMBER}(?:x{_NUMBER})?", name):
        dlat, dlon = match.groups()
        return Grid.regular(float(dlat), float(dlon) if dlon else None)
    match = re.fullmatch(r"(n|o|hp)(\d+)(r?)", name.lower())
    if match is None or (match.group(3) and match.group(1) != "hp"):
        return None
    kind, number, ring = match.group(1), int(match.group(2)), match.group(3)
    if not 1 <= number <= LARGEST_NUMBER:
        raise GridError(
            f"{name!r}: the number of such a grid is 1 to {LARGEST_NUMBER}",
            fix="n80, o320, hp32, ... are grids in use",
        )
    if kind == "hp":
        return healpix(number, "ring" if ring else "nested")
    return Grid.gaussian(number) if kind == "n" else octahedral(number)
