"""`kan-compile`: the passes spelt out, from any stage; and what its schedule does not change."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.passes import ModulePass

from kan_dialect.checking import Checker, run_passes
from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model
from kan_dialect.passbase.garbage_collector import collector_paused
from kan_dialect.passbase.pipeline import build_pipeline
from kan_dialect.passbase.record import recorded_pipeline
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.universe import UNIVERSE

NETWORK = """
func.func @net(%x: tensor<2xf32>, %y: tensor<1xf32>) -> tensor<2xf32> {
  %c = kan.concat %x, %y : tensor<2xf32>, tensor<1xf32> -> tensor<3xf32>
  %e0 = kan.bspline %c as "layer0" degree 1 extend knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf32>
    coefficients dense<[[[0.5, -1.0, 0.25], [1.0, 0.5, -0.5], [0.25, 0.0, 1.0]],
                        [[-0.5, 1.0, 0.0], [0.0, 0.25, 0.5], [1.0, -1.0, 1.0]]]> : tensor<2x3x3xf32>
    : tensor<3xf32> -> tensor<2x3xf32>
  %n0 = kan.node_sum %e0 as "layer0" mask dense<[[1, 1, 1], [1, 0, 1]]> : tensor<2x3xi8>
    : tensor<2x3xf32> -> tensor<2xf32>
  %a = kan.affine %n0 scale dense<[0.5, -2.0]> : tensor<2xf32> bias dense<[0.25, 0.0]>
    : tensor<2xf32> : tensor<2xf32>
  %e1 = kan.base "silu" %a as "layer1" weights dense<[[1.0, -1.0], [0.5, 2.0]]> : tensor<2x2xf32>
    : tensor<2xf32> -> tensor<2x2xf32>
  %n1 = kan.node_sum %e1 as "layer1" : tensor<2x2xf32> -> tensor<2xf32>
  func.return %n1 : tensor<2xf32>
}
"""

STAGES = 17
"""Passes of the pipeline with calibration data."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Calibration samples, `.npz`."""
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, x=np.random.default_rng(0).normal(size=(100, 3)) * 0.5)
    return str(path)


def parse(text: str) -> ModuleOp:
    return Parser(make_context(), text).parse_module()


def run(module: ModuleOp, *passes: ModulePass) -> ModuleOp:
    """The module after the passes, verified and checked after each."""
    run_passes(Context(), module, passes, Checker(count=100))
    return module


def codes_for(model: Model) -> IntArray:
    ports = model.interface().inputs
    low, high = np.array([[port.low, port.high] for port in ports]).T
    return np.random.default_rng(1).integers(low, high + 1, size=(300, len(ports)))


def test_no_pass_leaves_readers_outside_of_the_module(data: str) -> None:
    """An op that was made, read a value and was dropped would keep that value alive."""
    module = parse(NETWORK)
    for stage in CompilePass(data=data, bits=4, levels=1).passes():
        stage.apply(Context(), module)
        for op in module.walk():
            arguments = [value for region in op.regions for b in region.blocks for value in b.args]
            for value in (*op.results, *arguments):
                outside = [use.operation for use in value.uses if use.operation.parent is None]
                assert not outside, (stage.name, outside)


def test_the_pipeline_resumes_at_every_stage(data: str) -> None:
    """From the text after any of its passes, with a head behind the network too."""
    compiler = CompilePass(data=data, bits=4, levels=1, head="argmax")
    stages = compiler.passes()
    assert any(stage.name == "kan-add-head" for stage in stages)
    whole = str(run(parse(NETWORK), *stages))
    for count in range(len(stages) + 1):
        text = str(run(parse(NETWORK), *stages[:count]))
        assert str(run(parse(text), compiler)) == whole, stages[:count]


def test_what_is_recorded_spells_the_pipeline(data: str) -> None:
    """The module attribute is what `-p` takes; only paths are left out of it."""
    compiled = run(parse(NETWORK), CompilePass(data=data, bits=(3, 4, 5), scale="minmax", cycles=6))
    spelt = [
        f'kan-calibrate{{data="{data}"}}' if spec == "kan-calibrate" else spec
        for spec in recorded_pipeline(compiled)
    ]
    passes = build_pipeline(UNIVERSE.all_passes, ",".join(spelt))
    assert len(passes) == STAGES
    assert str(run(parse(NETWORK), *passes)) == str(compiled)


def test_without_data_nothing_is_calibrated() -> None:
    assert "kan-calibrate" not in [one.name for one in CompilePass().passes()]
    assert len(CompilePass().passes()) == STAGES - 1


@pytest.mark.parametrize("per_tensor", [False, True])
def test_the_results_do_not_depend_on_the_schedule(data: str, per_tensor: bool) -> None:
    common = {"data": data, "bits": 4, "per_tensor": per_tensor}
    schedules = [{"levels": 1}, {"levels": 3}, {"cycles": 4}, {"cycles": 12}, {"cycles": 0}]
    models = [
        Model.of(run(parse(NETWORK), CompilePass(**common, **schedule)))  # pyright: ignore
        for schedule in [*schedules, {"combinational": True}]
    ]
    codes = codes_for(models[0])
    results = [model.run_codes(codes) for model in models]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
    latencies = [model.interface().latency for model in models]
    assert latencies[0] > latencies[1] > 0 and latencies[2:] == [4, 12, 0, 0]


def test_the_same_input_gives_the_same_bytes(data: str, tmp_path: Path) -> None:
    """Whatever the data file is called, and however often it is compiled."""
    other = tmp_path / "other name.npz"
    other.write_bytes(Path(data).read_bytes())
    texts = {str(run(parse(NETWORK), CompilePass(data=path))) for path in (data, str(other), data)}
    assert len(texts) == 1


def test_fast_leaves_out_the_search_and_keeps_the_results(data: str) -> None:
    common = {"data": data, "bits": 6}
    fast = CompilePass(**common, fast=True)  # pyright: ignore
    searching = CompilePass(**common)  # pyright: ignore
    left_out = {one.name for one in searching.passes()} - {one.name for one in fast.passes()}
    assert left_out == {"kan-share-sums", "kan-compress-codes", "kan-split-tables"}
    models = [Model.of(run(parse(NETWORK), compiler)) for compiler in (fast, searching)]
    codes = codes_for(models[0])
    np.testing.assert_array_equal(models[0].run_codes(codes), models[1].run_codes(codes))


@pytest.mark.parametrize("was_running", [True, False])
def test_the_collector_is_as_it_was(was_running: bool) -> None:
    """Also after a pass that fails, and inside another."""
    try:
        if not was_running:
            gc.disable()
        with pytest.raises(KanError), collector_paused():
            assert not gc.isenabled()
            with collector_paused():
                pass
            assert not gc.isenabled()
            raise KanError("this one fails")
        assert gc.isenabled() is was_running
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("mhz=900", "more than the clock network of xcup can do; take at most mhz=775"),
        ("mhz=700 target=ecp5", "registers alone take"),
        ("head=top-k k=3", "@net has 2 outputs, and k is 3"),
        ('input-format="x3=u4"', "a format is given for x3"),
        ("combinational=true},kan-wrap-interface{interface=axi-stream", "net is combinational"),
        ("cycles=0},kan-wrap-interface{clock-enable=true", "no clock for a clock enable"),
        ("cycles=300},kan-wrap-interface{interface=ready-valid", "latency of 300 cycles is too"),
        ("cycles=9},kan-wrap-interface{interface=axi-stream beat-bits=12", "a beat of 12 bits"),
    ],
)
def test_options_are_refused_before_any_pass_runs(
    options: str, message: str, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first pass would take the time of a search."""
    monkeypatch.setattr(FoldAffinePass, "run", lambda *_: pytest.fail("a pass has run"))
    text = f'kan-compile{{data="{data}" bits=auto precision=auto {options}}}'
    passes = build_pipeline(UNIVERSE.all_passes, text)
    with pytest.raises(KanError, match=message):
        run_passes(make_context(), parse(NETWORK), passes)
