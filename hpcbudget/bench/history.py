"""Results kept as JSON lines, compared with earlier ones, and shown as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpcbudget.errors import ConfigError
from hpcbudget.files import write_atomic

Rows = Sequence[Mapping[str, Any]]


def save(rows: Rows, path: Path) -> None:
    """Write rows as JSON lines."""
    text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
    write_atomic(path, text.encode())


def load(path: Path) -> list[dict[str, Any]]:
    """Read what `save` wrote.

    Raises
    ------
    ConfigError
        The file cannot be read, or is something else.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
        for row in rows:
            row["bench"], row["name"], row["ratio_to_limit"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"no result of an earlier bench: {error}",
            where=str(path),
            fix="name a file that 'hpcbudget bench --json FILE' wrote",
        ) from None
    return rows


def compare(rows: Rows, earlier: Rows) -> list[dict[str, Any]]:
    """Return rows with ``before``: the ratio to the limit that the same problem had earlier.

    Ratios are compared, not rates: the limit was measured in the same minute as the work, so a
    machine that is busier today changes both.

    Examples
    --------
    >>> now = [{"bench": "kernels", "name": "A", "ratio_to_limit": 0.9}]
    >>> compare(now, [{"bench": "kernels", "name": "A", "ratio_to_limit": 0.6}])[0]["before"]
    0.6
    """
    before = {(row["bench"], row["name"]): row["ratio_to_limit"] for row in earlier}
    return [{**row, "before": before.get((row["bench"], row["name"]))} for row in rows]


def table(rows: Rows) -> str:
    """Return rows as text: rates, the ratio to the limit, and how far ahead of peers.

    Examples
    --------
    >>> row = {"bench": "kernels", "name": "A", "gb_per_s": 9.0, "limit_gb_per_s": 10.0,
    ...        "ratio_to_limit": 0.9, "limit": "reading memory", "peers": {"flox": 20.0}}
    >>> print(table([row]))
    bench    problem  GB/s  limit  ratio  limit is        times as fast as
    kernels  A        9.00  10.00   0.90  reading memory  flox 20
    """
    compared = any(row.get("before") is not None for row in rows)
    heads = ["bench", "problem", "GB/s", "limit", "ratio", "limit is", "times as fast as"]
    if compared:
        heads.insert(5, "before")
    lines = [heads]
    for row in rows:
        cells = [
            row["bench"],
            row["name"],
            f"{row['gb_per_s']:.2f}",
            f"{row['limit_gb_per_s']:.2f}",
            f"{row['ratio_to_limit']:.2f}",
            row["limit"],
            ", ".join(f"{peer} {ratio:.3g}" for peer, ratio in row["peers"].items()),
        ]
        if compared:
            before = row.get("before")
            cells.insert(5, "" if before is None else f"{before:.2f}")
        lines.append(cells)
    numbers = {"GB/s", "limit", "ratio", "before"}
    right = [head in numbers for head in heads]
    return "\n".join(_aligned(lines, right))


def _aligned(lines: Sequence[Sequence[str]], right: Sequence[bool]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        )
        yield "  ".join(cells).rstrip()
