"""Compiled kernels are those of the sources as they are now."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from hpcbudget.kernels import jit
from hpcbudget.kernels.jit import compiled_folder

RUN = "from hpcbudget.kernels.outer import outer; print(outer(1.0), len(outer.stats.cache_hits))"


def test_any_change_of_any_source_is_another_folder(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("x = 1\n")
    first = compiled_folder(tmp_path)
    assert first.parent == tmp_path / "__pycache__"
    (tmp_path / "b.py").write_text("x = 2\n")
    compiled_folder.cache_clear()
    assert compiled_folder(tmp_path) != first
    assert compiled_folder(tmp_path, "/else").parent == Path("/else")
    (tmp_path / "b.py").write_text("x = 1\n")
    compiled_folder.cache_clear()
    assert compiled_folder(tmp_path) == first


def test_other_users_of_numba_keep_their_folder() -> None:
    given = numba.config.CACHE_DIR
    with jit._own_folder():
        assert given != numba.config.CACHE_DIR
    assert given == numba.config.CACHE_DIR


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_what_is_built_into_a_kernel_is_built_in_anew(tmp_path: Path) -> None:
    package = tmp_path / "hpcbudget" / "kernels"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("")
    shutil.copy(jit.__file__, package / "jit.py")
    head = "from hpcbudget.kernels.jit import kernel\n"
    outer = (
        "from hpcbudget.kernels.inner import inner\n@kernel\ndef outer(x):\n    return inner(x)\n"
    )
    (package / "outer.py").write_text(head + outer)

    def said(factor: int) -> list[str]:
        inner = f"@kernel\ndef inner(x):\n    return {factor} * x\n"
        (package / "inner.py").write_text(head + inner)
        done = subprocess.run(
            [sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    assert said(2) == ["2.0", "0"]
    assert said(2) == ["2.0", "1"]  # kept
    assert said(3) == ["3.0", "0"]


def test_without_a_folder_kernels_are_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []

    def njit(**options: bool):  # type: ignore[no-untyped-def]
        if options.pop("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        made.append(options)
        return lambda function: function

    monkeypatch.setattr(jit, "njit", njit)
    assert jit.kernel(abs) is abs
    assert made == [{"nogil": True, "error_model": "numpy"}]
