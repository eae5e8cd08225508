from __future__ import annotations

import ast
import importlib.util
import os
import textwrap
from pathlib import Path

import numpy as np
import pytest

import hpcbudget
from hpcbudget.errors import BackendError, RegridError
from hpcbudget.space.grid import Grid
from hpcbudget.space.named_grids import healpix
from hpcbudget.space.nodes import nodes
from hpcbudget.space.weight_cache import cached_weights
from hpcbudget.space.xesmf_backend import xesmf_weights

HAVE_ESMF = importlib.util.find_spec("esmpy") is not None or "HPCBUDGET_ESMF_PYTHON" in os.environ


def curvilinear():
    x, y = np.meshgrid(np.linspace(-20, 40, 13), np.linspace(30, 70, 11))
    return Grid.curvilinear(y + 0.1 * x, x)


@pytest.mark.skipif(HAVE_ESMF, reason="xESMF is installed")
def test_a_missing_esmf_names_the_conda_command_and_the_native_way():
    with pytest.raises(BackendError, match="cannot be used") as caught:
        xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))
    assert "conda install -c conda-forge xesmf esmpy" in caught.value.fix
    assert "native" in caught.value.fix


def stand_in(tmp_path, monkeypatch, body, esmpy="def Manager(debug): pass"):
    """A Python whose ``xesmf`` is ours: it checks what is handed over, not how ESMF weighs."""
    (tmp_path / "xesmf.py").write_text(textwrap.dedent(body))
    (tmp_path / "esmpy.py").write_text(esmpy)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("HPCBUDGET_ESMF_PYTHON", raising=False)


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


ANY_PAIR = """
class Regridder:
    def __init__(self, a, b, method, **options):
        import numpy as np
        class W: pass
        self.weights, data = W(), W()
        data.data, data.coords = np.array([1.0, 2.0]), np.array([[1, 4], [1, 4]])
        self.weights.data = data
        {}
"""


def test_what_goes_round_the_earth_is_handed_over_last(tmp_path, monkeypatch):
    check = 'assert a["lat"].shape == (6, 12) and options["periodic"] is True'
    stand_in(tmp_path, monkeypatch, ANY_PAIR.format(check))
    turned = Grid.boxes(
        np.linspace(-90, 90, 7), np.linspace(0, 360, 13), lat_axis=1, dims=("lon", "lat")
    )
    weights = xesmf_weights(turned, Grid.regular(30.0), "bilinear")
    # cell 1 of (lat, lon) is the second meridian, southernmost row
    np.testing.assert_array_equal(weights.table.indices, [6, 24])
    np.testing.assert_array_equal(weights.table.rows, [1, 4])


def test_cells_without_a_shape_are_masked(tmp_path, monkeypatch):
    check = 'assert a["mask"].values.sum() == a["mask"].size - 1 and "mask" not in b'
    stand_in(tmp_path, monkeypatch, ANY_PAIR.format(check))
    grid = curvilinear()
    lat, lon = grid.corner_lat_deg.copy(), grid.corner_lon_deg.copy()
    lat[7], lon[7] = np.nan, np.nan
    xesmf_weights(Grid.polygons(lat, lon, shape=grid.shape), Grid.regular(30.0))


def test_weights_of_esmf_are_kept_apart_from_ours(tmp_path, monkeypatch):
    count = "open('count', 'a').write('x')".replace("count", str(tmp_path / "count"))
    stand_in(tmp_path, monkeypatch, ANY_PAIR.format(count))
    pair = Grid.regular(30.0), Grid.regular(20.0)
    for _ in range(2):
        found = cached_weights(*pair, backend="xesmf", folder=tmp_path / "kept")
    assert (tmp_path / "count").read_text() == "x"
    assert found.edges == "great_circles"
    ours = cached_weights(*pair, edges="great_circles", folder=tmp_path / "kept")
    assert len(ours.table.data) != len(found.table.data)


def test_bad_input_esmf_failure_is_reported(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, "class Regridder:\n    def __init__(*a, **k): 1 / 0\n")
    with pytest.raises(RegridError, match="ZeroDivisionError"):
        xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))
    log = "open('PET0.ESMF_LogFile', 'w').write('20260101 ERROR            PET0 bad corner\\n')"
    body = f"class Regridder:\n    def __init__(*a, **k): {log}; 1 / 0\n"
    stand_in(tmp_path, monkeypatch, body)
    with pytest.raises(RegridError, match="bad corner"):
        xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))
    monkeypatch.setenv("HPCBUDGET_ESMF_PYTHON", str(tmp_path / "none"))
    with pytest.raises(BackendError):
        xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))


def test_bad_input_a_process_that_dies_is_one_clear_error(tmp_path, monkeypatch):
    death = "import os, signal\nclass Regridder:\n    def __init__(*a, **k):\n"
    stand_in(tmp_path, monkeypatch, death + "        os.kill(os.getpid(), signal.SIGKILL)\n")
    with pytest.raises(RegridError, match="SIGKILL often means: out of memory"):
        xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))


@pytest.mark.parametrize("error", ["ImportError('no esmf.mk')", "OSError('libesmf.so')"])
def test_bad_input_a_broken_esmf_says_what_is_wrong_with_it(tmp_path, monkeypatch, error):
    hides = "try:\n    import esmpy\nexcept Exception:\n    import ESMF\n"  # as xESMF does
    stand_in(tmp_path, monkeypatch, hides, esmpy=f"raise {error}")
    with pytest.raises(BackendError, match=r"no esmf.mk|libesmf.so") as caught:
        xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))
    assert "ESMFMKFILE" in caught.value.why
    assert "conda install -c conda-forge xesmf esmpy" in caught.value.fix


def test_files_of_the_project_do_not_hide_libraries_from_the_child(tmp_path, monkeypatch):
    """`hpcbudget.space` has a module ``parse``; another program's must be found in the child."""
    (tmp_path / "parse.py").write_text("OTHER = True\n")
    stand_in(tmp_path, monkeypatch, "import parse\nassert parse.OTHER\n" + ANY_PAIR.format("pass"))
    xesmf_weights(Grid.regular(30.0), Grid.regular(20.0))


def test_only_what_runs_in_a_child_imports_esmf():
    for path in Path(hpcbudget.__file__).parent.rglob("*.py"):
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(str(node.module).split(".")[0])
        alone = path.name in ("xesmf_worker.py", "xesmf_peer.py")
        assert alone or not names & {"esmpy", "xesmf"}, path


def test_nodes_of_boxes_and_curvilinear_grids():
    grid = Grid.boxes([90, 0, -90], [0, 90, 180, 270, 360])
    lat, lon, there, wraps = nodes(grid)
    assert lat.shape == (3, 5)
    assert there.all()
    assert wraps == (False, True)
    assert lat[:, 0].tolist() == [-90, 0, 90] or lat[:, 0].tolist() == [90, 0, -90]
    turned = Grid.boxes([-90, 0, 90], [0, 120, 240, 360], lat_axis=1, dims=("lon", "lat"))
    lat, lon, _, wraps = nodes(turned)
    assert lat.shape == (4, 3)
    assert wraps == (True, False)
    assert lon[:, 0].tolist() == [0, 120, 240, 360]
    again = Grid.curvilinear(*nodes(curvilinear())[:2])
    assert again == curvilinear()


@pytest.mark.parametrize("order", [[1, 2, 3, 0], [3, 2, 1, 0], [2, 1, 0, 3]])
def test_nodes_of_cells_that_begin_at_another_corner(order):
    grid = curvilinear()
    corners = grid.corner_lat_deg[:, order], grid.corner_lon_deg[:, order]
    found = nodes(Grid.polygons(*corners, shape=grid.shape))
    assert Grid.curvilinear(found.lat_deg, found.lon_deg) == grid


def test_columns_in_any_longitudes_share_corners():
    """0..180, then -180..0: neighbours all the same."""
    west = np.concatenate([np.arange(0.0, 180, 30), np.arange(-180.0, 0, 30)])
    grid = Grid.boxes(np.linspace(-90, 90, 7), np.stack([west, west + 30], axis=1))
    assert nodes(grid).wraps == (False, True)


def test_bad_input_grids_that_xesmf_does_not_take():
    with pytest.raises(RegridError, match="rows and columns"):
        nodes(healpix(2))
    with pytest.raises(RegridError, match="share corners"):
        nodes(Grid.boxes([[-90.0, 0], [10, 90]], [0, 180, 360]))
    loose = curvilinear()
    corner_lon = loose.corner_lon_deg.copy()
    corner_lon[5] += 0.5
    with pytest.raises(RegridError, match="share corners"):
        nodes(Grid.polygons(loose.corner_lat_deg, corner_lon, shape=loose.shape))
