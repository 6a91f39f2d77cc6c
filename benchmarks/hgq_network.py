"""Trains networks with HGQ2; run by `training.py` in an environment that has HGQ2, JAX and alkaid.

    E/bin/python benchmarks/hgq_network.py hgq-mlp job.npz result.json

HGQ2 (`pip install hgq2 jax alkaid`) trains the bits of each weight and activation ("HGQ", arXiv
2405.00645) of perceptrons (`hgq-mlp`), or those of layers whose edges are look-up tables
(`hgq-lut`, arXiv 2604.22293). The price of a bit rises while a network trains, so one training
gives a front. alkaid makes Verilog of its networks. Writes what `peer_training.py` describes. Needs
NumPy, Keras with JAX, HGQ2 and alkaid, and nothing of this project but `peer_training.py`.
"""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from alkaid.codegen import RTLModel
from alkaid.converter import trace_model
from alkaid.trace import FVArray, trace
from hgq.config import LayerConfigScope, QuantizerConfig, QuantizerConfigScope
from hgq.layers import QDense, QDenseT
from hgq.utils import trace_minmax
from numpy.typing import NDArray
from peer_training import Clock, Job, PeerNetwork, candidates, read_job, smoothed, write_result

HIDDEN: dict[str, tuple[tuple[int, ...], ...]] = {
    "hgq-mlp": ((8,), (16, 8)),
    "hgq-lut": ((), (4,)),
}
WIDE_HIDDEN: dict[str, tuple[tuple[int, ...], ...]] = {
    "hgq-mlp": ((16,), (32,)),
    "hgq-lut": ((), (8,)),
}
"""Nodes of the hidden layers of the networks that are trained, and those of wide jobs."""
RECORDS = 100
WARM = 0.25
"""Part of the steps in which the price stays at its first value."""
FIRST_PRICE, LAST_PRICE = 1e-6, 1e-2
"""Loss that an effective bit operation is worth; it rises by the same factor in each record."""
RATE = 0.01
BATCH = 512
STEP_UNIT = 5
"""Steps of a record are a multiple of it."""
INTEGER_BITS = 1
"""Codes stand for numbers from -2 to 2. Those of one bit have no sign, and are 0 and 1."""


def make_model(kind: str, hidden: Sequence[int], job: Job, seed: int) -> keras.Model:
    """A network before training."""
    keras.utils.set_random_seed(seed)
    signed = is_signed(job.bits)
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=FIRST_PRICE),
    ):
        # Truncation leaves bits of a code out at no cost.
        first = QuantizerConfig(
            "kif",
            "datalane",
            k0=signed,
            i0=INTEGER_BITS,
            f0=job.bits - signed - INTEGER_BITS,
            round_mode="TRN",
            overflow_mode="WRAP",
        )
        layers: list[Any] = [keras.layers.Input((job.codes.shape[1],))]
        widths = [*hidden, job.outputs]
        for index, width in enumerate(widths):
            given = {"iq_conf": first} if index == 0 else {}
            if kind == "hgq-lut":
                layers.append(QDenseT(width, **given))
            else:
                last = index + 1 == len(widths)
                layers.append(QDense(width, activation=None if last else "relu", **given))
        return keras.Sequential(layers)


def is_signed(bits: int) -> bool:
    """Whether codes stand for numbers of both signs."""
    return bits > 1


def step_of(bits: int) -> float:
    """Difference of the numbers that two neighbouring codes stand for."""
    return 2.0 ** (is_signed(bits) + INTEGER_BITS - bits)


def real(codes: NDArray[np.int64], bits: int) -> NDArray[np.float32]:
    """Numbers that codes stand for."""
    middle = (1 << (bits - 1)) * is_signed(bits)
    return ((codes - middle) * step_of(bits)).astype(np.float32)


@dataclass
class Variables:
    """Values of a model's variables."""

    trainable: list[Any]
    others: list[Any]


class Trainer:
    """Trains variables of one model, many steps in one call."""

    def __init__(self, model: keras.Model, job: Job) -> None:
        self.model = model
        self._optimizer = keras.optimizers.Adam(RATE)
        self._optimizer.build(model.trainable_variables)
        others = model.non_trainable_variables
        self._prices = [i for i, v in enumerate(others) if v.path.endswith("/beta")]
        self._ebops = [i for i, v in enumerate(others) if v.path.endswith("/ebops")]
        self._start = [v.value for v in self._optimizer.variables]
        self._batch = min(BATCH, len(job.labels))
        self._outputs = job.outputs
        self._chunk = jax.jit(self._steps, static_argnames="count")
        self._results = jax.jit(lambda t, n, x: model.stateless_call(t, n, x, training=False)[0])

    def _loss(self, trainable: Any, others: Any, x: Any, y: Any) -> Any:
        results, others, losses = self.model.stateless_call(
            trainable, others, x, training=True, return_losses=True
        )
        if self._outputs == 1:
            z = results[:, 0]
            entropy = jnp.mean(jnp.logaddexp(0.0, z) - y * z)
        else:
            picked = jnp.take_along_axis(results, y[:, None], axis=1)[:, 0]
            entropy = jnp.mean(jax.nn.logsumexp(results, axis=1) - picked)
        return entropy + sum(losses), others

    def _steps(
        self, state: Any, x: Any, y: Any, members: Any, price: Any, key: Any, count: int
    ) -> Any:
        def step(state: Any, key: Any) -> tuple[Any, None]:
            trainable, others, optimizer = state
            others = [price if i in self._prices else v for i, v in enumerate(others)]
            index = members[jax.random.randint(key, (self._batch,), 0, len(members))]
            gradient = jax.grad(self._loss, has_aux=True)
            slopes, others = gradient(trainable, others, x[index], y[index])
            trainable, optimizer = self._optimizer.stateless_apply(optimizer, slopes, trainable)
            return (trainable, others, optimizer), None

        return jax.lax.scan(step, state, jax.random.split(key, count))[0]

    def train(
        self,
        start: Variables,
        x: jax.Array,
        y: jax.Array,
        members: NDArray[np.int64],
        chunk: int,
        seed: int,
        records: int = RECORDS,
    ) -> Iterator[tuple[Variables, float]]:
        """The variables after each record, and their number of effective bit operations.

        Parameters
        ----------
        members : indices of the samples to train with.
        chunk : number of steps of a record.
        """
        state = (start.trainable, start.others, self._start)
        # As many indices in each run, so that one compiled step suits all.
        members = np.resize(members, len(x))
        for record, key in enumerate(jax.random.split(jax.random.key(seed), records)):
            part = max(0.0, (record / RECORDS - WARM) / (1.0 - WARM))
            price = jnp.float32(FIRST_PRICE * (LAST_PRICE / FIRST_PRICE) ** part)
            state = self._chunk(state, x, y, members, price, key, count=chunk)
            operations = sum(float(state[1][i]) for i in self._ebops)
            yield Variables(list(state[0]), list(state[1])), operations

    def results(self, variables: Variables, x: jax.Array) -> NDArray[np.float32]:
        """Results (samples, outputs)."""
        return np.asarray(self._results(variables.trainable, variables.others, x))


@dataclass(frozen=True)
class Found:
    """A network of a run over all samples."""

    model: keras.Model
    variables: Variables
    operations: float
    score: float
    error: float
    what: str


def variables_of(model: keras.Model) -> Variables:
    """The values of a model's variables."""
    return Variables(
        [v.value for v in model.trainable_variables],
        [v.value for v in model.non_trainable_variables],
    )


def search(kind: str, hidden: tuple[int, ...], job: Job, seconds: float) -> list[Found]:
    """Networks of one shape: records of the run over all samples, scored by those over folds."""
    model = make_model(kind, hidden, job, 0)
    trainer = Trainer(model, job)
    # Arrays of JAX are not copied in each call.
    x, y = jnp.asarray(real(job.codes, job.bits)), jnp.asarray(job.labels)
    # Compilation is not counted: how long a step takes is measured after it.
    for _ in range(2):
        probe = Clock()
        for _ in trainer.train(variables_of(model), x, y, np.arange(len(x)), STEP_UNIT, 0, 1):
            pass
    chunk = STEP_UNIT * max(1, int(seconds / len(job.runs) / RECORDS / max(probe.seconds, 1e-6)))
    held: list[NDArray[np.float64]] = []
    records: list[tuple[Variables, float]] = []
    for index, (members, kept) in enumerate(job.runs):
        start = variables_of(make_model(kind, hidden, job, job.seed * 100 + index))
        scores: list[NDArray[np.float64]] = []
        records.clear()
        for variables, operations in trainer.train(start, x, y, members, chunk, job.seed):
            records.append((variables, operations))
            if len(kept):
                results = trainer.results(variables, x[kept])
                scores.append(job.scores(results, job.labels[kept]))
        if scores:
            held.append(np.array(scores))
    every = np.concatenate(held, axis=1)
    means, errors = every.mean(axis=1), every.std(axis=1) / every.shape[1] ** 0.5
    if len(job.runs) > 1:
        means, errors = smoothed(means), smoothed(errors)
    shape = "-".join(map(str, hidden)) or "no hidden nodes"
    return [
        Found(model, *record, float(mean), float(error), f"{shape}, {chunk * RECORDS} steps")
        for record, mean, error in zip(records, means, errors, strict=True)
    ]


def written(found: Found, job: Job) -> PeerNetwork | None:
    """A network as hardware by alkaid; none if it is a constant."""
    model, x = found.model, real(job.codes, job.bits)
    for variable, value in zip(model.trainable_variables, found.variables.trainable, strict=True):
        variable.assign(value)
    for variable, value in zip(model.non_trainable_variables, found.variables.others, strict=True):
        variable.assign(value)
    trace_minmax(model, x, reset=False)
    try:
        rtl, port, results = design(model, job, {})
    except AssertionError:
        # alkaid 0.8.2 refuses signed numbers of one bit where it puts bits into tables.
        rtl, port, results = design(model, job, {"binary_lut": False})
    except StopIteration:
        # alkaid 0.8.2 cannot trace a layer none of whose inputs vary.
        return None
    if not port.bits:
        return None
    return PeerNetwork(
        [rtl + wrapper(job, port)],
        results.tolist(),
        port.signed_bits,
        signed=is_signed(job.bits),
        score=found.score,
        error=found.error,
        what=found.what,
    )


@dataclass(frozen=True)
class ResultPort:
    """The port of alkaid's wrapper that has the results."""

    bits: int
    """Of each of them."""
    signed: bool

    @property
    def signed_bits(self) -> int:
        """Bits of each as a signed number."""
        return self.bits if self.signed else self.bits + 1


def design(
    model: keras.Model, job: Job, options: Mapping[str, Any]
) -> tuple[str, ResultPort, NDArray[np.int64]]:
    """alkaid's Verilog, the port of its results, and results (test samples, outputs).

    Parameters
    ----------
    options : of alkaid's solver.
    """
    shape = (1, job.codes.shape[1])
    low, high = real(np.array([0, (1 << job.bits) - 1]), job.bits).tolist()
    ranges = (np.full(shape, each) for each in (low, high, step_of(job.bits)))
    given = FVArray.from_lhs(*ranges, solver_options=dict(options))
    logic = trace(*trace_model(model, inputs=given))
    with tempfile.TemporaryDirectory() as folder:
        written = RTLModel(logic, folder, prj_name="theirs")
        written.write()
        (port,) = written.fsm.out_signals
        sources = sorted((Path(folder) / "src").rglob("*.v"))
        rtl = "\n".join(source.read_text() for source in sources)
    # The wrapper gives all results the sign, integer and fraction bits that the largest need.
    sign, whole_bits, fraction = (max(each) for each in zip(*port.precisions, strict=True))
    results = np.asarray(logic.predict(real(job.test_codes, job.bits).astype(np.float64)))
    whole = np.rint(results * 2.0**fraction).astype(np.int64)
    results_port = ResultPort(int(sign) + whole_bits + fraction, bool(sign))
    return rtl, results_port, whole.reshape(-1, job.outputs)


def wrapper(job: Job, port: ResultPort) -> str:
    """The module `peer` around alkaid's."""
    inputs, outputs = job.codes.shape[1], job.outputs
    ports = [f"input [{job.bits - 1}:0] x{i}" for i in range(inputs)]
    ports += [f"output signed [{port.signed_bits - 1}:0] y{i}" for i in range(outputs)]
    codes = ", ".join(f"x{i}" for i in reversed(range(inputs)))
    lines = [
        f"module peer ({', '.join(ports)});",
        f"  wire [{outputs * port.bits - 1}:0] results;",
        f"  theirs_wrapper inner (.model_inp({{{codes}}}), .model_out(results));",
        *(f"  assign y{i} = results[{i * port.bits} +: {port.bits}];" for i in range(outputs)),
        "endmodule",
    ]
    return "\n" + "\n".join(lines) + "\n"


def main() -> None:
    kind, job = sys.argv[1], read_job(Path(sys.argv[2]))
    shapes = (WIDE_HIDDEN if job.wide else HIDDEN)[kind]
    clock = Clock()
    found: list[Found] = []
    for hidden in shapes:
        found += search(kind, hidden, job, job.seconds / len(shapes))
    seconds = clock.seconds
    costs, scores = [each.operations for each in found], [each.score for each in found]
    designs = [written(found[index], job) for index in candidates(costs, scores, job.most)]
    networks = [each for each in designs if each is not None]
    versions = {name: version(name) for name in ("hgq2", "keras", "jax", "alkaid")}
    write_result(Path(sys.argv[3]), networks, seconds, versions)


if __name__ == "__main__":
    main()
