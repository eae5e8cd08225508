"""Keys are made for one run, can be used by others who have them, and are read by nobody else."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from hpcbudget.engine.slurm import tls
from hpcbudget.errors import BackendError


def test_what_is_written_is_a_working_private_key(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    made = tls.make_security("require")
    assert made is not None
    tls.write_security(made, tmp_path / "keys")
    for name in (tls.CERTIFICATE, tls.KEY):
        assert (tmp_path / "keys" / name).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    read = tls.read_security(tmp_path / "keys")
    for role in ("client", "scheduler", "worker"):
        arguments = read.get_connection_args(role)
        assert arguments["require_encryption"]
        assert arguments["ssl_context"].verify_mode is ssl.CERT_REQUIRED


def test_each_run_has_a_key_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    keys = set()
    for name in ("a", "b"):
        made = tls.make_security("auto")
        assert made is not None
        tls.write_security(made, tmp_path / name)
        keys.add((tmp_path / name / tls.KEY).read_text())
    assert len(keys) == 2


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "find_spec", lambda _: None)
    assert tls.make_security("auto") is None
    assert tls.make_security("off") is None
    with pytest.raises(BackendError, match=r"hpcbudget\[tls\]"):
        tls.make_security("require")
