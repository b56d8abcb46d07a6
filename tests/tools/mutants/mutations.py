"""The mutants of a module: small changes of its source, each of which some test should notice."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Literal

Kind = Literal["comparison", "and / or", "condition", "constant", "statement", "result", "arguments"]

_COMPARED: Mapping[str, tuple[str, ...]] = {
    "<": ("<=", ">"),
    "<=": ("<", ">"),
    ">": (">=", "<"),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "is": ("is not",),
    "is not": ("is",),
    "in": ("not in",),
    "not in": ("in",),
}
_OPERATOR = re.compile(rb"(?<![<>=!])(?:<=|>=|==|!=|<|>)|\bis\s+not\b|\bnot\s+in\b|\bis\b|\bin\b")
# What they are called with has an order that no test needs to know, or fails at once.
_NOT_SWAPPED = frozenset(["isinstance", "issubclass", "getattr", "hasattr", "setattr", "cast", "print"])
# Texts and numbers in them are for people who look for a fault.
_LOGS = frozenset(["debug", "info", "warning", "error", "exception"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """`path` with `source`, which differs from what it was in the line `line`: `old` became `new`."""

    path: str
    kind: Kind
    line: int
    old: str
    new: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """`text` in place of the bytes from `start` to `stop`."""

    kind: Kind
    start: int
    stop: int
    text: bytes


def choose(root: Path, paths: Sequence[str], count: int, seed: int) -> list[Mutant]:
    """So many mutants of the modules at these paths below `root`, of each kind about as many; the same for a seed."""
    random = Random(seed)
    left: dict[Kind, list[tuple[str, Edit]]] = {}
    sources = {path: (root / path).read_bytes() for path in sorted(set(paths))}
    for path, source in sources.items():
        for edit in edits(source, random):
            left.setdefault(edit.kind, []).append((path, edit))
    found: list[Mutant] = []
    while len(found) < count and left:
        kind = random.choice(sorted(left))
        path, edit = left[kind].pop(random.randrange(len(left[kind])))
        if not left[kind]:
            del left[kind]
        if (mutant := _mutant(path, sources[path], edit)) is not None:
            found.append(mutant)
    return found


def _mutant(path: str, source: bytes, edit: Edit) -> Mutant | None:
    """None for a change that is none, or that is no Python."""
    changed = source[: edit.start] + edit.text + source[edit.stop :]
    try:
        if ast.dump(ast.parse(changed)) == ast.dump(ast.parse(source)):
            return None
    except SyntaxError:
        return None
    before, after = source.decode().splitlines(), changed.decode().splitlines()
    line = next((i for i, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), 0)
    old, new = before[line].strip(), after[line].strip()
    return Mutant(path=path, kind=edit.kind, line=line + 1, old=old, new=new, source=changed.decode())


def edits(source: bytes, random: Random) -> Iterator[Edit]:
    """All places where the module can be changed, with one change of each; `random` chooses where there are several."""
    return _Edits(source, random).of(ast.parse(source))


class _Edits:
    def __init__(self, source: bytes, random: Random) -> None:
        self._source = source
        self._random = random
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def of(self, node: ast.AST) -> Iterator[Edit]:
        if isinstance(node, ast.Compare):
            yield from self._comparisons(node)
        elif isinstance(node, ast.BoolOp):
            yield from self._bool_operators(node)
        elif isinstance(node, ast.If | ast.While | ast.IfExp):
            yield self._edit("condition", node.test, b"not (%s)" % self._text(node.test))
        elif isinstance(node, ast.comprehension):
            for test in node.ifs:
                yield self._edit("condition", test, b"not (%s)" % self._text(test))
        elif isinstance(node, ast.Constant):
            yield from self._constants(node)
        elif isinstance(node, ast.Return):
            yield from self._results(node)
        elif isinstance(node, ast.Call):
            yield from self._arguments(node)
        if _is_removable(node):
            assert isinstance(node, ast.stmt)
            yield self._edit("statement", node, b"pass")
        for child in _children(node):
            yield from self.of(child)

    def _comparisons(self, node: ast.Compare) -> Iterator[Edit]:
        sides = [node.left, *node.comparators]
        for left, right in pairwise(sides):
            start, stop = self._stop(left), self._start(right)
            match = _OPERATOR.search(self._source, start, stop)
            if match is not None:
                new = self._random.choice(_COMPARED[" ".join(match[0].decode().split())])
                yield Edit(kind="comparison", start=match.start(), stop=match.end(), text=new.encode())

    def _bool_operators(self, node: ast.BoolOp) -> Iterator[Edit]:
        old, new = (b"and", b"or") if isinstance(node.op, ast.And) else (b"or", b"and")
        for left, right in pairwise(node.values):
            match = re.compile(rb"\b%s\b" % old).search(self._source, self._stop(left), self._start(right))
            if match is not None:
                yield Edit(kind="and / or", start=match.start(), stop=match.end(), text=new)

    def _constants(self, node: ast.Constant) -> Iterator[Edit]:
        value = node.value
        if isinstance(value, bool):
            yield self._edit("constant", node, str(not value).encode())
        elif isinstance(value, int | float):
            yield self._edit("constant", node, repr(value + self._random.choice((1, -1))).encode())
        elif isinstance(value, str | bytes):
            quoted = b'"mutant"' if isinstance(value, str) else b'b"mutant"'
            empty = b'""' if isinstance(value, str) else b'b""'
            yield self._edit("constant", node, empty if value else quoted)

    def _results(self, node: ast.Return) -> Iterator[Edit]:
        if node.value is None or isinstance(node.value, ast.Constant):
            return
        empty = {ast.Tuple: b"()", ast.List: b"[]", ast.Dict: b"{}", ast.JoinedStr: b'""'}.get(type(node.value))
        yield self._edit("result", node.value, self._random.choice([b"None", empty or b"None"]))

    def _arguments(self, node: ast.Call) -> Iterator[Edit]:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in _NOT_SWAPPED or any(isinstance(argument, ast.Starred) for argument in node.args):
            return
        for one, other in pairwise(node.args):
            between = self._source[self._stop(one) : self._start(other)]
            text = self._text(other) + between + self._text(one)
            yield Edit(kind="arguments", start=self._start(one), stop=self._stop(other), text=text)

    def _edit(self, kind: Kind, node: ast.expr | ast.stmt, text: bytes) -> Edit:
        return Edit(kind=kind, start=self._start(node), stop=self._stop(node), text=text)

    def _text(self, node: ast.expr) -> bytes:
        return self._source[self._start(node) : self._stop(node)]

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _stop(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset


def _is_removable(node: ast.AST) -> bool:
    """A statement without which the module is still one: what it does to something else is missing."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call | ast.Await)
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets)
    return isinstance(node, ast.AugAssign | ast.Raise | ast.Delete | ast.Continue | ast.Break)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Without what is for readers and type checkers, and what no test could notice."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params", "bases", "keywords") and not (
            name == "keywords" and isinstance(node, ast.Call)
        ):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_for_readers(child):
                yield child


def _is_for_readers(node: ast.AST) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Assert):
        return True
    if isinstance(node, ast.Expr):
        # Docstrings, and a line of a log.
        call = node.value
        is_log = isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _LOGS
        return isinstance(node.value, ast.Constant) or is_log
    if isinstance(node, ast.If):
        return any(
            isinstance(each, ast.Name) and each.id in ("TYPE_CHECKING", "__name__") for each in ast.walk(node.test)
        )
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Name) and node.value.id == "Literal"
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ("TypeVar", "N_", "_")
    return False
