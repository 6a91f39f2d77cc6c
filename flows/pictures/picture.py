"""The picture of a network, an edge, a node's sum or the schedule, by name."""

from __future__ import annotations

import re
from typing import cast, get_args

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.flows.pictures.adder_tree import adder_tree_picture
from kan_dialect.flows.pictures.edge import edge_picture
from kan_dialect.flows.pictures.network import Colour, network_picture
from kan_dialect.flows.pictures.schedule import schedule_picture
from kan_dialect.flows.pictures.standalone import Picture
from kan_dialect.model.model import Model

_EDGE = re.compile(r"layer\d+_(edge\d+_|table)\d+")
_NODE = re.compile(r"layer\d+_node\d+")


def picture(
    module: ModuleOp | Model,
    of: str | None = None,
    *,
    colour: str | None = None,
    device: str = "xcup",
    original: ModuleOp | Model | None = None,
) -> Picture:
    """A picture as SVG text.

    Parameters
    ----------
    of : `network`, `schedule`, an edge (`layer0_edge3_5`) or, at wire level, a node's sum
        (`layer0_node3`). By default the network, and the schedule of hardware.
    colour : what colours of a network say: `span`, `bits` or `luts`.
    device : the FPGA family that LUTs and delays are of.
    original : the network of floats, to draw an edge's function beside its table.

    Raises
    ------
    KanError : the picture or colour is unknown, or the level lacks the picture.
    """
    model = module if isinstance(module, Model) else Model.of(module)
    of = of or ("schedule" if model.level == "hardware" else "network")
    if colour not in (None, *get_args(Colour)):
        raise KanError(
            f"there is no colour {colour!r}",
            remedy=f"colours say {', '.join(get_args(Colour))}",
        )
    if of == "network":
        return network_picture(model, colour=cast("Colour | None", colour), device=device)
    if of == "schedule":
        return schedule_picture(model, device=device)
    if _EDGE.fullmatch(of):
        return edge_picture(model, of, original=original)
    if _NODE.fullmatch(of):
        return adder_tree_picture(model, of)
    raise KanError(
        f"there is no picture of {of!r}",
        remedy="draw network, schedule, an edge such as layer0_edge3_5, or a node such as "
        "layer0_node3",
    )
