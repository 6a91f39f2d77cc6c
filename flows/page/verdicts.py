"""The verdicts of a build: does it fit, is it fast, accurate, proven; each with its figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from kan_dialect.flows.part_fit import logic_unit, part_text
from kan_dialect.flows.pictures.markup import Child, tag
from kan_dialect.flows.report_certificate import certificate_text
from kan_dialect.quantity import every, quantity

State: TypeAlias = Literal["good", "care", "open"]
"""Good, to be looked at, or not known yet."""

_SYMBOLS: dict[State, tuple[str, str]] = {
    "good": ("✓", "yes"),
    "care": ("!", "look closer"),
    "open": ("?", "not known yet"),
}
LOSS = 0.01
"""Loss of accuracy or of R² up to which integers count as accurate."""


@dataclass(frozen=True)
class Verdict:
    """A verdict.

    Parameters
    ----------
    figure : the figure, in large letters.
    lines : what it is compared with; texts or markup.
    """

    title: str
    state: State
    figure: str
    lines: Sequence[Child]

    @property
    def symbol(self) -> str:
        return _SYMBOLS[self.state][0]

    @property
    def meaning(self) -> str:
        """The symbol in words."""
        return _SYMBOLS[self.state][1]


def verdicts(report: Mapping[str, Any]) -> list[Verdict]:
    """The verdicts on a build by its report."""
    return [_fits(report), _fast(report), _accurate(report), _proven(report)]


def _cells(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Figures of standard cells; empty if the build's own device has been measured instead."""
    if "area" not in report.get("estimate", {}) and ("pnr" in report or "synthesis" in report):
        return {}
    return report.get("asic", {})


def _fits(report: Mapping[str, Any]) -> Verdict:
    estimate, synthesis, pnr = (report.get(key) for key in ("estimate", "synthesis", "pnr"))
    lines: list[Child] = []
    if cells := _cells(report):
        lines.append(f"in cells of {cells['library']} by {cells['tool']}")
        if "area" in report["estimate"]:
            lines.append(f"the estimate was {report['estimate']['area']:,.0f}")
        lines.append(f"{cells['registers']:,} registers of {cells['cells']:,} cells")
        return Verdict("Fits", "good", f"area {cells['area']:,.0f}", lines)
    if pnr is not None:
        found, target = pnr, pnr.get("target")
        lines.append(f"placed and routed on {pnr['device']} by {pnr['tool']}")
    elif synthesis is not None:
        found, target = synthesis, synthesis["target"]
        lines.append(f"on {target} by {synthesis['tool']}; {synthesis['registers']:,} registers")
    elif estimate is not None:
        found, target = estimate, estimate["target"]
        lines.append(f"on {target} by estimate; {estimate['registers']:,} registers")
    else:
        return Verdict("Fits", "open", "—", ["no estimate: ", tag("code", "kan-flow synth .")])
    if "block_rams" in found:
        lines.append(quantity(found["block_rams"], "block RAM"))
    if estimate is not None and estimate["target"] == target and (synthesis or pnr):
        lines.append(f"the estimate was {estimate['luts']:,}")
    if "core" in found:
        lines.append(f"the network alone takes {found['core']['luts']:,}")
    state: State = "good"
    if (part := found.get("part")) is not None:
        lines.append(part_text(part))
        state = "good" if part["fits"] else "care"
    if synthesis is None and pnr is None:
        lines.append(["to be sure: ", tag("code", "kan-flow synth .")])
    return Verdict("Fits", state, f"{found['luts']:,} {logic_unit(found)}", lines)


def _fast(report: Mapping[str, Any]) -> Verdict:
    """Latency; good if the clock that was asked for is reached, and open where none was."""
    cycles = report["latency_cycles"]
    estimate, pnr, training = (report.get(key) for key in ("estimate", "pnr", "training"))
    cells = _cells(report)
    lines: list[Child] = []
    shown = quantity(cycles, "cycle") if cycles else "combinational"
    if training is not None:
        lines.append(f"a sample that trains takes {quantity(training['interval_cycles'], 'cycle')}")
    elif cycles:
        lines.append(f"{shown}, a sample {every(report.get('interval_cycles', 1), 'cycle')}")
    else:
        lines.append("combinational: no clock")
    latency: float | None = None
    reached: float | None = None
    if "path_ns" in cells:
        path = cells["path_ns"]
        latency, reached = max(cycles, 1) * path, 1000 / path
        lines.append(f"{path:.2f} ns a stage in cells of {cells['library']}, without wires")
    elif pnr is not None:
        latency = pnr.get("latency_with_inputs_ns", pnr.get("latency_ns"))
        reached = pnr.get("fmax_with_inputs_mhz", pnr.get("fmax_mhz"))
        if reached is not None:
            lines.append(f"{reached:.0f} MHz on {pnr['device']}, median of {pnr['seeds']} seeds")
    if estimate is not None:
        told = f"{estimate['delay_ns']:.2f} ns a stage by estimate ({estimate['target']})"
        if "fmax_mhz" in estimate:
            told += f", about {estimate['fmax_mhz']:.0f} MHz"
        lines.append(told)
        latency = estimate["latency_ns"] if latency is None else latency
        reached = estimate.get("fmax_mhz") if reached is None else reached
    asked: float | None = report.get("project", {}).get("asked_mhz")
    is_measured = pnr is not None or "path_ns" in cells
    state, compared = _against_clock(asked, reached, "" if is_measured else " by estimate")
    if cycles:
        lines.append(compared)
    if not is_measured:
        tool = "synth" if estimate is not None and "area" in estimate else "pnr"
        lines.append(["to measure: ", tag("code", f"kan-flow {tool} .")])
    return Verdict("Fast", state, shown if latency is None else f"{latency:.1f} ns", lines)


def _against_clock(asked: float | None, reached: float | None, by: str) -> tuple[State, str]:
    """The verdict on a clock, and its words.

    Parameters
    ----------
    asked : the clock that the build was told, in MHz; None where none was.
    reached : the measured or estimated clock in MHz; None where there is neither.
    by : whether it is estimated, in words.
    """
    if asked is None:
        return "open", "no clock was asked for (--mhz)"
    if reached is None:
        return "open", f"asked for: {asked:g} MHz"
    if reached < asked:
        return "care", f"asked for: {asked:g} MHz, missed{by} with {reached:.1f} MHz"
    return "good", f"asked for: {asked:g} MHz, reached{by}"


def _accurate(report: Mapping[str, Any]) -> Verdict:
    accuracy, regression = report.get("accuracy"), report.get("regression")
    if accuracy is not None:
        figure, real = accuracy["integer"], accuracy.get("float")
        samples = f"{accuracy['samples']} {accuracy['on']} samples"
        lines: list[Child] = [f"of {samples}, by integers"]
        state: State = "good"
        if real is not None:
            lines.append(f"the float model: {real:.2%}")
            state = "good" if figure >= real - LOSS else "care"
        return Verdict("Accurate", state, f"{figure:.2%}", [*lines, *_bound(report)])
    if regression is not None:
        mine, real = regression["integer"], regression.get("float")
        key, label = ("r2", "R²") if "r2" in mine else ("rmse", "RMSE")
        state = "good"
        lines = [f"on {regression['samples']} {regression['on']} samples, by integers"]
        if real is not None and key in real:
            lines.append(f"the float model: {label} {real[key]:.4f}")
            worse = real[key] - mine[key] if key == "r2" else mine[key] / (real[key] or 1) - 1
            state = "good" if worse <= LOSS else "care"
        if key != "rmse" and "rmse" in mine:
            lines.append(f"RMSE {mine['rmse']:.4g}, largest error {mine['max_error']:.4g}")
        return Verdict("Accurate", state, f"{label} {mine[key]:.4f}", [*lines, *_bound(report)])
    if "max_abs_error" in report:
        lines = [
            "largest difference of integers and floats",
            f"{report['mean_abs_error']:.3g} on average; no labels were given",
        ]
        return Verdict("Accurate", "open", f"{report['max_abs_error']:.3g}", lines)
    return Verdict(
        "Accurate",
        "open",
        "not measured",
        ["without data: ", tag("code", "--calibration DATA.npz")],
    )


def _bound(report: Mapping[str, Any]) -> list[Child]:
    entry = report.get("certificate")
    if entry is None or "none" in entry:
        return []
    return [f"error of an output: {certificate_text(entry)}"]


def _proven(report: Mapping[str, Any]) -> Verdict:
    proof, simulation = report.get("proof"), report.get("simulation")
    lines: list[Child] = []
    if simulation is not None:
        vectors, wrong = simulation["vectors"], simulation["mismatches"]
        lines.append(f"{vectors:,} vectors simulated, {wrong} mismatches")
    else:
        lines.append("not simulated")
    checks = report.get("checks", ())
    if checks:
        lines.append(f"{len(checks)} passes checked, each against the IR before it")
    if proof is None:
        ask: Child = ["prove it: ", tag("code", "kan-flow prove . --report")]
        return Verdict("Proven", "open", "not proven yet", [ask, *lines])
    parts = [
        quantity(proof[key], noun)
        for key, noun in (("nodes", "node"), ("writes", "write"), ("outputs", "output"))
        if proof.get(key)
    ]
    told = f"RTL equals the integer model: {', '.join(parts)}, in {proof['seconds']:.1f} s"
    engine = f"by {proof['engine']}"
    if proof.get("second", {}).get("agrees"):
        engine += f"; {proof['second']['engine']} agrees"
    return Verdict("Proven", "good", "for all inputs", [told, engine, *lines])
