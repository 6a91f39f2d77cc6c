"""ABC, by way of Yosys: whether a gate is ever true.

A sum of tables in another order is what SAT solvers are bad at. Binary decision diagrams are good
at it as long as a sum takes few values: with the bits of each variable side by side, a diagram has
about a node for each sum of the variables so far.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.second_opinion.graph import FALSE, Graph
from kan_dialect.flows.tools.tool_runs import run
from kan_dialect.flows.tools.toolchain import Tool

ROWS = 4096
"""Random rows that are tried first."""

MAX_DIAGRAM = 16_000_000
"""Nodes of decision diagrams that ABC may have at once, some 40 bytes each."""

MAX_CONFLICTS = 2000
"""Of the SAT solver, which looks for an example where diagrams are too large."""

_STARTER = "module starter (input a, b, output y); assign y = a & b; endmodule\n"
"""Yosys starts ABC for a network with a gate only, and reads the network afterwards."""


def sampled(graph: Graph, literal: int) -> dict[int, int] | None:
    """Inputs, by number, that make a literal true; None: no random ones do."""
    generator = random.Random(0)
    inputs = {number: generator.getrandbits(ROWS) for number in inputs_of(graph, literal)}
    (found,) = graph.evaluate([literal], inputs, ROWS)
    if not found:
        return None
    row = (found & -found).bit_length() - 1
    return {number: rows >> row & 1 for number, rows in inputs.items()}


def inputs_of(graph: Graph, literal: int) -> list[int]:
    return [number for number in graph.cone([literal]) if number and graph.gates[number] is None]


Answer = dict[int, int] | bool
"""Inputs, by number, that make a literal true; True: it never is; False: it is undecided."""


def answers(
    graph: Graph, literals: Sequence[int], yosys: Tool, timeout: float | None
) -> list[Answer]:
    """Whether each literal is ever true, in one run of ABC."""
    samples = [None if literal == FALSE else sampled(graph, literal) for literal in literals]
    found: list[Answer] = [
        literal == FALSE if sample is None else sample
        for literal, sample in zip(literals, samples, strict=True)
    ]
    asked = [number for number, answer in enumerate(found) if answer is False]
    if not asked or (timeout is not None and timeout <= 0):
        return found
    with tempfile.TemporaryDirectory(prefix="kan-second-") as directory:
        folder = Path(directory)
        (folder / "starter.v").write_text(_STARTER)
        script = ["strash", "backup"]
        for number in asked:
            lines = _blif(graph, literals[number], inputs_of(graph, literals[number]))
            (folder / f"question{number}.blif").write_text("\n".join(lines))
            script += [
                f"read_blif question{number}.blif",
                "strash",
                f"collapse -r -B {MAX_DIAGRAM}",
                "strash",
                f"write_blif answer{number}.blif",
                f"sat -C {MAX_CONFLICTS}",
                f"write_cex -n example{number}.cex",
            ]
        (folder / "decide.abc").write_text("\n".join([*script, "restore", "map", ""]))
        call = "read_verilog starter.v; simplemap; abc -script decide.abc"
        # What ABC had decided when its time or memory was over counts.
        with suppress(KanError):
            run(yosys, ["-q", "-p", call], cwd=folder, timeout=timeout, phase="deciding")
        for number in asked:
            found[number] = _answer(folder, number, inputs_of(graph, literals[number]))
    return found


def _answer(folder: Path, number: int, inputs: Sequence[int]) -> Answer:
    answer, example = folder / f"answer{number}.blif", folder / f"example{number}.cex"
    if answer.exists() and _is_false(answer.read_text()):
        return True
    return _example(example.read_text(), inputs) if example.exists() else False


def _blif(graph: Graph, literal: int, inputs: Sequence[int]) -> Iterator[str]:
    yield ".model question"
    yield " ".join([".inputs", *(f"n{number}" for number in inputs)])
    yield ".outputs y"
    for number in graph.cone([literal]):
        gate = graph.gates[number]
        if gate is not None:
            yield f".names n{gate[0] >> 1} n{gate[1] >> 1} n{number}"
            yield f"{1 - (gate[0] & 1)}{1 - (gate[1] & 1)} 1"
    yield f".names n{literal >> 1} y"
    yield f"{1 - (literal & 1)} 1"
    yield ".end\n"


def _is_false(text: str) -> bool:
    """Whether the network of a file is the constant 0."""
    lines = [line for line in text.splitlines() if line[:1] not in ("", "#")]
    return lines[-2:] == [" 0", ".end"] or lines[-2:] == [".names y", ".end"]


def _example(text: str, inputs: Sequence[int]) -> dict[int, int]:
    values = dict(word.split("=") for word in text.split() if "=" in word)
    return {number: int(values.get(f"n{number}", "0")) for number in inputs}
