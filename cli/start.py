"""Entry points of the commands: what must be done before the large libraries are loaded.

Ctrl-C while they are loaded ends the command with its message, and a standard stream that is closed
is replaced, so that no file which a library opens takes its place.

NumPy's linear algebra has one thread, unless the environment says otherwise
(`OPENBLAS_NUM_THREADS`). More of them wait in loops when NumPy is loaded, which takes up to 0.1 s
of processor time, and the commands' matrices are too small to gain from them.

Modules live until the end of the process. Python's collector does not visit their objects, neither
while they are loaded nor at the end: this takes a quarter of the time of a short command.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from importlib import import_module
from typing import NoReturn

from kan_dialect.cli.standard_streams import open_streams


def _start(tool: str, module: str, *, collects: bool = True) -> NoReturn:
    """Load the module and run its `main`; `collects`: with Python's collector running."""
    open_streams()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    def leave(_number: int, _frame: object) -> None:
        # Nothing is begun: an exception might become another one in a library that is loaded.
        os.write(2, f"{tool}: interrupted\n".encode())
        os._exit(130)

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, leave)
    gc.disable()
    try:
        loaded = import_module(module)
        gc.freeze()
        if collects:
            gc.enable()
        loaded.main()
    finally:
        # All is done, or told.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gc.freeze()
    sys.exit()


def kan_opt() -> NoReturn:
    """`kan-opt`. It holds one module, which is needed to the end."""
    _start("kan-opt", "kan_dialect.cli.kan_opt", collects=False)


def kan_run() -> NoReturn:
    """`kan-run`."""
    _start("kan-run", "kan_dialect.cli.kan_run")


def kan_flow() -> NoReturn:
    """`kan-flow`."""
    _start("kan-flow", "kan_dialect.cli.kan_flow")
