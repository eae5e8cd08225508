"""Lets ``python -m hpcbudget.cli`` do what ``hpcbudget`` does."""

from __future__ import annotations

from hpcbudget.cli import main

main()
