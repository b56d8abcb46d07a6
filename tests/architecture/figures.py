"""Size and structure of the source, with limits."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.sources import Function, Source, read_test_sources

# Repeated runs of this many lines count, without imports and blank lines.
REPEATED_LINES = 12
# A line with more expressions and statements than this is dense: it should be two lines.
DENSE_NODES = 12
_IRREGULAR = frozenset(Path(__file__).with_name("irregular_participles.txt").read_text().split())
# Words that end like participles but are not.
_NO_PARTICIPLES = frozenset(
    ["embed", "exceed", "feed", "hundred", "need", "proceed", "seed", "shed", "shared", "speed", "succeed"]
)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """`most` is the limit. `found` lists the places that count, if the figure counts places."""

    name: str
    value: float
    most: float
    found: Sequence[str] = ()

    def __str__(self) -> str:
        return f"{self.name:<58} {self.value:>10,.1f} (at most {self.most:,})"


def figures(sources: Sequence[Source]) -> list[Figure]:
    """Measure the shipped source (connectors and hub_ui without demo/build) and the tests.

    Size is counted in syntax nodes, because a limit on lines or files is met by writing denser lines. The limits only
    ever fall. Those on nodes are one percent above the source of December 2026, so that a new filter fits.
    """
    shipped = [source for source in sources if source.is_shipped]
    tests = read_test_sources()
    functions = [(source, function) for source in shipped for function in source.functions]
    once = [place(source, function) for source in shipped for function in called_once(source)]
    participles = [place(source, function) for source, function in functions if is_participle(function.name)]
    long = [place(source, function) for source, function in functions if length(function) > 50]
    repeated = [" = ".join(places) for places in repetitions(shipped)]
    broad = [f"{source.module}:{line}" for source in shipped for line in broad_excepts(source)]
    share = 100 / len(functions)
    return [
        Figure(name="syntax nodes", value=count_nodes(shipped), most=250_760),
        Figure(name="dense lines, % of all lines of code", value=dense_share(shipped), most=14.8),
        Figure(name="syntax nodes of tests", value=count_nodes(tests), most=304_500),
        Figure(name="dense lines of tests, % of all lines of code", value=dense_share(tests), most=16.4),
        Figure(name="private functions called once, % of all functions", value=share * len(once), most=15, found=once),
        Figure(
            name="participles for names, % of all functions", value=share * len(participles), most=1, found=participles
        ),
        Figure(name=f"runs of {REPEATED_LINES} lines that stand twice", value=len(repeated), most=0, found=repeated),
        Figure(name="functions over 50 lines", value=len(long), most=0, found=long),
        Figure(name="places that swallow every exception", value=len(broad), most=3, found=broad),
    ]


def nodes_by_line(source: Source) -> Counter[int]:
    """Count the expressions and statements that begin on each line. Imports don't count."""
    return Counter(
        node.lineno
        for node in ast.walk(source.tree)
        if isinstance(node, ast.expr | ast.stmt) and not isinstance(node, ast.Import | ast.ImportFrom)
    )


def count_nodes(sources: Iterable[Source]) -> int:
    return sum(nodes_by_line(source).total() for source in sources)


def dense_share(sources: Iterable[Source]) -> float:
    """Return the percentage of code lines that hold more than DENSE_NODES nodes."""
    counts = [count for source in sources for count in nodes_by_line(source).values()]
    return 100 * sum(count > DENSE_NODES for count in counts) / len(counts)


def place(source: Source, function: Function) -> str:
    return f"{source.module}:{function.lineno} {function.name}"


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def called_once(source: Source) -> list[Function]:
    """Private functions and methods that are referenced once in their module."""
    named = Counter(
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Name | ast.Attribute)
    )
    return [
        function
        for function in source.functions
        if function.name.startswith("_") and not function.name.startswith("__") and named[function.name] == 1
    ]


def is_participle(name: str) -> bool:
    """Whether a function's name begins with a past participle: `told`, `_asked`, `kept_files`."""
    word = name.strip("_").split("_")[0]
    return word in _IRREGULAR or (len(word) > 4 and word.endswith("ed") and word not in _NO_PARTICIPLES)


def repetitions(sources: Sequence[Source]) -> list[list[str]]:
    """The places of each run of lines that occurs more than once."""
    places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for source in sources:
        lines = [
            (number, line.strip())
            for number, line in enumerate(source.lines, start=1)
            if line.strip() and not line.strip().startswith(("import ", "from "))
        ]
        for first in range(len(lines) - REPEATED_LINES + 1):
            run = lines[first : first + REPEATED_LINES]
            places[tuple(line for _, line in run)].append(f"{source.module}:{run[0][0]}")
    return [found for found in places.values() if len(found) > 1]


def broad_excepts(source: Source) -> Iterator[int]:
    """Lines of handlers that catch every exception and do not raise it again."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or any(
                f"'{name}'" in ast.dump(node.type) for name in ("Exception", "BaseException")
            )
            last = node.body[-1]
            if broad and not (isinstance(last, ast.Raise) and last.exc is None):
                yield node.lineno
