"""A board in simulation, behind a serial port of this computer.

    python simulate.py DESIGN --board ulx3s [--simulator icarus] [--run COMMAND ...]

Compiles the board's top with the network of a build (`kan-flow build --interface axi-stream
--beat-bits 8`), starts it and prints the name of a pseudo-terminal. What a host writes there goes
through the simulated UART into the network, and results come back. `--run` starts a command with
the name of the terminal behind it, and ends with it. Needs Verilator or Icarus Verilog; Linux or
macOS.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import subprocess
import sys
import tempfile
import threading
import tty
from pathlib import Path

HERE = Path(__file__).resolve().parent


def sample_bytes(design: Path) -> tuple[int, int]:
    """Bytes of a sample's inputs and outputs: each port takes whole bytes."""
    ports = json.loads((design / "report.json").read_text())["ports"]
    sizes = {"input": 0, "output": 0}
    for port in ports:
        if "low" in port:
            sizes[port["direction"]] += -(-port["bits"] // 8)
    return sizes["input"], sizes["output"]


def compiled(design: Path, board: str, simulator: str, folder: Path) -> list[str]:
    """Compile the board into `folder`; the command that runs it."""
    (wrapper,) = (design / "rtl").glob("*_axi_stream.sv")
    core = wrapper.with_name(wrapper.name.replace("_axi_stream", ""))
    sources = [
        core,
        wrapper,
        *sorted((HERE / "rtl").glob("*.sv")),
        HERE / board / f"{board}_top.sv",
    ]
    files = [str(path.resolve()) for path in (*sources, HERE / "sim" / "board_tb.sv")]
    defines = [f"-DNETWORK={wrapper.stem}", f"-DBOARD_{board.upper()}"]
    if simulator == "verilator":
        command = ["verilator", "--binary", "--timing", "-Wno-fatal", "-CFLAGS", "-O1"]
        command += ["--output-split-cfuncs", "500", "--top", "board_tb", "--Mdir", str(folder)]
        run = [str(folder / "Vboard_tb")]
    else:
        command = ["iverilog", "-g2012", "-s", "board_tb", "-o", str(folder / "board.vvp")]
        run = ["vvp", "-n", str(folder / "board.vvp")]
    done = subprocess.run([*command, *defines, *files], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{simulator} cannot compile the board:\n{done.stdout}{done.stderr}")
    return run


def carry(terminal: int, folder: Path) -> None:
    """Carry bytes between a terminal and the pipes of the simulation until it ends."""

    def to_board() -> None:
        with (folder / "to_board").open("wb", buffering=0) as pipe:
            try:
                while data := os.read(terminal, 4096):
                    pipe.write(data)
            except OSError:  # the simulation has ended, or the terminal is closed
                return

    threading.Thread(target=to_board, daemon=True).start()
    with (folder / "from_board").open() as pipe:
        for line in pipe:
            os.write(terminal, bytes.fromhex(line))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("design", type=Path, help="folder of a build")
    parser.add_argument("--board", choices=("ulx3s", "icebreaker"), default="ulx3s")
    parser.add_argument("--simulator", choices=("verilator", "icarus"), default="verilator")
    parser.add_argument("--run", nargs=argparse.REMAINDER, help="a command for the host")
    arguments = parser.parse_args()
    inputs, outputs = sample_bytes(arguments.design)
    with tempfile.TemporaryDirectory(prefix="kan-board-") as name:
        folder = Path(name)
        run = compiled(arguments.design, arguments.board, arguments.simulator, folder)
        for pipe in ("to_board", "from_board"):
            os.mkfifo(folder / pipe)
        board, host = pty.openpty()
        tty.setraw(host)
        simulation = subprocess.Popen([*run, f"+in={inputs}", f"+out={outputs}"], cwd=folder)
        thread = threading.Thread(target=carry, args=(board, folder), daemon=True)
        thread.start()
        try:
            if arguments.run:
                return subprocess.run([*arguments.run, os.ttyname(host)]).returncode
            print(f"the board's serial port: {os.ttyname(host)}", flush=True)
            return simulation.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            simulation.kill()
            simulation.wait()


if __name__ == "__main__":
    sys.exit(main())
