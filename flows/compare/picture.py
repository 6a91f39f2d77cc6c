"""Draws the ratios of a comparison as PNG with matplotlib: networks, mean and interval."""

from __future__ import annotations

from kan_dialect.flows.compare.comparison import Result
from kan_dialect.flows.compare.statistics import METRICS, Ratio
from kan_dialect.flows.png_chart import BLUE, GREY, INK, ORANGE, as_png, figure, plain

COLOURS = (BLUE, ORANGE, "#2f9e44", "#9c36b5", "#e67700", "#495057")


def ratio_picture(result: Result, metric: str) -> bytes:
    """Ratio of each network to the baseline, a colour a pipeline, with means and intervals.

    Parameters
    ----------
    metric : a key of `METRICS` that some pipeline has a ratio of.
    """
    shown: list[tuple[str, Ratio]] = [
        (name, ratio)
        for name, ratios in result.ratios.items()
        for ratio in ratios
        if ratio.metric == metric
    ]
    names = list(dict.fromkeys(name for _, ratio in shown for name in ratio.by_network))
    picture = figure(7.2, 1.6 + 0.22 * len(names))
    axes = picture.subplots()
    axes.axvline(1.0, color=INK, linewidth=0.9)
    for number, (pipeline, ratio) in enumerate(shown):
        colour = COLOURS[number % len(COLOURS)]
        if ratio.interval is not None:
            axes.axvspan(*ratio.interval, color=colour, alpha=0.15, linewidth=0)
        axes.axvline(ratio.mean, color=colour, linewidth=1.2, linestyle="--")
        offset = 0.5 * ((number + 0.5) / len(shown) - 0.5)
        places = [names.index(name) + offset for name in ratio.by_network]
        label = f"{pipeline}: {ratio}"
        axes.plot(list(ratio.by_network.values()), places, "o", color=colour, label=label)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:.3g}")
    axes.xaxis.set_minor_formatter("{x:.3g}")
    axes.tick_params(axis="x", which="both", labelsize=8)
    baseline = result.comparison.pipelines[0].name
    axes.set_xlabel(f"{METRICS[metric].label}, ratio to {baseline}; geometric mean, 95 % interval")
    plain(axes)
    axes.grid(axis="y", color=GREY, linewidth=0.4)
    picture.legend(loc="outside upper left", frameon=False, fontsize=8)
    return as_png(picture)
