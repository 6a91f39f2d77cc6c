"""Devices of other packages: found by name, checked when they are loaded."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kan_dialect.devices.device import (
    DEVICES,
    ECP5,
    REGISTRY,
    DeviceFamily,
    device,
    device_names,
)
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.place_and_route import placement_on
from kan_dialect.flows.tools.synthesis import yosys_of
from kan_dialect.frontends.frontend import frontend_for
from kan_dialect.passes.schedule import SchedulePass

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package that publishes an expression: a device or frontend."""

    def make(package: str, name: str, expression: str, group: str = "devices") -> None:
        (tmp_path / f"{package}.py").write_text(
            "from dataclasses import replace\n"
            "from kan_dialect.devices.device import *\n"
            "from kan_dialect.frontends.frontend import Frontend\n"
            f"RECORD = {expression}\n"
        )
        about = tmp_path / f"{package}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        entry = f"[kan_dialect.{group}]\n{name} = {package}:RECORD\n"
        (about / "entry_points.txt").write_text(entry)
        importlib.invalidate_caches()
        made.append(package)

    made: list[str] = []
    monkeypatch.syspath_prepend(tmp_path)
    device.cache_clear()
    yield make
    device.cache_clear()
    for package in made:
        sys.modules.pop(package, None)


def test_a_device_is_found_by_name(install: Install) -> None:
    install("their_family", "theirs", 'replace(ECP5, name="theirs", lut_inputs=5)')
    found = device("theirs")
    assert (type(found), found.lut_inputs) == (DeviceFamily, 5)
    assert SchedulePass(target="theirs").device is found
    assert device_names()[-1] == "theirs"
    with pytest.raises(KanError, match=r"no target 'their'; take one of xcup, .*, lut8, theirs"):
        SchedulePass(target="their")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("replace(ECP5, name='theirs', lut_inputs=2)", r"lut_inputs must be .* 3\.\.8, got 2"),
        ("replace(ECP5, name='theirs', lut_inputs='4')", "lut_inputs must be .* got '4'"),
        ("replace(ECP5, name='theirs', wide_inputs=3)", "wide_inputs must be 0 or more than"),
        ("replace(ECP5, name='theirs', timing=Timing(1, 0, 1, 1))", "timing.lut must be a pos"),
        (
            "replace(ECP5, name='theirs', timing=Timing(float('nan'), 1, 1, 1))",
            "timing.register must be a number, 0 or more, got nan",
        ),
        ("replace(ECP5, name='theirs', highest_mhz=0)", "highest_mhz must be a positive number"),
        ("replace(ECP5, name='theirs', adders=Adders(bit_luts=-1))", "adders.bit_luts must be"),
        ("replace(ECP5, name='theirs', adders=Adders(absorbed_luts=(1,) * 9))", "the length of"),
        (
            "replace(ECP5, name='theirs', adders=Adders(shortest_chain=2.5))",
            "adders.shortest_chain must be an integer in 0..64, got 2.5",
        ),
        (
            "replace(ECP5, name='theirs', yosys=replace(ECP5.yosys, lut='LUT4'))",
            "yosys.lut must have one group, the number of inputs, got 'LUT4'",
        ),
        (
            "replace(ECP5, name='theirs', yosys=replace(ECP5.yosys, register='['))",
            "yosys.register must be a regular expression, got",
        ),
        (
            "replace(ECP5, name='theirs', parts=(Part('P', 9, 9, 0, 0),), project_part='P')",
            "nextpnr needs a part with options for it",
        ),
        (
            "replace(ECP5, name='theirs', block_ram_shapes=((512, 0),))",
            r"block_ram_shapes must be pairs of words and bits, got \(\(512, 0\),\)",
        ),
        (
            "replace(ECP5, name='theirs', block_ram_shapes=((512, 36),))",
            "block_ram_reads of 2 needs two shapes or more",
        ),
        ("replace(ECP5, name='theirs', block_ram_reads=3)", r"block_ram_reads must be .* 1\.\.2"),
        ("replace(ECP5, name='theirs', vendor_tool='ise')", "vendor_tool must be one of vivado, "),
        ("ECP5", "its name is 'ecp5', but the entry point's is 'theirs'"),
        ("4", "their_family:RECORD is a int, not a DeviceFamily"),
        ("1 / 0", "cannot be loaded: division by zero"),
    ],
)
def test_a_wrong_record_is_refused(expression: str, message: str, install: Install) -> None:
    install("their_family", "theirs", expression)
    expected = f"device 'theirs' of the package their_family:? .*{message}.*; it is no part of kan"
    with pytest.raises(KanError, match=expected):
        device("theirs")
    assert device("ecp5") is ECP5


def test_two_packages_with_one_name_are_refused(install: Install) -> None:
    for package in ("one", "other"):
        install(package, "theirs", 'replace(ECP5, name="theirs")')
    with pytest.raises(KanError, match="packages one and other both have a device 'theirs'"):
        device("theirs")


@pytest.mark.parametrize(("name", "expression"), [("ecp5", "ECP5"), ("lut7", "generic(7)")])
def test_a_package_cannot_replace_one_of_ours(name: str, expression: str, install: Install) -> None:
    install("their_family", name, expression)
    message = rf"kan-dialect and their_family both have a .*'{name}'; uninstall their_family"
    with pytest.raises(KanError, match=message):
        device(name)
    assert device("ice40").name == "ice40"


def test_a_package_cannot_replace_a_frontend_of_ours(install: Install) -> None:
    install("their_reader", "theirs", 'Frontend("theirs", (".onnx",), "", print)', "frontends")
    message = r"kan-dialect and their_reader both have a frontend for \.onnx files"
    with pytest.raises(KanError, match=message):
        frontend_for(Path("net.onnx"))


def test_a_device_of_a_package_has_tools_and_parts(install: Install) -> None:
    install("their_family", "theirs", 'replace(ECP5, name="theirs")')
    assert yosys_of(device("theirs")) is ECP5.yosys
    assert placement_on("theirs-25").name == "theirs-25"


def test_our_own_devices_keep_the_rules() -> None:
    assert all(REGISTRY.problem(each) is None for each in DEVICES.values())
    assert REGISTRY.problem(replace(ECP5, shortest_shift=-1)) is not None
