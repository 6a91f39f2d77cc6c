"""The `kan` dialect: its ops and types."""

from __future__ import annotations

from xdsl.ir import Dialect

from kan_dialect.attributes import IntType
from kan_dialect.fixed import FixedType
from kan_dialect.memory_ops import MEMORY_OPS, MemoryType
from kan_dialect.onnx_ops import ONNX_OPS
from kan_dialect.shape_ops import SHAPE_OPS
from kan_dialect.spline_ops import SPLINE_OPS
from kan_dialect.symbolic_ops import SYMBOLIC_OPS
from kan_dialect.table_ops import TABLE_OPS
from kan_dialect.training_ops import TRAINING_OPS
from kan_dialect.wire_ops import WIRE_OPS

_OPS = [
    *SPLINE_OPS,
    *SYMBOLIC_OPS,
    *SHAPE_OPS,
    *ONNX_OPS,
    *TRAINING_OPS,
    *TABLE_OPS,
    *WIRE_OPS,
    *MEMORY_OPS,
]

Kan = Dialect("kan", _OPS, [IntType, FixedType, MemoryType])
