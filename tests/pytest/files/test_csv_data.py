"""Samples from CSV files: features, labels, the split, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset, dataset_of, load_arrays, load_dataset
from kan_dialect.files.labels import Task
from kan_dialect.ir.attributes.data_schema import DataSchema


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
    ("cells", "numbers"),
    [
        (("3,14", "1.234,5", "-0,5"), [3.14, 1234.5, -0.5]),
        (("1,234", "0,5", "1.234.567"), [1.234, 0.5, 1234567.0]),
        (("1,234", "1,234,567", "7"), [1234.0, 1234567.0, 7.0]),
        (("1,234.5", "12,345", "1e3"), [1234.5, 12345.0, 1000.0]),
        (("1 234,5", "1\u202f234", "2"), [1234.5, 1234.0, 2.0]),
        (("1'234.5", "+2", "-.5"), [1234.5, 2.0, -0.5]),
    ],
)
def test_numbers_as_spreadsheets_write_them(
    cells: tuple[str, ...], numbers: list[float], tmp_path: Path
) -> None:
    dataset = read(tmp_path, "a;b\n" + "".join(f"{cell};1\n" for cell in cells))
    assert dataset.x[:, 0].tolist() == numbers


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_decimal_commas_change_no_number(numbers: list[float]) -> None:
    texts = [f"{number:.4f}" for number in numbers]
    with TemporaryDirectory() as folder:
        points, commas = (
            read(Path(folder), "a;b\n" + "".join(f"{text};0\n" for text in way))
            for way in (texts, [text.replace(".", ",") for text in texts])
        )
    assert (points.x == commas.x).all()


@pytest.mark.parametrize("mark", ["", "NA", "nan", "?", "null"])
def test_missing_values_take_what_stands_for_them(mark: str, tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text(f"b,note,a\n{mark},red,2\n3,blue,{mark}\n")
    schema = DataSchema(("a", "b"), missing=(-1.0, 9.5))
    assert load_dataset(path, schema).x.tolist() == [[2.0, 9.5], [-1.0, 3.0]]


@pytest.mark.parametrize(
    ("labels", "schema", "task", "numbers", "classes"),
    [
        ("3 7 5", DataSchema(), None, [3, 7, 5], ()),
        ("3 7 5", DataSchema(), "classes", [0, 2, 1], ("3", "5", "7")),
        ("0.0 2.0 1.0", DataSchema(), "classes", [0, 2, 1], ()),
        ("2.5 1234567 1234568", DataSchema(), "classes", [0, 1, 2], ("2.5", "1234567", "1234568")),
        ("0 2 1", DataSchema(), "regression", [0.0, 2.0, 1.0], ()),
        ("0 2 1", DataSchema(targets=("label",)), None, [0.0, 2.0, 1.0], ()),
        ("5 3 3", DataSchema(classes=("3", "5", "7")), None, [1, 0, 0], ("3", "5", "7")),
        ("b a a", DataSchema(classes=("b", "a")), None, [0, 1, 1], ("b", "a")),
    ],
)
def test_labels_are_what_the_network_predicts(
    labels: str,
    schema: DataSchema,
    task: Task | None,
    numbers: list[float],
    classes: tuple[str, ...],
    tmp_path: Path,
) -> None:
    path = tmp_path / "d.csv"
    path.write_text("x,label\n" + "".join(f"{i},{each}\n" for i, each in enumerate(labels.split())))
    dataset = dataset_of(load_arrays(path), "d.csv", schema, task)
    assert dataset.y is not None and dataset.y.tolist() == numbers
    assert dataset.y.dtype.kind == ("f" if isinstance(numbers[0], float) else "i")
    assert dataset.schema.classes == classes
    # The same again of what was read.
    again = dataset_of(dataset.arrays, "d.csv", replace(schema, classes=classes), None)
    assert again.y is not None and again.y.tolist() == numbers


@pytest.mark.parametrize(
    ("labels", "schema", "message"),
    [
        ("4", DataSchema(classes=("3", "5")), "the network has no class 4; its classes"),
        ("rot", DataSchema(classes=("red", "x")), "the network has no class 'rot'"),
        ("red", DataSchema(targets=("label",)), "labels are text such as 'red'"),
    ],
)
def test_labels_of_another_network_are_refused(
    labels: str, schema: DataSchema, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "d.csv"
    path.write_text(f"x,label\n1,{labels}\n")
    with pytest.raises(KanError, match=re.escape(message)):
        load_dataset(path, schema)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no samples"),
        ("a,b\n", "has no samples"),
        ("1,2\n3,4\n", "has no names of columns"),
        ("a,b\n1,2,3\n", "line 2 has 3 cells, the header 2"),
        ("a,b\n1,2\n1,\n", "`x`: 1 of 2 samples miss values: 1 of `b`"),
        ("a,b\n1,nan\n", "`x`: 1 of 1 sample miss values: 1 of `b`"),
        ("a,b\n1,red\n", "line 2, column `b` is 'red', no finite number"),
        ("a,label\n1,\n", "the label of sample 0 is missing"),
        ("a,b\n1,inf\n", "line 2, column `b` is 'inf', no finite number"),
        ("a,a\n1,2\n", "two columns are called `a`; rename one of them"),
        ("a,b\n1,2026-01-31\n", "is '2026-01-31', no finite number; leave the column out, give"),
        ("a,b\n1,31.1.2026\n", "is '31.1.2026', no finite number; leave the column out, give"),
        ('a,b\n1,"1,234"\n', "`b` is '1,234', whose comma may be a decimal one or separate"),
        ('a,b\n"1,5","1,234.5"\n', "`a` is '1,5', with a decimal comma, and line 2, column `b`"),
        ("a,y,class\n1,0,0\n", "several columns have labels: `y`, `class`"),
        ("label\n1\n", "has no column of a feature"),
        ("a,split\n1,validation\n", "line 2, column `split` is 'validation'"),
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
