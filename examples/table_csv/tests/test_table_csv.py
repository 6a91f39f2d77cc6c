"""The lines are the tables: with them alone, the network can be computed."""

import csv
from io import StringIO

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.model.model import Model
from table_csv.target import TableCsvTarget


def test_the_lines_compute_the_network() -> None:
    rng = np.random.default_rng(0)
    tables = rng.integers(-9, 10, size=(2, 3, 8))
    mask = np.array([[True, False, True], [True, True, True]])
    builder = TableNetwork("net", UniformQuantizedType(3, True, 1.0), inputs=3)
    module = builder.add_layer(tables, mask=mask).module()
    text = StringIO()
    TableCsvTarget().emit(Context(), module, text)
    codes = rng.integers(-4, 4, size=(50, 3))
    sums = np.zeros((50, 2), dtype=np.int64)
    for line in csv.DictReader(StringIO(text.getvalue())):
        reads = codes[:, int(line["input"])] == int(line["code"])
        sums[:, int(line["node"])] += reads * int(line["entry"])
    np.testing.assert_array_equal(sums, Model.of(module).run_codes(codes))


def test_a_module_without_tables_is_refused() -> None:
    with pytest.raises(KanError, match="no tables to print; run kan-quantize"):
        TableCsvTarget().emit(Context(), ModuleOp([]), StringIO())
