"""Plays the testbench of a network that trains in Icarus Verilog."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from shutil import copyfile

from kan_dialect.errors import KanError
from kan_dialect.flows.simulate.icarus import run_testbench


def play_training_testbench(bench: Path, rtl: Path, name: str) -> None:
    """Play NAME_tb.sv: samples of training, then every coefficient.

    Parameters
    ----------
    bench : the folder that `write_training_testbench` wrote into.

    Raises
    ------
    KanError : a number differs; or Icarus is missing or fails.
    """
    with tempfile.TemporaryDirectory(prefix="kan-training-") as directory:
        folder = Path(directory)
        copyfile(rtl, folder / "design.sv")
        for path in bench.glob(f"{name}_*"):
            copyfile(path, folder / path.name)
        printed = run_testbench(f"{name}_tb", ["design.sv", f"{name}_tb.sv"], folder)
    if re.search(r"^PASS: ", printed, re.MULTILINE) is None:
        raise KanError(f"the testbench of {name} ends without a verdict: {printed[-200:]}")
