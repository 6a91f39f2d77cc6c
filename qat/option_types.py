"""Types of the options of training, made by `make reference` from what declares them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict


class TrainOptionTypes(TypedDict, total=False):
    """Options of `train`."""

    label: Sequence[str]
    """Column of labels of a .csv file; several are targets of a regression. By default the column
    that is called label, class, target or y."""
    without: Sequence[str]
    """Columns of a .csv file that are not read."""
    task: Literal["classes", "regression"] | Literal["none"] | None
    """What labels are; by default text and whole numbers are classes, other numbers a regression's
    targets."""
    missing: Literal["refuse", "drop", "median"]
    """What is done about missing values: samples that miss one are left out, or the median of the
    feature stands for them, in the host's codec too."""
    group: str | Path | None
    """Column, or array of an .npz, of what samples have in common: those of one group are held out
    together."""
    time: str | Path | None
    """Column, or array of an .npz, of when a sample was taken: samples are held out by time, the
    last ones where there is one fold."""
    class_weights: str | Path | None
    """What a sample of a class counts in the loss: `balanced`, as much for each class together; or
    a .csv file with a row `class,weight` for each."""
    hidden: Sequence[int]
    """Number of nodes of each hidden layer; by default the network has no hidden layer."""
    target: str | Path
    """Device whose LUTs are counted."""
    input_bits: int
    """Bits of an input's code; edges read as many of them as they need."""
    hidden_bits: int
    """Bits of a hidden node that edges may read; they read as many as they need."""
    functions: Literal["spline", "table", "line"]
    """Edges are trained as B-splines, as tables with an entry for each code, or as lines; those
    make a perceptron, whose hidden nodes saturate."""
    cells: int
    """Cells of the B-splines' grids."""
    shapes: int | None
    """Functions that all edges of a layer share: an edge is one of them or its negative, times 1,
    1/2, 1/4 or 1/8, or nothing; by default each edge has its own."""
    table_inputs: int | None
    """Nodes of the first hidden layer are tables of this number of bits, which are learned with
    them, and give one bit: a bit is whether an input has reached a threshold (Bacellar et al.,
    arXiv 2410.11112); by default nodes are sums of functions."""
    group_sum: bool
    """A result is the number of ones that a group of nodes of the last hidden layer gives: each
    node counts once, for one class (Petersen et al., arXiv 2210.08277). Nodes give one bit; by
    default they have functions for all results."""
    monotone: Sequence[str]
    """Features that the result or each target rises with, as pressure=+, or falls with, as
    pressure=-, whatever the other features are; of two classes the result is the score of the
    second one."""
    decides: bool
    """Of two classes, hardware gives the class in place of a score: one bit, which is one table
    where edges read few bits."""
    tail: float
    """Per cent of the samples at each end of a feature that may lie beyond its codes."""
    learn_codes: bool
    """The ranges of the features that codes stand for are trained, too."""
    input_noise: float
    """Standard deviation of noise that features have in training, in parts of their ranges (Bishop,
    Neural Computation 7, 1995)."""
    max_luts: int | None
    """Most LUTs of the chosen network, by estimate: of those the least loss is chosen; by default
    the cheapest within a standard error of the least loss."""
    max_levels: int | None
    """Most levels of logic of networks on the front, by estimate."""
    metric: Literal["accuracy", "balanced", "f1", "auc", "rmse", "mae"] | Literal["none"] | None
    """What networks are compared by on held-out samples: accuracy, its mean over classes, F1 (of
    class 1 of two), the area under the ROC curve, or of numbers the root mean squared or mean
    absolute error; by default the loss."""
    min_recall: Sequence[str]
    """Least part of the samples of a class that are decided as it, as fault=0.99: of two classes
    the threshold is chosen so; the cheapest network that keeps it on held-out samples is chosen."""
    max_false_alarms: Sequence[str]
    """Most part of the samples of other classes that are decided as a class, as fault=0.01; of
    classes 0 and 1 without names, 0.01 is of class 1."""
    price: float | None
    """Score that a LUT is worth: the network with the highest score less price times LUTs is
    chosen; by default losses decide."""
    folds: int | None
    """Parts of the samples, each held out by a network of its own, before a last network learns
    from all; 1: the network that is kept holds out a part. By default 4 for fewer than 2000
    samples, else 1."""
    validation: float
    """Part of the samples that is held out where there is one fold."""
    teacher_weight: float
    """Part of the loss that is the distance from the teacher; the rest is that of the labels."""
    teacher_temperature: float
    """Temperature of the teacher's classes: higher ones tell more of classes that are unlikely."""
    seed: int
    """Seed of everything random."""
    seeds: int
    """Number of trainings, each with the next seed; the front is made of the networks of all."""
    name: str | Path | None
    """Name of the design; by default the data file's."""
    steps: int
    """Gradient steps of each network."""
    batch: int
    """Samples of a step; with fewer samples, all of them are."""
    warm: float
    """Part of the steps in which the price rises from 0 to the first price."""
    first_price: float
    """Loss that a LUT of xcup is worth after a quarter of the steps; it rises by the same factor in
    each further step."""
    last_price: float
    """Loss that a LUT of xcup is worth at the end."""
    fan_in: int | None
    """Most edges of a hidden node; the first half of the steps prunes those that vary the least,
    and has no price; by default only the price prunes."""
    candidates: int | None
    """Edges of a hidden node that are trained at first, with a limit of their number; by default
    one from each input."""
    rate: float
    """Learning rate of Adam (Kingma and Ba, arXiv 1412.6980); that of bits is twice as much."""
    last_rate: float
    """Part of the learning rate that is left at the end; it falls along a cosine."""
    smooth: float
    """Weight of squared second differences of coefficients (Eilers and Marx, 1996)."""
    average: float
    """Weight of earlier steps in the average of the parameters; networks have that average."""
    interval: int
    """Steps from one record to the next."""
