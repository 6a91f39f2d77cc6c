"""Types of the options of networks, made by `make reference` from what declares them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict


class CompileOptionTypes(TypedDict, total=False):
    """Options of `Network.compile` and `Network.tune`."""

    bits: Sequence[int] | int | Literal["auto"] | Literal["none"] | None
    """Bits of the codes: one number, or one for the input and one for each layer; `auto`: the
    fewest, the same for all codes, that keep the budget (`kan-choose-bits`), with `precision=auto`
    the fewest from 6 to 10 that lose no more than half of it. Default: 8, with `precision=auto`
    6."""
    scale: str | Path
    """`minmax`, `percentile`, `mse` (least mean squared error over the histogram) or `pow2` (as
    `mse`, with powers of two)."""
    percentile: float
    """With scale `percentile`: the share of samples, in percent, that must not saturate."""
    per_tensor: bool
    """One scale for all inputs and one for all nodes of a layer, instead of one each."""
    per_layer: bool
    """One scale for all nodes of a layer, as after `kan-share-shapes{up-to=sign}`; inputs have one
    each."""
    guard_bits: int
    """Bits of an edge's value beyond those that its node keeps."""
    input_format: str | Path | None
    """Number formats of input ports, as `x0=s12.8,x1=u10:0.25:512`, `*=s12.8` for all others, or a
    `.json` or `.toml` file of them; hardware rounds their codes to the bits of the network."""
    output_format: str | Path | None
    """Number formats of output ports, as for input-format with `y0`, ...; hardware rounds results
    to them, half to even, and saturates."""
    quantizers: str | Path | None
    """A JSON file of scales and bits, as the target `quantizers` writes it; it takes the place of
    bits, scale, percentile, per-tensor, per-layer and guard-bits, which choose what a partial file
    leaves out."""
    precision: Literal["given", "auto"]
    """`given`: bits as they are; `auto`: as few bits of every input, edge and node as the budget
    allows, chosen on the calibration data (`kan-refine-precision`)."""
    max_accuracy_loss: float | str | None
    """The accuracy that may be lost, absolute: 0.005 is half a point; of targets that are numbers,
    the explained variance (R²) that may be lost. It counts from the float model where its results
    are known (`kan-calibrate{results=true}`), else from the network as given. 0.005 where no budget
    is given."""
    max_rmse: float | str | Path | None
    """The largest root mean squared error against the targets, or against the float model where
    there are no targets: absolute in the outputs' unit, as 0.3, or relative to the float model's
    error, as 10%."""
    max_error: float | str | Path | None
    """The largest absolute error of an output on any sample, given as for max-rmse."""
    max_luts: int | None
    """The most LUTs; of the networks that take no more, the one that loses least is taken."""
    max_levels: int | None
    """The most levels of logic from inputs to results."""
    seed: int
    """Seed of the split of the samples, and of the order in which edges are tried."""
    head: Literal["none", "argmax", "threshold", "top-k"]
    """The decision that the hardware makes of the outputs (`kan-add-head`): `argmax`: the index of
    the first largest; `threshold`: a bit for each, 1 above the threshold; `top-k`: the indices of
    the k largest in order; `none`: outputs as they are."""
    threshold: float | None
    """With head `threshold`: the number that an output, on its real scale, must be greater than;
    default 0."""
    probability: float | None
    """With head `threshold`: the threshold as the probability of a sigmoid behind the output; 0.9
    stands for threshold 2.197."""
    k: int | None
    """With head `top-k`: number of indices; default 2."""
    interval: int
    """Cycles from a sample to the next one; 1: a sample every cycle, and no layer is folded."""
    loadable: bool
    """Fold all layers, with memories that can be written at run time, and a port for this."""
    logic_words: int
    """Most words of a memory that is made of lookup tables; larger ones are block RAM."""
    target: str | Path
    """The device whose costs decide: `xcup`, `ecp5`, `ice40`, `xc7`, `cyclonev`, `gowin`, `nexus`,
    `gatemate`, `lut3` to `lut8`, or one of an installed package; or a part of one, as `ecp5-25`
    (`kan-opt --list-devices`); or a Liberty file of standard cells, `CELLS.lib`."""
    parts: int | None
    """The most tables that one table is split into; 1: only its offset is chosen. The default is 3
    where adders of the target absorb tables (xcup), where adders share carry chains (ecp5), or
    where lookup tables choose between those of a table of more inputs (ice40). Elsewhere it is 1:
    there, a further part takes more for its adder than it saves."""
    extra_levels: Sequence[int] | int
    """Levels of logic that a sum may have beyond the fewest, where that saves LUTs. One number, or
    one for each layer; the last one holds for all later layers."""
    levels: int | None
    """The most levels of logic between two registers; 4 where no other limit is given."""
    cycles: int | None
    """The latency, in stages of nearly the least delay; 0: all combinational."""
    mhz: float | None
    """The clock that every stage reaches, by the typical delays of the target."""
    combinational: bool
    """No registers at all."""
    adders: Literal["chains", "plain"]
    """How sums are written: `chains`: as adders that synthesis maps to one carry chain each (`kan-
    form-carry-chains`); `plain`: as sums, for tools that do so by themselves."""
    tables: Literal["luts", "plain"]
    """How tables are written, on devices where that makes a difference: `luts`: as lookup tables of
    the device that synthesis keeps (`kan-map-tables`); `plain`: as constants, for synthesis to
    map."""
    fast: bool
    """Leave out the searches that take long: `kan-share-sums`, `kan-compress-codes`, `kan-split-
    tables` and `kan-map-tables`."""


class BuildOptionTypes(TypedDict, total=False):
    """Options of `Network.build`."""

    simulator: Literal["verilator", "icarus"] | Literal["none"] | None
    """None: do not simulate."""
    seed: int
    """Seed of random inputs of the simulation, and of the samples of the checks."""
    check_passes: bool
    """Whether to compare the module before and after each pass."""
    check_dir: str | Path | None
    """Folder for the IR around a pass that fails its check; None: the IR is not written."""
    force: bool
    """Whether to replace files of others that are in the way."""
    vhdl: bool
    """Whether to write the network as VHDL too."""
    vectors: int
    """Random vectors for the simulation, in addition to samples and corners."""
    work_dir: str | Path | None
    """Folder that the simulator builds in; None: a temporary folder."""
    target: str | Path
    """The device that the estimate is for."""
    certificate: Literal["auto", "always", "never"]
    """Whether to bound the error of the integers."""
    pictures: bool
    """Whether to draw the network at each level, and the schedule."""
    interface: Literal["valid", "ready-valid", "axi-stream", "axi-lite"]
    """`valid`: the network's module as it is; `ready-valid`: with ready at both sides; `axi-
    stream`: AXI4-Stream; `axi-lite`: registers for single samples."""
    beat_bits: Sequence[int] | int | None
    """Width of TDATA, a multiple of 8: one number, or one of the input and one of the output.
    Samples take as many beats as they need. Default: one beat."""
    beat_order: Literal["low-first", "high-first"]
    """Order of the beats of a sample: `low-first` begins with the beat of `x0`, or of `y0`."""
    no_last: bool
    """Leave out TLAST."""
    user_bits: int
    """Width of TUSER; 0 leaves TUSER out."""
    buffer_words: int | None
    """Words of the buffer behind the network, a power of two. Default: the fewest that keep the
    network's speed."""
    clock_enable: bool
    """Add the module `NAME_clock_enable`: the network's with a port `ce`, which stops it."""
    bits: Sequence[int] | int | Literal["auto"] | Literal["none"] | None
    """Bits of the codes: one number, or one for the input and one for each layer; `auto`: the
    fewest, the same for all codes, that keep the budget (`kan-choose-bits`), with `precision=auto`
    the fewest from 6 to 10 that lose no more than half of it. Default: 8, with `precision=auto`
    6."""
    scale: str | Path
    """`minmax`, `percentile`, `mse` (least mean squared error over the histogram) or `pow2` (as
    `mse`, with powers of two)."""
    percentile: float
    """With scale `percentile`: the share of samples, in percent, that must not saturate."""
    per_tensor: bool
    """One scale for all inputs and one for all nodes of a layer, instead of one each."""
    per_layer: bool
    """One scale for all nodes of a layer, as after `kan-share-shapes{up-to=sign}`; inputs have one
    each."""
    guard_bits: int
    """Bits of an edge's value beyond those that its node keeps."""
    input_format: str | Path | None
    """Number formats of input ports, as `x0=s12.8,x1=u10:0.25:512`, `*=s12.8` for all others, or a
    `.json` or `.toml` file of them; hardware rounds their codes to the bits of the network."""
    output_format: str | Path | None
    """Number formats of output ports, as for input-format with `y0`, ...; hardware rounds results
    to them, half to even, and saturates."""
    quantizers: str | Path | None
    """A JSON file of scales and bits, as the target `quantizers` writes it; it takes the place of
    bits, scale, percentile, per-tensor, per-layer and guard-bits, which choose what a partial file
    leaves out."""
    precision: Literal["given", "auto"]
    """`given`: bits as they are; `auto`: as few bits of every input, edge and node as the budget
    allows, chosen on the calibration data (`kan-refine-precision`)."""
    max_accuracy_loss: float | str | None
    """The accuracy that may be lost, absolute: 0.005 is half a point; of targets that are numbers,
    the explained variance (R²) that may be lost. It counts from the float model where its results
    are known (`kan-calibrate{results=true}`), else from the network as given. 0.005 where no budget
    is given."""
    max_rmse: float | str | Path | None
    """The largest root mean squared error against the targets, or against the float model where
    there are no targets: absolute in the outputs' unit, as 0.3, or relative to the float model's
    error, as 10%."""
    max_error: float | str | Path | None
    """The largest absolute error of an output on any sample, given as for max-rmse."""
    max_luts: int | None
    """The most LUTs; of the networks that take no more, the one that loses least is taken."""
    max_levels: int | None
    """The most levels of logic from inputs to results."""
    head: Literal["none", "argmax", "threshold", "top-k"]
    """The decision that the hardware makes of the outputs (`kan-add-head`): `argmax`: the index of
    the first largest; `threshold`: a bit for each, 1 above the threshold; `top-k`: the indices of
    the k largest in order; `none`: outputs as they are."""
    threshold: float | None
    """With head `threshold`: the number that an output, on its real scale, must be greater than;
    default 0."""
    probability: float | None
    """With head `threshold`: the threshold as the probability of a sigmoid behind the output; 0.9
    stands for threshold 2.197."""
    k: int | None
    """With head `top-k`: number of indices; default 2."""
    interval: int
    """Cycles from a sample to the next one; 1: a sample every cycle, and no layer is folded."""
    loadable: bool
    """Fold all layers, with memories that can be written at run time, and a port for this."""
    logic_words: int
    """Most words of a memory that is made of lookup tables; larger ones are block RAM."""
    parts: int | None
    """The most tables that one table is split into; 1: only its offset is chosen. The default is 3
    where adders of the target absorb tables (xcup), where adders share carry chains (ecp5), or
    where lookup tables choose between those of a table of more inputs (ice40). Elsewhere it is 1:
    there, a further part takes more for its adder than it saves."""
    extra_levels: Sequence[int] | int
    """Levels of logic that a sum may have beyond the fewest, where that saves LUTs. One number, or
    one for each layer; the last one holds for all later layers."""
    levels: int | None
    """The most levels of logic between two registers; 4 where no other limit is given."""
    cycles: int | None
    """The latency, in stages of nearly the least delay; 0: all combinational."""
    mhz: float | None
    """The clock that every stage reaches, by the typical delays of the target."""
    combinational: bool
    """No registers at all."""
    adders: Literal["chains", "plain"]
    """How sums are written: `chains`: as adders that synthesis maps to one carry chain each (`kan-
    form-carry-chains`); `plain`: as sums, for tools that do so by themselves."""
    tables: Literal["luts", "plain"]
    """How tables are written, on devices where that makes a difference: `luts`: as lookup tables of
    the device that synthesis keeps (`kan-map-tables`); `plain`: as constants, for synthesis to
    map."""
    fast: bool
    """Leave out the searches that take long: `kan-share-sums`, `kan-compress-codes`, `kan-split-
    tables` and `kan-map-tables`."""
    learning_rate: float
    """The learning rate; powers of two share the basis' table and its registers."""
    momentum: float
    """Share of its velocity that a coefficient keeps each training step, for fixed-point numbers
    rounded to a multiple of 2^-16; above 0, velocities are state too."""
    weight_decay: float
    """Share of its value that a coefficient loses each training step, rounded likewise."""
    integer_bits: int
    """Bits in front of the point, the sign among them, of inputs, nodes and coefficients."""
    fraction_bits: int
    """Bits behind the point."""
    local_bits: int
    """Bits of the local coordinate: rows of the basis' table."""
    error: Literal["squared", "fed"]
    """`squared`: the target is an input, and the squared error is minimised; `fed`: the error is an
    input, the negative gradient of any loss by the outputs."""
    initial: Literal["model", "zero", "random"]
    """The coefficients to begin with: `model`, those of the model; `zero`; `random`, normal with
    deviation 1 / sqrt(in)."""
    revive: bool
    """Pruned edges exist again and train, from coefficients of 0; without it they are refused."""
    fit_error: float
    cells: int | None
    """Cells of the grids; without it those of the layer's B-splines, else 8."""
    degree: int | None
    """Degree of the B-splines; without it that of the layer's B-splines, else 3."""
