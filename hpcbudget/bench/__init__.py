"""How fast the program is on this machine: against the machine's limits and against its peers."""

from hpcbudget.bench.history import compare, load, save, table
from hpcbudget.bench.suites import BENCHES, run

__all__ = ["BENCHES", "compare", "load", "run", "save", "table"]
