"""Meaning of ONNX operators: values, dependence on the input, constant folding."""
