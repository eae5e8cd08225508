"""TLS between driver, scheduler and workers, with a key made for one run and for nothing else.

Whoever can speak to a dask scheduler can run programs as its owner. On nodes that others can reach
too, both sides must therefore show a certificate that only this run's files hold.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hpcbudget.errors import BackendError
from hpcbudget.files import unwritable

if TYPE_CHECKING:
    from distributed import Security

CERTIFICATE, KEY = "cert.pem", "key.pem"


def make_security(policy: Literal["auto", "require", "off"]) -> Security | None:
    """Make a key and a certificate that it signs itself.

    Returns
    -------
    distributed.Security or None
        None if TLS is off, or could not be had and need not be.

    Raises
    ------
    BackendError
        If it is required and the package ``cryptography`` is not installed.
    """
    if policy == "off":
        return None
    if find_spec("cryptography") is None:
        if policy == "auto":
            return None
        raise BackendError(
            "TLS is required by the site profile, and the package 'cryptography' is not installed",
            why="others on the network could run programs in your name",
            fix="python -m pip install 'hpcbudget[tls]'",
        )
    from distributed import Security

    made: Security = Security.temporary()
    return made


def write_security(security: Security, folder: Path) -> None:
    """Write key and certificate where workers on other nodes can read them, and nobody else."""
    # by name, since their type says nothing of them
    texts = {CERTIFICATE: "tls_client_cert", KEY: "tls_client_key"}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, attribute in texts.items():
            opened = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(opened, "w", encoding="ascii") as file:
                file.write(getattr(security, attribute))
    except OSError as error:
        raise unwritable(folder, error) from error


def read_security(folder: Path) -> Security:
    """Return the security that `write_security` left, by the names of its files."""
    from distributed import Security

    certificate, key = str(folder / CERTIFICATE), str(folder / KEY)
    return Security(
        tls_ca_file=certificate,
        tls_client_cert=certificate,
        tls_client_key=key,
        tls_scheduler_cert=certificate,
        tls_scheduler_key=key,
        tls_worker_cert=certificate,
        tls_worker_key=key,
        require_encryption=True,
    )
