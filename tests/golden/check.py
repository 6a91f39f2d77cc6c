"""Published models, their RTL for combinations of options, and its comparison with the integers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from golden.options import Options, stages_of
from kan_dialect.flows.simulate.simulation import compare, simulate
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.record import PIPELINE_ATTRIBUTE

MODELS = ("moons", "wine", "drybean", "jsc_openml")
SMALL = ("moons",)
"""Models of so few edges that every combination of options can be built."""


@dataclass(frozen=True)
class Published:
    """A model of table level with the integers that it must give.

    Parameters
    ----------
    codes : (samples, inputs), int64: all of `golden.npz`, and the test set where there is one.
    outputs : (samples, outputs), int64.
    """

    name: str
    module: ModuleOp
    codes: IntArray
    outputs: IntArray


def load(name: str, folder: Path) -> Published:
    """A model by its name, of `kanele` in the folder of shared data."""
    folder = folder / "kanele" / name
    golden = np.load(folder / "golden.npz")
    codes, outputs = [golden["codes"]], [golden["outputs"]]
    if (folder / "dataset.npz").exists():
        dataset = np.load(folder / "dataset.npz")
        codes.append(dataset["test_codes"])
        outputs.append(dataset["test_outputs"].reshape(-1, outputs[0].shape[1]))
    module = load_model(make_context(), folder / "checkpoint.pt")
    both = (np.concatenate(each).astype(np.int64) for each in (codes, outputs))
    return Published(name, module, *both)


@dataclass(frozen=True)
class Design:
    """Hardware, and one combination of options that gives it."""

    options: Options
    rtl: str
    interface: Interface
    outputs: IntArray
    """Of the hardware evaluated on the published codes."""

    def difference(self, model: Published, *, simulated: bool = True) -> str | None:
        """The first difference from the published integers, in words; None if all agree."""
        outputs = self.outputs
        if simulated and compare(model.outputs, outputs, model.codes).passed:
            with TemporaryDirectory(prefix="kan-golden-") as folder:
                rtl = Path(folder) / f"{self.interface.name}.sv"
                rtl.write_text(self.rtl)
                outputs = simulate(rtl, self.interface, model.codes)
        verdict = compare(model.outputs, outputs, model.codes)
        return None if verdict.passed else verdict.describe(self.interface)


def designs(model: Published, wanted: Iterable[Options]) -> Iterator[Design]:
    """The designs that some combinations of options give, each design once."""
    by_stages = {stages_of(options): options for options in wanted}
    known: set[str] = set()
    for stages, module in _built(model.module, list(by_stages), 0):
        # The header lists the passes: without them, equal designs are equal texts.
        module.attributes.pop(PIPELINE_ATTRIBUTE, None)
        rtl = emit_systemverilog(module)
        if rtl not in known:
            known.add(rtl)
            hardware = Model.of(module)
            outputs = hardware.run_codes(model.codes)
            yield Design(by_stages[stages], rtl, hardware.interface(), outputs)


def _built(
    module: ModuleOp, pipelines: Sequence[tuple[KanPass, ...]], depth: int
) -> Iterator[tuple[tuple[KanPass, ...], ModuleOp]]:
    """Modules after pipelines. Pipelines that begin with the same passes share their results."""
    following: dict[KanPass, list[tuple[KanPass, ...]]] = {}
    for pipeline in pipelines:
        if depth == len(pipeline):
            yield pipeline, module
        else:
            following.setdefault(pipeline[depth], []).append(pipeline)
    for stage, rest in following.items():
        after = module.clone()
        stage.apply(make_context(), after)
        after.verify()
        yield from _built(after, rest, depth + 1)
