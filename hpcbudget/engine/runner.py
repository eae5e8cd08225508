"""Runner: computes one block where the data are read; the same object on a worker or alone.

While the kernel is at work on some stored chunks, the next are read and decoded by a second thread.
Memory holds ``1 + prefetch`` such reads and one domain, whatever the length of the record.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hpcbudget.engine.block import Block
from hpcbudget.engine.domain import load_integrator
from hpcbudget.engine.ledger import Ledger
from hpcbudget.engine.read_ahead import read_ahead
from hpcbudget.engine.totals import Totals
from hpcbudget.engine.work import Done
from hpcbudget.errors import HpcBudgetError, InputError
from hpcbudget.inputs.series import Series, SeriesKey
from hpcbudget.kernels.integrate import warm

# Part of every fingerprint: raise it when the same inputs would give other totals.
TOTALS_VERSION = "3"
AUDIT_EVERY = 120


@dataclass(frozen=True)
class Runner:
    """Everything a worker needs, sent to it once.

    Attributes
    ----------
    out : Path
        Output directory, on a file system that all workers share.
    series : mapping of SeriesKey to Series
    domains : mapping of SeriesKey to str
        Name (content hash) of each series' domain below ``out/domains``.
    prefetch : int
        Chunks read ahead of the kernel.
    """

    out: Path
    series: Mapping[SeriesKey, Series]
    domains: Mapping[SeriesKey, str]
    prefetch: int = 1

    def fingerprint(self, block: Block) -> str:
        """Identify all that a block's totals depend on: data, factors, weights, zones, rules."""
        series = self.series[block.key]
        parts = (
            TOTALS_VERSION,
            series.store.fingerprint(block.start, block.stop),
            np.ascontiguousarray(series.factor[block.start : block.stop]).tobytes().hex(),
            self.domains[block.key],
            series.missing,
        )
        return sha256("\n".join(parts).encode()).hexdigest()

    def warm(self) -> None:
        """Compile the kernels of integration."""
        warm()

    def run(self, block: Block) -> Done:
        """Compute a block and record it in the ledger.

        Raises
        ------
        HpcBudgetError
            Naming the block; nothing is recorded.
        """
        begin = time.perf_counter()
        try:
            totals = self.compute(block)
        except HpcBudgetError as error:
            raise error.at(f"block {block}") from error
        Ledger(self.out).record(block, self.fingerprint(block), totals)
        size = (block.stop - block.start) * self.series[block.key].store.step_bytes
        return Done(block, size, time.perf_counter() - begin)

    def compute(self, block: Block) -> Totals:
        """Read and integrate all steps of a block."""
        series = self.series[block.key]
        integrator = load_integrator(str(self.out / "domains"), self.domains[block.key])
        parts: list[Totals] = []
        audit = 0.0
        for start, values in read_ahead(series, block.start, block.stop, self.prefetch):
            sums, valid, missing, infinite = integrator(values)
            share = series.store.share(start, start + values.shape[0])
            if share is not None:
                share = share.reshape(values.shape)
                valid, missing = integrator.moving_areas(values, share)
                sums = np.where(valid > 0, sums, np.nan)
            _refuse(series, start, infinite, missing)
            for step in audited_steps(series, start, start + values.shape[0]):
                globe = float(np.nan_to_num(sums[step - start, 0]))
                audit = max(audit, integrator.audit(values[step - start], globe))
            factor = series.factor[start : start + values.shape[0], np.newaxis]
            parts.append(Totals(sums * factor, valid, missing))
        return replace(Totals.concatenate(parts), audit_error=audit)


def audited_steps(series: Series, start: int, stop: int) -> list[int]:
    """Return the steps of ``[start, stop)`` whose field is summed once more without zones.

    The first of a series and every `AUDIT_EVERY`-th of its axis: the same ones however it is cut
    into blocks, and too few to be felt.
    """
    return [s for s in range(start, stop) if s == series.steps[0] or s % AUDIT_EVERY == 0]


def _refuse(
    series: Series, start: int, infinite: npt.NDArray[np.int64], missing: npt.NDArray[np.float64]
) -> None:
    """Raise on values that no total can be made of, and on gaps where none were allowed."""
    if infinite.any():
        step = int(np.flatnonzero(infinite)[0])
        raise InputError(
            f"{int(infinite[step])} infinite values in variable {series.store.variable!r}, "
            f"step {start + step} ({series.times.label(start + step)})",
            where=str(series.key),
            why="their region's total would be infinite",
            fix="mend the file, or declare the value as fill_value",
        )
    if series.missing == "error" and missing[:, 0].any():
        step = int(np.flatnonzero(missing[:, 0])[0])
        raise InputError(
            f"missing cells ({missing[step, 0]:.4g} m2) in variable {series.store.variable!r}, "
            f"step {start + step} ({series.times.label(start + step)})",
            where=str(series.key),
            why="the configuration says missing: error for this member",
            fix="mend the file, or set missing: account to count them as missing area",
        )
