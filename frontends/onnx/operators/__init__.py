"""The meaning of ONNX operators: values, dependence, folding."""
