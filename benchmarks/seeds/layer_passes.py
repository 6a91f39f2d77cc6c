"""Bugs in passes on layers: affine maps, quantisation and tables."""

from __future__ import annotations

from edits import Replace

from seeds.seed import seeds_in

SEEDS = [
    *seeds_in(
        "kan-fold-affine",
        "MergeAffines.match_and_rewrite",
        (
            "merged affines: the inner bias is not scaled",
            Replace("inner_bias * scale", "inner_bias"),
        ),
        ("merged affines: one scale is lost", Replace("scale * inner_scale", "scale")),
    ),
    *seeds_in(
        "kan-fold-affine",
        "AffineIntoNodeSum.match_and_rewrite",
        (
            "an affine behind a sum: the sum's own bias is not scaled",
            Replace("node_sum.bias_array * scale", "node_sum.bias_array"),
        ),
        (
            "an affine behind a sum: its bias is lost",
            Replace("node_sum.bias_array * scale + bias", "node_sum.bias_array * scale"),
        ),
        (
            "an affine behind a sum: the pruned edges come back",
            Replace("NodeSumOp(..., mask=node_sum.mask)", "NodeSumOp(...)"),
        ),
    ),
    *seeds_in(
        "kan-fold-affine",
        "ScaleIntoEdges.match_and_rewrite",
        (
            "scaled edges: the weights of base functions are not",
            Replace("to_floats(edges.weights) * scale", "to_floats(edges.weights)"),
        ),
        (
            "scaled edges: one summand twice",
            Replace("(edges.lhs, edges.rhs)", "(edges.lhs, edges.lhs)"),
        ),
        ("scaled edges: a bias is lost", Replace("... or bias.any() or ...", "... or ...")),
    ),
    *seeds_in(
        "kan-quantize",
        "_quantize_layer",
        (
            "a bias rounds down",
            Replace(
                "round_layer(values, op.bias_array, ...)",
                "round_layer(values, np.floor(op.bias_array / codes.edges) * codes.edges, ...)",
            ),
        ),
    ),
    *seeds_in(
        "kan-quantize",
        "_integer_sums",
        (
            "biases are lost",
            Replace(
                "NodeSumOp(..., bias=rounded.bias)",
                "NodeSumOp(..., bias=np.zeros_like(rounded.bias))",
            ),
        ),
    ),
    *seeds_in(
        "kan-quantize",
        "round_layer",
        (
            "edges saturate at half of what they reach",
            Replace(
                "(rounded.tables.min(axis=-1), rounded.tables.max(axis=-1))",
                "(rounded.tables.min(axis=-1) // 2, rounded.tables.max(axis=-1) // 2)",
            ),
        ),
        (
            "the bounds of a sum leave its bias out",
            Replace("upper.sum(axis=1) + rounded.bias", "upper.sum(axis=1)"),
        ),
    ),
    *seeds_in(
        "kan-quantize",
        "_concatenated_type",
        (
            "concatenated codes: the zero points of the first part for all",
            Replace("e.zero_point_for(1)", "elements[0].zero_point_for(1)[:1]"),
        ),
    ),
    *seeds_in(
        "kan-quantize",
        "round_edges",
        (
            "edges are bounded coarser than they are rounded",
            Replace("np.rint(steps)", "np.rint(steps / 2)"),
        ),
    ),
    *seeds_in(
        "kan-quantize",
        "scales_and_zero_points",
        (
            "scales are twice too fine: half the range saturates",
            Replace("width / steps", "width / 2 / steps"),
        ),
        ("scales are four times too coarse", Replace("width / steps", "width * 4 / steps")),
        ("zero points have the wrong sign", Replace("-low / scale", "low / scale")),
    ),
    *seeds_in(
        "kan-fold-tables",
        "fold_tables:_tables",
        (
            "tables saturate one code early",
            Replace(
                "bounds_of(op.result)",
                "(bounds_of(op.result)[0], bounds_of(op.result)[1] - 1)",
            ),
        ),
        (
            "tables start at the second code",
            Replace(
                "code_table(...)",
                "np.roll(code_table(...), 1, axis=-1)",
            ),
        ),
        (
            "pruned edges keep the tables that nobody reads",
            Replace("values[:, ~kept] = 0.0", ""),
            "no sum reads them; the next pass makes no table of a pruned edge",
        ),
    ),
    *seeds_in(
        "kan-fold-tables",
        "narrowed_sum",
        ("biases are lost", Replace("NodeSumOp(..., bias=bias)", "NodeSumOp(...)")),
        (
            "the bounds of a sum leave its bias out",
            Replace(
                "np.where(mask, upper, 0).sum(axis=1) + bias",
                "np.where(mask, upper, 0).sum(axis=1)",
            ),
        ),
        (
            "storage of sums for the smallest node",
            Replace(
                "narrowest(element, low, high)",
                "narrowest(element, low, high.min(keepdims=True))",
            ),
        ),
    ),
    *seeds_in(
        "kan-fold-tables",
        "code_table",
        (
            "tables round down",
            Replace("quantize(...)", "quantize(values, scale, zero_point, lower, upper, 'floor')"),
        ),
        (
            "tables round half up",
            Replace(
                "quantize(values, ...)", "quantize(np.floor(values / scale + 0.5) * scale, ...)"
            ),
            "half a step is exact in float64 for no edge of these networks",
        ),
    ),
]
