"""Grids named on the command line: ``1``, ``1x1.25``, ``n80``, or a file or store."""

from __future__ import annotations

import re
from pathlib import Path

from hpcbudget.errors import GridError
from hpcbudget.space.grid import Grid

_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"


def parse_grid(text: str | Path) -> Grid:
    """Return the grid that a user's text means.

    Parameters
    ----------
    text : str or Path
        Degrees (``"1"``, ``"0.5"``), latitude x longitude step (``"1x1.25"``), full Gaussian
        grid (``"n80"``), or a CF or SCRIP NetCDF file or zarr store.

    Raises
    ------
    GridError
        None of these.

    Examples
    --------
    >>> parse_grid("2x2.5").describe()
    '2x2.5 deg rectilinear, S-N, 90x144'
    >>> parse_grid("n16").describe()
    '5.541x5.625 deg Gaussian, S-N, 32x64'
    """
    name = str(text).strip()
    if match := re.fullmatch(f"{_NUMBER}(?:x{_NUMBER})?", name):
        dlat, dlon = match.groups()
        return Grid.regular(float(dlat), float(dlon) if dlon else None)
    if match := re.fullmatch(r"[nN](\d+)", name):
        return Grid.gaussian(int(match.group(1)))
    path = Path(name)
    if not path.exists():
        raise GridError(
            f"{name!r} is neither a grid name nor a file",
            fix="give degrees (1, 0.5), lat x lon degrees (1x1.25), a Gaussian number (n80),\n"
            "or the path of a NetCDF file or zarr store whose grid is meant",
        )
    from hpcbudget.space.cf import grid_from_path

    return grid_from_path(path)
