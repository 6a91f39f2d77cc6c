"""The grammar of `docs/reference/rtl-subset.md`: recognises and generates sentences of the page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from kan_dialect.flows.prove.text.tokens import KEYWORDS
from repository import ROOT

PAGE = ROOT / "docs" / "reference" / "rtl-subset.md"

Node = tuple[str, object]
"""`("token", text)`, `("rule", name)`, `("all", nodes)`, `("any", nodes)`, `("many", node)`."""

_CLASSES = {
    "NAME": re.compile(r"[A-Za-z_][A-Za-z0-9_]*"),
    "NUMBER": re.compile(r"0|[1-9][0-9]*"),
    "SIZED": re.compile(r"1's?b[01]|[1-9][0-9]*'s?(?:d[0-9]+|h[0-9A-F]+)"),
}


@dataclass
class Grammar:
    """Rules by their names."""

    rules: dict[str, Node] = field(default_factory=dict[str, Node])

    @staticmethod
    def of_page() -> Grammar:
        text = PAGE.read_text().partition("```ebnf\n")[2].partition("```")[0]
        grammar = Grammar()
        words = re.findall(r"\"[^\"]*\"|'[^']*'|\w+|[=;,|(){}\[\]]", text)
        place = 0

        def alternatives() -> Node:
            nonlocal place
            found = [sequence()]
            while words[place] == "|":
                place += 1
                found.append(sequence())
            return found[0] if len(found) == 1 else ("any", found)

        def sequence() -> Node:
            nonlocal place
            found = [single()]
            while words[place] == ",":
                place += 1
                found.append(single())
            return found[0] if len(found) == 1 else ("all", found)

        def single() -> Node:
            nonlocal place
            word = words[place]
            place += 1
            if word[0] in "\"'":
                return "token", word[1:-1]
            if word not in "([{":
                return "rule", word
            inner = alternatives()
            place += 1
            if word == "[":
                return "any", [inner, ("all", [])]
            return ("many", inner) if word == "{" else inner

        while place < len(words):
            name = words[place]
            place += 2
            grammar.rules[name] = alternatives()
            place += 1
        return grammar

    @cached_property
    def terminals(self) -> list[str]:
        """All tokens that stand in quotes."""
        found: dict[str, None] = {}

        def visit(node: Node) -> None:
            kind, inside = node
            if kind == "token":
                found[str(inside)] = None
            elif kind in ("all", "any"):
                for each in inside:  # type: ignore[attr-defined]
                    visit(each)
            elif kind == "many":
                visit(inside)  # type: ignore[arg-type]

        for rule in self.rules.values():
            visit(rule)
        return list(found)

    def recognises(self, rule: str, tokens: list[str]) -> bool:
        """Whether tokens are a sentence of a rule: all ways are followed."""
        known: dict[tuple[int, int], frozenset[int]] = {}

        def ends(node: Node, start: int) -> frozenset[int]:
            key = id(node), start
            if key not in known:
                known[key] = frozenset()  # no rule begins with itself
                known[key] = frozenset(found(node, start))
            return known[key]

        def found(node: Node, start: int) -> set[int]:
            kind, inside = node
            if kind == "token":
                fits = start < len(tokens) and tokens[start] == inside
                return {start + 1} if fits else set()
            if kind == "rule" and inside in _CLASSES:
                fits = start < len(tokens) and _is_of_class(str(inside), tokens[start])
                return {start + 1} if fits else set()
            if kind == "rule":
                return set(ends(self.rules[str(inside)], start))
            if kind == "any":
                return {end for each in inside for end in ends(each, start)}  # type: ignore
            if kind == "all":
                places = {start}
                for each in inside:  # type: ignore[attr-defined]
                    places = {end for place in places for end in ends(each, place)}
                return places
            places, new = {start}, {start}
            while new:
                new = {end for place in new for end in ends(inside, place)} - places  # type: ignore
                places |= new
            return places

        return len(tokens) in ends(self.rules[rule], 0)

    def sentence(self, rule: str, rng: np.random.Generator, depth: int = 7) -> list[str]:
        """Random tokens of a rule."""

        def made(node: Node, depth: int) -> list[str]:
            kind, inside = node
            if kind == "token":
                return [str(inside)]
            if kind == "rule" and inside in _CLASSES:
                return [str(rng.choice(_EXAMPLES[str(inside)]))]
            if kind == "rule":
                if depth <= 0 and inside in ("expression", "simple", "sum", "unary", "primary"):
                    return [str(rng.choice(_EXAMPLES["NAME"]))]
                return made(self.rules[str(inside)], depth - 1)
            if kind == "any":
                choices = list(inside)  # type: ignore[call-overload]
                return made(choices[int(rng.integers(len(choices)))], depth)
            if kind == "all":
                return [token for each in inside for token in made(each, depth)]  # type: ignore
            count = int(rng.integers(0, 3)) if depth > 0 and rng.random() < 0.3 else 0
            return [token for _ in range(count) for token in made(inside, depth)]  # type: ignore

        return made(("rule", rule), depth)


_EXAMPLES = {
    "NAME": ["a", "b", "layer0_edge1", "always_x"],
    "NUMBER": ["0", "1", "7"],
    "SIZED": ["1'b0", "4'd3", "12'hA0F", "4'sd3", "4'sh8"],
}


def _is_of_class(name: str, token: str) -> bool:
    return _CLASSES[name].fullmatch(token) is not None and token not in KEYWORDS
