"""Loads ONNX files: recognises or finds the layers, and compares the result with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.frontends.frontend import NO_OPTIONS, ImportOptions, Original
from kan_dialect.frontends.onnx.classifier_head import (
    check_classes,
    require_no_head,
    strip_head,
)
from kan_dialect.frontends.onnx.comparison import Differs, check_raised, open_original
from kan_dialect.frontends.onnx.discover.search import natural_probes, search_layers
from kan_dialect.frontends.onnx.read.graph import Unrecognised, read_graph
from kan_dialect.frontends.onnx.recognise.recognition import recognise


def load_onnx(path: Path, options: ImportOptions = NO_OPTIONS) -> ModuleOp:
    """The network in an ONNX file, as a module of one function at the spline level.

    The function is called after the file. It maps one sample, tensor<in x f32>, to
    tensor<out x f32>.

    Raises
    ------
    KanError : the file is no valid ONNX, or holds what is no Kolmogorov-Arnold network; or the
        options do not fit it.
    """
    whole = read_graph(path)
    options.check_samples(path.name, whole.inputs)
    if options.strip_head:
        graph = strip_head(whole)
    else:
        require_no_head(whole)
        graph = whole
    try:
        graph, raised = recognise(graph)
        check_raised(graph, raised, natural_probes(graph, options))
    except (Unrecognised, Differs) as error:
        # Not known by its form, or mistaken; what it computes may be a network all the same.
        graph, raised = search_layers(graph, options, error)
    if options.strip_head:
        check_classes(whole, graph, raised)
    return raised.module


def onnx_original(path: Path, options: ImportOptions = NO_OPTIONS) -> Original:
    """The model in an ONNX file as ONNX Runtime computes it, up to its head where that is stripped.

    Raises
    ------
    KanError : the file is no valid ONNX, or cannot be run; or the options do not fit it.
    """
    whole = read_graph(path)
    if options.strip_head:
        whole = strip_head(whole)
    else:
        require_no_head(whole)
    return open_original(whole)
