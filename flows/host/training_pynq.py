"""The driver for PYNQ boards of hardware that trains, NAME_pynq.py: samples and coefficients."""

from __future__ import annotations

from collections.abc import Sequence

from kan_dialect.errors import KanError
from kan_dialect.flows.host.pynq import CONNECTION
from kan_dialect.flows.host.registers import DriverRegisters
from kan_dialect.ir.fixed_point import FixedType, fixed_type
from kan_dialect.ir.types import tensor_shape
from kan_dialect.lowering.wrappers.register_map import RegisterMap
from kan_dialect.model.training.coefficient_memory import memory_map
from kan_dialect.model.training.training_step import Step

_DRIVER = (
    '''\
"""Trains {name} on a PYNQ board: samples and coefficients in the registers of {name}_axi_lite.

    from {name}_pynq import Network

    network = Network.load("design.bit", "{name}_axi_lite_0")
    y = network.train(x, {target})            # outputs before the update of each sample
    y = network.predict(x)
    first, *others = network.coefficients()
"""

import time

import numpy as np
from pynq import MMIO, Overlay

# Offsets in bytes.
ID, HASH, CONTROL, STATUS, MEM_CONTROL = {identity}, {hash}, {control}, {status}, {mem_control}
# Registers of each port, the lowest bits first.
INPUT_REGISTERS = [
{inputs_rows}
]
TARGET_REGISTERS = [
{targets_rows}
]
OUTPUT_REGISTERS = [
{outputs_rows}
]
MEM_ADDRESS, MEM_DATA, MEM_READ_DATA = {mem_address}, {mem_data}, {mem_read_data}
START, TRAIN, DONE, MEM_DONE, MEM_READ, MEM_WRITE = 1, 2, 2, 8, 1, 2  # bits

# Bits, and bits behind the point, of fixed-point numbers.
NUMBER, TARGET, OUTPUT = {number}, {target_number}, {output}
# (outputs, inputs, coefficients) and banks of each layer{velocities}.
LAYERS = [
{layers_rows}
]
BANK_BITS, ROW_BITS = {bank_bits}, {row_bits}


def encode(values, number):
    """Codes, int64, of real values: rounded half to even, saturated.

    Raises
    ------
    ValueError : a value is NaN.
    """
    bits, fraction = number
    values = np.asarray(values, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("{name}: a value is NaN")
    codes = np.rint(np.ldexp(values, fraction))
    return np.clip(codes, -(1 << bits - 1), (1 << bits - 1) - 1).astype(np.int64)


def decode(codes, number):
    """Real values, float64, of codes."""
    return np.ldexp(np.asarray(codes, dtype=np.float64), -number[1])


class Network:
    """The network in the fabric, behind registers.

    Parameters
    ----------
    mmio : the registers, of the class `pynq.MMIO`.
    timeout : seconds that a sample, or an access to a coefficient, may take.

    Raises
    ------
    ValueError : these are not the registers of this build.
    """

'''
    + CONNECTION
    + '''\

    def predict(self, x):
        """Real outputs (samples, {outputs}) of real inputs (samples, {inputs}).

        Raises
        ------
        ValueError : wrong shape, or a value is NaN.
        TimeoutError : the hardware is not done in time.
        """
        return decode(self.run_codes(encode(x, NUMBER)), OUTPUT)

    def train(self, x, {target}):
        """Train on samples in their order. Real outputs (samples, {outputs}) before each update.

        Parameters
        ----------
        x : real inputs, (samples, {inputs}).
        {target} : real {target_meaning}, (samples, {outputs}).

        Raises
        ------
        ValueError : wrong shape, or a value is NaN.
        TimeoutError : the hardware is not done in time.
        """
        return decode(self.run_codes(encode(x, NUMBER), encode({target}, TARGET)), OUTPUT)

    def run_codes(self, codes, targets=None):
        """Output codes (samples, {outputs}), int64, of input codes; with targets, it trains.

        Parameters
        ----------
        codes : (samples, {inputs}), integers.
        targets : codes of {target_meaning}, (samples, {outputs}), integers.

        Raises
        ------
        ValueError : wrong shape.
        TimeoutError : the hardware is not done in time.
        """
        codes = _shaped(codes, {inputs}, "inputs")
        known = [[]] * len(codes) if targets is None else _shaped(targets, {outputs}, "{target}")
        if len(known) != len(codes):
            raise ValueError(f"{name}: {{len(codes)}} samples, {{len(known)}} of {target}")
        rows = [self._sample(*each) for each in zip(codes, known, strict=True)]
        return np.array(rows, dtype=np.int64).reshape(-1, {outputs})

    def coefficients(self):
        """Real coefficients of each layer{velocities}: arrays (outputs, inputs, coefficients)."""
        layers = []
        for shape, addresses in _addresses():
            words = []
            for address in addresses:
                self._access(address, MEM_READ)
                words.append(self._read(MEM_READ_DATA, NUMBER[0]))
            layers.append(decode(words, NUMBER).reshape(shape))
        return layers

    def load_coefficients(self, layers):
        """Load real coefficients, as `coefficients` gives them.

        Raises
        ------
        ValueError : wrong shapes, or a value is NaN.
        TimeoutError : the hardware is not done in time.
        """
        layers = [encode(layer, NUMBER) for layer in layers]
        shapes = [shape for shape, _ in _addresses()]
        if [layer.shape for layer in layers] != shapes:
            raise ValueError(f"{name}: expected coefficients of shapes {{shapes}}")
        for layer, (_, addresses) in zip(layers, _addresses(), strict=True):
            for address, code in zip(addresses, layer.ravel().tolist(), strict=True):
                self._write(MEM_DATA, code)
                self._access(address, MEM_WRITE)

    def _sample(self, codes, targets):
        for code, offsets in zip(codes, INPUT_REGISTERS, strict=True):
            self._write(offsets, code)
        for code, offsets in zip(targets, TARGET_REGISTERS):
            self._write(offsets, code)
        self._mmio.write(CONTROL, START | TRAIN if len(targets) else START)
        self._wait(DONE)
        return [self._read(offsets, OUTPUT[0]) for offsets in OUTPUT_REGISTERS]

    def _access(self, address, command):
        self._write(MEM_ADDRESS, address)
        self._mmio.write(MEM_CONTROL, command)
        self._wait(MEM_DONE)

    def _wait(self, bit):
        end = time.monotonic() + self._timeout
        while not self._mmio.read(STATUS) & bit:
            if time.monotonic() > end:
                raise TimeoutError(f"{name}: not done after {{self._timeout}} s")

    def _write(self, offsets, code):
        for word, offset in enumerate(offsets):
            self._mmio.write(offset, int(code) >> 32 * word & 0xFFFFFFFF)

    def _read(self, offsets, bits):
        found = sum(self._mmio.read(offset) << 32 * word for word, offset in enumerate(offsets))
        found &= (1 << bits) - 1
        return found - (1 << bits) if found >> (bits - 1) else found


def _addresses():
    """Shape of each layer, and the addresses of its coefficients in their order."""
    first = 0
    for outputs, inputs, count, banks in LAYERS:
        edges = range(first, first + outputs * inputs)
        yield (
            (outputs, inputs, count),
            [
                (edge << BANK_BITS | place % banks) << ROW_BITS | place // banks
                for edge in edges
                for place in range(count)
            ],
        )
        first += outputs * inputs


def _shaped(codes, width, what):
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.shape[1] != width:
        raise ValueError(f"{name}: {{what}} have shape (samples, {{width}}), got {{codes.shape}}")
    return codes.tolist()
'''
)


def training_driver(step: Step, registers: RegisterMap) -> str:
    """The text of NAME_pynq.py of hardware that trains.

    Raises
    ------
    KanError : the step is real-valued.
    """
    number, target, output = fixed_numbers(step)
    memory, known = memory_map(step), DriverRegisters.of(registers)
    letter = "e" if step.fed_error else "t"
    layers = [(*shape, banks) for shape, banks in zip(memory.shapes, memory.banks, strict=True)]

    def of_port(name: str) -> tuple[int, ...]:
        return tuple(each.offset for each in registers.of_port(name))

    outputs = tensor_shape(step.output)[0]
    return _DRIVER.format(
        name=step.name,
        inputs=tensor_shape(step.input)[0],
        outputs=outputs,
        target="errors" if step.fed_error else "targets",
        target_meaning="errors, the negative gradient" if step.fed_error else "targets",
        identity=known.identity,
        identity_value=known.identity_value,
        hash=known.hash,
        hash_value=known.hash_value,
        control=known.control,
        status=known.status,
        mem_control=registers.named("MEM_CONTROL").offset,
        mem_address=of_port("mem_address"),
        mem_data=of_port("mem_data"),
        mem_read_data=of_port("mem_read_data"),
        inputs_rows=_rows(known.inputs),
        targets_rows=_rows([of_port(f"{letter}{index}") for index in range(outputs)]),
        outputs_rows=_rows(known.outputs),
        number=number,
        target_number=target,
        output=output,
        layers_rows=_rows(layers),
        velocities=", then of their velocities" if len(step.states) > step.layers else "",
        bank_bits=memory.bank_bits,
        row_bits=memory.row_bits,
    )


def fixed_numbers(step: Step) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Bits, and bits behind the point, of inputs, of targets or errors, and of outputs.

    Raises
    ------
    KanError : the step is real-valued.
    """

    def number(kind: FixedType | None) -> tuple[int, int]:
        if kind is None:
            raise KanError(f"@{step.name} is real-valued: hardware needs fixed-point numbers")
        return kind.bits, kind.fraction

    values = step.input, step.target, step.output
    source, target, output = (number(fixed_type(each)) for each in values)
    return source, target, output


def _rows(rows: Sequence[tuple[int, ...]]) -> str:
    return "\n".join(f"    {row}," for row in rows)
