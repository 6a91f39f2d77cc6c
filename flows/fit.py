"""Which interval and storage make a network fit a part: `kan-flow build --fit PART`.

Intervals are tried from 1 on, by estimate. The first design that fits with a margin, with the
wrapper of its interface, is taken, since it is the fastest. Intervals at which the layers alone are
larger than the part are not compiled: that would take minutes.

Where a design is larger than the part in block RAM alone, its memories are made of lookup tables,
those of the fewest words first. Where LUTs alone are short, memories in lookup tables become block
RAM, those of the most words first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from rich.console import Console
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from kan_dialect.analysis.wires import latency_of, wire_functions
from kan_dialect.devices.device import DeviceFamily, device
from kan_dialect.devices.parts import Part
from kan_dialect.errors import KanError
from kan_dialect.flows.estimate_entry import estimate_entry
from kan_dialect.flows.interfaces.pipeline import with_interface
from kan_dialect.flows.interfaces.write import cores_in, wrappers_in
from kan_dialect.flows.part_fit import part_entry, part_text
from kan_dialect.flows.pass_runs import Progress
from kan_dialect.flows.terminal import column_table
from kan_dialect.ir.attributes.module_attributes import declared_interval
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.estimate import estimate_design
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.ops.folded import FoldedOp
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.memory import ROM_WORDS
from kan_dialect.passbase.kan_pass import unwrapped
from kan_dialect.passbase.options import sharing
from kan_dialect.passes.fold_layers import FoldLayersPass, layer_luts

FEWEST_TURNS = 2
"""The smallest interval at which layers take turns."""
MARGIN = 0.85
"""Share of a part's LUTs and registers that a design may take by estimate: routing needs room."""
TOO_LARGE = 1.5
"""Share of a part's LUTs beyond which a design is not compiled, by the sizes of its layers."""
MOST_LOGIC_WORDS = 256
"""Most words of a memory that is tried in lookup tables. Beyond, synthesis takes more of them than
the estimate: twice as many at 512 words on Gowin."""


@dataclass(frozen=True)
class Trial:
    """A design at one interval and storage, by estimate."""

    interval: int
    luts: int
    registers: int | None
    """None of a design that was not compiled; its LUTs are those of its tables by their sizes."""
    block_rams: int = 0
    latency_cycles: int = 0
    latency_ns: float = 0.0
    samples_per_second: float = 0.0
    logic_words: int = ROM_WORDS
    """Most words of a memory in lookup tables."""
    fits: bool = False

    def as_dict(self) -> dict[str, Any]:
        """What `report.json` holds under `fit`; figures that are not known are left out."""
        kept = ("logic_words", "fits")
        return {name: value for name, value in vars(self).items() if value or name in kept}


def fit(
    context: Context,
    module: ModuleOp,
    compiled: CompilePass,
    wrap: WrapInterfacePass,
    progress: Progress,
) -> tuple[CompilePass, list[Trial]]:
    """The pipeline with the smallest interval at which the network fits the part of its target, and
    the storage of its memories.

    Parameters
    ----------
    compiled : with the part as target. Its interval is not read; its storage is tried first.
    wrap : the interface, whose wrapper has to fit as well.

    Raises
    ------
    KanError : the target is no part, or nothing fits. The message says what would.
    """
    part = device(compiled.target)
    if not part.part_of:
        parts = ", ".join(each.target_of(part.name) for each in part.parts)
        raise KanError(
            f"{compiled.target} is {'a family' if parts else 'no part'}, and a network fits a part",
            remedy=f"name one: {parts or 'kan-flow --list-devices has all'}",
        )
    front = module.clone()
    _run(context, front, _until(replace(compiled, interval=FEWEST_TURNS).expand(), FoldLayersPass))
    trials: list[Trial] = []
    for interval in _intervals(front):
        if compiled.loadable and interval < FEWEST_TURNS:
            continue
        progress(f"interval {interval}")
        search = _Search(context, front, replace(compiled, interval=interval), wrap, part)
        try:
            trials += search.trials()
        except KanError:
            if len(trials) < 2:  # Longer intervals need memories that may be too large.
                raise
            break
        if trials[-1].fits:
            words = trials[-1].logic_words
            return replace(compiled, interval=interval, logic_words=words), trials
    raise KanError(
        f"the network does not fit {part.project_part}: {_closest(compiled.target, trials)}",
        remedy=_remedy(part, trials),
    )


def print_trials(trials: Sequence[Trial], part: str, console: Console) -> None:
    """Print the designs that were considered."""
    columns = ["interval", "LUTs", "registers", "block RAMs", "latency ns", "samples/s", "fits"]
    has_storages = len({each.logic_words for each in trials}) > 1
    if has_storages:
        columns.insert(1, "words in logic")
    table = column_table(columns, left=0)
    for each in trials:
        known = each.registers is not None
        table.add_row(
            str(each.interval),
            *((str(each.logic_words),) if has_storages else ()),
            f"{each.luts}" if known else "far too many",
            f"{each.registers}" if known else "",
            str(each.block_rams),
            f"{each.latency_ns:g}" if known else "",
            f"{each.samples_per_second:.3g}" if known else "",
            "yes" if each.fits else "no",
        )
    console.print(f"intervals for {part}, by estimate", highlight=False)
    console.print(table)


def _until(passes: Sequence[ModulePass], kind: type[ModulePass]) -> Sequence[ModulePass]:
    """The passes in front of one."""
    kinds = [isinstance(unwrapped(each), kind) for each in passes]
    return passes[: kinds.index(True)]


def _run(context: Context, module: ModuleOp, passes: Sequence[ModulePass]) -> None:
    for each in passes:
        each.apply(context, module)


def _intervals(module: ModuleOp) -> Iterator[int]:
    """1, 2, 3, 4, 6, 8, 12, ... up to one at which the widest layer has one lane."""
    sums = [op for op in module.walk() if isinstance(op, NodeSumOp)]
    widest = max((op.mask_array.shape[1] for op in sums), default=1)
    powers = [1 << exponent for exponent in range((widest - 1).bit_length() + 1)]
    every = sorted({*powers, *(3 * low // 2 for low, _ in pairwise(powers) if low > 1)})
    return (interval for interval in every if interval < 2 * widest)


@dataclass(frozen=True)
class _Search:
    """Designs at one interval.

    Parameters
    ----------
    compiled : with the interval and the part.
    """

    context: Context
    front: ModuleOp
    compiled: CompilePass
    wrap: WrapInterfacePass
    part: DeviceFamily

    def trials(self) -> Iterator[Trial]:
        """The design with the storage of the pipeline, and with others until one fits."""
        default = self.compiled.logic_words
        first, memories = self._trial(default)
        yield first
        if first.registers is None or self.compiled.loadable:
            return
        short = _short(first, self._limits, self.part)
        words = sorted({words for words, _ in memories if words > 1})
        storages: list[int] = []
        if short == {"block_rams"}:
            storages = [each for each in words if default < each <= MOST_LOGIC_WORDS]
        elif short == {"luts"} and self._limits.block_rams:
            storages = [each - 1 for each in reversed(words) if each <= default]
        for logic_words in storages:
            moved = sum(bits * each for each, bits in memories if default < each <= logic_words)
            if moved > self._limits.luts << self.part.lut_inputs:
                return
            trial, _ = self._trial(logic_words)
            yield trial
            if trial.fits or _short(trial, self._limits, self.part) != short:
                return

    @property
    def _limits(self) -> Part:
        return self.part.part(self.part.project_part)

    def _trial(self, logic_words: int) -> tuple[Trial, Sequence[tuple[int, int]]]:
        """A design, and the words and bits of its memories."""
        compiled = replace(self.compiled, logic_words=logic_words)
        limits, part = self._limits, self.part
        luts = layer_luts(self.front, sharing(compiled, FoldLayersPass))
        if luts > TOO_LARGE * limits.luts:
            return Trial(compiled.interval, luts, None, logic_words=logic_words), ()
        module = self.front.clone()
        passes = with_interface(compiled.expand(), self.wrap)
        to_wires = _until(passes, LowerKanToHwPass)
        _run(self.context, module, to_wires)
        (function,) = wire_functions(module)
        found, cycles = estimate_design(function, part), latency_of(function)
        interval = declared_interval(function) or 1
        trial = Trial(
            compiled.interval,
            found.luts,
            found.registers,
            found.block_rams,
            cycles,
            round(max(cycles, 1) * found.period_ns, 1),
            float(f"{1e9 / (interval * found.period_ns):.3g}"),
            logic_words,
        )
        if passes[-1] is self.wrap and not _short(trial, limits, part):
            # What is too large without its wrapper is not lowered.
            _run(self.context, module, passes[len(to_wires) :])
            whole = estimate_entry(found, [*cores_in(module), *wrappers_in(module)])
            sizes = {name: whole.get(name, 0) for name in ("luts", "registers", "block_rams")}
            trial = replace(trial, **sizes)
        layers = [op for op in function.walk() if isinstance(op, FoldedOp)]
        memories = [memory for op in layers for memory in op.memories]
        return replace(trial, fits=not _short(trial, limits, part)), memories


def _short(trial: Trial, part: Part, family: DeviceFamily) -> set[str]:
    """Resources that a design takes too many of for a part, with a margin."""
    if trial.registers is None:
        return {"luts"}
    alone = family.register_luts * trial.registers if trial.interval > 1 else 0
    luts, registers = (int(each / MARGIN) for each in (trial.luts + alone, trial.registers))
    sizes = {"luts": (luts, 0, 0), "registers": (0, registers, 0)}
    sizes["block_rams"] = (0, 0, trial.block_rams)
    return {name for name, size in sizes.items() if not part.holds(*size)}


def _closest(target: str, trials: Sequence[Trial]) -> str:
    """The size of the last design that was compiled beside the part."""
    last = trials[-1]
    entry = part_entry(target, last.luts, last.registers or 0, last.block_rams)
    assert entry is not None
    return (
        f"at an interval of {last.interval} it takes {last.luts} LUTs and {last.block_rams} block "
        f"RAMs; {part_text(entry)}"
    )


def _remedy(part: DeviceFamily, trials: Sequence[Trial]) -> str:
    """The next part that holds one of the designs, or else fewer bits, edges or shapes."""
    family = device(part.part_of)
    for each in family.parts:
        held = next((trial for trial in trials if not _short(trial, each, family)), None)
        if held is not None:
            how = f"at an interval of {held.interval}" if held.interval > 1 else "unrolled"
            return (
                f"take {each.target_of(family.name)}, which holds it {how}, or give fewer bits "
                "(--bits)"
            )
    if _short(trials[-1], part.part(part.project_part), part) == {"block_rams"}:
        return (
            "give fewer bits (--bits), prune edges (kan-prune), or let edges share few shapes "
            "(kan-share-shapes, or kan-flow train --shapes)"
        )
    return "give fewer bits (--bits), or prune edges (kan-prune)"
