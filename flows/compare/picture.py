"""Draws the ratios of a comparison as PNG with matplotlib: networks, mean and interval."""

from __future__ import annotations

from collections.abc import Mapping

from kan_dialect.flows.compare.comparison import Result
from kan_dialect.flows.compare.statistics import METRICS, Ratio
from kan_dialect.flows.png_chart import BLUE, GREY, INK, ORANGE, as_png, figure, plain

COLOURS = (BLUE, ORANGE, "#2f9e44", "#9c36b5", "#e67700", "#495057")


def ratio_pictures(result: Result) -> dict[str, bytes]:
    """A picture of each figure that some pipeline has a ratio of, by name of the file."""
    found = {
        metric: {name: result.ratio(name, metric) for name in result.ratios} for metric in METRICS
    }
    shown = {
        metric: {name: ratio for name, ratio in ratios.items() if ratio is not None}
        for metric, ratios in found.items()
    }
    baseline = result.comparison.pipelines[0].name
    return {
        f"{metric}.png": _ratio_picture(METRICS[metric].label, ratios, baseline)
        for metric, ratios in shown.items()
        if ratios
    }


def _ratio_picture(label: str, ratios: Mapping[str, Ratio], baseline: str) -> bytes:
    """Ratio of each network to the baseline, a colour a pipeline, with means and intervals."""
    names = list(dict.fromkeys(name for ratio in ratios.values() for name in ratio.by_network))
    picture = figure(7.2, 1.6 + 0.22 * len(names))
    axes = picture.subplots()
    axes.axvline(1.0, color=INK, linewidth=0.9)
    for number, (pipeline, ratio) in enumerate(ratios.items()):
        colour = COLOURS[number % len(COLOURS)]
        if ratio.interval is not None:
            axes.axvspan(*ratio.interval, color=colour, alpha=0.15, linewidth=0)
        axes.axvline(ratio.mean, color=colour, linewidth=1.2, linestyle="--")
        offset = 0.5 * ((number + 0.5) / len(ratios) - 0.5)
        places = [names.index(name) + offset for name in ratio.by_network]
        told = f"{pipeline}: {ratio}"
        axes.plot(list(ratio.by_network.values()), places, "o", color=colour, label=told)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:.3g}")
    axes.xaxis.set_minor_formatter("{x:.3g}")
    axes.tick_params(axis="x", which="both", labelsize=8)
    axes.set_xlabel(f"{label}, ratio to {baseline}; geometric mean, 95 % interval")
    plain(axes)
    axes.grid(axis="y", color=GREY, linewidth=0.4)
    picture.legend(loc="outside upper left", frameon=False, fontsize=8)
    return as_png(picture)
