"""Pieces arrive in order and as they are stored, however they are fetched; nothing stays open."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from ensembles import small_config

from hpcbudget.engine import read_ahead as room
from hpcbudget.engine.read_ahead import read_ahead
from hpcbudget.inputs import reader as readers
from hpcbudget.inputs.catalogue import open_catalogue
from hpcbudget.inputs.series import Series


def series_of(folder: Path) -> tuple[Series, ...]:
    return open_catalogue(small_config(folder / "in", chunk=5, steps=23)).series


@pytest.mark.parametrize("prefetch", [0, 1, 3])
@pytest.mark.parametrize("piece_bytes", [1.0, 2000.0, 1e9])
def test_pieces_join_up_to_what_the_store_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefetch: int, piece_bytes: float
) -> None:
    monkeypatch.setattr(room, "PIECE_BYTES", piece_bytes)
    for series in series_of(tmp_path):
        expected = series.store.read(3, 21).reshape(18, -1)
        at = 3
        for first, values in read_ahead(series, 3, 21, prefetch):
            assert first == at
            at += values.shape[0]
            np.testing.assert_array_equal(values, expected[first - 3 : at - 3])
        assert at == 21


def test_who_stops_listening_leaves_no_thread_and_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PIECE_BYTES", 1.0)
    series = series_of(tmp_path)[0]
    alive_at_close: list[bool] = []
    close = readers.Reader.close

    def watched(self: readers.Reader) -> None:
        if self._source is not None:
            alive_at_close.append(
                any(t.name.startswith("read-ahead") for t in threading.enumerate())
            )
        close(self)

    monkeypatch.setattr(readers.Reader, "close", watched)
    pieces = read_ahead(series, 0, 23, 2)
    next(pieces)
    pieces.close()
    assert alive_at_close == [False]
