"""Bounds of ONNX subgraphs: the values of a graph, and one rule for each operator."""
