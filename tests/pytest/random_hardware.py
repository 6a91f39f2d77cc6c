"""Random hardware modules of every op, with inputs and the outputs that NumPy evaluates."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from xdsl.context import Context
from xdsl.dialects import comb, hw, seq
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, IntegerType, ModuleOp, StringAttr, i1, i32
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from kan_dialect.evaluate.hardware import bit_width, simulate_hardware
from kan_dialect.lowering.form_carry_chains import FormCarryChainsPass

CYCLES = 48
WIDTHS = [1, 1, 2, 3, 4, 5, 6, 8, 9, 12, 31, 32, 33, 63, 64, 65, 90]
NAMES = ["layer0_edge0_0", "logic", "x0", "a b", "1st", "sum_1", "y0", "int", "friend", "é", "clk"]


@dataclass
class RandomModule:
    """Draws a feed-forward hardware module: arithmetic, wiring, tables and registers."""

    rng: random.Random
    name: str
    block: Block = field(default_factory=Block)
    ports: list[hw.ModulePort] = field(default_factory=list)
    values: list[SSAValue] = field(default_factory=list)
    registers: int = 0

    def build(self) -> hw.HWModuleOp:
        self.clock = self._input("clk", seq.clock)
        self.reset = self._input("rst", i1)
        for index in range(self.rng.randint(1, 4)):
            self.values.append(self._input(f"x{index}", IntegerType(self._width())))
        for _ in range(self.rng.randint(5, 25)):
            self.values.append(self._any_op())
        outputs = self.rng.sample(self.values, min(len(self.values), self.rng.randint(1, 4)))
        outputs[-1] = self.values[-1]
        for index, value in enumerate(outputs):
            self.ports.append(_port(f"y{index}", value.type, hw.Direction.OUTPUT))
        self.block.add_op(hw.OutputOp(outputs))
        module_type = hw.ModuleType(ArrayAttr(self.ports))
        return hw.HWModuleOp(StringAttr(self.name), module_type, Region(self.block))

    def _input(self, name: str, kind: Attribute) -> SSAValue:
        self.ports.append(_port(name, kind, hw.Direction.INPUT))
        return self.block.insert_arg(kind, len(self.block.args))

    def _width(self) -> int:
        return self.rng.choice(WIDTHS[:10] if self.rng.random() < 0.8 else WIDTHS)

    def _add(self, op: Operation) -> SSAValue:
        nameable = not isinstance(op, hw.ArrayCreateOp | hw.ConstantOp)
        if nameable and self.rng.random() < 0.3:
            op.attributes["sv.namehint"] = StringAttr(self.rng.choice(NAMES))
        self.block.add_op(op)
        return op.results[0]

    def _constant(self, width: int) -> SSAValue:
        ends = [0, 1, (1 << width) - 1, 1 << (width - 1), (1 << (width - 1)) - 1]
        value = self.rng.choice([*ends, self.rng.getrandbits(width)]) & ((1 << width) - 1)
        return self._add(hw.ConstantOp(value, IntegerType(width)))

    def _value(self, width: int) -> SSAValue:
        """A value of that width: a constant, or what there is, cut off or extended."""
        if self.rng.random() < 0.15:
            return self._constant(width)
        value = self.rng.choice(self.values)
        given_width = bit_width(value.type)
        if given_width == width:
            return value
        if given_width > width:
            low = self.rng.randint(0, given_width - width)
            return self._add(comb.ExtractOp(value, IntegerAttr(low, i32), IntegerType(width)))
        missing = width - given_width
        if self.rng.random() < 0.5:
            upper = self._add(hw.ConstantOp(0, IntegerType(missing)))
        else:
            top = IntegerAttr(given_width - 1, i32)
            upper = self._add(comb.ExtractOp(value, top, IntegerType(1)))
            if missing > 1:
                upper = self._add(comb.ReplicateOp(upper, IntegerType(missing)))
        return self._add(comb.ConcatOp([upper, value], IntegerType(width)))

    def _any_op(self) -> SSAValue:
        draw = self.rng.choice(
            [
                self._variadic,
                self._variadic,
                self._binary,
                self._division,
                self._comparison,
                self._clamp,
                self._concat,
                self._unary,
                self._table,
                self._table,
                self._array,
                self._register,
                self._register,
            ]
        )
        return draw()

    def _variadic(self) -> SSAValue:
        kind = self.rng.choice(
            [comb.AddOp, comb.AddOp, comb.MulOp, comb.AndOp, comb.OrOp, comb.XorOp]
        )
        width = self._width()
        return self._add(kind([self._value(width) for _ in range(self.rng.randint(1, 4))]))

    def _binary(self) -> SSAValue:
        kind = self.rng.choice([comb.SubOp, comb.SubOp, comb.ShlOp, comb.ShrUOp, comb.ShrSOp])
        width = self._width()
        return self._add(kind(self._value(width), self._value(width)))

    def _division(self) -> SSAValue:
        """Divisors are odd: division by zero is unknown in simulation."""
        kind = self.rng.choice([comb.DivUOp, comb.DivSOp, comb.ModUOp, comb.ModSOp])
        width = self.rng.choice([2, 5, 9])
        one = self._add(hw.ConstantOp(1, IntegerType(width)))
        return self._add(kind(self._value(width), self._add(comb.OrOp([self._value(width), one]))))

    def _comparison(self) -> SSAValue:
        width = self._width()
        predicate = self.rng.choice(comb.ICMP_COMPARISON_OPERATIONS)
        return self._add(comb.ICmpOp(self._value(width), self._value(width), predicate))

    def _clamp(self) -> SSAValue:
        width = self._width()
        value, bound = self._value(width), self._constant(width)
        beyond = self._add(comb.ICmpOp(value, bound, self.rng.choice(["slt", "ugt"])))
        return self._add(comb.MuxOp(beyond, bound, value))

    def _concat(self) -> SSAValue:
        parts = [self._value(self.rng.randint(1, 6)) for _ in range(self.rng.randint(1, 4))]
        width = sum(bit_width(part.type) for part in parts)
        return self._add(comb.ConcatOp(parts, IntegerType(width)))

    def _unary(self) -> SSAValue:
        width = self.rng.randint(1, 8)
        value = self._value(width)
        match self.rng.randint(0, 3):
            case 0:
                return self._add(
                    comb.ReplicateOp(value, IntegerType(width * self.rng.randint(1, 3)))
                )
            case 1:
                # xDSL's constructor gives the result the operand's type.
                return self._add(comb.ParityOp.create(operands=[value], result_types=[i1]))
            case 2:
                zero = self._add(hw.ConstantOp(0, IntegerType(width)))
                return self._add(comb.SubOp(zero, value))
            case _:
                ones = self._add(hw.ConstantOp((1 << width) - 1, IntegerType(width)))
                return self._add(comb.XorOp([value, ones]))

    def _table(self) -> SSAValue:
        size, width = self.rng.choice([1, 2, 3, 4, 8, 13, 16, 64]), self._width()
        bits = size * width
        chunk = self.rng.choice([bits, 64])
        pieces: list[SSAValue] = []
        left = bits
        while left:
            part = min(chunk, left)
            left -= part
            pieces.append(self._add(hw.ConstantOp(self.rng.getrandbits(part), IntegerType(part))))
        whole = pieces[0]
        if len(pieces) > 1:
            whole = self._add(comb.ConcatOp(pieces, IntegerType(bits)))
        array = self._add(hw.BitcastOp(whole, hw.ArrayType(IntegerType(width), size)))
        self.block.add_op(get := hw.ArrayGetOp(array, self._index(size)))
        return get.result

    def _array(self) -> SSAValue:
        """An array that is computed, one way or the other."""
        size, width = self.rng.randint(1, 5), self._width()
        kind = hw.ArrayType(IntegerType(width), size)
        if self.rng.random() < 0.5:
            array = self._add(hw.ArrayCreateOp(*(self._value(width) for _ in range(size))))
        else:
            array = self._add(hw.BitcastOp(self._value(size * width), kind))
        if self.rng.random() < 0.3:
            return self._add(hw.BitcastOp(array, IntegerType(size * width)))
        return self._add(hw.ArrayGetOp(array, self._index(size)))

    def _index(self, size: int) -> SSAValue:
        """An index within an array of that size: what is beyond is unknown in simulation."""
        width = (size - 1).bit_length()
        if width == 0:
            return self._add(hw.ConstantOp(0, IntegerType(0)))
        index = self._value(width)
        if size == 1 << width:
            return index
        last = self._add(hw.ConstantOp(size - 1, IntegerType(width)))
        return self._add(comb.MuxOp(self._add(comb.ICmpOp(index, last, "ult")), index, last))

    def _register(self) -> SSAValue:
        self.registers += 1
        value = self._value(self._width())
        reset = None
        if self.rng.random() < 0.3:
            reset = (self.reset, self._constant(bit_width(value.type)))
        return self._add(seq.CompRegOp(value, self.clock, reset))


def _port(name: str, kind: Attribute, direction: hw.Direction) -> hw.ModulePort:
    return hw.ModulePort(StringAttr(name), kind, hw.DirectionAttr(direction))


@dataclass
class Batch:
    """Random modules with inputs and the outputs they should have."""

    module: ModuleOp
    inputs: list[dict[str, list[int]]]
    outputs: list[dict[str, list[int]]]
    known_from: list[int]
    """The cycle from which registers hold what was loaded, not what they woke up with."""

    @staticmethod
    def draw(seed: int, count: int) -> Batch:
        """Modules of a seed; with an odd one, their sums are adders on carry chains."""
        rng = random.Random(seed)
        module = ModuleOp([])
        batch = Batch(module, [], [], [])
        for index in range(count):
            drawn = RandomModule(rng, f"dut{index}")
            circuit = drawn.build()
            module.body.block.add_op(circuit)
            inputs = {
                port.port_name.data: _stimulus(rng, bit_width(port.type))
                for port in circuit.module_type.ports
                if port.dir.data is hw.Direction.INPUT and port.type != seq.clock
            }
            outputs = simulate_hardware(
                circuit, {name: np.array(values, dtype=object) for name, values in inputs.items()}
            )
            batch.inputs.append(inputs)
            batch.outputs.append({name: [int(v) for v in out] for name, out in outputs.items()})
            batch.known_from.append(drawn.registers)
        if seed % 2:
            FormCarryChainsPass().apply(Context(), module)
        module.verify()
        return batch

    def write(self, text: str, folder: Path) -> list[Path]:
        """Write `text` and a testbench that prints the outputs of each cycle."""
        rtl, bench = folder / "dut.sv", folder / "tb.sv"
        rtl.write_text(text)
        bench.write_text(self._testbench(folder))
        return [rtl, bench]

    def check(self, text: str, folder: Path, run: Callable[[Path, list[Path]], str]) -> None:
        """Simulate `text` and compare; cycles before `known_from` are unknown."""
        shown = [
            line.split()
            for line in run(folder, self.write(text, folder)).splitlines()
            if line[:1] == "@"
        ]
        assert len(shown) == CYCLES * sum(map(len, self.outputs))
        for cycle, index, name, value in shown:
            cycle, index = int(cycle[1:]), int(index)
            if cycle >= self.known_from[index]:
                expected = self.outputs[index][name][cycle]
                assert int(value, 16) == expected, f"dut{index}.{name} in cycle {cycle}"

    def _testbench(self, folder: Path) -> str:
        lines = ["module tb;", "  reg clk = 0;", "  integer t;"]
        loads: list[str] = []
        drives: list[str] = []
        shows: list[str] = []
        circuits = [op for op in self.module.ops if isinstance(op, hw.HWModuleOp)]
        for index, circuit in enumerate(circuits):
            pins: list[str] = []
            for port in circuit.module_type.ports:
                name = port.port_name.data
                if port.type == seq.clock:
                    pins.append(f".{name}(clk)")
                    continue
                width, signal = bit_width(port.type), f"{name}_{index}"
                pins.append(f".{name}({signal})")
                if port.dir.data is hw.Direction.OUTPUT:
                    lines.append(f"  wire [{width - 1}:0] {signal};")
                    shows.append(f'      $display("@%0d {index} {name} %h", t, {signal});')
                    continue
                file = folder / f"{signal}.hex"
                file.write_text("".join(f"{v:x}\n" for v in self.inputs[index][name]))
                last = len(self.inputs[index][name]) - 1
                lines.append(f"  reg [{width - 1}:0] {signal}, m_{signal} [0:{last}];")
                loads.append(f'    $readmemh("{file}", m_{signal});')
                drives.append(f"      {signal} = m_{signal}[t];")
            lines.append(f"  {circuit.sym_name.data} u{index} ({', '.join(pins)});")
        cycles = len(next(iter(self.inputs[0].values())))
        lines += ["  initial begin", *loads, f"    for (t = 0; t < {cycles}; t = t + 1) begin"]
        lines += [*drives, "      #1;", *shows, "      clk = 1; #1; clk = 0; #1;"]
        lines += ["    end", "    $finish;", "  end", "endmodule", ""]
        return "\n".join(lines)


def _stimulus(rng: random.Random, width: int) -> list[int]:
    corners = [0, 1, (1 << width) - 1, 1 << (width - 1), (1 << (width - 1)) - 1]
    return [
        rng.choice(corners) & ((1 << width) - 1) if rng.random() < 0.2 else rng.getrandbits(width)
        for _ in range(CYCLES)
    ]


def circuit_of(module: ModuleOp) -> hw.HWModuleOp:
    """The one hardware module of a module."""
    (circuit,) = module.ops
    assert isinstance(circuit, hw.HWModuleOp)
    return circuit


def outputs_of(module: ModuleOp, widths: Sequence[int]) -> dict[str, list[int]]:
    """The outputs for random inputs `x0`, `x1`, ... of these widths, and for the ends of ranges."""
    rng, cycles = np.random.default_rng(0), 500
    inputs = {
        f"x{i}": np.concatenate([[0, 2**bits - 1], rng.integers(0, 2**bits, cycles - 2)])
        for i, bits in enumerate(widths)
    }
    found = simulate_hardware(circuit_of(module), inputs)
    return {name: np.broadcast_to(codes, cycles).tolist() for name, codes in found.items()}
