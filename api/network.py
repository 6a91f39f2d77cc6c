"""`Network`: a Kolmogorov-Arnold network at some level of the IR.

The file is long because it is one class, whose methods are the API: most lines say what they take,
give and refuse. The work is done elsewhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from itertools import takewhile
from pathlib import Path
from typing import Any, Unpack, cast, get_args

import numpy as np
from numpy.typing import ArrayLike
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from kan_dialect.analysis.nodes import layer_names
from kan_dialect.analysis.wires import wire_functions
from kan_dialect.api.build import Build
from kan_dialect.api.data import Data, as_array, as_samples, data_file, data_for, raw_data
from kan_dialect.api.layer import Layer, layers_of
from kan_dialect.api.messages import as_kan_errors
from kan_dialect.api.option_types import BuildOptionTypes, CompileOptionTypes
from kan_dialect.api.options import (
    as_text,
    require_module_name,
    require_processes,
    split_options,
    with_options,
)
from kan_dialect.api.page import network_page
from kan_dialect.api.stages import Pass, lack_data, passes_of, run_stages
from kan_dialect.api.training import NOT_TRAINABLE, TRAINABLE, training_choice
from kan_dialect.api.tuning import TuneChoice, Tuned, tune_network
from kan_dialect.devices.device import device as device_of
from kan_dialect.devices.estimate import Estimate, estimate
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_inside
from kan_dialect.files.data_sets import Dataset, read_samples
from kan_dialect.files.output_folders import require_replaceable
from kan_dialect.flows.build import build as build_folder
from kan_dialect.flows.build_options import BuildOptions
from kan_dialect.flows.build_origin import Origin
from kan_dialect.flows.fit import FEWEST_TURNS, Trial
from kan_dialect.flows.fit import fit as fit_part
from kan_dialect.flows.folder_owners import BUILD, spared_files
from kan_dialect.flows.interfaces.pipeline import with_interface
from kan_dialect.flows.on_chip.build import build_training
from kan_dialect.flows.pass_runs import Progress
from kan_dialect.flows.pictures import Colour
from kan_dialect.flows.pictures import picture as picture_of
from kan_dialect.flows.tune.tune import State
from kan_dialect.frontends.frontend import Original
from kan_dialect.frontends.loading import make_context, rename
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.ir.module_verifier import verify_module
from kan_dialect.ir.types import bounds_constant, quantized_type, tensor_shape
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.estimate import estimate_design, of_hardware
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.data_columns import dataset_for
from kan_dialect.model.interface import Port
from kan_dialect.model.model import Level, Model, split_codes
from kan_dialect.model.model_ports import hardware_interval
from kan_dialect.model.on_chip.training_step import is_trainable
from kan_dialect.multiverse import installed_universe
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import TablesOp
from kan_dialect.passbase.kan_pass import pass_text
from kan_dialect.passbase.option_bounds import Bounds
from kan_dialect.passbase.pipeline import suggestion
from kan_dialect.passbase.record import recorded_pipeline, settle_record
from kan_dialect.passes.fold_tables import narrowed_sum, narrowest

COMPILED: dict[str, type[Any]] = {"compile": CompilePass}
"""What declares the options of `Network.compile` and `Network.tune`."""
BUILT: dict[str, type[Any]] = {
    "build": BuildOptions,
    "interface": WrapInterfacePass,
    "compile": CompilePass,
}
"""What declares the options of `Network.build`."""
SET_APART = frozenset({"data", "passes", "fit", "dataset", "origin", "original"})
"""Fields of these that are parameters of their own, or are filled in."""


@dataclass(frozen=True)
class Source:
    """Where a network comes from."""

    files: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """Files that were read, by what they are for: `model`, `calibration`."""
    original: Callable[[], Original | None] = lambda: None
    """Opens the model in the runtime that it was trained for."""


class Network:
    """A network at spline, table, wire or hardware level. It never changes; passes give new ones.

    Get one from `load` or `from_ir`.
    """

    def __init__(
        self,
        module: ModuleOp,
        *,
        data: Data | None = None,
        source: Source | None = None,
    ) -> None:
        """
        Parameters
        ----------
        module : verified IR with one function or hardware module. It is copied.
        data : samples that `compile`, `build` and checks use where they are given none.

        Raises
        ------
        KanError : the module holds no network, or several; or the data cannot be read, or names
            other features or classes than the network.
        """
        self._module = module.clone()
        self._model = Model.of(self._module)
        self._data = data
        if data is not None:
            # A network without names takes those of its data.
            self._dataset = dataset_for(self._model.op, raw_data(data))
        self._source = Source() if source is None else source
        self._wires: ModuleOp | None = None
        self._checks: tuple[str, ...] = ()

    def _left_by(self, module: ModuleOp, checks: tuple[str, ...] = ()) -> Network:
        """The network of another module, with everything else of this one."""
        other = Network.__new__(Network)
        other._module, other._model = module, Model.of(module)
        other._data, other._source = self._data, self._source
        other._wires = self._module if any(wire_functions(self._module)) else self._wires
        other._checks = checks
        return other

    # What it is.

    @property
    def name(self) -> str:
        """Name of the function, and of the RTL's top module."""
        return self._model.name

    @property
    def level(self) -> Level:
        """`spline` (functions of floats), `table`, `wire` or `hardware`."""
        return self._model.level

    @property
    def shape(self) -> tuple[int, int]:
        """Number of inputs and of outputs.

        Raises
        ------
        KanError : the network trains itself, so it computes no fixed function.
        """
        if isinstance(self._model.op, func.FuncOp) and self.level in ("spline", "table"):
            if is_trainable(self._model.op):
                raise KanError(f"@{self.name} is a training step, which computes no fixed function")
            kind = self._model.op.function_type
            inputs, outputs = (
                sum(cast("TensorType[Any]", each).get_shape()[0] for each in part.data)
                for part in (kind.inputs, kind.outputs)
            )
            return inputs, outputs
        return len(self.inputs), len(self.outputs)

    @property
    def passes(self) -> tuple[str, ...]:
        """The passes that shaped the network so far, with their options, as the IR records them."""
        return tuple(recorded_pipeline(self._module))

    @property
    def checks(self) -> tuple[str, ...]:
        """Results of the checks of `apply(..., check=True)`, a line for each pass."""
        return self._checks

    @property
    def data(self) -> Dataset | None:
        """The samples that the network was loaded with; None without any."""
        return None if self._data is None else self._dataset

    @cached_property
    def _dataset(self) -> Dataset:
        assert self._data is not None
        return read_samples(raw_data(self._data), self._model.schema)

    @property
    def features(self) -> tuple[str, ...]:
        """Name of each input in the data; empty where they are not known."""
        return self._model.schema.features

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each class in the data; empty where they are not known."""
        return self._model.schema.classes

    @property
    def inputs(self) -> tuple[Port, ...]:
        """Input ports: name, width in bits, range of codes, and the numbers that codes stand for.

        Raises
        ------
        KanError : the network has no codes yet.
        """
        return self._ports()[0]

    @property
    def outputs(self) -> tuple[Port, ...]:
        """Output ports, as `inputs`."""
        return self._ports()[1]

    @property
    def latency_cycles(self) -> int:
        """Clock cycles from inputs to outputs; 0 before `kan-schedule`, and of combinational RTL.

        Raises
        ------
        KanError : outputs do not come in one cycle.
        """
        return self._model.latency()

    @property
    def interval_cycles(self) -> int:
        """Clock cycles from a sample to the next: 1 of a network that is not folded."""
        return hardware_interval(self._model.op)

    def _ports(self) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        self._require_codes()
        return self._model.ports()

    def _require_codes(self) -> None:
        if not self._model.has_codes:
            raise KanError(
                f"@{self.name} has no codes yet: it is at spline level",
                remedy="quantise it first, with compile() or apply('kan-quantize')",
            )

    # What it computes.

    def run(self, x: ArrayLike) -> FloatArray:
        """Real outputs of real inputs, as the level computes them.

        Parameters
        ----------
        x : (samples, inputs), real numbers. From table level on they are rounded to codes.

        Returns
        -------
        (samples, outputs), float64.

        Raises
        ------
        KanError : `x` has another shape, NaN where there are codes, or an op has no semantics.
        """
        array = as_samples(x, f"the inputs of @{self.name}", self.shape[0])
        return self._model.run(array.astype(np.float64))

    __call__ = run

    def run_codes(self, codes: ArrayLike) -> IntArray:
        """Output codes of input codes: integers, as the hardware has them.

        Parameters
        ----------
        codes : (samples, inputs), integers within the ranges of `inputs`.

        Returns
        -------
        (samples, outputs), int64.

        Raises
        ------
        KanError : the network has no codes yet, or `codes` have another shape, type or range.
        """
        self._require_codes()
        return self._model.run_codes(self._codes(codes))

    def run_nodes(self, values: ArrayLike) -> tuple[Array, dict[str, Array]]:
        """Outputs and the values of every node that the IR names, `layer0_node3` and so on.

        A node has the same name at every level. Passes may leave nodes out that nothing reads.

        Parameters
        ----------
        values : (samples, inputs): real numbers at spline level, codes from table level on.

        Returns
        -------
        outputs : (samples, outputs), float64 at spline level, else int64.
        nodes : (samples) by name, of the same type.

        Raises
        ------
        KanError : see `run` and `run_codes`.
        """
        if self._model.has_codes:
            outputs, nodes = self._model.run_nodes(self._codes(values))
            return outputs, dict(nodes)
        array = as_samples(values, f"the inputs of @{self.name}", self.shape[0])
        function = self._model.op
        assert isinstance(function, func.FuncOp)
        sums = {
            name: value
            for value, name in layer_names(function).items()
            if isinstance(value.owner, NodeSumOp)
        }
        parts = split_codes(cast(IntArray, array.astype(np.float64)), function.args)
        found = evaluate_inside(function, parts, list(sums.values()))
        nodes = {
            f"{layer}_node{node}": tensor[:, node]
            for layer, tensor in zip(sums, found, strict=True)
            for node in range(tensor.shape[1])
        }
        return self.run(array), nodes

    def _codes(
        self, codes: ArrayLike, what: str = "codes", remedy: str = "run takes real numbers"
    ) -> IntArray:
        array = as_array(codes, f"the codes of @{self.name}")
        if array.dtype.kind not in "iu":
            raise KanError(f"{what} are integers, got {array.dtype}", remedy=remedy)
        largest = int(array.max(initial=0))
        if largest > np.iinfo(np.int64).max:
            raise KanError(f"{what} have at most 63 bits, got {largest}", remedy=remedy)
        return array.astype(np.int64)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, in order, each with its edges as callables and tables as arrays.

        Raises
        ------
        KanError : the network is at wire or hardware level, where edges have become wires.
        """
        if not isinstance(self._model.op, func.FuncOp) or self.level in ("wire", "hardware"):
            raise KanError(
                f"@{self.name} is at {self.level} level, where layers have become wires",
                remedy="take the layers of the network before kan-expand-wires",
            )
        return layers_of(self._model.op)

    def with_tables(self, layer: int, tables: ArrayLike) -> Network:
        """A network with other tables in a layer. Ranges of edges and nodes follow the entries.

        Parameters
        ----------
        layer : its index in `layers`.
        tables : (nodes, inputs, entries), integers, as `Layer.tables`.

        Raises
        ------
        KanError : the layer has no tables, `tables` have another shape, change a pruned edge, or
            have entries that readers of the layer have no room for.
        """
        here = self._layer(layer)
        remedy = "an entry t stands for t times the output_scale of its edge"
        array = self._codes(tables, "entries of tables", remedy)
        if array.shape != here.tables.shape:
            raise KanError(
                f"tables of {here.name} have shape {here.tables.shape}, got {array.shape}"
            )
        changed = np.argwhere(~here.mask & (array != 0).any(axis=-1))
        if len(changed):
            raise KanError(f"{here.edge(*changed[0].tolist()).name} is pruned, and has no table")
        module = self._module.clone()
        function = Model.of(module).op
        assert isinstance(function, func.FuncOp)
        sums = [op for op in function.body.block.ops if isinstance(op, NodeSumOp)]
        node_sum = sums[range(len(sums))[layer]]
        lookup = node_sum.edges.owner
        if not isinstance(lookup, TablesOp):
            raise KanError(
                f"{here.name} has no tables in the IR yet", remedy="apply kan-fold-tables first"
            )
        with as_kan_errors():
            _replace_tables(node_sum, lookup, array)
            verify_module(module)
        settle_record(module)
        return self._left_by(module)

    def _layer(self, index: int) -> Layer:
        try:
            return self.layers[index]
        except IndexError:
            raise KanError(
                f"@{self.name} has no layer {index}",
                remedy=f"it has {len(self.layers)}, counted from 0",
            ) from None

    def _read(self, data: Data) -> Dataset:
        """Data as the network reads it."""
        if data is self._data:
            return self._dataset
        return read_samples(raw_data(data), self._model.schema)

    def _file(self, data: Data | None) -> AbstractContextManager[str | None]:
        """The path of a file with the samples."""
        if data is None or isinstance(data, str | Path):
            return data_file(data)
        return data_file(self._read(data))

    # Other levels.

    def apply(self, *passes: Pass, check: bool = False, data: Data | None = None) -> Network:
        """The network that passes make of this one. Every pass is verified.

        Parameters
        ----------
        passes : texts as `kan-opt -p` takes them, with options: `"kan-quantize{bits=5}"`, also
            several in one text; or instances of passes, `KanPass` or any `ModulePass`.
        check : evaluate the network before and after each pass, and compare: `checks` then tells.
        data : samples for the check, and for passes of texts that read samples and name no file,
            such as `"kan-calibrate"`; by default the network's.

        Raises
        ------
        KanError : a pass or an option is unknown; a pass refuses the network, leaves IR that does
            not verify or, with `check`, does not keep what it claims.
        """
        return _last(self, self.steps(*passes, check=check, data=data))

    def steps(
        self, *passes: Pass, check: bool = False, data: Data | None = None
    ) -> Iterator[Network]:
        """As `apply`, but gives the network after each pass.

        Raises
        ------
        KanError : see `apply`. Passes before the one that fails have given their networks.
        """
        data = self._data if data is None else data
        if data is not None and lack_data(passes):
            return self._steps_with_data(passes, check=check, data=data)
        return self._steps(passes_of(passes), check=check, data=data)

    def _steps_with_data(
        self, passes: Sequence[Pass], *, check: bool, data: Data
    ) -> Iterator[Network]:
        with self._file(data) as path:
            yield from self._steps(passes_of(passes, path), check=check, data=data)

    def _steps(
        self, passes: list[ModulePass], *, check: bool, data: Data | None
    ) -> Iterator[Network]:
        samples = None if data is None or not check else self._read(data).x
        current, checks = self, ()
        for stage in run_stages(self._module, passes, check=check, samples=samples):
            if stage.check is not None:
                checks = (*checks, stage.check.summary())
            current = current._left_by(stage.module, checks)
            yield current

    @with_options(COMPILED, SET_APART)
    def compile(
        self,
        *,
        level: Level = "hardware",
        data: Data | None = None,
        check: bool = False,
        **options: Unpack[CompileOptionTypes],
    ) -> Network:
        """The network at hardware level, or another one, by the default pipeline `kan-compile`.

        Parameters
        ----------
        level : where to stop: the network as the last pass of that level leaves it.
        data : samples to calibrate with; by default the network's. Without any, ranges come from
            the grids.
        check : as in `apply`.
        options : those of `kan-compile`, with `_` for `-`: `bits=6`, `max_accuracy_loss="0.5%"`,
            `mhz=300`, `target="ecp5"`, ...

        Raises
        ------
        KanError : an option or its value is unknown, or see `apply`.
        """
        found = split_options(options, COMPILED, without=SET_APART)["compile"]
        data = self._data if data is None else data
        with self._file(data) as path:
            passes = list(CompilePass(path, **found).expand())
            steps = self._steps(passes, check=check, data=data)
            last = _last(self, takewhile(lambda each: not _is_past(each.level, level), steps))
        if last.level != level:
            raise KanError(
                f"@{self.name} is at {self.level} level, and does not come to {level} level",
                remedy="compile the network that was imported",
            )
        return last

    # Hardware.

    def estimate(self, device: str = "xcup") -> Estimate:
        """Resources and delay on a device, before any tool has run.

        The logic of the hardware is mapped to LUTs as synthesis does; delays are of the wires.

        Parameters
        ----------
        device : `xcup`, `ecp5` or another of `kan-opt --list-devices`.

        Returns
        -------
        `luts`, `registers`, `levels` of logic, `delay_ns` of the longest path, ...

        Raises
        ------
        KanError : the device is unknown; or the network is above wire level, is hardware that was
            not made from wires here, or has paths of different numbers of cycles.
        """
        family = device_of(device)
        module = self._module if any(wire_functions(self._module)) else self._wires
        if module is None:
            remedy = "estimate compile(), or the network after kan-expand-wires"
            if self.level == "hardware":
                remedy = "estimate the network before lower-kan-to-hw"
            raise KanError(
                f"@{self.name} is at {self.level} level; estimates are made from the wire level",
                remedy=remedy,
            )
        function = next(wire_functions(module))
        for op in self._module.ops:
            if isinstance(op, hw.HWModuleOp):
                return of_hardware(estimate(function, family), op, family)
        return estimate_design(function, family)

    def systemverilog(self) -> str:
        """The network as SystemVerilog, in the subset of docs/reference/rtl-subset.md.

        Raises
        ------
        KanError : the network is not at hardware level.
        """
        if self.level != "hardware":
            raise KanError(
                f"@{self.name} is at {self.level} level, not hardware",
                remedy="take compile().systemverilog()",
            )
        return emit_systemverilog(self._module)

    def text(self, target: str = "mlir") -> str:
        """The network as text: IR, or what a target of `kan-opt -t` prints.

        Parameters
        ----------
        target : `mlir`, `circt`, `formula`, `quantizers`, `systemverilog`, or a target of another
            package.

        Raises
        ------
        KanError : the target is unknown, or refuses the level.
        """
        if as_text(target, "target") == "mlir":
            return str(self._module) + "\n"
        known = installed_universe().all_targets
        if target not in known:
            names = ["mlir", *sorted(known)]
            raise KanError(
                f"unknown target {target!r}",
                remedy=suggestion(target, names, "targets are", names),
            )
        stream = StringIO()
        with as_kan_errors():
            known[target]()().emit(make_context(), self._module.clone(), stream)
        return stream.getvalue()

    def module(self) -> ModuleOp:
        """A copy of the IR, as xDSL has it."""
        return self._module.clone()

    @with_options(BUILT | TRAINABLE, SET_APART | {*NOT_TRAINABLE})
    def build(
        self,
        folder: str | Path,
        *,
        data: Data | None = None,
        name: str | None = None,
        passes: Pass | list[Pass] | None = None,
        fit: str | None = None,
        trainable: bool = False,
        progress: Progress = lambda _: None,
        **options: Unpack[BuildOptionTypes],
    ) -> Build:
        """Compile to RTL, verify it, and write all that `kan-flow build` writes into a folder.

        Every pass is checked by evaluation, and the RTL is simulated against the integer model.

        Parameters
        ----------
        folder : for RTL, IR after each pass, testbench, host codecs and `report.json`.
        data : samples to calibrate, simulate and measure accuracy with; by default the network's.
        name : of the top module; by default the network's.
        passes : a pipeline instead of the default one, as `apply` takes it.
        fit : a part, such as `"ecp5-25"`, which is the target; the interval is the smallest one at
            which the network fits it by estimate, and `report["fit"]` has all that were tried.
        trainable : whether the hardware trains itself. `data` are then samples x and targets y, in
            the order of training; options are those of `kan-make-trainable`, of `kan-fit-splines`
            with `fit_error` for `error`, and `interface` (`"valid"` or `"axi-lite"`),
            `simulator`, `vectors`, `seed`, `check_passes`, `vhdl`, `force`.
        progress : is told in a few words what is done.
        options : those of `kan-compile`, see `compile`; those of `kan-wrap-interface`, such as
            `interface="axi-stream"`; and `simulator` (`"verilator"`, `"icarus"`, `"none"`),
            `vectors`, `seed`, `check_passes`, `certificate`, `pictures`, `vhdl`, `force`, as
            `kan-flow build` has them.

        Raises
        ------
        KanError : an option is unknown, or has no meaning beside `fit`; no interval makes the
            network fit; the folder holds files of others; a pass refuses the network or does not
            keep what it claims; or the RTL differs from the integer model.
        """
        if fit is not None:
            _require_fitting({**options, "passes": passes, "trainable": trainable})
            options |= {"target": fit, "interval": FEWEST_TURNS}
        if trainable:
            return self._build_trainable(Path(folder), data, name, passes, progress, options)
        folder = Path(folder)
        owners = {name: owner for name, owner in BUILT.items() if name != "compile" or not passes}
        found = split_options(options, owners, without=SET_APART)
        settings = found["build"]
        device_of(settings.get("target", BuildOptions.target))
        require_module_name(name)
        require_replaceable(
            folder, BUILD, force=settings.get("force", False), spared=spared_files(folder)
        )
        module = self._module.clone()
        rename(module, name)
        data = self._data if data is None else data
        dataset = data_for(module, data)
        original = None if dataset is None else self._source.original()
        trials: list[Trial] = []
        with self._file(data) as path, as_kan_errors():
            wrap = WrapInterfacePass(**found["interface"])
            if passes is None:
                compiled = CompilePass(path, **found["compile"])
                compiled.require_read(module)
                if fit is not None:
                    compiled, trials = fit_part(make_context(), module, compiled, wrap, progress)
                pipeline = list(compiled.expand())
            else:
                pipeline = passes_of(passes if isinstance(passes, list) else [passes], path)
            pipeline = with_interface(pipeline, wrap)
            files = dict(self._source.files)
            if isinstance(data, str | Path):
                files["calibration"] = Path(data)
            origin = Origin(None, files)
            considered = [each.as_dict() for each in trials]
            build_options = BuildOptions(
                pipeline, considered, dataset=dataset, origin=origin, original=original, **settings
            )
            build_folder(make_context(), module, folder, build_options, progress)
        return Build(folder)

    def _build_trainable(
        self,
        folder: Path,
        data: Data | None,
        name: str | None,
        passes: Pass | list[Pass] | None,
        progress: Progress,
        options: Mapping[str, object],
    ) -> Build:
        if passes is not None:
            raise KanError("hardware that trains has no other pipeline", remedy="leave out passes")
        choice = training_choice(options)
        require_module_name(name)
        require_replaceable(folder, BUILD, force=choice.force, spared=spared_files(folder))
        module = self._module.clone()
        rename(module, name)
        data = self._data if data is None else data
        with self._file(data) as path, as_kan_errors():
            files = dict(self._source.files)
            if isinstance(data, str | Path):
                files["calibration"] = Path(data)
            chosen = choice.options(
                data_for(module, data),
                None if path is None else Path(path),
                Origin(None, files),
            )
            build_training(make_context(), module, folder, chosen, progress)
        return Build(folder)

    @with_options(COMPILED, SET_APART)
    def tune(
        self,
        folder: str | Path,
        *,
        objective: str = "cells",
        seconds: float | None = 600.0,
        trials: int | None = None,
        data: Data | None = None,
        passes: str | None = None,
        jobs: int = 1,
        proof: bool = True,
        force: bool = False,
        progress: Callable[[State], None] = lambda _: None,
        **options: Unpack[CompileOptionTypes],
    ) -> Tuned:
        """Search the passes and options that make the best hardware, as `kan-flow tune` does.

        All designs compute the same integers. The best one is proven. Run again, the search goes on
        with the results in the folder.

        Parameters
        ----------
        folder : for results, the best pipeline and its RTL.
        objective : `cells`, `registers`, `ns` or `area-delay`.
        seconds : time to search; None: no limit.
        trials : number of designs to measure, those of earlier runs included; None: no limit.
        data : samples to calibrate with; by default the network's.
        passes : the pipeline to begin with, as text; by default `kan-compile` with `options`.
        jobs : number of processes. With several, a script needs `if __name__ == "__main__":`.
        proof : whether the best design is proven.
        progress : is told what is done.
        options : those of `kan-compile`, see `compile`; `target` is also the device of the tools.

        Raises
        ------
        KanError : an option or the objective is unknown; a number is out of bounds; the objective
            cannot be measured on the device; Yosys or nextpnr is missing; the folder holds files of
            others; or a pass does not keep what it claims.
        """
        require_processes(jobs)
        if trials is not None:
            Bounds(1, 100_000).require("trials", trials)
        if seconds is not None:
            Bounds(0, above=True).require("seconds", seconds)
        found = split_options(options, {} if passes else COMPILED, without=SET_APART)

        def pipeline(path: str | None) -> tuple[str, str | None]:
            if passes is not None:
                return passes, None
            compiled = CompilePass(path, **found["compile"])
            return pass_text(compiled.spec()), compiled.target

        choice = TuneChoice(objective, seconds, trials, jobs, proof, force)
        data = self._data if data is None else data
        with as_kan_errors():
            module = self._module.clone()
            return tune_network(module, Path(folder), data, pipeline, choice, progress)

    # What a person sees.

    def __repr__(self) -> str:
        try:
            inputs, outputs = self.shape
        except KanError:
            return f"Network({self.name}: {self.level} level, trains itself)"
        return f"Network({self.name}: {self.level} level, {inputs} inputs, {outputs} outputs)"

    def picture(
        self,
        of: str | None = None,
        *,
        colour: Colour | None = None,
        device: str = "xcup",
        original: Network | None = None,
    ) -> str:
        """A picture as SVG: all layers with their edge functions, or one part of the network.

        Parameters
        ----------
        of : `network`; `schedule`, from wire level on; an edge (`layer0_edge3_5`); or, at wire
            level, a node's adder tree (`layer0_node3`). By default the network, and the schedule
            of hardware.
        colour : what colours of a network say: `span` of an edge's values, `bits` of its table, or
            `luts`.
        device : the FPGA family that LUTs and delays are of.
        original : the network of floats, to draw an edge's function beside its table.

        Raises
        ------
        KanError : the picture is unknown, or the level has no picture.
        """
        model = None if original is None else original._model
        return picture_of(self._model, of, colour=colour, device=device, original=model)

    def _repr_html_(self) -> str:
        return network_page(self._module, self._wires)


_LEVELS = get_args(Level)
"""In the order of the pipeline."""


def _require_fitting(options: Mapping[str, object]) -> None:
    """Refuse what has no meaning where the interval is chosen for a part."""
    chosen = ("target", "interval", "passes", "trainable")
    given = [name for name in chosen if options.get(name)]
    if given:
        raise KanError(f"{given[0]} has no meaning with fit", remedy="leave one of them out")


def _is_past(level: Level, wanted: Level) -> bool:
    """Whether a level comes after the one that is wanted."""
    if wanted not in _LEVELS:
        raise KanError(f"there is no level {wanted!r}", remedy=f"take one of {', '.join(_LEVELS)}")
    return _LEVELS.index(level) > _LEVELS.index(wanted)


def _last(first: Network, later: Iterable[Network]) -> Network:
    """The last of some networks; the first where there are no later ones."""
    return next(iter(deque(later, maxlen=1)), first)


def _replace_tables(node_sum: NodeSumOp, lookup: TablesOp, tables: IntArray) -> None:
    """Put other tables in front of a sum; both get the bounds of the new entries."""
    low, high = tables.min(axis=-1), tables.max(axis=-1)
    element = narrowest(quantized_type(lookup.result), low, high)
    bounds = bounds_constant(TensorType(element, tensor_shape(lookup.result)), low, high)
    other = TablesOp(lookup.input, tables, element, bounds=bounds, name=lookup.given_name)
    Rewriter.replace_op(lookup, other)
    Rewriter.replace_op(node_sum, narrowed_sum(node_sum, other))
