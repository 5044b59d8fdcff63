# The first `make demo` or `make test` does all the set-up; later ones only when requirements.lock
# or pyproject.toml changed.
# KILOFIELD_PYTHON=/path/to/python chooses the interpreter .venv is made with; remove .venv to change it later.

SHELL := /bin/bash
PYTHON := .venv/bin/python
READY := .venv/.ready
# Processes the tests run in; a file's tests stay together, for they share what is costly to make.
WORKERS ?= 2

.PHONY: help setup demo test lint bench tables clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo    make a sample scene, compress it, film it (at most 5 minutes on 2 cores)'
	@echo 'make test    run the tests'
	@echo 'make lint    ruff and basedpyright'
	@echo 'make bench   measure compression and write benchmarks/results/'
	@echo 'make tables  put the figures of benchmarks/results/ into README.md'
	@echo 'make setup   environment in .venv, pinned packages, OpenGL; every other target does this first'
	@echo 'make clean   remove what demo, tests and linters left (not .venv)'

$(READY): requirements.lock pyproject.toml scripts/setup.sh
	bash scripts/setup.sh
	@touch $@

setup: $(READY)

demo: $(READY)
	.venv/bin/kilofield demo

test: $(READY)
	@bash scripts/setup.sh display
	$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --durations=15

lint: $(READY)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m basedpyright

bench: $(READY)
	$(PYTHON) -m benchmarks.compression $(ARGS)

tables: $(READY)
	$(PYTHON) -m benchmarks.readme_tables

clean:
	rm -rf demo-out tests/failures .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
