"""Provenance: what was read, with which versions, rules and steps."""

from __future__ import annotations

import json
import platform
import sys
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from hpcbudget._version import __version__
from hpcbudget.config import Config
from hpcbudget.engine.plan import Plan
from hpcbudget.files import write_atomic
from hpcbudget.inputs.catalogue import Catalogue
from hpcbudget.inputs.series import Series

LIBRARIES = ("numpy", "numba", "xarray", "zarr", "dask", "distributed", "netCDF4", "cftime")


def write_provenance(out: Path, config: Config, catalogue: Catalogue, plan: Plan) -> None:
    """Write ``provenance.json`` and ``config.resolved.yaml`` below `out`."""
    resolved = resolved_yaml(config)
    write_atomic(out / "config.resolved.yaml", resolved.encode())
    record = {
        "hpcbudget": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "libraries": {name: _version_of(name) for name in LIBRARIES},
        "config_sha256": sha256(resolved.encode()).hexdigest(),
        "radius_km": config.radius_km,
        "overlap": config.overlap,
        "sign": "positive to the atmosphere",
        "blocks": len(plan.blocks),
        "read_bytes": plan.read_bytes,
        "regions": list(plan.regions),
        "warnings": [str(warning) for warning in catalogue.warnings],
        "inputs": [_series(s, plan) for s in catalogue.series],
    }
    write_atomic(out / "provenance.json", json.dumps(record, indent=1, default=str).encode())


def resolved_yaml(config: Config) -> str:
    """Return the configuration with every default written out."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _series(series: Series, plan: Plan) -> dict[str, Any]:
    first, last = series.steps
    names = ("family", "model", "member", "component", "term")
    return {
        **{name: getattr(series.key, name) for name in names},
        **series.describe(),
        "fingerprint": series.store.fingerprint(first, last),
        "grid_hash": series.grid.content_hash(),
        "domain": plan.runner.domains[series.key],
        "first": series.times.label(first),
        "last": series.times.label(last - 1),
        "flux": {name: getattr(series.flux, name) for name in FLUX_FACTS},
    }


FLUX_FACTS = ("sign", "species", "area_basis", "units", "scope")


def _version_of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
