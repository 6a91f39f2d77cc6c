"""Writes a self-checking SystemVerilog testbench of hardware that trains itself.

It sends the samples, checks every output, then reads every coefficient at the memory port and
checks it as well. It depends on nothing of ours, and works in Icarus Verilog and Verilator.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kan_dialect.flows.simulate.port_words import digits, slices, to_hex
from kan_dialect.ir.constants import BoolArray, IntArray
from kan_dialect.ir.fixed_point import fixed_type
from kan_dialect.ir.types import tensor_shape
from kan_dialect.model.training.coefficient_memory import memory_map
from kan_dialect.model.training.training_step import Run, Step

_TESTBENCH = """\
// Self-checking testbench of {name}: training, then every coefficient.
//
// In this folder, with Icarus Verilog:
//   $ iverilog -g2012 -s {name}_tb -o {name}_tb.vvp {name}_tb.sv {rtl} && vvp -n {name}_tb.vvp
// or with Verilator:
//   $ verilator --binary --timing --top {name}_tb {name}_tb.sv {rtl} && ./obj_dir/V{name}_tb
//
// It ends with "PASS" and counts, or with "FAIL", the first mismatch and an error status.
// {name}_samples.hex: train, inputs and targets of a sample a line;
// {name}_outputs.hex: its outputs;
// {name}_coefficients.hex: address and final value of a coefficient a line.

module {name}_tb;
  localparam int SAMPLES = {samples};
  localparam int COEFFICIENTS = {coefficients};

  logic [{sample_msb}:0] samples [0:SAMPLES-1];
  logic [{output_msb}:0] outputs [0:SAMPLES-1];
  logic [{word_msb}:0] coefficients [0:COEFFICIENTS-1];

  logic clk = 0, rst = 1, in_valid = 0, train = 0, mem_valid = 0, mem_write = 0;
  wire in_ready, out_valid, mem_ready, mem_read_valid;
{declarations}
  int sent = 0, received = 0, asked = 0, read = 0, waited = 0;

  {name} dut (
{connections}
  );

  task automatic drive;
    in_valid = sent < SAMPLES;
    if (in_valid) begin
{drives}
    end
    mem_valid = received == SAMPLES && asked < COEFFICIENTS;
    if (mem_valid) mem_address = coefficients[asked]{address};
  endtask

  task automatic check;
    if (out_valid === 1'b1) begin
      if ({got} !== outputs[received]) begin
        $display("FAIL: sample %0d: %h, should be %h", received, {got}, outputs[received]);
        $fatal(1, "the design differs from the integer model");
      end
      received++;
      waited = 0;
    end
    if (mem_read_valid === 1'b1) begin
      if (mem_read_data !== coefficients[read]{word}) begin
        $display("FAIL: coefficient %0d: %h, should be %h", read, mem_read_data,
            coefficients[read]{word});
        $fatal(1, "the design differs from the integer model");
      end
      read++;
      waited = 0;
    end
    if (waited++ == 1000) begin
      $display("FAIL: nothing comes after %0d samples and %0d coefficients", received, read);
      $fatal(1, "the design stands still");
    end
  endtask

  initial begin
    $readmemh("{name}_samples.hex", samples);
    $readmemh("{name}_outputs.hex", outputs);
    $readmemh("{name}_coefficients.hex", coefficients);
    mem_data = '0;
    #1 clk = 1;
    #1 clk = 0;
    rst = 0;
    while (read < COEFFICIENTS) begin
      drive;
      #1;
      if (in_valid && in_ready) sent++;
      if (mem_valid && mem_ready) asked++;
      check;
      clk = 1;
      #1 clk = 0;
    end
    $display("PASS: %0d samples, %0d coefficients", SAMPLES, COEFFICIENTS);
    $finish;
  end
endmodule
"""


def write_training_testbench(
    directory: Path, step: Step, inputs: IntArray, targets: IntArray, train: BoolArray, run: Run
) -> Path:
    """Write NAME_tb.sv and its three files.

    Parameters
    ----------
    directory : a folder, made where it is missing.
    inputs, targets : codes (samples, in) and (samples, out), from the initial coefficients on.
    train : (samples).
    run : what the integer model gives for them.

    Returns
    -------
    The testbench.
    """
    number, target, output = (fixed_type(value) for value in (step.input, step.target, step.output))
    assert number is not None and target is not None and output is not None
    letter = "e" if step.fed_error else "t"
    xs = [(f"x{i}", number.bits) for i in range(tensor_shape(step.input)[0])]
    xs += [(f"{letter}{i}", target.bits) for i in range(tensor_shape(step.target)[0])]
    ys = [(f"y{i}", output.bits) for i in range(tensor_shape(step.output)[0])]
    held = memory_map(step)
    widths = [1, *(bits for _, bits in xs)]
    words = np.concatenate([train[:, np.newaxis], inputs, targets], axis=1)
    addresses = np.concatenate([held.addresses(k).ravel() for k in range(len(held.shapes))])
    finals = np.concatenate([state.ravel() for state in run.states])
    memory = [held.address_bits, number.bits]
    directory.mkdir(parents=True, exist_ok=True)
    for what, array, sizes in (
        ("samples", words, widths),
        ("outputs", run.outputs, [bits for _, bits in ys]),
        ("coefficients", np.stack([addresses, finals], axis=1), memory),
    ):
        limits = np.array([(1 << size) - 1 for size in sizes], dtype=np.int64)
        lines = to_hex((array.astype(np.int64) & limits).astype(np.uint64), sizes)
        (directory / f"{step.name}_{what}.hex").write_bytes(lines)
    drives = [
        f"{name} = samples[sent]{bits};"
        for name, bits in zip(["train", *(name for name, _ in xs)], slices(widths), strict=True)
    ]
    address, word = slices(memory)
    declarations = [f"logic [{bits - 1}:0] {name};" for name, bits in xs]
    declarations += [f"wire  [{bits - 1}:0] {name};" for name, bits in ys]
    declarations += [
        f"logic [{held.address_bits - 1}:0] mem_address;",
        f"logic [{number.bits - 1}:0] mem_data;",
        f"wire  [{number.bits - 1}:0] mem_read_data;",
    ]
    ports = ["clk", "rst", "in_valid", "train", *(name for name, _ in xs), "mem_valid"]
    ports += ["mem_write", "mem_address", "mem_data", "in_ready", "out_valid"]
    ports += [*(name for name, _ in ys), "mem_ready", "mem_read_valid", "mem_read_data"]
    path = directory / f"{step.name}_tb.sv"
    path.write_text(
        _TESTBENCH.format(
            name=step.name,
            rtl=f"../rtl/{step.name}.sv",
            samples=len(inputs),
            coefficients=len(finals),
            sample_msb=_line_bits(widths) - 1,
            output_msb=_line_bits([bits for _, bits in ys]) - 1,
            word_msb=_line_bits(memory) - 1,
            declarations="\n".join(f"  {line}" for line in declarations),
            connections=",\n".join(f"    .{port}({port})" for port in ports),
            drives="\n".join(f"      {line}" for line in drives),
            address=address,
            word=word,
            got=_as_line(ys),
        )
    )
    return path


def _line_bits(widths: Sequence[int]) -> int:
    return 4 * sum(digits(width) for width in widths)


def _as_line(ports: Sequence[tuple[str, int]]) -> str:
    """Ports as one vector of the bits of a line."""
    parts: list[str] = []
    for name, width in ports:
        if padding := 4 * digits(width) - width:
            parts.append(f"{padding}'d0")
        parts.append(name)
    return "{" + ", ".join(parts) + "}"
