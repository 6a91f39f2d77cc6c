"""The target `picture`: a network, an edge, a node's sum or the schedule as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from kan_dialect.flows.pictures.picture import picture
from kan_dialect.frontends.loading import load_model


@dataclass(frozen=True)
class PictureTarget(Target):
    """Draws the network, one of its edges, a node's sum or the schedule, as SVG."""

    name = "picture"

    of: str | None = None
    """`network`, `schedule`, an edge (`layer0_edge3_5`) or, at wire level, a node's sum
    (`layer0_node3`). By default the network, and the schedule of hardware."""
    colour: str | None = None
    """What colours of a network say: `span`, `bits` or `luts`."""
    device: str = "xcup"
    """The FPGA family that LUTs and delays are of."""
    original: str | None = None
    """A file with the network of floats, to draw an edge's function beside its table."""

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        original = None
        if self.original is not None:
            original = load_model(ctx.clone(), Path(self.original))
        output.write(
            picture(module, self.of, colour=self.colour, device=self.device, original=original)
        )
