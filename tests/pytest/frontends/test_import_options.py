"""Options of an import: which frontends they reach, and who refuses them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import exit_code, flow
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from kan_dialect.cli import kan_opt, kan_run
from kan_dialect.errors import KanError
from kan_dialect.frontends import frontend
from kan_dialect.frontends.frontend import NO_OPTIONS, Frontend, ImportOptions, import_file
from kan_dialect.frontends.loading import make_context

SAMPLES = np.arange(6.0).reshape(2, 3)
NETWORK = """
func.func @f(%x: tensor<3xf32>) -> tensor<1xf32> {
  %e = kan.base "relu" %x as "layer0" weights dense<1.0> : tensor<1x3xf32>
    : tensor<3xf32> -> tensor<1x3xf32>
  %s = kan.node_sum %e as "layer0" : tensor<1x3xf32> -> tensor<1xf32>
  func.return %s : tensor<1xf32>
}
"""


def network(_: Path, __: ImportOptions = NO_OPTIONS) -> ModuleOp:
    return Parser(make_context(), NETWORK).parse_module()


Install = Callable[[Frontend], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes a frontend the only one; a file of its kind."""

    def installing(each: Frontend) -> Path:
        monkeypatch.setattr(frontend, "find_frontends", lambda: {".net": each})
        path = tmp_path / "a.net"
        path.write_text("")
        return path

    return installing


@pytest.fixture
def data(tmp_path: Path) -> Path:
    np.savez(tmp_path / "data.npz", x=SAMPLES)
    return tmp_path / "data.npz"


def plain() -> Frontend:
    """As packages of others have them that know of no options."""
    return Frontend("plain", (".net",), "nets", network)


def test_frontends_without_options_refuse_them(install: Install) -> None:
    path = install(plain())
    assert import_file(path).is_structurally_equivalent(network(path))
    with pytest.raises(KanError, match=r"a\.net: the frontend plain strips no head; leave"):
        import_file(path, ImportOptions(strip_head=True))
    with pytest.raises(KanError, match=r"a\.net: the frontend plain has no use for samples"):
        import_file(path, ImportOptions(samples=SAMPLES))


@pytest.mark.parametrize("tool", [kan_opt.main, kan_run.main])
def test_samples_and_heads_reach_a_frontend_that_takes_them(
    tool: Callable[[list[str]], None], install: Install, data: Path
) -> None:
    seen: list[ImportOptions] = []

    def load(path: Path, options: ImportOptions) -> ModuleOp:
        seen.append(options)
        return network(path)

    path = install(Frontend("rich", (".net",), "nets", network, load))
    assert exit_code(tool, path, "--strip-head", "--samples", data) == 0
    (options,) = seen
    assert options.strip_head
    np.testing.assert_array_equal(options.samples, SAMPLES)


@pytest.mark.parametrize("takes", [True, False])
def test_a_build_gives_its_calibration_samples_to_who_takes_them(
    takes: bool, install: Install, data: Path, tmp_path: Path
) -> None:
    seen: list[ImportOptions] = []

    def load(path: Path, options: ImportOptions) -> ModuleOp:
        seen.append(options)
        return network(path)

    each = Frontend("rich", (".net",), "nets", network, load) if takes else plain()
    path = install(each)
    arguments = ["build", str(path), "--calibration", str(data), "--simulator", "none"]
    assert flow(*arguments, "-o", tmp_path / "out") == 0
    assert len(seen) == int(takes)
    for options in seen:
        assert not options.strip_head
        np.testing.assert_array_equal(options.samples, SAMPLES)


def test_options_reach_the_one_of_two_models_that_takes_them(
    install: Install, data: Path, tmp_path: Path
) -> None:
    seen: list[ImportOptions] = []

    def load(path: Path, options: ImportOptions) -> ModuleOp:
        seen.append(options)
        return network(path)

    path = install(Frontend("rich", (".net",), "nets", network, load))
    text = tmp_path / "f.mlir"
    text.write_text(NETWORK)
    for pair in ((path, text), (text, path), (path, path)):
        with pytest.raises(SystemExit) as ended:
            kan_run.main(
                [str(pair[0]), "--against", str(pair[1]), "--inputs", str(data), "--strip-head"]
            )
        assert ended.value.code == 0
    assert len(seen) == 4 and all(options.strip_head for options in seen)
