"""Samples from CSV files: features, labels, the split, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset, load_dataset


def read(folder: Path, text: str) -> Dataset:
    path = folder / "data.csv"
    path.write_text(text, encoding="utf-8")
    return load_dataset(path)


def test_features_and_labels_stand_in_columns(tmp_path: Path) -> None:
    dataset = read(tmp_path, "a,label,b\n1,0,2.5\n-3e1,1,4\n")
    assert dataset.x.tolist() == [[1.0, 2.5], [-30.0, 4.0]]
    assert dataset.y is not None and dataset.y.dtype == np.int64
    assert dataset.y.tolist() == [0, 1]
    assert dataset.x_test is None


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("red", "blue", "red"), [1, 0, 1]),
        (("0.5", "1", "2"), [0.5, 1.0, 2.0]),
        (("2", "0", "1"), [2, 0, 1]),
        (("a", "1", "2"), [2, 0, 1]),
    ],
)
def test_labels_are_classes_or_numbers(
    cells: tuple[str, ...], expected: list[float], tmp_path: Path
) -> None:
    dataset = read(tmp_path, "x,Class\n" + "".join(f"1,{cell}\n" for cell in cells))
    assert dataset.y is not None and dataset.y.tolist() == expected


def test_a_column_says_what_is_the_test_set(tmp_path: Path) -> None:
    dataset = read(tmp_path, "x,y,split\n1,0,train\n2,1,test\n3,1,train\n")
    assert dataset.x_test is not None and dataset.y_test is not None and dataset.y is not None
    assert (dataset.x.tolist(), dataset.y.tolist()) == ([[1.0], [3.0]], [0, 1])
    assert (dataset.x_test.tolist(), dataset.y_test.tolist()) == ([[2.0]], [1])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheets_write_other_delimiters_and_a_mark(delimiter: str, tmp_path: Path) -> None:
    rows = [["a", "b"], ["1", "2"], [], ["3", "4"]]
    text = "\ufeff" + "\r\n".join(delimiter.join(row) for row in rows)
    assert read(tmp_path, text).x.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no samples"),
        ("a,b\n", "has no samples"),
        ("1,2\n3,4\n", "has no names of columns"),
        ("a,b\n1,2,3\n", "row 2 has 3 cells, not 2"),
        ("a,b\n1,2\n1,\n", "row 3 of column `b` is 'empty'"),
        ("a,b\n1,nan\n", "row 2 of column `b` is 'nan'"),
        ("a,b\n1,red\n", "row 2 of column `b` is 'red'"),
        ("a,label\n1,\n", "row 2 of column `label` is empty"),
        ("a,y,class\n1,0,0\n", "several columns have labels: `y`, `class`"),
        ("label\n1\n", "has no column of a feature"),
        ("a,split\n1,validation\n", "row 2 of column `split` is 'validation'"),
    ],
)
def test_bad_files_get_one_message(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(KanError, match=re.escape(message)):
        read(tmp_path, text)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(KanError, match=r"cannot read .* as CSV"):
        load_dataset(path)
