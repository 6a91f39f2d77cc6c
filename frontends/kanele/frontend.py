"""Frontends for KANELÉ: checkpoints of its training, and its published truth tables.

KANELÉ (Hoang et al., arXiv 2512.12850) trains networks with their quantisers in place. A
`config.json` stands beside either file; both give the same integers.
"""

from __future__ import annotations

from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.frontends.frontend import NO_OPTIONS, Frontend, ImportOptions
from kan_dialect.frontends.kanele.checkpoint import Parameters, read_parameters
from kan_dialect.frontends.kanele.config import Config, read_config
from kan_dialect.frontends.kanele.network import build_network, input_type
from kan_dialect.frontends.kanele.tables import read_tables
from kan_dialect.frontends.naming import identifier
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import default_bounds

_FIXED_STEMS = ("checkpoint", "truth_tables")
"""File stems that KANELÉ gives to every model; the folder names the model."""


def function_name(path: Path) -> str:
    """Function name of a model: its file's stem, or its folder for the stems in `_FIXED_STEMS`."""
    path = path.absolute()
    return identifier(path.parent.name if path.stem in _FIXED_STEMS else path.stem)


def load_checkpoint(path: Path) -> ModuleOp:
    """Import a checkpoint: the network at table level, with real-valued edge functions.

    `kan-fold-tables` turns the edge functions into the published tables. The batch norm and bias of
    the input become an affine in front of its quantiser, which the host computes.

    Raises
    ------
    KanError : the files do not hold a network.
    """
    config = read_config(path.parent)
    splines = config.splines()
    parameters = read_parameters(path, config.architecture(), splines)
    return build_network(
        function_name(path),
        config.architecture(),
        (splines.degree, splines.activation),
        parameters,
    )


def load_tables(path: Path, options: ImportOptions = NO_OPTIONS) -> ModuleOp:
    """Import truth tables: the network at table level.

    Scales and the batch norm of the input come from `checkpoint.pt` beside the file, if it exists.
    Otherwise scales are 1.0. The integers are the same.

    Raises
    ------
    KanError : the files do not hold a network.
    """
    config = read_config(path.parent)
    shape = config.architecture()
    tables = read_tables(path, shape, options.table_overflow)
    parameters = _parameters_beside(path, config)
    first = None if parameters is None else parameters.input
    scales = [1.0] * shape.layers if parameters is None else [p.scale for p in parameters.layers]
    network = TableNetwork(
        function_name(path),
        input_type(shape, 1.0 if first is None else first.scale),
        shape.widths[0],
        None if first is None else (first.gain, first.offset),
    )
    for (entries, mask), scale, bits in zip(tables, scales, shape.bits[1:], strict=True):
        network.add_layer(entries, mask=mask, scale=scale, saturate=default_bounds(bits, True))
    return network.module()


def _parameters_beside(path: Path, config: Config) -> Parameters | None:
    checkpoint = path.with_name("checkpoint.pt")
    if not checkpoint.exists():
        return None
    return read_parameters(checkpoint, config.architecture(), config.splines())


CHECKPOINT_FRONTEND = Frontend(
    name="kanele-checkpoint",
    extensions=(".pt", ".pth"),
    description="KANELÉ checkpoints, config.json beside them",
    load=load_checkpoint,
)

TABLES_FRONTEND = Frontend(
    name="kanele-tables",
    extensions=(".json",),
    description="KANELÉ truth tables, config.json beside them",
    load=load_tables,
    load_with=load_tables,
    takes=frozenset({"table_overflow"}),
)
