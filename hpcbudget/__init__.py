"""hpcbudget: ensembles of gridded CO2 fluxes in, a reconciled carbon budget that closes out."""

from __future__ import annotations

from hpcbudget._version import __version__

__all__ = ["__version__"]
