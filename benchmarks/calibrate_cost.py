"""Error of the cost model of passes (`kan_dialect/devices`) against Yosys's mapping.

    python benchmarks/calibrate_cost.py                     all targets (many minutes)
    python benchmarks/calibrate_cost.py --targets ecp5 --cases 100

The cases are random tables (random, smooth, monotone and with few values; full and with don't-care
entries), adders, trees of adders, clamps, roundings of ports with formats, and nodes (tables, their
sum and its clamp). They go through lowering and emitter, then through Yosys, many in one run.
Hierarchy is kept, so that each case is counted by itself. The error is estimated over measured
cells, less one. Results are in `benchmarks/results/estimate.md`; those of whole designs are of
`benchmarks/estimate.py`.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from measurements import MarkdownTable, print_versions, some_of
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.devices.device import DEVICES, Yosys
from kan_dialect.devices.estimate import estimate
from kan_dialect.flows.tools.synthesis import Cells, read_statistics, yosys_of
from kan_dialect.flows.tools.tool_runs import run
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.types import IntType
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp
from kan_dialect.passes.balance_sums import BalanceSumsPass
from kan_dialect.passes.schedule import SchedulePass

Made: TypeAlias = Operation | list[Operation]

STYLES = ("random", "smooth", "monotone", "few values", "never come")
BATCH = 20
"""Cases in one run of Yosys."""
TARGETS = ("xcup", "ecp5", "ice40", "lut6")


@dataclass(frozen=True)
class Case:
    """A wire-level module of one function."""

    kind: str
    module: ModuleOp

    @property
    def function(self) -> func.FuncOp:
        (function,) = (op for op in self.module.ops if isinstance(op, func.FuncOp))
        return function


def entries_of(rng: np.random.Generator, style: str, size: int, bits: int) -> np.ndarray:
    """A table's entries, int64, of at most `bits` bits (two's complement)."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    x = np.linspace(-1, 1, size)
    match style:
        case "smooth" | "never come":
            # An edge function: a few bumps and a slope, as splines are.
            y = rng.normal() * x
            for _ in range(4):
                y = y + rng.normal() * np.exp(-(((x - rng.uniform(-1, 1)) / 0.4) ** 2))
        case "monotone":
            y = np.tanh(rng.uniform(0.5, 4) * (x - rng.uniform(-0.6, 0.6)))
        case "few values":
            y = rng.choice(rng.normal(size=4), size)
        case _:
            return rng.integers(low, high + 1, size)
    y = y / np.abs(y).max()
    return np.clip(np.rint(y * high), low, high).astype(np.int64)


def make_cases(count: int, seed: int = 0) -> Iterator[Case]:
    """`count` cases of each kind that is not a table; twice as many tables."""
    rng = np.random.default_rng(seed)
    for index in range(2 * count):
        style = STYLES[index % len(STYLES)]
        yield table_case(rng, style)
    ports = np.random.default_rng([seed, 1])
    for index in range(count):
        yield sum_case(rng, 2)
        yield port_case(ports)
        if index % 2:
            yield sum_case(rng, int(rng.integers(3, 9)))
            yield clamp_case(rng)
        else:
            yield node_case(rng)


def table_case(rng: np.random.Generator, style: str) -> Case:
    bits, width = int(rng.integers(3, 10)), int(rng.integers(1, 11))
    size = 1 << bits
    if style == "never come":
        size = int(rng.integers(size // 2 + 1, size))
    entries = entries_of(rng, style, size, max(2, width))
    return Case(f"table, {style}", _module([IntType(0, size - 1)], lambda x: TableOp(x, entries)))


def sum_case(rng: np.random.Generator, terms: int) -> Case:
    def kind() -> IntType:
        bits = int(rng.integers(2, 11))
        return IntType(0, (1 << bits) - 1) if rng.integers(2) else _signed(bits)

    name = "adder" if terms == 2 else "adder tree"
    return Case(name, _module([kind() for _ in range(terms)], SumOp))


def clamp_case(rng: np.random.Generator) -> Case:
    bits = int(rng.integers(4, 12))
    target = _signed(int(rng.integers(3, bits)))
    return Case("clamp", _module([_signed(bits)], lambda x: ClampOp(x[0], target.low, target.high)))


def port_case(rng: np.random.Generator) -> Case:
    """The codes of a port with a format, rounded to those of a network."""
    bits, width = int(rng.integers(8, 17)), int(rng.integers(3, 8))
    kind = _signed(bits) if rng.integers(2) else IntType(0, (1 << bits) - 1)
    shift = max(1, bits - width - int(rng.integers(0, 2)))
    whole = 1 << max(0, bits - shift)
    # The zero point of most formats is the least code or the middle.
    point = whole // 2 if kind.is_signed else 0
    point -= int(rng.choice([0, 0, 0, rng.integers(0, whole // 4 + 1)]))

    def rounded(inputs: Sequence[SSAValue]) -> list[Operation]:
        ops: list[Operation] = [ShiftOp(inputs[0], shift)]
        if point:
            constant = ConstantOp(point)
            ops += [constant, SumOp([ops[-1], constant])]
        return [*ops, ClampOp(ops[-1], 0, (1 << width) - 1)]

    return Case("port", _module([kind], rounded))


def node_case(rng: np.random.Generator) -> Case:
    bits, width, terms = int(rng.integers(4, 8)), int(rng.integers(4, 9)), int(rng.integers(2, 6))
    tables = [entries_of(rng, "smooth", 1 << bits, width) for _ in range(terms)]

    def node(inputs: Sequence[SSAValue]) -> list[Operation]:
        edges = [TableOp([x], entries) for x, entries in zip(inputs, tables, strict=True)]
        total = SumOp(edges)
        clamp = ClampOp(total, -(1 << (width - 2)), (1 << (width - 2)) - 1)
        return [*edges, total, clamp]

    return Case("node", _module([IntType(0, (1 << bits) - 1)] * terms, node))


def _signed(bits: int) -> IntType:
    return IntType(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def _module(kinds: list[IntType], body: Callable[[Sequence[SSAValue]], Made]) -> ModuleOp:
    """A function of arguments of these types. It returns the result of its last op."""
    block = Block(arg_types=kinds)
    made = body(list(block.args))
    ops = made if isinstance(made, list) else [made]
    result = ops[-1].results[0]
    block.add_ops(ops)
    return module_of("case", block, result)


def prepare(case: Case, index: int) -> str:
    """Lower `case.module` to wires without registers. Returns the SystemVerilog of a copy."""
    context = make_context()
    BalanceSumsPass().apply(context, case.module)
    SchedulePass(combinational=True).apply(context, case.module)
    case.function.properties["sym_name"] = StringAttr(f"case{index}")
    hardware = case.module.clone()
    LowerKanToHwPass().apply(context, hardware)
    return emit_systemverilog(hardware)


def measure(texts: Sequence[tuple[int, str]], target: Yosys, folder: Path) -> dict[int, Cells]:
    """The cells of each case, several in one run."""
    instances: list[str] = []
    for index, text in texts:
        header = text[text.index(f"module case{index} (") : text.index(");")]
        names = re.findall(r"(?:input|output) +wire logic *(\[.*?\])? *(\w+)", header)
        nets = [f"  wire {width} case{index}_{name};" for width, name in names]
        ports = ", ".join(f".{name}(case{index}_{name})" for _, name in names)
        instances += [*nets, f"  (* keep *) case{index} u{index} ({ports});"]
    top = "module top;\n" + "\n".join(instances) + "\nendmodule\n"
    whole = "\n".join(text for _, text in texts) + "\n`default_nettype wire\n" + top
    (folder / "cases.sv").write_text(whole)
    command = target.command.replace(" -flatten", "") + f" {target.keep_hierarchy} -top top"
    commands = f"read_verilog -sv cases.sv; {command}; tee -q -o cases.json {target.statistics}"
    run(find("yosys"), ["-q", "-p", commands], cwd=folder)
    counted = read_statistics((folder / "cases.json").read_text(), target)
    return {index: counted[f"case{index}"] for index, _ in texts if f"case{index}" in counted}


def main() -> None:
    parser = argparse.ArgumentParser(description="How far the cost model is from Yosys.")
    parser.add_argument("--targets", type=some_of(DEVICES), help="some of " + ", ".join(DEVICES))
    parser.add_argument("--cases", type=int, default=100, help="of each kind (default: 100)")
    parser.add_argument(
        "--seed", type=int, default=0, help="0: the cases that the model was made with (default)"
    )
    parser.add_argument("--kind", help="only cases of this kind, such as port")
    options = parser.parse_args()
    print_versions(tools=["yosys"])
    cases = list(make_cases(options.cases, options.seed))
    cases = [case for case in cases if options.kind in (None, case.kind)]
    texts = [(index, prepare(case, index)) for index, case in enumerate(cases)]
    lines: list[tuple[str, str, int, int]] = []
    for name in options.targets or TARGETS:
        target = yosys_of(DEVICES[name])
        measured: dict[int, Cells] = {}
        with tempfile.TemporaryDirectory() as directory:
            for start in range(0, len(texts), BATCH):
                batch = texts[start : start + BATCH]
                measured |= measure(batch, target, Path(directory))
        for index, cells in measured.items():
            expected = estimate(cases[index].function, DEVICES[name]).luts
            lines.append((name, cases[index].kind, cells.luts, expected))
    show(lines)


def show(lines: Sequence[tuple[str, str, int, int]]) -> None:
    """Print sums of cells, and median and 90th percentile of the error's size.

    Parameters
    ----------
    lines : target, kind, cells by Yosys and by estimate of each case.
    """
    groups: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for target, case_kind, *pair in lines:
        for kind in (case_kind, "all"):
            groups.setdefault((target, kind), []).append((pair[0], pair[1]))
    columns = ("target", "kind", "cases", "measured", "estimated", "median", "90th percentile")
    table = MarkdownTable(*columns)
    for (target, kind), pairs in groups.items():
        measured, estimated = np.array(pairs).T
        # Tiny cases have few cells, so one cell is forgiven.
        error = np.maximum(np.abs(estimated - measured) - 1, 0) / np.maximum(measured, 1)
        median, most = np.percentile(error, (50, 90))
        sums = measured.sum(), estimated.sum()
        table.add(target, kind, len(pairs), *sums, f"{median:.0%}", f"{most:.0%}")


if __name__ == "__main__":
    main()
