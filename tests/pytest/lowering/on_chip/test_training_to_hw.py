"""Hardware that trains itself: the RTL in Verilator against the integer model, and its cost."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp

from fuzz.designs import circt_export, circt_text
from kan_dialect.devices.device import XCUP
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import find_function
from kan_dialect.flows.design import Design
from kan_dialect.flows.on_chip.simulation import TrainingCircuit, compare_training, open_circuit
from kan_dialect.flows.simulate.testbench import write_training_testbench
from kan_dialect.flows.tools.synthesis import synthesize
from kan_dialect.flows.tools.toolchain import look_for
from kan_dialect.ir.attributes.module_attributes import training_cycles
from kan_dialect.ir.constants import BoolArray, IntArray
from kan_dialect.ir.fixed_point import fixed_type
from kan_dialect.lowering.hardware_ops import hardware_modules
from kan_dialect.lowering.on_chip.training_to_hw import LowerTrainingToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.on_chip.trainable_layers import trainable_layers
from kan_dialect.model.on_chip.training_step import Step, infer, run_steps, step_of
from kan_dialect.ops.on_chip import CombineOp, UpdateOp
from kan_dialect.passes.make_trainable import MakeTrainablePass
from lint import require_no_lint, require_silent
from training_reference import Reference, random_network, reference_of, torch_network


def needs(*names: str) -> pytest.MarkDecorator:
    missing = [name for name in names if look_for(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


def lowered(module: ModuleOp, **options: Any) -> Step:
    """The step; `module` is lowered to hardware."""
    MakeTrainablePass(**options).apply(Context(), module)
    step = step_of(module.clone())
    LowerTrainingToHwPass().apply(Context(), module)
    module.verify()
    return step


def tracker(**options: Any) -> tuple[ModuleOp, Step]:
    """A cubic network of one edge, grid 5, of 16 bits."""
    module = random_network(np.random.default_rng(0), [1, 1], [3], [5])
    return module, lowered(module, **options)


def require_reference(
    circuit: TrainingCircuit,
    reference: Reference,
    inputs: IntArray,
    targets: IntArray,
    train: BoolArray,
) -> None:
    """The RTL gives what plain Python integers give: every output, and every coefficient."""
    reference.begin(circuit.read())
    got = circuit.run(inputs, targets, train)
    expected = [
        reference.step(x, t, trains)
        for x, t, trains in zip(inputs.tolist(), targets.tolist(), train.tolist(), strict=True)
    ]
    assert (got == np.array(expected)).all()
    assert [state.tolist() for state in circuit.read()] == reference.states


@contextmanager
def circuit_of(module: ModuleOp, step: Step, folder: Path) -> Generator[TrainingCircuit]:
    rtl = folder / "net.sv"
    rtl.write_text(emit_systemverilog(module))
    with open_circuit(rtl, step) as circuit:
        yield circuit


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[TrainingCircuit, Step]]:
    if look_for("verilator") is None:
        pytest.skip("verilator not installed")
    module, step = tracker(learning_rate=0.15)
    with circuit_of(module, step, tmp_path_factory.mktemp("tracking")) as circuit:
        yield circuit, step


# The RTL is the integer model.


STEPS = 5_000


def test_many_steps(tracking: tuple[TrainingCircuit, Step]) -> None:
    (circuit, step), count = tracking, STEPS
    rng = np.random.default_rng(1)
    inputs = rng.integers(-2048, 2048, (count, 1))
    targets = rng.integers(-4096, 4096, (count, 1))
    verdict = compare_training(circuit, step, inputs, targets)
    assert verdict.passed, verdict.describe()
    assert verdict.trained == count
    assert verdict.cycles <= 3 * count + 100


def test_as_many_against_plain_integers(tracking: tuple[TrainingCircuit, Step]) -> None:
    (circuit, step), count = tracking, STEPS
    rng = np.random.default_rng(9)
    inputs, targets = rng.integers(-2048, 2048, (2, count, 1))
    reference = reference_of(step, MakeTrainablePass(learning_rate=0.15))
    require_reference(circuit, reference, inputs, targets, rng.random(count) < 0.99)


def test_the_same_cell_every_sample(tracking: tuple[TrainingCircuit, Step]) -> None:
    """Each sample reads what the one before writes."""
    circuit, step = tracking
    rng = np.random.default_rng(2)
    inputs = np.full((3000, 1), 100)
    targets = rng.integers(-32768, 32768, inputs.shape)
    for train in (None, rng.random(3000) < 0.5):
        verdict = compare_training(circuit, step, inputs, targets, train)
        assert verdict.passed, verdict.describe()


def test_gaps_between_samples(tracking: tuple[TrainingCircuit, Step]) -> None:
    circuit, step = tracking
    rng = np.random.default_rng(3)
    inputs, targets = rng.integers(-32768, 32768, (2, 3000, 1))
    for bubbles in (0.3, 0.8):
        train = rng.random(3000) < 0.6
        verdict = compare_training(circuit, step, inputs, targets, train, bubbles=bubbles, seed=4)
        assert verdict.passed, verdict.describe()


def test_inference_takes_a_sample_every_cycle(tracking: tuple[TrainingCircuit, Step]) -> None:
    circuit, step = tracking
    inputs = np.random.default_rng(5).integers(-32768, 32768, (2000, 1))
    before = circuit.read()
    start = circuit.cycles
    got = circuit.run(inputs, np.zeros_like(inputs), np.zeros(2000, dtype=np.bool_))
    assert circuit.cycles - start <= 2000 + 100
    assert (got == infer(step, inputs, before)).all()
    assert (circuit.read()[0] == before[0]).all()


def test_coefficients_are_loaded_and_read(tracking: tuple[TrainingCircuit, Step]) -> None:
    circuit, step = tracking
    loaded = [np.random.default_rng(6).integers(-32768, 32768, (1, 1, 8))]
    circuit.write(loaded)
    assert (circuit.read()[0] == loaded[0]).all()
    inputs = np.arange(-32768, 32768, 7).reshape(-1, 1)
    got = circuit.run(inputs, np.zeros_like(inputs), np.zeros(len(inputs), dtype=np.bool_))
    assert (got == infer(step, inputs, loaded)).all()


@needs("verilator")
@pytest.mark.parametrize(
    ("good", "bad"),
    [
        # An interlock that is a cycle short; ties that are not rounded to even; a row too late.
        ("trained_d1 | trained_d2", "trained_d1 | trained_d1"),
        ("& ~(~sum_", "| ~(~sum_"),
        ("layer0_address0_1_d3]", "layer0_address0_1_d2]"),
    ],
)
def test_what_the_rtl_does_wrong_is_found(good: str, bad: str, tmp_path: Path) -> None:
    module, step = tracker(learning_rate=0.15)
    text = emit_systemverilog(module)
    assert good in text
    rtl = tmp_path / "net.sv"
    rtl.write_text(text.replace(good, bad))
    inputs, targets = np.random.default_rng(7).integers(-2048, 2048, (2, 3000, 1))
    with open_circuit(rtl, step) as circuit:
        verdict = compare_training(circuit, step, inputs, targets)
    assert not verdict.passed and "expected" in verdict.describe()


@needs("verilator")
@pytest.mark.parametrize("seed", range(4))
def test_random_networks(seed: int, tmp_path: Path) -> None:
    """Sizes, degrees, grids, widths and rates at random; against the model and plain integers."""
    rng = np.random.default_rng(seed)
    count = 1 + seed % 3
    sizes = rng.integers(1, 4, count + 1).tolist()
    degrees = [1 + (seed + k) % 5 for k in range(count)]
    module = random_network(rng, sizes, degrees, rng.integers(1, 20, count).tolist())
    options: dict[str, Any] = {
        "learning_rate": float(rng.choice([0.5, 0.125, 0.3, 0.05])),
        "integer_bits": int(rng.integers(3, 8)),
        "fraction_bits": int(rng.integers(6, 13)),
        "local_bits": int(rng.integers(2, 7)),
        "error": "fed" if seed % 4 == 3 else "squared",
        "momentum": [0.0, 0.0, 0.9, 0.75][seed % 4],
        "weight_decay": [0.0, 2**-7, 0.003][seed % 3],
    }
    step = lowered(module, **options)
    number, target = step.number, fixed_type(step.target)
    assert number is not None and target is not None
    one, samples = 1 << number.fraction, 400
    with circuit_of(module, step, tmp_path) as circuit:
        inputs = rng.integers(-2 * one, 2 * one, (samples, sizes[0]))
        targets = rng.integers(-one, one, (samples, sizes[-1]))
        reference = reference_of(step, MakeTrainablePass(**options))
        require_reference(circuit, reference, inputs, targets, rng.random(samples) < 0.8)

        # The same cell every sample, of which each second trains at first, then all of them.
        same = np.full_like(inputs, one // 3)
        alternating = np.arange(samples) % 2 + (np.arange(samples) > 100) > 0
        verdict = compare_training(circuit, step, same, targets, alternating)
        assert verdict.passed, verdict.describe()

        inputs = rng.integers(number.low, number.high + 1, inputs.shape)
        targets = rng.integers(target.low, target.high + 1, targets.shape)
        verdict = compare_training(circuit, step, inputs, targets, bubbles=0.2, seed=seed)
        assert verdict.passed, verdict.describe()

        states, begin = circuit.read(), circuit.cycles
        got = circuit.run(inputs, targets, np.zeros(samples, dtype=np.bool_))
        assert circuit.cycles - begin <= samples + 100
        assert (got == infer(step, inputs, states)).all()


@needs("verilator")
@pytest.mark.parametrize(("cells", "interval"), [(509, 3), (600, 4)])
def test_memories_of_lookup_tables_and_in_blocks(cells: int, interval: int, tmp_path: Path) -> None:
    """Two banks; of at most 256 words they are read in the cycle in which words are multiplied."""
    rng = np.random.default_rng(cells)
    module = random_network(rng, [1, 1], [1], [cells])
    step = lowered(module, fraction_bits=12, learning_rate=0.3, momentum=0.25)
    samples = 3000
    with circuit_of(module, step, tmp_path) as circuit:
        assert circuit.map.rows(0) == (255 if cells == 509 else 301)
        inputs = rng.integers(-4096, 4096, (samples, 1))
        # Each third in the cell of the one before.
        inputs[2::3] = inputs[1::3]
        targets = rng.integers(-4096, 4096, (samples, 1))
        verdict = compare_training(circuit, step, inputs, targets)
    assert verdict.passed, verdict.describe()
    assert verdict.cycles <= interval * samples + 100
    assert verdict.cycles >= interval * (samples - 1)


@needs("verilator")
def test_the_rtl_learns_as_pytorch_does(tmp_path: Path, torch: Any) -> None:
    """With many bits, gradient descent in float64 with PyTorch's gradients, up to small steps."""
    rng = np.random.default_rng(1)
    module = random_network(rng, [1, 2, 1], [3, 3], [5, 5])
    layers = trainable_layers(find_function(module))
    options: dict[str, Any] = {"integer_bits": 6, "fraction_bits": 20, "local_bits": 10}
    step = lowered(module, learning_rate=0.1, **options)
    x = rng.uniform(-1, 1, (200, 1))
    y = np.cos(2 * x)
    with circuit_of(module, step, tmp_path) as circuit:
        got = step.decode(circuit.run(step.encode(x), step.encode_targets(y)))
    coefficients = [torch.tensor(layer.coefficients, requires_grad=True) for layer in layers]
    descent = torch.optim.SGD(coefficients, lr=0.1)
    for index in range(len(x)):
        descent.zero_grad()
        output = torch_network(layers, torch.tensor(x[index]), coefficients)
        assert abs(got[index, 0] - output.item()) < 0.02
        ((output - torch.tensor(y[index])) ** 2).sum().backward()
        descent.step()


# The text.


@needs("verilator")
@pytest.mark.parametrize("sizes", [[1, 1], [2, 2, 1]])
def test_lint(sizes: list[int], tmp_path: Path) -> None:
    layers = len(sizes) - 1
    module = random_network(np.random.default_rng(0), sizes, [2, 3][:layers], [9, 4][:layers])
    lowered(module)
    require_no_lint(tmp_path, hardware_modules(module))


def test_the_same_step_gives_the_same_text() -> None:
    assert emit_systemverilog(tracker()[0]) == emit_systemverilog(tracker()[0])


@needs("iverilog", "vvp")
def test_the_testbench_passes_in_icarus(tmp_path: Path) -> None:
    module, step = tracker()
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "net.sv").write_text(emit_systemverilog(module))
    rng = np.random.default_rng(8)
    inputs, targets = rng.integers(-2048, 2048, (2, 300, 1))
    train = rng.random(300) < 0.7
    run = run_steps(step, inputs, targets, train)
    design = Design.of_step(step, 0, 0)
    for spoilt in (False, True):
        if spoilt:
            run.states[0][0, 0, 3] ^= 1
        write_training_testbench(tmp_path / "sim", design, inputs, targets, train, run)
        command = (
            "iverilog -g2012 -s net_tb -o net_tb.vvp net_tb.sv ../rtl/net.sv && vvp -n net_tb.vvp"
        )
        done = subprocess.run(
            command, shell=True, cwd=tmp_path / "sim", capture_output=True, text=True
        )
        expected = "FAIL: coefficient" if spoilt else "PASS: 300 samples, 8 coefficients"
        assert expected in done.stdout
        assert (done.returncode != 0) == spoilt
    files = [tmp_path / "sim" / "net_tb.sv", tmp_path / "rtl" / "net.sv"]
    require_silent(tmp_path, files, "--timing", "--top", "net_tb")


def test_circt_takes_the_memories() -> None:
    pytest.importorskip("circt", reason="the circt package is not installed")
    module, _ = tracker(initial="zero")
    assert "seq.firmem.read_port" in circt_text(module)
    text = circt_export(circt_text(module))
    assert "module net" in text and "reg [15:0] Memory[" in text


def test_circt_has_no_initial_words() -> None:
    module, _ = tracker(initial="random")
    with pytest.raises(KanError, match="allows initial contents of a memory in a file only"):
        circt_text(module)


# What it takes.


@pytest.mark.parametrize(
    ("sizes", "cycles"),
    [
        ([1, 1], (4, 3)),
        ([2, 2], (4, 3)),
        ([4, 2], (4, 3)),  # 16 products a node
        ([5, 1], (5, 4)),
        ([2, 2, 1], (7, 7)),
    ],
)
def test_cycles(sizes: list[int], cycles: tuple[int, int]) -> None:
    layers = len(sizes) - 1
    module = random_network(np.random.default_rng(0), sizes, [3] * layers, [5] * layers)
    lowered(module)
    circuit = next(op for op in module.ops if isinstance(op, hw.HWModuleOp))
    assert training_cycles(circuit) == cycles


@pytest.mark.ci
@needs("yosys")
@pytest.mark.parametrize(
    # 32 of these are memories.
    ("rate", "luts"),
    [(0.15, 424), pytest.param(0.125, 352, marks=pytest.mark.ci)],
)
def test_logic_of_the_tracker(rate: float, luts: int, tmp_path: Path) -> None:
    module, _ = tracker(learning_rate=rate)
    rtl = tmp_path / "net.sv"
    rtl.write_text(emit_systemverilog(module))
    cells = synthesize(rtl, XCUP, top="net").cells
    assert cells.luts <= luts
    assert cells.multipliers <= 9


# What cannot be lowered.


def test_only_what_was_gathered_is_combined() -> None:
    module = random_network(np.random.default_rng(0), [1, 1], [3], [1])
    MakeTrainablePass(weight_decay=0.01).apply(Context(), module)
    step = step_of(module)
    combine = next(op for op in module.walk() if isinstance(op, CombineOp))
    update = next(op for op in module.walk() if isinstance(op, UpdateOp))
    origin = update.origin
    assert origin is not None
    for op, operand in ((combine, combine.terms[0]), (update, origin)):
        index = op.operands.index(operand)
        # The state itself: of one cell, it has as many coefficients as take part.
        op.operands[index] = step.states[0]
        with pytest.raises(KanError, match=f"'{op.name}' takes results of kan.gather"):
            LowerTrainingToHwPass().apply(Context(), module.clone())
        op.operands[index] = operand


def test_real_steps_are_refused() -> None:
    module = random_network(np.random.default_rng(0), [1, 1], [3], [5])
    with pytest.raises(KanError, match="is real-valued: hardware needs fixed-point numbers"):
        lowered(module, real=True)


@needs("verilator")
def test_other_ports_are_refused(tmp_path: Path) -> None:
    module, _ = tracker()
    other = random_network(np.random.default_rng(0), [2, 1], [3], [5])
    step = lowered(other)
    with (
        pytest.raises(KanError, match="port x1 of net must be"),
        circuit_of(module, step, tmp_path),
    ):
        pass


def test_samples_of_other_shapes_are_refused(tracking: tuple[TrainingCircuit, Step]) -> None:
    circuit, _ = tracking
    with pytest.raises(KanError, match="expected codes of shapes"):
        circuit.run(np.zeros((4, 2), np.int64), np.zeros((4, 1), np.int64))
