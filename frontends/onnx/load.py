"""Loads ONNX files: recognises or discovers the layers, and compares the result with the file."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import VerifyException

from kan_dialect.frontends.frontend import NO_OPTIONS, ImportOptions, Original
from kan_dialect.frontends.onnx.classifier_head import (
    check_classes,
    require_no_head,
    strip_head,
)
from kan_dialect.frontends.onnx.compare.network_comparison import (
    Differs,
    check_network,
)
from kan_dialect.frontends.onnx.compare.reference_models import open_original
from kan_dialect.frontends.onnx.discover.layer_search import (
    default_comparison_inputs,
    search_layers,
)
from kan_dialect.frontends.onnx.quantised.integer_network import integer_network
from kan_dialect.frontends.onnx.read.graph import Graph, Unrecognised, read_graph
from kan_dialect.frontends.onnx.recognise.layers import ImportedNetwork
from kan_dialect.frontends.onnx.recognise.traced_batches import recognise
from kan_dialect.ir.attributes.data_schema import verify_schema

_LOG = logging.getLogger(__name__)


def load_onnx(path: Path, options: ImportOptions = NO_OPTIONS) -> ModuleOp:
    """Import an ONNX file: a module of one function at spline level.

    The function has the file's name and maps one sample, tensor<in x f32>, to tensor<out x f32>.

    Raises
    ------
    KanError : the file is no valid ONNX or no Kolmogorov-Arnold network, or the options do not fit
        it.
    """
    whole = read_graph(path)
    options.check_samples(path.name, whole.inputs)
    if options.strip_head:
        graph = strip_head(whole)
    else:
        require_no_head(whole)
        graph = whole
    graph, network = _integers(graph, options) or _layers(graph, options)
    if options.strip_head:
        check_classes(whole, graph, network)
    _name(whole, network.function)
    return network.module


def _integers(graph: Graph, options: ImportOptions) -> tuple[Graph, ImportedNetwork] | None:
    """The network of a graph with quantisers; None, with a warning, if they have no place in it."""
    if not graph.quantizers:
        return None
    try:
        graph, network = recognise(graph, integer_network)
        inputs = default_comparison_inputs(graph, options)
        if inputs.thresholds is not None:
            # Codes are chosen in float64, and a file's thresholds have the rounding of its types.
            rows = inputs.thresholds.rows(graph.input_dtype)
            inputs = replace(inputs, groups=[rows, *inputs.groups], thresholds=None)
        check_network(graph, network, inputs)
    except (Unrecognised, Differs) as error:
        _LOG.warning(
            "%s; the quantisers of the file remain as functions, and kan-quantize chooses codes",
            error.message,
        )
        return None
    if network.real is not None:
        _LOG.warning(
            "%s; kan-quantize chooses codes where the file has no quantisers", network.real.message
        )
    return graph, network


def _layers(graph: Graph, options: ImportOptions) -> tuple[Graph, ImportedNetwork]:
    graph = replace(graph, quantizers={})
    try:
        graph, network = recognise(graph)
        check_network(graph, network, default_comparison_inputs(graph, options))
    except (Unrecognised, Differs) as error:
        # An unknown or misread form may still compute a Kolmogorov-Arnold network.
        return search_layers(graph, options, error)
    return graph, network


def _name(graph: Graph, function: func.FuncOp) -> None:
    """Name features and classes of the network.

    Raises
    ------
    KanError : the model has another number of names than of inputs or outputs.
    """
    graph.schema.declare(function)
    try:
        verify_schema(function)
    except VerifyException as error:
        raise graph.error(str(error), "mend the model's metadata, or leave the names out") from None


def onnx_original(path: Path, options: ImportOptions = NO_OPTIONS) -> Original:
    """Open the model of an ONNX file in ONNX Runtime, without its head if that is stripped.

    Raises
    ------
    KanError : the file is no valid ONNX, it cannot be run, or the options do not fit it.
    """
    whole = read_graph(path)
    if options.strip_head:
        whole = strip_head(whole)
    else:
        require_no_head(whole)
    return open_original(whole)
