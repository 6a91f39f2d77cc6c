"""Random ONNX graphs through the whole flow: a build, or one message that says why not."""

from __future__ import annotations

import io

import numpy as np
import onnx
from onnx import helper

from fuzz.commands import Case, Ended
from fuzz.random_graphs import MIXINGS, REGIMES, Network, make_network

REFUSALS = (
    # The graphs of the samples: undefined there, or branches that rounding decides.
    "not finite",
    "hardly ever finite",
    "rounding decides",
    # A head is asked for where none follows the last layer, or there is one and it is not.
    "--strip-head",
    "compares outputs",
)
"""What a Kolmogorov-Arnold network may be refused for."""
HEADS = ("Softmax", "Sigmoid", "ArgMax")


def case(rng: np.random.Generator, index: int) -> tuple[Network, Case]:
    """A network, and the command that builds it with any options of the import."""
    regime = REGIMES[index % len(REGIMES)]
    mixing = str(rng.choice(list(MIXINGS))) if rng.random() < 0.2 else None
    network = make_network(int(rng.integers(1 << 30)), regime, mixing)
    samples = io.BytesIO()
    np.savez(samples, x=network.points(rng, 100))
    command = ["kan-flow", "build", "net.onnx", "-o", "built", "--force", "--simulator", "none"]
    command += ["--vectors", "20", "--calibration", "data.npz", "--bits", str(rng.integers(2, 7))]
    if rng.random() < 0.2:
        _add_head(network.model, str(rng.choice(HEADS)))
    if rng.random() < 0.2:
        command.append("--strip-head")
    command += [option for option in ("--fast", "--combinational") if rng.random() < 0.2]
    if rng.random() < 0.3:
        command.append(str(rng.choice(["--per-tensor", "--per-layer"])))
    files = {"net.onnx": network.model.SerializeToString(), "data.npz": samples.getvalue()}
    return network, Case(files, "net.onnx", tuple(command))


def _add_head(model: onnx.ModelProto, kind: str) -> None:
    last = model.graph.node[-1]
    head = helper.make_node(kind, [last.input[0]], [last.output[0]], "head")
    if kind != "Sigmoid":
        head.attribute.append(helper.make_attribute("axis", 1))
    last.CopyFrom(head)
    if kind == "ArgMax":
        model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64


def wrong(network: Network, ended: Ended) -> str | None:
    """What is wrong with a refusal; None for a build, and for a refusal that is in order."""
    if ended.code == 0:
        return "a network that mixes values was built" if network.mixing else None
    if network.mixing or any(sign in ended.err for sign in REFUSALS):
        return None
    return f"a Kolmogorov-Arnold network was refused: {ended.err[-400:]}"
