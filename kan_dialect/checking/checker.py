"""Compares a module before and after a pass by evaluating both on samples (`samples.py`).

A pass that claims to be exact must keep every output. Codes must be the same bit for bit, also at
every marked node of the model. Floats may differ by 1e-9 of their size, since float64 rounds
differently where terms are regrouped. For a pass that trades accuracy the check measures the trade.

Samples can show that a pass is wrong. They show that it is right only where they are all inputs.
Ranges are proved by the verifiers (`ops/wire.py`).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from kan_dialect.checking.results import (
    Difference,
    FunctionCheck,
    PassCheck,
    Sample,
    Trade,
    reason_of,
)
from kan_dialect.checking.samples import CodeSamples, code_samples, real_samples, sample_count
from kan_dialect.checking.snapshot import Network, Snapshot, equivalent, inputs_of, networks
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import classes, load_dataset
from kan_dialect.ir.attributes.module_attributes import trains_itself
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.ir.semantics import NoSemanticsError
from kan_dialect.model.head import declared_head
from kan_dialect.model.interface import Port
from kan_dialect.model.port_codes import decode, encode
from kan_dialect.other_packages import naming
from kan_dialect.passbase.kan_pass import (
    EXACT,
    appends_head,
    claim_of,
    promise_broken,
    require_possible,
    unwrapped,
)
from kan_dialect.passbase.pipeline import CompositePass
from kan_dialect.passbase.verification import verify_after

TOLERANCE = 1e-9
"""Largest difference of floats that counts as rounding, relative to the output.

Relative to the output's median over the samples, if that is larger.
"""


class _NotEvaluatedBefore(Exception):
    """The module before the pass could not be evaluated. The cause says why."""


class _PassFailed(Exception):
    """The pass could not say whether it keeps its promise. The cause says why."""


@contextmanager
def _evaluating_before() -> Generator[None]:
    """Tells failures of the module before the pass from failures of the one after it."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise _NotEvaluatedBefore from error


def data_of(passes: Sequence[ModulePass]) -> FloatArray | None:
    """The samples of the first pass with an option `data`, such as kan-calibrate; None without."""
    for stage in passes:
        path: object = getattr(unwrapped(stage), "data", None)
        if isinstance(path, str):
            try:
                return load_dataset(path).x
            except KanError:
                # The pass itself reports the file.
                return None
    return None


def run_passes(
    ctx: Context, module: ModuleOp, passes: Sequence[ModulePass], checker: Checker | None = None
) -> list[PassCheck]:
    """Run passes over `module`, in place, each verified and checked.

    Raises
    ------
    KanError : a pass refuses the module, leaves IR that does not verify, breaks its claim, or
        cannot be checked.
    """
    checker = Checker(data_of(passes)) if checker is None else checker
    checks: list[PassCheck] = []
    expanded = [
        one
        for stage in passes
        for one in (stage.expand() if isinstance(stage, CompositePass) else [stage])
    ]
    require_possible(expanded, module)
    for stage in expanded:
        checks.append(checker.apply(ctx, stage, module))
        checks[-1].require_passed()
    return checks


class Checker:
    """Checks passes one after another. The result of one is evaluated once, also for the next."""

    def __init__(
        self, samples: FloatArray | None = None, *, seed: int = 0, count: int | None = None
    ) -> None:
        """
        Parameters
        ----------
        samples : real inputs, (samples, inputs), such as calibration data.
        seed : of the random samples.
        count : number of random samples; None chooses it by the size of the function.
        """
        self._given = samples
        self._seed = seed
        self._count = count
        self._known: dict[str, Snapshot] = {}
        self._codes: dict[str, tuple[tuple[Port, ...], CodeSamples]] = {}
        self._reals: dict[str, FloatArray] = {}

    def apply(self, ctx: Context, stage: ModulePass, module: ModuleOp) -> PassCheck:
        """Run a pass on `module`, in place, verify what it leaves, and check it.

        Raises
        ------
        KanError : raised by the pass, or the module that it leaves does not verify.
        """
        before = module.clone()
        stage.apply(ctx, module)
        verify_after(stage, module)
        return self.check(stage, before, module)

    def check(self, stage: ModulePass, before: ModuleOp, after: ModuleOp) -> PassCheck:
        """Compare the module before a pass with the one after it.

        Raises
        ------
        KanError : the samples given fit none of the functions; or the pass, of another package,
            fails where it is asked whether it keeps its promise.
        """
        claim = claim_of(stage)
        self._require_fitting(networks(before))
        kept = after.clone()
        left = networks(kept)
        found: list[FunctionCheck] = []
        known: dict[str, Snapshot] = {}
        for name, op in networks(before).items():
            if trains_itself(op) or (name not in left and _becomes_training_hardware(kept, name)):
                note = "not checked: hardware that trains itself is checked by simulation"
                found.append(FunctionCheck(name, note=note))
                continue
            if name not in left:
                gone = Difference("it is not there any more, or has other kinds of arguments")
                found.append(FunctionCheck(name, difference=gone))
                continue
            try:
                with _evaluating_before():
                    old = self._snapshot(op, before)
                if equivalent(op, left[name]):
                    found.append(FunctionCheck(name, note="changed nothing"))
                    known[name] = old
                    continue
                new = known[name] = Snapshot(left[name], kept, self._rng())
                found.append(self._compare(stage, claim, old, new))
            except _NotEvaluatedBefore as error:
                found.append(_without_reference(name, error.__cause__))
            except _PassFailed as error:
                assert error.__cause__ is not None
                raise error.__cause__ from error.__cause__.__cause__
            except MemoryError:
                raise
            except Exception as error:
                difference = Difference(f"it cannot be evaluated any more: {reason_of(error)}")
                found.append(FunctionCheck(name, difference=difference, cause=error))
        self._known = known
        return PassCheck(stage.name, claim, tuple(found), before, kept)

    def _require_fitting(self, found: Mapping[str, Network]) -> None:
        if self._given is None or not found:
            return
        counts = {name: inputs_of(op) for name, op in found.items() if not trains_itself(op)}
        if counts and self._given.shape[1] not in counts.values():
            takes = ", ".join(f"@{name} takes {count}" for name, count in counts.items())
            raise KanError(
                f"the samples to check passes with have {self._given.shape[1]} features, {takes}",
                remedy="give data with one column of x for each input, or leave the data out",
            )

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self._seed)

    def _snapshot(self, op: Network, module: ModuleOp) -> Snapshot:
        """The function as it was left by the pass before, or anew."""
        known = self._known.get(op.sym_name.data)
        if known is not None and equivalent(known.op, op):
            return known
        return Snapshot(op, module, self._rng())

    # One function.

    def _compare(
        self, stage: ModulePass, claim: str, old: Snapshot, new: Snapshot
    ) -> FunctionCheck:
        name = old.model.name
        with _evaluating_before():
            scheduled, before = old.schedule_problem() is None, old.ports()
        problem, after = new.schedule_problem(), new.ports()
        if problem is not None and scheduled:
            return _different(name, problem)
        if appends_head(stage):
            return self._decided(old, new)
        if claim != EXACT:
            broken = _promise_broken(stage, old, new)
            return broken or self._traded(old, new)
        if before is None or after is None:
            return self._compare_reals(old, new)
        changed = _changed_ports(before[0], after[0], inputs=True) or _changed_ports(
            before[1], after[1], inputs=False
        )
        if changed is not None:
            return _different(name, changed)
        if old.level == "wire" and new.level == "hardware":
            with _evaluating_before():
                latency = old.model.latency()
            if latency != new.model.latency():
                what = f"its latency was {latency} cycles, and is {new.model.latency()}"
                return _different(name, what)
        return self._compare_codes(old, new, before, after[1])

    def _compare_codes(
        self,
        old: Snapshot,
        new: Snapshot,
        ports: tuple[tuple[Port, ...], tuple[Port, ...]],
        outputs: Sequence[Port],
    ) -> FunctionCheck:
        name = old.model.name
        with _evaluating_before():
            samples = self._code_samples(old, ports[0])
            one = old.codes(samples)
        other = new.codes(samples)
        count = len(samples.codes)
        wrong: dict[str, tuple[IntArray, IntArray, Array]] = {}

        def compare(where: str, expected: IntArray, got: IntArray, defined: Array) -> None:
            apart = (expected != got) & defined
            if apart.any():
                wrong[where] = expected, got, apart

        for node, values in one.nodes.items():
            if node in other.nodes:
                compare(f"node {node}", values, other.nodes[node], one.nodes_defined[node])
        nodes_wrong = len(wrong)
        for index, defined in enumerate(one.outputs_defined.T):
            compare(f"output y{index}", one.outputs[:, index], other.outputs[:, index], defined)
        compared = len(one.nodes.keys() & other.nodes.keys())
        if old.level == new.level == "table" and len(wrong) == nodes_wrong:
            # Tensors carry no marks: a pass may compute the same outputs through other nodes.
            compared -= nodes_wrong
            wrong = {}
        if wrong:
            where, (expected, got, apart) = next(iter(wrong.items()))
            index = int(np.flatnonzero(apart)[0])
            sample = _sample(ports[0], samples.codes, index, one.outputs, other.outputs)
            some = np.any([apart for _, _, apart in wrong.values()], axis=0)
            what = (
                f"{where} is {got[index]} where {expected[index]} was expected, sample {index} of "
                f"{count}: {sample.inputs()}; {nodes_wrong} of {compared} nodes and "
                f"{len(wrong) - nodes_wrong} of {len(outputs)} outputs differ, on "
                f"{int(some.sum())} samples"
            )
            return _different(name, what, sample)
        if (lost := _lost_mark(old, new)) is not None:
            return _different(name, lost)
        for port, column in zip(outputs, other.outputs.T, strict=True):
            if column.min() < port.low or column.max() > port.high:
                what = f"output {port.name} leaves its range {port.low}:{port.high}"
                return _different(name, what)
        return FunctionCheck(name, count, compared, samples.exhaustive)

    def _decided(self, old: Snapshot, new: Snapshot) -> FunctionCheck:
        """The outputs are the decision, as NumPy makes it, on the outputs before the pass."""
        name = old.model.name
        head, ports = declared_head(new.op), old.ports()
        if head is None or ports is None:
            return _different(name, "it has no head")
        with _evaluating_before():
            samples = self._code_samples(old, ports[0])
            before = old.codes(samples)
            expected = head.decide(decode(ports[1], before.outputs))
        after = new.codes(samples)
        if after.outputs.shape != expected.shape:
            what = f"the head has {after.outputs.shape[1]} outputs, {expected.shape[1]} expected"
            return _different(name, what)
        nodes = sorted(before.nodes.keys() & after.nodes.keys())
        pairs = [(f"node {node}", before.nodes[node], after.nodes[node]) for node in nodes]
        pairs += [
            (f"output y{i}", expected[:, i], after.outputs[:, i]) for i in range(head.outputs)
        ]
        for where, right, got in pairs:
            wrong = np.flatnonzero(right != got)
            if wrong.size:
                index = int(wrong[0])
                sample = _sample(ports[0], samples.codes, index, expected, after.outputs)
                what = (
                    f"{where} is {got[index]} where {right[index]} was expected, sample {index} of "
                    f"{len(samples.codes)}: {sample.inputs()}"
                )
                return _different(name, what, sample)
        if (lost := _lost_mark(old, new)) is not None:
            return _different(name, lost)
        return FunctionCheck(name, len(samples.codes), len(nodes), samples.exhaustive)

    def _real_outputs(
        self, old: Snapshot, new: Snapshot
    ) -> tuple[FloatArray, FloatArray, FloatArray] | FunctionCheck:
        """Samples (samples, in) and both functions' outputs (samples, out).

        A verdict instead, if the functions differ in their number of outputs.
        """
        name = old.model.name
        with _evaluating_before():
            x = self._real_samples(old)
            expected = old.reals(x)
        got = new.reals(x)
        if expected.shape != got.shape:
            what = f"it had {expected.shape[1]} outputs, and has {got.shape[1]}"
            return _different(name, what)
        return x, expected, got

    def _compare_reals(self, old: Snapshot, new: Snapshot) -> FunctionCheck:
        name = old.model.name
        outputs = self._real_outputs(old, new)
        if isinstance(outputs, FunctionCheck):
            return outputs
        x, expected, got = outputs
        # Outside its domain a function may be infinite or NaN: there is nothing to keep.
        defined = np.isfinite(expected)
        size = np.abs(np.where(defined, expected, 0.0))
        # Where terms cancel, the output is smaller than its rounding: use the median sample.
        size = np.maximum(size, np.median(size, axis=0))
        with np.errstate(invalid="ignore"):
            apart = np.abs(np.where(defined, got - expected, 0.0)) / np.where(size > 0, size, 1.0)
        apart = np.where(np.isnan(apart), np.inf, apart)
        if apart.max(initial=0.0) <= TOLERANCE:
            return FunctionCheck(name, len(x), rounding=float(apart.max(initial=0.0)))
        index, output = (int(i) for i in np.argwhere(apart > TOLERANCE)[0])
        sample = Sample(index, x[index], None, expected[index], got[index])
        what = (
            f"output y{output} is {got[index, output]:.9g} where {expected[index, output]:.9g} was "
            f"expected, sample {index} of {len(x)}: {sample.inputs()}; on "
            f"{int((apart > TOLERANCE).any(axis=1).sum())} samples outputs differ by more than "
            f"{TOLERANCE:g} of their size"
        )
        return _different(name, what, sample)

    def _traded(self, old: Snapshot, new: Snapshot) -> FunctionCheck:
        name = old.model.name
        outputs = self._real_outputs(old, new)
        if isinstance(outputs, FunctionCheck):
            return outputs
        x, expected, got = outputs
        given = self._fitting(x.shape[1])
        on = "random" if given is None else "calibration"
        count = len(x) if given is None else len(given)
        expected, got = expected[:count], got[:count]
        whole = np.isfinite(expected).all(axis=1)
        expected, got = expected[whole], got[whole]
        if not len(expected):
            return FunctionCheck(name, note="not compared: no sample has finite outputs")
        lost = np.argwhere(~np.isfinite(got))
        if lost.size:
            row, output = lost[0].tolist()
            index = int(np.flatnonzero(whole)[row])
            sample = Sample(index, x[index], None, expected[row], got[row])
            what = (
                f"output y{output} is {got[row, output]} where {expected[row, output]:.9g} was, "
                f"sample {index} of {count}: {sample.inputs()}"
            )
            return _different(name, what, sample)
        apart = np.abs(got - expected)
        changed = float((classes(got) != classes(expected)).mean())
        trade = Trade(float(apart.max()), float(apart.mean()), changed, on)
        return FunctionCheck(name, len(expected), trade=trade)

    # Samples are chosen once for a function and kept while its inputs keep their meaning.

    def _fitting(self, inputs: int) -> FloatArray | None:
        """The given samples, if they have this number of inputs."""
        return self._given if self._given is not None and self._given.shape[1] == inputs else None

    def _code_samples(self, snapshot: Snapshot, ports: tuple[Port, ...]) -> CodeSamples:
        name = snapshot.model.name
        chosen = self._codes.get(name)
        if chosen is None or chosen[0] != ports:
            given = self._fitting(len(ports))
            codes = None if given is None else np.unique(encode(ports, given), axis=0)
            count = self._count or sample_count(snapshot.op)
            chosen = ports, code_samples(snapshot.model, codes, self._rng(), count)
            self._codes[name] = chosen
        return chosen[1]

    def _real_samples(self, snapshot: Snapshot) -> FloatArray:
        """Given samples first."""
        name, ports = snapshot.model.name, snapshot.ports()
        if name not in self._reals:
            count = self._count or sample_count(snapshot.op)
            if isinstance(snapshot.op, func.FuncOp) and snapshot.level in ("spline", "table"):
                given = self._fitting(inputs_of(snapshot.op))
                self._reals[name] = real_samples(snapshot.op, given, self._rng(), count)
            elif ports is not None:
                x = _numbers(ports[0], self._code_samples(snapshot, ports[0]).codes)
                given = self._fitting(len(ports[0]))
                self._reals[name] = x if given is None else np.concatenate([given, x])
        return self._reals[name]


def _different(name: str, what: str, sample: Sample | None = None) -> FunctionCheck:
    """The verdict on a function that the pass changed."""
    return FunctionCheck(name, difference=Difference(what, sample))


def _sample(
    ports: Sequence[Port], codes: IntArray, index: int, expected: IntArray, got: IntArray
) -> Sample:
    """The sample at which outputs differ, as codes, and as numbers where all inputs have a gain."""
    reached = all(port.gain for port in ports)
    numbers = _numbers(ports, codes[index : index + 1])[0] if reached else None
    return Sample(index, numbers, codes[index], expected[index], got[index])


def _lost_mark(old: Snapshot, new: Snapshot) -> str | None:
    """The first node whose mark is gone, in words; None if all are there."""
    lost = sorted(old.node_names() - new.node_names())
    if not lost:
        return None
    return f"the mark of node {lost[0]} is gone ({len(lost)} of {len(old.node_names())})"


def _becomes_training_hardware(module: ModuleOp, name: str) -> bool:
    """Whether the module has hardware of this name that trains itself."""
    return any(
        isinstance(op, hw.HWModuleOp) and op.sym_name.data == name and trains_itself(op)
        for op in module.ops
    )


def _without_reference(name: str, error: BaseException | None) -> FunctionCheck:
    """The verdict on a function that could not be evaluated before the pass.

    An op without semantics defines no function that the pass could change. Everything else is a
    failure, which must not pass for a check.
    """
    if isinstance(error, NoSemanticsError):
        return FunctionCheck(name, note=f"not checked: {error}")
    assert isinstance(error, Exception)
    failure = f"it cannot be evaluated before the pass: {reason_of(error)}"
    return FunctionCheck(name, failure=failure, cause=error)


def _promise_broken(stage: ModulePass, old: Snapshot, new: Snapshot) -> FunctionCheck | None:
    if not isinstance(old.op, func.FuncOp) or not isinstance(new.op, func.FuncOp):
        return None
    try:
        with naming(f"pass {stage.name}", type(unwrapped(stage))):
            problem = promise_broken(stage, old.op, new.op)
    except Exception as error:
        raise _PassFailed from error
    return None if problem is None else _different(old.model.name, problem)


def _numbers(ports: Sequence[Port], codes: IntArray) -> FloatArray:
    """Real inputs that have these codes.

    At an input of gain 0 every number has the same code, so its codes are not reached.
    """
    gains = np.array([port.gain or 1.0 for port in ports])
    return (decode(ports, codes) - np.array([port.offset for port in ports])) / gains


def _changed_ports(before: Sequence[Port], after: Sequence[Port], *, inputs: bool) -> str | None:
    """The first change of the ports' number or meaning, in words; None without one."""
    kind = "inputs" if inputs else "outputs"
    if len(before) != len(after):
        return f"it had {len(before)} {kind}, and has {len(after)}"
    for old, new in zip(before, after, strict=True):
        meanings: Mapping[str, tuple[float, float]] = {
            "scale": (old.scale, new.scale),
            "zero point": (old.zero_point, new.zero_point),
            "gain": (old.gain, new.gain),
            "offset": (old.offset, new.offset),
            "wrapping": (old.wraps, new.wraps),
        }
        for what, (one, other) in meanings.items():
            if one != other:
                return f"the {what} of {old.name} was {one}, and is {other}"
        if inputs and not (new.low <= old.low and old.high <= new.high):
            return (
                f"input {old.name} took codes {old.low}:{old.high}, and takes {new.low}:{new.high}"
            )
    return None
