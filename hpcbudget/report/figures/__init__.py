"""One figure a module; each is a function of tables or totals that returns a matplotlib figure."""

from __future__ import annotations
