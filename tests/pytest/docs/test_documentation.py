"""The documentation: generated reference is whole, links lead somewhere, names in it exist."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from string import Template

import pytest
from xdsl.irdl import IRDLOperation

from kan_dialect.devices.device import DEVICES
from kan_dialect.dialect import Kan
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.other_packages import EXTENSION_GROUPS
from kan_dialect.passbase.options import options_of
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.universe import UNIVERSE
from repository import EXAMPLES, ROOT

# The picture of the architecture is drawn from the import graph.
pytest.importorskip("grimp", reason="import-linter is not installed")
from report_schema import valid_report

from generators import architecture, commands, links, notebooks, ops, passes
from generators.pages import renewed

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/**/*.md")
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"(?<!\\)\[[^\]\[]*\]\((?P<target>[^)\s]+)\)")
MAX_LINE = 100
FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)


def sections(text: str, level: str) -> dict[str, str]:
    """The text below each heading of a level."""
    parts = re.split(rf"^{level} (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_generated_text_is_that_of_the_code() -> None:
    for page in PAGES:
        text = page.read_text()
        assert renewed(text) == text, f"{page.relative_to(ROOT)} is out of date: run make reference"


def test_every_op_is_in_the_reference_with_all_its_parts() -> None:
    found = sections(ops.reference(), "###")
    for op in Kan.operations:
        assert issubclass(op, IRDLOperation)
        text = found[op.name]
        definition = op.get_irdl_definition()
        names = [name for name, _ in (*definition.operands, *definition.results)]
        for name in (*names, *definition.properties, *definition.attributes):
            assert f"| `{name}` |" in text, (op.name, name)
        assert "```text\n" in text and f"{op.name} " in text.partition("```mlir")[2], op.name
        assert op.__doc__ is not None
    for kind in Kan.attributes:
        sign = "!" if kind.__name__.endswith("Type") else "#"
        assert f"{sign}{kind.name}" in found


def test_every_pass_is_in_the_reference_with_all_its_options() -> None:
    found = sections(passes.reference(), "###")
    assert found.keys() == UNIVERSE.all_passes.keys()
    for name, factory in UNIVERSE.all_passes.items():
        kind = factory()
        for option in options_of(kind):
            (row,) = re.findall(rf"^\| `{option.name}` \|.*$", found[name], re.MULTILINE)
            assert option.help, (name, option.name)
            assert option.bounds is None or option.bounds.range in row
        assert passes.preserves(kind) in found[name]
    assert all(f"[`{name}`](#{name})" in passes.overview() for name in UNIVERSE.all_passes)


def test_the_default_pipeline_is_in_order() -> None:
    names = passes.default_pipeline()
    places = [passes.reference().index(f"### {name}\n") for name in names]
    assert places == sorted(places)
    for target in DEVICES:
        for mhz in (None, 100.0):
            run = [
                stage.name for stage in CompilePass(target=target, mhz=mhz, head="top-k").passes()
            ]
            assert [name for name in names if name in run] == run


def test_the_option_target_names_every_device() -> None:
    (target,) = (each for each in options_of(TargetPass) if each.name == "target")
    named = re.findall(r"`(\w+)`", target.help)
    generic = [f"lut{inputs}" for inputs in range(3, 9)]
    assert set(named) == {*DEVICES} - {*generic[1:-1]}


def test_every_pass_has_its_reason() -> None:
    page = (ROOT / "docs" / "rationale" / "passes.md").read_text()
    assert [name for name in UNIVERSE.all_passes if f"\n### {name}\n" not in page] == []


def test_the_page_of_extensions_has_every_entry_point_group() -> None:
    page = (ROOT / "docs" / "reference" / "extending.md").read_text()
    assert [group for group in EXTENSION_GROUPS if f"`{group}`" not in page] == []


@pytest.mark.parametrize("command", commands.COMMANDS)
def test_every_option_of_a_command_is_in_the_reference(command: str) -> None:
    parser = commands.parser_of(command)
    text = commands.reference(command)
    subs = commands.subcommands(parser)
    assert (command == "kan-flow") == bool(subs)
    assert all(list(commands.options(sub)) for _, sub in subs.values())
    for each in (parser, *(sub for _, sub in subs.values())):
        for action in commands.options(each):
            assert all(f"`{flag}`" in text for flag in action.option_strings)
    assert not re.search(r"%\(\w+\)", text)
    page = (ROOT / "docs" / "reference" / "commands.md").read_text()
    for sub in subs:
        assert (
            commands.subcommand_reference(command, sub) in sections(page, "##")[f"{command} {sub}"]
        )
    assert subs or text in sections(page, "##")[command]


def test_targets_and_frontends_are_in_the_reference() -> None:
    assert all(f"| `{target}` | " in commands.targets() for target in UNIVERSE.all_targets)
    assert {"`.onnx`", "`_config.yml`"} <= set(re.findall(r"`[._]\S+`", commands.frontends()))


def test_the_pictures_show_the_imports() -> None:
    for picture, imports in (
        (architecture.stages_picture(), architecture.stage_imports()),
        (architecture.rooms_picture(), architecture.room_imports()),
    ):
        ElementTree.fromstring(picture)
        for (one, other), count in imports.counts.items():
            assert architecture.BASE in (one, other) or (
                f"<title>{one} imports {other}: {count}</title>" in picture
            )
    # An arrow goes to what the order of the stages allows.
    order = architecture.layers()
    for one, other in architecture.room_imports().counts:
        assert other == architecture.BASE or order.index(one) < order.index(other)
    assert architecture.stage_imports().counts["passes", "kan_dialect"] > 100


def test_the_map_has_every_file() -> None:
    text = architecture.code_map()
    for module in architecture.modules():
        if "." in module and not module.endswith(tuple(architecture.STAGES)):
            path = module.replace(".", "/")
            path = path.removeprefix("kan_dialect/") if _is_stage(path) else path
            assert f"`{path}.py`" in text or f"`{path}/__init__.py`" in text, module


def _is_stage(path: str) -> bool:
    return path.split("/")[1] in architecture.STAGES


def test_the_answers_of_the_map_are_right() -> None:
    page = (ROOT / "docs" / "reference" / "code-map.md").read_text()
    rows = re.findall(r"^\| where .* \| `([\w/]+\.py)` \| `(\w+)` \|$", page, re.MULTILINE)
    assert len(rows) >= 10
    for path, name in rows:
        defined = rf"^(?:def|class) {name}\b|^{name}\b.* = "
        assert re.search(defined, (ROOT / path).read_text(), re.MULTILINE), (path, name)


def test_links_lead_somewhere() -> None:
    broken: list[str] = []
    for page in PAGES:
        for link in LINK.finditer(FENCED.sub("", page.read_text())):
            target, _, anchor = link["target"].partition("#")
            if ":" in target:
                continue
            there = (page.parent / target).resolve() if target else page
            if not there.exists() or (anchor and anchor not in anchors(there)):
                broken.append(f"{page.relative_to(ROOT)}: {link['target']}")
    assert not broken


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    text = FENCED.sub("", page.read_text())
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_are_those_of_the_site() -> None:
    rewritten = links.site_links
    assert rewritten("[a](docs/index.md#x)", "project/changelog.md") == "[a](../index.md#x)"
    assert rewritten("[a](../../SECURITY.md)", "reference/ir.md") == "[a](../project/security.md)"
    assert rewritten("[a](../../examples/load.mlir)", "reference/ir.md") == "a"
    assert rewritten("[a](notebooks/levels.py)", "index.md") == "[a](notebooks/levels.md)"
    assert rewritten("phi[o, i](x)", "notebooks/levels.md") == "phi[o, i](x)"
    assert rewritten("[a](none.md)", "reference/ir.md") == "[a](none.md)"


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text().partition("nav:")[2].partition("plugins:")[0]
    places = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    places |= {*links.outside_pages().values(), *notebooks.notebooks()}
    assert places == set(re.findall(r"[\w/.-]+\.md", navigation))


def test_paths_and_names_in_pages_exist() -> None:
    listed = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split()
    tops = "|".join(sorted({path.split("/")[0] for path in listed if path[0] != "."}))
    missing: list[str] = []
    for page in PAGES:
        if page.name == "CHANGELOG.md":  # of earlier versions, too
            continue
        for code in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", FENCED.sub("", page.read_text())):
            places = [ROOT / code, ROOT / "tests" / "pytest" / code]
            is_path = re.fullmatch(rf"({tops})(/[\w.-]+)+/?", code)
            if is_path and not any(place.exists() for place in places):
                missing.append(f"{page.relative_to(ROOT)}: {code}")
            if re.fullmatch(r"test_\w+\.py", code) and not any(ROOT.rglob(f"tests/**/{code}")):
                missing.append(f"{page.relative_to(ROOT)}: {code}")
            if re.fullmatch(r"kan_dialect(\.\w+)+", code) and not _named(code):
                missing.append(f"{page.relative_to(ROOT)}: {code}")
    assert not missing


def _named(dotted: str) -> bool:
    """Whether a dotted name is a module, something in one, or an entry point group."""
    if dotted in EXTENSION_GROUPS:
        return True
    module, _, name = dotted.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), name) or bool(
            importlib.import_module(dotted)
        )
    except ImportError:
        return False


def test_pages_of_the_code_name_pages_that_exist() -> None:
    wrong: list[str] = []
    for path in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split():
        if path.endswith((".py", ".sv", ".cpp", ".h", ".toml", "Makefile")):
            file = ROOT / path
            if file.is_file():
                named = re.findall(r"\b(?:docs|benchmarks)/[\w/-]+\.md", file.read_text())
                wrong += [f"{path}: {each}" for each in named if not (ROOT / each).exists()]
    assert not wrong


def test_lines_of_prose_are_short() -> None:
    """Tables, code and pictures may be longer."""
    long: list[str] = []
    for page in PAGES:
        text = FENCED.sub(lambda block: "\n" * block[0].count("\n"), page.read_text())
        for number, line in enumerate(text.splitlines(), 1):
            prose = not line.lstrip().startswith(("|", "![")) and not line.startswith("    ")
            if prose and len(line) > MAX_LINE:
                long.append(f"{page.relative_to(ROOT)}:{number}: {len(line)} characters")
    assert not long


def imports_of(code: str) -> set[tuple[str, str]]:
    """Modules of the package that Python imports names from, with the names."""
    return {
        (node.module or "", alias.name)
        for node in ast.walk(ast.parse(textwrap.dedent(code)))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kan_dialect")
        for alias in node.names
    }


def public_imports() -> set[tuple[str, str]]:
    """What the page of stability lists, and the helpers of authors of passes."""
    found: set[tuple[str, str]] = set()
    for name in ("stability.md", "extending.md"):
        page = (ROOT / "docs" / "reference" / name).read_text()
        lines = re.findall(r"^\| `(from [^`]*)` \| \S.* \|$", page, re.MULTILINE)
        assert len(lines) > 10
        found |= {each for line in lines for each in imports_of(line)}
    return found


def test_public_imports_work() -> None:
    missing = [
        f"{module}.{name}"
        for module, name in public_imports()
        if not hasattr(importlib.import_module(module), name)
    ]
    assert missing == []


def test_what_examples_import_is_public() -> None:
    """Of examples, how-tos, tutorials, notebooks, and the package that `--new-pass` writes."""
    code: list[tuple[Path, str]] = []
    for pattern in ("examples/**/*.py", "docs/notebooks/*.py", "cli/templates/*.py.template"):
        for path in sorted(ROOT.glob(pattern)):
            text = Template(path.read_text()).safe_substitute(package="made", class_name="MadePass")
            code.append((path, text))
    for page in PAGES:
        if page.is_relative_to(ROOT / "docs") or page.is_relative_to(EXAMPLES):
            found = re.findall(r"^( *)```python\n(.*?)^\1```$", page.read_text(), re.M | re.DOTALL)
            code += [(page, text) for _, text in found]
    assert len(code) > 60
    private = [
        f"{path.relative_to(ROOT)}: from {module} import {name}"
        for path, text in code
        for module, name in sorted(imports_of(text) - public_imports())
    ]
    assert private == []


def reported(value: object, path: str = "") -> Iterator[str]:
    """The keys of a report, nested ones with dots, as the reference spells them."""
    match value:
        case dict():
            for key, each in value.items():
                yield from reported(each, f"{path}.{key}" if path else str(key))
        case list() if value:
            for each in value:
                yield from reported(each, f"{path}[]")
        case _:
            yield path


def undocumented(report: dict[str, object]) -> set[str]:
    """Keys of a report that the reference does not have."""
    page = (ROOT / "docs" / "reference" / "report.md").read_text()
    rows = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    known = [key for row in rows for key in re.findall(r"`([^`]+)`", row)]
    patterns = [re.compile(re.escape(key).replace(r"\*", r"[\w-]+")) for key in known]
    return {key for key in reported(report) if not any(p.fullmatch(key) for p in patterns)}


WINE = [str(EXAMPLES / name) for name in ("wine.onnx", "wine.npz")]
SHARED = (
    'kan-fold-affine,kan-calibrate{data="DATA"},kan-share-shapes{data="DATA" up-to=sign},'
    "kan-compile{bits=4 per-layer=true}"
)


@pytest.mark.parametrize(
    "options",
    [
        ["--bits", "3", "--simulator", "none"],
        pytest.param(["--synth", "--bits", "4"], marks=pytest.mark.ci),
        pytest.param(["--bits", "auto", "--max-accuracy-loss", "5%"], marks=pytest.mark.ci),
        pytest.param(
            ["--bits", "3", "--precision", "auto", "--max-accuracy-loss", "5%"],
            marks=pytest.mark.ci,
        ),
        pytest.param(["-p", SHARED.replace("DATA", WINE[1])], marks=pytest.mark.ci),
        pytest.param(["--trainable", "--integer-bits", "13"], marks=pytest.mark.ci),
    ],
    ids=["quick", "synth", "bits", "precision", "shapes", "trainable"],
)
def test_every_key_of_a_report_is_documented(options: list[str], tmp_path: Path) -> None:
    """And the report follows the schema."""
    tool = [sys.executable, "-c", "from kan_dialect.cli.start import kan_flow; kan_flow()"]
    folder = tmp_path / "out"
    command = [*tool, "build", WINE[0], "--calibration", WINE[1], "-o", str(folder), *options]
    subprocess.run(command, check=True, capture_output=True)
    if "--synth" in options:
        subprocess.run([*tool, "prove", str(folder), "--report"], check=True, capture_output=True)
    assert undocumented(valid_report(folder)) == set()


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed")
def test_the_site_builds(tmp_path: Path) -> None:
    """Strictly, without anything that is fetched when it is viewed."""
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "-d", str(tmp_path)]
    env = {"NO_MKDOCS_2_WARNING": "1", "RUN_NOTEBOOKS": "false"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    for page in tmp_path.rglob("*.html"):
        fetched = r"<(?:script|img|link)[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*\"[^>]*>"
        found = [each for each in re.findall(fetched, page.read_text()) if "canonical" not in each]
        assert not found, (page.name, found)
    assert "kan.constant" in (tmp_path / "reference" / "ops.html").read_text()
