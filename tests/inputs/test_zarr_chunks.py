"""Chunks decoded by us hold what zarr says they hold, and damaged ones are refused."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ZstdCodec

from hpcbudget.errors import MissingChunkError
from hpcbudget.inputs.zarr_chunks import ChunkCodec
from hpcbudget.inputs.zarr_source import ZarrSource

CODECS: dict[str, list[Any]] = {
    "none": [],
    "lz4": [BloscCodec(cname="lz4", clevel=1, shuffle="shuffle", typesize=4)],
    "lz4+crc": [BloscCodec(cname="lz4", clevel=1, shuffle="shuffle"), Crc32cCodec()],
    "bits": [BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle", typesize=4)],
    "zstd": [ZstdCodec(level=1)],
    "zstd+crc": [ZstdCodec(level=1), Crc32cCodec()],
    "gzip": [GzipCodec(level=1)],
    "crc": [Crc32cCodec()],
}


def write(path: Path, values: np.ndarray, chunks: tuple[int, ...], **options: Any) -> None:
    root = zarr.open_group(path, mode="w")
    array = root.create_array(
        "v", shape=values.shape, dtype=values.dtype, chunks=chunks,
        config={"write_empty_chunks": True}, **options,
    )  # fmt: skip
    array[...] = values


def is_direct(path: Path) -> bool:
    array = zarr.open_group(path, mode="r")["v"]
    assert isinstance(array, zarr.Array)
    return ChunkCodec.of(array) is not None


@st.composite
def arrays(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...] | None]:
    """Shape, chunks, and shards or None."""
    n_dims = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(1, 9)) for _ in range(n_dims))
    chunks = tuple(draw(st.integers(1, 5)) for _ in range(n_dims))
    many = tuple(c * draw(st.integers(1, 3)) for c in chunks)
    return shape, chunks, many if draw(st.booleans()) else None


@settings(max_examples=60, deadline=None)
@given(arrays(), st.sampled_from(sorted(CODECS)), st.sampled_from(["f4", "f8", "i2"]), st.data())
def test_any_range_of_any_array_is_what_zarr_reads(made, codec, kind, data):
    shape, chunks, shards = made
    values = np.random.default_rng(0).integers(-99, 99, shape).astype(kind)
    index: list[int | slice] = []
    for n in shape:
        first = data.draw(st.integers(0, n - 1))
        stop = data.draw(st.integers(first + 1, n))
        index.append(data.draw(st.sampled_from([slice(first, stop), slice(None), first])))
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.zarr")
        write(path, values, chunks, shards=shards, compressors=CODECS[codec])
        assert is_direct(path)
        with ZarrSource(str(path)) as source:
            expected = values[tuple(index)]
            found = source.read("v", tuple(index))
            assert found.dtype == values.dtype
            assert found.shape == expected.shape
            np.testing.assert_array_equal(found, expected)
            into = np.full(max(expected.size, 1), 7, kind)
            again = source.fetch("v", tuple(index))(into)
            np.testing.assert_array_equal(again, expected)
            assert np.shares_memory(again, into)


@pytest.mark.parametrize(
    "compressor",
    [None, numcodecs.Blosc("lz4"), numcodecs.Zstd(), numcodecs.GZip(), numcodecs.Zlib()],
)
def test_format_2(tmp_path, compressor):
    values = np.arange(60, dtype="f4").reshape(5, 12)
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    array = root.create_array(
        "v", shape=values.shape, dtype="f4", chunks=(2, 5), compressors=compressor
    )
    array[...] = values
    assert is_direct(tmp_path / "a.zarr")
    with ZarrSource(str(tmp_path / "a.zarr")) as source:
        np.testing.assert_array_equal(source.read("v", (slice(1, 4),)), values[1:4])


@pytest.mark.parametrize(
    "options",
    [
        {"serializer": BytesCodec(endian="big")},
        {"filters": [zarr.codecs.TransposeCodec(order=(1, 0))]},
        {"compressors": [GzipCodec(level=1), ZstdCodec(level=1)]},
    ],
)
def test_other_codecs_are_left_to_zarr(tmp_path, options):
    values = np.arange(12, dtype="f4").reshape(3, 4)
    write(tmp_path / "a.zarr", values, (2, 3), **options)
    assert not is_direct(tmp_path / "a.zarr")
    with ZarrSource(str(tmp_path / "a.zarr")) as source:
        np.testing.assert_array_equal(source.read("v"), values)
        into = np.zeros(4, "f4")
        assert source.fetch("v", (1,))(into) is not None
        np.testing.assert_array_equal(into, values[1])


@pytest.mark.parametrize("codec", sorted(CODECS))
@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("damage", ["cut", "longer", "empty"])
def test_bad_input_chunks_of_another_length_are_refused(tmp_path, codec, sharded, damage):
    values = np.random.default_rng(1).normal(size=(4, 6)).astype("f4")
    shards = (2, 6) if sharded else None
    write(tmp_path / "a.zarr", values, (2, 3), shards=shards, compressors=CODECS[codec])
    for file in (tmp_path / "a.zarr/v/c").rglob("*"):
        if file.is_file():
            raw = file.read_bytes()
            file.write_bytes({"cut": raw[:-9], "longer": raw + b"\0" * 9, "empty": b""}[damage])
    with ZarrSource(str(tmp_path / "a.zarr")) as source:
        if damage == "longer" and not sharded and codec == "gzip":
            # its frame says where it ends, and zeros that follow are padding
            np.testing.assert_array_equal(source.read("v"), values)
            return
        with pytest.raises(MissingChunkError):
            source.read("v")


def test_bad_input_chunks_of_another_array_are_refused(tmp_path):
    for name, width in (("a", 6), ("b", 5)):
        values = np.ones((4, width), "f4")
        write(tmp_path / f"{name}.zarr", values, (4, width), compressors=CODECS["lz4"])
    stolen = (tmp_path / "b.zarr/v/c/0/0").read_bytes()
    (tmp_path / "a.zarr/v/c/0/0").write_bytes(stolen)
    with (
        ZarrSource(str(tmp_path / "a.zarr")) as source,
        pytest.raises(MissingChunkError, match=r"80, not 96|hold 80"),
    ):
        source.read("v")


@pytest.mark.parametrize("sharded", [False, True])
def test_bad_input_a_checksum_sees_every_flipped_bit(tmp_path, sharded):
    values = np.random.default_rng(2).normal(size=(2, 4)).astype("f4")
    shards = (2, 4) if sharded else None
    write(tmp_path / "a.zarr", values, (2, 2), shards=shards, compressors=CODECS["lz4+crc"])
    file = next(f for f in sorted((tmp_path / "a.zarr/v/c").rglob("*")) if f.is_file())
    raw = file.read_bytes()
    for place in range(len(raw)):
        damaged = bytearray(raw)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        with ZarrSource(str(tmp_path / "a.zarr")) as source, pytest.raises(MissingChunkError):
            source.read("v")
