"""`kan-compress-codes`: wide tables are what they were, for all inputs."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.ir import Block

from kan_dialect.evaluate.interpreter import evaluate_inside, find_function
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.types import IntType
from kan_dialect.ops.wire import SumOp, TableOp
from kan_dialect.passes.compress_codes import CompressCodesPass, compressed_codes


def stepped(seed: int, size: int) -> list[int]:
    """Entries that are constant but for one range of codes, which may wrap."""
    rng = np.random.default_rng(seed)
    entries = np.where(np.arange(size) < rng.integers(1, size), *rng.integers(0, 64, 2))
    differs = int(rng.integers(1, 1 + size // 4))
    entries[:differs] = rng.integers(0, 64, differs)
    return np.roll(entries, int(rng.integers(size))).tolist()


@given(
    st.integers(0, 1 << 30),
    st.sampled_from([(0, 127), (-64, 63), (-100, 27), (0, 99), (-256, 200), (3, 130)]),
)
@settings(max_examples=40)
def test_outputs_stay(seed: int, ends: tuple[int, int]) -> None:
    kind = IntType(*ends)
    block = Block(arg_types=[kind, IntType(0, 3)])
    entries = np.array(stepped(seed, kind.size))
    table = TableOp([block.args[0]], entries, name="t")
    added = SumOp([table.result, block.args[1]], name="s")
    block.add_ops([table, added])
    module = module_of("net", block, added.result)
    CompressCodesPass().apply(Context(), module)
    module.verify()
    function = find_function(module)
    terminator = function.get_return_op()
    assert terminator is not None
    codes = np.arange(kind.low, kind.high + 1)
    inputs = [codes.repeat(4), np.tile(np.arange(4), kind.size)]
    (found,) = evaluate_inside(function, inputs, list(terminator.operands))
    np.testing.assert_array_equal(found, entries.repeat(4) + inputs[1])


@given(st.integers(0, 1 << 30), st.integers(4, 10))
def test_codes_give_the_entries(seed: int, bits: int) -> None:
    """The class and the lowest bits give each entry, by fewer bits than before."""
    entries = np.array(stepped(seed, 1 << bits))
    patterns = np.arange(1 << bits)
    for code in compressed_codes(entries):
        upper, lower = patterns >> code.low, patterns & ((1 << code.low) - 1)
        np.testing.assert_array_equal(
            code.entries[(code.classes[upper] << code.low) + lower], entries
        )
        assert len(code.entries) <= 1 << (bits - 1)


def test_a_step_is_found() -> None:
    entries = np.repeat([0, 5], [40, 88])
    entries[40:48] = np.arange(10, 18)
    assert 24 in [len(code.entries) for code in compressed_codes(entries) if code.low == 3]
