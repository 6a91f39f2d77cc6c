"""The kinds of cases: networks of integers and floats, broken files and folders, ONNX graphs."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fuzz import options
from fuzz.branches import branches
from fuzz.campaign import Chunk, Failure, Kind
from fuzz.commands import Ended, place_outputs, problem, run_inside, run_process
from fuzz.corpus import Case, Corpus
from fuzz.designs import (
    INTERFACES,
    Design,
    Member,
    circt_export,
    circt_text,
    compile_design,
    require_proof,
    require_same_text,
    require_wrapper,
    simulate_batch,
)
from fuzz.floats import FloatDrawing, FloatNetwork
from fuzz.folders import Folders, outcome, proven_wrongly
from fuzz.graphs import graphs
from fuzz.networks import Drawing, Network
from fuzz.outputs import outputs
from fuzz.pipelines import NEEDED, compiled_pipeline, float_pipeline, integer_pipeline
from fuzz.related import RelatedDrawing
from fuzz.shrink import shrunk, smaller_bytes
from fuzz.training import trainings
from kan_dialect.devices.device import device_names
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.toolchain import find_simulator, look_for

NETWORKS = 50
"""Of a chunk."""
SIMULATED_EVERY = 9
"""Of so many chunks of networks one goes through Verilator and CIRCT's export."""
PROVEN_EVERY = 8
"""Of so many networks one is proven."""
CIRCT_EVERY = 3
"""Of so many networks one goes through CIRCT, and is read back from its text."""
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
Pair: TypeAlias = tuple[AnyNetwork, list[str]]


def _has_circt() -> bool:
    try:
        import circt  # noqa: F401  # pyright: ignore
    except ImportError:
        return False
    return True


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


def check_network(
    network: AnyNetwork, pipeline: Sequence[str], index: int, *, prove: bool, circt: bool
) -> Design:
    """Compile, check, prove and compare one network.

    Raises
    ------
    Exception : one of the comparisons fails.
    """
    module = network.module()
    if index % CIRCT_EVERY == 0:
        require_same_text(module)
    design = compile_design(module, pipeline, index)
    if not design.interface.combinational:
        require_wrapper(design, INTERFACES[index % len(INTERFACES)])
    if index % CIRCT_EVERY == 0:
        require_same_text(design.module)
        if circt:
            circt_export(circt_text(design.module))
    if prove:
        require_proof(design)
    return design


def is_refusal(error: Exception) -> bool:
    """Whether a network, or its proof, may be refused so."""
    return any(refusal in _told(error) for refusal in REFUSALS)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _signature(message: str) -> str:
    return re.sub(r"\d+", "N", message)[:40]


def networks(kind: str, seed: int, cases: range, tell: Callable[[int], None]) -> Chunk:
    """A chunk of networks."""
    chunk = Chunk()
    circt = _has_circt()
    can_prove = look_for("yosys") is not None
    designs: list[Design] = []
    for index in cases:
        tell(index)
        prove = can_prove and index % PROVEN_EVERY == 0
        network, pipeline = network_case(kind, seed, index)
        try:
            design = check_network(network, pipeline, index, prove=prove, circt=circt)
        except Exception as error:
            message = _told(error)
            if "undecided" in message and "differs" not in message:
                chunk.counts["networks undecided by the proof"] += 1
                continue
            if is_refusal(error):
                chunk.counts[f"{kind} refused"] += 1
                continue
            chunk.failures.append(
                _network_failure(kind, index, network, pipeline, message, prove=prove, circt=circt)
            )
            continue
        designs.append(design)
        chunk.counts[f"{kind} evaluated"] += 1
        chunk.counts["networks through CIRCT"] += circt and index % CIRCT_EVERY == 0
        chunk.counts["networks proven"] += prove
    number = cases.start // len(cases)
    if designs and number % SIMULATED_EVERY == 0:
        _simulate(kind, cases.start, designs, chunk, seed, circt=circt)
    return chunk


def _simulate(
    kind: str, index: int, designs: Sequence[Design], chunk: Chunk, seed: int, *, circt: bool
) -> None:
    """Simulate all designs of a chunk in one build: our text and CIRCT's; in Icarus ours alone."""
    ours = [Member(design, design.interface.name, design.text, "ours") for design in designs]
    theirs = [
        Member(
            design,
            f"{design.interface.name}_circt",
            circt_export(circt_text(design.module, "_circt")),
            "CIRCT's",
        )
        for design in (designs if circt else ())
    ]
    runs = [("verilator", [*ours, *theirs]), ("icarus", ours)]
    for simulator, members in runs:
        if find_simulator(simulator) is None:
            continue
        try:
            problems = simulate_batch(members, simulator, seed + index)  # pyright: ignore[reportArgumentType]
        except KanError as error:
            problems = [f"{simulator}: {error}"]
        for message in problems:
            files = {f"{member.module_name}.sv": member.text.encode() for member in members}
            named = {name: text for name, text in files.items() if name[:-3] in message.split()}
            chunk.failures.append(Failure(kind, index, message, named or files))
        chunk.counts[f"networks in {simulator}"] += len(ours)
        if simulator == "verilator":
            chunk.counts["CIRCT exports in verilator"] += len(theirs)


def _network_failure(
    kind: str,
    index: int,
    network: AnyNetwork,
    pipeline: list[str],
    message: str,
    *,
    prove: bool,
    circt: bool,
) -> Failure:
    """The failure, with the smallest network and pipeline that still fail."""

    def smaller(pair: Pair) -> Iterable[Pair]:
        network, pipeline = pair
        for gone, stage in enumerate(pipeline):
            if not stage.startswith(NEEDED):
                yield network, [*pipeline[:gone], *pipeline[gone + 1 :]]
        for other in network.smaller():
            yield other, pipeline

    def fails(pair: Pair) -> bool:
        try:
            check_network(pair[0], pair[1], index, prove=prove, circt=circt)
        except Exception as error:
            return _signature(_told(error)) == _signature(message)
        return False

    network, pipeline = shrunk((network, pipeline), smaller, fails)
    files: dict[str, bytes] = {}
    try:
        check_network(network, pipeline, index, prove=prove, circt=circt)
    except Exception as error:
        message = _told(error)
    try:
        files["network.mlir"] = f"{network.module()!s}\n".encode()
    except Exception as error:
        files["network.txt"] = f"{network}\n{error}\n".encode()
    command = f"kan-opt network.mlir --check-passes -p {shlex.quote(','.join(pipeline))}"
    if "proven" in message:
        command = (
            f"kan-flow build network.mlir -o built -p {shlex.quote(','.join(pipeline))} "
            "--simulator none && kan-flow prove built"
        )
    files["reproduce.sh"] = f"{command}\n".encode()
    return Failure(kind, index, message, files)


@cache
def corpus() -> Corpus:
    """The files to be broken; made once, before processes are forked."""
    return Corpus()


def run_case(case: Case, *, process: bool = False) -> tuple[Ended, str | None]:
    """The end of a case's command, and what is wrong with it."""
    with tempfile.TemporaryDirectory(prefix="kan-fuzz-") as name:
        folder = Path(name)
        for file, data in case.files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
        before = place_outputs(folder)
        ended = (run_process if process else run_inside)(case.command, folder)
        found = problem(case.command, ended, folder, before)
        return ended, found or proven_wrongly(case.command, ended, folder)


@cache
def folders() -> Folders:
    """The folders to be broken; made once, before processes are forked."""
    return Folders()


def files(kind: str, seed: int, cases: range, tell: Callable[[int], None]) -> Chunk:
    """A chunk of broken files, or of broken folders of a build."""
    chunk = Chunk()
    source, stream = (corpus(), 2) if kind == "files" else (folders(), 3)
    for index in cases:
        tell(index)
        case = source.case(np.random.default_rng([seed, index, stream]))
        process = index % PROCESS_EVERY == 0
        ended, found = run_case(case, process=process)
        chunk.counts[f"broken {kind}"] += 1
        chunk.counts[f"broken {kind} in processes"] += process
        if kind == "files":
            chunk.counts[f"broken {Path(case.main).suffix} files"] += 1
        else:
            chunk.counts[outcome(case.command, ended)] += 1
        if found is not None:
            chunk.failures.append(_file_failure(kind, index, case, found, process=process))
    return chunk


def _file_failure(kind: str, index: int, case: Case, message: str, *, process: bool) -> Failure:
    def with_main(data: bytes) -> Case:
        return replace(case, files={**case.files, case.main: data})

    def fails(data: bytes) -> bool:
        _, found = run_case(with_main(data), process=process)
        return found is not None and _signature(found) == _signature(message)

    data = case.files.get(case.main, b"")
    if case.main in case.files and "no end" not in message:
        data = shrunk(data, smaller_bytes, fails)
    found = {
        **case.files,
        case.main: data,
        "reproduce.sh": f"{shlex.join(case.command)}\n".encode(errors="surrogateescape"),
    }
    return Failure(kind, index, message, found)


def options_of_commands(seed: int, cases: range, tell: Callable[[int], None]) -> Chunk:
    """A chunk of commands with any values of their options."""
    chunk = Chunk()
    for index in cases:
        tell(index)
        case = options.case(np.random.default_rng([seed, index, 6]))
        ended, found = run_case(case)
        chunk.counts["commands with options"] += 1
        chunk.counts[f"commands with options {'refused' if ended.code else 'accepted'}"] += 1
        if found is not None:
            chunk.failures.append(_file_failure("options", index, case, found, process=False))
    return chunk


KINDS = {
    "networks": Kind(partial(networks, "networks"), NETWORKS, 900, 4),
    "floats": Kind(partial(networks, "floats"), 25, 900, 1),
    "compiled": Kind(partial(networks, "compiled"), NETWORKS, 900, 3),
    "files": Kind(partial(files, "files"), 200, 900, 3),
    "folders": Kind(partial(files, "folders"), 100, 900, 2),
    "options": Kind(options_of_commands, 200, 900, 1),
    "outputs": Kind(outputs, 100, 900, 1),
    "graphs": Kind(graphs, 20, 900, 1),
    "branches": Kind(branches, 100, 900, 1),
    "trainings": Kind(trainings, 10, 900, 1),
}
