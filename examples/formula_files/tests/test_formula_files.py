"""Files of formulas: the network is the formulas, and what is wrong is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

import kan_dialect as kan

WAVE = Path(__file__).parent / "wave.formulas"


def test_the_network_is_the_formulas() -> None:
    x = np.random.default_rng(0).uniform(-3, 3, size=(200, 2))
    first = np.sin(2 * x[:, 0])
    second = -1.5 * np.tanh(x[:, 0] + 0.5) + 0.25 + x[:, 1] ** 2
    expected = first + np.exp(-((0.5 * second) ** 2))
    found = kan.load(WAVE).run(x)[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "bad.formulas: cannot be read"),
        ("[]", "bad.formulas: layers: expected a list"),
        ('{"layers": []}', "layers: expected a list that is not empty"),
        ({"layers": [[[["sine"]]]]}, "layer 0, node 0, edge 0: unknown function 'sine'"),
        ({"layers": [[[["sin", "2"]]]]}, "edge 0: expected .f, a, b, c, d. with up to four"),
        ({"layers": [[[["sin"]], [["sin"], None]]]}, "layer 0, node 1 has 2 edges, expected are 1"),
        ({"layers": [[[["sin"]]], [[None, None]]]}, "layer 1, node 0 has 2 edges, expected are 1"),
    ],
)
def test_bad_files_are_refused(content: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.formulas"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(kan.KanError, match=message):
        kan.load(path)
