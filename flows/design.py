"""One record of a hardware module, from which all files around it are written.

A `Design` has the ports with their codes, clock and reset, handshake, latency, interval, memories,
registers on a bus, and the names of features and classes. Testbenches, emulators, drivers and
codecs ask it, whether the module computes or trains itself, and with or without a wrapper. Their
text is a template (`kan_dialect.files.templates`) that the record fills.

What a module that trains has beyond one that computes stands in `Design.training`. What a wrapper
adds stands in `chosen`, `stream` and `registers`. `flows/projects/design.py` adds the files and the
clock period of a build.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kan_dialect.errors import KanError
from kan_dialect.ir.fixed_point import FixedType, fixed_type
from kan_dialect.ir.types import tensor_shape
from kan_dialect.lowering.wrappers.register_map import RegisterMap
from kan_dialect.lowering.wrappers.wrapper_ports import InterfaceName, StreamChoice, wrapper_name
from kan_dialect.model.interface import Interface, Port
from kan_dialect.model.on_chip.coefficient_memory import MemoryMap, memory_map
from kan_dialect.model.on_chip.training_step import Step


@dataclass(frozen=True)
class OnChipTraining:
    """What a module that trains itself has beyond one that computes."""

    step: Step
    """The training step of fixed-point numbers that the hardware computes."""
    interval: int
    """Clock cycles from a sample that trains to the next."""
    targets: tuple[Port, ...]
    """Ports of the targets `t0`, .., or of the errors `e0`, .."""
    memory: MemoryMap
    """The memories of the coefficients, and velocities behind them."""

    @property
    def target_name(self) -> str:
        """The noun of the numbers that a sample trains with."""
        return "errors" if self.step.fed_error else "targets"

    @property
    def number(self) -> FixedType:
        """Type of inputs and coefficients."""
        return _fixed(self.step, self.step.number)

    @property
    def target_number(self) -> FixedType:
        return _fixed(self.step, fixed_type(self.step.target))

    @property
    def output_number(self) -> FixedType:
        return _fixed(self.step, fixed_type(self.step.output))

    @property
    def address_port(self) -> Port:
        """The port of a coefficient's address."""
        bits = self.memory.address_bits
        return Port("mem_address", bits, 0, (1 << bits) - 1)

    def code_port(self, name: str) -> Port:
        """A port of a coefficient: `mem_data` or `mem_read_data`."""
        return _port(name, self.number)

    @property
    def coefficients(self) -> int:
        """Number of coefficients, and of velocities."""
        return sum(a * b * c for a, b, c in self.memory.shapes)

    @property
    def has_velocities(self) -> bool:
        return len(self.step.states) > self.step.layers


@dataclass(frozen=True)
class Design:
    """A hardware module as everything around it sees it."""

    core: Interface
    """Ports of inputs and outputs, latency and names of the network's module."""
    chosen: InterfaceName = "valid"
    """The interface of the top module."""
    stream: StreamChoice = field(default_factory=StreamChoice)
    """The layout of AXI4-Stream."""
    registers: RegisterMap | None = None
    """The registers of AXI4-Lite."""
    training: OnChipTraining | None = None
    """None of a module that computes."""

    @classmethod
    def of_step(
        cls,
        step: Step,
        latency: int,
        interval: int,
        registers: RegisterMap | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Design:
        """The design of hardware that trains itself.

        Parameters
        ----------
        latency, interval : of the hardware, in clock cycles.
        registers : of the AXI4-Lite wrapper; None without it.
        names : names of features and classes, by port.

        Raises
        ------
        KanError : the step is real-valued.
        """

        def ports(letter: str, kind: FixedType | None, count: int) -> tuple[Port, ...]:
            made = (_port(f"{letter}{index}", _fixed(step, kind)) for index in range(count))
            return tuple(replace(port, data_name=(names or {}).get(port.name, "")) for port in made)

        inputs, targets, outputs = (
            ports(letter, fixed_type(value), tensor_shape(value)[0])
            for letter, value in (
                ("x", step.input),
                ("e" if step.fed_error else "t", step.target),
                ("y", step.output),
            )
        )
        return cls(
            Interface(step.name, inputs, outputs, latency),
            "valid" if registers is None else "axi-lite",
            registers=registers,
            training=OnChipTraining(step, interval, targets, memory_map(step)),
        )

    @property
    def name(self) -> str:
        """Name of the network's module and of its files."""
        return self.core.name

    @property
    def top(self) -> str:
        """Name of the top module: the network's, or that of the wrapper."""
        return wrapper_name(self.name, self.chosen)

    @property
    def sources(self) -> Sequence[str]:
        """Files of the modules, in the order of compilation."""
        return [f"{module}.sv" for module in dict.fromkeys((self.name, self.top))]

    @property
    def coded_ports(self) -> Sequence[Port]:
        """Ports of the network's module whose codes are numbers."""
        core = self.core
        if self.training is None:
            return [*core.inputs, *core.outputs]
        memory = (self.training.code_port(name) for name in ("mem_data", "mem_read_data"))
        return [*core.inputs, *self.training.targets, *core.outputs, *memory]

    @property
    def ports(self) -> Mapping[str, tuple[bool, int]]:
        """Whether each port of the network's module is an output, and its bits, in its order."""
        return {name: (is_output, bits) for name, is_output, bits in self._ports()}

    def _ports(self) -> Iterator[tuple[str, bool, int]]:
        core, training = self.core, self.training
        if not core.combinational:
            yield from ((name, False, 1) for name in ("clk", "rst", "in_valid"))
        if training is not None:
            yield "train", False, 1
        yield from ((port.name, False, port.width) for port in core.inputs)
        if training is not None:
            yield from ((port.name, False, port.width) for port in training.targets)
            yield from ((name, False, 1) for name in ("mem_valid", "mem_write"))
            yield "mem_address", False, training.memory.address_bits
            yield "mem_data", False, training.number.bits
        if core.memory:
            yield "mem_valid", False, 1
            yield from ((port.name, False, port.width) for port in core.memory)
        if training is not None or core.interval > 1:
            yield "in_ready", True, 1
        if not core.combinational:
            yield "out_valid", True, 1
        yield from ((port.name, True, port.width) for port in core.outputs)
        if training is not None:
            yield from ((name, True, 1) for name in ("mem_ready", "mem_read_valid"))
            yield "mem_read_data", True, training.number.bits
        if core.memory:
            yield "mem_ready", True, 1

    def offsets(self, port: str) -> tuple[int, ...]:
        """Offsets in bytes of the registers of a port, the lowest bits first."""
        assert self.registers is not None
        return tuple(register.offset for register in self.registers.of_port(port))

    def register_offsets(self, ports: Sequence[Port]) -> list[tuple[int, ...]]:
        """`offsets` of several ports."""
        return [self.offsets(port.name) for port in ports]


def require_ports(
    found: Mapping[str, tuple[bool, int]], expected: Mapping[str, tuple[bool, int]], owner: str
) -> None:
    """Refuse a module whose ports are not the expected ones, in any order.

    Parameters
    ----------
    found, expected : whether each port is an output, and its bits, as in `Design.ports`.
    owner : what messages call the module.

    Raises
    ------
    KanError : names the first port that is another one.
    """
    for name in [*expected, *found]:
        if found.get(name) != expected.get(name):
            wanted, got = (_described(ports.get(name)) for ports in (expected, found))
            raise KanError(f"port {name} of {owner} must be {wanted}, and is {got}")


def _described(port: tuple[bool, int] | None) -> str:
    if port:
        is_output, bits = port
        return f"an {'output' if is_output else 'input'} of width {bits}"
    return "absent"


def _fixed(step: Step, kind: FixedType | None) -> FixedType:
    if kind is None:
        raise KanError(f"@{step.name} is real-valued: hardware needs fixed-point numbers")
    return kind


def _port(name: str, kind: FixedType) -> Port:
    return Port(name, kind.bits, kind.low, kind.high, kind.step)
