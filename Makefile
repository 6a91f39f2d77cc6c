# The two commands of the README are `make demo` and `make test`; both set up .venv by themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
# Percent of lines that the tests must reach: what a whole run measured, less one.
COVERAGE ?= 95

SECONDS ?= 300
SEED ?=

.PHONY: help demo test lint tests filecheck pytest fuzz golden dist benchmark seeded-bugs pictures clean

help:
	@echo "make demo       build the example network to verified RTL, print the report"
	@echo "make test       set up everything and run all checks and tests"
	@echo "make pytest     the numeric tests alone, without counting the lines that they reach"
	@echo "make golden     KANELE's integers through Verilator, whatever the options (some minutes)"
	@echo "make benchmark  measure the compiler's speed (minutes)"
	@echo "make fuzz       random networks and broken files: SECONDS=300 SEED=1 (goes on where it was)"
	@echo "make seeded-bugs  which checks find which bugs in the compiler (a quarter of an hour)"
	@echo "make pictures   the sweeps whose pictures the documentation has (half an hour)"
	@echo "make dist       build wheel and sdist"
	@echo "make clean      remove what was built"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --quiet --upgrade pip

# What a user installs: the compiler and a simulator.
$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --quiet --editable '.[eda]'
	@touch $@

# What a developer installs: PyTorch, checkers, test tools.
$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --quiet --editable '.[eda,sweep,torch,dev]'
	@# Without its dependencies: its PyTorch layers, which a test imports, do not need TensorFlow.
	$(BIN)/python -m pip install --quiet --quiet --no-deps 'kanx>=0.2'
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo
	$(BIN)/kan-flow build examples/wine.onnx --calibration examples/wine.npz --bits 6 --output out/wine

test: lint tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# Both kinds of tests, and which lines they reach in all processes that they start.
tests: $(VENV)/.dev
	@rm -rf build/coverage
	$(BIN)/coverage run $(BIN)/lit -q -j $(JOBS) tests/filecheck
	$(BIN)/coverage run -m pytest -n $(JOBS) --dist loadfile
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under $(COVERAGE)

# Each alone, and sooner.
filecheck: $(VENV)/.dev
	$(BIN)/lit -q -j $(JOBS) tests/filecheck

pytest: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

fuzz: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) --jobs $(JOBS)

golden: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m golden --jobs $(JOBS)

benchmark: $(VENV)/.dev
	$(BIN)/python benchmarks/compile_speed.py
	$(BIN)/python benchmarks/simulation_speed.py

seeded-bugs: $(VENV)/.dev
	$(BIN)/python benchmarks/seeded_bugs.py

# The pictures of docs/precision.md and docs/hardware.md, and the tables that these quote.
pictures: $(VENV)/.dev
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
	$(BIN)/python benchmarks/shapes.py --floats --picture out/precision/shapes.png

dist: $(VENV)/.dev
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) build dist out *.egg-info
