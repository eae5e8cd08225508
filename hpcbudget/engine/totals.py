"""Totals: what a block yields, and the bytes it is kept as.

A step's totals are summed whole within one kernel call, over all cells of the field, in an order
that only the grid decides. So neither blocks, chunks, workers nor restarts can change a bit, and
merging means putting steps behind each other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hpcbudget.errors import LedgerError

Float = npt.NDArray[np.float64]

MAGIC = b"hpcbudget-totals 1\n"


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """Regional totals of consecutive time steps.

    Attributes
    ----------
    rate_kg_s : ndarray, shape (step, region)
        Carbon flux to the atmosphere in kg C s-1; NaN where a region has no valid cell.
    valid_m2, missing_m2 : ndarray, shape (step, region)
        Area with and without a value, in m2 of the flux's own basis (cell, land, ocean).
    audit_error : float
        Largest |zones - whole field| of the audited steps, relative to the sum of magnitudes; the
        whole field is summed by plain numpy, independently of zones and kernels.
    """

    rate_kg_s: Float
    valid_m2: Float
    missing_m2: Float
    audit_error: float = 0.0

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return int(self.rate_kg_s.shape[0])

    @classmethod
    def concatenate(cls, parts: list[Totals]) -> Self:
        """Put the steps of `parts`, given in order, behind each other."""
        return cls(
            np.concatenate([p.rate_kg_s for p in parts]),
            np.concatenate([p.valid_m2 for p in parts]),
            np.concatenate([p.missing_m2 for p in parts]),
            max(p.audit_error for p in parts),
        )

    def at(self, step_of: npt.NDArray[np.int64]) -> Self:
        """Return the totals of these steps, some of them more than once."""
        rate, valid, missing = (
            values[step_of] for values in (self.rate_kg_s, self.valid_m2, self.missing_m2)
        )
        return type(self)(rate, valid, missing, self.audit_error)

    def to_bytes(self, header: dict[str, Any]) -> bytes:
        """Serialise with a header; the first line after the magic is the checksum of the rest."""
        facts = {
            **header,
            "shape": list(self.rate_kg_s.shape),
            "audit_error": self.audit_error.hex(),
        }
        arrays = (self.rate_kg_s, self.valid_m2, self.missing_m2)
        body = json.dumps(facts, sort_keys=True).encode() + b"\n"
        body += b"".join(np.ascontiguousarray(a, dtype="<f8").tobytes() for a in arrays)
        return MAGIC + sha256(body).hexdigest().encode() + b"\n" + body

    @classmethod
    def from_bytes(cls, raw: bytes) -> tuple[Self, dict[str, Any]]:
        """Restore totals and header.

        Raises
        ------
        LedgerError
            If a single bit differs from what was written.
        """
        facts, payload = _checked(raw)
        steps, regions = facts.pop("shape")
        arrays = np.frombuffer(payload, dtype="<f8")
        if arrays.size != 3 * steps * regions:
            raise LedgerError("the totals are shorter than their header says")
        rate, valid, missing = arrays.astype(np.float64).reshape(3, steps, regions)
        return cls(rate, valid, missing, float.fromhex(facts.pop("audit_error"))), facts


def _checked(raw: bytes) -> tuple[dict[str, Any], bytes]:
    if not raw.startswith(MAGIC):
        raise LedgerError("not a file of totals, or of another version")
    checksum, _, body = raw[len(MAGIC) :].partition(b"\n")
    if sha256(body).hexdigest().encode() != checksum:
        raise LedgerError("the checksum does not match: truncated or edited")
    header, _, payload = body.partition(b"\n")
    facts: dict[str, Any] = json.loads(header)
    return facts, payload
