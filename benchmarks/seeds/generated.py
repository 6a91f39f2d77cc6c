"""Bugs in heads, formats and generated files, each with the test that has to find it.

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
    """`passes/test_add_head.py::test_builds`; with a parameter, `test_cocotb.py::test_x[valid]`."""


def found_by(check: str, subject: str, function: str, *bugs: tuple[str, Edit]) -> list[CheckedSeed]:
    """Bugs in one function that a test finds."""
    return [CheckedSeed(seed, check) for seed in seeds_in(subject, function, *bugs)]


_DECISIONS = "passes/test_add_head.py::test_decisions_of_random_outputs"
_THRESHOLDS = "passes/test_add_head.py::test_thresholds_are_decided_on_decoded_numbers"
_SUM_THRESHOLD = "passes/test_add_head.py::test_a_threshold_takes_the_sums_constant"

_HEADS = [
    *found_by(
        _DECISIONS,
        "heads",
        "GreaterOp.lower",
        (
            "the sign stands for greater",
            Replace("build.inverted(sign, 1, self.given_name)", "sign"),
        ),
    ),
    *found_by(
        _DECISIONS,
        "heads",
        "PrecedesOp.lower",
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
        "decision:_bits",
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
                "decode([port], np.array([[middle]]))[0, 0] > threshold",
                "decode([port], np.array([[middle]]))[0, 0] >= threshold",
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
        "passes/test_add_head.py::test_outputs_of_other_scales_are_compared_as_numbers",
        "heads",
        "_Builder.on_one_scale",
        ("zero points of outputs are added", Replace("-port.zero_point", "port.zero_point")),
        ("outputs of coarse scales are not shifted", Replace("if exponent: ...", "")),
    ),
]

_FORMAT = "model/test_number_formats.py::test_hardware_computes_what_the_reference_does"

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
        "shift:shifted",
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
        "model/test_number_formats.py::test_a_fixed_number_holds_what_hls_says",
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
        "flows/host/test_codec.py::test_python_and_c_encode_as_defined",
        "host",
        "flows/host/templates/codec.h.j2",
        ("a half is rounded away from zero in C", ReplaceText("rounded % 2 == 1", "rest == 0.5")),
        (
            "codes above the highest wrap in C",
            ReplaceText("if (code > port->highest) return ({{ name }}_code)port->highest;\n", ""),
        ),
    ),
    *found_by(
        "flows/host/test_codec.py::test_axi_streams_carry_codes",
        "host",
        "BusBytes.of",
        (
            "the bytes of a code are sent highest first",
            Replace("range(field.bytes)", "reversed(range(field.bytes))"),
        ),
        ("the order of beats is forgotten", Replace("sent_at[word]", "word")),
    ),
    *found_by(
        "flows/host/test_codec.py::test_buses_carry_outputs",
        "host",
        "flows/host/templates/codec.py.j2",
        (
            "the sign bit of a packed code weighs as any bit",
            ReplaceText("weights[-1] = -weights[-1]", "pass"),
        ),
    ),
    *found_by(
        "flows/host/test_emulator.py::test_random_wires",
        "emulator",
        "emulator:_Text._index",
        (
            "a table starts at the code 0",
            Replace("_offset(ref, -kind.low)", "_offset(ref, 0)"),
        ),
    ),
    *found_by(
        "flows/host/test_emulator.py::test_wide_values_are_rounded_and_clamped",
        "emulator",
        "ClampOp.c_expression",
        ("the lower end does not saturate in C", Replace("source.low < target.low", "False")),
    ),
    *found_by(
        "flows/host/test_emulator.py::test_wide_values_are_rounded_and_clamped",
        "emulator",
        "flows/host/templates/emulator.c.j2",
        ("a half rounds up in C", ReplaceText("quotient % 2 != 0", "1")),
    ),
    *found_by(
        "flows/host/test_emulator.py::test_decisions[25]",
        "emulator",
        "PrecedesOp.c_expression",
        (
            "equal candidates change places in C",
            ReplaceText("{left_index} < {right_index}", "{left_index} > {right_index}"),
        ),
    ),
    *found_by(
        "flows/host/test_emulator.py::test_sums_share_words",
        "emulator",
        "dataflow:Word.takes",
        (
            "lanes of a word overlap its end",
            Replace("self.bits + new.largest.bit_length() <= WORD_BITS", "self.bits < WORD_BITS"),
        ),
    ),
    *found_by(
        "flows/host/test_emulator.py::test_the_cpp_class",
        "C++ header",
        "flows/host/templates/network.hpp.j2",
        (
            "the class of C++ takes the code for the number",
            ReplaceText(
                "{{ name }}_decode(codes.data(), y.data());",
                "for (std::size_t i = 0; i < y.size(); ++i) y[i] = double(codes[i]);",
            ),
        ),
    ),
    *found_by(
        "flows/host/test_emulator.py::test_predictions_are_those_of_the_integer_model",
        "Python loader",
        "flows/host/templates/emulator.py.j2",
        (
            "predict reads every sample from the first",
            ReplaceText("_encode(x + sample * {{ inputs }}, in)", "_encode(x, in)"),
        ),
    ),
    *found_by(
        "flows/host/test_emulator.py::test_wrong_codes_are_refused",
        "Python loader",
        "flows/host/templates/emulator.py.j2",
        (
            "codes below the range are run",
            ReplaceText("(rows.min(axis=0) >= lowest) & (", "("),
        ),
    ),
    *found_by(
        "flows/host/test_pynq.py::test_transfers_fit_the_engine",
        "drivers",
        "flows/host/templates/pynq_stream.py.j2",
        (
            "a transfer has a sample more than the engine carries",
            ReplaceText("1 << 14) - 1\n", "1 << 14) + codec.AXIS_INPUT_BYTES\n"),
        ),
    ),
    *found_by(
        "flows/host/test_register_drivers.py::test_samples_go_through_registers",
        "drivers",
        "flows/host/templates/pynq_accesses.py.j2",
        (
            "negative results are read as large ones",
            ReplaceText("negative = signed and", "negative = signed and False and"),
        ),
    ),
]

_HARDWARE = "lowering/test_vhdl.py::test_random_hardware_is_what_numpy_evaluates"

_VHDL = [
    *found_by(
        _HARDWARE,
        "VHDL",
        "vhdl.operations:_COMPARISONS",
        ("greater is greater or equal", Replace("'?>'", "'?>='")),
    ),
    *found_by(
        "lowering/test_vhdl.py::test_divisions_are_those_of_integers",
        "VHDL",
        "vhdl.operations:_DIVISION",
        (
            "a remainder has the sign of the divisor",
            Replace(
                "{comb.DivUOp: ..., comb.DivSOp: ..., comb.ModUOp: ..., comb.ModSOp: 'rem'}",
                "{comb.DivUOp: ..., comb.DivSOp: ..., comb.ModUOp: ..., comb.ModSOp: 'mod'}",
            ),
        ),
    ),
    *found_by(
        _HARDWARE,
        "VHDL",
        "vhdl.operations:Expressions._shift",
        ("an arithmetic shift fills with zeros", Replace("if signed: value = ...", "")),
    ),
    *found_by(
        _HARDWARE,
        "VHDL",
        "vhdl.operations:_joined",
        (
            "operands of a concatenation change places",
            Replace("' & '.join(texts)", "' & '.join(texts[::-1])"),
        ),
    ),
    *found_by(
        "lowering/test_vhdl.py::test_constants_are_added_and_subtracted",
        "VHDL",
        "vhdl.operations:_plus",
        ("a negative constant is one too large", ReplaceText(" - {below}", " - {below - 1}")),
    ),
    *found_by(
        "lowering/test_vhdl.py::test_long_tables_have_rows_of_vectors",
        "VHDL",
        "vhdl.functions:_TEXTS",
        (
            "the upper half of a table is never read",
            ReplaceText("if {index}({place}) = '1' then", "if {index}({place}) = '0' then"),
        ),
    ),
    *found_by(
        "lowering/test_vhdl.py::test_hardware_that_trains_is_its_systemverilog",
        "VHDL",
        "_EntityWriter._where",
        (
            "a memory is written whether or not it is enabled",
            ReplaceText(
                "if {self.expressions.of(enable).operand} = '1' then",
                "if {self.expressions.of(enable).operand} /= 'Z' then",
            ),
        ),
    ),
    *found_by(
        "lowering/test_vhdl.py::test_wrappers_are_their_systemverilog[options0]",
        "VHDL",
        "_EntityWriter._process",
        (
            "registers come out of reset without it",
            ReplaceText(" = '1' then", " = '0' then"),
        ),
    ),
    *found_by(
        "flows/test_vhdl.py::test_wrapper_and_package_of_any_name[net]",
        "VHDL",
        "flows/vhdl/templates/package.vhd.j2",
        (
            "the package counts a cycle more",
            ReplaceText("{{ latency }};", "{{ latency + 1 }};"),
        ),
    ),
    *found_by(
        "flows/test_vhdl.py::test_build_simulates_the_vhdl[options0]",
        "VHDL",
        "flows/simulate/templates/testbench.vhd.j2",
        (
            "the testbench in VHDL checks nothing",
            ReplaceText("{% for placed in outputs %}", "{% for placed in [] %}"),
        ),
    ),
]

_COCOTB = [
    *found_by(
        "flows/test_cocotb.py::test_wrong_designs_fail[valid]",
        "cocotb",
        "flows/cocotb/templates/outputs.py.j2",
        (
            "no output is compared",
            ReplaceText("enumerate(codec.OUTPUTS)", "enumerate(codec.OUTPUTS[:0])"),
        ),
    ),
    *found_by(
        "flows/test_cocotb.py::test_wrong_designs_fail[valid-late]",
        "cocotb",
        "flows/cocotb/templates/clocked.py.j2",
        (
            "out_valid is not compared",
            ReplaceText("assert got == (due is not None), (", "assert got in (0, 1), ("),
        ),
    ),
    *found_by(
        "flows/test_cocotb.py::test_wrong_designs_fail[valid-reset]",
        "cocotb",
        "flows/cocotb/templates/clocked.py.j2",
        (
            "samples may come out of a reset",
            ReplaceText("assert int(dut.out_valid.value) == (cycle == LATENCY), ", "assert True, "),
        ),
    ),
    *found_by(
        "flows/test_cocotb.py::test_wrong_designs_fail[ready-valid-changes]",
        "cocotb",
        "flows/cocotb/templates/ready_valid.py.j2",
        (
            "offers may change before they are taken",
            ReplaceText("offered is None or now == offered", "offered is None or now"),
        ),
    ),
    *found_by(
        "flows/test_cocotb.py::test_wrong_designs_fail[axi-stream]",
        "cocotb",
        "flows/cocotb/templates/axi_stream.py.j2",
        (
            "the ends of packets are not compared",
            ReplaceText("assert not HAS_LAST or len(got)", "assert True or len(got)"),
        ),
    ),
    *found_by(
        "flows/test_cocotb.py::test_wrong_designs_fail[beats]",
        "cocotb",
        "flows/cocotb/templates/axi_stream.py.j2",
        (
            "TUSER is not compared",
            ReplaceText("assert not USER_BITS or user[start]", "assert True or user[start]"),
        ),
    ),
    *found_by(
        "flows/test_cocotb.py::test_wrong_designs_fail[axi-lite]",
        "cocotb",
        "flows/cocotb/templates/axi_lite.py.j2",
        ("registers are not compared", ReplaceText("assert got[index] == words", "assert got")),
    ),
    *found_by(
        "flows/test_cocotb.py::test_backpressure_that_is_not_covered_fails",
        "cocotb",
        "flows/cocotb/templates/pauses.py.j2",
        ("coverage is not required", ReplaceText("assert not missing, ", "assert True, ")),
    ),
]

_IPXACT = "flows/test_projects.py::test_descriptions_have_the_ports_and_files_of_the_design"

_PROJECTS = [
    *found_by(
        _IPXACT,
        "projects",
        "flows/projects/templates/component.xml.j2",
        (
            "vectors have a bit too many",
            ReplaceText("{{ port.bits - 1 }}</ipxact:left>", "{{ port.bits }}</ipxact:left>"),
        ),
    ),
    *found_by(
        "flows/test_projects.py::test_ports_of_wrappers_are_bus_interfaces",
        "projects",
        "write:_BUSES",
        (
            "a stream that leaves is a target",
            Replace(
                "('m_axis', 'AXI4Stream', 'r0p0_1', True)",
                "('m_axis', 'AXI4Stream', 'r0p0_1', False)",
            ),
        ),
    ),
    *found_by(
        "flows/test_projects.py::test_the_clock_is_the_given_one_else_the_estimate",
        "projects",
        "Period.mhz",
        ("the clock is in kHz", Replace("1000 / self.ns", "1000000 / self.ns")),
    ),
    *found_by(
        "flows/test_projects.py::test_constraints_are_tcl_that_names_every_port",
        "projects",
        "flows/projects/templates/constraints.j2",
        (
            "outputs have no delay",
            ReplaceText(
                "set_output_delay -clock {{ design.clock.name }} 0.000 "
                "{{ ports(design.outputs) }}\n",
                "",
            ),
        ),
    ),
    *found_by(
        "flows/test_projects.py::test_scripts_take_the_vhdl[vivado/wine_ooc.tcl]",
        "projects",
        "flows/projects/templates/tcl.j2",
        (
            "the choice of the language is turned round",
            ReplaceText("if {$is_vhdl} {\n  {{ vhdl }}", "if {!$is_vhdl} {\n  {{ vhdl }}"),
        ),
    ),
]

SEEDS = [*_HEADS, *_FORMATS, *_HOST, *_VHDL, *_COCOTB, *_PROJECTS]
