"""`kan-flow prove --second`: agrees with right designs, and finds wrong ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import flow
from rtl_bugs import BUGS, victim_network
from xdsl.dialects.builtin import ModuleOp
from xdsl.universe import Universe

from kan_dialect.cli.flow import prove
from kan_dialect.errors import KanError
from kan_dialect.extras import install_command
from kan_dialect.flows.prove.cycles.integers import Arithmetic, Integer
from kan_dialect.flows.prove.cycles.solver import Solver
from kan_dialect.flows.prove.cycles.terms import Pool
from kan_dialect.flows.prove.second_opinion import induction, lemmas
from kan_dialect.flows.prove.second_opinion.codes import Add, Clamp, Divide
from kan_dialect.flows.prove.second_opinion.induction import Question
from kan_dialect.flows.prove.second_opinion.opinion import Opinion, second_opinion
from kan_dialect.flows.tools import toolchain
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.attributes.module_attributes import list_nodes, nodes_of
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.passbase.pipeline import build_pipeline
from repository import EXAMPLES, TEST_DATA

pytest.importorskip("bitwuzla")
needs_yosys = pytest.mark.skipif(
    toolchain.look_for("yosys") is None, reason="Yosys is not installed"
)

UNREACHABLE = TEST_DATA / "second_opinion" / "unreachable_codes.mlir"

Made = tuple[Model, Model, str]
"""Integer model, hardware and SystemVerilog."""


def compiled(module: ModuleOp, **options: int) -> Made:
    integer = Model.of(module.clone())
    for stage in CompilePass(**options).expand():  # pyright: ignore[reportArgumentType]
        stage.apply(make_context(), module)
    return integer, Model.of(module), emit_systemverilog(module)


def asked(made: Made, folder: Path, **options: float) -> Opinion:
    integer, circuit, text = made
    rtl = folder / "design.sv"
    rtl.write_text(text)
    return second_opinion(rtl, integer, circuit, **options)  # pyright: ignore[reportArgumentType]


def network(seed: int) -> ModuleOp:
    """Two layers; some nodes are saturated in the tables that read them."""
    rng = np.random.default_rng(seed)
    tables = TableNetwork("net", UniformQuantizedType(4, bool(seed % 2), 1.0), 4)
    tables.add_layer(rng.integers(-9, 9, (3, 4, 16)), saturate=(-12, 11))
    last = None if seed % 3 else (-40, 40)
    tables.add_layer(rng.integers(-30, 30, (2, 3, 24)), saturate=last)
    return tables.module()


@pytest.fixture(scope="module")
def victim() -> Made:
    """Two layers that saturate, in several stages, with sign extensions."""
    return compiled(victim_network(), levels=1, extra_levels=0)


@needs_yosys
@pytest.mark.parametrize("options", [{}, {"combinational": True}, {"levels": 1}, {"cycles": 9}])
def test_random_networks_are_shown(options: dict[str, int], tmp_path: Path) -> None:
    for seed in (0, 1):
        made = compiled(network(seed), **options)
        opinion = asked(made, tmp_path)
        assert opinion.shown, opinion.problems()
        assert opinion.outputs == 2 and "bitwuzla" in opinion.engine


WIDE_PORTS = """
func.func @net(%x: tensor<2xf64>) -> tensor<1xf64> {
  %s = kan.bspline %x degree 1 knots dense<[-2.0, -1.0, 0.0, 1.0, 2.0]> : tensor<5xf64>
    coefficients dense<[[[0.5, -1.0, 0.25], [1.0, 0.5, -0.5]]]> : tensor<1x2x3xf64>
    : tensor<2xf64> -> tensor<1x2xf64>
  %n = kan.node_sum %s : tensor<1x2xf64> -> tensor<1xf64>
  func.return %n : tensor<1xf64>
}
"""


@needs_yosys
@pytest.mark.parametrize(
    ("formats", "shown"),
    [
        ({"output_format": "s24.20"}, True),
        ({"input_format": "s14.12", "output_format": "s12.9"}, True),
        ({"input_format": "s20.18"}, False),
    ],
)
def test_ports_of_many_bits(formats: dict[str, str], shown: bool, tmp_path: Path) -> None:
    """A table of each code of a wide port is not written: it is a product, or stays open."""
    module = parse_text(make_context(), WIDE_PORTS.encode(), "net.mlir")
    for stage in CompilePass(bits=4, **formats).expand()[:3]:
        stage.apply(make_context(), module)
    opinion = asked(compiled(module), tmp_path)
    assert opinion.shown == shown
    assert all("undecided" in problem for problem in opinion.problems())


@needs_yosys
def test_several_processes_say_the_same(victim: Made, tmp_path: Path) -> None:
    opinions = [asked(victim, tmp_path, jobs=jobs) for jobs in (1, 2)]
    assert all(opinion.shown for opinion in opinions)
    assert [v.name for v in opinions[0].verdicts] == [v.name for v in opinions[1].verdicts]


@needs_yosys
@pytest.mark.parametrize("bug", BUGS)
def test_bugs_are_found(bug: str, victim: Made, tmp_path: Path) -> None:
    mutation, where = BUGS[bug]
    text = mutation(victim[2])
    assert text != victim[2], "the mutation did not apply"
    opinion = asked((*victim[:2], text), tmp_path)
    assert not opinion.shown and opinion.valid_problem is None
    failed = next(verdict for verdict in opinion.verdicts if not verdict.shown)
    assert where in failed.name
    if bug != "entries missing":
        assert failed.differs and failed.where, failed.problem
        assert not opinion.is_undecided


@needs_yosys
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("valid_s2 <= 1'b0;", "valid_s2 <= valid_s1;"), "does not depend on rst in cycle 1"),
        (("valid_s2 <= valid_s1", "valid_s2 <= in_valid"), "does not depend on in_valid"),
        (("valid_s2 <= valid_s1", "valid_s2 <= ~valid_s1"), "is not in_valid 10 cycles later"),
        (("valid_s2 <= valid_s1", "valid_s2 <= 1'b1"), "does not depend on in_valid in cycle 0"),
    ],
)
def test_bugs_of_the_valid_chain_are_found(
    change: tuple[str, str], words: str, victim: Made, tmp_path: Path
) -> None:
    assert change[0] in victim[2]
    opinion = asked((*victim[:2], victim[2].replace(*change, 1)), tmp_path)
    assert opinion.valid_problem is not None and not opinion.shown
    assert words in opinion.valid_problem


@needs_yosys
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("always_ff @(posedge clk)\n  begin", "always_ff @(negedge clk)\n  begin"), "rising"),
        (("always_ff @(posedge clk)\n  begin", "always_ff @(posedge in_valid)\n  begin"), "rising"),
        (
            ("logic [3:0] x1", "logic [2:0] x1"),
            "port x1 of the RTL must be an input of width 4, and",
        ),
        (("valid_s1 <= in_valid", "valid_s1 <= valid_s2"), "depends on itself"),
    ],
)
def test_what_cannot_be_read_is_refused(
    change: tuple[str, str], words: str, victim: Made, tmp_path: Path
) -> None:
    assert change[0] in victim[2]
    with pytest.raises(KanError, match=words):
        asked((*victim[:2], victim[2].replace(*change, 1)), tmp_path)


@needs_yosys
@pytest.mark.parametrize("key", ["offset", "cycle"])
def test_false_marks_show_nothing(
    key: str, victim: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(induction, "SECONDS", 0.1)
    op = victim[1].op.clone()
    node, *others = nodes_of(op)
    cycle, offset = node.cycle + (key == "cycle"), node.offset + (key == "offset")
    changed = NodeAttr(node.node, node.signal, node.values, cycle, offset, node.within)
    list_nodes(op, [changed, *others])
    opinion = asked((victim[0], Model(op, "hardware"), victim[2]), tmp_path)
    assert not opinion.verdicts[0].shown and not opinion.shown


@needs_yosys
def test_undecided_is_said(victim: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A solver that decides nothing.
    monkeypatch.setattr(Solver, "find", lambda *_, **__: "unknown")
    opinion = asked(victim, tmp_path)
    assert opinion.is_undecided and not opinion.shown and not opinion.nodes
    assert all("undecided" in line for line in opinion.problems())


@needs_yosys
@pytest.mark.parametrize("answers", [True, False])
def test_a_difference_at_codes_that_may_never_come_decides_nothing(
    answers: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output is the node's sum, which its tables keep from -8187: no clamp does."""
    module = parse_text(make_context(), UNREACHABLE.read_bytes(), UNREACHABLE.name)
    integer = Model.of(module.clone())
    passes = (
        "kan-fold-tables,kan-expand-wires,kan-split-tables,kan-narrow,"
        "kan-balance-sums{target=ecp5},lower-kan-to-hw"
    )
    for stage in build_pipeline(Universe.get_multiverse().all_passes, passes):
        stage.apply(make_context(), module)
    if not answers:
        # As where the time is over before the codes of inputs are asked for.
        monkeypatch.setattr(Question, "of_reached_codes", lambda _: None)
    # Whether the solver answers must not depend on the machine.
    monkeypatch.setattr(induction, "SECONDS", 600.0)
    monkeypatch.setattr(lemmas, "SECONDS", 600.0)
    made = (integer, Model.of(module), emit_systemverilog(module))
    opinion = asked(made, tmp_path, timeout=600)
    assert opinion.shown if answers else opinion.is_undecided
    assert answers or "which may never come" in opinion.problems()[-1]


def test_wrong_guesses_have_no_proof(
    victim: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers that guesses come from may be anything: nothing wrong is shown by them."""
    evaluate = lemmas.evaluate

    def wrong(*arguments: object) -> object:
        found = evaluate(*arguments)  # pyright: ignore[reportArgumentType]
        return np.where(np.arange(found.size) % 5 == 3, found ^ np.uint64(1), found)

    monkeypatch.setattr(lemmas, "evaluate", wrong)
    monkeypatch.setattr(induction, "SECONDS", 0.05)
    text = BUGS["one bit of a table"][0](victim[2])
    assert not asked((*victim[:2], text), tmp_path, timeout=5).shown


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Divide(0), lambda v: v),
        (Divide(1), lambda v: round(v / 2)),
        (Divide(3), lambda v: round(v / 8)),
        (Divide(-2), lambda v: 4 * v),
        (Add(5), lambda v: v + 5),
        (Clamp(-7, 9), lambda v: min(max(v, -7), 9)),
    ],
)
def test_steps_are_the_same_as_numbers_and_as_terms(
    step: Divide | Add | Clamp, expected: Callable[[int], int]
) -> None:
    """Python rounds to even, too."""
    math, values = Arithmetic(Pool()), np.arange(-40, 41)
    expected_numbers = [expected(value) for value in values.tolist()]
    np.testing.assert_array_equal(step.numbers(values), expected_numbers)
    for value, number in zip(values.tolist(), expected_numbers, strict=True):
        free = Integer(math.pool.variable("x", 12), -2048, 2047)
        same = math.equal(step.of(math, free), math.constant(number))
        is_value = math.equal(free, math.constant(value))
        assert Solver().find([is_value, math.pool.inverted(same)]) is None


# The command.


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("second")
    (folder / "net.mlir").write_text(str(network(0)))
    assert flow("build", folder / "net.mlir", "-o", folder / "out", "--simulator", "none") == 0
    return folder / "out"


@needs_yosys
def test_the_command_notes_that_both_agree(built: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert flow("prove", built, "--second", "--report") == 0
    assert "second opinion: agrees (" in capfd.readouterr().out
    noted = json.loads((built / "report.json").read_text())["proof"]
    assert noted["second"]["agrees"] is True
    for key in ("nodes", "outputs"):
        assert noted["second"][key] == noted[key]
    assert noted["second"]["seconds"] > 0 and "bitwuzla" in noted["second"]["engine"]


@needs_yosys
def test_a_wrong_design_is_wrong_for_both(
    built: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.sv"
    text = (built / "rtl" / "net.sv").read_text()
    wrong.write_text(BUGS["another input"][0](text))
    assert wrong.read_text() != text
    assert flow("prove", built, "--second", "--rtl", wrong) == 1
    out = capfd.readouterr().out
    assert "second opinion: agrees that this is not proven" in out
    assert re.search(r"second opinion: layer0_node\d: .* has code -?\d+, and must have", out)


@needs_yosys
@pytest.mark.parametrize("problem", ["differs", "undecided: no time is left"])
def test_a_disagreement_is_an_error(
    problem: str, built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert flow("prove", built, "--report") == 0

    def other(*arguments: object, **options: object) -> Opinion:
        found = second_opinion(*arguments, **options)  # pyright: ignore[reportArgumentType]
        found.verdicts[0] = replace(
            found.verdicts[0], problem=problem, where={"x0": 3}, expected=1, got=2
        )
        return found

    monkeypatch.setattr(prove, "second_opinion", other)
    assert flow("prove", built, "--second", "--report") == 1
    out = capfd.readouterr().out
    if problem == "differs":
        assert "second opinion: DISAGREES" in out
        assert "has code 2, and must have 1, at x0 = 3" in out
    else:
        assert "second opinion: UNDECIDED" in out and problem in out
    assert "proof" not in json.loads((built / "report.json").read_text())


def test_a_missing_solver_is_one_message(
    built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "bitwuzla", None)
    assert flow("prove", built, "--second") == 1
    said = capfd.readouterr()
    assert not said.out and said.err.count("\n") == 1
    assert "Bitwuzla, which is not installed" in said.err
    assert install_command("proof") in said.err


def test_hardware_that_trains_is_refused(
    built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prove, "is_trainable_build", lambda _: True)
    assert flow("prove", built, "--second") == 1
    assert "no second opinion on hardware that trains itself" in capfd.readouterr().err


SHARED = {"carry_stops", "netlist", "plans", "processes", "reference"}
"""Modules of `flows.prove` that the proof uses, too."""


def test_it_shares_neither_reader_nor_arithmetic_with_the_proof() -> None:
    """Of the proof it loads neither the reader, nor the meaning of cells, nor the forms."""
    code = (
        "import sys, kan_dialect.flows.prove.second_opinion.opinion\n"
        "print(*(name for name in sys.modules if '.flows.prove.' in name))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    known = {name.partition(".flows.prove.")[2].partition(".")[0] for name in loaded}
    assert known == SHARED | {"cycles", "second_opinion"}


@pytest.mark.ci
@needs_yosys
@pytest.mark.parametrize("name", ["jsc_openml", "wine", "drybean", "moons"])
def test_published_networks_are_shown(name: str, shared_data: Path, tmp_path: Path) -> None:
    tables, folder = shared_data / "kanele" / name / "truth_tables.json", tmp_path / "out"
    assert flow("build", tables, "-o", folder, "--simulator", "none") == 0
    assert flow("prove", folder, "--second", "--report") == 0
    assert json.loads((folder / "report.json").read_text())["proof"]["second"]["agrees"]


@pytest.mark.ci
@needs_yosys
@pytest.mark.parametrize(
    "options",
    [
        # A table of two bits, whose sign is extended.
        "bits=4 target=xcup",
        # A sum of two numbers that share variables.
        "bits=5 target=xcup",
    ],
)
def test_sums_that_are_not_linear_in_free_numbers_are_shown(options: str, tmp_path: Path) -> None:
    model, folder = EXAMPLES / "wine.onnx", tmp_path / "out"
    pipeline = f'kan-compile{{data="{model.with_suffix(".npz")}" cycles=2 {options}}}'
    built = ["-p", pipeline, "--simulator", "none", "--no-check-passes", "-o", folder]
    assert flow("build", model, *built) == 0
    assert flow("prove", folder, "--second") == 0
