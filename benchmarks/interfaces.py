"""What ports, decisions and bus wrappers take beside a network: LUTs, registers, cycles, clock.

    python benchmarks/interfaces.py                      all parts (half an hour)
    python benchmarks/interfaces.py --parts heads

The parts, all on the shipped examples but the last:

- `formats`: ports of 12-bit codes that the hardware rounds;
- `heads`: decisions in hardware, at 6 bits for xcup;
- `wrappers`: wrappers around a network of 4 bits, and AXI4-Stream wrappers by hand
  (`wrappers_by_hand/`): `credits.sv` as an engineer would write it, with a counter of credits, two
  addresses, a memory and a chain of registers for TLAST; `stalling.sv` has a clock enable of the
  network and a skid buffer instead;
- `estimates`: wrappers of networks of integers of the benchmark set, by estimate and by Yosys.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template
from typing import Any

from measurements import EXAMPLES, MarkdownTable, print_versions, some_of, synthesized
from xdsl.dialects import hw

import kan_dialect
from kan_dialect import Network
from kan_dialect.devices.device import ECP5, XCUP, device
from kan_dialect.flows.benchmark_set.networks import chosen
from kan_dialect.flows.tools.place_and_route import place_and_route
from kan_dialect.flows.tools.synthesis import Cells
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model
from kan_dialect.search.logic_mapping.module_cost import module_cost

HEADS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "argmax": {"head": "argmax"},
    "threshold": {"head": "threshold"},
    "top-k, k=3": {"head": "top-k", "k": 3},
}
WRAPPERS = {
    "clock enable": "kan-wrap-interface{clock-enable=true}",
    "ready-valid": "kan-wrap-interface{interface=ready-valid}",
    "axi-stream": "kan-wrap-interface{interface=axi-stream}",
    "axi-stream, 32-bit beats": "kan-wrap-interface{interface=axi-stream beat-bits=32}",
    "axi-stream, TUSER of 8 bits": "kan-wrap-interface{interface=axi-stream user-bits=8}",
    "axi-lite": "kan-wrap-interface{interface=axi-lite}",
}
ESTIMATED = ("ready-valid", "axi-stream", "axi-lite")
BY_HAND = Path(__file__).with_name("wrappers_by_hand")
CONVERTER_BITS = 12
STRIVEN_MHZ = 400.0


def example(name: str) -> Network:
    return kan_dialect.load(EXAMPLES / f"{name}.onnx", data=EXAMPLES / f"{name}.npz")


def formats() -> None:
    table = MarkdownTable(
        "ports", "LUTs (Yosys)", "LUTs (estimate)", "registers", "latency", "mean output error",
        "accuracy",
    )  # fmt: skip
    wine = example("wine")
    assert wine.data is not None
    scales = 1.02 * wine.data.x.max(axis=0) / (2**CONVERTER_BITS - 1)
    rounded = ",".join(f"x{i}=u{CONVERTER_BITS}:{scale:.17g}" for i, scale in enumerate(scales))
    for label, given in (("6-bit codes", None), ("12-bit codes, rounded in hardware", rounded)):
        with tempfile.TemporaryDirectory() as folder:
            built = wine.build(folder, bits=6, input_format=given, simulator="none")
            report, cells = built.report, built.synthesize("xcup").cells
            latency = f"{report['latency_cycles']} cycles"
            luts = (cells.luts, report["estimate"]["luts"])
            errors = (f"{report['mean_abs_error']:.4f}", f"{report['accuracy']['integer']:.4f}")
            table.add(label, *luts, cells.registers, latency, *errors)


def heads() -> None:
    table = MarkdownTable("network", "head", "LUTs", "estimate", "registers", "cycles")
    for name in ("wine", "digits"):
        for head, options in HEADS.items():
            built = example(name).compile(bits=6, **options)
            cells = synthesized(built.systemverilog(), built.name, XCUP).cells
            luts = built.estimate("xcup").luts
            table.add(name, head, cells.luts, luts, cells.registers, built.latency_cycles)


def wrappers() -> None:
    table = MarkdownTable(
        "design", "xcup LUTs", "registers", "memories", "ecp5 LUTs", "registers", "memories", "MHz"
    )
    network = example("wine").compile(bits=4, fast=True)
    interface = Model.of(network.module()).interface()
    designs = {"the network alone": (network.name, network.systemverilog())}
    for label, wrapper in WRAPPERS.items():
        wrapped = network.apply(wrapper)
        designs[label] = (top_of(wrapped), wrapped.systemverilog())
    buffer_bits = (interface.latency + 2).bit_length()
    for label, core, file, address_bits in (
        ("axi-stream by hand", "the network alone", "credits", buffer_bits),
        ("axi-stream by hand, that stalls", "clock enable", "stalling", 0),
    ):
        text = designs[core][1].replace("`default_nettype none", "")
        top, wrapper = by_hand(interface, file, address_bits)
        designs[label] = (top, text + wrapper)
    for label, (top, text) in designs.items():
        ecp5 = synthesized(text, top, ECP5, with_netlist=True)
        summary = place_and_route(ecp5, None, seeds=1, frequency=STRIVEN_MHZ).summary()
        mhz = summary.get("fmax_with_inputs_mhz", summary.get("fmax_mhz", "-"))
        xcup = synthesized(text, top, XCUP).cells
        table.add(label, *sizes(xcup), *sizes(ecp5.cells), mhz)


def sizes(cells: Cells) -> tuple[int, int, int]:
    return cells.luts, cells.registers, cells.memories


def top_of(network: Network) -> str:
    """The name of the last module, which is the wrapper."""
    return wrapper_module(network).sym_name.data


def wrapper_module(network: Network) -> hw.HWModuleOp:
    return [op for op in network.module().ops if isinstance(op, hw.HWModuleOp)][-1]


def by_hand(interface: Interface, file: str, address_bits: int) -> tuple[str, str]:
    """Name and text of a wrapper by hand around a network."""
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
    text = Template((BY_HAND / f"{file}.sv").read_text()).substitute(
        name=interface.name,
        in_bits=low,
        out_bits=out_bits,
        address_bits=address_bits,
        latency=interface.latency,
        word=word,
        ports=ports,
        fields=", ".join(fields),
    )
    return f"{interface.name}_{file}", text


def estimates() -> None:
    table = MarkdownTable(
        "network", "wrapper", "target", "registers, estimate", "Yosys", "LUTs, estimate", "Yosys"
    )
    for given in (each for each in chosen([]) if each.level == "table"):
        with tempfile.TemporaryDirectory() as folder:
            for path, data in given.make().items():
                (Path(folder) / path).parent.mkdir(exist_ok=True)
                (Path(folder) / path).write_bytes(data)
            network = kan_dialect.load(Path(folder) / given.model)
        for target in (device(name) for name in ("ecp5", "ice40", "xcup")):
            core = network.compile(fast=True, target=target.name)
            alone = synthesized(core.systemverilog(), core.name, target).cells
            for interface in ESTIMATED:
                wrapped = core.apply(WRAPPERS[interface])
                whole = synthesized(wrapped.systemverilog(), top_of(wrapped), target).cells
                cost = module_cost(wrapper_module(wrapped), device(target.name))
                registers = (cost.registers, whole.registers - alone.registers)
                luts = (cost.luts, whole.luts - alone.luts)
                table.add(given.name, interface, target.name, *registers, *luts)


PARTS: dict[str, Callable[[], None]] = {
    "formats": formats,
    "heads": heads,
    "wrappers": wrappers,
    "estimates": estimates,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--parts", type=some_of(PARTS), default=list(PARTS), help="some of " + ", ".join(PARTS)
    )
    options = parser.parse_args()
    print_versions(tools=["yosys", "nextpnr-ecp5"])
    for part in options.parts:
        print(f"\n### {part}\n")
        PARTS[part]()


if __name__ == "__main__":
    main()
