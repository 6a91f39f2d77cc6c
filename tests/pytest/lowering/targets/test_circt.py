"""The target `circt`: CIRCT parses, verifies, optimises and exports what is printed.

That its export computes the same is tested in test_hardware_semantics.py.
"""

from __future__ import annotations

import io
import re

import pytest
from xdsl.context import Context
from xdsl.dialects import comb, hw, seq
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.parser import Parser

from kan_dialect.dialect import Kan
from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.lowering.targets.circt import CirctTarget
from repository import ROOT

circt = pytest.importorskip("circt", reason="the circt package is not installed")

from circt.ir import Context as CirctContext  # noqa: E402 (only if the package is there)
from circt.ir import Module  # noqa: E402
from circt.passmanager import PassManager  # noqa: E402

PIPELINE = """
builtin.module attributes {kan.pipeline = ["kan-narrow"]} {
hw.module @model(in %clk : !seq.clock, in %rst : i1, in %x0 : i3, out valid : i1, out y0 : i4)
    attributes {kan.latency = 1 : i64, kan.ports = [#kan.port<"x0", 0:7>]} {
  %t = hw.constant -4431538 : i24
  %a = hw.bitcast %t {sv.namehint = "layer0_edge0_0_table"} : (i24) -> !hw.array<8xi3>
  %e = hw.array_get %a[%x0] : !hw.array<8xi3>, i3
  %s = comb.extract %e from 2 : (i3) -> i1
  %w = comb.concat %s, %e : i1, i3
  %bias = hw.constant {sv.namehint = "bias"} 15 : i4
  %sum = comb.add %w, %bias : i4
  %sum_s1 = seq.compreg %sum, %clk {sv.namehint = "layer0_sum0"} : i4
  %true = hw.constant true
  %false = hw.constant false
  %valid = seq.compreg %true, %clk reset %rst, %false {sv.namehint = "valid_s1"} : i1
  hw.output %valid, %sum_s1 : i1, i4
}
hw.module @second(in %clk : !seq.clock, in %x0 : i1, out y0 : i1) {
  %valid = seq.compreg %x0, %clk {sv.namehint = "valid_s1"} : i1
  hw.output %valid : i1
}
}
"""


def parse(text: str) -> ModuleOp:
    context = Context()
    for dialect in (Builtin, hw.HW, comb.Comb, seq.Seq, Kan):
        context.load_dialect(dialect)
    return Parser(context, text).parse_module()


def printed(module: ModuleOp) -> str:
    output = io.StringIO()
    CirctTarget().emit(Context(), module, output)
    return output.getvalue()


def exported(text: str, passes: str) -> str:
    """CIRCT's SystemVerilog of a module in its syntax."""
    output = io.StringIO()
    with CirctContext() as context:
        circt.register_dialects(context)
        module = Module.parse(text)
        assert module.operation.verify()
        PassManager.parse(f"builtin.module({passes})").run(module.operation)
        circt.export_verilog(module, output)
    return output.getvalue()


def test_circt_exports_the_names() -> None:
    text = exported(printed(parse(PIPELINE)), "lower-seq-to-sv")
    assert "[7:0][2:0] layer0_edge0_0_table =" in text
    assert re.search(r"reg *\[3:0\] *layer0_sum0;", text)
    assert len(re.findall(r"reg *valid_s1;", text)) == 2  # each module has its own names


def test_printing_does_not_change_the_module() -> None:
    module = parse(PIPELINE)
    before = str(module)
    assert printed(module) == printed(module)
    assert str(module) == before


def test_constants_of_more_digits_than_python_prints() -> None:
    bits = 20000
    module = parse(
        f"hw.module @m(out y : i{bits}) {{ %c = hw.constant 0 : i{bits} hw.output %c : i{bits} }}"
    )
    constant = next(op for op in module.walk() if isinstance(op, hw.ConstantOp))
    constant.properties["value"] = hw.ConstantOp((1 << bits) - 3, bits).value
    assert "FFFFFFFD" in exported(printed(module), "canonicalize").upper()


def test_a_power_on_value_is_refused() -> None:
    text = """
    hw.module @m(in %clk : !seq.clock, in %a : i4, out y : i4) {
      %r = seq.compreg %a, %clk powerOn %a : i4
      hw.output %r : i4
    }
    """
    with pytest.raises(KanError, match=r"'seq\.compreg' with a power-on value"):
        printed(parse(text))


LIT_TESTS = ROOT / "tests" / "filecheck" / "lowering"


@pytest.mark.parametrize("file", ["circt", "systemverilog", "systemverilog-expressions"])
def test_circt_takes_the_hardware_of_the_lit_tests(file: str) -> None:
    text = (LIT_TESTS / f"{file}.mlir").read_bytes()
    module = parse_text(make_context(), text, file)
    exported(printed(module), "canonicalize,cse,lower-seq-to-sv")
