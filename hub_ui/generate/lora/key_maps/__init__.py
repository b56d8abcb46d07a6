"""Key maps: a module's name in a network's own code, and the modules of diffusers that it became.

`{}` stands for the number of a block; `w{1,2}` in both names of a row stands for one row for each word, in order. The
facts are those of diffusers' converters (loaders/single_file_utils.py, loaders/lora_conversion_utils.py) and of the
networks' own code.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# "two": only where the module makes two values of each input, as a network's last modulation does.
Swap = Literal["never", "always", "two"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """`modules` take the outputs of the original one after the other. `swap`: whether its halves change places."""

    modules: tuple[str, ...]
    swap: Swap = "never"


Table = Mapping[str, Entry]
# As it is written down: one module, several, or an entry.
Rows = Mapping[str, str | tuple[str, ...] | Entry]

# Two linear layers, by their names in diffusers.
MLP: Rows = {"{0,2}": "linear_{1,2}"}
IN_OUT: Rows = {"{in,out}_layer": "linear_{1,2}"}
FC: Rows = {"fc{1,2}": "linear_{1,2}"}
_WORDS = re.compile(r"\{(\w[^{}]*)\}")


def table(rows: Rows) -> Table:
    entries: dict[str, Entry] = {}
    for name, row in rows.items():
        if isinstance(row, str):
            for each, module in zip(_expand(name), _expand(row), strict=True):
                entries[each] = Entry(modules=(module,))
        else:
            entries[name] = row if isinstance(row, Entry) else Entry(modules=row)
    return entries


def _expand(name: str) -> tuple[str, ...]:
    words = _WORDS.search(name)
    if words is None:
        return (name,)
    return tuple(name[: words.start()] + word + name[words.end() :] for word in words[1].split(","))


def swap_halves(module: str, when: Swap = "always") -> Entry:
    return Entry(modules=(module,), swap=when)


def within(theirs: str, ours: str, rows: Rows) -> Table:
    """The rows of a block, each prefixed by the block's name; "" is the block itself."""
    return {
        _join(theirs, name): Entry(modules=tuple(_join(ours, module) for module in entry.modules), swap=entry.swap)
        for name, entry in table(rows).items()
    }


def within_each(blocks: tuple[str, ...], rows: Rows) -> Table:
    """The rows of several blocks whose own names are the same in diffusers."""
    return {name: entry for block in blocks for name, entry in within(block, block, rows).items()}


def _join(block: str, name: str) -> str:
    return f"{block}.{name}" if block and name else block or name
