"""Files of `torch.save`: the arrays in them, without PyTorch; noise ends in a refusal."""

from __future__ import annotations

import pickletools
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.torch_archive import (
    Call,
    Name,
    Raw,
    members,
    packed,
    save,
    tensor,
    typed_tensor,
)
from kan_dialect.errors import KanError
from kan_dialect.frontends.torch.files import read_torch_file
from kan_dialect.frontends.torch.tensors import Other

REAL = ["kanele/jsc_openml/checkpoint.pt", "kanele/wine/checkpoint.pt", "pykan/exp_sin_state"]
REAL += ["kanele/drybean/checkpoint.pt", "kanele/moons/checkpoint.pt", "pykan/exp_sin_cache_data"]


def same(ours: Any, theirs: Any, torch: Any) -> None:
    """Require the same structure, and arrays of the same types and elements."""
    if isinstance(theirs, torch.Tensor):
        expected = theirs.detach()
        if expected.dtype is torch.bfloat16:
            expected = expected.float()
        assert isinstance(ours, np.ndarray)
        assert ours.dtype == expected.numpy().dtype
        np.testing.assert_array_equal(ours, expected.numpy(), strict=True)
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key, value in theirs.items():
            same(ours[key], value, torch)
    elif isinstance(theirs, list | tuple):
        assert type(ours) is type(theirs) and len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b, torch)
    else:
        assert type(ours) is type(theirs) and ours == theirs


@pytest.mark.parametrize("name", REAL)
def test_real_files(name: str, shared_data: Path, torch: Any) -> None:
    path = shared_data / name
    same(read_torch_file(path), torch.load(path, map_location="cpu", weights_only=True), torch)


def test_what_pytorch_writes(tmp_path: Path, torch: Any) -> None:
    """Element types, views of one storage, parameters, and a training's state."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimiser = torch.optim.Adam(model.parameters())
    model(torch.randn(5, 3)).sum().backward()
    optimiser.step()
    names = ("bfloat16", "half", "float32", "double", "int8", "uint8", "int16", "int32", "int64")
    names += ("bool", "uint16", "uint32", "uint64")
    whole = torch.arange(24.0).reshape(2, 3, 4)
    content = {
        "model_state_dict": model.state_dict(),
        "optimizer": optimiser.state_dict(),
        "types": {name: (torch.arange(6) % 2).to(getattr(torch, name)) for name in names},
        "views": [whole, whole[1:, ::2], whole.permute(2, 0, 1), whole[0, 0, 0], whole[:, :0]],
        "expanded": torch.ones(1).expand(1000, 1),
        "parameters": [torch.nn.Parameter(torch.ones(2)), whole.bfloat16()[..., 1]],
        "plain": [None, True, -1, 1 << 40, -(1 << 63), 0.1, "ü", (), (1,), (1, 2), (1, 2, 3, 4)],
        3: OrderedDict(a=1),
    }
    path = tmp_path / "all.pt"
    torch.save(content, path)
    same(read_torch_file(path), torch.load(path, weights_only=True), torch)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda torch: torch.ones(2, dtype=torch.complex64), "ComplexFloat elements"),
        (lambda torch: torch.ones(2, dtype=torch.complex64).conj().imag, "negated"),
        (lambda torch: torch.ones(2, dtype=torch.complex128).conj().imag, "negated"),
        (lambda torch: torch.empty(2, dtype=torch.bits8), "bits8 elements"),
        (lambda torch: torch.empty(2, dtype=torch.bits16), "bits16 elements"),
        (lambda torch: torch.ones(2).to(torch.float8_e5m2), "float8_e5m2 elements"),
        (lambda torch: torch.ones(2, device="meta"), "without data"),
        (lambda torch: torch.ones(2, 2).to_sparse(), "sparse"),
        (lambda torch: torch.ones(2, 2).to_sparse_csr(), "sparse"),
        (lambda torch: torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]), "nested"),
        (lambda torch: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "quantised"),
        (lambda torch: torch.Size([1, 2]), "a shape"),
        (lambda torch: torch.device("cpu"), "a device"),
        (lambda torch: torch.float32, "torch.float32"),
        (lambda torch: np.float64(0.5), "a NumPy scalar"),
        (lambda torch: {1, 2}, "a set"),
        (lambda torch: b"bytes", "bytes"),
        (lambda torch: bytearray(b"bytes"), "bytes"),
        (lambda torch: 1j, "a complex number"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*(prototype|beta|deprecated)")
def test_other_data_of_pytorch_has_a_name(make: Any, what: str, tmp_path: Path, torch: Any) -> None:
    torch.save([make(torch)], tmp_path / "other.pt")
    (value,) = read_torch_file(tmp_path / "other.pt")  # pyright: ignore[reportGeneralTypeIssues]
    assert isinstance(value, Other) and what in value.what


def test_the_writer_writes_what_pytorch_reads(tmp_path: Path, torch: Any) -> None:
    save(CONTENT, tmp_path / "ours.pt")
    theirs = torch.load(tmp_path / "ours.pt", weights_only=True)
    same(read_torch_file(tmp_path / "ours.pt"), theirs, torch)


CONTENT: dict[Any, Any] = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": [1, -1, 1 << 40, 0.5, None, True, "text", ("tuple",), {}],
    "c": tensor(np.arange(12.0), (2, 2), (1, 4), 3),
    "d": typed_tensor(bytes(range(8)), "uint16", (2, 2)),
    3: {"nested": np.ones((), np.int64)},
}


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("kind", ["f4", "f2", "i8", "bfloat16"])
def test_byte_orders(order: str, kind: str, tmp_path: Path) -> None:
    values = np.array([1.0, -2.0, 0.5]) if kind != "i8" else np.array([1, -2, 1 << 40])
    own = np.dtype("f4" if kind == "bfloat16" else kind)
    data = values.astype(own.newbyteorder("<" if order == "little" else ">"))
    if kind == "bfloat16":
        halves = np.frombuffer(data.tobytes(), "u2").reshape(-1, 2)
        stored = halves[:, 1 if order == "little" else 0].astype("u2")
        content = tensor(stored.view("i2"), kind="BFloat16Storage")
    else:
        content = tensor(np.frombuffer(data.tobytes(), own))
    files = members(content) | {"archive/byteorder": order.encode()}
    (tmp_path / "file.pt").write_bytes(packed(files))
    read = read_torch_file(tmp_path / "file.pt")
    assert isinstance(read, np.ndarray) and read.dtype == own
    np.testing.assert_array_equal(read, values)


def test_arrays_cannot_be_written_and_share_their_storage(tmp_path: Path) -> None:
    save({"view": tensor(np.ones(1, np.float32), (1000, 1000), (0, 0))}, tmp_path / "file.pt")
    (array,) = read_torch_file(tmp_path / "file.pt").values()  # pyright: ignore
    assert array.strides == (0, 0) and not array.flags.writeable


def test_without_a_byte_order_and_in_a_folder_of_another_name(tmp_path: Path) -> None:
    files = {name.replace("archive", "best"): data for name, data in members(CONTENT).items()}
    del files["best/byteorder"]
    (tmp_path / "file.pt").write_bytes(packed(files))
    read: Any = read_torch_file(tmp_path / "file.pt")
    np.testing.assert_array_equal(read["a"], CONTENT["a"])


@pytest.mark.parametrize(
    "files",
    [
        members(CONTENT) | {"other/data.pkl": b"\x80\x02}."},
        {"archive/data.pkl": b"\x80\x02N."} | {"archive/a/data.pkl": b"\x80\x02}."},
    ],
)
def test_one_pickle_only_is_read(files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "file.pt").write_bytes(packed(files))
    if "other/data.pkl" in files:
        with pytest.raises(KanError, match=r"no data\.pkl"):
            read_torch_file(tmp_path / "file.pt")
    else:
        assert read_torch_file(tmp_path / "file.pt") is None


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "file.pt", "w") as archive:
        for name, data in [*members(CONTENT).items(), ("archive/data/0", bytes(24))]:
            archive.writestr(name, data)
    with pytest.raises(KanError, match="two members of one name"):
        read_torch_file(tmp_path / "file.pt")


# Noise

INSTRUCTIONS = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]
PLAIN = members(CONTENT)
NAMES = [Name("torch", "Tensor"), Name("torch", "FloatStorage"), Name("torch", "bits8")]
NAMES += [Name("collections", "OrderedDict"), Name("torch._utils", "_rebuild_tensor_v2")]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats() | st.text(max_size=3)
    | st.sampled_from(NAMES) | st.binary(max_size=4).map(Raw),
    lambda inner: st.lists(inner, max_size=4)
    | st.lists(inner, max_size=8).map(tuple)
    | st.dictionaries(st.text(max_size=2) | st.integers(-3, 3), inner, max_size=3)
    | st.builds(
        Call,
        st.sampled_from(["torch._utils", "collections", "torch", "numpy"]),
        st.sampled_from(
            ["_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter", "OrderedDict"]
        ),
        st.lists(inner, max_size=8).map(tuple),
    ),
    max_leaves=12,
)  # fmt: skip


def read(data: bytes, folder: Path) -> None:
    """Read a file; all that it may raise is a `KanError`."""
    path = folder / "noise.pt"
    path.write_bytes(data)
    try:
        read_torch_file(path)
    except KanError as error:
        assert str(error).isprintable() and len(str(error)) < 500


def test_names_have_no_escape_sequences(tmp_path: Path) -> None:
    """`pickletools` reads them as such, with a warning of Python."""
    pickle = PLAIN["archive/data.pkl"].replace(b"ctorch._utils", rb"ctorch\o._utils", 1)
    assert pickle != PLAIN["archive/data.pkl"]
    (tmp_path / "file.pt").write_bytes(packed(PLAIN | {"archive/data.pkl": pickle}))
    with pytest.raises(KanError, match="only tensors, numbers"):
        read_torch_file(tmp_path / "file.pt")


NOISE = settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(st.data())
@NOISE
def test_changed_pickles(tmp_path: Path, data: st.DataObject) -> None:
    pickle = bytearray(PLAIN["archive/data.pkl"])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(pickle)))
        pickle[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from(INSTRUCTIONS) | st.binary(max_size=4)
        )
    read(packed(PLAIN | {"archive/data.pkl": bytes(pickle)}), tmp_path)


@given(st.data())
@NOISE
def test_changed_archives(tmp_path: Path, data: st.DataObject) -> None:
    archive = bytearray(packed(PLAIN))
    # The directory stands at the end.
    place = st.integers(len(archive) - 600, len(archive)) | st.integers(0, len(archive))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(place)
        archive[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    read(bytes(archive), tmp_path)


@given(VALUES)
@NOISE
def test_calls_with_other_arguments(tmp_path: Path, content: object) -> None:
    read(packed(members(content)), tmp_path)


def test_reading_needs_no_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    save(CONTENT, tmp_path / "file.pt")
    assert list(read_torch_file(tmp_path / "file.pt")) == list(CONTENT)  # pyright: ignore


def test_the_largest_pickle_takes_bounded_memory(tmp_path: Path) -> None:
    """The archive's limit of the pickle stands before anything is read of it."""
    files = {"archive/data.pkl": b"\x80\x02" + b"}" * (1 << 24) + b"."}
    (tmp_path / "file.pt").write_bytes(packed(files))
    with pytest.raises(KanError, match="larger than 4194304 bytes"):
        read_torch_file(tmp_path / "file.pt")
