"""hpcbudget: ensembles of gridded CO2 fluxes in, a reconciled carbon budget that closes out.

For notebooks: `integrate`, `ensemble` and `reconcile` work on xarray objects, and `open_run` reads
what a run has left. They are loaded when they are first asked for.
"""

from __future__ import annotations

from typing import Any

from hpcbudget._version import __version__

__all__ = ["__version__", "ensemble", "integrate", "open_run", "reconcile"]

_PLACES = {
    "ensemble": ("hpcbudget.api", "ensemble"),
    "integrate": ("hpcbudget.api", "integrate"),
    "reconcile": ("hpcbudget.api", "reconcile"),
    "open_run": ("hpcbudget.report.run", "load_run"),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _PLACES:
        raise AttributeError(f"module 'hpcbudget' has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)
