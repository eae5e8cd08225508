"""Cuts a run into blocks and computes them on dask or alone; may be killed at any instant."""
