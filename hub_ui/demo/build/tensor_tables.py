"""`python -m hub_ui.demo.build.tensor_tables FILE.safetensors` prints its tensors for demo/data/samples/tensors."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import takewhile
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeAlias

from connectors.errors import BadHeader, NotWeights
from connectors.weights.header import header_length
from hub_ui.demo.hubs.folder import Content, Json, on_disk

Row: TypeAlias = tuple[str, Any]
_NUMBER = re.compile(r"(?<=[._])\d+(?=[._])")


def table_text(blocks: Iterable[Json]) -> str:
    """One line a tensor."""
    parts = []
    for block in blocks:
        repeat = f'"repeat": {json.dumps(block["repeat"])}, ' if "repeat" in block else ""
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in block["tensors"].items())
        parts.append(f'{{{repeat}"tensors": {{\n{lines}\n}}}}')
    return "[" + ",\n".join(parts) + "]\n"


def header_bytes(content: Content) -> bytes:
    """The safetensors header and the 8 bytes of its length, or no bytes for other formats."""
    try:
        return content.read(0, 8 + header_length(content.read(0, 9)))
    except (BadHeader, NotWeights):
        return b""


def tensors_of(content: Content) -> Json:
    """Dtype and shape by name, in the order of the header."""
    header = json.loads(header_bytes(content)[8:])
    return {name: [entry["dtype"], entry["shape"]] for name, entry in header.items() if name != "__metadata__"}


def fold_tensors(tensors: Json) -> Iterator[Json]:
    """Numbered blocks that repeat written once, for folder.expand_tensors to read."""
    rows, at = list(tensors.items()), 0
    single: Json = {}
    while at < len(rows):
        runs = (_repeat(rows, at, number) for number in _NUMBER.finditer(rows[at][0]))
        stop, block = max(runs, default=(at, {}), key=itemgetter(0))
        if stop == at:
            single[rows[at][0]] = rows[at][1]
            at += 1
            continue
        if single:
            yield {"tensors": single}
            single = {}
        yield block
        at = stop
    if single:
        yield {"tensors": single}


def _repeat(rows: list[Row], at: int, number: re.Match[str]) -> tuple[int, Json]:
    """The end of a run of equal blocks that count up in this place of their names, and the block; `at` for no run."""
    head, first = number.string[: number.start()], int(number.group())

    def block(start: int, count: int) -> list[Row]:
        prefix = f"{head}{count}"
        found = takewhile(lambda row: re.match(rf"{re.escape(prefix)}[._]", row[0]), rows[start:])
        return [(name.removeprefix(prefix), entry) for name, entry in found]

    pattern = block(at, first)
    stop, count = at + len(pattern), first + 1
    while pattern and block(stop, count) == pattern:
        stop, count = stop + len(pattern), count + 1
    if count == first + 1:
        return at, {}
    return stop, {"repeat": [first, count], "tensors": {f"{head}{{}}{tail}": entry for tail, entry in pattern}}


if __name__ == "__main__":
    sys.stdout.write(table_text(fold_tensors(tensors_of(on_disk(Path(sys.argv[1]))))))
