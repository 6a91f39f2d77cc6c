"""The kinds of cases: networks of integers and floats, broken files and folders, ONNX graphs."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fuzz import branches, graphs, options, outputs
from fuzz.campaign import Counts, FailedCase, Kind
from fuzz.commands import Case, Ended, place_outputs, problem, run_inside, run_process
from fuzz.corpus import Corpus
from fuzz.designs import (
    INTERFACES,
    Design,
    circt_export,
    circt_text,
    compile_design,
    require_proof,
    require_same_text,
    require_simulation,
    require_wrapper,
)
from fuzz.floats import FloatDrawing, FloatNetwork
from fuzz.folders import Folders, outcome, proven_wrongly
from fuzz.networks import Drawing, Network
from fuzz.pipelines import compiled_pipeline, float_pipeline, integer_pipeline
from fuzz.related import RelatedDrawing
from kan_dialect.devices.device import device_names
from kan_dialect.flows.tools.toolchain import find_simulator, look_for

CIRCT_EVERY = 3
"""Every n-th network goes through CIRCT, and is read back from its text."""
PROVEN_EVERY = 8
"""Every n-th network is proven."""
ICARUS_EVERY = 9
"""Every n-th network is simulated in Icarus."""
VERILATOR_EVERY = 90
"""Every n-th network is simulated in Verilator, as our text and as CIRCT's export."""
PROCESS_EVERY = 100
"""Of so many broken files one goes through a process of its own."""
REFUSALS = (
    "is not a number for code",
    "its sums need",
    "cannot be proven",
    "float64 does not resolve these",
    "codes can stand for numbers up to",
    # Very steep functions, such as sin(exp(x)), differ in float64 where terms are regrouped.
    "kan-fold-affine does not keep",
    # Formats are drawn without a look at the network, and heads without one at its outputs.
    "and its format",
    "cannot have a format",
    "times as fine as their values",
    "compares outputs",
    "cannot be compared",
    "and k is",
    "on one scale they need",
    # Clocks are drawn without a look at the tables.
    " alone takes ",
    "leaves no time for logic",
)
"""What a network of floats, and a proof, may be refused for."""

AnyNetwork: TypeAlias = Network | FloatNetwork


def network_case(kind: str, seed: int, index: int) -> tuple[AnyNetwork, list[str]]:
    """The network and the pipeline of a case."""
    if kind == "compiled":
        targets = device_names()
        return compiled_case(seed, index, targets[index % len(targets)])
    rng = np.random.default_rng([seed, index, kind == "floats"])
    if kind == "floats":
        return FloatDrawing(rng).network(f"net{index}"), float_pipeline(rng)
    drawing = RelatedDrawing(rng) if index % 3 == 1 else Drawing(rng)
    return drawing.network(f"net{index}"), integer_pipeline(rng)


def compiled_case(seed: int, index: int, target: str) -> tuple[Network, list[str]]:
    """A network of integers and the default pipeline of a device, for any clock."""
    rng = np.random.default_rng([seed, index, 7])
    drawing = RelatedDrawing(rng) if index % 3 else Drawing(rng)
    network = drawing.network(f"net{index}")
    return network, compiled_pipeline(rng, target, coded=network.coded)


def check_design(network: AnyNetwork, pipeline: Sequence[str], index: int) -> Design:
    """Compile a network, checking every pass and the wrapper of an interface."""
    module = network.module()
    if index % CIRCT_EVERY == 0:
        require_same_text(module)
    design = compile_design(module, pipeline, index)
    if not design.interface.combinational:
        require_wrapper(design, INTERFACES[index % len(INTERFACES)])
    return design


def check_with_tools(design: Design, index: int, counts: Counts) -> None:
    """Compare a design in CIRCT, the simulators and the proof, each for every n-th network."""
    exported = ""
    if index % CIRCT_EVERY == 0:
        require_same_text(design.module)
        if find_spec("circt") is not None:
            exported = circt_export(circt_text(design.module))
            counts["networks through CIRCT"] += 1
    if index % PROVEN_EVERY == 0 and look_for("yosys") is not None:
        require_proof(design)
        counts["networks proven"] += 1
    if index % ICARUS_EVERY == 0 and find_simulator("icarus") is not None:
        require_simulation(design, design.text, "icarus")
        counts["networks in icarus"] += 1
    if index % VERILATOR_EVERY == 0 and find_simulator("verilator") is not None:
        for text in filter(None, (design.text, exported)):
            require_simulation(design, text, "verilator")
            counts["networks in verilator"] += 1


def is_refusal(error: Exception) -> bool:
    """Whether a network, or its proof, may be refused so."""
    return any(refusal in _told(error) for refusal in REFUSALS)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def check_network(kind: str, seed: int, index: int, counts: Counts) -> None:
    """A random network through every check."""
    network, pipeline = network_case(kind, seed, index)
    try:
        check_with_tools(check_design(network, pipeline, index), index, counts)
    except Exception as error:
        message = _told(error)
        if "undecided" in message and "differs" not in message:
            counts["networks undecided by the proof"] += 1
        elif is_refusal(error):
            counts[f"{kind} refused"] += 1
        else:
            command = f"kan-opt network.mlir --check-passes -p {shlex.quote(','.join(pipeline))}\n"
            files = {"network.mlir": f"{network.module()}\n", "reproduce.sh": command}
            shown = {name: text.encode() for name, text in files.items()}
            raise FailedCase(message, shown) from error
    else:
        counts[f"{kind} evaluated"] += 1


@cache
def corpus() -> Corpus:
    """The files to be broken; made once, before processes are forked."""
    return Corpus()


@cache
def folders() -> Folders:
    """The folders to be broken; made once, before processes are forked."""
    return Folders()


def run_case(
    case: Case, judge: Callable[[Ended, Path], str | None], *, process: bool = False
) -> Ended:
    """Run a case's command in a folder of its own.

    Raises
    ------
    FailedCase : the command ended as none may, or `judge` finds a fault.
    """
    with tempfile.TemporaryDirectory(prefix="kan-fuzz-") as name:
        folder = Path(name)
        case.write(folder)
        before = place_outputs(folder)
        ended = (run_process if process else run_inside)(case.command, folder)
        found = problem(case.command, ended, folder, before) or judge(ended, folder)
    if found is not None:
        raise FailedCase(found, case.shown())
    return ended


def _right(_ended: Ended, _folder: Path) -> None:
    return None


def check_file(seed: int, index: int, counts: Counts) -> None:
    """A broken file."""
    case = corpus().case(np.random.default_rng([seed, index, 2]))
    counts[f"broken {Path(case.main).suffix} files"] += 1
    run_case(case, _right, process=index % PROCESS_EVERY == 0)


def check_folder(seed: int, index: int, counts: Counts) -> None:
    """A broken folder of a build."""
    case = folders().case(np.random.default_rng([seed, index, 3]))
    ended = run_case(case, partial(proven_wrongly, case.command))
    counts[outcome(case.command, ended)] += 1


def check_options(seed: int, index: int, counts: Counts) -> None:
    """A command with any values of its options."""
    ended = run_case(options.case(np.random.default_rng([seed, index, 6])), _right)
    counts[f"commands with options {_end_of(ended)}"] += 1


def check_outputs(seed: int, index: int, counts: Counts) -> None:
    """A command into a folder with files of others."""
    ended = outputs.check(np.random.default_rng([seed, index, 5]))
    counts[f"output folders {_end_of(ended)}"] += 1


def check_graph(seed: int, index: int, counts: Counts) -> None:
    """A random ONNX graph through a build."""
    network, case = graphs.case(np.random.default_rng([seed, index, 7]), index)
    ended = run_case(case, lambda ended, _folder: graphs.wrong(network, ended))
    counts[f"graphs {_end_of(ended)}"] += 1


def check_branches(seed: int, index: int, counts: Counts) -> None:
    """A random ONNX graph with branches through the import."""
    case = branches.draw(np.random.default_rng([seed, index, 5]))
    with tempfile.TemporaryDirectory(prefix="kan-fuzz-") as name:
        try:
            counts[f"graphs with branches {branches.check(case, Path(name))}"] += 1
        except Exception as error:
            files = {"branches.onnx": case.model.SerializeToString()}
            raise FailedCase(_told(error), files) from error


def _end_of(ended: Ended) -> str:
    return "refused" if ended.code else "accepted"


KINDS = {
    kind.name: kind
    for kind in (
        Kind("networks", partial(check_network, "networks"), 50, 4),
        Kind("floats", partial(check_network, "floats"), 25),
        Kind("compiled", partial(check_network, "compiled"), 50, 3),
        Kind("files", check_file, 200, 3),
        Kind("folders", check_folder, 100, 2),
        Kind("options", check_options, 200),
        Kind("outputs", check_outputs, 100),
        Kind("graphs", check_graph, 20),
        Kind("branches", check_branches, 100),
    )
}
