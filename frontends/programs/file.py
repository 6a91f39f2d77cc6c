"""Reads the JSON of da4ml's and alkaid's programs: `CombLogic.save`, `comb.json` of their RTL.

da4ml 0.4 to 0.6 write a list, `CombLogic`'s fields. alkaid writes an object around it, with the
version of its operations.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from kan_dialect.errors import KanError
from kan_dialect.files.strict_json import parse_json
from kan_dialect.frontends.programs.fields import (
    as_codes,
    as_exponent,
    as_integers,
    as_list,
    as_object,
)
from kan_dialect.frontends.programs.program import Operation, Program, Table, Term
from kan_dialect.frontends.programs.rows import (
    LIST_VERSION,
    PACKED_VERSION,
    SHIFTING_VERSION,
    UNPACKED_VERSION,
    read_operation,
)
from kan_dialect.quoting import quoted, reason

MAX_OPERATIONS = 1 << 19
"""The most operations: each becomes ops, of some 20 KiB."""
MAX_FILE_BYTES = 1 << 29
"""The most bytes of a file once it is unpacked."""

_META = ("ALIRModel", "DAISModel")
_VERSIONS = (PACKED_VERSION, UNPACKED_VERSION, SHIFTING_VERSION)
_REMEDY = "write it again with CombLogic.save of da4ml or alkaid"


def is_program(path: Path) -> bool:
    """Whether the JSON of a file is a list, or an object with the key `meta`.

    A list that is cut short is a program, which `read_program` refuses.
    """
    try:
        data = _unpacked(path)
        content = None if data.lstrip().startswith(b"[") else parse_json(data)
    except (KanError, ValueError, RecursionError):
        return False
    return content is None or (isinstance(content, dict) and "meta" in content)


def read_program(path: Path) -> Program:
    """Read a program.

    Raises
    ------
    KanError : the file holds no program; or an operation is malformed, reads a later result,
        multiplies two values, or is not known.
    """
    data = _unpacked(path)
    try:
        return _program(parse_json(data), path.name)
    except (ValueError, RecursionError) as error:
        raise KanError(f"{path.name} is not JSON: {reason(error)}", remedy=_REMEDY) from None
    except KanError as error:
        raise KanError(f"{path.name}: {error.message}", remedy=error.remedy or _REMEDY) from None


def _unpacked(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError) as error:
        raise KanError(f"cannot read {path}: {reason(error)}") from None
    if len(data) > MAX_FILE_BYTES:
        raise KanError(f"{path.name} has more than {MAX_FILE_BYTES} bytes")
    return data


def _program(content: object, name: str) -> Program:
    version, content = _version(content)
    fields = as_list(content, "the program")
    if len(fields) == 1:
        raise KanError(
            "this is a pipeline of several programs", remedy="save the program before it is cut"
        )
    if len(fields) not in (8, 9):
        raise KanError(f"a program has 8 or 9 fields, not {len(fields)}")
    inputs, outputs = as_integers(fields[0], "field 0", 2)
    shifts = as_integers(fields[1], "field 1", inputs)
    tables = as_list(fields[8], "field 8") if fields[8:] and fields[8] is not None else []
    rows = as_list(fields[5], "field 5")
    if len(rows) > MAX_OPERATIONS:
        raise KanError(f"{len(rows)} operations, more than {MAX_OPERATIONS}")
    limits = {"input": inputs, "table": len(tables)}
    return Program(
        name,
        tuple(as_exponent(each, "an input's shift") for each in shifts),
        tuple(_operation(row, number, version, limits) for number, row in enumerate(rows)),
        tuple(_table(each, f"table {number}") for number, each in enumerate(tables)),
        _results(fields[2:5], outputs, len(rows)),
    )


def _version(content: object) -> tuple[int, object]:
    """The version of the operations, and the fields of the program."""
    if isinstance(content, list):
        return LIST_VERSION, cast("list[object]", content)
    entry = as_object(content, "the file")
    version = entry.get("spec_version")
    if entry.get("meta") not in _META or version not in _VERSIONS:
        raise KanError(
            f"the program is of kind {quoted(entry.get('meta'))} and version {quoted(version)}; "
            f"versions {', '.join(map(str, _VERSIONS))} of {' or '.join(_META)} are read"
        )
    return cast("int", version), entry.get("model")


def _operation(content: object, number: int, version: int, limits: dict[str, int]) -> Operation:
    try:
        found = read_operation(content, number, version)
        if not 0 <= found.index < limits.get(found.kind, 1):
            raise KanError(f"it reads {found.kind} {found.index} of {limits[found.kind]}")
    except KanError as error:
        raise KanError(f"operation {number}: {error.message}", remedy=error.remedy) from None
    return found


def _results(fields: Sequence[object], outputs: int, operations: int) -> tuple[Term | None, ...]:
    indices, shifts = (as_integers(fields[n], f"field {n + 2}", outputs) for n in (0, 1))
    signs = as_list(fields[2], "field 4", outputs)
    if not outputs:
        raise KanError("the program has no outputs")
    found: list[Term | None] = []
    for place, (index, shift, sign) in enumerate(zip(indices, shifts, signs, strict=True)):
        if not -1 <= index < operations or sign not in (0, 1):
            raise KanError(f"output {place} is result {index}, of sign {quoted(sign)}")
        exponent = as_exponent(shift, f"the shift of output {place}")
        found.append(None if index < 0 else Term(index, bool(sign), exponent))
    return tuple(found)


def _table(content: object, where: str) -> Table:
    """A table. Its entries are taken modulo the range of its codes."""
    entry = as_object(content, where)
    given = as_object(as_object(entry.get("spec"), where).get("out_qint"), where)
    codes, _ = as_codes([given.get(name) for name in ("min", "max", "step")], where)
    entries = as_integers(entry.get("table"), where)
    if not entries:
        raise KanError(f"{where} has no entries")
    mask = (1 << codes.bits) - 1
    return Table(tuple(((each - codes.low) & mask) + codes.low for each in entries), codes)
