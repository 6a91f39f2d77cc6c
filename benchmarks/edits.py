"""Edits of Python code by its syntax tree, independent of layout, comments and docstrings.

`Replace("low + 1", "low")` replaces an expression, or consecutive statements, that occur once in a
definition. The pattern is Python text. It is compared with the syntax tree, names as they are.
`...` in the pattern is a hole; `...` in the replacement stands for the code that the hole matched:

| pattern | matches |
| --- | --- |
| `max(..., low)` | `...` is one expression |
| `TableOp(value, high, ...)` | `...` last among positional arguments: all further arguments |
| `SumOp(..., bias=bias)` | likewise; the keyword may stand anywhere |
| `if signed: ...` | `...` as a body: all its statements |

Several holes are filled in the order of `ast`'s fields. An empty replacement deletes statements.

`ReplaceText("posedge", "negedge")` replaces a part of one string or f-string. An f-string is
matched as `ast.unparse` prints it: `{name}` for a field, `{{` for a brace.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class EditError(ValueError):
    """An edit whose function or pattern is missing, or occurs more than once."""


class Edit(Protocol):
    """A change of one place below a node of a syntax tree."""

    def apply(self, root: ast.AST) -> None:
        """Change the tree in place.

        Raises
        ------
        EditError : the pattern does not occur exactly once.
        """
        ...


@dataclass(frozen=True)
class Replace:
    """Replaces an expression, or consecutive statements."""

    old: str
    new: str

    def apply(self, root: ast.AST) -> None:
        old, new = _expression(self.old), _expression(self.new)
        if old is not None and new is not None:
            places = [
                (put, holes)
                for node, put in _expressions(root)
                if (holes := _match(old, node)) is not None
            ]
            put, holes = _single(places, self.old)
            put(_filled(new, holes))
            return
        pattern = ast.parse(self.old).body
        found = [
            (body, start, holes)
            for body in _bodies(root)
            for start in range(len(body) - len(pattern) + 1)
            if (holes := _match(pattern, body[start : start + len(pattern)])) is not None
        ]
        body, start, holes = _single(found, self.old)
        statements = _filled(ast.parse(self.new).body, holes)
        body[start : start + len(pattern)] = statements
        if not body:
            body.append(ast.Pass())


@dataclass(frozen=True)
class ReplaceText:
    """Replaces a part of a string or f-string that is no docstring."""

    old: str
    new: str

    def apply(self, root: ast.AST) -> None:
        places: list[tuple[Callable[[ast.expr], None], ast.expr]] = []
        for node, put in _expressions(root):
            match node:
                case ast.Constant(value=str(text)):
                    new: ast.expr = ast.Constant(text.replace(self.old, self.new))
                case ast.JoinedStr():
                    text = _template(node)
                    new = node
                    if self.old in text:
                        new = _f_string(text.replace(self.old, self.new))
                case _:
                    continue
            places.extend([(put, new)] * text.count(self.old))
        put, new = _single(places, self.old)
        put(new)


def edited(tree: ast.Module, name: str, edit: Edit) -> ast.Module:
    """A copy of a module with an edit of one definition.

    Parameters
    ----------
    name : qualified name of the function, class or module-level variable: `Class.method`.

    Raises
    ------
    EditError : the definition or the pattern does not occur exactly once, or nothing changes.
    """
    tree = copy.deepcopy(tree)
    found = definitions(tree, name)
    if len(found) != 1:
        raise EditError(f"{len(found)} definitions of {name}, expected one")
    before = ast.dump(found[0])
    edit.apply(found[0])
    if ast.dump(found[0]) == before:
        raise EditError("the edit changes nothing")
    return ast.fix_missing_locations(tree)


def definitions(tree: ast.AST, name: str) -> list[ast.stmt]:
    """Functions, classes and assigned variables of a qualified name."""
    scopes: list[ast.AST] = [tree]
    found: list[ast.stmt] = []
    for part in name.split("."):
        found = [each for scope in scopes for each in _statements(scope) if part in _names(each)]
        scopes = list(found)
    return found


def _statements(scope: ast.AST) -> Iterator[ast.stmt]:
    """Statements of a scope, without those of the functions and classes in it."""
    for body in _blocks(scope):
        for statement in body:
            yield statement
            if not isinstance(statement, _SCOPES):
                yield from _statements(statement)


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _names(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [statement.name]
        case ast.Assign():
            return [target.id for target in statement.targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []


def _single(places: list[T], pattern: str) -> T:
    if len(places) != 1:
        raise EditError(f"{len(places)} places match {pattern!r}, expected one")
    return places[0]


def _template(node: ast.JoinedStr) -> str:
    """The text between the quotes of an f-string."""
    text = ast.unparse(node).removeprefix("f")
    size = 3 if text.startswith(('"""', "'''")) else 1
    return text[size:-size]


def _f_string(template: str) -> ast.expr:
    """The f-string of a text between quotes."""
    quotes = '"""' if template.endswith("'") else "'''"
    return ast.parse(f"f{quotes}{template}{quotes}", mode="eval").body


# The places of a tree.


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Lists of statements directly below a node."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ExceptHandler | ast.match_case):
            yield child.body
    for name in ("body", "orelse", "finalbody"):
        body = getattr(node, name, None)
        if isinstance(body, list):
            yield body


def _bodies(root: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(root):
        if not isinstance(node, ast.ExceptHandler | ast.match_case):
            yield from _blocks(node)


def _expressions(root: ast.AST) -> Iterator[tuple[ast.expr, Callable[[ast.expr], None]]]:
    """Expressions that are read, each with a function that puts another one in its place.

    Strings between the fields of an f-string, and docstrings, are left out.
    """
    for node in ast.walk(root):
        if isinstance(node, ast.JoinedStr):
            continue
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                if isinstance(node, ast.Expr) and isinstance(value, ast.Constant):
                    continue
                if isinstance(getattr(value, "ctx", ast.Load()), ast.Load):
                    yield value, lambda new, node=node, name=name: setattr(node, name, new)
            elif isinstance(value, list):
                for index, each in enumerate(value):
                    if isinstance(each, ast.expr) and isinstance(
                        getattr(each, "ctx", ast.Load()), ast.Load
                    ):
                        yield each, lambda new, seq=value, index=index: seq.__setitem__(index, new)


# Patterns with holes.


@dataclass
class _Holes:
    """Code that the holes of a pattern match, in order."""

    found: list[Any] = field(default_factory=list[Any])


def _expression(text: str) -> ast.expr | None:
    """The expression that a text is, or None."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None


def _is_hole(node: object) -> bool:
    if isinstance(node, ast.Expr):
        node = node.value
    return isinstance(node, ast.Constant) and node.value is Ellipsis


def _takes_rest(call: object) -> bool:
    return isinstance(call, ast.Call) and bool(call.args) and _is_hole(call.args[-1])


def _match(pattern: Any, node: Any) -> _Holes | None:
    holes = _Holes()
    return holes if _matches(pattern, node, holes) else None


def _matches(pattern: Any, node: Any, holes: _Holes) -> bool:
    if isinstance(pattern, list):
        if len(pattern) == 1 and isinstance(pattern[0], ast.stmt) and _is_hole(pattern[0]):
            holes.found.append(node)
            return True
        return (
            isinstance(node, list)
            and len(pattern) == len(node)
            and all(_matches(p, n, holes) for p, n in zip(pattern, node, strict=True))
        )
    if not isinstance(pattern, ast.AST):
        return type(pattern) is type(node) and pattern == node
    if isinstance(pattern, ast.expr) and isinstance(node, ast.expr) and _is_hole(pattern):
        holes.found.append(node)
        return True
    if type(pattern) is not type(node):
        return False
    if _takes_rest(pattern):
        return _matches_call(pattern, node, holes)
    return all(
        _matches(getattr(pattern, name, None), getattr(node, name, None), holes)
        for name in pattern._fields
        if name not in ("ctx", "kind", "type_comment")
    )


def _matches_call(pattern: ast.Call, node: ast.Call, holes: _Holes) -> bool:
    """Match the function, the leading arguments and the keywords of a call; the rest is a hole."""
    leading = pattern.args[:-1]
    if not _matches(pattern.func, node.func, holes):
        return False
    if not _matches(leading, node.args[: len(leading)], holes):
        return False
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    for keyword in pattern.keywords:
        if keyword.arg not in keywords:
            return False
        if not _matches(keyword.value, keywords[keyword.arg], holes):
            return False
    named = {keyword.arg for keyword in pattern.keywords}
    holes.found.append((node.args[len(leading) :], node.keywords, named))
    return True


def _filled(replacement: Any, holes: _Holes) -> Any:
    """The replacement with the code of the holes."""
    remaining = iter(holes.found)
    return _fill(replacement, remaining)


def _next_hole(remaining: Iterator[Any], kind: type) -> Any:
    hole = next(remaining, None)
    if not isinstance(hole, kind):
        raise EditError("a `...` of the replacement has no counterpart in the pattern")
    return hole


def _fill(new: Any, remaining: Iterator[Any]) -> Any:
    if isinstance(new, list):
        if len(new) == 1 and isinstance(new[0], ast.stmt) and _is_hole(new[0]):
            return _next_hole(remaining, list)
        return [_fill(each, remaining) for each in new]
    if not isinstance(new, ast.AST):
        return new
    if _is_hole(new):
        return _next_hole(remaining, ast.expr)
    if _takes_rest(new):
        return _fill_call(new, remaining)
    for name, value in ast.iter_fields(new):
        setattr(new, name, _fill(value, remaining))
    return new


def _fill_call(new: ast.Call, remaining: Iterator[Any]) -> ast.Call:
    func = _fill(new.func, remaining)
    leading = [_fill(each, remaining) for each in new.args[:-1]]
    given = {each.arg: _fill(each.value, remaining) for each in new.keywords}
    args, keywords, named = _next_hole(remaining, tuple)
    kept: list[ast.keyword] = []
    for keyword in keywords:
        if keyword.arg in given:
            kept.append(ast.keyword(keyword.arg, given.pop(keyword.arg)))
        elif keyword.arg not in named:
            kept.append(keyword)
    kept += [ast.keyword(arg, value) for arg, value in given.items()]
    return ast.Call(func, [*leading, *args], kept)
