"""The mutants of a module: small changes of its source, each of which some test should notice."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Literal

Kind = Literal["comparison", "and / or", "condition", "constant", "statement", "result", "arguments"]

_COMPARED: Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}  # fmt: skip
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
    starts = list(accumulate(map(len, source.splitlines(keepends=True)), initial=0))
    for node in _nodes(ast.parse(source)):
        for kind, old, new in _changes(node, random):
            start = starts[old.lineno - 1] + old.col_offset
            stop = starts[(old.end_lineno or old.lineno) - 1] + (old.end_col_offset or 0)
            yield Edit(kind=kind, start=start, stop=stop, text=new.encode())


def _changes(node: ast.AST, random: Random) -> Iterator[tuple[Kind, ast.expr | ast.stmt, str]]:
    """What may stand in the place of a node or of a part of it."""
    match node:
        case ast.Compare(left, ops, others):
            for i, op in enumerate(ops):
                changed = [*ops[:i], random.choice(_COMPARED[type(op)])(), *ops[i + 1 :]]
                yield "comparison", node, ast.unparse(ast.Compare(left, changed, others))
        case ast.BoolOp(op, values):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield "and / or", node, ast.unparse(ast.BoolOp(other, values))
        case ast.If(test) | ast.While(test) | ast.IfExp(test):
            yield "condition", test, f"not ({ast.unparse(test)})"
        case ast.comprehension(ifs=tests):
            for test in tests:
                yield "condition", test, f"not ({ast.unparse(test)})"
        case ast.Constant(value) if (text := _other_value(value, random)) is not None:
            yield "constant", node, text
        case ast.Return(ast.expr() as value) if not isinstance(value, ast.Constant):
            empty = {ast.Tuple: "()", ast.List: "[]", ast.Dict: "{}", ast.JoinedStr: '""'}.get(type(value), "None")
            yield "result", value, random.choice(["None", empty])
        case ast.Call(func, args, keywords) if not _has_no_order(func, args):
            for i in range(len(args) - 1):
                swapped = [*args[:i], args[i + 1], args[i], *args[i + 2 :]]
                yield "arguments", node, ast.unparse(ast.Call(func, swapped, keywords))
    if isinstance(node, ast.stmt) and _is_removable(node):
        yield "statement", node, "pass"


def _other_value(value: object, random: Random) -> str | None:
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, int | float):
        return repr(value + random.choice((1, -1)))
    if isinstance(value, str | bytes):
        prefix = "b" if isinstance(value, bytes) else ""
        return f'{prefix}""' if value else f'{prefix}"mutant"'
    return None


def _has_no_order(func: ast.expr, args: Sequence[ast.expr]) -> bool:
    return any(isinstance(arg, ast.Starred) for arg in args) or (isinstance(func, ast.Name) and func.id in _NOT_SWAPPED)


def _is_removable(node: ast.stmt) -> bool:
    """A statement without which the module is still one: what it does to something else is missing."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call | ast.Await)
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets)
    return isinstance(node, ast.AugAssign | ast.Raise | ast.Delete | ast.Continue | ast.Break)


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Without what is for readers and type checkers, and what no test could notice."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params", "bases"):
            continue
        if name == "keywords" and isinstance(node, ast.ClassDef):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_for_readers(child):
                yield from _nodes(child)


def _is_for_readers(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.Assert():
            return True
        case ast.Expr(ast.Constant()):  # a docstring
            return True
        case ast.Expr(ast.Call(ast.Attribute(attr=name))):
            return name in _LOGS
        case ast.If(test):
            names = (each.id for each in ast.walk(test) if isinstance(each, ast.Name))
            return not {"TYPE_CHECKING", "__name__"}.isdisjoint(names)
        case ast.Subscript(ast.Name("Literal")):
            return True
        case ast.Call(ast.Name(name)):
            return name in ("TypeVar", "N_", "_")
    return False
