"""Compares ways of writing a table, a sum or a clamp by the size of the circuit in Yosys.

    python benchmarks/rtl_forms.py TABLES.json...     all forms (minutes)
    python benchmarks/rtl_forms.py --only clamp       one subject, which may need no file

Tables come from networks (KANELÉ truth tables, or any model that kan-opt reads) after kan-compile:
a sample of each width of codes, all in one circuit. The forms are written here, not by the emitter,
so that they stay comparable when the emitter changes. Every circuit has registers around it, which
are counted too. `docs/rationale/hardware.md` holds figures, with the versions of the tools. --check
compares all forms with each other; nothing else is asserted.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import range_of
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.ops.wire import TableOp

TABLES_OF_A_WIDTH = 16
SEED = 0


@dataclass(frozen=True)
class Circuit:
    """Ports of a combinational function, and the text that computes `y` from the `x`."""

    inputs: list[int]
    """Widths of `x0`, `x1` ..."""

    outputs: list[int]
    text: str


# Tables: the entries by bit pattern, uint, and the width of an entry.


def case_table(name: str, x: str, entries: IntArray, width: int) -> str:
    by_entry: dict[int, list[str]] = {}
    for code, entry in enumerate(entries.tolist()):
        by_entry.setdefault(entry, []).append(str(code))
    lines = [f"{', '.join(codes)}: {name} = {width}'d{e};" for e, codes in by_entry.items()]
    body = "\n".join(lines)
    return (
        f'logic [{width - 1}:0] {name}; always_comb begin (* romstyle = "logic" *) case ({x})\n'
        f"{body}\ndefault: {name} = 'x; endcase end"
    )


def planes(entries: IntArray, width: int) -> list[int]:
    """For each bit of the entries, lowest first, its values at all codes, code 0 in bit 0."""
    bits = (entries[:, np.newaxis] >> np.arange(width)) & 1
    packed = np.packbits(bits.T.astype(np.uint8), axis=1, bitorder="little")
    return [int.from_bytes(plane.tobytes(), "little") for plane in packed]


def plane_table(name: str, x: str, entries: IntArray, width: int) -> str:
    size = len(entries)
    lines = [f"wire logic [{width - 1}:0] {name};"]
    for bit, plane in enumerate(planes(entries, width)):
        lines.append(f"localparam logic [{size - 1}:0] {name}_b{bit} = {size}'h{plane:X};")
        lines.append(f"assign {name}[{bit}] = {name}_b{bit}[{x}];")
    return "\n".join(lines)


def word_table(name: str, x: str, entries: IntArray, width: int) -> str:
    whole = sum(int(entry) << width * code for code, entry in enumerate(entries))
    bits = len(entries) * width
    return (
        f"localparam logic [{bits - 1}:0] {name}_t = {bits}'h{whole:X};\n"
        f"wire logic [{width - 1}:0] {name} = {name}_t[{x} * {width} +: {width}];"
    )


def choice_table(name: str, x: str, entries: IntArray, width: int, *, upward: bool = False) -> str:
    """Nested conditions on one bit after the other, the highest first."""
    size = (len(entries) - 1).bit_length()
    lines = [f"wire logic [{width - 1}:0] {name};"]

    def tree(values: list[int], bit: int) -> str:
        if len(set(values)) == 1:
            return f"1'b{values[0]}"
        if upward:
            low, high = (tree(values[side::2], bit + 1) for side in (0, 1))
        else:
            half = len(values) // 2
            low, high = tree(values[:half], bit - 1), tree(values[half:], bit - 1)
        return low if low == high else f"({x}[{bit}] ? {high} : {low})"

    for bit in range(width):
        values = ((entries >> bit) & 1).tolist()
        lines.append(f"assign {name}[{bit}] = {tree(values, 0 if upward else size - 1)};")
    return "\n".join(lines)


TableForm = Callable[[str, str, IntArray, int], str]
TABLES: dict[str, TableForm] = {
    "case": case_table,
    "bit vectors": plane_table,
    "word vector": word_table,
    "conditions, highest bit first": choice_table,
    "conditions, lowest bit first": partial(choice_table, upward=True),
}


def table_circuit(form: TableForm, tables: list[tuple[IntArray, int, int]]) -> Circuit:
    """`tables`: entries, width, and which input they read."""
    size = (len(tables[0][0]) - 1).bit_length()
    inputs = [size] * (1 + max(source for _, _, source in tables))
    lines = [
        form(f"y{index}", f"x{source}", entries, width)
        for index, (entries, width, source) in enumerate(tables)
    ]
    return Circuit(inputs, [width for _, width, _ in tables], "\n".join(lines))


# Sums.


def plain_add(name: str, a: str, b: str, width: int) -> str:
    return f"wire logic [{width - 1}:0] {name} = {a} + {b};"


def guarded_add(name: str, a: str, b: str, width: int) -> str:
    return (
        f"wire logic [{width}:0] {name}_w = {{{a}, 1'b0}} + {{{b}, 1'b0}};\n"
        f"wire logic [{width - 1}:0] {name} = {name}_w[{width}:1];"
    )


def function_add(name: str, a: str, b: str, width: int) -> str:
    return f"wire logic [{width - 1}:0] {name} = add{width}({a}, {b});"


def add_functions(widths: set[int]) -> str:
    return "\n".join(
        f"function automatic logic [{w - 1}:0] add{w}(input logic [{w - 1}:0] a,"
        f" input logic [{w - 1}:0] b);\n"
        f"logic [{w}:0] doubled; doubled = {{a, 1'b0}} + {{b, 1'b0}}; add{w} = doubled[{w}:1];\n"
        "endfunction"
        for w in sorted(widths)
    )


AddForm = Callable[[str, str, str, int], str]
SUMS: dict[str, AddForm] = {
    "a + b": plain_add,
    "with a zero below": guarded_add,
    "as a function": function_add,
}


def sum_circuit(form: AddForm, operands: int, width: int) -> Circuit:
    """A balanced tree of unsigned numbers, each adder a bit wider than its operands."""
    terms = [(f"x{index}", width) for index in range(operands)]
    lines: list[str] = []
    widths: set[int] = set()
    while len(terms) > 1:
        pairs = list(zip(terms[::2], terms[1::2], strict=False))
        odd = terms[-1:] if len(terms) % 2 else []
        terms = []
        for (a, wide_a), (b, wide_b) in pairs:
            wide = max(wide_a, wide_b) + 1
            name = "y0" if len(pairs) == 1 and not odd else f"s{len(lines)}"
            pads = [f"{{{wide - w}'d0, {t}}}" for t, w in ((a, wide_a), (b, wide_b))]
            lines.append(form(name, *pads, wide))
            widths.add(wide)
            terms.append((name, wide))
        terms += odd
    functions = [add_functions(widths)] if form is function_add else []
    return Circuit([width] * operands, [terms[0][1]], "\n".join([*functions, *lines]))


# Clamps: of a sum of two numbers, to the signed numbers of fewer bits, and to 0 .. 2^n - 1.


def compared(s: str, wide: int, narrow: int, low: int, high: int) -> str:
    top, bottom = (f"{n}'d{abs(b)}" for n, b in ((narrow, high), (narrow, low)))
    bottom = f"-{bottom}" if low < 0 else bottom
    limit = f"-{wide}'sd{-low}" if low < 0 else f"{wide}'sd{low}"
    return (
        f"($signed({s}) > {wide}'sd{high}) ? {top} : ($signed({s}) < {limit}) ? {bottom} :"
        f" {s}[{narrow - 1}:0]"
    )


def compared_low_first(s: str, wide: int, narrow: int, low: int, high: int) -> str:
    top, bottom = f"{narrow}'d{high}", f"{narrow}'d{abs(low)}"
    bottom = f"-{bottom}" if low < 0 else bottom
    limit = f"-{wide}'sd{-low}" if low < 0 else f"{wide}'sd{low}"
    return (
        f"($signed({s}) < {limit}) ? {bottom} : ($signed({s}) > {wide}'sd{high}) ? {top} :"
        f" {s}[{narrow - 1}:0]"
    )


def tested(s: str, wide: int, narrow: int, low: int, high: int) -> str:
    """Compares the upper bits, since bounds are powers of two."""
    sign = f"{s}[{wide - 1}]"
    bit = narrow - (low < 0)
    upper = f"{s}[{wide - 2}:{bit}]"
    bottom = f"-{narrow}'d{-low}" if low < 0 else f"{narrow}'d0"
    below = f"{sign} && !(&{upper})" if low < 0 else sign
    return f"(!{sign} && |{upper}) ? {narrow}'d{high} : ({below}) ? {bottom} : {s}[{narrow - 1}:0]"


def selected(s: str, wide: int, narrow: int, low: int, high: int) -> str:
    """Tests if the number fits, and otherwise selects the end by its sign."""
    sign = f"{s}[{wide - 1}]"
    if low == 0:
        return f"(|{s}[{wide - 1}:{narrow}]) ? {{{narrow}{{~{sign}}}}} : {s}[{narrow - 1}:0]"
    upper = f"{s}[{wide - 1}:{narrow - 1}]"
    return (
        f"(&{upper} || !(|{upper})) ? {s}[{narrow - 1}:0] : {{{sign}, {{{narrow - 1}{{~{sign}}}}}}}"
    )


def masked(s: str, wide: int, narrow: int, low: int, high: int) -> str:
    """Sets all bits of a number above the range, clears those of one below, keeps the sign."""
    sign = f"{s}[{wide - 1}]"
    bit = narrow - (low < 0)
    upper = f"{s}[{wide - 2}:{bit}]"
    below = f"({sign} && !(&{upper}))" if low < 0 else sign
    body = f"({s}[{bit - 1}:0] | {{{bit}{{!{sign} && |{upper}}}}}) & ~{{{bit}{{{below}}}}}"
    return f"{{{sign}, {body}}}" if low < 0 else body


ClampForm = Callable[[str, int, int, int, int], str]
CLAMPS: dict[str, ClampForm] = {
    "comparisons, high first": compared,
    "comparisons, low first": compared_low_first,
    "upper bits": tested,
    "one test, end by the sign": selected,
    "masks": masked,
}


def clamp_circuit(form: ClampForm, registered: bool, signed: bool) -> Circuit:
    """Four sums of 10 bits, each clamped to 7 bits; the sum optionally in a register."""
    wide, narrow = 10, 7
    low, high = (-64, 63) if signed else (0, 127)
    lines: list[str] = []
    for index in range(4):
        a, b = (f"x{2 * index + side}" for side in (0, 1))
        lines.append(
            f"logic [{wide - 1}:0] s{index}; "
            f"{'always_ff @(posedge clk)' if registered else 'always_comb'} s{index} "
            f"{'<=' if registered else '='} {{{a}[8], {a}}} + {{{b}[8], {b}}};"
        )
        lines.append(
            f"wire logic [{narrow - 1}:0] y{index} = {form(f's{index}', wide, narrow, low, high)};"
        )
    return Circuit([wide - 1] * 8, [narrow] * 4, "\n".join(lines))


# What is measured.


@lru_cache
def tables_of(files: tuple[str, ...]) -> dict[int, list[tuple[IntArray, int, int]]]:
    """A sample of tables for each number of input bits. Tables of a network share its inputs."""
    found: dict[int, list[tuple[IntArray, int, int]]] = {}
    for file in files:
        context = make_context()
        module = load_model(context, Path(file))
        for stage in CompilePass().expand():
            if stage.name == "lower-kan-to-hw":
                break
            stage.apply(context, module)
        sources: dict[int, dict[object, int]] = {}
        for op in module.walk():
            if not isinstance(op, TableOp) or len(op.inputs) != 1:
                continue
            bits, width = range_of(op.inputs[0]).bits, range_of(op.result).bits
            tables = found.setdefault(bits, [])
            start = 1 + max((source for _, _, source in tables), default=-1)
            own = sources.setdefault(bits, {})
            source = own.setdefault(op.inputs[0], start if not own else max(own.values()) + 1)
            tables.append((op.by_bit_pattern & ((1 << width) - 1), width, source))
    rng = np.random.default_rng(SEED)
    sample: dict[int, list[tuple[IntArray, int, int]]] = {}
    for bits, tables in sorted(found.items()):
        chosen = sorted(rng.permutation(len(tables))[:TABLES_OF_A_WIDTH].tolist())
        numbers: dict[int, int] = {}
        sample[bits] = [
            (entries, width, numbers.setdefault(source, len(numbers)))
            for entries, width, source in (tables[index] for index in chosen)
        ]
    return sample


def circuits(files: list[str]) -> Iterator[tuple[str, str, Circuit]]:
    """Subject, form, circuit."""
    for bits, tables in tables_of(tuple(files)).items():
        for name, form in TABLES.items():
            yield f"table, {len(tables)} of {bits} bits", name, table_circuit(form, tables)
    for operands in (2, 3, 4, 8, 16):
        for name, form in SUMS.items():
            yield f"sum of {operands}, 8 bits", name, sum_circuit(form, operands, 8)
    for signed in (True, False):
        for registered in (False, True):
            for name, form in CLAMPS.items():
                when = "before" if registered else "in"
                subject = f"clamp to {'i7' if signed else 'u7'}, sum {when} the stage"
                yield subject, name, clamp_circuit(form, registered, signed)


def module(circuit: Circuit) -> str:
    """With registers at inputs and outputs."""
    ports = ["input wire logic clk"]
    body: list[str] = []
    for index, width in enumerate(circuit.inputs):
        ports.append(f"input wire logic [{width - 1}:0] i{index}")
        body.append(
            f"logic [{width - 1}:0] x{index}; always_ff @(posedge clk) x{index} <= i{index};"
        )
    body.append(circuit.text)
    for index, width in enumerate(circuit.outputs):
        ports.append(f"output logic [{width - 1}:0] o{index}")
        body.append(f"always_ff @(posedge clk) o{index} <= y{index};")
    return f"module form ({', '.join(ports)});\n" + "\n".join(body) + "\nendmodule\n"


@dataclass(frozen=True)
class Result:
    cells: int
    """xcup: estimated LCs."""

    registers: int
    luts: int
    """ECP5: LUT4s, carry cells among them two each."""

    megahertz: float | None


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(
            f"{command[0]} failed in {folder}:\n{done.stdout[-800:]}{done.stderr[-800:]}"
        )
    return done.stdout + done.stderr


def measured(circuit: Circuit, placed: bool) -> Result:
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "form.sv").write_text(module(circuit))
        read = "read_verilog -sv form.sv"
        xilinx = "synth_xilinx -family xcup -flatten -noiopad -noclkbuf -abc9"
        text = run(["yosys", "-p", f"{read}; {xilinx}; stat -tech xilinx"], folder)
        text = text[text.rindex("Number of cells") :]
        cells = re.findall(r"Estimated number of LCs:\s+(\d+)", text)[-1]
        registers = sum(int(n) for n in re.findall(r"FD[RSCP]E\s+(\d+)", text))
        text = run(["yosys", "-p", f"{read}; synth_ecp5 -abc9 -json form.json; stat"], folder)
        text = text[text.rindex("Number of cells") :]
        luts = sum(int(n) for n in re.findall(r"LUT4\s+(\d+)", text))
        luts += 2 * sum(int(n) for n in re.findall(r"CCU2C\s+(\d+)", text))
        megahertz = None
        if placed:
            device = ["--85k", "--package", "CABGA756", "--out-of-context", "--freq", "500"]
            command = ["nextpnr-ecp5", *device, "--seed", "1", "--json", "form.json"]
            found = re.findall(r"Max frequency for clock.*?([\d.]+) MHz", run(command, folder))
            megahertz = float(found[-1])
        return Result(int(cells), registers, luts, megahertz)


def check(circuits: list[Circuit]) -> None:
    """Check that all circuits have the same outputs for random inputs, in Icarus."""
    printed: set[str] = set()
    for circuit in circuits:
        values = np.random.default_rng(SEED).integers(0, 1 << 62, (200, len(circuit.inputs)))
        steps: list[str] = []
        for row in values.tolist():
            for index, (width, value) in enumerate(zip(circuit.inputs, row, strict=True)):
                steps.append(f"i{index} = {width}'d{value % (1 << width)};")
            steps.append("repeat (4) begin #1 clk = 1; #1 clk = 0; end show;")
        names = ", ".join(f"o{index}" for index in range(len(circuit.outputs)))
        bench = [
            "module bench; reg clk = 0;",
            *(f"reg [{width - 1}:0] i{index};" for index, width in enumerate(circuit.inputs)),
            *(f"wire [{width - 1}:0] o{index};" for index, width in enumerate(circuit.outputs)),
            f'form dut (.*); task show; $display("%h", {{{names}}}); endtask',
            "initial begin",
            *steps,
            "end endmodule",
        ]
        with tempfile.TemporaryDirectory() as directory:
            folder = Path(directory)
            (folder / "form.sv").write_text(module(circuit) + "\n".join(bench))
            run(["iverilog", "-g2012", "-s", "bench", "-o", "sim", "form.sv"], folder)
            printed.add(run(["vvp", "sim"], folder))
    if len(printed) != 1:
        raise SystemExit("forms differ")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("files", nargs="*", help="models to take tables from")
    parser.add_argument("--only", default="", help="only subjects that begin with this")
    parser.add_argument("--place", action="store_true", help="with the frequency on an ECP5")
    parser.add_argument("--check", action="store_true", help="compare the forms in Icarus")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    wanted = [entry for entry in circuits(arguments.files) if entry[0].startswith(arguments.only)]
    if arguments.check:
        for subject in dict.fromkeys(entry[0] for entry in wanted):
            check([circuit for s, _, circuit in wanted if s == subject])
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = pool.map(lambda entry: measured(entry[2], arguments.place), wanted)
        previous = ""
        for (subject, form, _), result in zip(wanted, results, strict=True):
            shown = subject if subject != previous else ""
            previous = subject
            fast = "" if result.megahertz is None else f"{result.megahertz:.0f}"
            figures = f"{result.cells} | {result.registers} | {result.luts} | {fast}"
            print(f"| {shown} | {form} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
