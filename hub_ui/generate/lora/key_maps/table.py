"""The words of the tables: a module's name in a network's own code, and the modules of diffusers that it became.

`{}` stands for the number of a block. Facts are those of diffusers' converters (loaders/single_file_utils.py,
loaders/lora_conversion_utils.py) and of the networks' own code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# "two": only where the module makes two values of each input, as a network's last modulation does.
Swap = Literal["never", "always", "two"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """`modules` take the outputs of the original one after the other. `swap`: its halves stand the other way round."""

    modules: tuple[str, ...]
    swap: Swap = "never"


Table = Mapping[str, Entry]
# As a table writes it: one module, several, or an entry.
Row = str | tuple[str, ...] | Entry
Rows = Mapping[str, Row]


def same(*modules: str) -> Entry:
    return Entry(modules=modules)


def swapped(module: str, when: Swap = "always") -> Entry:
    return Entry(modules=(module,), swap=when)


def within(theirs: str, ours: str, rows: Rows) -> dict[str, Entry]:
    """The rows of a block, each with the block's name before it; "" names a block that has none."""
    return {_joined(theirs, name): _placed(ours, row) for name, row in rows.items()}


def _placed(ours: str, row: Row) -> Entry:
    if not isinstance(row, Entry):
        row = same(*((row,) if isinstance(row, str) else row))
    return Entry(modules=tuple(_joined(ours, module) for module in row.modules), swap=row.swap)


def _joined(block: str, name: str) -> str:
    return f"{block}.{name}" if block and name else block or name
