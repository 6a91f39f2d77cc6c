"""Compares imported networks with ONNX Runtime's evaluation of their files."""
