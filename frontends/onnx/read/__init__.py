"""Reads an ONNX file as a checked graph."""
