"""Hardware level: memories with one read and one write port, as CIRCT's `seq.firmem`.

xDSL's `seq` has no memories, and an op of that name of ours would clash with one that xDSL may get.
The target `circt` prints these as `seq.firmem` with its ports; SystemVerilog has them as arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xdsl.dialects import seq
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    IntAttr,
    IntegerType,
    StringAttr,
    UnitAttr,
    i1,
)
from xdsl.ir import Attribute, Operation, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import (
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    result_def,
)
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir import verifier
from kan_dialect.ir.attributes.value_names import NAME_HINT
from kan_dialect.ir.constants import DenseAttr, IntArray, dense, to_integers
from kan_dialect.ir.operation import KanOperation
from kan_dialect.ir.quant import verified
from kan_dialect.ir.verifier import require

MAX_WORDS = 1 << 20
DISTRIBUTED_WORDS = 256
"""Memories of at most so many words are made of lookup tables: they can be read within a cycle."""
ROM_WORDS = 64
"""Most words of a ROM in logic, where nothing else is said: one lookup table of six inputs holds a
bit of 64 words. Larger ROMs are block RAM."""
STORAGES = ("logic", "block")


@irdl_attr_definition
class MemoryType(ParametrizedAttribute, TypeAttribute):
    """`!kan.memory<126, i16>`: a memory of 126 words of 16 bits."""

    name = "kan.memory"

    count: IntAttr
    word: IntegerType

    def __init__(self, words: int, bits: int) -> None:
        super().__init__(IntAttr(words), IntegerType(bits))

    @property
    def words(self) -> int:
        return self.count.data

    @property
    def bits(self) -> int:
        """Width of a word."""
        return self.word.width.data

    @property
    def address_bits(self) -> int:
        """Width of an address: at least 1."""
        return max(1, (self.words - 1).bit_length())

    def verify(self) -> None:
        if not 1 <= self.words <= MAX_WORDS:
            raise VerifyException(f"a memory has 1 to {MAX_WORDS} words, got {self.words}")
        if not 1 <= self.bits <= 64:
            raise VerifyException(f"words have 1 to 64 bits, got {self.bits}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        start = parser.pos
        with parser.in_angle_brackets():
            words = parser.parse_integer()
            parser.parse_punctuation(",")
            word = parser.parse_type()
        if not isinstance(word, IntegerType):
            parser.raise_error("expected a type of words such as i16", start, parser.pos)
        parameters: list[Attribute] = [IntAttr(words), cast("IntegerType[int]", word)]
        return verified(cls, parameters, parser, start)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{self.words}, i{self.bits}")


def memory_type(value: SSAValue) -> MemoryType:
    """The type of a memory."""
    assert isinstance(value.type, MemoryType)
    return value.type


@irdl_op_definition
class MemoryOp(KanOperation):
    """A memory, with what it holds when the device wakes up.

    `in` says what it is made of: lookup tables of constants ("logic"), or block RAM ("block").
    Without it, the number of words decides.

    Of an `exclusive` memory, what is read in the cycle of a write does not matter. So synthesis
    need not make the old word of it, which block RAM of some families does not give.

    Example:

        %m = kan.memory initial dense<[1, -2]> : tensor<2xi8> {sv.namehint = "bank"} :
          !kan.memory<2, i16>
    """

    name = "kan.memory"

    exclusive = opt_prop_def(UnitAttr)
    storage = opt_prop_def(StringAttr)
    initial = opt_prop_def(DenseIntOrFPElementsAttr)
    result = result_def(MemoryType)

    assembly_format = (
        "(`exclusive` $exclusive^)? (`in` $storage^)? (`initial` custom<Constant>($initial)^)? "
        "attr-dict `:` type($result)"
    )

    def __init__(
        self,
        words: int,
        bits: int,
        initial: IntArray | None,
        name: str,
        *,
        exclusive: bool = False,
        storage: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        initial : (words), int64, in two's complement of so many bits; None: nothing is said.
        exclusive : what is read in the cycle of a write does not matter.
        storage : one of STORAGES; None: the number of words decides.
        """
        super().__init__(
            result_types=[MemoryType(words, bits)],
            properties={
                "exclusive": UnitAttr() if exclusive else None,
                "storage": None if storage is None else StringAttr(storage),
                "initial": None if initial is None else dense(initial),
            },
            attributes={NAME_HINT: StringAttr(name)},
        )

    @property
    def contents(self) -> IntArray | None:
        """The words as bit patterns (words), int64."""
        if self.initial is None:
            return None
        return to_integers(cast(DenseAttr, self.initial)) & (
            (1 << memory_type(self.result).bits) - 1
        )

    @property
    def style(self) -> str:
        """What the memory should be made of: `distributed`, `logic`, `block`, or empty: tools
        decide."""
        if self.storage is not None:
            return self.storage.data
        words, users = (
            memory_type(self.result).words,
            {type(use.operation) for use in self.result.uses},
        )
        if MemoryWordOp in users or (MemoryWriteOp in users and not self.exclusive):
            return "distributed" if words <= DISTRIBUTED_WORDS else ""
        return "block" if words > ROM_WORDS else ""

    def verify_(self) -> None:
        kind = memory_type(self.result)
        if self.storage is not None:
            storages = " or ".join(STORAGES)
            require(
                self.storage.data in STORAGES,
                f"a memory is in {storages}, got {self.storage.data}",
            )
            is_written = any(isinstance(use.operation, MemoryWriteOp) for use in self.result.uses)
            require(not is_written, "a memory that is written cannot say what it is made of")
        if self.initial is not None:
            words = verifier.constant(
                self.initial, "initial words", floats=False, shape=(kind.words,)
            )
            low, high = -(1 << (kind.bits - 1)), 1 << kind.bits
            require(
                bool((words >= low).all() and (words < high).all()),
                f"an initial word does not fit into {kind.bits} bits",
            )


def _verify_address(memory: SSAValue, address: SSAValue) -> None:
    kind = memory_type(memory)
    require(
        address.type == IntegerType(kind.address_bits),
        f"an address of {kind.words} words must be i{kind.address_bits}, got {address.type}",
    )


def _verify_word(memory: SSAValue, result: SSAValue) -> None:
    word = memory_type(memory).word
    require(result.type == word, f"the result must be a word, {word}")


@irdl_op_definition
class MemoryReadOp(KanOperation):
    """The word at an address, a clock cycle later; of a word that is just written, the old one.

    Where `enable` is 0, the result stays.

    Example:

        %r = kan.memory_read %m[%a], %clk enable %e : !kan.memory<2, i16>, i1 -> i16
    """

    name = "kan.memory_read"

    memory = operand_def(MemoryType)
    address = operand_def(IntegerType)
    clock = operand_def(seq.clock)
    enable = opt_operand_def(i1)
    result = result_def(IntegerType)

    assembly_format = (
        "$memory `[` $address `]` `,` $clock (`enable` $enable^)? attr-dict `:` type($memory) `,` "
        "type($address) `->` type($result)"
    )

    def __init__(self, memory: SSAValue, address: SSAValue, clock: SSAValue) -> None:
        self.set_up([memory, address, clock], [IntegerType(memory_type(memory).bits)])

    def verify_(self) -> None:
        _verify_address(self.memory, self.address)
        _verify_word(self.memory, self.result)


@irdl_op_definition
class MemoryWordOp(KanOperation):
    """The word at an address, in the same cycle: what was written in the one before is there.

    For memories of lookup tables; those in blocks have their words a cycle later.

    Example:

        %w = kan.memory_word %m[%a] : !kan.memory<2, i16>, i1 -> i16
    """

    name = "kan.memory_word"

    memory = operand_def(MemoryType)
    address = operand_def(IntegerType)
    result = result_def(IntegerType)

    assembly_format = (
        "$memory `[` $address `]` attr-dict `:` type($memory) `,` type($address) `->` type($result)"
    )

    def __init__(self, memory: SSAValue, address: SSAValue) -> None:
        self.set_up([memory, address], [IntegerType(memory_type(memory).bits)])

    def verify_(self) -> None:
        _verify_address(self.memory, self.address)
        _verify_word(self.memory, self.result)


@irdl_op_definition
class MemoryWriteOp(KanOperation):
    """Writes a word at the clock's edge, where `enable` is 1.

    Example:

        kan.memory_write %m[%a] = %d if %e, %clk : !kan.memory<2, i16>, i1, i16
    """

    name = "kan.memory_write"

    memory = operand_def(MemoryType)
    address = operand_def(IntegerType)
    data = operand_def(IntegerType)
    enable = operand_def(i1)
    clock = operand_def(seq.clock)

    assembly_format = (
        "$memory `[` $address `]` `=` $data `if` $enable `,` $clock attr-dict `:` type($memory) "
        "`,` type($address) `,` type($data)"
    )

    def __init__(
        self,
        memory: SSAValue,
        address: SSAValue,
        data: SSAValue,
        enable: SSAValue,
        clock: SSAValue,
    ) -> None:
        self.set_up([memory, address, data, enable, clock], ())

    def verify_(self) -> None:
        _verify_address(self.memory, self.address)
        require(
            self.data.type == memory_type(self.memory).word,
            f"data must be a word, {memory_type(self.memory).word}, got {self.data.type}",
        )


MEMORY_OPS: list[type[Operation]] = [MemoryOp, MemoryReadOp, MemoryWordOp, MemoryWriteOp]
