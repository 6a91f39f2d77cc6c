"""Speed of the emulator in C, in samples a second on one core.

    python benchmarks/emulator_speed.py

Compiled once with `cc -O2`, as the Python module of a build does it. Random vectors, in and out of
memory; the best of ten runs. `NAME_run` alone, then `run_codes` and `predict` of the Python module,
which check, convert and encode in NumPy. Nothing here asserts a time.
"""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from kan_dialect.files.data_sets import load_dataset
from kan_dialect.flows.host.codec import write_host
from kan_dialect.flows.host.emulator import write_emulator
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model

EXAMPLES = Path(__file__).parent.parent / "examples"
SAMPLES = 1 << 18


def measure(name: str, bits: int) -> None:
    """Compile the emulator and print its speed."""
    context, data = make_context(), EXAMPLES / f"{name}.npz"
    samples = load_dataset(data).x
    module = load_model(context, EXAMPLES / f"{name}.onnx", ImportOptions(samples=samples))
    for stage in CompilePass(data=str(data), bits=bits).expand():
        if stage.name == "kan-expand-wires":
            break
        stage.apply(context, module)
    model = Model.of(module)
    interface = model.interface()
    codes = stimuli(interface, random=SAMPLES)[-SAMPLES:]
    x = np.resize(samples, (SAMPLES, samples.shape[1]))
    with tempfile.TemporaryDirectory(prefix="kan-speed-") as folder:
        write_host(Path(folder), interface)
        write_emulator(context, Path(folder), model, interface)
        began = time.perf_counter()
        loaded = _module(Path(folder) / f"{name}_emulator.py")
        assert (loaded.run_codes(codes[:1000]) == model.run_codes(codes[:1000])).all()
        print(f"{name}, {bits} bits: compiled in {time.perf_counter() - began:.2f} s")
        source, result = codes.astype(np.int32), np.empty((SAMPLES, len(interface.outputs)), "i4")
        run = getattr(loaded._library(), f"{name}_run")
        pointers = [ctypes.c_void_p(each.ctypes.data) for each in (source, result)]
        for what, call in (
            (f"{name}_run, C", lambda: run(SAMPLES, *pointers)),
            ("run_codes, NumPy", lambda: loaded.run_codes(source)),
            ("predict, NumPy", lambda: loaded.predict(x)),
        ):
            print(f"  {what}: {SAMPLES / min(_seconds(call) for _ in range(10)):.3g} samples/s")


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    version = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True)
    print(f"# Python {platform.python_version()}, {version.stdout.splitlines()[0]}")
    measure("wine", 6)
    measure("digits", 8)


if __name__ == "__main__":
    main()
