"""Models from files of any kind: IR as text, or whatever a frontend reads."""

from __future__ import annotations

from pathlib import Path

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.universe import Universe

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import frontend_for


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


def require_text(data: bytes, name: str) -> bytes:
    """The data, if it is text.

    Raises
    ------
    KanError : it is none.
    """
    try:
        data.decode()
    except UnicodeDecodeError:
        raise KanError(
            f"{name} is no text", remedy="IR in MLIR's textual form was expected"
        ) from None
    return data


def parse_text(context: Context, data: bytes, name: str) -> ModuleOp:
    """IR from its textual form.

    Raises
    ------
    KanError : the data is no text. ParseError : it is no IR.
    """
    return Parser(context, require_text(data, name).decode(), name).parse_module()


def load_model(context: Context, path: Path) -> ModuleOp:
    """The module in a file, verified.

    Raises
    ------
    KanError : no such file, no frontend for its extension, or the frontend refuses it.
    """
    if extension_of(path) == "mlir":
        module = parse_text(context, read_bytes(path), str(path))
    else:
        require_file(path)
        module = frontend_for(path).load(path)
    module.verify()
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
