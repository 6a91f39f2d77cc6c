"""Proofs of hardware that trains: what is right is proven, and what is wrong is shown."""

from __future__ import annotations

import importlib
import json
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import flow
from hypothesis import given
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects import hw

from kan_dialect.errors import KanError
from kan_dialect.extras import install_command
from kan_dialect.flows.prove.cycles.integers import Arithmetic, Integer
from kan_dialect.flows.prove.cycles.solver import Solver
from kan_dialect.flows.prove.cycles.terms import Pool, Term, apply, evaluate
from kan_dialect.flows.prove.on_chip.bench import (
    Cycle,
    first_mismatch,
    play,
    play_in_icarus,
)
from kan_dialect.flows.prove.on_chip.prove import TrainingProof, prove_training
from kan_dialect.flows.prove.on_chip.reference import Reference, unsettled
from kan_dialect.flows.prove.on_chip.witness import find_witness
from kan_dialect.flows.tools.run_limits import Limits, limited
from kan_dialect.flows.tools.toolchain import look_for
from kan_dialect.ir.attributes.module_attributes import training_cycles
from kan_dialect.ir.fixed_point import FixedType, fixed_type
from kan_dialect.lowering.on_chip.training_to_hw import LowerTrainingToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.on_chip.coefficient_memory import Bank
from kan_dialect.model.on_chip.training_step import Step, run_steps, step_of
from kan_dialect.passes.make_trainable import MakeTrainablePass
from repository import BENCHMARKS, EXAMPLES
from training_reference import random_network

bitwuzla = pytest.importorskip("bitwuzla", reason="bitwuzla is not installed")
needs_yosys = pytest.mark.skipif(look_for("yosys") is None, reason="yosys not installed")


def design(
    folder: Path, sizes: list[int], degrees: list[int], cells: list[int], **options: Any
) -> tuple[Step, Path, tuple[int, int]]:
    """A step, its RTL, and its latency and interval."""
    module = random_network(np.random.default_rng(1), sizes, degrees, cells)
    MakeTrainablePass(**options).apply(Context(), module)
    step = step_of(module.clone())
    LowerTrainingToHwPass().apply(Context(), module)
    circuit = next(op for op in module.ops if isinstance(op, hw.HWModuleOp))
    rtl = folder / "net.sv"
    rtl.write_text(emit_systemverilog(module))
    return step, rtl, training_cycles(circuit)


def problems(proof: TrainingProof) -> list[str]:
    return [f"{o.group}: {o.name}: {o.problem}" for o in proof.outcomes if not o.proven]


# Hardware that is right.


SMALL: dict[str, Any] = {"integer_bits": 3, "fraction_bits": 5, "local_bits": 3}


@needs_yosys
def test_a_small_network(tmp_path: Path) -> None:
    step, rtl, cycles = design(tmp_path, [2, 1], [2], [4], **SMALL, learning_rate=0.15)
    proof = prove_training(rtl, step, *cycles)
    assert not problems(proof)
    assert (proof.count("writes"), proof.count("outputs")) == (6, 1)


@pytest.mark.ci
@needs_yosys
@pytest.mark.parametrize("seed", range(4))
def test_random_networks(seed: int, tmp_path: Path) -> None:
    """The networks of `test_training_hardware`."""
    rng = np.random.default_rng(seed)
    count = 1 + seed % 3
    sizes = rng.integers(1, 4, count + 1).tolist()
    degrees = [1 + (seed + k) % 5 for k in range(count)]
    cells = rng.integers(1, 20, count).tolist()
    step, rtl, cycles = design(
        tmp_path,
        sizes,
        degrees,
        cells,
        learning_rate=float(rng.choice([0.5, 0.125, 0.3, 0.05])),
        integer_bits=int(rng.integers(3, 8)),
        fraction_bits=int(rng.integers(6, 13)),
        local_bits=int(rng.integers(2, 7)),
        error="fed" if seed % 4 == 3 else "squared",
        momentum=[0.0, 0.0, 0.9, 0.75][seed % 4],
        weight_decay=[0.0, 2**-7, 0.003][seed % 3],
    )
    assert not problems(prove_training(rtl, step, *cycles))


@pytest.mark.ci
@needs_yosys
@pytest.mark.parametrize("cells", [509, 600])
def test_memories_of_lookup_tables_and_in_blocks(cells: int, tmp_path: Path) -> None:
    step, rtl, cycles = design(
        tmp_path, [1, 1], [1], [cells], fraction_bits=12, learning_rate=0.3, momentum=0.25
    )
    assert not problems(prove_training(rtl, step, *cycles))


@pytest.mark.ci
@needs_yosys
@pytest.mark.parametrize("name", ["tracker", "load"])
def test_examples(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / name
    options = ["--trainable", "--learning-rate", "0.15", "--simulator", "none", "-o", str(out)]
    assert flow("build", str(EXAMPLES / f"{name}.mlir"), *options) == 0
    capsys.readouterr()
    assert flow("prove", str(out), "--report") == 0
    printed = capsys.readouterr().out
    assert f"{name} in SystemVerilog: every sample and every access is a step of the IR" in printed
    assert "a trained sample every 3 cycles" in printed
    noted = json.loads((out / "report.json").read_text())["proof"]
    assert noted["writes"] == 4 and noted["interval_proven"] == 3 and noted["cycles_proven"] == 4


@pytest.mark.ci
@needs_yosys
def test_a_wrong_file_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, wrong = tmp_path / "tracker", tmp_path / "wrong.sv"
    options = ["--trainable", "--simulator", "none", "-o", str(out)]
    assert flow("build", str(EXAMPLES / "tracker.mlir"), *options) == 0
    text = (out / "rtl" / "tracker.sv").read_text()
    wrong.write_text(text.replace("_address0_1_d3]", "_address0_1_d2]"))
    capsys.readouterr()
    assert flow("prove", str(out), "--rtl", str(wrong)) == 1
    printed = capsys.readouterr().out
    assert "writes, layer 0, edge 0_0, bank 1: address differs" in printed
    assert "Inputs that show it, from the reset on:" in printed
    assert "tracker in SystemVerilog: NOT proven" in printed


# Hardware that is wrong.


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Step, Path, tuple[int, int]]:
    folder = tmp_path_factory.mktemp("tiny")
    return design(folder, [1, 1], [1], [3], learning_rate=0.3, **SMALL)


WRONG = {
    "handshake: in_ready": ("trained_d1 | trained_d2", "trained_d1 | trained_d1"),
    "outputs: y0": ("& ~(~sum_", "| ~(~sum_"),
    "initial words": ("_bank0[0] = 8'd", "_bank0[0] = 8'd1"),
}


@needs_yosys
@pytest.mark.parametrize("problem", WRONG)
def test_wrong_text(tiny: tuple[Step, Path, tuple[int, int]], problem: str, tmp_path: Path) -> None:
    step, rtl, cycles = tiny
    text, wrong = rtl.read_text(), tmp_path / "wrong.sv"
    assert WRONG[problem][0] in text
    wrong.write_text(text.replace(*WRONG[problem], 1))
    proof = prove_training(wrong, step, *cycles)
    assert any(problem in each for each in problems(proof)), problems(proof)
    witness = find_witness(proof, next(o for o in proof.outcomes if not o.proven))
    assert witness is not None and witness.mismatch.got != witness.mismatch.expected
    if look_for("iverilog") is not None:
        outputs = play_in_icarus(proof.ports, wrong, proof.name, witness.trace)
        assert outputs[witness.mismatch.cycle][witness.mismatch.port] == witness.mismatch.got


@pytest.mark.ci
@needs_yosys
def test_seeded_bugs_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    seeded = importlib.import_module("seeded_training")
    # Every twelfth: `benchmarks/seeded_training.py` runs all, which takes some seven minutes.
    for seed in seeded.SEEDS[::12]:
        assert seeded.found(seed, tmp_path) is not None, seed.name


# What the proof trusts.


def mask(kind: FixedType) -> int:
    return (1 << kind.bits) - 1


def number_of(number: Integer, values: dict[str, Any]) -> int:
    pattern = int(evaluate(number.term, values)[0])
    top = 1 << (number.term.width - 1)
    return (pattern ^ top) - top if number.signed else pattern


@pytest.mark.parametrize("seed", range(4))
def test_the_reference_is_the_integer_model(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 1 + seed % 2
    sizes = rng.integers(1, 3, count + 1).tolist()
    degrees = [1 + (seed + k) % 3 for k in range(count)]
    module = random_network(rng, sizes, degrees, rng.integers(1, 9, count).tolist())
    MakeTrainablePass(
        learning_rate=0.3,
        momentum=[0.0, 0.75][seed % 2],
        weight_decay=[0.0, 2**-7][seed // 2],
        error=["squared", "fed"][seed // 2],
        integer_bits=3,
        fraction_bits=6,
        local_bits=3,
    ).apply(Context(), module)
    step = step_of(module)
    number, target = fixed_type(step.input), fixed_type(step.target)
    assert number is not None and target is not None
    math = Arithmetic(Pool())

    def variables(letter: str, kind: FixedType, of: int) -> list[Integer]:
        return [math.variable(f"{letter}{index}", kind.low, kind.high) for index in range(of)]

    def word(bank: Bank) -> Integer:
        return math.variable(str(bank), number.low, number.high)

    inputs, targets = variables("x", number, sizes[0]), variables("t", target, sizes[-1])
    reference = Reference(step, math.pool, unsettled, word, inputs, targets)
    reference.run()
    states = [rng.integers(number.low, number.high + 1, s.shape) for s in step.initial()]
    for _ in range(6):
        x = rng.integers(number.low, number.high + 1, (1, sizes[0]))
        t = rng.integers(target.low, target.high + 1, (1, sizes[-1]))
        run = run_steps(step, x, t, states=states)
        values = {f"x{i}": np.array([v & mask(number)]) for i, v in enumerate(x[0].tolist())}
        values |= {f"t{i}": np.array([v & mask(target)]) for i, v in enumerate(t[0].tolist())}
        words = {b: reference.map.words(b, states[b.layer]) for b in reference.map.all_banks()}
        for bank in sorted(reference.rows, key=lambda bank: bank.layer % step.layers):
            row = number_of(reference.rows[bank], values)
            values[str(bank)] = np.array([int(words[bank][row]) & mask(number)])
        assert [number_of(y, values) for y in reference.outputs] == run.outputs[0].tolist()
        for bank, following in reference.following.items():
            words[bank][number_of(reference.rows[bank], values)] = number_of(following, values)
            assert (words[bank] == reference.map.words(bank, run.states[bank.layer])).all()
        states = run.states


OPERATORS = ("add", "sub", "mul", "and", "or", "xor", "eq", "ult", "slt", "ite", "concat")
OTHERS = ("not", "extract", "zext", "sext", "table")


@st.composite
def applied(draw: st.DrawFn) -> tuple[list[tuple[str, int, list[int], Any]], list[int]]:
    """Terms, each of earlier ones (the first two are variables), and numbers of the variables."""
    widths = [draw(st.integers(1, 6)), draw(st.integers(1, 6))]
    values = [draw(st.integers(0, (1 << width) - 1)) for width in widths]
    made: list[tuple[str, int, list[int], Any]] = [("var", width, [], None) for width in widths]
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(OPERATORS + OTHERS))
        first = draw(st.integers(0, len(made) - 1))
        width, data = made[first][1], None
        alike = [index for index, each in enumerate(made) if each[1] == width]
        arguments = [first]
        if kind in OPERATORS and kind not in ("ite", "concat"):
            arguments.append(draw(st.sampled_from(alike)))
            width = 1 if kind in ("eq", "ult", "slt") else width
        elif kind == "ite":
            bits = [index for index, each in enumerate(made) if each[1] == 1]
            if not bits:
                continue
            arguments = [draw(st.sampled_from(bits)), first, draw(st.sampled_from(alike))]
        elif kind == "concat":
            arguments.append(draw(st.integers(0, len(made) - 1)))
            width += made[arguments[1]][1]
            if width > 20:
                continue
        elif kind == "extract":
            data = draw(st.integers(0, width - 1))
            width = draw(st.integers(1, width - data))
        elif kind in ("zext", "sext"):
            width += draw(st.integers(0, 4))
        elif kind == "table":
            if width > 5:
                continue
            entries = st.integers(0, 7)
            data = tuple(draw(st.lists(entries, min_size=1 << width, max_size=1 << width)))
            width = 3
        made.append((kind, width, arguments, data))
    return made, values


@given(applied())
def test_terms_are_what_they_are_in_the_solver(
    drawn: tuple[list[tuple[str, int, list[int], Any]], list[int]],
) -> None:
    """Simplified, evaluated on arrays and in bitwuzla, a term is what its operators give."""
    made, values = drawn
    pool, terms, plain = Pool(), list[Term](), list[Any]()
    for index, (kind, width, arguments, data) in enumerate(made):
        if kind == "var":
            terms.append(pool.variable(f"v{index}", width))
            plain.append(values[index])
            continue
        args = [terms[argument] for argument in arguments]
        raw = [Term("var", made[argument][1]) for argument in arguments]
        plain.append(apply(kind, width, raw, data, [plain[a] for a in arguments]))
        terms.append(pool.make(kind, width, args, data))
    columns = {f"v{index}": np.array([value]) for index, value in enumerate(values)}
    assert int(evaluate(terms[-1], columns)[0]) == plain[-1]
    given_values = [
        pool.equal(terms[i], pool.constant(v, terms[i].width)) for i, v in enumerate(values)
    ]
    right = pool.equal(terms[-1], pool.constant(plain[-1], terms[-1].width))
    assert Solver().find([*given_values, pool.inverted(right)]) is None


@needs_yosys
@pytest.mark.skipif(
    look_for("iverilog") is None or look_for("vvp") is None, reason="iverilog not installed"
)
def test_designs_run_as_in_icarus_and_as_the_step(
    tiny: tuple[Step, Path, tuple[int, int]],
) -> None:
    """Samples, accesses and resets in any order."""
    step, rtl, cycles = tiny
    proof = prove_training(rtl, step, *cycles)
    rng = np.random.default_rng(3)
    widths = {port: len(bits) for port, bits in proof.netlist.inputs.items() if port != "clk"}
    trace: list[Cycle] = [{"rst": 1}]
    for _ in range(60):
        cycle = {port: int(rng.integers(0, 1 << width)) for port, width in widths.items()}
        cycle["rst"] = int(rng.random() < 0.03)
        cycle["mem_valid"] = int(rng.random() < 0.2)
        cycle["mem_address"] &= 3
        trace.append(cycle)
    ours = play(proof.ports, trace)
    theirs = play_in_icarus(proof.ports, rtl, step.name, trace)
    for outputs in (ours, theirs):
        assert first_mismatch(step, proof.ports, proof.timing, trace, outputs) is None
    assert any(outputs["out_valid"] for outputs in ours[2:])


# What cannot be proven.


@needs_yosys
def test_other_steps_are_refused(tiny: tuple[Step, Path, tuple[int, int]], tmp_path: Path) -> None:
    step, _, cycles = tiny
    _, rtl, _ = design(tmp_path, [2, 1], [1], [3], **SMALL)
    with pytest.raises(KanError, match=r"port mem_address of @.* must be an input of width 2, and"):
        prove_training(rtl, step, *cycles)


@needs_yosys
def test_no_time_left(tiny: tuple[Step, Path, tuple[int, int]]) -> None:
    step, rtl, cycles = tiny
    with pytest.raises(KanError, match=r"took|time"):
        prove_training(rtl, step, *cycles, timeout=0.01)


def test_no_solver(
    tiny: tuple[Step, Path, tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    step, rtl, cycles = tiny
    monkeypatch.setitem(sys.modules, "bitwuzla", None)
    with pytest.raises(
        KanError, match="needs the solver Bitwuzla, which is not installed"
    ) as raised:
        prove_training(rtl, step, *cycles)
    assert raised.value.remedy == install_command("proof")


def test_a_solver_does_not_outlive_its_questions() -> None:
    """Python's collector does not look into Bitwuzla: a cycle through it would stay."""
    questions = Solver().given([])
    gone = weakref.ref(questions)
    del questions
    assert gone() is None


def test_a_question_that_takes_too_much_memory_ends() -> None:
    pool = Pool()
    factors = [pool.extended(pool.variable(name, 32), 64, signed=False) for name in "xy"]
    product = pool.make("mul", 64, factors)
    prime = pool.constant(281_474_976_710_597, 64)  # the largest below 2^48
    with (
        limited(Limits(memory=1.0)),
        pytest.raises(KanError, match=r"^the proof takes more than 0\.0 GiB of memory") as refused,
    ):
        Solver().find([pool.equal(product, prime)], seconds=60)
    assert refused.value.remedy == "allow more with --memory"
