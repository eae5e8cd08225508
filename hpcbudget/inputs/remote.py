"""Files behind URLs, through fsspec.

Zarr stores are read chunk by chunk where they are. A netCDF file is not made for that: it is
fetched once, whole, into a cache folder that all processes of a machine share.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import fsspec
from fsspec.core import url_to_fs

from hpcbudget.errors import BackendError, InputError

CACHE_VARIABLE = "HPCBUDGET_CACHE"


def is_remote(path: str) -> bool:
    """Whether a path is a URL."""
    return "://" in path


def cache_folder() -> Path:
    """Return where fetched files are kept: ``$HPCBUDGET_CACHE``, or the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "hpcbudget" / "remote"


def local_copy(url: str) -> str:
    """Fetch a remote file unless the cache holds its present version; return the local path.

    Raises
    ------
    BackendError
        If fsspec lacks a package for the protocol.
    InputError
        If it cannot be fetched.
    """
    try:
        found = fsspec.open_local(
            f"filecache::{url}",
            filecache={"cache_storage": str(cache_folder()), "check_files": True},
        )
    except Exception as error:  # each protocol raises what its library does
        raise unreachable(url, error) from None
    return str(found)


def expand_url(url: str) -> list[str]:
    """Return the URLs that a URL with wildcards stands for.

    Raises
    ------
    BackendError, InputError
        If it cannot be listed.
    """
    try:
        system, path = url_to_fs(url)
        protocol = url.partition("://")[0]
        return [f"{protocol}://{name.lstrip('/') if protocol != 'file' else name}"
                for name in sorted(map(str, system.glob(path)))]  # fmt: skip
    except Exception as error:
        raise unreachable(url, error) from None


def remote_identity(url: str) -> str:
    """Return size and version of a remote file, as far as its protocol tells them."""
    try:
        system, path = url_to_fs(url)
        told: dict[str, Any] = system.info(path)
    except Exception:
        return "absent"
    keys = ("size", "ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")
    return " ".join(f"{key}={told[key]}" for key in keys if told.get(key) is not None)


def unreachable(url: str, error: Exception) -> InputError | BackendError:
    """Say why a URL could not be read and what to install or correct."""
    protocol = url.partition("://")[0]
    if isinstance(error, ImportError):
        return BackendError(
            f"reading {protocol}:// needs a package that is not installed: {error}",
            where=url,
            fix=f"pip install the fsspec backend for {protocol}"
            " (s3fs for s3, gcsfs for gs, aiohttp for http)",
        )
    return InputError(
        f"cannot be reached: {error or type(error).__name__}",
        where=url,
        fix="check the address and your access to it, or fetch it and give the local path",
    )
