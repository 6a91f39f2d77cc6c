"""Writes a self-checking SystemVerilog testbench of hardware that trains itself.

The testbench sends the samples and checks every output. Then it reads every coefficient at the
memory port and checks it. It does not depend on this package, and works in
Icarus Verilog and Verilator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kan_dialect.flows.simulate.port_words import digits, line_bits, slices, to_hex
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
        $fatal(1, "sample %0d differs from the integer model", received);
      end
      received++;
      waited = 0;
    end
    if (mem_read_valid === 1'b1) begin
      if (mem_read_data !== coefficients[read]{word}) begin
        $display("FAIL: coefficient %0d: %h, should be %h", read, mem_read_data,
            coefficients[read]{word});
        $fatal(1, "coefficient %0d differs from the integer model", read);
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
    directory : a folder, created if it is missing.
    inputs, targets : codes, (samples, in) and (samples, out), int64, of a run from the initial
        coefficients.
    train : whether a sample trains, (samples), bool.
    run : outputs and final coefficients of the integer model.

    Returns
    -------
    Path of the testbench.
    """
    ports = TrainingPorts.of(step)
    held = memory_map(step)
    addresses = np.concatenate([held.addresses(k).ravel() for k in range(len(held.shapes))])
    finals = np.concatenate([state.ravel() for state in run.states])
    directory.mkdir(parents=True, exist_ok=True)
    for what, array, sizes in (
        (
            "samples",
            np.concatenate([train[:, np.newaxis], inputs, targets], axis=1),
            ports.sample_widths,
        ),
        ("outputs", run.outputs, ports.output_widths),
        ("coefficients", np.stack([addresses, finals], axis=1), ports.memory_widths),
    ):
        limits = np.array([(1 << size) - 1 for size in sizes], dtype=np.int64)
        lines = to_hex((array.astype(np.int64) & limits).astype(np.uint64), sizes)
        (directory / f"{step.name}_{what}.hex").write_bytes(lines)
    path = directory / f"{step.name}_tb.sv"
    path.write_text(_testbench(step.name, ports, len(inputs), len(finals)))
    return path


@dataclass(frozen=True)
class TrainingPorts:
    """Names and widths of the ports that depend on the network, for testbenches."""

    inputs: list[tuple[str, int]]
    """Inputs, then targets or errors."""
    outputs: list[tuple[str, int]]
    memory_widths: list[int]
    """Widths of an address and of a coefficient."""

    @classmethod
    def of(cls, step: Step) -> TrainingPorts:
        number, target, output = (
            fixed_type(value) for value in (step.input, step.target, step.output)
        )
        assert number is not None and target is not None and output is not None
        letter = "e" if step.fed_error else "t"
        inputs = [(f"x{i}", number.bits) for i in range(tensor_shape(step.input)[0])]
        inputs += [(f"{letter}{i}", target.bits) for i in range(tensor_shape(step.target)[0])]
        outputs = [(f"y{i}", output.bits) for i in range(tensor_shape(step.output)[0])]
        return cls(inputs, outputs, [memory_map(step).address_bits, number.bits])

    @property
    def sample_widths(self) -> list[int]:
        """Widths of the words of a sample: `train`, inputs, targets."""
        return [1, *(bits for _, bits in self.inputs)]

    @property
    def output_widths(self) -> list[int]:
        return [bits for _, bits in self.outputs]

    def declarations(self) -> list[str]:
        """Declarations of the signals on these ports and on the memory port."""
        address_bits, bits = self.memory_widths
        return [
            *(f"logic [{width - 1}:0] {name};" for name, width in self.inputs),
            *(f"wire  [{width - 1}:0] {name};" for name, width in self.outputs),
            f"logic [{address_bits - 1}:0] mem_address;",
            f"logic [{bits - 1}:0] mem_data;",
            f"wire  [{bits - 1}:0] mem_read_data;",
        ]

    def names(self) -> list[str]:
        """Names of all ports of the design, in its order."""
        return [
            *("clk", "rst", "in_valid", "train", *(name for name, _ in self.inputs)),
            *("mem_valid", "mem_write", "mem_address", "mem_data", "in_ready", "out_valid"),
            *(name for name, _ in self.outputs),
            *("mem_ready", "mem_read_valid", "mem_read_data"),
        ]


def _testbench(name: str, ports: TrainingPorts, samples: int, coefficients: int) -> str:
    """Text of the testbench."""
    widths = ports.sample_widths
    driven = ["train", *(port for port, _ in ports.inputs)]
    drives = [
        f"{port} = samples[sent]{bits};" for port, bits in zip(driven, slices(widths), strict=True)
    ]
    address, word = slices(ports.memory_widths)
    return _TESTBENCH.format(
        name=name,
        rtl=f"../rtl/{name}.sv",
        samples=samples,
        coefficients=coefficients,
        sample_msb=line_bits(widths) - 1,
        output_msb=line_bits(ports.output_widths) - 1,
        word_msb=line_bits(ports.memory_widths) - 1,
        declarations="\n".join(f"  {line}" for line in ports.declarations()),
        connections=",\n".join(f"    .{port}({port})" for port in ports.names()),
        drives="\n".join(f"      {line}" for line in drives),
        address=address,
        word=word,
        got=_as_line(ports.outputs),
    )


def _as_line(ports: Sequence[tuple[str, int]]) -> str:
    """Concatenation of ports to the bits of a line in a vector file."""
    parts: list[str] = []
    for name, width in ports:
        if padding := 4 * digits(width) - width:
            parts.append(f"{padding}'d0")
        parts.append(name)
    return "{" + ", ".join(parts) + "}"
