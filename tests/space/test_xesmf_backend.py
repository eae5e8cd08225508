from __future__ import annotations

import importlib.util
import os
import textwrap

import numpy as np
import pytest

from hpcbudget.errors import BackendError, RegridError
from hpcbudget.space.grid import Grid
from hpcbudget.space.named_grids import healpix
from hpcbudget.space.weights import make_weights
from hpcbudget.space.xesmf_backend import nodes, xesmf_weights

HAVE_ESMF = importlib.util.find_spec("esmpy") is not None or "HPCBUDGET_ESMF_PYTHON" in os.environ
needs_esmf = pytest.mark.skipif(not HAVE_ESMF, reason="needs xESMF and ESMF, which conda has")


def curvilinear():
    x, y = np.meshgrid(np.linspace(-20, 40, 13), np.linspace(30, 70, 11))
    return Grid.curvilinear(y + 0.1 * x, x)


@pytest.mark.esmf
@needs_esmf
@pytest.mark.parametrize("method", ["conservative", "conservative_normed"])
def test_native_and_esmf_weights_agree(method):
    for source, destination in (
        (Grid.regular(10.0), Grid.gaussian(8)),
        (curvilinear(), Grid.regular(5.0)),
    ):
        theirs = xesmf_weights(source, destination, method)
        ours = make_weights(source, destination, method=method, edges="great_circles")
        one, other = np.zeros((2, destination.size, source.size))
        one[ours.table.rows, ours.table.indices] = ours.normalised
        other[theirs.table.rows, theirs.table.indices] = theirs.normalised
        np.testing.assert_allclose(other, one, atol=1e-10)


@pytest.mark.esmf
@needs_esmf
@pytest.mark.parametrize("method", ["bilinear", "nearest_s2d"])
def test_weights_for_pictures(method):
    source, destination = Grid.regular(10.0), Grid.regular(4.0)
    weights = xesmf_weights(source, destination, method)
    lat, _ = source.centres()
    out = weights.apply(lat.reshape(source.shape), "mean").values
    expected, _ = destination.centres()
    inner = np.abs(expected) < 80
    np.testing.assert_allclose(out.ravel()[inner], expected[inner], atol=6)


@pytest.mark.skipif(HAVE_ESMF, reason="xESMF is installed")
def test_a_missing_esmf_names_the_conda_command_and_the_native_way():
    with pytest.raises(BackendError, match="cannot be used") as caught:
        xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))
    assert "conda install -c conda-forge xesmf esmpy" in caught.value.fix
    assert "native" in caught.value.fix


def stand_in(tmp_path, monkeypatch, body):
    """A Python whose ``xesmf`` is ours: it checks what is handed over, not how ESMF weighs."""
    (tmp_path / "xesmf.py").write_text(textwrap.dedent(body))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_what_is_handed_over_and_taken_back(tmp_path, monkeypatch):
    stand_in(
        tmp_path,
        monkeypatch,
        """
        import numpy as np
        class Regridder:
            def __init__(self, a, b, method, **options):
                assert method == "conservative" and options == {"ignore_degenerate": True}
                assert a["lat_b"].shape == (7, 13) and b["lon_b"].shape == (10, 19)
                assert a["lat"].shape == (6, 12)
                class W: pass
                self.weights, W.data = W(), np.array([1.0, 0.5])
                W.coords = np.array([[0, 161], [0, 71]])
                outer = W()
                self.weights.data = outer
        """,
    )
    weights = xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))
    np.testing.assert_array_equal(weights.table.rows, [0, 161])
    np.testing.assert_array_equal(weights.table.indices, [0, 71])
    np.testing.assert_allclose(weights.normalised, [1.0, 0.5])


def test_bad_input_esmf_failure_is_reported(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, "class Regridder:\n    def __init__(*a, **k): 1 / 0\n")
    with pytest.raises(RegridError, match="ZeroDivisionError"):
        xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))
    monkeypatch.setenv("HPCBUDGET_ESMF_PYTHON", str(tmp_path / "none"))
    with pytest.raises(BackendError):
        xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))


def test_nodes_of_boxes_and_curvilinear_grids():
    grid = Grid.boxes([90, 0, -90], [0, 90, 180, 270, 360])
    lat, lon = nodes(grid)
    assert lat.shape == (3, 5)
    assert lat[:, 0].tolist() == [-90, 0, 90] or lat[:, 0].tolist() == [90, 0, -90]
    turned = Grid.boxes([-90, 0, 90], [0, 120, 240, 360], lat_axis=1, dims=("lon", "lat"))
    lat, lon = nodes(turned)
    assert lat.shape == (4, 3)
    assert lon[:, 0].tolist() == [0, 120, 240, 360]
    again = Grid.curvilinear(*nodes(curvilinear()))
    assert again == curvilinear()


def test_bad_input_grids_that_xesmf_does_not_take():
    with pytest.raises(RegridError, match="rows and columns"):
        nodes(healpix(2))
    with pytest.raises(RegridError, match="gaps"):
        nodes(Grid.boxes([[-90.0, 0], [10, 90]], [0, 180, 360]))
    loose = curvilinear()
    corner_lon = loose.corner_lon_deg.copy()
    corner_lon[5] += 0.5
    with pytest.raises(RegridError, match="share corners"):
        nodes(Grid.polygons(loose.corner_lat_deg, corner_lon, shape=loose.shape))
