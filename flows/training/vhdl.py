"""The VHDL of hardware that trains itself: a self-checking testbench, and its run in GHDL."""

from __future__ import annotations

import tempfile
from pathlib import Path
from shutil import copyfile
from typing import Any

from kan_dialect.errors import KanError
from kan_dialect.flows.simulate.ghdl import STANDARD
from kan_dialect.flows.simulate.port_words import line_bits, vhdl_slices
from kan_dialect.flows.tools import tool_runs
from kan_dialect.flows.tools.toolchain import Tool
from kan_dialect.flows.training.testbench import TrainingPorts, write_training_testbench
from kan_dialect.ir.constants import BoolArray, IntArray
from kan_dialect.lowering.vhdl.expressions import bits_type
from kan_dialect.lowering.vhdl.names import identifier
from kan_dialect.model.training.training_step import Step, run_steps

MAX_SIMULATED = 500
"""Largest number of samples: GHDL simulates some hundred cycles a second."""

_BENCH = """\
-- Self-checking testbench of {name}: training, then every coefficient.
--
-- In this folder, with GHDL:
--   $ ghdl -a --std=08 ../vhdl/{name}.vhd {name}_tb.vhd
--   $ ghdl -e --std=08 {name}_tb && ghdl -r --std=08 {name}_tb
--
-- It ends with "PASS" and counts, or with "FAIL" and the first mismatch as a failed assertion. The
-- files are those of {name}_tb.sv.
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity {bench} is
end entity;

architecture test of {bench} is
  constant SAMPLES : natural := {samples};
  constant COEFFICIENTS : natural := {coefficients};
  signal rst : std_logic := '1';
  signal clk, in_valid, train, mem_valid, mem_write : std_logic := '0';
  signal in_ready, out_valid, mem_ready, mem_read_valid : std_logic;
{declarations}
begin
  dut : entity work.{core}
    port map (
{connections}
    );

  process
    file samples_file : text open read_mode is "{name}_samples.hex";
    file outputs_file : text open read_mode is "{name}_outputs.hex";
    -- Opened twice: a coefficient is asked for before it comes.
    file asked_file, read_file : text;
    variable row, told : line;
    variable sample : std_logic_vector({sample_bits} - 1 downto 0);
    variable wanted : std_logic_vector({output_bits} - 1 downto 0);
    variable asked_word, read_word : std_logic_vector({word_bits} - 1 downto 0);
    variable sent, received, asked, done, waited : natural := 0;

    procedure next_sample is
    begin
      if not endfile(samples_file) then
        readline(samples_file, row);
        hread(row, sample);
      end if;
    end procedure;

    procedure next_address is
    begin
      if not endfile(asked_file) then
        readline(asked_file, row);
        hread(row, asked_word);
      end if;
    end procedure;
  begin
    file_open(asked_file, "{name}_coefficients.hex", read_mode);
    file_open(read_file, "{name}_coefficients.hex", read_mode);
    next_sample;
    next_address;
    wait for 1 ns;
    clk <= '1';
    wait for 1 ns;
    clk <= '0';
    rst <= '0';
    while done < COEFFICIENTS loop
      in_valid <= '1' when sent < SAMPLES else '0';
{drives}
      mem_valid <= '1' when received = SAMPLES and asked < COEFFICIENTS else '0';
      mem_address <= asked_word{address};
      wait for 1 ns;
      if in_valid = '1' and in_ready = '1' then
        sent := sent + 1;
        next_sample;
      end if;
      if mem_valid = '1' and mem_ready = '1' then
        asked := asked + 1;
        next_address;
      end if;
      if out_valid = '1' then
        readline(outputs_file, row);
        hread(row, wanted);
{checks}
        received := received + 1;
        waited := 0;
      end if;
      if mem_read_valid = '1' then
        readline(read_file, row);
        hread(row, read_word);
        assert mem_read_data = read_word{word}
          report "FAIL: coefficient " & to_string(done) & " is " & to_string(mem_read_data)
          & ", should be " & to_string(read_word{word}) severity failure;
        done := done + 1;
        waited := 0;
      end if;
      waited := waited + 1;
      assert waited < 1000 report "FAIL: nothing comes after " & to_string(received)
        & " samples and " & to_string(done) & " coefficients" severity failure;
      clk <= '1';
      wait for 1 ns;
      clk <= '0';
    end loop;
    write(told, "PASS: " & to_string(SAMPLES) & " samples, " & to_string(COEFFICIENTS)
      & " coefficients");
    writeline(output, told);
    wait;
  end process;
end architecture;
"""


def write_vhdl_training_testbench(directory: Path, step: Step, samples: int) -> Path:
    """Write NAME_tb.vhd into the folder that has the files of `write_training_testbench`.

    Parameters
    ----------
    samples : number of samples in the files.

    Returns
    -------
    Path of the testbench.
    """
    ports = TrainingPorts.of(step)
    driven = ["train", *(name for name, _ in ports.inputs)]
    places = zip(driven, vhdl_slices(ports.sample_widths), strict=True)
    address, word = vhdl_slices(ports.memory_widths)
    widths = dict([*ports.inputs, *ports.outputs])
    bits, code = ports.memory_widths
    widths |= {"mem_address": bits, "mem_data": code, "mem_read_data": code}
    undriven = {"mem_data": " := (others => '0')"}
    checks = [
        f"        assert {name} = wanted{place}\n"
        f'          report "FAIL: sample " & to_string(received) & ": {name} is "\n'
        f'          & to_string({name}) & ", should be " & to_string(wanted{place})\n'
        "          severity failure;"
        for (name, _), place in zip(ports.outputs, vhdl_slices(ports.output_widths), strict=True)
    ]
    path = directory / f"{step.name}_tb.vhd"
    path.write_text(
        _BENCH.format(
            name=step.name,
            bench=identifier(f"{step.name}_tb"),
            core=identifier(step.name),
            samples=samples,
            coefficients=sum(state.size for state in step.initial()),
            declarations="\n".join(
                f"  signal {name} : {bits_type(width)}{undriven.get(name, '')};"
                for name, width in widths.items()
            ),
            connections=",\n".join(f"      {name} => {name}" for name in ports.names()),
            sample_bits=line_bits(ports.sample_widths),
            output_bits=line_bits(ports.output_widths),
            word_bits=line_bits(ports.memory_widths),
            drives="\n".join(f"      {name} <= sample{place};" for name, place in places),
            address=address,
            word=word,
            checks="\n".join(checks),
        )
    )
    return path


def check_training_vhdl(
    ghdl: Tool, vhdl: Path, step: Step, inputs: IntArray, targets: IntArray, train: BoolArray
) -> dict[str, Any]:
    """Simulate the first samples of a run of training, from the initial coefficients.

    Returns
    -------
    What `report.json` holds under `vhdl`.

    Raises
    ------
    KanError : the VHDL differs from the integer model, or GHDL warns of something.
    """
    samples = inputs[:MAX_SIMULATED], targets[:MAX_SIMULATED], train[:MAX_SIMULATED]
    run = run_steps(step, *samples)
    with tempfile.TemporaryDirectory(prefix="kan-vhdl-") as folder:
        directory = Path(folder)
        write_training_testbench(directory, step, *samples, run)
        write_vhdl_training_testbench(directory, step, len(samples[0]))
        copyfile(vhdl, directory / "design.vhd")
        top = identifier(f"{step.name}_tb")
        printed = ""
        for arguments, phase in (
            (["-a", STANDARD, "design.vhd", f"{step.name}_tb.vhd"], "analysing the VHDL"),
            (["-e", STANDARD, top], "elaborating the simulation"),
            (["-r", STANDARD, top], "simulating the training in VHDL"),
        ):
            printed = tool_runs.run(ghdl, arguments, cwd=directory, phase=phase).strip()
            if printed and not printed.startswith("PASS: "):
                raise KanError(f"{step.name}: GHDL warns, {phase}:\n{printed}")
    return {
        "simulator": f"{ghdl.name} {ghdl.version}",
        "vectors": len(samples[0]),
        "mismatches": 0,
    }
