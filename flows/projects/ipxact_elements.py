"""Elements of IP-XACT documents, in the namespace of an edition of the standard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element

Edition = Literal[2014, 2022]
"""Year of the standard."""


@dataclass(frozen=True)
class Elements:
    """Makes elements of an edition's namespace."""

    edition: Edition

    @property
    def namespace(self) -> str:
        """The address that names the edition."""
        return f"http://www.accellera.org/XMLSchema/IPXACT/1685-{self.edition}"

    def element(self, tag: str, *children: Element) -> Element:
        """An element with others inside."""
        found = Element(f"{{{self.namespace}}}{tag}")
        found.extend(children)
        return found

    def text(self, tag: str, text: str, attributes: Mapping[str, str] | None = None) -> Element:
        """An element with a text inside."""
        found = self.element(tag)
        found.text = text
        found.attrib.update(attributes or {})
        return found
