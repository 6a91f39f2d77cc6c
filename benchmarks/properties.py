"""Prints how robust networks are, proven for all codes, and how long proofs of properties take.

    python benchmarks/properties.py robust     classes around samples, beside random codes
    python benchmarks/properties.py range      time by bits and edges, beside Bitwuzla

Needs Bitwuzla (kan-dialect[proof]) and KANELÉ's networks in KAN_DATA (/work/shared/data).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

import kan_dialect as kan
from kan_dialect.flows.properties.bounds import Bounds
from kan_dialect.flows.properties.formula import View
from kan_dialect.flows.properties.network import Networks
from kan_dialect.flows.properties.property import Property
from kan_dialect.flows.properties.prove import Verdict, prove_property
from kan_dialect.flows.prove.cycles.integers import Arithmetic, Integer
from kan_dialect.flows.prove.cycles.solver import Solver
from kan_dialect.flows.prove.cycles.terms import Term
from kan_dialect.flows.prove.second_opinion.codes import Code
from kan_dialect.flows.prove.second_opinion.design import Variable
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.model.interface import highs, lows
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode

EXAMPLES = Path(__file__).parent.parent / "examples"
KANELE = Path(os.environ.get("KAN_DATA", "/work/shared/data")) / "kanele"
SAMPLES = 50
LIMIT = 60.0
"""Seconds for one question."""
SAMPLE_LIMIT = 5.0
"""Seconds for one sample."""
RANDOM = 10_000
"""Random codes in the box around a sample."""


def example(name: str, bits: int) -> Model:
    network = kan.load(EXAMPLES / f"{name}.onnx", data=EXAMPLES / f"{name}.npz")
    return Model.of(network.compile(bits=bits, level="table").module())


def networks() -> dict[str, tuple[Model, IntArray]]:
    """Models with codes of samples of each."""
    found: dict[str, tuple[Model, IntArray]] = {}
    for name, bits in (("wine", 6), ("wine", 8), ("digits", 6)):
        model = example(name, bits)
        x = np.load(EXAMPLES / f"{name}.npz")["x_test"]
        found[f"{name}, {bits} bits"] = model, encode(model.ports()[0], x[:SAMPLES])
    for name in ("wine", "drybean", "moons", "jsc_openml"):
        model = Model.of(kan.load(KANELE / name / "truth_tables.json").module())
        if name == "jsc_openml":
            codes = np.load(KANELE / name / "golden.npz")["codes"]
        else:
            codes = np.load(KANELE / name / "dataset.npz")["test_codes"]
        found[f"KANELÉ's {name}"] = model, codes[:SAMPLES].astype(np.int64)
    return found


def classes(model: Model, codes: IntArray) -> IntArray:
    outputs = model.run_codes(codes)
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > model.ports()[1][0].zero_point).astype(np.int64)
    return outputs.argmax(axis=1)


def robust() -> None:
    """Certified shares within 1, 2 and 4 codes of all features, and what random codes find."""
    print(f"{'network':20} samples  within  certified  undecided  changed  random   seconds")
    for name, (model, codes) in networks().items():
        inputs = model.ports()[0]
        rng = np.random.default_rng(0)
        for within in (1, 2, 4):
            shares = {"proven": 0, "refuted": 0, "undecided": 0}
            seen, start, timed = 0, time.monotonic(), 0.0
            for sample in codes:
                wanted = Property("", "robust", "", within=within, samples=sample[np.newaxis])
                start = time.monotonic()
                status = prove_property(model, wanted, timeout=SAMPLE_LIMIT).status
                timed += time.monotonic() - start
                shares[status] += 1
                if status == "refuted":
                    box = rng.integers(
                        np.maximum(sample - within, lows(inputs)),
                        np.minimum(sample + within, highs(inputs)),
                        (RANDOM, len(inputs)),
                        endpoint=True,
                    )
                    seen += len(set(classes(model, np.vstack([sample, box])).tolist())) > 1
            print(
                f"{name:20} {len(codes):7}  {within:6}  {shares['proven'] / len(codes):9.1%}  "
                f"{shares['undecided']:9}  {shares['refuted']:7}  {seen:6}  {timed:8.1f}",
                flush=True,
            )


def random_network(inputs: int, hidden: int, bits: int) -> Model:
    """Two layers of smooth random tables, as trained edges are."""
    rng = np.random.default_rng(inputs * hidden)
    tables = TableNetwork("random", UniformQuantizedType(bits, False, 1.0), inputs)
    width, top = inputs, (1 << bits) - 1
    for nodes in (hidden, 3):
        x = np.linspace(-1, 1, 1 << bits)
        terms = np.stack([np.sin(k * x + k) for k in range(1, 5)])
        weights = rng.normal(size=(nodes, width, 4)) / np.arange(1, 5)
        values = np.rint(weights @ terms * (1 << bits) / width**0.5 / 4).astype(np.int64)
        saturate = (-(top + 1) // 2, top // 2)
        tables.add_layer(values, saturate=saturate if nodes == hidden else None)
        width = nodes
    return Model.of(tables.module())


def ranges() -> None:
    """Time of the exact range of the first output, by bits and edges."""
    print(f"{'network':24} edges  bits  ends          exact   boxes  seconds  Bitwuzla [s]")
    for bits in (4, 5, 6, 8, 10):
        line("wine", example("wine", bits), 64, bits)
    for inputs, hidden in ((4, 4), (8, 4), (16, 4), (16, 8), (32, 8), (64, 8), (32, 16), (64, 16)):
        edges = inputs * hidden + 3 * hidden
        line(f"{inputs}-{hidden}-3", random_network(inputs, hidden, 6), edges, 6)


def line(name: str, model: Model, edges: int, bits: int) -> None:
    verdict = prove_property(model, Property("", "range", "", formula="y0"), timeout=LIMIT)
    ends, exact = _ends(verdict)
    solver = "" if not exact else by_bitwuzla(model, ends[1])
    print(
        f"{name:24} {edges:5}  {bits:4}  {ends[0]:5} .. {ends[1]:4}  {exact!s:6} "
        f"{verdict.boxes:6}  {verdict.seconds:7.2f}  {solver:>12}",
        flush=True,
    )


def _ends(verdict: Verdict) -> tuple[tuple[int, int], bool]:
    figures = verdict.results
    ends = int(str(figures.get("least", 0))), int(str(figures.get("greatest", 0)))
    return ends, verdict.proven


def by_bitwuzla(model: Model, greatest: int) -> str:
    """Seconds that Bitwuzla takes to show that the first output is nowhere greater."""
    found = Networks()
    view = View.of(found, model, [found.input(port) for port in model.ports()[0]])
    (case,) = view.cases(f"y0 > {greatest}")
    exact = Arithmetic(found.pool)
    numbers: dict[Variable, Integer] = {}

    def number(code: Code) -> Integer:
        parts = [exact.constant(code.constant)]
        for of, table in code.tables.items():
            parts.append(exact.entry(numbers[of], table))
        return exact.total(parts)

    conditions: list[Term] = []
    bounds = Bounds(found)
    for of in bounds.variables:
        if of in found.nodes:
            total = number(found.nodes[of])
            # Tables count from the least sum on.
            numbers[of] = exact.difference(total, exact.constant(of.low))
        else:
            numbers[of] = Integer(of.term, 0, of.high)
            conditions.append(found.pool.at_most(of.term, of.high))
    for code in case:
        value = number(code)
        conditions.append(
            found.pool.inverted(found.pool.at_most(value.term, 0))
            if value.low >= 0
            else _positive(exact, value)
        )
    start = time.monotonic()
    answer = Solver(needed_by="this measurement").find(conditions, LIMIT)
    assert answer is None or answer == "unknown", answer
    return f"> {LIMIT:.0f}" if answer == "unknown" else f"{time.monotonic() - start:.2f}"


def _positive(exact: Arithmetic, value: Integer) -> Term:
    zero = exact.constant(0)
    width = max(value.term.width, zero.term.width) + 1
    return exact.pool.make("slt", 1, [exact.wide(zero, width), exact.wide(value, width)])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("robust", "range"))
    {"robust": robust, "range": ranges}[parser.parse_args().what]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
