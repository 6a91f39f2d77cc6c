"""Options of a build."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xdsl.passes import ModulePass

from kan_dialect.devices.device import XCUP
from kan_dialect.files.data_sets import Dataset
from kan_dialect.flows.build_origin import Origin
from kan_dialect.flows.report_certificate import CertificateChoice
from kan_dialect.flows.simulate.simulation import SimulatorName
from kan_dialect.frontends.frontend import Original
from kan_dialect.limits import MAX_VECTORS
from kan_dialect.passbase.option_bounds import SEED, Bounds, bounded, require_bounds


@dataclass(kw_only=True)
class CommonOptions:
    """Options of every build, of hardware that trains itself or not."""

    simulator: SimulatorName | None = "verilator"
    """None: do not simulate."""
    seed: int = bounded(0, SEED)
    """Seed of random inputs of the simulation, and of the samples of the checks."""
    check_passes: bool = True
    """Whether to compare the module before and after each pass."""
    check_dir: Path | None = None
    """Folder for the IR around a pass that fails its check; None: the IR is not written."""
    origin: Origin = field(default_factory=Origin)
    """The command and the files that were read, for the report."""
    force: bool = False
    """Whether to replace files of others that are in the way."""
    vhdl: bool = False
    """Whether to write the network as VHDL too."""
    dataset: Dataset | None = None
    """Samples: to calibrate and simulate with, and to measure accuracy on; or, with targets, to
    train on, in their order."""

    def __post_init__(self) -> None:
        """Refuse numbers out of bounds.

        Raises
        ------
        KanError : names the number.
        """
        require_bounds(self)


@dataclass
class BuildOptions(CommonOptions):
    """Options of a build."""

    passes: Sequence[ModulePass]
    """The pipeline, down to hardware."""
    vectors: int = bounded(10_000, Bounds(0, MAX_VECTORS))
    """Random vectors for the simulation, in addition to samples and corners."""
    work_dir: Path | None = None
    """Folder that the simulator builds in; None: a temporary folder."""
    target: str = XCUP.name
    """The device that the estimate is for."""
    original: Original | None = None
    """The model as its own runtime computes it; float accuracy is measured on it if given."""
    certificate: CertificateChoice = "auto"
    """Whether to bound the error of the integers."""
    fit: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The intervals that were considered for the part: `fit.Trial.as_dict` of each."""
    pictures: bool = False
    """Whether to draw the network at each level, and the schedule."""
