"""The target `quantizers`: scales, zero points, bits and grids of a quantised network as JSON.

A training framework trains with them, and `kan-quantize{quantizers="FILE"}` quantises the result
with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from kan_dialect.errors import KanError
from kan_dialect.model.quantizer_json import to_json
from kan_dialect.model.quantizers_in_ir import quantized_functions, quantizers_of


@dataclass(frozen=True)
class QuantizersTarget(Target):
    """Prints the quantisers of the one function at table level."""

    name = "quantizers"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        functions = list(quantized_functions(module))
        if len(functions) != 1:
            raise KanError(
                f"expected one function with quantisers, found {len(functions)}",
                remedy="print the model after kan-quantize and before kan-expand-wires",
            )
        output.write(to_json(quantizers_of(functions[0])))
