"""The base class of passes over the `kan` dialect."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar, cast

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr
from xdsl.ir import Attribute
from xdsl.passes import ModulePass

from kan_dialect.collection import collector_paused

PIPELINE_ATTRIBUTE = "kan.pipeline"
"""Module attribute: the passes that shaped the module, in order, as `-p` would spell them."""

EXACT = "exact"
"""`preserves` of a pass after which every output is the same.

Bit for bit where there are codes; where there are floats only, up to the rounding of float64, see
`kan_dialect.checking`.
"""


@dataclass(frozen=True)
class KanPass(ModulePass):
    """A pass that says what it preserves and leaves its trace in the module.

    A subclass implements `run` and tells by its result whether the module is of the pass's level:
    one of another level is left as it is, without a trace.
    """

    preserves: ClassVar[str] = EXACT
    """`exact`, or in a few words what the pass trades."""

    unrecorded: ClassVar[frozenset[str]] = frozenset()
    """Options that are left out of the trace: paths, for the same input gives the same bytes."""

    @abstractmethod
    def run(self, ctx: Context, module: ModuleOp) -> bool:
        """Rewrite the module; whether there was something of the pass's level in it."""

    def broken_promise(self, before: func.FuncOp, after: func.FuncOp) -> str | None:
        """Of a pass that trades accuracy: what it gave up beyond what it may, in words.

        The check of every pass asks, with a function as it was and as the pass left it.
        """
        return None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        with collector_paused():
            if self.run(ctx, op):
                self._record(op)

    def resuming(self) -> ModulePass:
        """The same pass, except that it skips a module that has been through it before."""
        return ResumedPass(self)

    def recorded(self) -> str:
        """The pass with its options, as the module's trace spells it."""
        spec = self.spec()
        for field in fields(self):
            if field.name in self.unrecorded:
                spec.parameters.pop(field.name, None)
        return str(spec)

    def _record(self, module: ModuleOp) -> None:
        texts = [*recorded_pipeline(module), self.recorded()]
        module.attributes[PIPELINE_ATTRIBUTE] = ArrayAttr(StringAttr(text) for text in texts)


@dataclass(frozen=True)
class ResumedPass(ModulePass):
    """A pass that runs unless the module's trace names it: so `kan-compile` resumes anywhere."""

    inner: KanPass

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] (class variable)
        return self.inner.name

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        done = [text.split("{")[0] for text in recorded_pipeline(op)]
        if self.inner.name not in done:
            self.inner.apply(ctx, op)


def claim_of(stage: ModulePass) -> str:
    """What a pass says that it preserves; exact where it says nothing, as passes of others do."""
    if isinstance(stage, ResumedPass):
        stage = stage.inner
    claim: object = getattr(stage, "preserves", EXACT)
    return claim if isinstance(claim, str) else EXACT


def promise_broken(stage: ModulePass, before: func.FuncOp, after: func.FuncOp) -> str | None:
    """What a pass gave up beyond what it may; None of passes that promise nothing."""
    if isinstance(stage, ResumedPass):
        stage = stage.inner
    return stage.broken_promise(before, after) if isinstance(stage, KanPass) else None


def recorded_pipeline(module: ModuleOp) -> list[str]:
    """The passes that shaped the module so far, as text."""
    trace = module.attributes.get(PIPELINE_ATTRIBUTE)
    if not isinstance(trace, ArrayAttr):
        return []
    entries = cast("ArrayAttr[Attribute]", trace).data
    return [entry.data for entry in entries if isinstance(entry, StringAttr)]
