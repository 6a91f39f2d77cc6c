"""The pass prunes constant edges, and keeps the function at every code."""

import numpy as np
from xdsl.context import Context

from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from prune_constant_edges.constant_edges import PruneConstantEdgesPass


def test_the_pass_prunes_and_keeps_the_function() -> None:
    """Two constant edges of six."""
    tables = np.arange(2 * 3 * 4).reshape(2, 3, 4) % 7
    tables[0, 1] = 5
    tables[1, 2] = -3
    builder = TableNetwork("tiny", UniformQuantizedType(2, False, 1.0), inputs=3)
    module = builder.add_layer(tables).module()
    PruneConstantEdgesPass().apply(Context(), module)
    module.verify()
    (pruned,) = (op for op in module.walk() if isinstance(op, NodeSumOp))
    assert pruned.mask_array.tolist() == [[True, False, True], [True, True, False]]
    assert pruned.bias_array.tolist() == [5, -3]
    codes = np.array(np.meshgrid(*[range(4)] * 3)).reshape(3, -1).T
    expected = sum(tables[:, i, codes[:, i]] for i in range(3)).T
    np.testing.assert_array_equal(Model.of(module).run_codes(codes), expected)
