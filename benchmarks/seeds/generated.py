"""Bugs in heads, formats and codecs of the host, each with the test that has to find it.

They are for `seeded_files.py` and the tests. A test is named as pytest names it, without its
folder.
"""

from __future__ import annotations

from dataclasses import dataclass

from edits import Edit, Replace, ReplaceText

from seeds.seed import Seed, seeds_in


@dataclass(frozen=True)
class CheckedSeed:
    """A bug and the test that finds it."""

    seed: Seed
    check: str
    """`test_heads.py::test_builds`; with a parameter, `test_cocotb.py::test_x[valid]`."""


def found_by(check: str, subject: str, function: str, *bugs: tuple[str, Edit]) -> list[CheckedSeed]:
    """Bugs in one function that a test finds."""
    return [CheckedSeed(seed, check) for seed in seeds_in(subject, function, *bugs)]


_DECISIONS = "test_heads.py::test_decisions_of_random_outputs"
_THRESHOLDS = "test_heads.py::test_thresholds_are_decided_on_decoded_numbers"
_SUM_THRESHOLD = "test_heads.py::test_a_threshold_takes_the_sums_constant"

_HEADS = [
    *found_by(
        _DECISIONS,
        "heads",
        "decisions:greater",
        ("the sign stands for greater", Replace("build.inverted(sign, 1, op.given_name)", "sign")),
    ),
    *found_by(
        _DECISIONS,
        "heads",
        "decisions:_is_first",
        (
            "of equal outputs the last is the largest",
            Replace("f'{sign}ge'", "f'{sign}gt'"),
        ),
        (
            "candidates are compared as unsigned numbers",
            Replace("'s' if signed else 'u'", "'u'"),
        ),
        (
            "equal candidates go by the larger index",
            Replace(
                "build.inverted(build.resized(index, kind.bits, width, False), width)",
                "build.resized(index, kind.bits, width, False)",
            ),
        ),
    ),
    *found_by(
        _DECISIONS,
        "heads",
        "decisions:_bits",
        ("an unsigned candidate gets no sign bit", Replace("not kind.is_signed", "False")),
    ),
    *found_by(
        _DECISIONS,
        "heads",
        "add_head:_sorting_network",
        (
            "a comparator of the merge is left out",
            Replace("comparators.append((left, right))", "pass"),
        ),
    ),
    *found_by(
        _THRESHOLDS,
        "heads",
        "add_head:_code_below",
        (
            "a number that is the threshold is above it",
            Replace(
                "decode([port], codes[:, np.newaxis])[:, 0] > threshold",
                "decode([port], codes[:, np.newaxis])[:, 0] >= threshold",
            ),
        ),
    ),
    *found_by(
        _SUM_THRESHOLD,
        "heads",
        "_Builder.threshold",
        (
            "the sum is lowered by one too little",
            Replace("self.lowered(owner, bound + 1)", "self.lowered(owner, bound)"),
        ),
    ),
    *found_by(
        "test_heads.py::test_outputs_of_other_scales_are_compared_as_numbers",
        "heads",
        "_Builder.on_one_scale",
        ("zero points of outputs are added", Replace("-port.zero_point", "port.zero_point")),
        ("outputs of coarse scales are not shifted", Replace("if exponent: ...", "")),
    ),
]

_FORMAT = "test_formats.py::test_hardware_computes_what_the_reference_does"

_FORMATS = [
    *found_by(
        _FORMAT,
        "formats",
        "_Expansion.requantize",
        ("the zero point is scaled too", Replace("self.offset(wire, -zero_in[node])", "wire")),
        (
            "the input's zero point is the output's",
            Replace("after.zero_point_for(1)", "before.zero_point_for(1)"),
        ),
        (
            "a code saturates one too high",
            Replace("int(upper[node])", "int(upper[node]) + 1"),
        ),
    ),
    *found_by(
        _FORMAT,
        "formats",
        "clamp_and_shift:shifted",
        (
            "a half rounds up",
            Replace("(1 << (amount - 1)) - 1", "1 << (amount - 1)"),
        ),
    ),
    *found_by(
        _FORMAT,
        "formats",
        "_quantize_argument",
        (
            "codes of a port are taken unrounded",
            Replace(
                "PointCodes(element, bounds) if port is None else port",
                "PointCodes(element, bounds)",
            ),
        ),
    ),
    *found_by(
        "test_formats.py::test_a_fixed_number_holds_what_hls_says",
        "formats",
        "_of_fixed",
        (
            "bits before the point are those behind it",
            Replace("bits - integer", "integer"),
        ),
    ),
]

_HOST = [
    *found_by(
        "test_host_codec.py::test_python_and_c_encode_as_defined",
        "host",
        "c:_HEADER",
        ("a half is rounded away from zero in C", ReplaceText("rounded % 2 == 1", "rest == 0.5")),
        (
            "codes above the highest wrap in C",
            ReplaceText("if (code > port->highest) return (@name@_code)port->highest;\n", ""),
        ),
    ),
    *found_by(
        "test_host_codec.py::test_axi_streams_carry_codes",
        "host",
        "BusBytes.of",
        (
            "the bytes of a code are sent highest first",
            Replace("range(field.bytes)", "reversed(range(field.bytes))"),
        ),
        ("the order of beats is forgotten", Replace("sent_at[word]", "word")),
    ),
    *found_by(
        "test_host_codec.py::test_buses_carry_outputs",
        "host",
        "host.python:_MODULE",
        (
            "the sign bit of a packed code weighs as any bit",
            ReplaceText("weights[-1] = -weights[-1]", "pass"),
        ),
    ),
]

SEEDS = [*_HEADS, *_FORMATS, *_HOST]
