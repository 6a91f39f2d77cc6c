"""Whether a pass kept the function: the module before and after it, evaluated and compared.

A pass that claims to be exact must give the same outputs. Where both sides have codes: the same
codes, bit for bit, and the same code at every node of the model that is marked. Where a side has
floats only: within 1e-9 of the largest output, since float64 rounds where terms are regrouped. A
pass that trades accuracy is asked what it traded. Samples are chosen in `check_samples.py`.

A comparison on samples can show that a pass is wrong; that it is right only where the samples are
all inputs that there are. Ranges are proved by the verifiers (`wire_ops.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import AnyFloat, IntegerAttr, ModuleOp, TensorType
from xdsl.ir import Attribute, IRNode, SSAValue
from xdsl.passes import ModulePass
from xdsl.traits import IsTerminator
from xdsl.utils.exceptions import VerifyException

from kan_dialect.attributes import IntType, range_of, tensor_shape
from kan_dialect.check_samples import CodeSamples, code_samples, real_samples, sample_count
from kan_dialect.constants import Array, FloatArray, IntArray, dense
from kan_dialect.data import classes, load_dataset
from kan_dialect.errors import KanError
from kan_dialect.files import write_arrays, write_atomically
from kan_dialect.interface import LATENCY, PORTS, Port
from kan_dialect.kan_pass import EXACT, ResumedPass, claim_of
from kan_dialect.model import Model, decode, encode
from kan_dialect.nodes import hardware_nodes, wire_nodes
from kan_dialect.pipeline import CompositePass
from kan_dialect.quant import UniformQuantizedType
from kan_dialect.semantics import evaluate_op
from kan_dialect.wire_ops import TableOp
from kan_dialect.wires import latency_of

TOLERANCE = 1e-9
"""Of floats: differences up to this share of the largest output are rounding."""

FAILURES = (KanError, IndexError, ValueError, KeyError, AssertionError)
"""How evaluation ends on IR that means nothing."""

Network: TypeAlias = func.FuncOp | hw.HWModuleOp


@dataclass(frozen=True)
class Sample:
    """One sample on which a pass changed the function."""

    index: int
    reals: FloatArray | None
    """The inputs as numbers, (inputs)."""
    codes: IntArray | None
    """The inputs as codes, (inputs), where there are codes."""
    expected: Array
    """What the module before the pass gives: outputs, (outputs)."""
    got: Array
    """What the module after the pass gives."""

    def inputs(self) -> str:
        """`x0 = 3 (0.25), ...`: codes and numbers."""
        codes, reals = self.codes, self.reals
        count = len(codes if codes is not None else [] if reals is None else reals)
        shown: list[str] = []
        for i in range(min(count, SHOWN_INPUTS)):
            number = "" if reals is None else f"{reals[i]:.9g}"
            code = "" if codes is None else f"{codes[i]}"
            shown.append(f"x{i} = " + (f"{code} ({number})" if code and number else code or number))
        return ", ".join(shown) + (", ..." if count > SHOWN_INPUTS else "")


SHOWN_INPUTS = 16
"""Of wider samples, only so many inputs are shown in a message."""


@dataclass(frozen=True)
class Difference:
    """The first thing that a pass broke."""

    what: str
    """Place and values, in a sentence."""
    sample: Sample | None = None


@dataclass(frozen=True)
class Trade:
    """What a pass gave up, in outputs as numbers."""

    largest: float
    """Largest absolute difference of an output."""
    mean: float
    classes_changed: float
    """Share of samples whose class changed."""
    on: str
    """Which samples: `calibration` or `random`."""


@dataclass(frozen=True)
class FunctionCheck:
    """What the comparison of one function found."""

    function: str
    samples: int = 0
    nodes: int = 0
    """Marked nodes that were compared, too."""
    exhaustive: bool = False
    """The samples are all inputs that there are."""
    rounding: float | None = None
    """Of floats: largest difference, relative to the largest output."""
    trade: Trade | None = None
    difference: Difference | None = None
    note: str | None = None
    """Why there was nothing to compare."""

    def summary(self) -> str:
        """The result in a few words."""
        if self.difference is not None:
            return self.difference.what
        if self.note is not None:
            return self.note
        samples = f"all {self.samples} inputs" if self.exhaustive else f"{self.samples} samples"
        if self.trade is not None:
            trade = self.trade
            return (
                f"outputs differ by {trade.largest:.4g} at most, {trade.mean:.4g} on average, "
                f"{trade.classes_changed:.2%} of classes, on {self.samples} {trade.on} samples"
            )
        if self.rounding:
            return f"exact but for rounding ({self.rounding:.1g} of the outputs) on {samples}"
        nodes = f", {self.nodes} nodes" if self.nodes else ""
        return f"exact on {samples}{nodes}"


@dataclass(frozen=True)
class PassCheck:
    """What the check of one pass found."""

    name: str
    claim: str
    """`exact`, or what the pass says that it trades."""
    functions: tuple[FunctionCheck, ...]
    before: ModuleOp = field(repr=False)
    after: ModuleOp = field(repr=False)
    """As it was after the pass, until the next one changes it."""

    @property
    def failed(self) -> FunctionCheck | None:
        """The first function that the pass broke."""
        return next((found for found in self.functions if found.difference is not None), None)

    def summary(self) -> str:
        """One line: `kan-narrow: exact on 4321 samples, 17 nodes`."""
        if not self.functions:
            return f"{self.name}: not checked, no function of a KAN"
        several = len(self.functions) > 1
        parts = [
            f"@{found.function} {found.summary()}" if several else found.summary()
            for found in self.functions
        ]
        return f"{self.name}: {'; '.join(parts)}"

    def as_dict(self) -> dict[str, str | int | float | bool]:
        """What `report.json` holds of it; of the first function that was compared."""
        entry: dict[str, str | int | float | bool] = {"pass": self.name, "claim": self.claim}
        found = next((one for one in self.functions if one.note is None), None)
        if found is None:
            entry["note"] = self.functions[0].note or "" if self.functions else "nothing to check"
            return entry
        entry |= {"samples": found.samples, "exhaustive": found.exhaustive, "nodes": found.nodes}
        if found.trade is not None:
            entry |= {
                "max_abs_difference": found.trade.largest,
                "mean_abs_difference": found.trade.mean,
                "classes_changed": found.trade.classes_changed,
            }
        return entry

    def require_passed(self, folder: Path | None = None) -> None:
        """Nothing, if the pass kept what it claims.

        Parameters
        ----------
        folder : where `before.mlir`, `after.mlir` and `sample.npz` are written if it did not.

        Raises
        ------
        KanError : it did not; says what differs first, where, and on which sample.
        """
        found = self.failed
        if found is None or found.difference is None:
            return
        remedy = "a pass that trades accuracy says so in `preserves`" if self._of_others() else None
        kept = ""
        if folder is not None:
            kept = f"; {self._write(folder, found.difference.sample)}"
        raise KanError(
            f"{self.name} does not keep the function @{found.function}: "
            f"{found.difference.what}{kept}",
            remedy=remedy,
        )

    def _of_others(self) -> bool:
        return self.claim == EXACT and not self.name.startswith(("kan-", "lower-kan-"))

    def _write(self, folder: Path, sample: Sample | None) -> str:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / "before.mlir", str(self.before) + "\n")
            write_atomically(folder / "after.mlir", str(self.after) + "\n")
            if sample is None:
                (folder / "sample.npz").unlink(missing_ok=True)
                return f"before.mlir and after.mlir are in {folder}"
            arrays: dict[str, Array] = {"expected": sample.expected, "got": sample.got}
            if sample.reals is not None:
                arrays["x"] = sample.reals[np.newaxis]
            if sample.codes is not None:
                arrays["codes"] = sample.codes[np.newaxis]
            write_arrays(folder / "sample.npz", arrays)
        except OSError as error:
            return f"{folder} cannot be written: {error.strerror}"
        except KanError as error:
            return str(error)
        return f"before.mlir, after.mlir and sample.npz are in {folder}"


def networks(module: ModuleOp) -> dict[str, Network]:
    """The functions of KANs in a module, by name: what can be evaluated on samples."""
    found: dict[str, Network] = {}
    for op in module.ops:
        match op:
            case hw.HWModuleOp() if PORTS in op.attributes:
                found[op.sym_name.data] = op
            case func.FuncOp() if not op.is_declaration and _is_public(op) and _has_samples(op):
                found[op.sym_name.data] = op
            case _:
                pass
    return found


def data_of(passes: Sequence[ModulePass]) -> FloatArray | None:
    """The samples of the first pass that is given data, such as kan-calibrate; None without."""
    for stage in passes:
        inner = stage.inner if isinstance(stage, ResumedPass) else stage
        path: object = getattr(inner, "data", None)
        if isinstance(path, str):
            try:
                return load_dataset(path).x
            except KanError:
                # The pass itself will say so.
                return None
    return None


def run_passes(
    ctx: Context, module: ModuleOp, passes: Sequence[ModulePass], checker: Checker | None = None
) -> list[PassCheck]:
    """Run passes over `module`, in place, each verified and checked.

    Raises
    ------
    KanError : a pass refuses the module, leaves IR that does not verify, or does not keep what it
        claims.
    """
    checker = Checker(data_of(passes)) if checker is None else checker
    checks: list[PassCheck] = []
    for stage in passes:
        inner = stage.expand() if isinstance(stage, CompositePass) else [stage]
        for one in inner:
            checks.append(checker.apply(ctx, one, module))
            checks[-1].require_passed()
    return checks


def verify_after(stage: ModulePass, module: ModuleOp) -> None:
    """Verify what a pass left.

    Raises
    ------
    KanError : it does not verify; names the pass.
    """
    try:
        module.verify()
    except VerifyException as error:
        raise KanError(f"{stage.name} leaves IR that does not verify: {error}") from None


@dataclass(frozen=True)
class _Codes:
    """Codes of outputs (samples, outputs) and nodes (samples), and which of them are defined.

    What depends on a table's entry that does not matter is not, and may become anything.
    """

    outputs: IntArray
    nodes: dict[str, IntArray]
    outputs_defined: Array
    nodes_defined: dict[str, Array]


class _Snapshot:
    """A function as it is at some time, evaluated on each set of samples once."""

    def __init__(self, op: Network, module: ModuleOp, rng: np.random.Generator) -> None:
        self.op = op
        model = Model.of(module, op.sym_name.data)
        self.level = model.level
        self.model = Model(_without_dont_cares(op, rng), model.level)
        self._codes: tuple[CodeSamples, _Codes] | None = None
        self._reals: tuple[FloatArray, FloatArray] | None = None

    def ports(self) -> tuple[tuple[Port, ...], tuple[Port, ...]] | None:
        """Inputs and outputs; None where the function has no codes."""
        if self.level == "spline":
            return None
        try:
            return self.model.ports()
        except KanError:
            if self.level != "table":
                raise
            return None

    def codes(self, samples: CodeSamples) -> _Codes:
        """Output codes and codes of nodes."""
        if self._codes is None or self._codes[0] is not samples:
            self._codes = samples, self._evaluate(samples.codes)
        return self._codes[1]

    def _evaluate(self, codes: IntArray) -> _Codes:
        outputs, nodes = self.model.run_nodes(codes)
        if self.model.op is self.op or not isinstance(self.op, func.FuncOp):
            everywhere = np.ones(len(codes), dtype=np.bool_)
            nodes_defined = dict.fromkeys(nodes, everywhere)
            return _Codes(outputs, nodes, np.ones(outputs.shape, dtype=np.bool_), nodes_defined)
        undefined = _undefined_values(self.op, codes)
        terminator = self.op.get_return_op()
        assert terminator is not None
        columns = [~undefined[value] for value in terminator.operands]
        nodes_defined = {mark.node.data: ~undefined[mark.value] for mark in wire_nodes(self.op)}
        return _Codes(outputs, nodes, np.stack(columns, axis=1), nodes_defined)

    def reals(self, x: FloatArray) -> FloatArray:
        """Outputs as numbers."""
        if self._reals is None or self._reals[0] is not x:
            with np.errstate(all="ignore"):
                self._reals = x, self.model.run(x)
        return self._reals[1]

    def node_names(self) -> set[str]:
        """Nodes that are marked, whether they can be found or not."""
        if isinstance(self.op, hw.HWModuleOp):
            return {node.name for node in hardware_nodes(self.op)}
        return {mark.node.data for mark in wire_nodes(self.op)}

    def schedule_problem(self) -> str | None:
        """What is wrong with the cycles of a wire-level function."""
        if self.level != "wire" or not isinstance(self.op, func.FuncOp):
            return None
        try:
            latency = latency_of(self.op)
        except KanError as error:
            return str(error)
        declared = self.op.attributes.get(LATENCY)
        if isinstance(declared, IntegerAttr) and declared.value.data != latency:
            return f"the function says a latency of {declared.value.data} cycles, it has {latency}"
        return None


class Checker:
    """Checks passes one after another; what one leaves is evaluated once, for the next as well."""

    def __init__(
        self, samples: FloatArray | None = None, *, seed: int = 0, count: int | None = None
    ) -> None:
        """
        Parameters
        ----------
        samples : real inputs, (samples, inputs), such as calibration data.
        seed : of what is random.
        count : of random samples; by the size of the function where not given.
        """
        self._given = samples
        self._seed = seed
        self._count = count
        self._known: dict[str, _Snapshot] = {}
        self._codes: dict[str, tuple[tuple[Port, ...], CodeSamples]] = {}
        self._reals: dict[str, FloatArray] = {}

    def apply(self, ctx: Context, stage: ModulePass, module: ModuleOp) -> PassCheck:
        """Run a pass on `module`, in place, verify what it leaves, and check it.

        Raises
        ------
        KanError : what the pass raises, or what it leaves does not verify.
        """
        before = module.clone()
        stage.apply(ctx, module)
        verify_after(stage, module)
        return self.check(stage, before, module)

    def check(self, stage: ModulePass, before: ModuleOp, after: ModuleOp) -> PassCheck:
        """Compare the module before a pass with the one after it.

        Raises
        ------
        KanError : the samples given fit none of the functions.
        """
        claim = claim_of(stage)
        self._require_fitting(networks(before))
        kept = after.clone()
        left = networks(kept)
        found: list[FunctionCheck] = []
        known: dict[str, _Snapshot] = {}
        for name, op in networks(before).items():
            try:
                old = self._snapshot(op, before)
            except FAILURES as error:
                found.append(FunctionCheck(name, note=f"not checked: {error}"))
                continue
            if name not in left:
                gone = Difference("it is not there any more, or has other kinds of arguments")
                found.append(FunctionCheck(name, difference=gone))
                continue
            if _equivalent(op, left[name]):
                found.append(FunctionCheck(name, note="changed nothing"))
                known[name] = old
                continue
            try:
                new = known[name] = _Snapshot(left[name], kept, self._rng())
                found.append(self._compare(claim, old, new))
            except FAILURES as error:
                difference = Difference(f"it cannot be evaluated any more: {error}")
                found.append(FunctionCheck(name, difference=difference))
        self._known = known
        return PassCheck(stage.name, claim, tuple(found), before, kept)

    def _require_fitting(self, found: Mapping[str, Network]) -> None:
        if self._given is None or not found:
            return
        counts = {name: _inputs_of(op) for name, op in found.items()}
        if self._given.shape[1] not in counts.values():
            takes = ", ".join(f"@{name} takes {count}" for name, count in counts.items())
            raise KanError(
                f"the samples to check passes with have {self._given.shape[1]} features, {takes}"
            )

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self._seed)

    def _snapshot(self, op: Network, module: ModuleOp) -> _Snapshot:
        """The function as it was left by the pass before, or anew."""
        known = self._known.get(op.sym_name.data)
        if known is not None and _equivalent(known.op, op):
            return known
        return _Snapshot(op, module, self._rng())

    # One function.

    def _compare(self, claim: str, old: _Snapshot, new: _Snapshot) -> FunctionCheck:
        name = old.model.name
        problem = new.schedule_problem()
        if problem is not None and old.schedule_problem() is None:
            return FunctionCheck(name, difference=Difference(problem))
        before, after = old.ports(), new.ports()
        if claim != EXACT:
            return self._traded(old, new)
        if before is None or after is None:
            return self._compare_reals(old, new)
        changed = _changed_ports(before[0], after[0], inputs=True) or _changed_ports(
            before[1], after[1], inputs=False
        )
        if changed is not None:
            return FunctionCheck(name, difference=Difference(changed))
        if old.level == "wire" and new.level == "hardware":
            latencies = old.model.latency(), new.model.latency()
            if latencies[0] != latencies[1]:
                what = f"its latency was {latencies[0]} cycles, and is {latencies[1]}"
                return FunctionCheck(name, difference=Difference(what))
        return self._compare_codes(old, new, before, after[1])

    def _compare_codes(
        self,
        old: _Snapshot,
        new: _Snapshot,
        ports: tuple[tuple[Port, ...], tuple[Port, ...]],
        outputs: Sequence[Port],
    ) -> FunctionCheck:
        name = old.model.name
        try:
            samples = self._code_samples(old, ports[0])
            one = old.codes(samples)
        except FAILURES as error:
            return FunctionCheck(name, note=f"not checked: {error}")
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
            # Tensors carry no marks: a pass may compute the same outputs by way of other nodes.
            compared -= nodes_wrong
            wrong = {}
        if wrong:
            where, (expected, got, apart) = next(iter(wrong.items()))
            index = int(np.flatnonzero(apart)[0])
            codes = samples.codes[index]
            reals = _numbers(ports[0], samples.codes[index : index + 1])
            sample = Sample(
                index,
                None if reals is None else reals[0],
                codes,
                one.outputs[index],
                other.outputs[index],
            )
            some = np.any([apart for _, _, apart in wrong.values()], axis=0)
            what = (
                f"{where} is {got[index]} where {expected[index]} was expected, sample {index} of "
                f"{count}: {sample.inputs()}; {nodes_wrong} of {compared} nodes and "
                f"{len(wrong) - nodes_wrong} of {len(outputs)} outputs differ, on "
                f"{int(some.sum())} samples"
            )
            return FunctionCheck(name, difference=Difference(what, sample))
        lost = sorted(old.node_names() - new.node_names())
        if lost:
            what = f"the mark of node {lost[0]} is gone ({len(lost)} of {len(old.node_names())})"
            return FunctionCheck(name, difference=Difference(what))
        for port, column in zip(outputs, other.outputs.T, strict=True):
            if column.min() < port.low or column.max() > port.high:
                what = f"output {port.name} leaves its range {port.low}:{port.high}"
                return FunctionCheck(name, difference=Difference(what))
        return FunctionCheck(name, count, compared, samples.exhaustive)

    def _compare_reals(self, old: _Snapshot, new: _Snapshot) -> FunctionCheck:
        name = old.model.name
        try:
            x = self._real_samples(old)
            expected = old.reals(x)
        except FAILURES as error:
            return FunctionCheck(name, note=f"not checked: {error}")
        got = new.reals(x)
        if expected.shape != got.shape:
            what = f"it had {expected.shape[1]} outputs, and has {got.shape[1]}"
            return FunctionCheck(name, difference=Difference(what))
        # Outside its domain a function may be infinite or nothing: there is nothing to keep.
        defined = np.isfinite(expected)
        size = float(np.abs(expected[defined]).max(initial=0.0)) or 1.0
        apart = np.where(defined, np.abs(np.where(defined, got - expected, 0.0)), 0.0)
        apart = np.where(np.isnan(apart), np.inf, apart) / size
        if apart.max(initial=0.0) <= TOLERANCE:
            return FunctionCheck(name, len(x), rounding=float(apart.max(initial=0.0)))
        index, output = (int(i) for i in np.argwhere(apart > TOLERANCE)[0])
        sample = Sample(index, x[index], None, expected[index], got[index])
        what = (
            f"output y{output} is {got[index, output]:.9g} where {expected[index, output]:.9g} was "
            f"expected, sample {index} of {len(x)}: {sample.inputs()}; on "
            f"{int((apart > TOLERANCE).any(axis=1).sum())} samples outputs differ by more than "
            f"{TOLERANCE:g} of the largest"
        )
        return FunctionCheck(name, difference=Difference(what, sample))

    def _traded(self, old: _Snapshot, new: _Snapshot) -> FunctionCheck:
        name = old.model.name
        try:
            x = self._real_samples(old)
            expected = old.reals(x)
        except FAILURES as error:
            return FunctionCheck(name, note=f"not checked: {error}")
        got = new.reals(x)
        if expected.shape != got.shape:
            what = f"it had {expected.shape[1]} outputs, and has {got.shape[1]}"
            return FunctionCheck(name, difference=Difference(what))
        given = self._fitting(x.shape[1])
        on = "random" if given is None else "calibration"
        count = len(x) if given is None else len(given)
        expected, got = expected[:count], got[:count]
        whole = np.isfinite(expected).all(axis=1) & np.isfinite(got).all(axis=1)
        expected, got = expected[whole], got[whole]
        if not len(expected):
            return FunctionCheck(name, note="not compared: no sample has finite outputs")
        apart = np.abs(got - expected)
        changed = float((classes(got) != classes(expected)).mean())
        trade = Trade(float(apart.max()), float(apart.mean()), changed, on)
        return FunctionCheck(name, len(expected), trade=trade)

    # Samples: chosen once for a function, for as long as its inputs mean the same.

    def _fitting(self, inputs: int) -> FloatArray | None:
        """The given samples, if they are of so many inputs."""
        return self._given if self._given is not None and self._given.shape[1] == inputs else None

    def _code_samples(self, snapshot: _Snapshot, ports: tuple[Port, ...]) -> CodeSamples:
        name = snapshot.model.name
        chosen = self._codes.get(name)
        if chosen is None or chosen[0] != ports:
            given = self._fitting(len(ports))
            codes = None if given is None else np.unique(encode(ports, given), axis=0)
            count = self._count or sample_count(snapshot.op)
            chosen = ports, code_samples(snapshot.model, codes, self._rng(), count)
            self._codes[name] = chosen
        return chosen[1]

    def _real_samples(self, snapshot: _Snapshot) -> FloatArray:
        """Given samples first."""
        name, ports = snapshot.model.name, snapshot.ports()
        if name not in self._reals:
            count = self._count or sample_count(snapshot.op)
            if isinstance(snapshot.op, func.FuncOp) and snapshot.level in ("spline", "table"):
                given = self._fitting(_inputs_of(snapshot.op))
                self._reals[name] = real_samples(snapshot.op, given, self._rng(), count)
            elif ports is not None:
                x = _numbers(ports[0], self._code_samples(snapshot, ports[0]).codes)
                if x is None:
                    raise KanError("an input does not depend on the number that it stands for")
                given = self._fitting(len(ports[0]))
                self._reals[name] = x if given is None else np.concatenate([given, x])
        return self._reals[name]


def _numbers(ports: Sequence[Port], codes: IntArray) -> FloatArray | None:
    """Real inputs that have these codes; None where a gain is 0."""
    gains = np.array([port.gain for port in ports])
    if not gains.all():
        return None
    return (decode(ports, codes) - np.array([port.offset for port in ports])) / gains


def _changed_ports(before: Sequence[Port], after: Sequence[Port], *, inputs: bool) -> str | None:
    """What of the ports' number or meaning has changed, in words."""
    kind = "inputs" if inputs else "outputs"
    if len(before) != len(after):
        return f"it had {len(before)} {kind}, and has {len(after)}"
    for old, new in zip(before, after, strict=True):
        meanings: Mapping[str, tuple[float, float]] = {
            "scale": (old.scale, new.scale),
            "zero point": (old.zero_point, new.zero_point),
            "gain": (old.gain, new.gain),
            "offset": (old.offset, new.offset),
        }
        for what, (one, other) in meanings.items():
            if one != other:
                return f"the {what} of {old.name} was {one}, and is {other}"
        if inputs and not (new.low <= old.low and old.high <= new.high):
            return (
                f"input {old.name} took codes {old.low}:{old.high}, and takes {new.low}:{new.high}"
            )
    return None


def _inputs_of(op: Network) -> int:
    """Features of a sample."""
    if isinstance(op, hw.HWModuleOp):
        return len(Model(op, "hardware").ports()[0])
    return sum(
        tensor_shape(argument)[0] if isinstance(argument.type, TensorType) else 1
        for argument in op.args
    )


def _equivalent(one: Network, other: Network) -> bool:
    context: dict[IRNode | SSAValue, IRNode | SSAValue] = {}
    if one.parent is not None and other.parent is not None:
        context[one.parent] = other.parent
    return one.is_structurally_equivalent(other, context)


def _is_public(op: func.FuncOp) -> bool:
    return op.sym_visibility is None or op.sym_visibility.data == "public"


def _has_samples(op: func.FuncOp) -> bool:
    """Whether samples can go in and come out: vectors of floats or codes, or wires."""
    inputs, outputs = op.function_type.inputs.data, op.function_type.outputs.data
    types = [*inputs, *outputs]
    if not inputs or not outputs:
        return False
    return all(isinstance(kind, IntType) for kind in types) or all(map(_is_vector, types))


def _is_vector(kind: Attribute) -> bool:
    if not isinstance(kind, TensorType):
        return False
    tensor = cast("TensorType[Attribute]", kind)
    numbers = isinstance(tensor.get_element_type(), AnyFloat | UniformQuantizedType)
    return numbers and len(tensor.get_shape()) == 1 and tensor.get_shape()[0] > 0


def _undefined_values(function: func.FuncOp, codes: IntArray) -> dict[SSAValue, Array]:
    """Of each value of a wire-level function, for which samples an entry decides it that does not
    matter: (samples), bool."""
    values: dict[SSAValue, Array] = dict(zip(function.args, codes.T, strict=True))
    undefined: dict[SSAValue, Array] = dict.fromkeys(
        function.args, np.zeros(len(codes), dtype=np.bool_)
    )
    for op in function.body.block.ops:
        if op.has_trait(IsTerminator):
            continue
        some = np.any([undefined[v] for v in op.operands] or [undefined[function.args[0]]], axis=0)
        results = evaluate_op(op, [values[operand] for operand in op.operands])
        if isinstance(op, TableOp):
            index = tuple(values[value] - range_of(value).low for value in op.inputs)
            some |= ~op.care_array[index]
        for result, value in zip(op.results, results, strict=True):
            values[result], undefined[result] = value, some
    return undefined


def _without_dont_cares(op: Network, rng: np.random.Generator) -> Network:
    """The function with random entries, of the table's range, wherever an entry does not matter.

    A don't-care that does matter so shows at the pass that wrote it, not where it is filled in.
    """
    if not any(isinstance(inner, TableOp) and inner.care for inner in op.body.block.ops):
        return op
    clone = op.clone()
    for table in clone.body.block.ops:
        if isinstance(table, TableOp) and table.care is not None:
            kind = range_of(table.result)
            entries = table.entries_array
            noise = rng.integers(kind.low, kind.high, entries.shape, endpoint=True)
            # Not what stands there, which may well be right.
            noise = np.where(noise == entries, kind.low + (noise - kind.low + 1) % kind.size, noise)
            table.entries = dense(np.where(table.care_array, entries, noise))
            table.care = None
    return clone
