"""`fold_by_node.layer`: a folded layer whose nodes take turns, in place of its inputs."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.constants import IntArray, to_integers
from kan_dialect.ir.types import range_of
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.ops.folded import FoldedTablesOp, lanes_and_turns


@irdl_op_definition
class LayerOp(FoldedTablesOp):
    """The sums of a layer, node by node. Each input has a memory; each lane has a tree of adders.

    Every cycle looks up the entries of one node of each lane in all memories, and adds them.
    """

    name = "fold_by_node.layer"
    ENTRY_CYCLES: ClassVar[int] = 2

    @property
    def lanes(self) -> int:
        """Nodes that are computed in the same cycle."""
        return lanes_and_turns(len(self.sums), self.interval.value.data)[0]

    @property
    def turns(self) -> int:
        return lanes_and_turns(len(self.sums), self.interval.value.data)[1]

    @property
    def tree_levels(self) -> int:
        """Levels of adders, each with a register: of a term for each input, and of the bias."""
        return len(self.inputs).bit_length()

    @property
    def latency(self) -> int:
        return self.ENTRY_CYCLES + self.tree_levels + self.turns

    @property
    def memories(self) -> Sequence[tuple[int, int]]:
        words, _ = self.words()
        return [(each.shape[1], int(_bits(each).sum())) for each in words]

    def luts_on(self, device: DeviceFamily) -> Mapping[int, int]:
        """The adders of the trees. Registers of codes and results have a clock enable."""
        return {2: self.sum_bits * len(self.inputs) * self.lanes}

    @property
    def sum_bits(self) -> int:
        return max(range_of(value).bits for value in self.sums)

    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        turn = build.turn(build.cycle + 1)
        words, biases = self.words()
        terms: list[list[SSAValue]] = [[] for _ in range(self.lanes)]
        for place, wire in enumerate(wires):
            code = self._held_code(build, wire, place, build.is_turn(build.cycle))
            entries = self._lookup(build, self.address(build, turn, code), words[place], place)
            for lane, entry in enumerate(entries):
                terms[lane] += entry
        if self.turns > 1:
            address = build.part(turn, 0, (self.turns - 1).bit_length())
            entries = self._lookup(build, address, biases, len(wires))
        else:
            entries = [[build.constant(int(bias), self.sum_bits)] for bias in biases[:, 0]]
        for lane, entry in enumerate(entries):
            terms[lane] += entry
        trees = [self._added(build, each) for each in terms]
        return [self._result(build, trees, node) for node in range(len(self.sums))]

    def _held_code(self, build: HwBuilder, wire: SSAValue, place: int, load: SSAValue) -> SSAValue:
        """The code of an input, in all turns."""
        kind = range_of(self.inputs[place])
        held = build.held(self.codes.bits, self.called(f"code{place}"))
        build.load(held, build.resized(wire, kind.bits, self.codes.bits, kind.is_signed), load)
        return held

    def _lookup(
        self, build: HwBuilder, address: SSAValue, words: IntArray, place: int
    ) -> list[list[SSAValue]]:
        """For each lane, the entry at an address in the bits of a sum, or nothing.

        Parameters
        ----------
        words : (lanes, addresses), not negative.
        """
        spans = _bits(words).tolist()
        if not any(spans):
            return [[] for _ in spans]
        joined = self.read(build, address, words, spans, self.called(f"rom{place}"))
        found: list[list[SSAValue]] = []
        for lane, bits in enumerate(spans):
            entry = build.part(joined, sum(spans[:lane]), bits) if bits else None
            found.append(
                [] if entry is None else [build.resized(entry, bits, self.sum_bits, False)]
            )
        return found

    def _added(self, build: HwBuilder, terms: Sequence[SSAValue]) -> SSAValue:
        """The sum of terms, modulo 2^bits, `tree_levels` cycles later."""
        terms = terms or [build.constant(0, self.sum_bits)]
        for _ in range(self.tree_levels):
            pairs = [terms[first : first + 2] for first in range(0, len(terms), 2)]
            terms = [build.register(build.added(pair) if pair[1:] else pair[0]) for pair in pairs]
        return terms[0]

    def _result(self, build: HwBuilder, trees: Sequence[SSAValue], node: int) -> SSAValue:
        """The sum of a node: held since its turn, or straight from the tree in the last one."""
        own_turn, lane = divmod(node, self.lanes)
        bits = range_of(self.sums[node]).bits
        result = build.resized(trees[lane], self.sum_bits, bits, signed=False)
        if own_turn == self.turns - 1:
            return result
        held = build.held(bits, self.called(f"sum{node}"))
        # The last node is at the end of the tree in the last cycle of the latency.
        left = self.turns - 1 - own_turn
        build.load(held, result, build.is_turn(build.cycle + self.latency - left))
        return held

    def words(self) -> tuple[IntArray, IntArray]:
        """Entries by input, lane and address, and biases by lane and turn, not negative.

        Returns
        -------
        (inputs, lanes, turns * 2^bits) and (lanes, turns), int64. Their sums are those of the nodes
        modulo 2^sum_bits.
        """
        codes, tables = self.codes, self.edge_tables()
        for place, kind in enumerate(map(range_of, self.inputs)):
            # Codes that do not occur read the nearest entry.
            reached = np.arange(codes.low, codes.high + 1).clip(kind.low, kind.high) - codes.low
            tables[:, place] = tables[:, place][:, reached]
        smallest = tables.min(axis=2)
        tables -= smallest[:, :, np.newaxis]
        places = self.addressed_codes
        nodes, inputs, _ = tables.shape
        words = np.zeros((self.turns * self.lanes, inputs, len(places)), dtype=np.int64)
        words[:nodes] = tables[:, :, places]
        words = words.reshape(self.turns, self.lanes, inputs, -1).transpose(2, 1, 0, 3)
        biases = np.zeros(self.turns * self.lanes, dtype=np.int64)
        biases[:nodes] = (to_integers(self.bias) + smallest.sum(axis=1)) % (1 << self.sum_bits)
        by_lane = biases.reshape(self.turns, self.lanes).T
        return words.reshape(inputs, self.lanes, -1), by_lane


def _bits(words: IntArray) -> IntArray:
    """The bits of the largest word of each lane, (lanes)."""
    return np.array([int(largest).bit_length() for largest in words.max(axis=1).tolist()])
