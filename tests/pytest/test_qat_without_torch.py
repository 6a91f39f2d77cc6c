"""`kan-flow train` where PyTorch is not installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kan_dialect.cli.kan_flow import main
from kan_dialect.frontends.torch.files import has_torch


@pytest.mark.skipif(has_torch(), reason="PyTorch is installed")
def test_the_command_says_what_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "data.npz", "-o", str(tmp_path / "out")])
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "training needs PyTorch" in told and "kan-dialect[torch]" in told
    assert not (tmp_path / "out").exists()
