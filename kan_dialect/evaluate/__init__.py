"""Evaluation of IR: functions of any level, codes at ports, hardware, ONNX subgraphs, edges."""
