# The two commands of the README are `make demo` and `make test`; both set up .venv by themselves,
# from the versions and hashes in requirements/.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
# Percent of lines that the tests must reach: what a whole run measured, less one.
COVERAGE ?= 94

SECONDS ?= 300
SEED ?=
# Of each kind of change in each design of make seeded-text.
PLACES ?= 6

# What setup.py builds a library of.
C_SOURCES := setup.py $(wildcard kan_dialect/search/*/c/*)

PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install --no-deps
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --durations 20

.PHONY: help demo test test-all test-torch test-latest pythons lint types filecheck pytest coverage \
  lock wheel fuzz golden dist benchmark seeded-bugs seeded-text reference pictures drawings docs clean

help:
	@echo "make demo         build the example network to verified RTL, print the report"
	@echo "make test         set up everything and run what a change needs"
	@echo "make test-all     make test with the tests that are only for CI, and the lines reached"
	@echo "make test-torch   the tests that need PyTorch, in an environment of their own"
	@echo "make test-latest  the newest packages instead of the locked ones: what would break"
	@echo "make pythons      types, lit and a quick subset on every Python found"
	@echo "make wheel        the built wheel in an empty environment"
	@echo "make lock         resolve the newest versions into requirements/"
	@echo "make lint, types, filecheck, pytest   the parts of make test"
	@echo "make golden     KANELE's integers through Verilator, whatever the options (some minutes)"
	@echo "make benchmark  measure the compiler's speed (minutes)"
	@echo "make fuzz       random networks and broken files: SECONDS=300 SEED=1 (goes on where it was)"
	@echo "make seeded-bugs  which checks find which bugs in the compiler (a quarter of an hour)"
	@echo "make seeded-text  what prove says of RTL that tools read differently (two minutes)"
	@echo "make reference  the text of pages that is made from the code"
	@echo "make pictures   the sweeps whose pictures the documentation has (half an hour)"
	@echo "make drawings   the pictures of IR that the documentation has (seconds)"
	@echo "make docs       the documentation as a site, in build/site"
	@echo "make dist       build wheel and sdist"
	@echo "make clean      remove what was built"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || \
	  { echo "$(PYTHON) is not Python 3.11 to 3.14: name one with make PYTHON=python3.13" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# What a user installs: the compiler, a simulator, Yosys.
$(VENV)/.demo: requirements/demo.txt pyproject.toml $(C_SOURCES) | $(BIN)/python
	@echo "Setting up $(VENV) (downloads 95 MB, takes 395 MB)"
	@$(PIP) --require-hashes --only-binary :all: --requirement requirements/demo.txt
	@$(PIP) --no-build-isolation --editable .
	@touch $@

# What a developer installs: checkers, test tools, place and route, sweeps.
$(VENV)/.test: requirements/test.txt pyproject.toml $(C_SOURCES) | $(BIN)/python
	@echo "Setting up $(VENV) (downloads 535 MB, takes 2.2 GB)"
	@$(PIP) --require-hashes --only-binary :all: --requirement requirements/test.txt
	@$(PIP) --no-build-isolation --editable .
	@touch $@ $(VENV)/.demo

# What the documentation is made with, beside the package whose reference it prints.
$(VENV)/.docs: requirements/docs.txt $(VENV)/.test
	@$(PIP) --require-hashes --only-binary :all: --requirement requirements/docs.txt
	@touch $@

demo: $(VENV)/.demo
	$(BIN)/kan-flow build examples/wine.onnx --calibration examples/wine.npz --bits 6 --output out/wine
	@echo
	@echo "next:  . $(BIN)/activate"
	@echo "       kan-run out/wine/ir/*-kan-schedule.mlir --inputs examples/wine.npz --against examples/wine.onnx"
	@echo "       kan-flow synth out/wine/rtl/wine.sv"
	@echo "       kan-flow build examples/digits.onnx --calibration examples/digits.npz --output out/digits"

test: lint types filecheck pytest

lint: $(VENV)/.test
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	@found=$$($(BIN)/lint-imports --no-logo --no-cache) || { echo "$$found"; exit 1; }

types: $(VENV)/.test
	$(BIN)/pyright --threads $(JOBS) --pythonpath $(BIN)/python

filecheck: $(VENV)/.test
	$(BIN)/lit -q -j $(JOBS) tests/filecheck

pytest: $(VENV)/.test
	$(PYTEST) -m 'not ci and not torch'

# All tests that need no PyTorch, and which lines they reach in all processes that they start.
test-all: lint types $(VENV)/.test
	@rm -rf build/coverage
	$(BIN)/coverage run $(BIN)/lit -q -j $(JOBS) tests/filecheck
	$(BIN)/coverage run -m pytest -n $(JOBS) --durations 20 -m 'not torch'
	@# Processes that tests kill leave data files that cannot be read: no warning of each.
	@$(BIN)/python -W ignore -m coverage combine --quiet
	$(BIN)/python -W ignore -m coverage report --fail-under $(COVERAGE)

test-torch: $(VENV)/.test
	$(BIN)/nox --session torch

test-latest: $(VENV)/.test
	$(BIN)/nox --session latest

pythons: $(VENV)/.test
	$(BIN)/nox --session check

wheel: $(VENV)/.test
	$(BIN)/nox --session wheel

lock: $(VENV)/.test
	$(BIN)/nox --session lock

fuzz: $(VENV)/.test
	PYTHONPATH=tests $(BIN)/python -m fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) --jobs $(JOBS)

golden: $(VENV)/.test
	PYTHONPATH=tests $(BIN)/python -m golden --jobs $(JOBS)

benchmark: $(VENV)/.test
	$(BIN)/python benchmarks/speed.py

seeded-bugs: $(VENV)/.test
	$(BIN)/python benchmarks/seeded_bugs.py
	$(BIN)/python benchmarks/seeded_wrappers.py
	$(BIN)/python benchmarks/seeded_files.py

seeded-text: $(VENV)/.test
	$(BIN)/python benchmarks/seeded_text.py --jobs $(JOBS) --places $(PLACES)

# The text of pages that is made from the code: ops, passes, options, files.
reference: $(VENV)/.test
	PYTHONPATH=docs $(BIN)/python -m generators

# The pictures of docs/reference/pictures.md.
TABLES := kan-fold-affine,kan-calibrate{data="examples/wine.npz"},kan-quantize{bits=6},kan-fold-tables
WIRES := $(TABLES),kan-expand-wires,kan-narrow,kan-fold-clamps,kan-merge-tables,kan-share-tables,$\
  kan-share-sums,kan-split-tables,kan-balance-sums,kan-schedule
FOLDED := $(TABLES),kan-fold-layers{interval=4},kan-expand-wires,kan-narrow,kan-fold-clamps,kan-schedule

drawings: $(VENV)/.test
	@mkdir -p docs/pictures
	$(BIN)/kan-opt examples/wine.onnx -t picture -o docs/pictures/network_wine.svg
	$(BIN)/kan-opt examples/wine.onnx -p '$(TABLES)' \
	  -t 'picture{of=layer0_edge3_5 original="examples/wine.onnx"}' -o docs/pictures/edge_wine.svg
	$(BIN)/kan-opt examples/wine.onnx -p '$(WIRES)' -t 'picture{of=layer1_node1}' \
	  -o docs/pictures/tree_wine.svg
	$(BIN)/kan-opt examples/wine.onnx -p '$(WIRES)' -t 'picture{of=schedule}' \
	  -o docs/pictures/schedule_layers_wine.svg
	$(BIN)/kan-opt examples/wine.onnx -p '$(FOLDED)' -t 'picture{of=schedule}' \
	  -o docs/pictures/schedule_folded_wine.svg

# The pictures of benchmarks/results/precision.md and clocks.md, and their tables.
pictures: drawings $(VENV)/.test
	@mkdir -p docs/pictures
	for name in wine digits; do \
	  $(BIN)/kan-flow sweep examples/$$name.onnx --calibration examples/$$name.npz --validation 0.5 \
	    --vary input-bits=2..10 --vary activation-bits=2..10 -o out/precision/$$name && \
	  cp out/precision/$$name/heatmap.png docs/pictures/precision_$$name.png && \
	  cp out/precision/$$name/front.png docs/pictures/front_$$name.png || exit 1; \
	done
	$(BIN)/kan-flow sweep examples/wine.onnx --calibration examples/wine.npz --vary bits=6 --schedule \
	  --pnr -o out/precision/schedule
	cp out/precision/schedule/schedule.png docs/pictures/schedule_wine.png

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "build/site/index.html"

dist: $(VENV)/.test
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) .nox build dist out *.egg-info kan_dialect/search/*.so
