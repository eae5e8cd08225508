"""The command line; the only room that prints.

Errors are one readable block on standard error, without a traceback unless ``--debug`` is given,
and decide the exit status: 2 configuration, 3 data, 4 the budget does not close, 75 run again.
"""

from __future__ import annotations

from hpcbudget.cli import benches, grids, jobs, runs, stores
from hpcbudget.cli.app import app, main

__all__ = ["app", "benches", "grids", "jobs", "main", "runs", "stores"]
