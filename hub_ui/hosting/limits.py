"""How much the visitors of a hosted page may use: the operator's settings, as one table.

Each is a variable `HUB_UI_LIMIT_` and its name in capitals, such as HUB_UI_LIMIT_STEPS=40. Bytes may be written with a
unit: 500MB, 2GB.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.errors import UsageError, suggestion

PREFIX = "HUB_UI_LIMIT_"
_NUMBER = re.compile(r"(\d{1,18})\s*(kB|MB|GB)?", re.ASCII)
_UNITS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_BASE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_UNPRINTABLE = re.compile(r"[^ -~]")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """TABLE says what each is. `bases` empty: every base model that is on the disk."""

    bases: frozenset[str] = frozenset()
    loras: int = 4
    images: int = 12
    steps: int = 60
    side: int = 1536
    frames: int = 33
    own_queue: int = 2
    images_per_hour: int = 60
    searches_per_minute: int = 60
    opens_per_minute: int = 60
    download_bytes_per_hour: int = 5 * 10**9
    lora_bytes: int = 10**9
    upload_bytes: int = 20 * 10**6
    upload_bytes_per_hour: int = 200 * 10**6
    queue: int = 20
    downloads: int = 10
    cache_bytes: int = 10 * 10**9
    uploads_bytes: int = 5 * 10**9
    people_per_address: int = 10
    connections_per_address: int = 200


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One of `Limits`. `text` is what it counts, `shared` whether all visitors have it together."""

    name: str
    smallest: int
    largest: int
    text: str
    shared: bool = False

    @property
    def default(self) -> int:
        return int(getattr(Limits, self.name))

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    @property
    def takes_bytes(self) -> bool:
        return "bytes" in self.name

    def show(self, number: int) -> str:
        """As it stands in messages of the operator and in docs/hosting.md: "60", "1 GB"."""
        unit = next((u for u, size in reversed(_UNITS.items()) if u and number and number % size == 0), "")
        return f"{number // _UNITS[unit]:,} {unit}" if self.takes_bytes and unit else f"{number:,}"

    def parse(self, text: str) -> int:
        """Raises UsageError, with what to write."""
        found = _NUMBER.fullmatch(text.strip())
        number = int(found[1]) * _UNITS[found[2] or ""] if found else -1
        if found is None or (found[2] and not self.takes_bytes) or not self.smallest <= number <= self.largest:
            raise UsageError(
                f"{self.variable}={_printable(text)} is no whole number from {self.show(self.smallest)} to "
                f"{self.show(self.largest)}. Write one, or unset it for {self.show(self.default)}."
            )
        return number


_PB = 10**15
TABLE = (
    Limit(name="loras", smallest=1, largest=20, text="LoRAs in one generation"),
    Limit(name="images", smallest=1, largest=24, text="images in one comparison"),
    Limit(name="steps", smallest=1, largest=500, text="steps"),
    Limit(name="side", smallest=64, largest=4096, text="width and height, in pixels"),
    Limit(name="frames", smallest=1, largest=257, text="frames of a video"),
    Limit(name="own_queue", smallest=1, largest=200, text="generations waiting"),
    Limit(name="images_per_hour", smallest=1, largest=100_000, text="images in an hour"),
    Limit(name="searches_per_minute", smallest=1, largest=100_000, text="searches in a minute"),
    Limit(name="opens_per_minute", smallest=1, largest=100_000, text="LoRAs opened in a minute"),
    Limit(name="download_bytes_per_hour", smallest=10**6, largest=_PB, text="bytes downloaded in an hour"),
    Limit(name="lora_bytes", smallest=10**6, largest=10**12, text="size of a LoRA file"),
    Limit(name="upload_bytes", smallest=10**5, largest=10**9, text="size of an upload, which is deleted after an hour"),
    Limit(name="upload_bytes_per_hour", smallest=10**5, largest=_PB, text="bytes uploaded in an hour"),
    Limit(name="queue", smallest=1, largest=200, text="generations waiting", shared=True),
    Limit(name="downloads", smallest=1, largest=200, text="downloads at once", shared=True),
    Limit(
        name="cache_bytes", smallest=10**6, largest=_PB, shared=True,
        text="downloaded LoRAs on the disk; the least recently used are deleted first",
    ),
    Limit(name="uploads_bytes", smallest=10**6, largest=_PB, shared=True, text="uploads on the disk"),
    Limit(
        name="people_per_address", smallest=1, largest=100_000, shared=True,
        text="people at one network address: together they get so many times what one visitor gets",
    ),
    Limit(
        name="connections_per_address", smallest=10, largest=100_000, shared=True,
        text="connections of one network address",
    ),
)  # fmt: skip


def read_limits(environ: Mapping[str, str]) -> Limits:
    """Raises UsageError for a variable that is no limit, or has a value that can't be one."""
    rows = {limit.variable: limit for limit in TABLE}
    bases = PREFIX + "BASES"
    given: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        if variable not in rows and variable != bases:
            raise UsageError(
                f"{_printable(variable)} is no limit.{suggestion(variable, [*rows, bases])} Unset it, or write one of: "
                f"{', '.join([bases, *rows])}."
            )
        if not text.strip():
            continue
        given |= {"bases": _bases(text)} if variable == bases else {rows[variable].name: rows[variable].parse(text)}
    return Limits(**given)


def _bases(text: str) -> frozenset[str]:
    names = text.lower().replace(",", " ").split()
    wrong = next((name for name in names if not _BASE.fullmatch(name)), None)
    if wrong is not None:
        raise UsageError(
            f"{PREFIX}BASES: {_printable(wrong)} names no base model. Write ids of docs/base-models.md with commas "
            "between them, or unset it for all."
        )
    return frozenset(names)


def docs_table(*, shared: bool) -> str:
    """What belongs in docs/hosting.md: `python -m hub_ui.hosting.limits` prints both tables."""
    head = "For all visitors" if shared else "For one visitor"
    rows = [
        f"| {limit.text} | {limit.show(limit.default)} | `{limit.variable}` |"
        for limit in TABLE
        if limit.shared == shared
    ]
    return "\n".join([f"| {head} | At most | Variable |", "| --- | --- | --- |", *rows])


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("?", text)[:80]


if __name__ == "__main__":
    print(docs_table(shared=False), docs_table(shared=True), sep="\n\n")
