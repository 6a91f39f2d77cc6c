"""Loads models from files of any kind: IR as text, or a file that a frontend reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, ModuleOp, StringAttr
from xdsl.parser import Parser
from xdsl.universe import Universe

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import (
    NO_OPTIONS,
    ImportOptions,
    Original,
    frontend_for,
    import_file,
    original_of,
)
from kan_dialect.ir.constants import DenseAttr, has_supported_type, is_well_formed
from kan_dialect.ir.verifier import require_order
from kan_dialect.limits import require_tensors
from kan_dialect.model.model import Model
from kan_dialect.passbase.record import settle_record


def make_context() -> Context:
    """A context that knows every dialect of the environment, loaded when first met."""
    context = Context()
    for name, factory in Universe.get_multiverse().all_dialects.items():
        context.register_dialect(name, factory)
    return context


def extension_of(path: Path) -> str:
    """What decides the frontend: the file's extension, in lower case, without its dot."""
    return path.suffix[1:].lower()


def read_bytes(path: Path) -> bytes:
    """The file's content.

    Raises
    ------
    KanError : there is no such file, or it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise KanError(f"there is no file {path}") from None
    except OSError as error:
        raise KanError(f"cannot read {path}: {error.strerror}") from None


_STRINGS = re.compile(
    r'(?:[^"/]++|//[^\n]*+|/|"(?:[^"\\\n\v\f]++|\\(?:["nt\\]|[0-9A-Fa-f]{2}))*+")*+'
)
"""IR up to the first string that is none; possessive, so that it takes linear time."""


def require_text(data: bytes, name: str) -> bytes:
    """The data, if it is text of tensors that can be had.

    Raises
    ------
    KanError : it is none, a string in it does not end, or it names a huge tensor.
    """
    require_tensors(data, name)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise KanError(
            f"{name} is no text", remedy="IR in MLIR's textual form was expected"
        ) from None
    # xDSL's own pattern for strings takes for ever to find that a long one does not end.
    end = _STRINGS.match(text).end()  # pyright: ignore[reportOptionalMemberAccess] (it may be empty)
    if end < len(text):
        line = text.count("\n", 0, end) + 1
        raise KanError(
            f"{name}:{line}: a string does not end, or has an escape that MLIR does not know",
            remedy="is the file complete?",
        )
    return data


def parse_text(context: Context, data: bytes, name: str) -> ModuleOp:
    """IR from its textual form.

    Raises
    ------
    KanError : the data is no text. ParseError : it is no IR.
    """
    return parse_module(Parser(context, require_text(data, name).decode(), name))


def parse_module(parser: Parser, *, allow_implicit: bool = True) -> ModuleOp:
    """The module that a parser reads; its record of passes says so where the text was edited.

    Raises
    ------
    KanError : a constant has another number of elements than its type says.
    ParseError : it is none; also where xDSL's parser itself stumbles, as over an integer that is
        out of its type's range.
    """
    try:
        module = parser.parse_module(allow_implicit)
    except _STUMBLES as error:
        if "integer string conversion" in str(error):
            raise KanError("a number in the input has thousands of digits") from None
        parser.raise_error(str(error) or "invalid")
    for op in module.walk():
        for attribute in (*op.properties.values(), *op.attributes.values()):
            if isinstance(attribute, DenseIntOrFPElementsAttr):
                constant = cast(DenseAttr, attribute)
                if has_supported_type(constant) and not is_well_formed(constant):
                    # Refused before verifiers see it: xDSL cannot print it in their messages.
                    raise KanError(
                        f"'{op.name}': a constant holds a wrong number of elements for "
                        f"{constant.type}"
                    )
    settle_record(module)
    return module


_STUMBLES = (ValueError, TypeError, KeyError, IndexError, ArithmeticError, AssertionError)
"""What xDSL's parser ends in on text that means nothing, beside its own errors."""


def rename(module: ModuleOp, name: str | None) -> None:
    """Give the one function or hardware module another name, where there is one.

    Raises
    ------
    KanError : there is not one model in the module.
    """
    if name is not None:
        Model.of(module).op.sym_name = StringAttr(name)


def options_for(path: Path) -> frozenset[str]:
    """Names of the options that the import of a file takes.

    Raises
    ------
    KanError : there is no such file, or no frontend for it.
    """
    require_file(path)
    return frozenset() if extension_of(path) == "mlir" else frontend_for(path).options


def load_original(path: Path, options: ImportOptions) -> Original | None:
    """A model as its own runtime computes it; None of IR, and of files that have no runtime.

    Raises
    ------
    KanError : there is no such file, no frontend for it, or it cannot be run.
    """
    require_file(path)
    return None if extension_of(path) == "mlir" else original_of(path, options)


IR_READER = "reading IR"
"""Who reads .mlir, for messages."""


def load_model(context: Context, path: Path, options: ImportOptions = NO_OPTIONS) -> ModuleOp:
    """The module in a file, verified.

    Raises
    ------
    KanError : no such file, no frontend for its extension, it takes no such options, or the
        frontend refuses it.
    """
    if extension_of(path) == "mlir":
        options.require_none(path.name, IR_READER)
        module = parse_text(context, read_bytes(path), str(path))
    else:
        require_file(path)
        module = import_file(path, options)
    module.verify()
    require_order(module)
    return module


def require_file(path: Path) -> None:
    """Refuse a file that is not there, before a frontend's libraries are loaded.

    Raises
    ------
    KanError : there is no such file, or it is a folder.
    """
    if not path.exists():
        raise KanError(f"there is no file {path}")
    if path.is_dir():
        raise KanError(f"cannot read {path}: it is a folder")
