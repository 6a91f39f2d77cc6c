"""Sends samples to a board over its serial port and compares the results with the integer model.

    python host.py DESIGN --data D.npz [--samples N] PORT

DESIGN is the folder of the build that the board runs, PORT its serial port: /dev/ttyUSB0, ..., or
the terminal that simulate.py prints. The integer model is the emulator that the build wrote in C:
this script needs NumPy and a C compiler, and nothing else.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import termios
import time
import tty
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]


class SerialPort:
    """A serial port at 1 Mbaud, 8N1, raw."""

    def __init__(self, name: str) -> None:
        self._file = os.open(name, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._file)
        settings = termios.tcgetattr(self._file)
        settings[4] = settings[5] = termios.B1000000
        settings[6][termios.VMIN], settings[6][termios.VTIME] = 0, 50  # 5 s without a byte
        termios.tcsetattr(self._file, termios.TCSANOW, settings)

    def send_break(self) -> None:
        """Reset the network, so that the next byte begins a sample; drop what is on the way."""
        termios.tcsendbreak(self._file, 0)
        time.sleep(0.02)
        termios.tcflush(self._file, termios.TCIFLUSH)

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._file, data) :]

    def read(self, size: int) -> bytes:
        """`size` bytes, or an error where none comes for five seconds."""
        data = b""
        while len(data) < size:
            part = os.read(self._file, size - len(data))
            if not part:
                sys.exit(f"the board sent {len(data)} of {size} bytes, then nothing")
            data += part
        return data


def host_module(design: Path, name: str) -> ModuleType:
    """A Python module that the build wrote into `host/`."""
    spec = importlib.util.spec_from_file_location(name, design / "host" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def samples_of(path: Path) -> tuple[NDArray[np.float64], list[str]]:
    """The test samples in a file, or all of its samples: (samples, inputs); names of features."""
    if not zipfile.is_zipfile(path):
        sys.exit(f"{path} is not an .npz file; save samples as x with numpy.savez")
    with np.load(path) as data:
        name = "x_test" if "x_test" in data else "x"
        if name not in data:
            sys.exit(f"{path} has no samples: it holds no array x")
        names = data["feature_names"].tolist() if "feature_names" in data else []
        return data[name], names


def size_of(port: dict[str, Any]) -> int:
    """Bytes of a port on the bus."""
    return -(-port["bits"] // 8)


def packed(codes: Codes, ports: list[dict[str, Any]]) -> bytes:
    """The bytes of a sample: each port in whole bytes, lowest first, extended by its sign."""
    return b"".join(
        int(code).to_bytes(size_of(port), "little", signed=port["signed"])
        for code, port in zip(codes, ports, strict=True)
    )


def unpacked(data: bytes, ports: list[dict[str, Any]]) -> list[int]:
    """The codes of a result's bytes, a port each."""
    codes: list[int] = []
    first = 0
    for port in ports:
        field = data[first : first + size_of(port)]
        codes.append(int.from_bytes(field, "little", signed=port["signed"]))
        first += len(field)
    return codes


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("design", type=Path, help="folder of a build")
    parser.add_argument("--data", type=Path, required=True, help="samples: x_test, else x")
    parser.add_argument("--samples", type=int, default=None, help="the first N of them")
    parser.add_argument("port", help="serial port of the board")
    arguments = parser.parse_args()

    report = json.loads((arguments.design / "report.json").read_text())
    ports = [port for port in report["ports"] if "low" in port]
    inputs, outputs = ([p for p in ports if p["direction"] == d] for d in ("input", "output"))
    x, features = samples_of(arguments.data)
    codec = host_module(arguments.design, f"{report['name']}_codec")
    try:
        codec.require_features(features)
    except ValueError as error:
        sys.exit(f"{arguments.data}: {error}")
    emulator = host_module(arguments.design, f"{report['name']}_emulator")
    codes = codec.encode(x[: arguments.samples])

    port = SerialPort(arguments.port)
    port.send_break()
    results: list[list[int]] = []
    begin = time.perf_counter()
    for code in codes:  # the result of a sample comes before the next is sent: nothing is lost
        port.write(packed(code, inputs))
        results.append(unpacked(port.read(sum(map(size_of, outputs))), outputs))
    seconds = time.perf_counter() - begin
    got: Codes = np.array(results)
    expected = emulator.run_codes(codes)
    wrong = int((got != expected).any(axis=1).sum())
    print(f"{len(got)} samples, {wrong} differ from the integer model ({len(got) / seconds:.0f}/s)")
    print(f"first result: {codec.decode(got[:1])[0].tolist()}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
