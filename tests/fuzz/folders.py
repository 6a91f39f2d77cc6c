"""Broken folders of a build, for `kan-flow simulate` and `kan-flow prove`.

A command on a broken folder must end in one message, a mismatch or a verdict. A design that is
proven is also simulated against the folder's integer model, and must not differ.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from xdsl.universe import Universe

from fuzz.commands import Case, Ended
from fuzz.floats import FloatDrawing
from fuzz.mutate import Mutator
from fuzz.networks import Drawing
from fuzz.pipelines import float_pipeline, integer_pipeline
from fuzz.text_mutants import CHANGES, mutants
from kan_dialect.errors import KanError
from kan_dialect.flows.build import build
from kan_dialect.flows.build_options import BuildOptions
from kan_dialect.flows.built_models import built_models
from kan_dialect.flows.simulate.simulation import SimulatorName, compare, simulate
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.model.interface import Interface, highs, lows
from kan_dialect.passbase.pipeline import build_pipeline

FOLDER = "design"
BUILDS = 24
ALL_CODES = 300
"""Up to so many combinations of input codes, all are simulated."""
VECTORS = 150
"""Random ones, where there are more."""

_COMMENT = re.compile(r" *//.*\n")
_DECLARED = re.compile(r"\b(?:wire|logic|localparam)\b[^=;,]*?\b([a-z]\w*)(?= =|;|,|\n)")
_LITERAL = re.compile(r"(?<=\d')(s?[hbd])([0-9A-F]+)")
_INDEX = re.compile(r"(?<=[\[:])\d+(?=[\]:])")
_OPERATOR = re.compile(r" (?:[-+]|<|>|<=|>=|==|!=) |(?<= )-(?=\d)|(?<=\()(?=rst)|\$signed|posedge")
_OPERATORS = {"$signed": "", "posedge": "negedge", "": "!", "-": ""}
_OTHERS = (" + ", " - ", " < ", " > ", " <= ", " >= ", " == ", " != ")


class Folders:
    """Builds of small random networks, to be broken."""

    def __init__(self, builds: int = BUILDS) -> None:
        self.folders: list[Mapping[str, bytes]] = []
        index = 0
        while len(self.folders) < builds:
            found = _built(index)
            index += 1
            if found is not None:
                self.folders.append(found)

    def case(self, rng: np.random.Generator) -> Case:
        """A folder in which something is broken, and a command on it."""
        mutator = Mutator(rng)
        files = dict(mutator.pick(self.folders))
        share = rng.random()
        if share < 0.64:
            main = next(name for name in files if name.endswith(".sv") and "/rtl/" in name)
            files[main] = _broken_rtl(mutator, files[main].decode()).encode(errors="replace")
        elif share < 0.84:
            stages = sorted(name for name in files if "/ir/" in name)
            main = str(mutator.pick([*stages, *stages[-1:] * len(stages)]))
            other = files[str(mutator.pick([name for name in files if "/ir/" in name]))]
            text = mutator.text(files[main].decode(), other.decode())
            files[main] = text.encode(errors="replace")
        elif share < 0.91:
            main = f"{FOLDER}/report.json"
            data = files[main]
            files[main] = mutator.json(data) if mutator.below(3) else mutator.bytes(data)
        elif share < 0.93:
            main = str(mutator.pick([name for name in files if "/sim/" in name]))
            files[main] = mutator.bytes(files[main])
        else:
            main = self._moved(mutator, files)
        return Case(files, main, _command(mutator))

    def _moved(self, mutator: Mutator, files: dict[str, bytes]) -> str:
        """Remove, empty or replace files of a folder. Returns the name of one that is left."""
        for _ in range(1 + mutator.below(2)):
            name = str(mutator.pick([name for name in files if "/host/" not in name]))
            match mutator.below(5):
                case 0:
                    del files[name]
                case 1:
                    files[name] = b""
                case 2:
                    files[f"{name}/x"] = files.pop(name)
                case 3:
                    other = dict(mutator.pick(self.folders))
                    files[name] = other[str(mutator.pick(list(other)))]
                case _:
                    files[f"{name}{mutator.pick(['.mlir', '.sv', '~', '.part'])}"] = files[name]
        return str(mutator.pick(list(files)))


def _built(index: int) -> Mapping[str, bytes] | None:
    """The files of a build; None where the network is too large, or refused."""
    rng = np.random.default_rng([9, index])
    integers = index % 3 > 0
    network = (Drawing if integers else FloatDrawing)(rng).network("net")
    module = network.module()
    if len(str(module)) > 5000:
        return None
    stages = integer_pipeline(rng) if integers else float_pipeline(rng)
    passes = build_pipeline(Universe.get_multiverse().all_passes, ",".join(stages))
    with tempfile.TemporaryDirectory(prefix="kan-fuzz-") as name:
        options = BuildOptions(passes, simulator=None, vectors=20, check_passes=False)
        folder = Path(name) / FOLDER
        try:
            build(make_context(), module, folder, options)
        except KanError:
            return None
        files = {
            str(path.relative_to(name)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    read = sum(len(data) for name, data in files.items() if "/rtl/" in name or "/ir/" in name)
    return files if read < 60_000 else None


def _command(mutator: Mutator) -> tuple[str, ...]:
    seed = ("--seed", str(mutator.below(100)))
    match mutator.below(30):
        case 0:
            return ("kan-flow", "simulate", FOLDER, "--changed", "--vectors", "200", *seed)
        case 1 | 2 | 3 | 4 | 5 | 6 | 7:
            return ("kan-flow", "simulate", FOLDER, "--changed", "--simulator", "icarus",
                    "--vectors", "200", "--bubbles", "0.2", "--resets", "2", *seed)  # fmt: skip
        case 8:
            return ("kan-flow", "synth", FOLDER, "--target", "ice40", "--timeout", "15")
        case 9 | 10 | 11:
            return ("kan-flow", "prove", FOLDER, "--timeout", "15", "--report")
        case _:
            return ("kan-flow", "prove", FOLDER, "--timeout", "15", "--changed")


def _broken_rtl(mutator: Mutator, text: str) -> str:
    """One change that may leave valid SystemVerilog, or arbitrary changes."""
    if not mutator.below(8):
        return mutator.text(text, text)
    if not mutator.below(3):
        return _other_language(mutator, text)
    text = _COMMENT.sub("\n", text)
    body = text.index(");\n")
    head, text = text[:body], text[body:]
    match mutator.below(10):
        case 0 | 1 | 2:
            text = _at_random(mutator, _LITERAL, text, _other_literal)
        case 3:
            text = _at_random(mutator, _INDEX, text, _near)
        case 4 | 5:
            text = _at_random(mutator, _OPERATOR, text, _other_operator)
        case 6 | 7:
            names = _DECLARED.findall(text) or ["in_valid"]
            used = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")
            text = _at_random(mutator, used, text, lambda m, _: str(m.pick(names)))
        case 8:
            text = _statement(mutator, text)
        case _:
            return _ports(mutator, head + text)
    return head + text


def _other_language(mutator: Mutator, text: str) -> str:
    """A change that keeps the bits and leaves the proven language, or a harmless one."""
    for index in mutator.rng.permutation(len(CHANGES)).tolist():
        found = [mutant.text for mutant in mutants(text, CHANGES[index : index + 1])]
        if found:
            return found[mutator.below(len(found))]
    return text


def _at_random(
    mutator: Mutator, pattern: re.Pattern[str], text: str, change: Callable[[Mutator, str], str]
) -> str:
    found = list(pattern.finditer(text))
    if not found:
        return text
    match = found[mutator.below(len(found))]
    return f"{text[: match.start()]}{change(mutator, match[0])}{text[match.end() :]}"


def _other_literal(mutator: Mutator, literal: str) -> str:
    """One digit is another: of a table, one bit to four of it."""
    digits = literal.lstrip("shbd")
    place = len(literal) - 1 - mutator.below(len(digits))
    others = {"b": "01", "d": "0123456789"}.get(literal[-len(digits) - 1], "0123456789ABCDEF")
    return literal[:place] + str(mutator.pick(others)) + literal[place + 1 :]


def _other_operator(mutator: Mutator, operator: str) -> str:
    return _OPERATORS[operator] if operator in _OPERATORS else str(mutator.pick(_OTHERS))


def _near(mutator: Mutator, number: str) -> str:
    return str(max(0, int(number) + int(mutator.pick([-2, -1, 1, 1, 2]))))


def _statement(mutator: Mutator, text: str) -> str:
    """A statement left out, doubled or moved."""
    parts = text.split(";\n")
    one, other = mutator.below(len(parts)), mutator.below(len(parts))
    match mutator.below(4):
        case 0:
            del parts[one]
        case 1:
            parts.insert(other, parts[one])
        case 2:
            parts[one], parts[other] = parts[other], parts[one]
        case _:
            parts.insert(other, parts.pop(one))
    return ";\n".join(parts)


def _ports(mutator: Mutator, text: str) -> str:
    """Two ports change places, or names."""
    start, end = text.index("(\n") + 2, text.index("\n);")
    ports = text[start:end].split(",\n")
    one, other = mutator.below(len(ports)), mutator.below(len(ports))
    if mutator.below(2):
        ports[one], ports[other] = ports[other], ports[one]
    else:
        names = [port.split()[-1] for port in ports]
        ports[one] = ports[one].replace(names[one], names[other])
        ports[other] = ports[other].replace(names[other], names[one])
    return text[:start] + ",\n".join(ports) + text[end:]


def proven_wrongly(command: Sequence[str], ended: Ended, folder: Path) -> str | None:
    """What is wrong with a proven design; None if nothing, or if no design was proven.

    It is simulated on all input codes if they are few, otherwise on corners and random ones.
    """
    if command[:2] != ("kan-flow", "prove") or ended.code != 0:
        return None
    if "equal to the integer model" not in ended.out:
        return f"exit code 0 without a proof: {ended.out[-300:]}"
    integer, circuit = built_models(folder / FOLDER)
    interface = circuit.interface()
    codes = _codes(interface)
    expected = integer.run_codes(codes)
    rtl = folder / FOLDER / "rtl" / f"{circuit.name}.sv"
    case = rtl.read_bytes(), codes.tobytes(), expected.tobytes()
    if case in _RIGHT:
        return None
    simulators: tuple[SimulatorName, ...] = ("icarus", "verilator")
    for simulator in simulators:
        if find_simulator(simulator) is None:
            continue
        try:
            got = simulate(rtl, interface, codes, simulator=simulator, bubbles=0.2, resets=2)
        except KanError as error:
            return f"proven, and in {simulator}: {error}"
        verdict = compare(expected, got, codes)
        if not verdict.passed:
            return f"proven, and in {simulator}: {verdict.describe(interface)}"
        break
    _RIGHT.add(case)
    return None


_RIGHT: set[tuple[bytes, bytes, bytes]] = set()
"""What was simulated already, and was right."""


def outcome(command: Sequence[str], ended: Ended) -> str:
    """The kind of outcome of a command on a folder, for the counts."""
    if f"{command[0]}: error: " in ended.err:
        return "folders refused"
    if command[1] == "prove":
        return "folders proven" if ended.code == 0 else "folders not proven"
    if command[1] == "simulate":
        return "folders simulated" if ended.code == 0 else "folders with mismatches"
    return f"folders through {command[1]}"


def _codes(interface: Interface) -> IntArray:
    low, high = lows(interface.inputs), highs(interface.inputs)
    if np.prod((high - low + 1).astype(np.float64)) > ALL_CODES:
        return stimuli(interface, random=VECTORS)
    ranges = [np.arange(least, most + 1) for least, most in zip(low, high, strict=True)]
    return np.stack([axis.ravel() for axis in np.meshgrid(*ranges, indexing="ij")], axis=1)
