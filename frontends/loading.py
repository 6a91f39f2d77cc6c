"""Loads models: IR in textual form, or model files that a frontend reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from xdsl.context import Context
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, ModuleOp, StringAttr
from xdsl.ir import Operation

from kan_dialect.deferred import deferred
from kan_dialect.errors import KanError
from kan_dialect.frontends.elided import ElidedFrom, require_complete
from kan_dialect.frontends.frontend import (
    NO_OPTIONS,
    ImportOptions,
    Original,
    frontend_for,
    import_file,
    original_of,
)
from kan_dialect.frontends.op_places import PlacedParser, verify_placed
from kan_dialect.ir.constants import ELIDED, DenseAttr, has_supported_type, is_well_formed
from kan_dialect.ir.operation import op_text
from kan_dialect.limits import require_tensors
from kan_dialect.multiverse import installed_universe
from kan_dialect.passbase.record import settle_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from kan_dialect.model.model import Model

_model_of = cast("Callable[[ModuleOp], Model]", deferred("kan_dialect.model.model", "Model.of"))


RENAMED = {"kan.bits": "kan.extract", "kan.lookup": "kan.tables"}
"""Names of ops in IR of version 0.2, with the names of today."""


class KanContext(Context):
    """A context that reads ops of older IR, too."""

    def get_optional_op(
        self, name: str, *, dialect_stack: Sequence[str] = ()
    ) -> type[Operation] | None:
        return super().get_optional_op(RENAMED.get(name, name), dialect_stack=dialect_stack)


def make_context() -> Context:
    """A context with every installed dialect; a dialect is loaded at its first use."""
    context = KanContext()
    for name, factory in installed_universe().all_dialects.items():
        context.register_dialect(name, factory)
    return context


def extension_of(path: Path) -> str:
    """The file's extension in lower case, without its dot; it selects the frontend."""
    return path.suffix[1:].lower()


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises
    ------
    KanError : the file is missing or cannot be read.
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
"""IR up to the first malformed string. Possessive quantifiers keep the match linear in time."""


def require_text(data: bytes, name: str) -> bytes:
    """Return the data if it is text with complete strings and tensors of bearable size.

    Parameters
    ----------
    name : of the file, for messages.

    Raises
    ------
    KanError : the data is not text, a string in it is malformed, or a tensor is too large.
    """
    require_tensors(data, name)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise KanError(
            f"{name} is not text", remedy="IR in MLIR's textual form was expected"
        ) from None
    # xDSL's own pattern for strings takes extremely long to reject a long string without an end.
    end = _STRINGS.match(text).end()  # pyright: ignore[reportOptionalMemberAccess] (it may be empty)
    if end < len(text):
        line = text.count("\n", 0, end) + 1
        raise KanError(
            f"{name}:{line}: a string does not end, or has an escape that MLIR does not know",
            remedy="is the file complete?",
        )
    return data


def parse_text(context: Context, data: bytes, name: str) -> ModuleOp:
    """Parse IR from its textual form.

    Raises
    ------
    KanError : the data is not text.
    ParseError : the text is not IR.
    """
    return parse_module(PlacedParser(context, require_text(data, name).decode(), name))


def parse_module(
    parser: PlacedParser, *, allow_implicit: bool = True, original: ElidedFrom | None = None
) -> ModuleOp:
    """Parse a module. Its record of passes notes an edit of the text since it was printed.

    Parameters
    ----------
    original : fills the constants that were left out of the text.

    Raises
    ------
    KanError : a constant is left out, or the number of its elements is not that of its type.
    ParseError : the text is not a module. Exceptions of xDSL's parser itself become a ParseError,
        for example those for an integer outside the range of its type.
    """
    try:
        module = parser.parse_module(allow_implicit)
    except _STUMBLES as error:
        if "integer string conversion" in str(error):
            raise KanError("a number in the input has thousands of digits") from None
        if "instantiate abstract class" in str(error):
            # The parser stands behind the op by now, so its place would mislead.
            raise KanError(str(error), remedy="give the op every method of its interface") from None
        parser.raise_error(str(error) or "invalid")
    if ELIDED in parser.places.text:
        if original is not None:
            original.fill(module, parser.places)
        require_complete(module, parser.places)
    for op in module.walk():
        for attribute in (*op.properties.values(), *op.attributes.values()):
            if isinstance(attribute, DenseIntOrFPElementsAttr):
                constant = cast(DenseAttr, attribute)
                if has_supported_type(constant) and not is_well_formed(constant):
                    # Refused before verifiers see it: xDSL cannot print it in their messages.
                    message = f"a constant holds a wrong number of elements for {constant.type}"
                    raise KanError(parser.places.located(op, f"{op_text(op)}: {message}"))
    settle_record(module)
    return module


_STUMBLES = (ValueError, TypeError, KeyError, IndexError, ArithmeticError, AssertionError)
"""Exceptions of xDSL's parser on malformed text, beside ParseError."""


def rename(module: ModuleOp, name: str | None) -> None:
    """Rename the model: the one function or hardware module. None keeps its name.

    Raises
    ------
    KanError : the module does not hold exactly one model.
    """
    if name is not None:
        _model_of(module).op.sym_name = StringAttr(name)


def options_for(path: Path) -> frozenset[str]:
    """Names of the options that the import of a file takes.

    Raises
    ------
    KanError : the file is missing, or no frontend reads it.
    """
    require_file(path)
    return frozenset() if extension_of(path) == "mlir" else frontend_for(path).options


def load_original(path: Path, options: ImportOptions) -> Original | None:
    """A model in its own runtime, such as ONNX Runtime; None for IR and files without a runtime.

    Raises
    ------
    KanError : the file is missing, no frontend reads it, or the runtime refuses it.
    """
    require_file(path)
    return None if extension_of(path) == "mlir" else original_of(path, options)


IR_READER = "reading IR"
"""The reader of .mlir files, for messages."""


def load_model(context: Context, path: Path, options: ImportOptions = NO_OPTIONS) -> ModuleOp:
    """Load and verify the module in a file.

    Raises
    ------
    KanError : the file is missing, no frontend reads it, the frontend does not take one of the
        options, or it refuses the model.
    VerifyException : the IR is invalid.
    """
    if extension_of(path) == "mlir":
        options.require_none(path.name, IR_READER)
        return load_text(context, read_bytes(path), str(path))
    require_file(path)
    module = import_file(path, options)
    verify_placed(module, None)
    return module


def load_text(context: Context, data: bytes, name: str) -> ModuleOp:
    """The module of a text, verified.

    Raises
    ------
    KanError : the data is no text, or its module does not verify; names the op's line and column.
    ParseError : it is no IR.
    """
    parser = PlacedParser(context, require_text(data, name).decode(), name)
    module = parse_module(parser)
    verify_placed(module, parser.places)
    return module


def require_file(path: Path) -> None:
    """Refuse a missing file before the libraries of a frontend are loaded.

    Raises
    ------
    KanError : the file is missing, or is a folder.
    """
    if not path.exists():
        raise KanError(f"there is no file {path}")
    if path.is_dir():
        raise KanError(f"cannot read {path}: it is a folder")
