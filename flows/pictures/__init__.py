"""Pictures of networks, edges, sums and schedules: functions from IR to SVG."""

from kan_dialect.flows.pictures.adder_tree import adder_tree_picture
from kan_dialect.flows.pictures.edge import edge_picture
from kan_dialect.flows.pictures.network import Colour, network_picture
from kan_dialect.flows.pictures.picture import picture
from kan_dialect.flows.pictures.schedule import schedule_picture

__all__ = [
    "Colour",
    "adder_tree_picture",
    "edge_picture",
    "network_picture",
    "picture",
    "schedule_picture",
]
