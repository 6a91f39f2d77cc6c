"""IP-XACT descriptions of the top module, IEEE 1685-2014 and 1685-2022.

Source: IEEE Std 1685-2014 and 1685-2022, clause 6 (component); their XML schemas by Accellera. Bus
definitions are those that Arm publishes for AMBA.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from kan_dialect.flows.projects.design import LIBRARY, VENDOR, VERSION, ProjectDesign, TopPort
from kan_dialect.flows.projects.ipxact_elements import Edition, Elements
from kan_dialect.flows.projects.ipxact_registers import MEMORY_MAP, memory_maps

_XSI = "http://www.w3.org/2001/XMLSchema-instance"


@dataclass(frozen=True)
class _Bus:
    """A bus definition, and the prefix of the ports that belong to it."""

    prefix: str
    name: str
    version: str
    is_initiator: bool


_BUSES = (
    _Bus("s_axis", "AXI4Stream", "r0p0_1", False),
    _Bus("m_axis", "AXI4Stream", "r0p0_1", True),
    _Bus("s_axi", "AXI4-Lite", "r0p0", False),
)

_COMMON = {"aclk": "ACLK", "aresetn": "ARESETn"}
"""Ports that all buses of a wrapper share, and their names in the bus definitions."""


def component(design: ProjectDesign, edition: Edition) -> str:
    """The text of `component.xml`.

    Parameters
    ----------
    edition : year of the standard.
    """
    return _Writer(edition).component(design)


@dataclass(frozen=True)
class _Writer(Elements):
    """Writes the parts of a component."""

    def component(self, design: ProjectDesign) -> str:
        root = self.element(
            "component",
            self.text("vendor", VENDOR),
            self.text("library", LIBRARY),
            self.text("name", design.top),
            self.text("version", VERSION),
            *self._description_first(design),
            *self._bus_interfaces(design),
            *self._memory_maps(design),
            self._model(design),
            self._file_sets(design),
            *self._description_last(design),
        )
        root.set(f"{{{_XSI}}}schemaLocation", f"{self.namespace} {self.namespace}/index.xsd")
        ElementTree.register_namespace("ipxact", self.namespace)
        ElementTree.register_namespace("xsi", _XSI)
        ElementTree.indent(root)
        text = ElementTree.tostring(root, encoding="unicode")
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'

    def _description_first(self, design: ProjectDesign) -> Iterator[Element]:
        """2022 describes a document beside its name, 2014 at its end."""
        if self.edition == 2022:
            yield self.text("description", _description(design))

    def _description_last(self, design: ProjectDesign) -> Iterator[Element]:
        if self.edition == 2014:
            yield self.text("description", _description(design))

    def _bus_interfaces(self, design: ProjectDesign) -> Iterator[Element]:
        common = [port.name for port in design.ports if port.name in _COMMON]
        interfaces = [
            self._bus_interface(bus, members, common, design)
            for bus in _BUSES
            if (members := [p for p in design.ports if p.name.startswith(f"{bus.prefix}_")])
        ]
        if interfaces:
            yield self.element("busInterfaces", *interfaces)

    def _bus_interface(
        self, bus: _Bus, members: Sequence[TopPort], common: Iterable[str], design: ProjectDesign
    ) -> Element:
        def reference(kind: str, suffix: str) -> Element:
            found = self.element(kind)
            names = {"vendor": "amba.com", "library": "AMBA4", "name": f"{bus.name}{suffix}"}
            for key, value in {**names, "version": bus.version}.items():
                found.set(key, value)
            return found

        logical = {port.name: port.name.removeprefix(f"{bus.prefix}_").upper() for port in members}
        logical |= {name: _COMMON[name] for name in common}
        maps = (
            self.element(
                "portMap",
                self.element("logicalPort", self.text("name", name)),
                self.element("physicalPort", self.text("name", port)),
            )
            for port, name in logical.items()
        )
        kinds = ("slave", "master") if self.edition == 2014 else ("target", "initiator")
        reached: list[Element] = []
        if bus.name == "AXI4-Lite" and design.registers is not None:
            reached.append(self.text("memoryMapRef", "", {"memoryMapRef": MEMORY_MAP}))
        return self.element(
            "busInterface",
            self.text("name", bus.prefix),
            reference("busType", ""),
            self.element(
                "abstractionTypes",
                self.element(
                    "abstractionType",
                    reference("abstractionRef", "_rtl"),
                    self.element("portMaps", *maps),
                ),
            ),
            self.element(kinds[bus.is_initiator], *reached),
        )

    def _memory_maps(self, design: ProjectDesign) -> Iterator[Element]:
        if design.registers is not None:
            yield memory_maps(design.registers, self)

    def _model(self, design: ProjectDesign) -> Element:
        languages = {"rtl": "SystemVerilog", **({"vhdl": "VHDL"} if design.vhdl else {})}
        views = (
            self.element(
                "view",
                self.text("name", name),
                self.text("envIdentifier", f"{language}:*Synthesis:"),
                self.text("componentInstantiationRef", name),
            )
            for name, language in languages.items()
        )
        instantiations = (
            self.element(
                "componentInstantiation",
                self.text("name", name),
                self.text("language", language),
                self.text("moduleName", design.top),
                self.element("fileSetRef", self.text("localName", name)),
            )
            for name, language in languages.items()
        )
        return self.element(
            "model",
            self.element("views", *views),
            self.element("instantiations", *instantiations),
            self.element("ports", *(self._port(port, design) for port in design.ports)),
        )

    def _port(self, port: TopPort, design: ProjectDesign) -> Element:
        wire = self.element("wire", self.text("direction", "out" if port.is_output else "in"))
        if self.edition == 2022:
            wire.extend(self._qualifier(port, design))
        if port.bits > 1:
            bounds = (self.text("left", str(port.bits - 1)), self.text("right", "0"))
            wire.append(self.element("vectors", self.element("vector", *bounds)))
        return self.element("port", self.text("name", port.name), wire)

    def _qualifier(self, port: TopPort, design: ProjectDesign) -> Iterator[Element]:
        """What a port is for. Ports of a wire in 2014 have no qualifier."""
        if port.is_clock:
            yield self.element("qualifier", self.text("isClock", "true"))
        elif port == design.reset:
            reset = self.text("isReset", "true")
            reset.set("level", "low" if port.name.endswith("n") else "high")
            yield self.element("qualifier", reset)

    def _file_sets(self, design: ProjectDesign) -> Element:
        sets = {"rtl": design.sources}
        if design.testbench:
            sets["testbench"] = design.testbench
        if design.vhdl:
            sets["vhdl"] = design.vhdl
        if design.vhdl_testbench:
            sets["testbench_vhdl"] = design.vhdl_testbench
        return self.element("fileSets", *(self._file_set(*each) for each in sets.items()))

    def _file_set(self, name: str, paths: Sequence[str]) -> Element:
        return self.element(
            "fileSet", self.text("name", name), *(self._file(path) for path in paths)
        )

    def _file(self, path: str) -> Element:
        if path.endswith(".sv"):
            kind = self.text("fileType", "systemVerilogSource")
        elif path.endswith(".vhd"):
            # The edition of 2014 has no name for VHDL-2008.
            year = "-2008" if self.edition == 2022 else ""
            kind = self.text("fileType", f"vhdlSource{year}")
        else:
            kind = self.text("fileType", "user", {"user": "memory contents for $readmemh"})
        return self.element("file", self.text("name", f"../{path}"), kind)


def _description(design: ProjectDesign) -> str:
    return f"Kolmogorov-Arnold network {design.name}, written by kan-dialect"
