# make demo   install into .venv, run the synthetic ensemble with a known answer
# make test   install into .venv, run the tests
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slurm lint bench docs clean

help:
	@grep -E '^# ' Makefile | sed 's/^# //'

$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,test,lint]'
	touch $@

install: $(BIN)/.installed

demo: install
	$(BIN)/hpcbudget demo --out demo

test: install
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

# make test-slurm   the tests that need a running SLURM (tests/slurm/slurm-local up)
test-slurm: install
	$(BIN)/python -m pytest -m slurm

# make lint   ruff and mypy
lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# make bench   throughput of this machine, side by side with its limits
bench: install
	$(BIN)/hpcbudget bench

# make docs   build the documentation into build/docs/
docs: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/sphinx-build -W --keep-going -b html docs build/docs

clean:
	rm -rf $(VENV) build dist site demo out
