"""Universes of other packages: merged, and checked when they are loaded."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import opt
from xdsl.universe import Universe

from kan_dialect.cli import kan_flow, kan_opt, kan_run
from kan_dialect.errors import KanError
from kan_dialect.multiverse import installed_universe
from kan_dialect.passbase.pipeline import build_pipeline

Install = Callable[[str], None]
PACKAGE = "their_universe"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package that publishes an expression as its universe."""

    def make(expression: str) -> None:
        (tmp_path / f"{PACKAGE}.py").write_text(
            f"from xdsl.universe import Universe\nUNIVERSE = {expression}\n"
        )
        about = tmp_path / f"{PACKAGE}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[xdsl.universe]\ntheirs = {PACKAGE}:UNIVERSE\n")
        importlib.invalidate_caches()

    monkeypatch.syspath_prepend(tmp_path)
    yield make
    sys.modules.pop(PACKAGE, None)


def test_it_is_the_multiverse_of_xdsl() -> None:
    ours, theirs = installed_universe(), Universe.get_multiverse()
    assert ours.all_passes.keys() == theirs.all_passes.keys()
    assert ours.all_dialects.keys() == theirs.all_dialects.keys()
    assert ours.all_targets.keys() == theirs.all_targets.keys()
    for name in ("canonicalize", "kan-narrow"):
        assert ours.all_passes[name]() is theirs.all_passes[name]()


WRONG = [
    ("Universe(); del UNIVERSE", f"cannot be loaded: module '{PACKAGE}' has no attribute"),
    ("1 / 0", f"cannot be loaded: division by zero at {PACKAGE}.py:2; it is no part of"),
    ("3", f"{PACKAGE}:UNIVERSE is a int, not a Universe; it is no part of kan-dialect"),
    ("Universe(all_passes=[])", "all_passes is a list"),
    ("Universe(all_passes={'kan-narrow': int})", "both have a pass 'kan-narrow'; uninstall their"),
    ("Universe(all_dialects={'hw': int})", "both have a dialect 'hw'; uninstall one of them"),
    ("Universe(all_targets={'vhdl': int})", "both have a target 'vhdl'; uninstall their_universe"),
]


@pytest.mark.parametrize(("expression", "message"), WRONG)
def test_commands_name_the_package_of_a_wrong_universe(
    expression: str,
    message: str,
    install: Install,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = tmp_path / "net.mlir"
    source.write_text("")
    install(expression.replace("; ", "\n"))
    for main, arguments in (
        (kan_opt.main, [str(source)]),
        (kan_run.main, [str(source)]),
        (kan_flow.main, ["build", str(source), "-o", str(tmp_path / "out")]),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        error = capsys.readouterr().err
        assert ended.value.code == 1 and error.count("\n") == 1, error
        assert message in error and PACKAGE in error, error


@pytest.mark.parametrize(
    ("field", "what"),
    [
        ("all_passes", "pass x of the package their_universe: its factory returns 3, not a class"),
        ("all_dialects", "dialect x of the package .* returns 3, not a Dialect"),
        ("all_targets", "target x of the package .* returns 3, not a class of Target"),
    ],
)
def test_factories_that_make_something_else_are_named(
    field: str, what: str, install: Install
) -> None:
    install(f"Universe({field}={{'x': lambda: 3}})")
    with pytest.raises(KanError, match=what):
        getattr(installed_universe(), field)["x"]()


def test_a_pipeline_names_the_package_of_a_pass_that_is_none(install: Install) -> None:
    install("Universe(all_passes={'their-pass': lambda: 3})")
    with pytest.raises(KanError, match="pass their-pass of the package their_universe: its factor"):
        build_pipeline(installed_universe().all_passes, "their-pass")


THEIRS = """Universe(
    all_passes={"mend": lambda: MendPass},
    all_dialects={"their": lambda: Dialect("their", [MendOp])},
)
from dataclasses import dataclass
from xdsl.ir import Dialect
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, prop_def
from xdsl.dialects.builtin import IntegerAttr
from kan_dialect.passbase.kan_pass import KanPass

@dataclass(frozen=True)
class MendPass(KanPass):
    '''Mends what is broken.'''

    name = "mend"
    preserves = "what was whole"
    most: int = 3
    '''Number of things to mend.'''

@irdl_op_definition
class MendOp(IRDLOperation):
    '''Mends one thing.'''

    name = "their.mend"
    thing = operand_def()
    times = prop_def(IntegerAttr)
    assembly_format = "$thing `times` $times attr-dict `:` type($thing)"
"""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--help-pass", "mend"),
            (
                "Mends what is broken.",
                "Preserves: what was whole.",
                "most: takes integer; default 3",
            ),
        ),
        (
            ("--help-op", "their.mend"),
            ("Mends one thing.", "their.mend $thing `times` $times", "operand: name thing. any"),
        ),
        (
            ("--help-pass", "kan-quantize"),
            ("Preserves: accuracy", "guard-bits: takes integer; default 0; bounds in 0..8."),
        ),
        (
            ("--help-op", "kan.table"),
            ("%t = kan.table %x", "property: name care. dense constant, optional", "result: name"),
        ),
    ],
)
def test_kan_opt_describes_passes_and_ops_of_all_packages(
    arguments: tuple[str, str],
    told: tuple[str, ...],
    install: Install,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install(THEIRS)
    assert opt(*arguments) == 0
    printed = capsys.readouterr().out
    assert [each for each in told if each not in printed] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--help-pass", "kan-narow"), "there is no pass 'kan-narow'; did you mean kan-narrow?"),
        (("--help-op", "kan.tabel"), "there is no op 'kan.tabel'; did you mean kan.table?"),
        (("--help-op", "kam.table"), "there is no dialect 'kam'; did you mean kan?"),
    ],
)
def test_unknown_names_get_one_message(
    arguments: tuple[str, str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert opt(*arguments) == 1
    printed = capsys.readouterr()
    assert told in printed.err and not printed.out
