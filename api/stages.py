"""Passes by name or as objects, run one after another on copies of a module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from kan_dialect.api.messages import as_kan_errors
from kan_dialect.checking import Checker, PassCheck, data_of, verify_after
from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import FloatArray
from kan_dialect.multiverse import installed_universe
from kan_dialect.passbase.garbage_collector import collector_paused
from kan_dialect.passbase.kan_pass import NamedPass, WrappedPass, require_possible
from kan_dialect.passbase.pipeline import CompositePass, build_pipeline, lacks_data, parse_passes
from kan_dialect.passbase.record import open_record

Pass: TypeAlias = str | ModulePass
"""Text as `kan-opt -p` takes it, such as `kan-quantize{bits=5},kan-fold-tables`, or a pass."""


def lack_data(given: Sequence[Pass]) -> bool:
    """Whether a text has a pass that reads samples, and names no file of them.

    Raises
    ------
    KanError : a text does not parse, or a pass is unknown.
    """
    available = installed_universe().all_passes
    texts = [each for each in given if isinstance(each, str)]
    return any(lacks_data(available, spec) for text in texts for spec in parse_passes(text))


def passes_of(given: Sequence[Pass], data: str | None = None) -> list[ModulePass]:
    """The passes in order. A pass that stands for several, such as kan-compile, is expanded.

    Parameters
    ----------
    data : path of a data file, for passes of texts that name none.

    Raises
    ------
    KanError : a text does not parse, a pass or an option is unknown, or an object is not a pass.
    """
    passes: list[ModulePass] = []
    for each in cast("Sequence[object]", given):
        match each:
            case str():
                passes += build_pipeline(installed_universe().all_passes, each, data)
            case CompositePass():
                passes += each.expand()
            case WrappedPass():
                passes.append(each)
            case ModulePass():
                passes.append(NamedPass(each))
            case _:
                raise KanError(
                    f"{_shown(each)} is no pass",
                    remedy='give a text such as "kan-quantize{bits=5}", or an instance of a pass',
                )
    return passes


def _shown(each: object) -> str:
    if isinstance(each, type):
        return f"the class {cast('type[Any]', each).__name__}"
    return repr(each)


@dataclass(frozen=True)
class Stage:
    """A module that a pass left."""

    module: ModuleOp
    check: PassCheck | None
    """Comparison with the module before the pass; None without one."""


def run_stages(
    module: ModuleOp,
    passes: Sequence[ModulePass],
    *,
    check: bool,
    samples: FloatArray | None,
) -> Iterator[Stage]:
    """Run passes, each on a copy of the module before it, verified.

    Parameters
    ----------
    check : whether each pass is checked by evaluation, as by `kan-opt --check-passes`.
    samples : (samples, inputs), float64, for the check; None takes those that a pass reads.

    Raises
    ------
    KanError : a pass refuses the module, leaves IR that does not verify, or does not keep what it
        claims. Names the pass.
    """
    checker = Checker(data_of(passes) if samples is None else samples) if check else None
    context = make_context()
    require_possible(passes, module)
    for index, stage in enumerate(passes):
        before, module = module, module.clone()
        with as_kan_errors():
            with collector_paused(), open_record(module, trusted=index > 0):
                stage.apply(context, module)
            verify_after(stage, module)
            found = None if checker is None else checker.check(stage, before, module)
        if found is not None:
            found.require_passed()
        yield Stage(module, found)
