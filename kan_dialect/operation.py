"""The base class of the dialect's ops."""

from __future__ import annotations

from abc import ABC

from xdsl.dialects.builtin import StringAttr
from xdsl.irdl import IRDLOperation
from xdsl.utils.exceptions import VerifyException


class KanOperation(IRDLOperation, ABC):
    """An op whose verification errors name it, as MLIR's do; it may name a wire in the RTL."""

    @property
    def given_name(self) -> str | None:
        """The name that the op's value carries to the RTL; IR calls it `name`."""
        name = self.properties.get("name")
        return name.data if isinstance(name, StringAttr) else None

    def verify(self, verify_nested_ops: bool = True) -> None:
        try:
            super().verify(verify_nested_ops)
        except VerifyException as error:
            given = "" if self.given_name is None else f' "{self.given_name}"'
            error.args = (f"'{self.name}' op{given}: {error}",)
            raise


def optional_name(name: str | None) -> StringAttr | None:
    """The `name` property, where there is one."""
    return None if name is None else StringAttr(name)
