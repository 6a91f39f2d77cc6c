"""Builds the C part of the searches into one library, `kan_dialect/search/c_searches.abi3.so`.

It is a plain library that ctypes loads (`kan_dialect/search/library.py`): it includes no header of
Python, so one wheel serves every Python, and no header has to be installed. Everything else about
the package is in `pyproject.toml`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import PlatformError

SEARCH = Path("kan_dialect/search")

LIBRARY = Extension(
    "kan_dialect.search.c_searches",
    sources=sorted(map(str, SEARCH.glob("*/c/*.c"))),
    depends=sorted(map(str, SEARCH.glob("*/c/*.h"))),
    # Floating-point operations are rounded one by one: results are the same on every machine.
    extra_compile_args=["-std=gnu11", "-O2", "-ffp-contract=off"],
    libraries=["m"],
    py_limited_api=True,
)


class BuildLibrary(build_ext):
    """Builds with `$CC`, the compiler that Python was built with, or another one on PATH."""

    def run(self) -> None:
        """
        Raises
        ------
        PlatformError : there is no C compiler.
        """
        known = (os.environ.get("CC"), sysconfig.get_config_var("CC"), "cc", "gcc", "clang")
        found = [each for each in known if each and shutil.which(shlex.split(each)[0])]
        if not found:
            raise PlatformError(
                "kan-dialect has searches in C, and no C compiler is on PATH: install one "
                "(Debian: apt install gcc; macOS: xcode-select --install; conda: gcc), or name "
                "one in the variable CC"
            )
        os.environ["CC"] = found[0]
        super().run()


setup(
    ext_modules=[LIBRARY],
    cmdclass={"build_ext": BuildLibrary},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
