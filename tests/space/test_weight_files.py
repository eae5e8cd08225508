from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from strategies import global_grids

from hpcbudget.errors import RegridError
from hpcbudget.space.grid import Grid
from hpcbudget.space.weight_cache import cached_weights
from hpcbudget.space.weight_files import from_dataset, read_weights, weights_dataset, write_weights
from hpcbudget.space.weights import make_weights


@given(global_grids(max_rows=6, max_columns=6), global_grids(max_rows=6, max_columns=6))
def test_a_file_gives_back_the_weights(source, destination):
    for method in ("conservative", "conservative_normed"):
        weights = make_weights(source, destination, method=method)
        again = from_dataset(weights_dataset(weights), source, destination)
        assert again.method == method
        np.testing.assert_array_equal(again.table.indices, weights.table.indices)
        np.testing.assert_allclose(again.table.data, weights.table.data, rtol=1e-13)
        values = np.random.default_rng(0).normal(size=source.shape)
        for preserve in ("integral", "mean"):
            one, other = weights.apply(values, preserve), again.apply(values, preserve)
            np.testing.assert_allclose(other.values, one.values, rtol=1e-9, atol=1e-12)


def regional_pair():
    nodes = np.meshgrid(np.linspace(-20, 40, 9), np.linspace(30, 70, 7))
    return Grid.curvilinear(nodes[1], nodes[0]), Grid.regular(10.0)


@pytest.mark.parametrize("method", ["conservative", "conservative_normed"])
def test_a_file_alone_is_enough(tmp_path, method):
    source, destination = regional_pair()
    weights = make_weights(source, destination, method=method)
    write_weights(weights, tmp_path / "w.nc")
    again = read_weights(tmp_path / "w.nc")
    assert again.source == source
    assert again.destination.shape == destination.shape
    np.testing.assert_allclose(again.table.data, weights.table.data, rtol=1e-12)
    assert again.edges == "great_circles"
    assert not list(tmp_path.glob(".*"))


def esmf_like(weights, **attrs):
    """The least that ESMF_RegridWeightGen writes."""
    ds = weights_dataset(weights)
    ds.attrs = attrs
    return ds.drop_vars(["frac_a", "mask_a", "mask_b"])


def test_files_of_other_programs():
    source, destination = regional_pair()
    weights = make_weights(source, destination)
    esmf = from_dataset(
        esmf_like(weights, normalization="destarea", map_method="Conservative remapping"),
        None,
        None,
    )
    np.testing.assert_allclose(esmf.table.data, weights.table.data, rtol=1e-12)
    only = weights_dataset(weights)[["S", "row", "col"]].drop_attrs()
    xesmf = from_dataset(only, source, destination)
    assert xesmf.edges == "file"
    np.testing.assert_allclose(xesmf.destination_fraction, weights.destination_fraction, rtol=0.02)
    scrip = only.rename(S="remap_matrix", row="dst_address", col="src_address")
    np.testing.assert_array_equal(
        from_dataset(scrip, source, destination).table.data, xesmf.table.data
    )
    # the names that CDO writes, with an attribute that is no hash of ours
    cdo = (
        weights_dataset(weights)
        .drop_attrs()
        .rename(
            S="remap_matrix",
            row="dst_address",
            col="src_address",
            area_a="src_grid_area",
            area_b="dst_grid_area",
            frac_b="dst_grid_frac",
            n_a="src_grid_size",
            n_b="dst_grid_size",
        )
        .assign_attrs(
            normalization="fracarea", source_grid="lonlat", map_method="Conservative remapping"
        )
    )
    read = from_dataset(cdo, source, destination)
    assert read.method == "conservative_normed"
    np.testing.assert_allclose(
        read.table.data, (weights.table.data * weights.destination_fraction[weights.table.rows])
    )
    bilinear = from_dataset(only.assign_attrs(map_method="Bilinear remapping"), source, destination)
    with pytest.raises(RegridError, match="do not keep totals"):
        bilinear.apply(np.zeros(source.shape), "integral")
    np.testing.assert_allclose(
        bilinear.apply(np.full(source.shape, 3.0), "mean").values[13, 19], 3.0
    )


def test_esmf_areas_close_the_total():
    """With the areas of the file, integral over the cells' own areas; the difference is shown."""
    source, destination = Grid.regular(20.0), Grid.regular(15.0)
    weights = make_weights(source, destination, edges="great_circles")
    ds = esmf_like(weights, normalization="destarea", map_method="Conservative remapping")
    read = from_dataset(ds, source, destination)
    values = np.random.default_rng(0).normal(size=source.shape)
    kept = read.apply(values, "integral").values
    before, after = read.totals(values, kept)
    np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-12)
    field = read.table.row_sums()
    assert field.sum() == pytest.approx(4 * np.pi)
    assert read.area_mismatch > 1e-3


@pytest.mark.parametrize(
    "name", ["displaced_pole_80x120_to_2x2", "gaussian_n48_to_2x2", "rotated_pole_0.88_to_1x1"]
)
def test_golden_grids_as_scrip_files_to_a_weights_file(shared_data, tmp_path, name):
    """From grid files to a weights file, as a user goes, and to ESMF's numbers."""
    reference = np.load(shared_data / "esmf_golden" / f"{name}.npz")
    grids = []
    for side in ("src", "dst"):
        lat, lon = reference[f"{side}_lat_b"], reference[f"{side}_lon_b"]
        if lat.ndim == 1:
            lon, lat = np.meshgrid(lon, lat)
        corners = [
            np.stack([a[:-1, :-1], a[:-1, 1:], a[1:, 1:], a[1:, :-1]], -1).reshape(-1, 4)
            for a in (lat, lon)
        ]
        shape = np.array(lat.shape[::-1], np.int32) - 1
        xr.Dataset(
            {
                "grid_dims": ("rank", shape),
                "grid_corner_lat": (("cell", "corner"), corners[0], {"units": "degrees"}),
                "grid_corner_lon": (("cell", "corner"), corners[1], {"units": "degrees"}),
            }
        ).to_netcdf(tmp_path / f"{side}.nc", engine="netcdf4")
        grids.append(Grid.parse(tmp_path / f"{side}.nc"))
    write_weights(make_weights(*grids), tmp_path / "w.nc")
    with xr.open_dataset(tmp_path / "w.nc") as ds:
        np.testing.assert_array_equal(ds["row"] - 1, reference["row"])
        np.testing.assert_array_equal(ds["col"] - 1, reference["col"])
        np.testing.assert_allclose(ds["S"], reference["S"], atol=1e-10, rtol=0)


def test_bad_input_files_for_other_grids_are_refused(tmp_path):
    source, destination = regional_pair()
    write_weights(make_weights(source, destination), tmp_path / "w.nc")
    with pytest.raises(RegridError, match="48 source cells"):
        read_weights(tmp_path / "w.nc", source=destination)
    shifted = Grid.polygons(source.corner_lat_deg, source.corner_lon_deg + 5, shape=source.shape)
    with pytest.raises(RegridError, match="another source grid of the same size"):
        read_weights(tmp_path / "w.nc", source=shifted)
    foreign = weights_dataset(make_weights(source, destination)).drop_attrs()
    assert from_dataset(foreign, source, destination).source == source
    with pytest.raises(RegridError, match="another source grid of the same size"):
        from_dataset(foreign, shifted, destination)
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "no.nc", engine="netcdf4")
    with pytest.raises(RegridError, match="no weights"):
        read_weights(tmp_path / "no.nc")
    with pytest.raises(RegridError, match="cannot be read"):
        read_weights(tmp_path / "none.nc")
    only = weights_dataset(make_weights(source, destination))[["S", "row", "col"]]
    with pytest.raises(RegridError, match="corners of the source"):
        from_dataset(only, None, None)
    only["col"] = only["col"] + 1000
    with pytest.raises(RegridError, match="outside the grids"):
        from_dataset(only.drop_attrs(), source, destination)


def test_bad_input_methods_are_not_guessed():
    source, destination = Grid.regular(10.0), Grid.regular(30.0)
    only = weights_dataset(make_weights(source, destination))[["S", "row", "col"]].drop_attrs()
    picks = only.isel(n_s=slice(None, None, 9)).assign(S=only["S"][::9] * 0 + 1.0)
    with pytest.raises(RegridError, match="not conservative"):  # nearest neighbours
        from_dataset(picks, source, destination)
    assert from_dataset(picks.assign_attrs(map_method="Nearest"), source, destination)
    with pytest.raises(RegridError, match="Patch"):
        from_dataset(only.assign_attrs(map_method="Higher-order Patch"), source, destination)
    with pytest.raises(RegridError, match="frac_b"):
        from_dataset(only.assign_attrs(normalization="fracarea"), source, destination)


def test_the_cache_is_by_content_and_survives_many_writers(tmp_path, monkeypatch):
    source, destination = regional_pair()
    with ThreadPoolExecutor(4) as pool:
        made = list(
            pool.map(lambda _: cached_weights(source, destination, folder=tmp_path), range(4))
        )
    files = list((tmp_path / "weights").iterdir())
    assert len(files) == 1
    for weights in made:
        np.testing.assert_array_equal(weights.table.data, made[0].table.data)
    shifted = Grid.polygons(source.corner_lat_deg, source.corner_lon_deg + 5, shape=source.shape)
    cached_weights(shifted, destination, folder=tmp_path)
    assert len(list((tmp_path / "weights").iterdir())) == 2
    # what is found is not made again, and what is damaged is
    monkeypatch.setenv("HPCBUDGET_CACHE", str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr("hpcbudget.space.weight_cache.make_weights", None)
        found = cached_weights(source, destination)
    np.testing.assert_array_equal(found.table.indices, made[0].table.indices)
    files[0].write_bytes(files[0].read_bytes()[:-100])
    mended = cached_weights(source, destination)
    np.testing.assert_array_equal(mended.table.data, made[0].table.data)


def test_box_weights_are_not_kept(tmp_path):
    cached_weights(Grid.regular(30.0), Grid.regular(10.0), folder=tmp_path)
    assert not (tmp_path / "weights").exists()
