"""What regridding refuses: targets it would destroy, amounts per cell, stores with lost chunks."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from hpcbudget.errors import MissingChunkError, RegridError
from hpcbudget.space.weights import Preserve

AMOUNT = re.compile(r"(?i)\b[kmpgt]?(g|mol|molc|moles?)(-?c(o2)?)?\b|\b(gt|pg|tg)|\btonnes?\b")
PER_AREA = re.compile(
    r"(?i)m\s*(\^|\*\*)?\s*\{?\s*-\s*2|/\s*[kc]?m\s*(\^|\*\*)?\s*2|ha\s*\^?\{?-\s*1|/\s*ha|degree"
)


def refuse_target(store: Path, out: Path) -> None:
    """Refuse to replace anything but an earlier result of ours."""
    source, target = store.resolve(), out.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise RegridError(
            "the result would lie in the place of its own source",
            where=str(out),
            fix="give another -o",
        )
    if not out.exists():
        return
    try:
        ours = "regridded" in json.loads((out / "zarr.json").read_text())["attributes"]
    except (OSError, ValueError, KeyError):
        ours = False
    if not ours:
        raise RegridError(
            "the target exists and was not made by regridding",
            where=str(out),
            why="it would be lost",
            fix="give another -o, or remove it yourself",
        )


def refuse_cell_totals(
    ds: xr.Dataset, names: Sequence[str], store: Path, preserve: Preserve
) -> None:
    """Refuse amounts per cell, whose sum, not whose integral over area, is the total."""
    if preserve != "integral":
        return
    for name in names:
        units = str(ds[name].attrs.get("units", ""))
        if AMOUNT.search(units) and not PER_AREA.search(units):
            raise RegridError(
                f"units {units!r} of variable {name!r} are an amount per cell, not per area",
                where=str(store),
                why="weights keep the integral over area; the sum over cells would change",
                fix="divide by the cell area first, or choose other variables with --variable",
            )


def refuse_lost_chunks(store: Path, names: Sequence[str]) -> None:
    """Raise where zarr would hand out fill values for what was lost."""
    if not store.is_dir():
        return
    import zarr

    for name in names:
        array = zarr.open_array(str(store), path=name, mode="r")
        lost = array.nchunks - array.nchunks_initialized
        if lost > 0:
            raise MissingChunkError(
                f"{lost} of {array.nchunks} chunks are not stored",
                where=f"{store}, variable {name}",
                why="fill values would take their place",
                fix="'hpcbudget verify' names them; fetch the store again",
            )
