"""Pages of notebooks show what cells print and draw; `make docs` runs the notebooks themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from generators import notebooks
from generators.links import ROOT

SMALL = """# %% [markdown]
# # Small
#
# Text, with `code`.

# %%
from pathlib import Path

print(sorted(path.name for path in Path("examples").glob("wine.*")))
"<b>"

# %%
class Shown:
    def _repr_html_(self) -> str:
        return "<svg>\\n\\n</svg>"


Shown()

# %%
x = 1
"""


def test_a_page_has_text_code_prints_and_values(tmp_path: Path) -> None:
    path = tmp_path / "small.py"
    path.write_text(SMALL)
    page, values = notebooks.page(path)
    assert page.startswith('# Small\n\nThe cells of <a href="small.py" download>')
    assert "\nText, with `code`.\n" in page
    assert "```text\n['wine.npz', 'wine.onnx']\n```" in page
    assert values == ["<pre>&#x27;&lt;b&gt;&#x27;</pre>", "<svg>\n\n</svg>"]
    assert page.index('data-output="0"') < page.index("class Shown") < page.index('data-output="1"')
    html = notebooks.with_values('<p>a</p>\n<div data-output="1"></div>', values)
    assert html == '<p>a</p>\n<div class="notebook-output"><svg>\n\n</svg></div>'
    without, none = notebooks.page(path, executed=False)
    assert "class Shown" in without and not none and "wine.onnx" not in without
    assert "run, with" in page and "without their outputs" in without
    path.write_text(f"# needs pathlib, no_such_package\n\n{SMALL}")
    assert notebooks.page(path) == (without, [])
    path.write_text(f"# needs pathlib, html\n\n{SMALL}")
    assert notebooks.page(path) == (page, values)


@pytest.mark.torch
def test_the_lesson_runs_and_its_study_has_a_picture() -> None:
    for package in ("torch", "sklearn", "matplotlib"):
        pytest.importorskip(package)
    page, values = notebooks.page(ROOT / "docs/notebooks/lesson.py")
    # Splines are better, beyond noise: the interval is above 0.
    assert re.search(r"max-luts=50 less functions=line max-luts=50: \+0\.\d+ \[\+", page)
    assert sum("<svg" in value for value in values) == 7
    assert sum("data:image/png" in value for value in values) == 1


def test_an_error_names_notebook_and_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text("# %% [markdown]\n# # Wrong\n\n# %%\nx = 1\nx / 0\n")
    with pytest.raises(ZeroDivisionError) as raised:
        notebooks.page(path)
    assert (str(raised.traceback[-1].path), raised.traceback[-1].lineno) == (str(path), 5)
