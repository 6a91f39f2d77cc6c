"""The target `picture`: a network, an edge, a node's sum or the schedule as SVG."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast, get_args

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from kan_dialect.errors import KanError
from kan_dialect.flows.pictures.adder_tree import adder_tree_picture
from kan_dialect.flows.pictures.edge import edge_picture
from kan_dialect.flows.pictures.network import Colour, network_picture
from kan_dialect.flows.pictures.schedule import schedule_picture
from kan_dialect.frontends.loading import load_model
from kan_dialect.model.model import Model

_EDGE = re.compile(r"layer\d+_(edge\d+_|table)\d+")
_NODE = re.compile(r"layer\d+_node\d+")


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
        model = Model.of(module)
        of = self.of or ("schedule" if model.level == "hardware" else "network")
        if self.colour not in (None, *get_args(Colour)):
            raise KanError(
                f"there is no colour {self.colour!r}",
                remedy=f"colours say {', '.join(get_args(Colour))}",
            )
        if of == "network":
            text = network_picture(
                model, colour=cast("Colour | None", self.colour), device=self.device
            )
        elif of == "schedule":
            text = schedule_picture(model, device=self.device)
        elif _EDGE.fullmatch(of):
            original = None
            if self.original is not None:
                original = load_model(ctx.clone(), Path(self.original))
            text = edge_picture(model, of, original=original)
        elif _NODE.fullmatch(of):
            text = adder_tree_picture(model, of)
        else:
            raise KanError(
                f"there is no picture of {of!r}",
                remedy="draw network, schedule, an edge such as layer0_edge3_5, or a node such as "
                "layer0_node3",
            )
        output.write(text)
