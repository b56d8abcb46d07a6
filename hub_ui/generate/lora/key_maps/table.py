"""The rows of the key maps: a module's name in a network's own code, and the modules of diffusers that it became.

`{}` stands for the number of a block. The facts are those of diffusers' converters (loaders/single_file_utils.py,
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
    """`modules` take the outputs of the original one after the other. `swap`: whether its halves change places."""

    modules: tuple[str, ...]
    swap: Swap = "never"


Table = Mapping[str, Entry]
# As it is written down: one module, several, or an entry.
Rows = Mapping[str, str | tuple[str, ...] | Entry]

# Two linear layers, by their names in diffusers.
MLP: Rows = {"0": "linear_1", "2": "linear_2"}
IN_OUT: Rows = {"in_layer": "linear_1", "out_layer": "linear_2"}
FC: Rows = {"fc1": "linear_1", "fc2": "linear_2"}


def table(rows: Rows) -> Table:
    return {
        name: row if isinstance(row, Entry) else Entry(modules=(row,) if isinstance(row, str) else row)
        for name, row in rows.items()
    }


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
