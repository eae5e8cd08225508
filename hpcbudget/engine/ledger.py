"""Ledger: one small file per finished block, trusted by every later run and by nothing else.

A block's file is written under a name of its own, flushed and renamed. Two copies of one block may
run at once (SLURM requeues the job of a lost node while its first copy goes on): both write the
same bytes, and the last rename wins. An entry counts only if its checksum holds and its
fingerprint is that of the block as it would be computed now.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hpcbudget.engine.block import Block
from hpcbudget.engine.totals import Totals
from hpcbudget.engine.work import Unit
from hpcbudget.errors import BusyError, LedgerError
from hpcbudget.files import unwritable, write_atomic

FAILED = ".failed"
# Parallel file systems may be mounted without locks; then users must not start two drivers.
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


class Ledger:
    """The finished blocks below an output directory."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out / "ledger"

    def path(self, block: Unit) -> Path:
        """File of one block."""
        return self.folder / f"{block.name}.totals"

    def record(self, block: Block, fingerprint: str, totals: Totals) -> None:
        """Keep the totals of a finished block."""
        header = {"block": block.name, "fingerprint": fingerprint}
        path = self.path(block)
        write_atomic(path, totals.to_bytes(header))
        path.with_suffix(FAILED).unlink(missing_ok=True)

    def record_failure(self, block: Unit, why: str) -> None:
        """Keep why a block failed for good, until it is done after all."""
        write_atomic(self.path(block).with_suffix(FAILED), why.encode())

    def failures(self) -> list[str]:
        """Return why blocks failed, in the order of their names."""
        return [path.read_text() for path in sorted(self.folder.rglob(f"*{FAILED}"))]

    def find(self, block: Block, fingerprint: str) -> Totals | None:
        """Return a block's totals, or None if it is not done, damaged, or of other inputs."""
        try:
            totals, header = Totals.from_bytes(self.path(block).read_bytes())
        except (FileNotFoundError, NotADirectoryError, LedgerError, ValueError, KeyError):
            return None
        if header != {"block": block.name, "fingerprint": fingerprint}:
            return None
        return totals if totals.steps == block.stop - block.start else None

    def forget_failures(self) -> None:
        """Forget why blocks failed before: what still fails will say so again."""
        for path in self.folder.rglob(f"*{FAILED}"):
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget all blocks (``--fresh``)."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def lock(self, *, shared: bool = False) -> Iterator[None]:
        """Hold the output directory against a second driver.

        The kernel drops the lock when the process ends, however it ends.

        Raises
        ------
        BusyError
            If another driver is at work; parts (`shared`) only exclude whole drivers.
        """
        path = self.out / "driver.lock"
        try:
            self.out.mkdir(parents=True, exist_ok=True, mode=0o750)
            file = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise unwritable(path, error) from error
        with file:
            try:
                fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except OSError as error:
                file.seek(0)
                holder = file.read().strip()
                if error.errno not in NO_LOCKS and not _an_earlier_turn_of_our_job(holder):
                    raise BusyError(
                        "another driver works on this output directory",
                        where=f"{self.out} ({holder or 'unknown process'})",
                        why="two drivers would do every block twice",
                        fix="wait for it, stop it, or choose another --out",
                    ) from None
            if not shared:
                file.truncate(0)
                me = {"host": socket.gethostname(), "pid": os.getpid(), "job": _our_turn()}
                file.write(json.dumps(me))
                file.flush()
            yield


def _our_turn() -> tuple[str, int] | None:
    """Return the number of our SLURM job and how often it was requeued."""
    job = os.environ.get("SLURM_JOB_ID")
    return (job, int(os.environ.get("SLURM_RESTART_COUNT", "0"))) if job else None


def _an_earlier_turn_of_our_job(holder: str) -> bool:
    """Tell whether the lock is held by a run of this very job, requeued when its node was lost.

    That one may go on for a while. Whatever it still writes is what we write.
    """
    ours = _our_turn()
    try:
        job, turn = json.loads(holder)["job"]
    except (ValueError, KeyError, TypeError):
        return False
    return ours is not None and job == ours[0] and turn < ours[1]
