"""The pass keeps functions bit for bit, and makes even networks smaller."""

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.universe import Universe

from fold_symmetric_tables.symmetry import axes, half_of
from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.device import device
from kan_dialect.devices.lut_count import count_luts
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.model.model import Model
from kan_dialect.passbase.pipeline import build_pipeline

INPUTS, NODES = 2, 3


def tables(kind: str, bits: int, centre: float, seed: int) -> NDArray[np.int64]:
    """(nodes, inputs, codes): random functions of the distance from a centre, even or odd."""
    rng = np.random.default_rng(seed)
    offset = np.arange(1 << bits) - centre
    values = rng.integers(-20, 21, size=(NODES, INPUTS, 1 << bits))
    half = values[..., np.abs(2 * offset).astype(int) // 2]
    if kind == "even":
        return half
    # Partners add up to 1, which no axis on a code allows: there, to 0.
    constant = int(centre != int(centre))
    return np.where(offset < 0, constant - half, np.where(offset == 0, 0, half))


def network(entries: NDArray[np.int64], bits: int) -> ModuleOp:
    builder = TableNetwork("net", UniformQuantizedType(bits, False, 1.0), inputs=INPUTS)
    return builder.add_layer(entries).module()


def run(module: ModuleOp, pipeline: str) -> ModuleOp:
    """Run the passes on the module, and verify it after each."""
    for stage in build_pipeline(Universe.get_multiverse().all_passes, pipeline):
        stage.apply(make_context(), module)
        module.verify()
    return module


@pytest.mark.parametrize("kind", ["even", "odd"])
@pytest.mark.parametrize("centre", [63.5, 64.0, 63.0])
@pytest.mark.parametrize("target", ["lut3", "lut4"])
def test_the_function_stays(kind: str, centre: float, target: str) -> None:
    entries = tables(kind, 7, centre, seed=1)
    module = network(entries, 7)
    run(module, f"kan-expand-wires,kan-narrow,fold-symmetric-tables{{target={target} odd=true}}")
    assert "-> !kan.int<0:6" in str(module)  # a distance: 0 to 63, or to 64
    codes = np.array(np.meshgrid(*[range(128)] * INPUTS)).reshape(INPUTS, -1).T
    expected = sum(entries[:, i, codes[:, i]] for i in range(INPUTS)).T
    np.testing.assert_array_equal(Model.of(module).run_codes(codes), expected)
    run(module, f"kan-compile{{target={target}}}")
    np.testing.assert_array_equal(Model.of(module).run_codes(codes[:200]), expected[:200])


@pytest.mark.parametrize("target", ["xcup", "ecp5"])
def test_an_even_network_is_smaller(target: str) -> None:
    def luts(first: str) -> int:
        module = network(tables("even", 8, 127.5, seed=2), 8)
        names = ("narrow", "fold-clamps", "merge-tables", "share-tables", "share-sums")
        rest = ",".join(f"kan-{name}" for name in (*names, "split-tables", "balance-sums"))
        run(module, f"kan-expand-wires,kan-narrow,{first}{rest}")
        (function,) = wire_functions(module)
        return device(target).pack(count_luts(function.body.block.ops, device(target)))

    assert luts(f"fold-symmetric-tables{{target={target}}},") < 0.7 * luts("")


@pytest.mark.parametrize("size", [2, 3, 8, 9])
def test_symmetry_is_found_as_it_is_defined(size: int) -> None:
    rng = np.random.default_rng(3)
    low = -size // 2
    for axis in axes(low, low + size - 1):
        for _ in range(200):
            entries = rng.integers(0, 3, size=size)
            pairs = [
                (int(entries[x]), int(entries[axis - 2 * low - x]))
                for x in range(size)
                if 0 <= axis - 2 * low - x < size
            ]
            even = all(one == other for one, other in pairs)
            odd = len({one + other for one, other in pairs}) == 1
            half = half_of(entries, low, axis)
            assert (half is not None) == (even or odd)
            assert half is None or (half.constant is None) == even
