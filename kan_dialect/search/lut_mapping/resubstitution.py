"""Fewer LUTs by other inputs for each LUT: resubstitution with observability don't-cares.

The value of a LUT matters at the patterns at which its change reaches an output. At these, other
signals may tell it as well as its inputs do. They become its inputs if that leaves most LUTs
unread, and also if it leaves none: the next LUT then has other ways to go. Where one LUT cannot
save another, it gets other inputs together with one below it, which may become any function of any
signals. Truth tables of all signals tell exactly what may change. (A. Mishchenko, R. Brayton,
J.-H. R. Jiang and S. Jang, "Scalable don't-care-based logic optimization and resynthesis", ACM
TRETS 4(4), 2011.)

`c/resubstitution.c` does the same in C, with the same random numbers. So both find the same
network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kan_dialect.search.lut_mapping.network import Lut, LutNetwork, look_up, table_of

_MOST_FREED = 63
"""LUTs below one LUT that can be counted as unread: bits of a word of the C text."""
_FIRST_OPTIONS, _FURTHER_OPTIONS = 24, 12
"""Signals that are tried as the first input of a LUT, and as further ones except the last."""
_PAIR_OPTIONS = 8
"""Signals that are tried as each input of two LUTs, except the last one."""
_PAIR_TRIES, _BELOW_TRIES = 60, 20
"""Sets of inputs that are extended: of the upper one of two LUTs; of the lower one, each time."""
_MOST_PARTS = 6
"""Combinations of values of other inputs in which a LUT below may have to tell patterns apart."""
_SIDES = 2
"""Choices of what the LUT below is in each of these."""
_SCORE_LUT, _SCORE_INPUT = 64, 8
"""What a LUT and an input less count for. Random numbers below the latter decide between equals."""


class Effort(NamedTuple):
    """How long to search.

    Attributes
    ----------
    rounds : most rounds; each visits all LUTs.
    idle_rounds : rounds without gain before the search ends.
    tries : sets of inputs that are extended at a visit.
    """

    rounds: int
    idle_rounds: int = 100
    tries: int = 200


class _Candidate(NamedTuple):
    """A signal that may become an input.

    Attributes
    ----------
    freed : LUTs of `Resubstitution._freed` that it needs.
    """

    signal: int
    function: int
    level: int
    freed: int


class _Inputs:
    """The inputs that have been chosen for a LUT that is 1 at patterns `on`, and 0 at `off`."""

    def __init__(self) -> None:
        self.on = self.off = 0
        self.chosen: list[int] = []
        self.tries = 0
        self.highest = 0
        """Highest level of an input."""


class _Found(NamedTuple):
    """The best inputs of a LUT, and perhaps of one below it, which is then its last input.

    Attributes
    ----------
    kept : LUTs of `Resubstitution._freed` that they need.
    on, off : patterns at which the LUT below is 1 and 0.
    """

    score: int
    chosen: list[int]
    below: list[int]
    kept: int
    on: int
    off: int


_NOTHING = _Found(-1, [], [], 0, 0, 0)


class Random:
    """SplitMix64, as in the C text. (G. Steele, D. Lea and C. Flood, OOPSLA 2014.)"""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def below(self, count: int) -> int:
        """A number from 0 to `count` - 1."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _WORD
        z = self._state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _WORD
        return ((z ^ (z >> 31)) >> 32) * count >> 32


_WORD = (1 << 64) - 1


class Resubstitution:
    """A network while its LUTs get other inputs.

    Parameters
    ----------
    network : to start with.
    functions : truth tables of its signals.
    patterns : number of bits of a truth table.
    lut_inputs : most inputs of a LUT.
    most_levels : of LUTs; at least those of the network.
    """

    def __init__(
        self,
        network: LutNetwork,
        functions: Sequence[int],
        patterns: int,
        lut_inputs: int,
        most_levels: int,
    ) -> None:
        self._inputs = network.inputs
        self._operands: list[list[int]] = [[] for _ in range(network.inputs)]
        self._operands += [list(lut.inputs) for lut in network.luts]
        self._tables = [0] * network.inputs + [lut.table for lut in network.luts]
        self._outputs = list(network.outputs)
        self._functions = list(functions)
        self._patterns, self._every = patterns, (1 << patterns) - 1
        self._lut_inputs, self._most_levels = lut_inputs, most_levels
        self._random = Random(1)
        # What `_refresh` finds.
        self._order: list[int] = []
        self._readers: list[int] = []
        self._levels: list[int] = []
        self._heights: list[int] = []
        # About the LUT that gets other inputs.
        self._after = set(range(len(self._operands)))
        self._freed: dict[int, int] = {}
        self._candidates: list[_Candidate] = []
        self._old_cost = 0
        self._pair = False
        """A LUT below gets other inputs, too."""
        self._upper, self._lower = _Inputs(), _Inputs()
        self._best = _NOTHING

    def run(self, effort: Effort) -> LutNetwork:
        """Visit all LUTs in random order, round by round, until only outputs are left."""
        self._settle()
        least, idle = self._count(), 0
        for _ in range(effort.rounds):
            if idle >= effort.idle_rounds:
                break
            drawn = list(self._order)
            for place in range(len(drawn)):
                other = place + self._random.below(len(drawn) - place)
                drawn[place], drawn[other] = drawn[other], drawn[place]
                if self._readers[drawn[place]]:
                    self._improve(drawn[place], effort.tries)
            now = self._count()
            idle = 0 if now < least else idle + 1
            least = now
            if now == sum(len(self._operands[each]) > 1 for each in set(self._outputs)):
                break
        return self._network()

    def _count(self) -> int:
        return sum(len(self._operands[signal]) > 1 for signal in self._order)

    def _network(self) -> LutNetwork:
        pairs = zip(self._operands, self._tables, strict=True)
        luts = [Lut(tuple(operands), table) for operands, table in pairs]
        return renumbered(self._inputs, luts[self._inputs :], self._outputs)

    # The network.

    def _refresh(self) -> None:
        """Find order, readers, levels and heights of the LUTs that are read."""
        count = len(self._operands)
        self._order, self._readers = [], [0] * count
        self._levels, self._heights = [0] * count, [0] * count
        for output in self._outputs:
            self._readers[output] += 1
            if self._readers[output] == 1:
                self._visit(output)
        for signal in self._order:
            operands = self._operands[signal]
            most = max((self._levels[each] for each in operands), default=0)
            self._levels[signal] = most + (len(operands) > 1)
        for signal in reversed(self._order):
            height = self._heights[signal] + (len(self._operands[signal]) > 1)
            for each in self._operands[signal]:
                self._heights[each] = max(self._heights[each], height)

    def _visit(self, signal: int) -> None:
        for each in self._operands[signal]:
            self._readers[each] += 1
            if self._readers[each] == 1:
                self._visit(each)
        if signal >= self._inputs:
            self._order.append(signal)

    def _settle(self) -> None:
        """Compute functions of `_after` anew; LUTs that are constants or copies vanish."""
        self._refresh()
        place = 0
        while place < len(self._order):
            signal = self._order[place]
            place += 1
            if signal not in self._after:
                continue
            operands = self._operands[signal]
            self._functions[signal] = self._look_up(signal, self._functions)
            for which in reversed(range(len(operands))):
                if not depends(self._tables[signal], len(operands), which):
                    self._drop_input(signal, which, None, 0)
            if len(operands) > 1:
                continue
            if not operands:
                self._replace(signal, None, self._tables[signal])
            elif self._tables[signal] == 2 or self._readers[signal] > self._outputs.count(signal):
                self._replace(signal, operands[0], self._tables[signal] == 1)
            else:
                continue  # an inverter that only outputs read stays
            self._refresh()
            place = 0
        self._refresh()

    def _look_up(self, signal: int, functions: Sequence[int]) -> int:
        inputs = [functions[each] for each in self._operands[signal]]
        return look_up(self._tables[signal], inputs, self._every)

    def _replace(self, signal: int, other: int | None, invert: int) -> None:
        """Have what reads a signal read another one or its inverse instead, or a constant."""
        for reader in self._order:
            operands = self._operands[reader]
            if signal not in operands:
                continue
            which = operands.index(signal)
            if other is None or other in operands:
                same = None if other is None else operands.index(other)
                self._drop_input(reader, which, same, invert)
                continue
            operands[which] = other
            if invert:
                self._tables[reader] = inverted_input(self._tables[reader], len(operands), which)
        if not invert and other is not None:
            self._outputs = [other if each == signal else each for each in self._outputs]

    def _drop_input(self, signal: int, which: int, same: int | None, invert: int) -> None:
        """Fix an input to a value (same None), or make it equal to another one or its inverse."""
        operands = self._operands[signal]
        table = 0
        for pattern in range(1 << (len(operands) - 1)):
            low = pattern & ((1 << which) - 1)
            whole = low | pattern >> which << (which + 1)
            value = invert if same is None else whole >> same & 1 ^ invert
            table |= (self._tables[signal] >> (whole | value << which) & 1) << pattern
        self._tables[signal] = table
        del operands[which]

    # Other inputs for one LUT.

    def _improve(self, signal: int, tries: int) -> None:
        """Search other inputs for a LUT, and perhaps for one below it; give it the best ones."""
        care = self._find_care(signal)
        on, off = care & self._functions[signal], care & ~self._functions[signal]
        self._find_freed(signal)
        self._upper.highest = self._most_levels - 1 - self._heights[signal]
        self._lower.highest = self._upper.highest - 1
        found = list(range(self._inputs))
        for other in self._order:
            if other not in self._after and len(self._operands[other]) > 1:
                found.append(other)
        self._candidates = [
            _Candidate(each, self._functions[each], self._levels[each], self._freed.get(each, 0))
            for each in found
        ]
        self._old_cost = int(len(self._operands[signal]) > 1)
        self._pair, self._best = False, _NOTHING
        self._start(self._upper, on, off, tries, 0)
        if self._best.score < _SCORE_LUT and self._old_cost and self._freed:
            alone = self._best
            self._pair, self._best = True, _NOTHING
            self._start(self._upper, on, off, _PAIR_TRIES, 0)
            if self._best is _NOTHING:
                self._best = alone
        best = self._best
        if best is _NOTHING:
            return
        chosen = best.chosen
        if best.below:
            own = (best.kept + 1 & ~best.kept).bit_length() - 1  # the first that is not kept
            lower = list(self._freed)[own]
            self._set_inputs(lower, best.below, best.on, best.off)
            self._functions[lower] = self._look_up(lower, self._functions)
            self._after.add(lower)
            chosen = [*chosen, lower]
        self._set_inputs(signal, chosen, on, off)
        self._settle()

    def _set_inputs(self, signal: int, chosen: list[int], on: int, off: int) -> None:
        """Give a LUT those of these inputs that it needs, and the table that follows from `on`."""
        place = 0
        while place < len(chosen):
            fewer = chosen[:place] + chosen[place + 1 :]
            if self._tells(fewer, on, off):
                chosen = fewer
            else:
                place += 1
        self._operands[signal] = list(chosen)
        self._tables[signal] = table_of(on, [self._functions[each] for each in chosen])

    def _find_care(self, signal: int) -> int:
        """Find the patterns at which a signal changes an output; fills `_after`."""
        functions = list(self._functions)
        functions[signal] ^= self._every
        self._after, changed = {signal}, {signal}
        for reader in self._order:
            operands = self._operands[reader]
            if reader == signal or self._after.isdisjoint(operands):
                continue
            self._after.add(reader)
            if not changed.isdisjoint(operands):
                functions[reader] = self._look_up(reader, functions)
                if functions[reader] != self._functions[reader]:
                    changed.add(reader)
        care = 0
        for output in self._outputs:
            care |= functions[output] ^ self._functions[output]
        return care

    def _find_freed(self, signal: int) -> None:
        """Number the LUTs that only this one needs: for each, a mask of it and those below."""
        readers, waiting = list(self._readers), [signal]
        self._freed = {}
        while waiting:
            for each in self._operands[waiting.pop()]:
                readers[each] -= 1
                if not readers[each] and each >= self._inputs and len(self._freed) < _MOST_FREED:
                    self._freed[each] = 1 << len(self._freed)
                    waiting.append(each)
        for reader in self._order:
            if reader in self._freed:
                for each in self._operands[reader]:
                    self._freed[reader] |= self._freed.get(each, 0)

    def _score(self, kept: int, count: int) -> int:
        """Score of `count` inputs, or of more, that keep these LUTs of `_freed` read."""
        cost = 2 if self._pair else int(count > 1)
        saved = len(self._freed) - kept.bit_count() + self._old_cost - cost
        return saved * _SCORE_LUT + (self._lut_inputs - count) * _SCORE_INPUT

    def _start(self, of: _Inputs, on: int, off: int, tries: int, kept: int) -> None:
        """Search inputs of a LUT that is 1 at patterns `on`, and 0 at `off`."""
        of.on, of.off, of.tries, of.chosen = on, off, tries, []
        self._choose(of, [(on, off)] if on and off else [], kept)

    def _choose(self, of: _Inputs, parts: Sequence[tuple[int, int]], kept: int) -> None:
        """Extend the chosen inputs.

        Parameters
        ----------
        parts : patterns where the LUT is 1, and where it is 0, that have equal values of all
            chosen inputs; those for which neither is empty.
        kept : LUTs of `_freed` that the chosen inputs need.
        """
        depth = len(of.chosen)
        above = self._pair and of is self._upper
        if not parts:
            if not above:
                self._keep_best(depth, kept)
            return
        if depth == self._lut_inputs or of.tries <= 0:
            return
        of.tries -= 1
        last = depth == self._lut_inputs - 1
        if above and last:
            self._choose_below(parts, kept)
            return
        if last:
            for each in self._candidates:
                if each.level <= of.highest and tells_apart(parts, each.function):
                    of.chosen.append(each.signal)
                    self._keep_best(depth + 1, kept | each.freed)
                    of.chosen.pop()
            return
        on, off = self._pick(parts[0][0]), self._pick(parts[0][1])
        options = [
            each
            for each in self._candidates
            if (each.function & on == 0) != (each.function & off == 0) and each.level <= of.highest
        ]
        most = _PAIR_OPTIONS if self._pair else _FURTHER_OPTIONS if depth else _FIRST_OPTIONS
        for place in range(min(most, len(options))):
            if of.tries <= 0:
                break
            other = place + self._random.below(len(options) - place)
            options[place], options[other] = options[other], options[place]
            option = options[place]
            best_with = self._score(kept | option.freed, 1 if above else depth + 1)
            if best_with + _SCORE_INPUT - 1 <= self._best.score:
                continue
            of.chosen.append(option.signal)
            self._choose(of, split(parts, option.function), kept | option.freed)
            of.chosen.pop()

    def _choose_below(self, parts: Sequence[tuple[int, int]], kept: int) -> None:
        """Search a LUT below that tells apart the patterns of each part, either way round."""
        if len(parts) > _MOST_PARTS:
            return
        for _ in range(_SIDES if len(parts) > 1 else 1):
            one, zero = parts[0]
            for on, off in parts[1:]:
                if self._random.below(2):
                    on, off = off, on
                one, zero = one | on, zero | off
            self._start(self._lower, one, zero, _BELOW_TRIES, kept)

    def _keep_best(self, count: int, kept: int) -> None:
        """Keep what is chosen if nothing better is known."""
        score = self._score(kept, count) + self._random.below(_SCORE_INPUT)
        if score > self._best.score:
            lower = self._lower
            below = list(lower.chosen) if self._pair else []
            chosen = list(self._upper.chosen)
            self._best = _Found(score, chosen, below, kept, lower.on, lower.off)

    def _pick(self, patterns: int) -> int:
        """One of the patterns, random, as a truth table."""
        start = self._random.below(self._patterns)
        patterns = patterns >> start << start or patterns
        return patterns & -patterns

    def _tells(self, signals: Sequence[int], on: int, off: int) -> bool:
        """Whether a function of these signals can tell the patterns `on` from `off`."""
        parts = [(on, off)]
        for each in signals:
            parts = split(parts, self._functions[each])
        return not parts


def split(parts: Sequence[tuple[int, int]], by: int) -> list[tuple[int, int]]:
    """Each part in two halves, by a function. Halves with an empty truth table are left out.

    Parameters
    ----------
    parts : two disjoint truth tables each.
    """
    found: list[tuple[int, int]] = []
    for on, off in parts:
        for half in (~by, by):
            if on & half and off & half:
                found.append((on & half, off & half))
    return found


def tells_apart(parts: Sequence[tuple[int, int]], by: int) -> bool:
    """Whether `split` leaves nothing."""
    for on, off in parts:
        on_high, off_high = on & by, off & by
        if (on_high and off_high) or (on_high != on and off_high != off):
            return False
    return True


def depends(table: int, inputs: int, which: int) -> bool:
    """Whether a table depends on one of its inputs."""
    return table != inverted_input(table, inputs, which)


def inverted_input(table: int, inputs: int, which: int) -> int:
    """The table of a LUT that reads the inverse of one of its inputs."""
    return sum((table >> (each ^ 1 << which) & 1) << each for each in range(1 << inputs))


def renumbered(inputs: int, luts: Sequence[Lut], outputs: Sequence[int]) -> LutNetwork:
    """The network of the LUTs that are read, operands first, their inputs ascending."""
    known = {signal: signal for signal in range(inputs)}
    found: list[Lut] = []

    def visit(signal: int) -> None:
        if signal in known:
            return
        lut = luts[signal - inputs]
        for each in lut.inputs:
            visit(each)
        places = sorted(range(len(lut.inputs)), key=lambda place: known[lut.inputs[place]])
        table = 0
        for pattern in range(1 << len(places)):
            old = sum((pattern >> new & 1) << place for new, place in enumerate(places))
            table |= (lut.table >> old & 1) << pattern
        found.append(Lut(tuple(known[lut.inputs[place]] for place in places), table))
        known[signal] = inputs + len(found) - 1

    for output in outputs:
        visit(output)
    return LutNetwork(inputs, tuple(found), tuple(known[output] for output in outputs))
