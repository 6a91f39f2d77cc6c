"""An ONNX file as a checked graph."""
