"""report.html in a real browser: hover, clicks, keys, themes, paper; that it fetches nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import browser, opened

from kan_dialect.flows.page.page import build_page
from kan_dialect.flows.pictures.network_layers import find_edge, network_layers
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.model.model import Model
from repository import EXAMPLES

WINE = [str(EXAMPLES / name) for name in ("wine.onnx", "wine.npz")]
TOOL = [sys.executable, "-c", "from kan_dialect.cli.start import kan_flow; kan_flow()"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Path:
    folder = tmp_path_factory.mktemp("browser") / "wine"
    options = ["--calibration", WINE[1], "--bits", "4", "--simulator", "none", "-o", str(folder)]
    subprocess.run([*TOOL, "build", WINE[0], *options], check=True, capture_output=True)
    return folder


def cell(page: Any, layer: int, index: int) -> Any:
    return page.locator(f"#network g.cells[data-layer='{layer}'] rect").nth(index)


@pytest.mark.ci
def test_the_page_is_whole_in_both_themes(chromium: Any, built: Path) -> None:
    for scheme in ("light", "dark"):
        with opened(chromium, built / "report.html", color_scheme=scheme) as page:
            assert page.title() == "wine · kan-dialect"
            assert page.locator(".card .big").count() == 4
            assert page.locator("#network g.cells rect").count() == 64
            assert page.evaluate("document.documentElement.dataset.theme") == scheme
            # Nothing is wider than the window, and each picture has a name.
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            names = "[...document.querySelectorAll('svg[role=img]')].map(e => e.ariaLabel)"
            assert all(page.evaluate(names)) and len(page.evaluate(names)) >= 6


def test_hovering_names_an_edge_with_its_figures(chromium: Any, built: Path) -> None:
    report = json.loads((built / "report.json").read_text())
    with opened(chromium, built / "report.html") as page:
        tip = page.locator("#tip")
        assert tip.is_hidden()
        cell(page, 0, 13 + 5).hover()
        text = tip.inner_text()
        assert "layer0_edge1_5" in text and "x5 → layer0_node1" in text
        assert f"{report['layers'][0]['edge_luts'][1][5]:g} LUTs" in text
        assert re.search(r"table of 16 × \d bits", text) and "steps" in text
        page.mouse.move(5, 5)
        assert tip.is_hidden()


def test_a_click_shows_function_table_and_error(chromium: Any, built: Path) -> None:
    with opened(chromium, built / "report.html") as page:
        cell(page, 1, 2).click()
        panel = page.locator("#panel")
        assert "layer1_edge0_2" in panel.locator("h3").inner_text()
        for part in ("path.function", "path.entries", "path.errors"):
            assert panel.locator(part).count() == 1, part
        panel.locator("summary").click()
        panel.locator("tbody tr").last.wait_for()
        assert panel.locator("tbody tr").count() == 16
        (stage,) = built.glob("ir/*-kan-fold-tables.mlir")
        entries = [int(each) for each in panel.locator("tbody td:nth-child(3)").all_inner_texts()]
        assert entries == edge_table(stage, "layer1", 0, 2)


def edge_table(stage: Path, layer: str, node: int, source: int) -> list[int]:
    model = Model.of(load_model(make_context(), stage))
    found, *_ = find_edge(network_layers(model), f"{layer}_edge{node}_{source}")
    assert found.codes is not None
    return found.codes[:, node, source].tolist()


def test_keys_move_between_edges_and_show_one(chromium: Any, built: Path) -> None:
    with opened(chromium, built / "report.html") as page:
        page.locator("#network").focus()
        page.keyboard.press("ArrowRight")
        start = page.locator("#edge-now").inner_text()
        page.keyboard.press("ArrowLeft")
        moved = page.locator("#edge-now").inner_text()
        node, source = map(int, re.findall(r"edge(\d+)_(\d+)", start)[0])
        assert f"edge{node}_{source - 1}" in moved or "layer1" in start
        page.keyboard.press("Enter")
        assert moved.split(" · ")[0] in page.locator("#panel h3").inner_text()
        assert page.evaluate("document.activeElement.id") == "panel"
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == "network"


def test_everything_is_reached_by_the_tab_key(chromium: Any, built: Path) -> None:
    with opened(chromium, built / "report.html") as page:
        seen: set[str] = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            seen.add(page.evaluate("document.activeElement.id || document.activeElement.localName"))
        assert {"theme", "network", "a", "summary", "input"} <= seen


def test_the_button_changes_the_theme_and_its_name(chromium: Any, built: Path) -> None:
    with opened(chromium, built / "report.html", color_scheme="light") as page:
        ground = "getComputedStyle(document.body).backgroundColor"
        before = page.evaluate(ground)
        page.locator("#theme").click()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert page.evaluate(ground) != before
        page.locator("#theme").click()
        assert page.evaluate(ground) == before


def test_colours_are_those_of_the_chosen_figure(chromium: Any, built: Path) -> None:
    with opened(chromium, built / "report.html") as page:
        fill = "[...document.querySelectorAll('.cells rect')].map(e => getComputedStyle(e).fill)"
        before = page.evaluate(fill)
        page.get_by_label("bits").check()
        assert page.evaluate(fill) != before
        assert page.locator("#legend").inner_text().startswith("bits")


CONTRAST = """() => {
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = colour => {
    probe.fillStyle = colour;
    probe.fillRect(0, 0, 1, 1);
    const linear = [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255)
      .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * linear[0] + .7152 * linear[1] + .0722 * linear[2];
  };
  const style = getComputedStyle(document.documentElement);
  const read = name => light(style.getPropertyValue(name).trim());
  return PAIRS.map(([one, other]) => {
    const [a, b] = [read(one), read(other)].sort((x, y) => y - x);
    return [one + " on " + other, (a + .05) / (b + .05)];
  });
}"""
TEXT_ON_GROUND = [
    *(["--ink", "--card"], ["--soft", "--card"], ["--soft", "--paper"], ["--blue", "--card"]),
    *(["--good", "--good-ground"], ["--care", "--care-ground"], ["--open", "--open-ground"]),
    *(["--care", "--card"], ["--curve", "--s6"], ["--ink", "--track"]),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_asks_for(chromium: Any, built: Path, scheme: str) -> None:
    with opened(chromium, built / "report.html", color_scheme=scheme) as page:
        ratios = page.evaluate(CONTRAST.replace("PAIRS", json.dumps(TEXT_ON_GROUND)))
        assert len(ratios) == len(TEXT_ON_GROUND)
        assert [name for name, ratio in ratios if ratio < 4.5] == []


def test_on_paper_the_page_is_light_and_has_its_tables(chromium: Any, built: Path) -> None:
    with opened(chromium, built / "report.html", color_scheme="dark") as page:
        page.emulate_media(media="print")
        assert (
            page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        )
        assert page.locator("#theme").is_hidden() and page.locator("nav").is_hidden()
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("#cost details[open]").count() == 2
        assert page.locator("#panel details[open]").count() == 0
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("details[open]").count() == 0
        assert page.pdf().startswith(b"%PDF")


def test_the_page_reads_without_its_program(chromium: Any, built: Path) -> None:
    with opened(chromium, built / "report.html", java_script_enabled=False) as page:
        assert page.locator("#network svg").is_visible() and page.locator("#theme").is_hidden()
        assert page.locator("#cost svg").count() == 2


def test_names_of_users_stay_text(chromium: Any, built: Path, tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>@@DATA@@"
    report = json.loads((built / "report.json").read_text())
    report["command"] = report["warnings"][0] = report["sources"]["model"]["file"] = evil
    report["checks"][0]["note"] = report["layers"][0]["name"] = report["float_engine"] = evil
    report["tools"][evil] = report["stages"][5]["pass"] = evil
    report["new"] = {evil: evil}
    (tmp_path / "report.html").write_text(build_page(built, report))
    with opened(chromium, tmp_path / "report.html") as page:
        assert page.locator("img").count() == 0
        assert page.locator("script").count() == 2
        assert evil in page.locator("#origin pre").first.inner_text()
        assert evil in page.locator("#further").inner_text()
