"""The reference of the passes and of the default pipeline, with every option."""

from __future__ import annotations

import functools
import inspect
import itertools
import re
import sys
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import ParseError

from generators.links import ROOT
from generators.markdown import prose, table
from kan_dialect.devices.device import DEVICES
from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.options import Option, options_of
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


def preserves(kind: type[ModulePass]) -> str:
    """What a pass says that it preserves."""
    return kind.preserves if issubclass(kind, KanPass) else str(getattr(kind, "preserves", ""))


def _pass(name: str, kinds: dict[str, type[ModulePass]], level: str) -> str:
    kind = kinds[name]
    source = Path(inspect.getsourcefile(kind) or "").resolve().relative_to(ROOT)
    rows = [
        (
            f"`{each.name}`",
            _kind(each.type),
            _default(each),
            "" if each.bounds is None else each.bounds.range,
            each.help,
        )
        for each in options_of(kind)
    ]
    module = sys.modules[kind.__module__].__doc__ or ""
    module = re.sub(rf"^`{name}`: (\w)", lambda start: start[1].upper(), module)
    shown = example(name)
    parts = [
        f"{level} {name}",
        prose(module),
        f"Preserves: {preserves(kind)}. Defined in `{source}`."
        if preserves(kind)
        else f"Defined in `{source}`.",
        table(("option", "takes", "default", "bounds", "meaning"), rows) or "It has no options.",
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
            return f"```mlir\n{before}\n```\n\n```mlir\n{after}\n```"
    return None


def _shown(module: ModuleOp) -> str:
    """The first function or hardware module, without its long constants."""
    text = str(next(iter(module.ops)))
    return re.sub(rf"dense<[^>]{{{MAX_CONSTANT_WIDTH},}}>", "dense<...>", text)


def _is_short(function: str) -> bool:
    lines = function.splitlines()
    return len(lines) <= MAX_EXAMPLE_LINES and max(map(len, lines)) <= MAX_EXAMPLE_WIDTH


def _body(function: str) -> list[str]:
    """Its ops, without names of values."""
    return [re.sub(r"%\w+|\s", "", line) for line in function.splitlines()[1:]]


def _summary(kind: type[ModulePass]) -> str:
    first = inspect.cleandoc(sys.modules[kind.__module__].__doc__ or "").split("\n\n")[0]
    first = re.sub(r"^`[^`]*`: ", "", " ".join(first.split()))
    return first[:1].upper() + first[1:]


def _kind(annotation: str) -> str:
    """A type in the words of a user."""
    words: list[str] = []
    for part in re.split(r" \| (?![^\[]*\])", annotation):
        if part == "None":
            continue
        literal = re.fullmatch(r"Literal\[(.*)\]", part)
        if literal:
            words += [f"`{each.strip()[1:-1]}`" for each in literal[1].split(",")]
        else:
            words.append(_WORDS.get(part, f"`{part}`"))
    return " or ".join(dict.fromkeys(words))


_WORDS = {
    "bool": "true or false",
    "int": "integer",
    "float": "number",
    "str": "text",
    "tuple[int, ...]": "integers",
    "tuple[str, ...]": "texts",
    "tuple[float, ...]": "numbers",
}


def _default(option: Option) -> str:
    if option.required:
        return "required"
    match option.default:
        case None:
            return "none"
        case bool(value):
            return f"`{str(value).lower()}`"
        case tuple(values):
            return f"`{','.join(map(str, values))}`"
        case value:
            return f"`{value}`"
