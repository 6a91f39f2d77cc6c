"""Area and clock frequency of wrappers, against a network alone and an AXI4-Stream wrapper by hand.

    python benchmarks/wrappers.py [-o RESULTS.md] [--no-clock] [--only TEXT]
    python benchmarks/wrappers.py --estimate [-o RESULTS.md] [--only TEXT]

The network is the wine example, 13-4-3, with codes of 4 bits. The wrapper by hand is written as an
engineer would: a counter of credits, two addresses, a memory, and a chain of registers for TLAST.
The one that stalls has a clock enable of the network and a skid buffer instead.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from xdsl.dialects import hw

from kan_dialect.devices.device import device
from kan_dialect.devices.module_cost import module_cost
from kan_dialect.flows.benchmark_set.networks import SetNetwork, chosen
from kan_dialect.flows.tools.place_and_route import place_and_route, placement_on
from kan_dialect.flows.tools.synthesis import synthesize
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model

EXAMPLES = Path(__file__).parents[1] / "examples"

BY_HAND = """
module {name}_by_hand (
  input wire aclk, input wire aresetn,
  input wire s_axis_tvalid, output wire s_axis_tready,
  input wire [{in_bits}-1:0] s_axis_tdata, input wire s_axis_tlast,
  output wire m_axis_tvalid, input wire m_axis_tready,
  output wire [{out_bits}-1:0] m_axis_tdata, output wire m_axis_tlast
);
  localparam A = {address_bits};
  reg [A:0] credits;
  reg [A-1:0] wptr, rptr;
  reg [A:0] count;
  reg [{latency}-1:0] last;
  (* ram_style = "distributed" *) reg [{word}:0] mem [0:(1 << A) - 1];
  wire in = s_axis_tvalid && s_axis_tready, out = m_axis_tvalid && m_axis_tready, done;
  wire [{word}-1:0] y;
  assign s_axis_tready = credits != 0;
  assign m_axis_tvalid = count != 0;
  {name} core (.clk(aclk), .rst(~aresetn), .in_valid(in), .out_valid(done){ports});
  always @(posedge aclk) begin
    last <= {{last, s_axis_tlast}};
    if (done) mem[wptr] <= {{last[{latency}-1], y}};
    if (!aresetn) begin
      credits <= 1 << A; wptr <= 0; rptr <= 0; count <= 0;
    end else begin
      credits <= credits - in + out;
      count <= count + done - out;
      if (done) wptr <= wptr + 1'b1;
      if (out) rptr <= rptr + 1'b1;
    end
  end
  wire [{word}:0] q = mem[rptr];
  assign m_axis_tlast = q[{word}];
  assign m_axis_tdata = {{{fields}}};
endmodule
"""

STALLING = """
module {name}_stalling (
  input wire aclk, input wire aresetn,
  input wire s_axis_tvalid, output wire s_axis_tready,
  input wire [{in_bits}-1:0] s_axis_tdata, input wire s_axis_tlast,
  output wire m_axis_tvalid, input wire m_axis_tready,
  output wire [{out_bits}-1:0] m_axis_tdata, output wire m_axis_tlast
);
  reg full;
  reg [{latency}-1:0] last;
  reg [{word}:0] skid;
  wire done;
  wire [{word}-1:0] y;
  assign s_axis_tready = ~full;
  assign m_axis_tvalid = full | done;
  {name}_clock_enable core (.clk(aclk), .rst(~aresetn), .ce(~full), .in_valid(s_axis_tvalid),
    .out_valid(done){ports});
  always @(posedge aclk) begin
    if (!full) begin
      last <= {{last, s_axis_tlast}};
      skid <= {{last[{latency}-1], y}};
    end
    if (!aresetn) full <= 1'b0;
    else full <= m_axis_tvalid & ~m_axis_tready;
  end
  wire [{word}:0] q = full ? skid : {{last[{latency}-1], y}};
  assign m_axis_tlast = q[{word}];
  assign m_axis_tdata = {{{fields}}};
endmodule
"""


def by_hand(interface: Interface, address_bits: int, text: str = BY_HAND) -> str:
    """A wrapper by hand around a network."""
    ports, low = "", 0
    for port in interface.inputs:
        ports += f", .{port.name}(s_axis_tdata[{low} +: {port.width}])"
        low += -(-port.width // 8) * 8
    fields: list[str] = []
    word = out_bits = 0
    for port in interface.outputs:
        ports += f", .{port.name}(y[{word} +: {port.width}])"
        size = -(-port.width // 8) * 8
        missing = size - port.width
        sign = f"q[{word + port.width - 1}]" if port.signed else "1'b0"
        field = f"q[{word} +: {port.width}]"
        fields.insert(0, f"{{{missing}{{{sign}}}}}, {field}" if missing else field)
        word, out_bits = word + port.width, out_bits + size
    return text.format(
        name=interface.name,
        in_bits=low,
        out_bits=out_bits,
        address_bits=address_bits,
        latency=interface.latency,
        word=word,
        ports=ports,
        fields=", ".join(fields),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--no-clock", action="store_true", help="leave out place and route")
    parser.add_argument("--only", metavar="TEXT", help="designs whose names have this text")
    parser.add_argument("--estimate", action="store_true", help="compare estimates with Yosys")
    options = parser.parse_args()
    if options.estimate:
        compare_estimates(options.only, options.output)
        return
    context = make_context()
    module = load_model(context, EXAMPLES / "wine.onnx")
    CompilePass(str(EXAMPLES / "wine.npz"), bits=4, fast=True).apply(context, module)
    interface = Model.of(module).interface()
    choices = {
        "clock enable": WrapInterfacePass("valid", clock_enable=True),
        "ready-valid": WrapInterfacePass("ready-valid"),
        "axi-stream": WrapInterfacePass("axi-stream"),
        "axi-stream, 32-bit beats": WrapInterfacePass("axi-stream", beat_bits=32),
        "axi-stream, TUSER of 8 bits": WrapInterfacePass("axi-stream", user_bits=8),
        "axi-lite": WrapInterfacePass("axi-lite"),
    }
    designs = {"the network alone": (interface.name, emit_systemverilog(module))}
    core = designs["the network alone"][1].replace("`default_nettype none", "")
    text = core + by_hand(interface, (interface.latency + 2).bit_length())
    designs["axi-stream by hand"] = (f"{interface.name}_by_hand", text)
    for label, choice in choices.items():
        wrapped = module.clone()
        choice.apply(context, wrapped)
        top = [op for op in wrapped.ops if isinstance(op, hw.HWModuleOp)][-1].sym_name.data
        designs[label] = (top, emit_systemverilog(wrapped))
    stalling = designs["clock enable"][1].replace("`default_nettype none", "")
    stalling += by_hand(interface, 0, STALLING)
    designs["axi-stream by hand, that stalls"] = (f"{interface.name}_stalling", stalling)
    rows = [
        "| design | xcup LUTs | registers | memories | ecp5 LUTs | registers | memories | MHz |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    print("\n".join(rows))
    for label, (top, text) in designs.items():
        if options.only is not None and options.only not in label:
            continue
        rows.append(f"| {label} | {' | '.join(figures(top, text, not options.no_clock))} |")
        print(rows[-1], flush=True)
    if options.output is not None:
        options.output.write_text("\n".join(rows) + "\n")


def compare_estimates(only: str | None, output: Path | None) -> None:
    """Print wrappers of networks of integers of the benchmark set: by estimate, and by Yosys."""
    rows = [
        "| network | wrapper | target | registers, estimate | Yosys | LUTs, estimate | Yosys |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    print("\n".join(rows))
    for network in chosen([]):
        if network.level != "table" or (only is not None and only not in network.name):
            continue
        for target in ("ecp5", "ice40", "xcup"):
            for label, found in estimated(network, target):
                figures = " | ".join(map(str, found))
                rows.append(f"| {network.name} | {label} | {target} | {figures} |")
                print(rows[-1], flush=True)
    if output is not None:
        output.write_text("\n".join(rows) + "\n")


def estimated(network: SetNetwork, target: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Registers and LUTs of each wrapper around a network, each by estimate and by Yosys.

    Yosys's figures are those of the whole design less those of the network alone.
    """
    context = make_context()
    with tempfile.TemporaryDirectory() as folder:
        for name, data in network.make().items():
            (Path(folder) / name).parent.mkdir(exist_ok=True)
            (Path(folder) / name).write_bytes(data)
        module = load_model(context, Path(folder) / network.model)
        CompilePass(fast=True, target=target).apply(context, module)
        name = Model.of(module).name
        core = Path(folder) / f"{name}.sv"
        core.write_text(emit_systemverilog(module))
        alone = synthesize(core, device(target), top=name).cells
        for interface in ("ready-valid", "axi-stream", "axi-lite"):
            wrapped = module.clone()
            WrapInterfacePass(interface).apply(context, wrapped)
            op = [op for op in wrapped.ops if isinstance(op, hw.HWModuleOp)][-1]
            rtl, top = Path(folder) / "design.sv", op.sym_name.data
            rtl.write_text(emit_systemverilog(wrapped))
            whole = synthesize(rtl, device(target), top=top).cells
            cost = module_cost(op, device(target))
            registers = whole.registers - alone.registers
            yield interface, (cost.registers, registers, cost.luts, whole.luts - alone.luts)


def figures(top: str, text: str, clock: bool) -> list[str]:
    """LUTs, registers and memories on two families, and the clock on one."""
    found: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        rtl = Path(folder) / "design.sv"
        rtl.write_text(text)
        for name in ("xcup", "ecp5"):
            result = synthesize(rtl, device(name), top=top, with_netlist=name == "ecp5")
            cells = result.cells
            found += [str(cells.luts), str(cells.registers), str(cells.memories)]
            if name == "ecp5":
                shown = "-"
                if clock:
                    nextpnr = find(placement_on(name).nextpnr.tool)
                    routed = place_and_route(
                        result, None, seeds=1, frequency=400.0, nextpnr=nextpnr
                    )
                    summary = routed.summary()
                    shown = str(summary.get("fmax_with_inputs_mhz", summary.get("fmax_mhz", "-")))
                found.append(shown)
    return found


if __name__ == "__main__":
    main()
