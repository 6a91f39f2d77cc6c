"""`kan-flow build --fit`: the smallest interval at which a network fits a part."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import flow
from report_schema import valid_report
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.api.loading import from_ir
from kan_dialect.devices.device import device
from kan_dialect.errors import KanError
from kan_dialect.flows import fit as fitting
from kan_dialect.flows.fit import Trial, _remedy, fit
from kan_dialect.flows.tools import toolchain
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from repository import EXAMPLES


def network(inputs: int, nodes: int, bits: int = 6) -> ModuleOp:
    """One layer of random tables."""
    tables = np.random.default_rng(0).integers(-16, 16, (nodes, inputs, 1 << bits))
    kind = UniformQuantizedType(bits, False, 1.0)
    return TableNetwork("net", kind, inputs).add_layer(tables).module()


def two_layers() -> ModuleOp:
    """32-6-3 of random tables, codes of 6 and 5 bits."""
    rng = np.random.default_rng(0)
    network = TableNetwork("net", UniformQuantizedType(6, True, 1.0), 32)
    network.add_layer(rng.integers(-8, 8, (6, 32, 64)), saturate=(-16, 15))
    return network.add_layer(rng.integers(-8, 8, (3, 6, 32))).module()


def network_of_shapes(inputs: int, nodes: int) -> ModuleOp:
    """One layer of 6 bits whose edges are one of two shapes, times 1, 2, -1 or -2."""
    rng, edges = np.random.default_rng(0), (nodes, inputs)
    shapes, factors = rng.integers(-16, 16, (2, 64)), rng.choice([-2, -1, 1, 2], edges)
    tables = shapes[rng.integers(0, 2, edges)] * factors[:, :, np.newaxis]
    network = TableNetwork("net", UniformQuantizedType(6, False, 1.0), inputs)
    return network.add_layer(tables).module()


def tried(
    module: ModuleOp, target: str, wrap: WrapInterfacePass | None = None
) -> tuple[CompilePass, list[Trial]]:
    compiled = CompilePass(target=target)
    return fit(make_context(), module, compiled, wrap or WrapInterfacePass(), lambda _: None)


def fitted(
    module: ModuleOp, target: str, wrap: WrapInterfacePass | None = None
) -> list[tuple[int, bool]]:
    compiled, trials = tried(module, target, wrap)
    assert compiled.interval == trials[-1].interval
    return [(each.interval, each.fits) for each in trials]


def test_what_fits_stays_unrolled() -> None:
    assert fitted(network(2, 2), "ecp5-12") == [(1, True)]


def test_the_smallest_interval_that_fits_is_taken() -> None:
    expected = [(1, False), (2, False), (3, False), (4, False), (6, False), (8, True)]
    assert fitted(network(20, 16, 5), "ice40-hx1k") == expected


def test_memories_become_block_ram_where_lookup_tables_are_short() -> None:
    compiled, trials = tried(network(10, 8, 5), "ice40-hx1k")
    assert [(each.interval, each.logic_words) for each in trials] == [(1, 64), (2, 64), (2, 63)]
    assert trials[1].block_rams == 0 < trials[2].block_rams
    assert trials[2].luts < trials[1].luts
    assert compiled.logic_words == 63


def test_memories_become_lookup_tables_where_block_ram_is_short() -> None:
    """The second layer has the smallest memories."""
    compiled, trials = tried(two_layers(), "gowin-gw1n-1")
    before, last = trials[-2:]
    assert before.interval == last.interval
    assert before.block_rams > 4 >= last.block_rams
    assert before.luts < last.luts
    assert compiled.logic_words == last.logic_words


def test_tables_that_can_be_loaded_are_folded() -> None:
    compiled = CompilePass(target="ecp5-12", interval=2, loadable=True)
    _, trials = fit(make_context(), network(2, 2), compiled, WrapInterfacePass(), lambda _: None)
    assert [(each.interval, each.fits) for each in trials] == [(2, True)]


def test_the_wrapper_has_to_fit_too() -> None:
    """Its buffer is block RAM on iCE40."""
    wrap = WrapInterfacePass(interface="axi-stream", beat_bits=8)
    alone, wrapped = (fitted(network(10, 8, 5), "ice40-hx1k", each) for each in (None, wrap))
    assert alone[-1] == (2, True)
    assert wrapped[-1] == (4, True)


def test_what_is_far_too_large_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "TOO_LARGE", 0.5)
    _, (first, *others) = tried(network(10, 8, 5), "ice40-hx1k")
    assert first.registers is None
    assert first.luts > 0.5 * 1280
    assert others[-1].fits


def test_what_does_not_fit_names_the_part_that_holds_it() -> None:
    with pytest.raises(KanError, match=r"does not fit iCE40HX1K: at an interval of \d+ it") as told:
        tried(network(20, 16), "ice40-hx1k")
    assert re.search(r"take ice40-\w+, which holds it at an interval of \d+", str(told.value))


def test_what_fits_with_shapes_alone_is_found() -> None:
    """Tables take seven block RAMs, where the part has four."""
    assert fitted(network_of_shapes(32, 8), "gowin-gw1n-1")[-1] == (32, True)
    with pytest.raises(KanError, match=r"does not fit GW1N-1"):
        fitted(network(32, 8), "gowin-gw1n-1")


def test_block_ram_alone_is_short_so_the_remedy_names_shapes() -> None:
    part = device("gowin-gw1n-1")
    trial = Trial(interval=8, luts=100, registers=100, block_rams=10_000)
    assert "kan-flow train --shapes" in _remedy(part, [trial])
    assert "shapes" not in _remedy(part, [replace(trial, luts=1_000_000)])


def test_the_storage_that_is_asked_for_is_tried_first() -> None:
    compiled = CompilePass(target="ice40-hx1k", logic_words=16)
    chosen, trials = fit(make_context(), network(10, 8, 5), compiled, WrapInterfacePass(), print)
    assert [each.logic_words for each in trials] == [16] * len(trials)
    assert chosen.logic_words == 16


def test_report_and_page_have_the_number_of_shapes(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    from_ir(network_of_shapes(32, 8)).build(folder, fit="gowin-gw1n-1", simulator="none")
    assert valid_report(folder)["layers"][0]["shapes"] == 2
    text = (folder / "report.html").read_text()
    assert "shapes that edges of folded layers choose from" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fit", "lut4"), "lut4 is no part, and a network fits a part; name one: kan-flow"),
        (("--fit", "ice40"), "ice40 is a family, and a network fits a part; name one: ice40-hx1k"),
        (("--fit", "ecp5-12", "--interval", "4"), "--interval has no meaning with --fit"),
        (("--fit", "ecp5-12", "--target", "ecp5"), "--target has no meaning with --fit"),
    ],
)
def test_refusals(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    model = EXAMPLES / "wine.onnx", "--calibration", EXAMPLES / "wine.npz"
    assert flow("build", *model, *options, "-o", tmp_path / "out") == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_network_is_built_to_fit(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    built = from_ir(network(10, 8, 5)).build(folder, fit="ice40-hx1k", simulator="none")
    assert [each["interval"] for each in built.report["fit"]] == [1, 2, 2]
    assert built.report["fit"][-1]["logic_words"] == 63
    assert built.report["interval_cycles"] == 2
    assert "Intervals for the part, by estimate" in (folder / "report.html").read_text()
    with pytest.raises(KanError, match="interval has no meaning with fit"):
        from_ir(network(2, 2)).build(tmp_path / "other", fit="ecp5-12", interval=2)


@pytest.mark.ci
@pytest.mark.skipif(toolchain.look_for("yosys") is None, reason="Yosys is not installed")
def test_a_build_that_fits_is_simulated_and_proven(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = EXAMPLES / "digits.onnx", "--calibration", EXAMPLES / "digits.npz"
    folder = tmp_path / "out"
    options = ("--bits", 4, "--fit", "ice40-hx1k", "--mhz", 24, "--vectors", 500, "-o", folder)
    assert flow("build", *model, *options) == 0
    assert "intervals for ice40-hx1k, by estimate" in capsys.readouterr().out
    report = json.loads((folder / "report.json").read_text())
    assert [each["fits"] for each in report["fit"]] == [False] * (len(report["fit"]) - 1) + [True]
    assert report["interval_cycles"] == report["fit"][-1]["interval"]
    assert report["simulation"]["mismatches"] == 0
    assert flow("prove", folder) == 0
