"""Reads do not depend on how they are cut, nor on how many threads make them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from flux_files import make_config, write_netcdf
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.errors import HpcBudgetError, MissingChunkError
from hpcbudget.inputs import zarr_source
from hpcbudget.inputs.catalogue import Catalogue, open_catalogue
from hpcbudget.inputs.ingest import ingest
from hpcbudget.inputs.store import Store

OPTIONS = "flux: {sign: to_atmosphere, area_basis: cell}, components: {land: nbp}}"


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    """The same numbers in three yearly files, one classic file and a zarr store."""
    folder = tmp_path_factory.mktemp("stores")
    values = np.random.default_rng(3).normal(0, 1e-9, (36, 6, 12)).astype("f4")
    values[:, 2, 3] = np.nan
    for year in range(3):
        write_netcdf(
            folder / f"y{year}.nc", values=values[year * 12 : year * 12 + 12], dtype="f4",
            time_units=f"days since {2001 + year}-01-01", chunks=(5, 6, 12),
        )  # fmt: skip
    write_netcdf(
        folder / "one.nc", values=values, dtype="f4", time=np.arange(36.0),
        time_units="months since 2001-01-01", format="NETCDF3_CLASSIC",
    )  # fmt: skip
    ingest([str(folder / "y*.nc")], folder / "one.zarr")
    found = {}
    for name, path in {"files": "y*.nc", "classic": "one.nc", "zarr": "one.zarr"}.items():
        config = make_config(folder, f"{{paths: '{path}', {OPTIONS}")
        found[name] = open_catalogue(config).series[0].store
    found_values = {name: store.read(0, 36) for name, store in found.items()}
    for name in found:
        np.testing.assert_array_equal(found_values[name], values)
        assert found_values[name].dtype == np.float32
    return found


@given(st.sampled_from(["files", "classic", "zarr"]), st.integers(0, 35), st.integers(1, 36))
def test_any_range(stores: dict[str, Store], name: str, start: int, length: int) -> None:
    store = stores[name]
    stop = min(start + length, 36)
    values = store.read(start, stop)
    assert values.shape == (stop - start, 6, 12)
    assert values.flags.c_contiguous
    np.testing.assert_array_equal(values, store.read(0, 36)[start:stop])


def test_chunk_boundaries(stores: dict[str, Store]) -> None:
    assert stores["files"].time_chunks() == (0, 5, 10, 12, 17, 22, 24, 29, 34, 36)
    assert stores["classic"].time_chunks() == tuple(range(37))
    assert stores["zarr"].time_chunks() == (0, 36)
    assert stores["files"].step_bytes == 6 * 12 * 4


def test_eight_threads_at_once(stores: dict[str, Store]) -> None:
    jobs = [(name, start) for start in range(0, 34, 2) for name in stores] * 3
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda job: stores[job[0]].read(job[1], job[1] + 2), jobs))
    whole = stores["zarr"].read(0, 36)
    for (_, start), found in zip(jobs, values, strict=True):
        np.testing.assert_array_equal(found, whole[start : start + 2])


def test_fingerprint_follows_the_files_of_the_steps(
    tmp_path: Path, open_member: Callable[..., Catalogue]
) -> None:
    for year in (2001, 2002):
        write_netcdf(tmp_path / f"{year}.nc", time_units=f"days since {year}-01-01")
    (series,) = open_member(f"{{paths: '*.nc', {OPTIONS}").series
    first, second = series.store.fingerprint(0, 12), series.store.fingerprint(12, 24)
    assert first != second
    write_netcdf(tmp_path / "2002.nc", time_units="days since 2002-01-01")
    assert series.store.fingerprint(0, 12) == first
    assert series.store.fingerprint(12, 24) != second
    (other,) = open_member(f"{{paths: '*.nc', fill_value: -1, {OPTIONS}").series
    assert other.store.fingerprint(0, 12) != first


def test_bad_input_range(stores: dict[str, Store]) -> None:
    with pytest.raises(HpcBudgetError, match="not within 0 to 36"):
        stores["zarr"].read(30, 40)


@pytest.mark.parametrize("pipeline", ["zarr", "zarrs"])
def test_both_decoders_agree_and_check(
    pipeline: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if pipeline == "zarrs":
        pytest.importorskip("zarrs")
    else:
        monkeypatch.setattr(zarr_source, "_ZARRS", None)
    values = np.random.default_rng(3).normal(0, 1e-9, (12, 6, 12))
    write_netcdf(tmp_path / "a.nc", values=values)
    ingest([str(tmp_path / "a.nc")], tmp_path / "a.zarr")
    with zarr_source.ZarrSource(str(tmp_path / "a.zarr")) as source:
        np.testing.assert_array_equal(source.read("nbp"), values)
        np.testing.assert_array_equal(source.read("nbp", (3,)), values[3])
    shard = tmp_path / "a.zarr/nbp/c/0/0/0"
    whole = shard.read_bytes()
    for place in np.random.default_rng(1).integers(0, len(whole), 40):
        damaged = bytearray(whole)
        damaged[place] ^= 16
        shard.write_bytes(damaged)
        with (
            zarr_source.ZarrSource(str(tmp_path / "a.zarr")) as source,
            pytest.raises(MissingChunkError),
        ):
            source.read("nbp")
