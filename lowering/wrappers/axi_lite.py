"""The wrapper `NAME_axi_lite`: single samples through registers of 32 bits on AXI4-Lite.

Address and data of a write come in any order, and wait for each other in registers. A response
stays until the host takes it. Addresses without a register, writes to registers that cannot be
written, and commands while an earlier one is under way get SLVERR and change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import SSAValue

from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.ir.attributes.module_attributes import (
    declare_interface,
    declare_latency,
    declared_interval,
    list_encodings,
)
from kan_dialect.lowering.hw_builder import HwBuilder, integer
from kan_dialect.lowering.wrappers import register_map as layout
from kan_dialect.lowering.wrappers.register_map import BYTES, WORD, DataPort, Register, RegisterMap
from kan_dialect.lowering.wrappers.wrapper_ports import axi_lite_ports, wrapper_name

# A response is OKAY, 0, or SLVERR, 2: the bit that tells a failure, above a 0.


def axi_lite_wrapper(core: hw.HWModuleOp, latency: int) -> hw.HWModuleOp:
    """The wrapper around a core, which may be one that trains, or whose tables can be loaded.

    Parameters
    ----------
    latency : of the core, in clock cycles.
    """
    registers = layout.register_map(core, latency)
    return _AxiLite(core, registers, latency).module()


class _AxiLite:
    """Builds the wrapper of one core."""

    def __init__(self, core: hw.HWModuleOp, registers: RegisterMap, latency: int) -> None:
        self.core, self.map, self.latency = core, registers, latency
        self.ports = axi_lite_ports(registers.address_bits)
        self.build = HwBuilder()
        self.wires: dict[str, SSAValue] = {}
        self.write_enables: dict[str, SSAValue] = {}
        for port in self.ports:
            if port.direction == "input":
                kind = seq.clock if port.name == "aclk" else integer(port.bits)
                self.wires[port.name] = self.build.input(port.name, kind)
        self.build.clock = self.wires["aclk"]
        self.reset = self.build.inverted(self.wires["aresetn"], 1, "reset")

    def module(self) -> hw.HWModuleOp:
        """The module."""
        build = self.build
        self._write_channel()
        self._inputs()
        results = self._core()
        self._results(results)
        self._respond()
        outputs = {**self._read_channel(), **self.write_outputs}
        order = [port.name for port in self.ports]
        name = self.core.sym_name.data
        module = build.finish(
            StringAttr(wrapper_name(name, "axi-lite")),
            {each: outputs[each] for each in order if each in outputs},
            order,
        )
        declare_latency(module, self.latency)
        declare_interface(module, "axi-lite")
        list_encodings(module, [_RESET, *map(_line, self.map.registers)])
        return module

    # Small pieces

    def _zero(self, bits: int) -> tuple[SSAValue, SSAValue]:
        """The reset of a register to zeros."""
        return self.reset, self.build.constant(0, bits)

    def _flag(self, name: str, sets: SSAValue, clears: SSAValue) -> SSAValue:
        """A register that `sets` makes 1 and, else, `clears` makes 0."""
        flag = self.build.held(1, name, self._zero(1))
        self._drive(flag, sets, clears)
        return flag

    def _drive(self, flag: SSAValue, sets: SSAValue, clears: SSAValue) -> None:
        kept = self.build.all_of([flag, self.build.inverted(clears, 1)])
        self.build.load(flag, self.build.any_of([sets, kept]))

    def _at(self, address: SSAValue, register: Register) -> SSAValue:
        """Whether the address of a word is that of a register."""
        bits = self.map.address_bits - 2
        return self.build.equal(address, self.build.constant(register.offset // BYTES, bits))

    @cached_property
    def waits(self) -> SSAValue:
        """A register: a sample waits until the core takes it."""
        return self.build.held(1, "sample_waits", self._zero(1))

    @cached_property
    def mem_waits(self) -> SSAValue:
        """A register: a word of a table, or an access to a coefficient, waits for the core."""
        return self.build.held(1, "mem_waits", self._zero(1))

    def _waiting(self) -> list[SSAValue]:
        """The commands that a write waits for.

        A core that trains, or is folded, may take them some cycles later. A write in between would
        change their inputs, and a command might overtake them.
        """
        samples = [] if declared_interval(self.core) is None else [self.waits]
        return [*samples, self.mem_waits] if self.map.has_memory else samples

    # Writes

    def _write_channel(self) -> None:
        """Registers of the channels AW and W, and `writes`: both have come."""
        build, wires, bits = self.build, self.wires, self.map.address_bits
        self.has_address = build.held(1, "has_address", self._zero(1))
        self.has_data = build.held(1, "has_data", self._zero(1))
        self.write_waits = build.held(1, "write_waits", self._zero(1))
        awready = build.inverted(self.has_address, 1, "address_ready")
        wready = build.inverted(self.has_data, 1, "data_ready")
        takes_address = build.all_of([wires["s_axi_awvalid"], awready], "takes_address")
        takes_data = build.all_of([wires["s_axi_wvalid"], wready], "takes_data")
        address = build.held(bits - 2, "write_address")
        build.load(address, build.part(wires["s_axi_awaddr"], 2, bits - 2), takes_address)
        self.data = build.held(WORD, "write_data")
        build.load(self.data, wires["s_axi_wdata"], takes_data)
        strobes = build.held(BYTES, "write_strobes")
        build.load(strobes, wires["s_axi_wstrb"], takes_data)
        free = build.inverted(build.any_of([self.write_waits, *self._waiting()]), 1)
        self.writes = build.all_of([self.has_address, self.has_data, free], "writes")
        self._drive(self.has_address, takes_address, self.writes)
        self._drive(self.has_data, takes_data, self.writes)
        self.address = address
        self.strobes = [build.part(strobes, byte, 1) for byte in range(BYTES)]
        self.write_outputs = {"s_axi_awready": awready, "s_axi_wready": wready}

    def _writes_to(self, register: Register) -> SSAValue:
        name = f"writes_{register.name.lower()}"
        if name not in self.write_enables:
            wanted = [self.writes, self._at(self.address, register)]
            self.write_enables[name] = self.build.all_of(wanted, name)
        return self.write_enables[name]

    def _command(self, register: Register, bit: int, name: str) -> SSAValue:
        """Whether a write has a bit of a command's register set, and its byte valid."""
        set_bit = self.build.part(self.data, bit, 1)
        wanted = [self._writes_to(register), self.strobes[bit // 8], set_bit]
        return self.build.all_of(wanted, name)

    def _inputs(self) -> None:
        """The registers that hold the inputs of the core."""
        build = self.build
        self.held: dict[str, SSAValue] = {}
        self.held_bytes: dict[str, list[SSAValue]] = {}
        for port in self.map.ports:
            if port.is_output:
                continue
            words: list[SSAValue] = []
            for register in self.map.of_port(port.name):
                writes, pieces = self._writes_to(register), list[SSAValue]()
                for byte in range(-(-register.bits // 8)):
                    width = min(8, register.bits - 8 * byte)
                    held = build.held(
                        width, f"{register.name.lower()}_byte{byte}", self._zero(width)
                    )
                    piece = build.part(self.data, 8 * byte, width)
                    build.load(held, piece, build.all_of([writes, self.strobes[byte]]))
                    pieces.append(held)
                words += pieces
            whole = words[0] if len(words) == 1 else build.joined(words[::-1], port.bits)
            self.held[port.name], self.held_bytes[port.name] = whole, words

    # The core

    def _core(self) -> Mapping[str, SSAValue]:
        """The instance of the core, with samples and accesses that wait until it takes them."""
        build, trains = self.build, self.map.trains
        control = self.map.named("CONTROL")
        self.busy = build.held(1, "busy", self._zero(1))
        asked = self._command(control, layout.START, "asked_start")
        self.start_refused = build.all_of([asked, self.busy], "start_refused")
        self.starts = build.all_of([asked, build.inverted(self.busy, 1)], "starts")
        inputs = {
            "clk": self.wires["aclk"],
            "rst": self.reset,
            "in_valid": self.waits,
            **{name: wire for name, wire in self.held.items()},
        }
        if trains:
            train = build.held(1, "sample_trains", self._zero(1))
            build.load(train, build.part(self.data, layout.TRAIN, 1), self.starts)
            memory = self.map.named("MEM_CONTROL")
            self.mem_busy = build.held(1, "mem_busy", self._zero(1))
            reads = self._command(memory, layout.MEM_READ, "asked_read")
            writes = self._command(memory, layout.MEM_WRITE, "asked_write")
            asked = build.any_of([reads, writes])
            self.mem_refused = build.all_of([asked, self.mem_busy], "access_refused")
            self.mem_starts = build.all_of([asked, build.inverted(self.mem_busy, 1)], "accesses")
            write = build.held(1, "mem_writes", self._zero(1))
            build.load(write, writes, self.mem_starts)
            self.mem_write = write
            inputs |= {"train": train, "mem_write": write}
        if self.map.has_memory:
            inputs["mem_valid"] = self.mem_waits
        return build.instance("core", self.core, inputs)

    def _results(self, results: Mapping[str, SSAValue]) -> None:
        """What follows from the core's outputs: held outputs, status, count."""
        build, one = self.build, self.build.constant(1, 1)
        done = results["out_valid"]
        taken = build.all_of([self.waits, results.get("in_ready", one)], "sample_taken")
        self._drive(self.waits, self.starts, taken)
        self._drive(self.busy, self.starts, done)
        self.done = self._flag("done", done, self.starts)
        self.count = build.held(WORD, "count", self._zero(WORD))
        build.load(self.count, build.added([self.count, build.constant(1, WORD)]), done)
        arrives = {port.name: done for port in self.map.ports if port.is_output}
        if self.map.trains:
            taken = build.all_of([self.mem_waits, results["mem_ready"]], "access_taken")
            self._drive(self.mem_waits, self.mem_starts, taken)
            written = build.all_of([taken, self.mem_write])
            ends = build.any_of([written, results["mem_read_valid"]])
            self._drive(self.mem_busy, self.mem_starts, ends)
            self.mem_done = self._flag("mem_done", ends, self.mem_starts)
            arrives["mem_read_data"] = results["mem_read_valid"]
        elif self.map.has_memory:
            self._load_words(results["mem_ready"])
        for port in self.map.ports:
            if port.is_output:
                held = build.held(port.bits, f"{port.name}_held", self._zero(port.bits))
                build.load(held, results[port.name], arrives[port.name])
                self.held[port.name] = held

    def _load_words(self, ready: SSAValue) -> None:
        """Words of tables: each waits until the core takes it, and the next address follows.

        Parameters
        ----------
        ready : 1: the core takes a word.
        """
        build, last = self.build, self.map.of_port("mem_data")[-1]
        highest_byte = self.strobes[(last.bits - 1) // 8]
        written = build.all_of([self._writes_to(last), highest_byte], "word_written")
        taken = build.all_of([self.mem_waits, ready], "word_taken")
        self._drive(self.mem_waits, written, taken)
        (register,) = self.map.of_port("mem_address")
        one = build.constant(1, register.bits)
        following = build.added([self.held["mem_address"], one], "next_address")
        for byte, held in enumerate(self.held_bytes["mem_address"]):
            bits = bit_width(held.type)
            build.load(held, build.part(following, 8 * byte, bits), taken)

    def _respond(self) -> None:
        """The channel B."""
        build = self.build
        writable = [each for each in self.map.registers if each.is_writable]
        known = build.any_of([self._at(self.address, each) for each in writable])
        refused = [build.inverted(known, 1), self.start_refused]
        if self.map.trains:
            refused.append(self.mem_refused)
        fails = build.any_of(refused)
        failed = build.held(1, "write_failed", self._zero(1))
        build.load(failed, fails, self.writes)
        taken = build.all_of([self.write_waits, self.wires["s_axi_bready"]], "response_taken")
        self._drive(self.write_waits, self.writes, taken)
        self.write_outputs |= {
            "s_axi_bvalid": self.write_waits,
            "s_axi_bresp": build.joined([failed, build.constant(0, 1)], 2),
        }

    # Reads

    def _read_channel(self) -> dict[str, SSAValue]:
        """The channels AR and R: the word of an address, a cycle after it is taken."""
        build, wires, bits = self.build, self.wires, self.map.address_bits
        waits = build.held(1, "read_waits", self._zero(1))
        ready = build.inverted(waits, 1, "read_ready")
        takes = build.all_of([wires["s_axi_arvalid"], ready], "takes_read")
        address = build.part(wires["s_axi_araddr"], 2, bits - 2, "read_address")
        word = build.constant(0, WORD)
        for register in reversed(self.map.registers):
            word = build.chosen(self._at(address, register), self._word(register), word)
        data = build.held(WORD, "read_data")
        build.load(data, word, takes)
        failed = build.held(1, "read_failed", self._zero(1))
        build.load(failed, self._is_beyond(address), takes)
        taken = build.all_of([waits, wires["s_axi_rready"]], "read_taken")
        self._drive(waits, takes, taken)
        return {
            "s_axi_arready": ready,
            "s_axi_rvalid": waits,
            "s_axi_rdata": data,
            "s_axi_rresp": build.joined([failed, build.constant(0, 1)], 2),
        }

    def _is_beyond(self, address: SSAValue) -> SSAValue:
        """Whether an address is behind the last register."""
        known = [self._at(address, each) for each in self.map.registers]
        return self.build.inverted(self.build.any_of(known), 1, "read_unknown")

    def _word(self, register: Register) -> SSAValue:
        """What a read of a register gives."""
        build = self.build
        if register.access == "constant":
            return build.constant(register.value, WORD)
        if register.access == "command":
            return build.constant(0, WORD)
        if register.port is not None:
            return self._code(register, register.port)
        if register.name == "COUNT":
            return self.count
        flags = [self.done, self.busy]
        if self.map.trains:
            flags = [self.mem_done, self.mem_busy, *flags]
        zeros = build.constant(0, WORD - len(flags))
        return build.joined([zeros, *flags], WORD)

    def _code(self, register: Register, port: DataPort) -> SSAValue:
        """The bits of a port that a register holds, extended."""
        build, wire = self.build, self.held[port.name]
        if register.bits < port.bits:
            wire = build.part(wire, register.low, register.bits)
        return build.resized(wire, register.bits, WORD, port.signed)


_RESET = "aresetn: synchronous, active low; clears the registers"


def _line(register: Register) -> str:
    """A register, for readers of the RTL."""
    access = "written" if register.is_writable else "read only"
    return f"0x{register.offset:02X} {register.name}: {register.meaning} ({access})"
