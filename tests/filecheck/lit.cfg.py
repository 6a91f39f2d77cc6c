"""lit configuration: `kan-opt` and friends of the running environment, FileCheck in Python."""

import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from forked_tools import ForkedTools

config.name = "kan-dialect"  # noqa: F821 (lit provides `config`)
config.test_format = ForkedTools()  # noqa: F821
config.suffixes = [".mlir"]  # noqa: F821
config.test_source_root = str(Path(__file__).parent)  # noqa: F821
config.test_exec_root = str(Path(__file__).parent.parent.parent / "build" / "filecheck")  # noqa: F821

scripts = str(Path(sys.executable).parent)
config.environment["PATH"] = os.pathsep.join([scripts, os.environ["PATH"]])  # noqa: F821
# So that lines which the tools reach are counted, where they are.
config.environment.update({k: v for k, v in os.environ.items() if k.startswith("COVERAGE_")})  # noqa: F821
# What simulations have in common is compiled once.
config.environment["KAN_CACHE"] = str(Path(config.test_exec_root).parent / "cache")  # noqa: F821
if shutil.which("verilator"):
    config.available_features.add("verilator")  # noqa: F821
