"""What of `kan-flow train` needs no PyTorch: its options, and the message where it is missing."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from commands import flow

import kan_dialect as kan
from kan_dialect.cli.flow.train import add_train
from kan_dialect.cli.kan_flow import main
from kan_dialect.errors import KanError
from kan_dialect.passbase.options import options_of
from kan_dialect.qat.options import Schedule, TrainingOptions
from kan_dialect.qat.table import TableOptions

HAS_TORCH = find_spec("torch") is not None


def options_of_the_command() -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_train(parser)
    return vars(parser.parse_args(["data.npz", "-o", "out"]))


def test_options_of_the_command_are_those_of_python() -> None:
    given = options_of_the_command()
    for owner in (TableOptions, TrainingOptions, Schedule):
        for option in options_of(owner):
            if option.field in given and option.field not in ("name", "target"):
                assert given[option.field] == option.default, option.field
                is_number = {int, float, tuple[int, ...]} & {*option.kinds}
                assert option.help and (option.bounds or not is_number), option.field
    assert {"hidden", "max_luts", "seed", "steps", "rate"} <= given.keys()


def test_bounds_of_options_hold_in_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KanError, match=r"input-bits must lie in 1\.\.10, got 11"):
        TrainingOptions(input_bits=11)
    with pytest.raises(KanError, match="there is no target 'abc'"):
        TrainingOptions(target="abc")
    with pytest.raises(SystemExit):
        main(["train", "data.npz", "-o", "out", "--input-bits", "11"])
    assert "--input-bits must lie in 1..10, got 11" in capsys.readouterr().err


def test_importing_the_package_imports_neither_pytorch_nor_numpy() -> None:
    program = (
        "import sys, kan_dialect; assert 'train' in dir(kan_dialect); "
        "assert not {'torch', 'numpy'} & sys.modules.keys(); kan_dialect.train; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(HAS_TORCH, reason="PyTorch is installed")
def test_python_says_what_it_needs() -> None:
    with pytest.raises(KanError, match="training needs PyTorch"):
        kan.train("data.npz", hidden=(3,))


@pytest.mark.skipif(HAS_TORCH, reason="PyTorch is installed")
def test_the_command_says_what_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert flow("train", "data.npz", "-o", tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "training needs PyTorch" in told and "[torch]" in told
    assert not (tmp_path / "out").exists()
