"""Networks trained for hardware beside those of others: accuracy over cells, and cells × ns.

    python benchmarks/training.py --peers E/bin/python                 all, of three seeds (hours)
    python benchmarks/training.py --data wine --kinds ours --seeds 1
    python benchmarks/training.py ... --picture docs/pictures/training.png

The kinds:

- `ours`: `kan-flow train`, with options that held-out samples chose;
- `perceptron`: the same, whose edges are weights and whose hidden layers are twice as large
  (`--functions line`);
- `torchlogix`, `dwn`: look-up-table networks, and weightless ones of torch-dwn, both with a
  thermometer encoder (`torchlogix_network.py`, `dwn_network.py`);
- `hgq-mlp`, `hgq-lut`: perceptrons and table layers of HGQ2 through alkaid (`hgq_network.py`).

All kinds get the same samples, held-out folds and processor time, and read codes that the host
makes of features. Each training gives a front of networks, chosen by held-out samples. Every
network is synthesised as a combinational design for xcup. Of ours with up to 500 LUTs, the smallest
of three designs counts, which differ in levels of adders. Logic cells are counted three times:

- bare, as in papers on weightless networks: from the thermometer bits to the scores;
- scores: from the codes to the scores, thermometer encoder included;
- whole: from the codes to the class. The decision is the same module for all kinds. Of two classes,
  ours have the compiler's `head="threshold"`; its `argmax` is no smaller than the module.

With `--route`, networks of up to 5000 LUTs are placed for ECP5, as they give scores. The RTL must
give the integers of its own model on all test samples, and their class. Test labels are read after
all of that, and choose nothing.

Data sets are KANELÉ's and MNIST, from `../shared/data` or `$KAN_SHARED_DATA`, and
`examples/digits.npz`. Pixels of MNIST are the same bits for all kinds. Peers have larger networks
there. Results are kept in a folder (`--folder`): a run that was stopped goes on where it was.

Peers have an environment of their own: `python -m venv E && E/bin/pip install torchlogix hgq2 jax
alkaid`, and torch-dwn as `dwn_network.py` says. Ours needs `kan-dialect[torch,sweep]`.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from measurements import (
    DATA,
    ROOT,
    MarkdownTable,
    Measurements,
    compiler_digest,
    play,
    print_versions,
    some_of,
    synthesized,
)
from peer_training import (
    Clock,
    Job,
    PeerNetwork,
    candidates,
    decisions,
    read_job,
    write_job,
    write_result,
)

from kan_dialect import Network, train
from kan_dialect.devices.device import ECP5, XCUP
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset, load_dataset
from kan_dialect.flows.tools.place_and_route import place_and_route
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.ir.constants import Array
from kan_dialect.qat.results import Point as FrontPoint
from kan_dialect.qat.results import chosen_by
from kan_dialect.qat.table import TableOptions

if TYPE_CHECKING:
    import torch
    from teachers import Teacher

    from kan_dialect.qat.options import TrainingOptions

HERE = Path(__file__).resolve().parent

PEER_BITS = 6


@dataclass(frozen=True)
class DataSet:
    """Samples, and the figures to compare with."""

    file: Path
    levels: tuple[float, ...]
    """Accuracies that the table of the front has rows for."""
    published: float | None = None
    """Test accuracy of KANELÉ's network."""
    kanele: int | None = None
    """Logic cells of its RTL."""
    goal: int | None = None
    bits: int = PEER_BITS
    """Of a code that peers read; they leave out what they do not need."""

    def read(self) -> Dataset:
        """Its samples.

        Raises
        ------
        KanError : the file is missing, or holds something else.
        """
        return load_dataset(self.file)


DATA_SETS: Mapping[str, DataSet] = {
    "wine": DataSet(
        DATA / "kanele" / "wine" / "dataset.npz",
        (1.0, 53 / 54, 52 / 54, 51 / 54, 50 / 54),
        *(53 / 54, 672, 50),
    ),
    "drybean": DataSet(
        DATA / "kanele" / "drybean" / "dataset.npz",
        (0.925, 2506 / 2723, 0.91, 0.9, 0.88, 0.85),
        *(2506 / 2723, 458, 140),
    ),
    "moons": DataSet(
        DATA / "kanele" / "moons" / "dataset.npz",
        (0.9775, 1947 / 2000, 0.97, 0.96, 0.95, 0.9),
        *(1947 / 2000, 53, 8),
    ),
    "digits": DataSet(ROOT / "examples" / "digits.npz", (0.97, 0.96, 0.95, 0.94, 0.92, 0.9, 0.85)),
    "mnist": DataSet(
        DATA / "mnist" / "mnist.npz",
        (0.98, 0.971, 0.97, 0.9625, 0.96, 0.95, 0.94, 0.92, 0.9),
        *(0.9625, 4151, 900),
        bits=1,
    ),
}
OURS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "wine": [
        {
            **{"input_bits": 3, "functions": "table", "input_noise": 0.06},
            **{"first_price": 1e-4, "last_price": 2e-2},
        }
    ],
    "drybean": [
        {
            **{"steps": 12000, "learn_codes": True, "validation": 0.15, "seeds": 5},
            **{"first_price": 1e-3, "last_price": 3e-2, "interval": 80},
            **{"teacher": "perceptrons", "teacher_weight": 0.9, "teacher_temperature": 1.0},
        }
    ],
    "moons": [
        {
            **{"input_bits": 6, "functions": "table", "learn_codes": True, "seeds": 4},
            **{"first_price": 1e-4, "last_price": 1e-1},
        },
        {
            **{"input_bits": 4, "functions": "table", "seeds": 4},
            **{"first_price": 1e-4, "last_price": 2e-1},
        },
    ],
    "digits": [
        {
            **{"input_bits": 2, "functions": "table", "input_noise": 0.12},
            **{"first_price": 2e-4, "last_price": 2e-2},
        },
        {"input_bits": 3, "input_noise": 0.12, "first_price": 1e-4, "last_price": 5e-3},
    ],
    "mnist": [
        {
            **{"hidden": (nodes,), "table_inputs": 6, "group_sum": True, "input_bits": 1},
            **{"steps": steps, "batch": 32, "rate": 0.01, "average": 0.99, "validation": 0.1},
            **{"teacher": "convolutions", "teacher_weight": 0.9, "teacher_temperature": 1.0},
            **{"copies": copies},
        }
        for nodes, steps, copies in (
            *((100, 50_000, 0), (190, 50_000, 0)),
            *((395, 100_000, 0), (1280, 100_000, 2)),
        )
    ],
}
"""Options of `kan_dialect.train`, chosen on held-out samples, for each training that a front is
made of; they share the time. `teacher` names one of `teachers.TEACHERS`; `copies` is how many times
its training has each sample in a varied form as well."""
PERCEPTRON_NODES = {"wine": 4, "drybean": 6, "moons": 4, "digits": 16}
"""Nodes of a perceptron's hidden layer, for data sets where ours has none."""
LOGIC = ("logic_network.py", "logic_hardware.py")
PEER_SCRIPTS = {
    "torchlogix": ("torchlogix_network.py", (), LOGIC),
    "hgq-mlp": ("hgq_network.py", ("hgq-mlp",), ()),
    "hgq-lut": ("hgq_network.py", ("hgq-lut",), ()),
    "dwn": ("dwn_network.py", (), (*LOGIC, "../qat/finite_difference.py")),
}
"""The script of a kind, its first arguments, and further files that it imports."""
PACKAGES = ("torchlogix", "torch-dwn", "torch", "hgq2", "keras", "jax", "alkaid")
KINDS = ("ours", "perceptron", *PEER_SCRIPTS)
TOLERANCE = 1e-9
"""Accuracies are shares of samples, whose last digit is rounded."""
LEAST_STEPS = 100
"""Of a training of ours, and of the shorter one of two that tell how long a step takes."""
LONGER = 3
"""How many times as many steps the other one has."""
EXTRA_LEVELS = (0, 2, 4)
"""Further levels of adders of the designs of a network of ours."""
FEW_LUTS = 500
"""A network of ours with more LUTs, by the estimate, has the first of these designs alone."""
MOST_ROUTED = 5000
"""A network with more LUTs is not placed."""


@dataclass(frozen=True)
class Point:
    """A network of a front."""

    bare: int
    """Logic cells on xcup, from thermometer bits to scores."""
    luts: int
    """Those from codes to scores."""
    whole: int
    """Those from codes to the class."""
    score: float
    """Accuracy on held-out samples."""
    accuracy: float
    """On the test set."""
    what: str
    loss: float
    """On held-out samples; of peers, whose losses are not known, the share of wrong ones."""
    loss_error: float
    """Standard error of `loss`."""
    ns: float | None = None
    """Path between registers at both ends, on ECP5."""

    @property
    def product(self) -> float:
        """LUTs × ns; infinite without a path."""
        return self.luts * self.ns if self.ns is not None else math.inf

    @property
    def risk(self) -> float:
        """What networks are compared by."""
        return self.loss

    @property
    def risk_error(self) -> float:
        """Standard error of `risk`."""
        return self.loss_error


@dataclass(frozen=True)
class Front:
    """The networks of one training, the smallest first."""

    data: str
    kind: str
    seed: int
    seconds: float
    """Processor time of the training."""
    points: tuple[Point, ...]

    def chosen(self, data: DataSet) -> Point:
        """The network that held-out samples choose, by the rule of `kan-flow train`.

        The budget is the goal of the data set, if a network is within it.
        """
        found = chosen_by(self.points, data.goal) or chosen_by(self.points, None)
        assert found is not None
        return found

    def least(self, accuracy: float, figure: str) -> float:
        """The least figure of networks with a test accuracy; infinite without one."""
        values = (getattr(point, figure) for point in self.points if point.accuracy >= accuracy)
        return min(values, default=math.inf)


class Bench:
    """Trains and measures."""

    def __init__(
        self, measured: Measurements, peers: str | None, seconds: float, most: int, route: bool
    ) -> None:
        """
        Parameters
        ----------
        peers : the Python of an environment that has the peers.
        seconds : processor time of a training.
        most : number of networks of a front.
        route : whether designs are placed.
        """
        self._measured, self._peers = measured, peers
        self._seconds, self._most, self._route = seconds, most, route

    def front(self, name: str, kind: str, seed: int) -> Front:
        """One training and its networks in hardware.

        Raises
        ------
        KanError : a training fails, or RTL gives other integers than its model.
        """
        data = DATA_SETS[name]
        dataset = data.read()
        share = OURS[name][0].get("validation")
        job = job_of(dataset, seed, self._seconds, self._most, data.bits, share)
        if kind in PEER_SCRIPTS:
            found = self._peer(kind, job)
        else:
            found = self._ours(options_of(name, kind), dataset, job)
        points = [self._point(each, job, dataset, kind) for each in found["networks"]]
        points.sort(key=lambda point: (point.luts, -point.accuracy))
        return Front(name, kind, seed, found["seconds"], tuple(points))

    def _ours(self, options: Sequence[Any], dataset: Dataset, job: Job) -> dict[str, Any]:
        command = [sys.executable, __file__, "--train", json.dumps(options)]
        return self._trained(command, dataset, job, (compiler_digest(), options))

    def _peer(self, kind: str, job: Job) -> dict[str, Any]:
        if self._peers is None:
            raise KanError(f"{kind} needs --peers", remedy="name the Python of its environment")
        script, arguments, imported = PEER_SCRIPTS[kind]
        command = [self._peers, str(HERE / script), *arguments]
        read = (script, *imported, "peer_training.py")
        parts = (kind, [(HERE / each).read_text() for each in read], versions_of(self._peers))
        return self._trained(command, None, job, parts)

    def _trained(
        self, command: Sequence[str], dataset: Dataset | None, job: Job, parts: tuple[object, ...]
    ) -> dict[str, Any]:
        data = {"x": dataset.x, "y": dataset.y, "x_test": dataset.x_test} if dataset else {}
        numbers = {k: v for k, v in vars(job).items() if isinstance(v, int | float)}
        arrays = [v for v in (*vars(job).values(), *data.values()) if isinstance(v, np.ndarray)]
        digests = [sha256(np.ascontiguousarray(array)).hexdigest() for array in arrays]

        def compute() -> Any:
            with tempfile.TemporaryDirectory() as directory:
                folder = Path(directory)
                write_job(job, folder / "job.npz")
                files = [folder / "job.npz", folder / "result.json"]
                if data:
                    files.insert(0, folder / "data.npz")
                    np.savez(files[0], **data)
                whole = [*command, *files]
                ended = subprocess.run(list(map(str, whole)), capture_output=True, text=True)
                if ended.returncode:
                    raise KanError(f"{command[1]}: {(ended.stderr or ended.stdout).strip()}")
                return json.loads((folder / "result.json").read_text())

        return self._measured.kept("training", (*parts, numbers, digests), compute)

    def _point(self, network: dict[str, Any], job: Job, dataset: Dataset, kind: str) -> Point:
        results = np.array(network["results"])
        codes = job.test_codes if network["codes"] is None else np.array(network["codes"])
        if network["signed"]:
            codes = codes ^ (1 << (job.bits - 1))
        bits: int = network["output_bits"]
        threshold: float = network["threshold"]
        inputs, outputs = codes.shape[1], results.shape[1]
        smallest = int(np.argmin([self._luts(design) for design in network["designs"]]))
        rtl = whole = network["designs"][smallest]
        if network["decided"]:
            whole = network["decided"][smallest]
        else:
            whole += decision(inputs, outputs, job.bits, bits, threshold)
        classes = decisions(results - threshold)
        for design, top, width, expected in (
            (rtl, "peer", bits, results),
            (whole, "whole", class_bits(outputs) + 1, classes[:, np.newaxis]),
        ):
            clocked = design + registered(inputs, expected.shape[1], job.bits, width, top)
            played = play(clocked, "registered", codes, expected.shape[1], width, 1)
            if not np.array_equal(played, expected):
                raise KanError(f"{kind}: {top} gives other integers than the network")
        assert dataset.y_test is not None
        accuracy = float((classes == dataset.y_test).mean())
        luts = self._luts(rtl)
        ns = self._path(rtl) if self._route and luts <= MOST_ROUTED else None
        score: float = network["score"]
        loss, error = network.get("loss"), network.get("loss_error")
        if loss is None:
            loss, error = 1.0 - score, network["error"]
        cells = (self._luts(rtl, network["core"]), luts, self._luts(whole, "whole"))
        return Point(*cells, score, accuracy, network["what"], loss, error, ns)

    def _luts(self, rtl: str, top: str = "peer") -> int:
        return self._measured.cells(rtl, top, XCUP)["luts"]

    def _path(self, rtl: str) -> float:
        def compute() -> float:
            mapped = synthesized(rtl, "peer", ECP5, with_netlist=True)
            # A network of constants has no path.
            return float(place_and_route(mapped, 0).summary().get("latency_ns", 0.0))

        tools = [find(name).version for name in ("yosys", "nextpnr-ecp5")]
        return self._measured.kept("path", (rtl, tools), compute)


def options_of(name: str, kind: str) -> list[dict[str, Any]]:
    """Options of `kan_dialect.train`, for each training of a front.

    Parameters
    ----------
    name : of the data set.
    kind : `ours` or `perceptron`.
    """
    found = [dict(options) for options in OURS[name]]
    for options in found if kind == "perceptron" else ():
        hidden: Sequence[int] = options.get("hidden", ())
        options["functions"] = "line"
        options["hidden"] = [2 * nodes for nodes in hidden] or [PERCEPTRON_NODES[name]]
    return found


def job_of(
    dataset: Dataset,
    seed: int,
    seconds: float,
    most: int,
    bits: int = PEER_BITS,
    share: float | None = None,
) -> Job:
    """What a peer is given of a data set: codes and folds as `kan-flow train` makes them.

    Parameters
    ----------
    bits : of a code.
    share : of many samples, the part that is held out; by default that of `kan-flow train`.
    """
    import torch

    from kan_dialect.qat.codes import fit_codes
    from kan_dialect.qat.descent import folds_of
    from kan_dialect.qat.table import Table
    from kan_dialect.qat.training import FEW_SAMPLES, TrainingOptions

    assert dataset.y is not None and dataset.x_test is not None
    labels = dataset.y.astype(np.int64)
    folds = 4 if len(labels) < FEW_SAMPLES else 1
    share = share or TrainingOptions().validation
    parts = list(folds_of(Table(dataset), torch.from_numpy(labels), True, folds, share))
    held = np.zeros((folds, len(labels)), dtype=np.bool_)
    for fold, (_, samples) in enumerate(parts):
        held[fold, samples.numpy()] = True
    codes = fit_codes(dataset.x, bits)
    classes = int(labels.max()) + 1
    return Job(
        codes.encode(dataset.x),
        labels,
        held,
        codes.encode(dataset.x_test),
        bits=bits,
        outputs=1 if classes == 2 else classes,
        seed=seed,
        seconds=seconds,
        most=most,
    )


def train_ours(given: str, data: Path, job: Job, result: Path) -> None:
    """Train a front and write its RTL, as peers do; in a process of its own.

    Parameters
    ----------
    given : options of `kan_dialect.train` for each training, as JSON.
    data : a file of samples, and of test samples without labels.
    """
    import torch
    from teachers import trained_teacher

    from kan_dialect.model.port_codes import encode

    torch.set_num_threads(1)
    whole = load_dataset(data)
    assert whole.x_test is not None
    dataset = Dataset(whole.x, whole.y)
    every: list[dict[str, Any]] = json.loads(given)
    clock = Clock()
    kinds = {options["teacher"] for options in every if "teacher" in options}
    teachers = {kind: trained_teacher(kind, dataset, job.seed) for kind in kinds}
    trained: list[tuple[str, Sequence[FrontPoint]]] = []
    for left, options in zip(range(len(every), 0, -1), every, strict=True):
        share = replace(job, seconds=(job.seconds - clock.seconds) / left)
        trained.append(front_of(options, dataset, share, teachers.get(options.get("teacher"))))
    seconds = clock.seconds
    points = [(point, what) for what, front in trained for point in front]
    picked = candidates(
        [point.luts for point, _ in points],
        [-point.loss for point, _ in points],
        job.most,
        [point.score for point, _ in points],
    )
    networks: list[PeerNetwork] = []
    for point, what in (points[index] for index in picked):
        codes = encode(point.network.inputs, whole.x_test)
        levels = EXTRA_LEVELS if point.luts <= FEW_LUTS else EXTRA_LEVELS[:1]
        compiled = [
            point.network.compile(combinational=True, extra_levels=further) for further in levels
        ]
        decided = [
            point.network.compile(combinational=True, extra_levels=further, head="threshold")
            for further in (levels if job.outputs == 1 else ())
        ]
        # Counts are unsigned.
        bits = max(port.width + (not port.signed) for port in compiled[0].outputs)
        networks.append(
            PeerNetwork(
                [each.systemverilog() + wrapped(each, bits) for each in compiled],
                point.network.run_codes(codes).tolist(),
                bits,
                signed=False,
                score=point.score,
                error=point.error,
                what=what,
                codes=codes.tolist(),
                loss=point.loss,
                loss_error=point.loss_error,
                decided=[
                    each.systemverilog() + wrapped(each, class_bits(1) + 1, "whole")
                    for each in decided
                ],
            )
        )
    write_result(result, networks, seconds, {"torch": version("torch")})


def front_of(
    options: Mapping[str, Any], dataset: Dataset, job: Job, teacher: Teacher | None
) -> tuple[str, Sequence[FrontPoint]]:
    """One training of ours: its networks in words, and its front.

    Parameters
    ----------
    options : of `kan_dialect.train`, and `teacher` and `copies`.
    dataset : without test samples.
    job : gives the seed, and the bound of the processor time.
    """
    from kan_dialect.qat.options import Schedule, TrainingOptions

    copies = options.get("copies", 0)
    chosen = {name: value for name, value in options.items() if name not in ("teacher", "copies")}
    seed = job.seed * chosen.get("seeds", 1)
    chosen |= {"hidden": tuple(chosen.get("hidden", ())), "seed": seed, "name": "network"}
    names = {field.name for field in fields(Schedule)}
    wanted = TrainingOptions(
        **{name: value for name, value in chosen.items() if name not in names},
        table=TableOptions(group="sample" if copies else None),
        schedule=Schedule(**{name: value for name, value in chosen.items() if name in names}),
    )
    clock = Clock()
    samples = with_copies(dataset, teacher, copies) if teacher is not None and copies else dataset
    fixed, step = seconds_of_steps(wanted, samples, teacher)
    most = int(((job.seconds - clock.seconds) / wanted.seeds - fixed) / step)
    steps = min(wanted.schedule.steps, max(LEAST_STEPS, most))
    trained = train(samples, of_steps(wanted, steps), teacher=teacher)
    nodes = f"{'-'.join(map(str, wanted.hidden)) or 'no'} hidden nodes"
    return f"{nodes}, inputs of {wanted.input_bits} bits, {steps} steps", trained.front


def with_copies(dataset: Dataset, teacher: Teacher, copies: int) -> dict[str, Array]:
    """Samples and copies that the teacher varies; `sample` says which ones are copies of one."""
    import torch

    assert dataset.y is not None
    x, every = torch.from_numpy(dataset.x).float(), 1 + copies
    changed = [teacher.varied(x).double().numpy() for _ in range(copies)]
    return {
        "x": np.concatenate([dataset.x, *changed]),
        "y": np.tile(dataset.y, every),
        "sample": np.tile(np.arange(len(x)), every),
    }


def seconds_of_steps(
    options: TrainingOptions,
    samples: Dataset | Mapping[str, Array],
    teacher: torch.nn.Module | None,
) -> tuple[float, float]:
    """Processor time of a training of one seed: what does not depend on its steps, and a step.

    By two short trainings.
    """

    def seconds(steps: int) -> float:
        clock = Clock()
        train(samples, of_steps(replace(options, seeds=1), steps), teacher=teacher)
        return clock.seconds

    short, long = seconds(LEAST_STEPS), seconds(LONGER * LEAST_STEPS)
    step = max((long - short) / ((LONGER - 1) * LEAST_STEPS), 1e-6)
    return max(short - LEAST_STEPS * step, 0.0), step


def of_steps(options: TrainingOptions, steps: int) -> TrainingOptions:
    """Options with another number of steps."""
    return replace(options, schedule=replace(options.schedule, steps=steps))


def wrapped(hardware: Network, bits: int, top: str = "peer") -> str:
    """A module around a network of ours, with signed outputs.

    Parameters
    ----------
    bits : of each output.
    """
    ports = [f"input [{port.width - 1}:0] {port.name}" for port in hardware.inputs]
    ports += [f"output signed [{bits - 1}:0] {port.name}" for port in hardware.outputs]
    lines = [f"\nmodule {top} ({', '.join(ports)});"]
    joined = [f".{port.name}({port.name})" for port in hardware.inputs]
    for port in hardware.outputs:
        sign = "signed " if port.signed else ""
        lines.append(f"  wire {sign}[{port.width - 1}:0] of_{port.name};")
        lines.append(f"  assign {port.name} = of_{port.name};")
        joined.append(f".{port.name}(of_{port.name})")
    lines.append(f"  {hardware.name} inner ({', '.join(joined)});")
    return "\n".join([*lines, "endmodule", ""])


def class_bits(outputs: int) -> int:
    """Bits of a class, by the number of scores."""
    return max(1, (outputs - 1).bit_length())


def decision(inputs: int, outputs: int, input_bits: int, output_bits: int, threshold: float) -> str:
    """The module `whole`: `peer` with the decision behind it, the class as a signed number y0.

    A tree finds the first largest score. One score is compared with the threshold.
    """
    index = class_bits(outputs)
    lines = [f"  wire signed [{output_bits - 1}:0] d{i};" for i in range(outputs)]
    lines += [f"  peer inner ({joined_ports(inputs, outputs)});"]
    left = [(f"d{i}", f"{index}'d{i}") for i in range(outputs)]
    while len(left) > 1:
        found: list[tuple[str, str]] = []
        for (first, i), (second, j) in zip(left[::2], left[1::2], strict=False):
            name = f"{first}_{second}"
            lines += [
                f"  wire g{name} = {second} > {first};",
                f"  wire signed [{output_bits - 1}:0] {name} = g{name} ? {second} : {first};",
                f"  wire [{index - 1}:0] i{name} = g{name} ? {j} : {i};",
            ]
            found.append((name, f"i{name}"))
        left = [*found, *left[len(left) // 2 * 2 :]]
    decided = left[0][1] if outputs > 1 else f"d0 > {math.floor(threshold)}"
    ports = [f"input [{input_bits - 1}:0] x{i}" for i in range(inputs)]
    ports += [f"output signed [{index}:0] y0"]
    return "\n".join(
        [
            f"\nmodule whole ({', '.join(ports)});",
            *lines,
            f"  assign y0 = {decided};",
            "endmodule",
            "",
        ]
    )


def registered(
    inputs: int, outputs: int, input_bits: int, output_bits: int, top: str = "peer"
) -> str:
    """The module `registered`: a design with registers behind it, which `play` reads."""
    ports = [f"input [{input_bits - 1}:0] x{i}" for i in range(inputs)]
    ports += [f"output reg signed [{output_bits - 1}:0] y{i}" for i in range(outputs)]
    lines = [
        f"module registered (input clk, {', '.join(ports)});",
        *(f"  wire signed [{output_bits - 1}:0] d{i};" for i in range(outputs)),
        f"  {top} inner ({joined_ports(inputs, outputs)});",
        *(f"  always @(posedge clk) y{i} <= d{i};" for i in range(outputs)),
        "endmodule",
    ]
    return "\n" + "\n".join(lines) + "\n"


def joined_ports(inputs: int, outputs: int) -> str:
    """Ports of an instance: inputs have their own names, outputs are d0, d1 and so on."""
    joined = [f".x{i}(x{i})" for i in range(inputs)] + [f".y{i}(d{i})" for i in range(outputs)]
    return ", ".join(joined)


def versions_of(python: str) -> dict[str, str]:
    """Versions of the packages that a peer's environment has."""
    script = (
        "import importlib.metadata as m, json, sys\n"
        "have = {d.metadata['Name'].lower().replace('_', '-') for d in m.distributions()}\n"
        "print(json.dumps({n: m.version(n) for n in sys.argv[1:] if n in have}))"
    )
    ended = subprocess.run([python, "-c", script, *PACKAGES], capture_output=True, text=True)
    if ended.returncode:
        raise KanError(f"{python} does not run: {(ended.stderr or ended.stdout).strip()}")
    return json.loads(ended.stdout)


def members(fronts: Sequence[Front], name: str, kind: str) -> list[Front]:
    return [front for front in fronts if (front.data, front.kind) == (name, kind)]


def show_goals(fronts: Sequence[Front]) -> None:
    """Print logic cells at KANELÉ's accuracy, of networks that held-out samples chose."""
    table = MarkdownTable(
        "data", "KANELÉ", "goal", "kind", "median LCs", "each seed: LCs (right on the test set)",
        "seeds that reach it", "s",
    )  # fmt: skip
    for name, data in DATA_SETS.items():
        for kind, own in ((kind, members(fronts, name, kind)) for kind in KINDS):
            if not own:
                continue
            chosen = [front.chosen(data) for front in own]
            published = data.published or 0.0
            reached = sum(point.accuracy >= published - TOLERANCE for point in chosen)
            table.add(
                *(name, shown(data.kanele), shown(data.goal), kind),
                f"{statistics.median(point.luts for point in chosen):g}",
                ", ".join(f"{point.luts} ({point.accuracy:.4f})" for point in chosen),
                f"{reached} of {len(chosen)}",
                f"{statistics.median(front.seconds for front in own):.0f}",
            )


def show_conditions(name: str) -> None:
    """Print how the figures of a data set are measured."""
    data = DATA_SETS[name]
    dataset = data.read()
    assert dataset.x_test is not None
    yosys, nextpnr = (find(tool).version for tool in ("yosys", "nextpnr-ecp5"))
    print(
        f"- data: {name}, {len(dataset.x)} samples, {len(dataset.x_test)} test samples",
        f"- encoder: codes by the host, of peers {data.bits} bits; thermometer bits in hardware,"
        " in LCs bare by the host",
        "- decision: in hardware in LCs whole, else by the host",
        f"- LCs: Yosys {yosys}, xcup; combinational, so without clock and registers",
        f"- ns: from code to scores; nextpnr {nextpnr}, ECP5, 500 MHz asked for, ports registered",
        sep="\n",
        end="\n\n",
    )


def show_least(fronts: Sequence[Front], name: str) -> None:
    """Print the least LCs of scores / LCs whole, LUT·ns at each test accuracy, medians of seeds."""
    kinds = [kind for kind in KINDS if members(fronts, name, kind)]
    table = MarkdownTable("accuracy", *kinds)
    for level in DATA_SETS[name].levels:
        cells = [least(members(fronts, name, kind), level - TOLERANCE) for kind in kinds]
        table.add(f"{level:.4f}", *cells)


def least(fronts: Sequence[Front], accuracy: float) -> str:
    """Medians of the least figures; a dash where no network has the accuracy."""
    # The lower one of two in the middle counts as not reached, if one is not.
    luts, whole, product = (
        statistics.median_high([front.least(accuracy, figure) for front in fronts])
        for figure in ("luts", "whole", "product")
    )
    if math.isinf(luts):
        return "–"
    return f"{luts:.0f} / {whole:.0f}" + ("" if math.isinf(product) else f", {product:.0f}")


def show_networks(fronts: Sequence[Front], name: str) -> None:
    """Print all networks of a data set, a row each."""
    cells = ("LCs bare", "LCs of scores", "LCs whole", "ns", "LUT·ns")
    table = MarkdownTable("kind", "network", "held out", "test", *cells)
    for front in (front for front in fronts if front.data == name):
        for point in front.points:
            scores = (f"{point.score:.4f}", f"{point.accuracy:.4f}")
            cells = (point.bare, point.luts, point.whole)
            has_path = point.ns is not None
            timed = (f"{point.ns:.1f}", f"{point.product:.0f}") if has_path else ("", "")
            table.add(f"{front.kind}, seed {front.seed}", point.what, *scores, *cells, *timed)


def shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def draw(fronts: Sequence[Front], path: Path) -> None:
    """A picture of the fronts: a panel for each data set, a line for each training."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib import ticker

    names = [name for name in DATA_SETS if any(each.data == name for each in fronts)]
    figure, panels = plt.subplots(1, len(names), figsize=(4 * len(names), 3.6), squeeze=False)
    for panel, name in zip(panels[0], names, strict=True):
        for front in (each for each in fronts if each.data == name):
            luts, accuracies = best_so_far((each.luts, each.accuracy) for each in front.points)
            style = {"color": f"C{KINDS.index(front.kind)}", "marker": ".", "linewidth": 1}
            panel.step(luts, accuracies, where="post", label=front.kind, **style)
        data = DATA_SETS[name]
        if data.published is not None:
            panel.plot([data.kanele], [data.published], "k*", label="KANELÉ")
            panel.plot([data.goal], [data.published], "k+", label="goal")
        panel.set(
            title=name, xscale="log", xlabel="logic cells", ylim=(data.levels[-1] - 0.05, None)
        )
        panel.xaxis.set_minor_formatter(ticker.NullFormatter())
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("test accuracy")
    labelled = {
        text: line
        for panel in panels[0]
        for line, text in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    panels[0][0].legend(labelled.values(), labelled.keys(), loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def best_so_far(points: Iterable[tuple[int, float]]) -> tuple[list[int], list[float]]:
    """Costs and accuracies of the points that are better than all cheaper ones."""
    costs: list[int] = []
    accuracies: list[float] = []
    for cost, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not accuracies or accuracy > accuracies[-1]:
            costs.append(cost)
            accuracies.append(accuracy)
    return costs, accuracies


def main() -> int:
    if sys.argv[1:2] == ["--train"]:
        options, *files = sys.argv[2:]
        data, job, result = map(Path, files)
        train_ours(options, data, read_job(job), result)
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for option, known in (("--data", DATA_SETS), ("--kinds", KINDS)):
        names = "some of " + ", ".join(known)
        parser.add_argument(option, type=some_of(known), default=list(known), help=names)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--minutes", type=float, default=10.0, help="processor time of a training")
    parser.add_argument("--most", type=int, default=8, help="networks of a front in hardware")
    parser.add_argument("--route", action="store_true", help="place for ECP5, for cells × ns")
    parser.add_argument("--peers", metavar="PYTHON", help="of an environment that has the peers")
    parser.add_argument("--folder", type=Path, default=Path("build/training"), help="keeps results")
    parser.add_argument("--picture", type=Path, metavar="FILE.png")
    options = parser.parse_args()
    measured = Measurements(options.folder)
    bench = Bench(measured, options.peers, options.minutes * 60.0, options.most, options.route)
    print_versions(tools=["yosys", "nextpnr-ecp5"], packages=["torch"])
    print("# peers:", versions_of(options.peers) if options.peers else {}, "\n", flush=True)
    fronts: list[Front] = []
    failed = False
    seeds = range(options.seed, options.seed + options.seeds)
    for seed, (name, kind) in product(seeds, product(options.data, options.kinds)):
        try:
            fronts.append(bench.front(name, kind, seed))
        except KanError as error:
            failed = True
            print(f"{name}, {kind}, seed {seed}: {error}", file=sys.stderr, flush=True)
    show_goals(fronts)
    for name in options.data:
        print(f"\n### {name}\n")
        show_conditions(name)
        show_least(fronts, name)
        print()
        show_networks(fronts, name)
    if options.picture and fronts:
        draw(fronts, options.picture)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
