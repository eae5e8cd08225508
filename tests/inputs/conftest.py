"""Fixtures of the input tests; the files they write are made by `flux_files`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import flux_files
import numpy as np
import pytest

from hpcbudget.inputs.catalogue import Catalogue, open_catalogue
from hpcbudget.inputs.series import Series


@pytest.fixture
def netcdf() -> Callable[..., Path]:
    """Write one small netCDF file."""
    return flux_files.write_netcdf


@pytest.fixture
def open_member(tmp_path: Path) -> Callable[..., Catalogue]:
    """Open a catalogue of one member, given as a YAML flow mapping, in the test's folder."""

    def run(member: str, **options: str) -> Catalogue:
        return open_catalogue(flux_files.make_config(tmp_path, member, **options))

    return run


@pytest.fixture
def pgc_yr() -> Callable[[Series], np.ndarray]:
    """Global Pg C/yr of every step of a series, summed without any kernel."""
    return flux_files.pgc_yr
