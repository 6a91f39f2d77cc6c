"""The record of passes: what it says of a module that was changed, and what then runs again."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from commands import flow
from rtl_bugs import victim_network
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr, i8
from xdsl.passes import ModulePass

from kan_dialect.cli.kan_opt import KanOptMain
from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import load_model, make_context, parse_text
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import dense, to_integers
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.types import range_of
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.ops.table import TablesOp
from kan_dialect.ops.wire import TableOp
from kan_dialect.passbase.kan_pass import NamedPass
from kan_dialect.passbase.options import options_of
from kan_dialect.passbase.pipeline import build_pipeline
from kan_dialect.passbase.record import (
    CHANGED,
    DIGEST_ATTRIBUTE,
    PIPELINE_ATTRIBUTE,
    content_digest,
    open_record,
    passes_in_force,
    recorded_pipeline,
)
from kan_dialect.passes.narrow import NarrowPass
from kan_dialect.universe import UNIVERSE

NETWORK = """
func.func @net(%x0: !kan.int<0:3>, %x1: !kan.int<0:3>) -> !kan.int<-2:35> {
  %t0 = kan.table %x0 as "layer0_edge0_0" entries dense<[0, 9, 20, 31]> : tensor<4xi8>
    : !kan.int<0:3> -> !kan.int<0:31>
  %t1 = kan.table %x1 as "layer0_edge0_1" entries dense<[1, -2, 0, 4]> : tensor<4xi8>
    : !kan.int<0:3> -> !kan.int<-2:4>
  %s = kan.sum %t0, %t1 as "layer0_sum0" : !kan.int<0:31>, !kan.int<-2:4> -> !kan.int<-2:35>
  func.return %s : !kan.int<-2:35>
}
"""
FULL, SMALL = "[0, 9, 20, 31]", "[0, 1, 2, 1]"
"""Entries of the first table, and others of fewer bits."""
FIRST, SECOND, SUM = "!kan.int<0:31>", "!kan.int<-2:4>", 'as "layer0_sum0" :'
PIPELINE = "kan-narrow,kan-fold-clamps,kan-window-tables,kan-merge-tables,kan-share-tables"
NAMES = PIPELINE.split(",")


def parse(text: str) -> ModuleOp:
    return parse_text(make_context(), text.encode(), "test")


def run(module: ModuleOp, pipeline: str) -> ModuleOp:
    for stage in build_pipeline(UNIVERSE.all_passes, pipeline):
        stage.apply(Context(), module)
    return module


def largest(module: ModuleOp) -> int:
    """The largest entry that a type has room for."""
    return max(range_of(op.result).high for op in module.walk() if isinstance(op, TableOp))


def test_only_passes_since_a_change_are_in_force() -> None:
    assert passes_in_force([]) == set()
    assert passes_in_force(["a{x=1}", "b"]) == {"a", "b"}
    assert passes_in_force(["a", CHANGED, "b"]) == {"b"}
    assert passes_in_force(["a", "(changed by c{x=1})"]) == set()


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (FULL, SMALL, True),
        (f"%t0, %t1 {SUM} {FIRST}, {SECOND}", f"%t1, %t0 {SUM} {SECOND}, {FIRST}", True),
        ('"layer0_edge0_1"', '"layer0_edge0_2"', True),
        (FIRST, "!kan.int<0:32>", True),
        ("@net", "@other", True),
        ("func.func @net", "func.func private @net", True),
        ("%t0", "%renamed", False),
        ("  %s =", "  // A comment.\n\n    %s   =", False),
        ('kan.digest = "', 'kan.digest = "0', True),
        ('["', '["kan-prune", "', False),
    ],
)
def test_what_counts_as_a_change(old: str, new: str, changed: bool) -> None:
    module = run(parse(NETWORK), "kan-expand-wires,kan-share-tables")
    # Values have numbers in the text; the network's names stand for them.
    text = str(module)
    for number, name in enumerate(("t0", "t1", "s")):
        text = text.replace(f"%{number} ", f"%{name} ").replace(f"%{number},", f"%{name},")
    assert old in text
    assert (CHANGED in recorded_pipeline(parse(text.replace(old, new)))) == changed


def test_every_stage_reads_back_as_unchanged() -> None:
    module = parse(NETWORK)
    for stage in CompilePass(levels=1).passes():
        stage.apply(Context(), module)
        again = parse(str(module))
        assert content_digest(again) == content_digest(module)
        assert str(again) == str(module)
    assert CHANGED not in recorded_pipeline(module)


def test_an_edit_is_recorded_once_and_passes_run_again() -> None:
    text = str(run(parse(NETWORK), PIPELINE))
    edited = parse(text.replace("dense<[0, 9, 20, 31]>", "dense<[0, 1, 2, 1]>"))
    assert recorded_pipeline(edited) == [*NAMES, CHANGED]
    # Text that passes through unharmed says so as well, and says it once.
    assert recorded_pipeline(parse(str(edited))) == [*NAMES, CHANGED]
    assert largest(edited) == 31
    compiled = run(edited, "kan-compile{combinational=true}")
    assert recorded_pipeline(compiled)[: len(NAMES) + 2] == [*NAMES, CHANGED, "kan-narrow"]
    assert recorded_pipeline(compiled).count(CHANGED) == 1
    # As if it had been written so from the beginning.
    fresh = run(parse(NETWORK.replace(FULL, SMALL)), "kan-compile{combinational=true}")
    bodies = [emit_systemverilog(each).partition("`default")[2] for each in (compiled, fresh)]
    assert bodies[0] == bodies[1]
    header = emit_systemverilog(compiled).partition("`default")[0]
    assert f"//   {NAMES[-1]}\n//   {CHANGED}\n//   kan-narrow\n" in header


def test_without_an_edit_nothing_runs_again() -> None:
    module = run(parse(str(run(parse(NETWORK), PIPELINE))), "kan-compile{fast=true}")
    names = [entry.partition("{")[0] for entry in recorded_pipeline(module)]
    lowered = ["lower-kan-to-hw", "kan-form-carry-chains"]
    assert names == [*NAMES, "kan-balance-sums", "kan-schedule", *lowered]


def test_a_change_in_memory_is_noticed() -> None:
    module = run(parse(NETWORK), PIPELINE)
    table = next(op for op in module.walk() if isinstance(op, TableOp))
    table.properties.pop("name")
    NarrowPass().apply(Context(), module)
    assert recorded_pipeline(module) == [*NAMES, CHANGED, "kan-narrow"]


def test_the_header_of_edited_hardware_says_so() -> None:
    text = str(run(parse(NETWORK), "kan-compile{combinational=true}"))
    assert CHANGED not in emit_systemverilog(parse(text))
    edited = text.replace('"layer0_sum0"', '"another_name"')
    assert edited != text
    assert f"//   kan-form-carry-chains\n//   {CHANGED}\n" in emit_systemverilog(parse(edited))


@dataclass(frozen=True)
class RenamePass(ModulePass):
    """A plain pass of xDSL's kind, which leaves no record."""

    name = "their-rename"
    to: str = "edge"
    at_all: bool = True

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.at_all:
            for table in (each for each in op.walk() if isinstance(each, TableOp)):
                table.value_name = None


def test_plain_passes_are_named_where_they_changed_something() -> None:
    available = {**UNIVERSE.all_passes, "their-rename": lambda: RenamePass}

    def recorded(pipeline: str) -> list[str]:
        module = parse(NETWORK)
        for stage in build_pipeline(available, pipeline):
            stage.apply(Context(), module)
        return recorded_pipeline(module)

    changed = '(changed by their-rename{to="a"})'
    assert recorded('kan-narrow,their-rename{to="a"},kan-narrow') == [
        "kan-narrow",
        changed,
        "kan-narrow",
    ]
    assert recorded("kan-narrow,their-rename{at-all=false}") == ["kan-narrow"]
    assert recorded("their-rename") == []


def test_a_stage_of_a_build_that_was_edited(tmp_path: Path) -> None:
    """As a user does it: build, edit ir/NN-PASS.mlir, build that."""
    source = tmp_path / "net.mlir"
    source.write_text(NETWORK)
    options = ["--vectors", "10", "--simulator", "none", "--no-check-passes", "--fast"]
    assert flow("build", source, "-o", tmp_path / "one", *options) == 0
    (stage,) = (tmp_path / "one" / "ir").glob("*-kan-narrow.mlir")
    edited = tmp_path / "edited.mlir"
    edited.write_text(stage.read_text().replace(FULL, SMALL))
    assert flow("build", edited, "-o", tmp_path / "two", *options) == 0
    rtl = (tmp_path / "two" / "rtl" / "net.sv").read_text()
    assert re.search(rf"// +kan-narrow.*\n// +{re.escape(CHANGED)}\n// +kan-narrow", rtl)
    hardware = Model.of(load_model(make_context(), max((tmp_path / "two" / "ir").iterdir())))
    assert hardware.ports()[1][0].high < 35
    codes = np.array([[0, 0], [1, 1], [2, 2], [3, 3]])
    assert hardware.run_codes(codes)[:, 0].tolist() == [1, -1, 2, 5]


LAYERS = """
func.func @net(%x: tensor<2xf32>) -> tensor<1xf32> {
  %e = kan.base "sin" %x as "layer0" weights dense<[[1.0, -2.0]]> : tensor<1x2xf32>
    : tensor<2xf32> -> tensor<1x2xf32>
  %n = kan.node_sum %e as "layer0" : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}
"""


def test_ranges_that_were_measured_before_an_edit_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "x.npz"
    np.savez(data, x=np.random.default_rng(0).normal(size=(50, 2)))
    calibrated = run(parse(LAYERS), f'kan-calibrate{{data="{data}"}}')
    edited = str(calibrated).replace("[1.0, -2.0]", "[1.0, -9.0]")
    assert edited != str(calibrated)
    for pipeline in ("kan-quantize{bits=3}", "kan-compile{bits=3 fast=true}"):
        run(parse(str(calibrated)), pipeline)
        run(parse(edited), f'kan-calibrate{{data="{data}"}},kan-quantize{{bits=3}}')
        assert not caplog.messages
        run(parse(edited), pipeline)
        assert "the network was changed after kan-calibrate measured" in caplog.text
        caplog.clear()
    # A network at table level has no ranges to measure.
    tables = str(run(parse(str(calibrated)), "kan-quantize{bits=3},kan-fold-tables"))
    digest = re.search(r'kan.digest = "(\w+)"', tables)
    assert digest is not None
    run(parse(tables.replace(digest[1], "0" * len(digest[1]))), "kan-compile{bits=3 fast=true}")
    assert not caplog.messages
    # With data, the ranges are those of the edited network.
    again = run(parse(edited), f'kan-compile{{data="{data}" bits=3 fast=true}}')
    fresh = run(
        parse(LAYERS.replace("[1.0, -2.0]", "[1.0, -9.0]")),
        f'kan-compile{{data="{data}" bits=3 fast=true}}',
    )
    assert not caplog.messages
    bodies = [emit_systemverilog(each).partition("`default")[2] for each in (again, fresh)]
    assert bodies[0] == bodies[1]


def test_a_table_that_was_edited_is_narrowed_again(tmp_path: Path) -> None:
    """At table level: bounds that an edit leaves too wide make no hardware wider."""
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).normal(size=(50, 2)))
    data = f'kan-calibrate{{data="{tmp_path / "x.npz"}"}}'
    module = run(parse(LAYERS), f"{data},kan-quantize{{bits=3}},kan-fold-tables")
    lookup = next(op for op in module.walk() if isinstance(op, TablesOp))
    tables = to_integers(lookup.tables).copy()
    before = str(module)
    tables[0, 1] = 0
    lookup.properties["tables"] = dense(tables.astype(np.int8), i8)
    edited = run(parse(str(module)), "kan-compile{fast=true}")
    assert recorded_pipeline(edited)[3] == CHANGED
    assert CHANGED in emit_systemverilog(edited).partition("`default")[0]
    wide = run(parse(before), "kan-compile{fast=true}")
    widest = [Model.of(each).ports()[1][0] for each in (edited, wide)]
    assert widest[0].high - widest[0].low < widest[1].high - widest[1].low


def test_passes_that_run_again_keep_the_function(tmp_path: Path) -> None:
    """Text of any stage counts as edited without its digest; what is quantised stays so."""
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).normal(size=(50, 2)))
    compiler = CompilePass(data=str(tmp_path / "x.npz"), bits=3, fast=True, levels=1)
    stages = compiler.passes()
    texts: list[str] = []
    module = parse(LAYERS)
    for stage in stages:
        stage.apply(Context(), module)
        texts.append(re.sub(r', kan.digest = "[0-9a-f]+"', "", str(module)))
    codes = np.array(np.meshgrid(range(8), range(8))).reshape(2, -1).T
    expected = Model.of(module).run_codes(codes)
    assert np.unique(expected).size > 4
    for stage, text in zip(stages, texts, strict=True):
        again = parse(text)
        assert recorded_pipeline(again)[-1] == CHANGED
        compiler.apply(Context(), again)
        np.testing.assert_array_equal(Model.of(again).run_codes(codes), expected)
        quantized = [entry for entry in recorded_pipeline(again) if "kan-quantize" in entry]
        assert len(quantized) == 1, stage.name


def test_an_open_record_ends_as_one_that_each_pass_writes() -> None:
    each, once = parse(NETWORK), parse(NETWORK)
    run(each, PIPELINE)
    with open_record(once):
        run(once, PIPELINE)
        assert recorded_pipeline(once) == NAMES
        assert not once.attributes
    assert str(once) == str(each)
    assert recorded_pipeline(once) == NAMES


def test_an_open_record_has_changes_by_passes_that_record_nothing() -> None:
    module = run(parse(NETWORK), "kan-narrow")
    stage = NamedPass(RenamePass())
    with open_record(module):
        stage.apply(Context(), module)
    assert recorded_pipeline(module) == ["kan-narrow", f"(changed by {RenamePass.name})"]


def test_a_pass_that_fails_within_an_open_record_leaves_a_changed_module() -> None:
    module = parse(NETWORK)
    with pytest.raises(ZeroDivisionError), open_record(module):
        run(module, "kan-narrow")
        raise ZeroDivisionError
    assert recorded_pipeline(module) == ["kan-narrow", CHANGED]


def test_kan_opt_starts_without_the_checks_of_passes_and_the_model() -> None:
    program = "import sys, kan_dialect.cli.kan_opt; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert {"kan_dialect.checking", "kan_dialect.model.model"}.isdisjoint(loaded)
    program = "import sys, kan_dialect.cli.kan_flow; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert not [name for name in loaded if name.startswith("kan_dialect.cli.flow.")]


def test_text_of_a_pipeline_takes_no_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record stays open until the text is printed; IR that is printed has its digest."""
    digests: list[ModuleOp] = []

    def counted(module: ModuleOp) -> str:
        digests.append(module)
        return content_digest(module)

    monkeypatch.setattr("kan_dialect.passbase.record.content_digest", counted)
    (source := tmp_path / "net.mlir").write_text(NETWORK)
    pipeline = f"{PIPELINE},kan-schedule,lower-kan-to-hw"
    for target, count in (("systemverilog", 0), ("vhdl", 0), ("mlir", 1)):
        output = tmp_path / f"net.{target}"
        KanOptMain([str(source), "-p", pipeline, "-t", target, "-o", str(output)]).run()
        assert len(digests) == count
        assert all(name in output.read_text() for name in NAMES)
    assert CHANGED not in recorded_pipeline(parse((tmp_path / "net.mlir").read_text()))


TABLES = "kan-quantize{bits=3},kan-fold-tables"
SCHEDULED = f"{TABLES},kan-expand-wires,kan-add-head{{kind=threshold}},kan-schedule{{mhz=100.0}}"


def calibrated(folder: Path, pipeline: str) -> ModuleOp:
    """The network of layers behind a pipeline."""
    np.savez(folder / "x.npz", x=np.random.default_rng(0).normal(size=(50, 2)))
    return run(parse(LAYERS), f'kan-calibrate{{data="{folder / "x.npz"}"}},{pipeline}')


@pytest.mark.parametrize(
    ("done", "given", "message"),
    [
        (TABLES, "bits=4", "bits=4 has no meaning: the IR has been through kan-quantize{bits=3}"),
        (TABLES, "bits=8", "bits=8 has no meaning"),  # the default of kan-quantize
        (SCHEDULED, "mhz=700", "mhz=700.0 has no meaning"),
        (SCHEDULED, "cycles=6", "cycles=6 has no meaning"),
        (SCHEDULED, "target=ecp5", "target=ecp5 has no meaning: the IR has been through kan-sch"),
        (SCHEDULED, "head=argmax", "head=argmax has no meaning: the IR has been through kan-add-h"),
        (f"{SCHEDULED},lower-kan-to-hw", "scale=minmax", "scale=minmax has no meaning"),
        (SCHEDULED, "mhz=100.0", None),
        (SCHEDULED, "head=threshold", None),
        (TABLES, "bits=3 mhz=50.0 target=ecp5 seed=4 fast=true", None),
    ],
)
def test_options_of_passes_that_the_module_is_past_are_refused(
    done: str, given: str, message: str | None, tmp_path: Path
) -> None:
    module = calibrated(tmp_path, done)
    if message is None:
        run(module, f"kan-compile{{{given}}}")
        return
    with pytest.raises(KanError) as caught:
        run(module, f"kan-compile{{{given}}}")
    assert str(caught.value).startswith(message)
    assert "or give IR of a stage before kan-" in str(caught.value)


def test_options_of_passes_before_an_edit_are_refused_too(tmp_path: Path) -> None:
    module = calibrated(tmp_path, TABLES)
    module.attributes[DIGEST_ATTRIBUTE] = StringAttr("0" * 16)
    run(module.clone(), "kan-compile{bits=3 fast=true}")
    with pytest.raises(KanError, match=r"^bits=4 has no meaning: the IR has been through kan-quan"):
        run(module, "kan-compile{bits=4 fast=true}")


QUANTISATION: dict[str, dict[str, Any]] = {
    "bits": {"bits": 3},
    "scale": {"scale": "minmax"},
    "percentile": {"scale": "percentile", "percentile": 99.0},
    "per-tensor": {"per_tensor": True},
    "per-layer": {"per_layer": True},
    "guard-bits": {"guard_bits": 3},
    "quantizers": {"quantizers": "q.json"},
}
FORMATS: dict[str, dict[str, Any]] = {
    "input-format": {"input_format": "s4.3"},
    "output-format": {"output_format": "s4.3"},
}
"""Networks that came with codes get them too."""
AT_TABLES: dict[str, dict[str, Any]] = {
    "interval": {"interval": 4},
    "loadable": {"interval": 4, "loadable": True},
    "logic-words": {"interval": 4, "logic_words": 256},
}
AT_WIRES: dict[str, dict[str, Any]] = {
    "parts": {"parts": 2},
    "extra-levels": {"extra_levels": 3},
    "levels": {"levels": 2},
    "cycles": {"cycles": 2},
    "mhz": {"mhz": 100.0},
    "combinational": {"combinational": True},
    "head": {"head": "argmax"},
}
ANYWHERE: dict[str, dict[str, Any]] = {
    "target": {"target": "ecp5"},
    "adders": {"adders": "plain"},
    "tables": {"tables": "plain"},
    "fast": {"fast": True},
}


@pytest.mark.parametrize(
    ("level", "unread"),
    [
        ("spline", {}),
        ("table", QUANTISATION),
        ("wire", QUANTISATION | FORMATS | AT_TABLES),
        ("hardware", QUANTISATION | FORMATS | AT_TABLES | AT_WIRES),
    ],
)
def test_a_build_refuses_options_that_no_pass_of_the_model_reads(
    level: str, unread: dict[str, dict[str, Any]]
) -> None:
    """Every option of the default pipeline, and a model of each level, without a record."""
    module = parse(LAYERS) if level == "spline" else victim_network()
    stages = {"wire": "kan-fold-tables,kan-expand-wires", "hardware": "kan-compile{fast=true}"}
    if level in stages:
        run(module, stages[level])
    module.attributes.pop(PIPELINE_ATTRIBUTE, None)
    for name, options in (QUANTISATION | FORMATS | AT_TABLES | AT_WIRES | ANYWHERE).items():
        if name not in unread:
            CompilePass(**options).require_read(module)
            continue
        with pytest.raises(
            KanError, match=rf"has no meaning: kan-.* the model is at {level} level"
        ):
            CompilePass(**options).require_read(module)
    known = {option.name for option in options_of(CompilePass)}
    budget = {"precision", "max-accuracy-loss", "max-rmse", "max-error", "max-luts", "max-levels"}
    others = {"data", "seed", "threshold", "probability", "k"}
    decided = {*QUANTISATION, *FORMATS, *AT_TABLES, *AT_WIRES, *ANYWHERE}
    assert known == decided | budget | others


def test_options_that_leave_out_what_the_ir_has_been_through_are_refused(tmp_path: Path) -> None:
    module = calibrated(tmp_path, f"{SCHEDULED},lower-kan-to-hw,kan-form-carry-chains")
    with pytest.raises(
        KanError, match=r"adders=plain has no meaning: the IR has been through kan-"
    ):
        CompilePass(adders="plain").require_read(module)


def test_a_build_of_integers_refuses_bits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.mlir").write_text(str(victim_network()))
    command = ["build", str(tmp_path / "net.mlir"), "-o", str(tmp_path / "out"), "--bits", "3"]
    for further in ([], ["--scale", "pow2"], ["--certificate", "always"]):
        given = command[:4] if further[:1] == ["--certificate"] else command
        assert flow(*given, *further) == 1
        assert "has no meaning" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_a_network_without_a_record_may_leave_options_unread(tmp_path: Path) -> None:
    """As one that comes with codes leaves `bits`: sets of networks have one pipeline."""
    tables = calibrated(tmp_path, TABLES)
    for name in (PIPELINE_ATTRIBUTE, DIGEST_ATTRIBUTE):
        del tables.attributes[name]
    run(tables, "kan-compile{bits=5 fast=true}")


def test_foreign_attributes_do_not_change_the_hardware() -> None:
    """From every stage with notes on all ops, arguments and results: the same RTL."""

    def noted(module: ModuleOp, note: str) -> ModuleOp:
        for op in module.walk():
            op.attributes["my.note"] = StringAttr(note)
            for name in ("arg_attrs", "res_attrs"):
                if isinstance(op, func.FuncOp) and name in op.properties:
                    entries = cast("ArrayAttr[DictionaryAttr]", op.properties[name])
                    op.properties[name] = ArrayAttr(
                        DictionaryAttr({**each.data, "my.note": StringAttr(note)})
                        for each in entries
                    )
        return module

    whole = emit_systemverilog(run(parse(NETWORK), "kan-compile{levels=1}"))
    module = parse(NETWORK)
    for stage in CompilePass(levels=1).passes():
        stage.apply(Context(), module)
        resumed = noted(parse(str(module)), "hello")
        assert content_digest(resumed) == content_digest(module)
        assert recorded_pipeline(resumed) == recorded_pipeline(module)
        assert emit_systemverilog(run(resumed, "kan-compile{levels=1}")) == whole, stage.name


def test_passes_that_run_again_are_told(caplog: pytest.LogCaptureFixture) -> None:
    module = run(parse(NETWORK), "kan-narrow,kan-fold-clamps,kan-narrow")
    assert caplog.messages == [
        "pass kan-narrow runs again: the record of the module has it already"
    ]
    caplog.clear()
    run(parse(str(module).replace(FULL, SMALL)), "kan-compile{fast=true}")
    assert caplog.messages == [
        f"pass kan-narrow and later ones run again: the module was {CHANGED.strip('()')}"
    ]
    caplog.clear()
    run(parse(str(module)), "kan-compile{fast=true}")


# Marks that an edit deletes


def test_a_deleted_mark_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The last node of a layer, too: values that compute it are named after it."""
    tables = np.arange(24).reshape(2, 3, 4) % 5
    network = TableNetwork("net", UniformQuantizedType(2, False, 0.5), inputs=3)
    module = network.add_layer(tables, saturate=(-8, 7)).module()
    for stage in CompilePass().expand():
        if stage.name == "lower-kan-to-hw":
            break
        stage.apply(make_context(), module)
    whole = str(module)
    lines = [line for line in whole.splitlines() if "kan.mark" in line]
    assert len(lines) == 2
    LowerKanToHwPass().apply(make_context(), parse(whole))
    assert not caplog.messages
    (last,) = (line for line in lines if "layer0_node1" in line)
    LowerKanToHwPass().apply(make_context(), parse(whole.replace(f"{last}\n", "")))
    assert "@net: the kan.mark of layer0_node1 is gone" in caplog.text
    caplog.clear()
    # Written by hand, without a record of passes.
    LowerKanToHwPass().apply(make_context(), parse(NETWORK))
    assert not caplog.messages
