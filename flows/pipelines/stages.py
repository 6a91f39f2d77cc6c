"""Lists of passes: what of them decides the outputs, and lists without a pass."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.passes import ModulePass

from kan_dialect.passbase.kan_pass import EXACT, KanPass, claim_of, pass_text, unwrapped


def recorded(stage: ModulePass) -> str:
    """A pass with its options but paths."""
    inner = unwrapped(stage)
    return inner.recorded() if isinstance(inner, KanPass) else pass_text(inner.spec())


def trading_passes(passes: Sequence[ModulePass]) -> int:
    """Number of passes up to the last one that trades accuracy; the later ones are exact."""
    return max((n for n, each in enumerate(passes, 1) if claim_of(each) != EXACT), default=0)


def up_to_trades(passes: Sequence[ModulePass]) -> list[str]:
    """The passes up to the last one that trades accuracy.

    Pipelines that begin with the same ones give the same codes, if all later passes are exact.
    """
    return [recorded(stage) for stage in passes[: trading_passes(passes)]]


def without(passes: Sequence[ModulePass], name: str) -> list[ModulePass]:
    """The passes without those of a name."""
    return [stage for stage in passes if stage.name != name]
