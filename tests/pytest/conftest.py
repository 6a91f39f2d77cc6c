"""Fixtures that several test files use."""

from __future__ import annotations

import os

from repository import ROOT

# Before NumPy is imported: several tests run at a time, and threads that wait take time, too.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import signal
import sys
from collections.abc import Generator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp

from fuzz.designs import circt_export, circt_text
from kan_dialect.errors import KanError
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.flows.prove.text import check_text
from kan_dialect.lowering.form_carry_chains import FormCarryChainsPass
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.lut_modules import LutModule
from kan_dialect.lowering.map_tables import MapTablesPass
from kan_dialect.lowering.systemverilog import target
from kan_dialect.passbase.kan_pass import KanPass

# A loaded machine is no failure.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

CIRCT_MODULES = 20
"""Of the modules that a test lowers, the first so many are put through CIRCT."""
CIRCT_OPS = 2000
"""Larger modules are not put through CIRCT: it takes seconds."""
SUBSET_MODULES = 20
"""Of the modules that a test prints as SystemVerilog, the first so many are read again."""
SUBSET_CHARACTERS = 1 << 18
"""Longer texts are not: it takes tenths of a second."""


# What simulations have in common is compiled once.
os.environ.setdefault("KAN_CACHE", str(ROOT / "build" / "cache"))

COUNTED_SECONDS = 1.0
"""Of processor time for which a test's lines are counted, before Python 3.12."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Where lines are counted, only for the first second of a test: it takes as long again.

    What tests do later is what they did before, on other numbers. From Python 3.12 on lines are
    counted almost for nothing.
    """
    counter = Coverage.current()
    if counter is None or sys.version_info >= (3, 12):
        return (yield)
    stopped = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopped
        counter.stop()
        stopped = True

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, COUNTED_SECONDS)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        if stopped:
            counter.start()


WHOLE_FILE = "pytestmark = pytest.mark.torch"
"""In a test file that imports PyTorch as soon as it is read."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without the tests that need PyTorch, their files are not read: it takes seconds."""
    without_torch = "not torch" in config.option.markexpr
    if without_torch and collection_path.suffix == ".py" and collection_path.exists():
        return WHOLE_FILE in collection_path.read_text().splitlines() or None
    return None


def pytest_itemcollected(item: pytest.Item) -> None:
    """What takes the fixture `torch` needs PyTorch."""
    if "torch" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.torch)


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    """PyTorch; a test that takes it has the marker `torch`."""
    return pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def circt_conformance(monkeypatch: pytest.MonkeyPatch) -> None:
    """CIRCT parses, verifies, canonicalises and exports the modules that a test lowers."""
    if find_spec("circt") is None:
        return
    left = CIRCT_MODULES

    def check(owner: type[KanPass]) -> None:
        run = owner.run

        def checked(self: KanPass, ctx: Context, module: ModuleOp) -> bool:
            nonlocal left
            ran = run(self, ctx, module)
            if ran and left and sum(1 for _ in module.walk()) <= CIRCT_OPS:
                left -= 1
                try:
                    # What is no hardware yet, or of another package, this target refuses by itself.
                    text = circt_text(module)
                except KanError as error:
                    if "initial contents of a memory" not in str(error):
                        raise
                else:
                    circt_export(text)
            return ran

        monkeypatch.setattr(owner, "run", checked)

    check(LowerKanToHwPass)
    check(FormCarryChainsPass)
    check(MapTablesPass)


@pytest.fixture(autouse=True)
def in_the_subset(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test prints as SystemVerilog is in the language that proofs read."""
    write = target.write_module
    left = SUBSET_MODULES

    read: dict[str, Netlist] = {}

    def checked(
        module: hw.HWModuleOp, name: str, modules: Mapping[str, str], luts: Mapping[LutModule, str]
    ) -> str:
        nonlocal left
        text = write(module, name, modules, luts)
        instances = [op for op in module.body.block.ops if isinstance(op, hw.InstanceOp)]
        known = {modules.get(op.module_name.string_value(), "") for op in instances}
        if left and len(text) <= SUBSET_CHARACTERS and known <= read.keys():
            left -= 1
            parts = [target.write_lut_module(each, taken) for each, taken in luts.items()]
            for taken in (name, *luts.values()):
                read.pop(taken, None)
            whole = "\n".join(["`default_nettype none\n", *parts, text, "`default_nettype wire\n"])
            read.update(check_text(whole, known=read))
        return text

    monkeypatch.setattr(target, "write_module", checked)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of models and data sets that the repository does not hold; skips without it."""
    default = ROOT.parent / "shared" / "data"
    folder = Path(os.environ.get("KAN_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder} (set KAN_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def scheduler() -> Generator[str]:
    """The address of a Dask cluster of two processes."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as started:
        yield started.scheduler_address
