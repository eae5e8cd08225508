#!/usr/bin/env bash
# What a newcomer types, from a clean checkout to a report on files of their own. Needs Python 3.11+,
# make and the package index; takes the committed state of the repository it lies in.
#
#   tests/newcomer.sh [FOLDER]     FOLDER is made, and kept for a look at the report
set -euo pipefail

repository=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
cd "$folder"
git -C "$repository" archive HEAD | tar -x
unset HPCBUDGET_DATA

say() { printf '\n== %s\n' "$*"; }

say "make demo: install, synthetic ensemble, known answer"
make --no-print-directory demo | tee demo.log
grep -q "largest of all" demo.log
test -s demo/report/index.html
test -s demo/figures/global_carbon_budget.pdf

say "the tables open with nothing but the standard library"
python3 - <<'PY'
import csv
with open("demo/tables/annual.csv", newline="") as file:
    rows = [r for r in csv.DictReader(file) if (r["region"], r["component"]) == ("Globe", "land")]
values = [float(row["flux_pgc_yr"]) for row in rows]
assert len(values) == 50 and -6 < min(values) and max(values) < 0, values
print(f"{len(values)} annual land fluxes, mean {sum(values) / len(values):.2f} Pg C/yr")
PY

say "my files: look, check, plan, run"
.venv/bin/hpcbudget check configs/example.yaml --data demo
.venv/bin/hpcbudget plan configs/example.yaml --data demo --out mine
.venv/bin/hpcbudget run configs/example.yaml --data demo --out mine
.venv/bin/hpcbudget status mine
test -s mine/report/index.html

say "a mistake: one readable block and exit status 2"
sed 's/^overlap: fractional/overlap: center/' configs/example.yaml > typo.yaml
status=0
.venv/bin/hpcbudget run typo.yaml --data demo --out never 2> typo.log || status=$?
cat typo.log
test "$status" = 2
if grep -q Traceback typo.log; then exit 1; fi

say "done: $folder/demo/report/index.html"
