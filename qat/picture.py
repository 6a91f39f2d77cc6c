"""The front of a training as a picture: score over LUTs."""

from __future__ import annotations

from kan_dialect.flows.png_chart import BLUE, GREY, INK, ORANGE, as_png, figure, plain
from kan_dialect.qat.results import Trained
from kan_dialect.quantity import quantity

FAR = 8.0
"""Ratio of the largest to the smallest network from which on LUTs have a logarithmic axis."""


def front_picture(trained: Trained, name: str) -> bytes:
    """The front with standard errors, the chosen network and its test score, as PNG.

    Raises
    ------
    KanError : Matplotlib is not installed.
    """
    front, chosen = trained.front, trained.chosen
    picture = figure(7.2, 4.4)
    axes = picture.subplots()
    luts = [point.luts for point in front]
    scores = [point.score for point in front]
    errors = [point.error for point in front]
    axes.errorbar(luts, scores, errors, fmt="none", ecolor=GREY, elinewidth=1, capsize=2)
    held_out = f"held-out {trained.score_name}"
    axes.plot(luts, scores, "o-", color=BLUE, markersize=5, linewidth=1.4, label=held_out)
    at = chosen.luts, chosen.score
    axes.scatter(*at, s=150, facecolors="none", edgecolors=ORANGE, linewidths=2, label="chosen")
    if trained.test_score is not None:
        label = f"its test {trained.score_name}"
        axes.scatter(chosen.luts, trained.test_score, marker="x", color=INK, label=label)
    if luts[-1] > 0 and luts[0] > FAR * luts[-1]:
        axes.set_xscale("log")
    axes.set_xlabel("LUTs by estimate")
    axes.set_ylabel(trained.score_name)
    axes.set_title(f"{name}: {quantity(len(front), 'network')}", fontsize=11, loc="left")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    plain(axes)
    return as_png(picture)
