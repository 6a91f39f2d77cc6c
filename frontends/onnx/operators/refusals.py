"""Operators that have no place in a Kolmogorov-Arnold network: reason and remedy of each."""

from __future__ import annotations

_NO_NORM = (
    "train the model without it; a batch normalisation, which treats each input alone, is supported"
)
_OTHER_FORM = "export the model with QuantizeLinear and DequantizeLinear, or in float32"
REPLACE_BY_LAYER = "replace it by a layer whose edges are functions of one input each"
"""The remedy for an op that mixes the values of a layer."""

RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike"}
    | {"RandomUniform", "RandomUniformLike"}
)
"""Operators with a random result, even of constants."""

REFUSALS: dict[str, tuple[str, str]] = {
    "ArgMax": ("it gives an index instead of the values", REPLACE_BY_LAYER),
    "ArgMin": ("it gives an index instead of the values", REPLACE_BY_LAYER),
    "Softmax": ("each output depends on all others", REPLACE_BY_LAYER),
    "LogSoftmax": ("each output depends on all others", REPLACE_BY_LAYER),
    "Hardmax": ("each output depends on all others", REPLACE_BY_LAYER),
    "TopK": ("it gives the largest values in their order", REPLACE_BY_LAYER),
    "LayerNormalization": (
        "it mixes the inputs of a layer by their mean and variance: this is no KAN layer",
        _NO_NORM,
    ),
    "RMSNormalization": (
        "it mixes the inputs of a layer by their mean square: this is no KAN layer",
        _NO_NORM,
    ),
    "InstanceNormalization": ("it mixes the values of a channel: this is no KAN layer", _NO_NORM),
    "GroupNormalization": ("it mixes the values of a group: this is no KAN layer", _NO_NORM),
    "LpNormalization": (
        "it mixes the inputs of a layer by their norm: this is no KAN layer",
        _NO_NORM,
    ),
    "LRN": ("it mixes neighbouring channels: this is no KAN layer", _NO_NORM),
    "Conv": ("convolutions are not supported", "flatten the input and use KAN layers"),
    "ConvTranspose": ("convolutions are not supported", "flatten the input and use KAN layers"),
    "MaxPool": ("it mixes neighbouring values by their maximum", REPLACE_BY_LAYER),
    "GlobalMaxPool": ("it mixes all values by their maximum", REPLACE_BY_LAYER),
    "AveragePool": ("pooling is not supported", "average by a constant matrix product"),
    "GlobalAveragePool": ("pooling is not supported", "average by a constant matrix product"),
    "RNN": ("recurrent layers are not supported", REPLACE_BY_LAYER),
    "LSTM": ("recurrent layers are not supported", REPLACE_BY_LAYER),
    "GRU": ("recurrent layers are not supported", REPLACE_BY_LAYER),
    "ReduceMax": ("it mixes values by their maximum", REPLACE_BY_LAYER),
    "ReduceMin": ("it mixes values by their minimum", REPLACE_BY_LAYER),
    "ReduceProd": ("it multiplies values", REPLACE_BY_LAYER),
    "ReduceL1": ("it mixes values by their norm", REPLACE_BY_LAYER),
    "ReduceL2": ("it mixes values by their norm", REPLACE_BY_LAYER),
    "ReduceSumSquare": ("it mixes values by their norm", REPLACE_BY_LAYER),
    "ReduceLogSumExp": ("it mixes values by the logarithm of a sum", REPLACE_BY_LAYER),
    "DynamicQuantizeLinear": ("the model is quantised already", _OTHER_FORM),
    "QLinearMatMul": ("the model is quantised already", _OTHER_FORM),
    "MatMulInteger": ("the model is quantised already", _OTHER_FORM),
    **{op: ("its result is random", "export the model in evaluation mode") for op in RANDOM},
}
"""Operator -> reason and remedy."""

UNKNOWN = (
    "the operator is not known as part of a KAN",
    "export the layers with plain arithmetic, comparisons and matrix products",
)
PRODUCT = (
    "it combines values that depend on different inputs or nodes other than by adding: this is no "
    "KAN layer"
)
NORMALISED_PRODUCT = (
    "it divides or multiplies by a value computed from all inputs of the layer, as a layer "
    "normalisation does: it mixes the inputs of a layer, which is no KAN layer"
)
PRODUCT_REMEDY = (
    "nodes of a KAN only add functions of one value each: train the model without multiplication "
    "nodes, gates and layer normalisation"
)
