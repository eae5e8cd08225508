"""How long a classic netCDF file (formats 1, 2 and 5) must be, from its own header.

netCDF-C fills what lies behind the end of a truncated classic file with zeros and says nothing.
For a flux a zero is a value, so the length is checked before anything is read.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from hpcbudget.errors import MissingChunkError

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
_STREAMING = {4: 0xFFFFFFFF, 8: 0xFFFFFFFFFFFFFFFF}


class _Header:
    """Cursor over the big-endian fields of a header."""

    def __init__(self, file: BinaryIO, version: int) -> None:
        self.file = file
        self.count_bytes = 8 if version == 5 else 4
        self.begin_bytes = 4 if version == 1 else 8

    def number(self, size: int) -> int:
        return int(struct.unpack(">I" if size == 4 else ">Q", self.file.read(size))[0])

    def count(self) -> int:
        return self.number(self.count_bytes)

    def skip(self, size: int) -> None:
        self.file.seek(-(-size // 4) * 4, 1)  # fields are padded to four bytes

    def list_length(self) -> int:
        self.number(4)  # tag: dimensions, attributes, variables or absent
        return self.count()

    def attributes(self) -> None:
        for _ in range(self.list_length()):
            self.skip(self.count())
            size = _TYPE_BYTES[self.number(4)]
            self.skip(self.count() * size)


def expected_bytes(path: Path) -> int | None:
    """Return the least length of a classic netCDF file; None for other formats.

    Raises
    ------
    struct.error, KeyError
        If the header itself is cut off or damaged.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        if magic[:3] != b"CDF" or magic[3] not in (1, 2, 5):
            return None
        header = _Header(file, magic[3])
        records = header.count()
        if records == _STREAMING[header.count_bytes]:
            return None
        lengths = []
        for _ in range(header.list_length()):
            header.skip(header.count())
            lengths.append(header.count())
        header.attributes()
        fixed_end, record_parts = 0, []
        for _ in range(header.list_length()):
            header.skip(header.count())
            dims = [lengths[header.count()] for _ in range(header.count())]
            header.attributes()
            size = _TYPE_BYTES[header.number(4)]
            header.count()  # vsize: recomputed, it overflows for large variables
            begin = header.number(header.begin_bytes)
            is_record = bool(dims) and dims[0] == 0
            for length in dims[1:] if is_record else dims:
                size *= length
            if is_record:
                record_parts.append((begin, size))
            else:
                fixed_end = max(fixed_end, begin + size)
    if not record_parts or not records:
        return fixed_end
    # a single record variable is not padded
    padded = [-(-size // 4) * 4 for _, size in record_parts]
    record = record_parts[0][1] if len(record_parts) == 1 else sum(padded)
    last = max(begin + size for begin, size in record_parts)
    return max(fixed_end, last + (records - 1) * record)


def check_length(path: str) -> None:
    """Refuse a classic netCDF file that is shorter than its header says.

    Raises
    ------
    MissingChunkError
        Naming both lengths.
    """
    try:
        expected = expected_bytes(Path(path))
    except (struct.error, KeyError):
        expected = None  # netCDF-C says what is wrong with a broken header
    except OSError as error:
        raise MissingChunkError(f"cannot be read: {error.strerror}", where=path) from None
    actual = Path(path).stat().st_size
    if expected is not None and actual < expected:
        raise MissingChunkError(
            f"the file is truncated: {actual} of {expected} bytes",
            where=path,
            why="the lost values would be read as zeros",
            fix="fetch the file again",
        )
