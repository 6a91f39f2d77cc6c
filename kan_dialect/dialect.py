"""The `kan` dialect: its ops, types and attributes."""

from __future__ import annotations

from xdsl.ir import Dialect

from kan_dialect.ir.attributes.hardware_attributes import NodeAttr, PortAttr
from kan_dialect.ir.fixed_point import FixedType
from kan_dialect.ir.types import IntType
from kan_dialect.ops.clamp import CLAMP_OPS
from kan_dialect.ops.decision import DECISION_OPS
from kan_dialect.ops.folded import FOLDED_OPS
from kan_dialect.ops.folded_shapes import FOLDED_SHAPES_OPS
from kan_dialect.ops.grid import GRID_OPS
from kan_dialect.ops.layer import LAYER_OPS
from kan_dialect.ops.lut import LUT_OPS
from kan_dialect.ops.memory import MEMORY_OPS, MemoryType
from kan_dialect.ops.on_chip import TRAINING_OPS
from kan_dialect.ops.onnx import ONNX_OPS
from kan_dialect.ops.shaped import SHAPE_OPS
from kan_dialect.ops.shift import SHIFT_OPS
from kan_dialect.ops.spline import SPLINE_OPS
from kan_dialect.ops.symbolic import SYMBOLIC_OPS
from kan_dialect.ops.table import TABLE_OPS
from kan_dialect.ops.wire import WIRE_OPS

_OPS = [
    *SPLINE_OPS,
    *LAYER_OPS,
    *SYMBOLIC_OPS,
    *SHAPE_OPS,
    *ONNX_OPS,
    *GRID_OPS,
    *TRAINING_OPS,
    *TABLE_OPS,
    *WIRE_OPS,
    *CLAMP_OPS,
    *SHIFT_OPS,
    *DECISION_OPS,
    *FOLDED_OPS,
    *FOLDED_SHAPES_OPS,
    *MEMORY_OPS,
    *LUT_OPS,
]

Kan = Dialect("kan", _OPS, [IntType, FixedType, MemoryType, PortAttr, NodeAttr])
