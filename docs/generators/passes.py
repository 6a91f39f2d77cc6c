"""The reference of the passes and of the default pipeline, with every option."""

from __future__ import annotations

import functools
import inspect
import itertools
import re
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import ParseError

from generators.links import ROOT
from kan_dialect.cli.reference.markdown import table
from kan_dialect.cli.reference.passes import description, pass_reference, preserves
from kan_dialect.devices.device import DEVICES
from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.passbase.pipeline import build_pipeline
from kan_dialect.universe import UNIVERSE


def reference() -> str:
    """The default pipeline in order, then every pass."""
    kinds = {name: factory() for name, factory in UNIVERSE.all_passes.items()}
    ordered = default_pipeline()
    rest = sorted(set(kinds) - set(ordered) - {CompilePass.name})
    parts = ["## The default pipeline", _pass(CompilePass.name, kinds, "###")]
    parts += ["## Passes of the default pipeline, in order"]
    parts += [_pass(name, kinds, "###") for name in ordered]
    parts += ["## Other passes"]
    parts += [_pass(name, kinds, "###") for name in rest]
    return "\n\n".join(parts)


def overview() -> str:
    """A line for each pass: its name, its file, the first sentence about it, what it preserves."""
    kinds = {name: factory() for name, factory in UNIVERSE.all_passes.items()}
    ordered = [CompilePass.name, *default_pipeline()]
    rows: list[tuple[str, str, str]] = []
    for name in [*ordered, *sorted(set(kinds) - set(ordered))]:
        link = f"[`{name}`](#{name})"
        rows.append((link, _summary(kinds[name]), preserves(kinds[name])))
    return table(("pass", "what it does", "preserves"), rows)


def default_pipeline() -> list[str]:
    """Names of the passes that `kan-compile` can run, in their order.

    Some take the place of others with a clock, or run for some devices only. Each stands behind the
    pass that it follows.
    """
    names: list[str] = []
    for mhz, target in itertools.product((300.0, None), DEVICES):
        compiled = CompilePass(
            "samples.npz", bits="auto", precision="auto", head="argmax", target=target, mhz=mhz
        )
        place = 0
        for stage in compiled.passes():
            if stage.name not in names:
                names.insert(place, stage.name)
            place = names.index(stage.name) + 1
    return names


def _pass(name: str, kinds: dict[str, type[ModulePass]], level: str) -> str:
    kind = kinds[name]
    source = Path(inspect.getsourcefile(kind) or "").resolve().relative_to(ROOT)
    shown = example(name)
    parts = [
        f"{level} {name}",
        pass_reference(kind),
        f"Defined in `{source}`.",
        "" if shown is None else f"Example, before and after:\n\n{shown}",
    ]
    return "\n\n".join(part for part in parts if part)


MAX_EXAMPLE_LINES = 12
MAX_EXAMPLE_WIDTH = 200
MAX_CONSTANT_WIDTH = 56


@functools.cache
def example(name: str) -> str | None:
    """A short function of the pass's lit test, before and after the pass with default options.

    None where every function is long, or the pass needs data or leaves the function as it is.
    """
    test = ROOT / "tests" / "filecheck" / "passes" / f"{name}.mlir"
    if not test.exists():
        return None
    text = re.sub(r"^ *//.*\n", "", test.read_text(), flags=re.MULTILINE)
    for function in re.findall(r"^func\.func .*?^}$", text, re.MULTILINE | re.DOTALL):
        context = make_context()
        try:
            module = Parser(context, function).parse_module()
            before = _shown(module)
            for stage in build_pipeline(UNIVERSE.all_passes, name):
                stage.apply(context, module)
        except (KanError, ParseError):
            continue
        after = _shown(module)
        if _is_short(before) and _is_short(after) and _body(before) != _body(after):
            return f"{_fenced(before)}\n\n{_fenced(after)}"
    return None


def _shown(module: ModuleOp) -> str:
    """The first function or hardware module, without its long constants."""
    text = str(next(iter(module.ops)))
    return re.sub(rf"dense<[^>]{{{MAX_CONSTANT_WIDTH},}}>", "dense<...>", text)


def _fenced(function: str) -> str:
    note = "<!-- not run: constants are left out -->\n" if "dense<...>" in function else ""
    return f"{note}```mlir\n{function}\n```"


def _is_short(function: str) -> bool:
    lines = function.splitlines()
    return len(lines) <= MAX_EXAMPLE_LINES and max(map(len, lines)) <= MAX_EXAMPLE_WIDTH


def _body(function: str) -> list[str]:
    """Its ops, without names of values."""
    return [re.sub(r"%\w+|\s", "", line) for line in function.splitlines()[1:]]


def _summary(kind: type[ModulePass]) -> str:
    return " ".join(description(kind).split("\n\n")[0].split())
