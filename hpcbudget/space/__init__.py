"""Grids, exact areas, regions and zones, overlaps, weights and regridding."""

from __future__ import annotations
