"""The data folder: recordings and sample objects as files, one naming rule for each kind."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from hub_ui.demo.hubs.content import Content, Digest, InMemory, OnDisk, digest_of, generate_safetensors


@dataclass(frozen=True, kw_only=True)
class Origins:
    """One origin a hub, and one that stands for the hubs' content delivery networks.

    Their ports differ: a client that keeps its token on a redirect to `delivery` leaks it, as on the real hubs.
    """

    huggingface: str
    civitai: str
    replicate: str
    delivery: str

    def as_env(self) -> dict[str, str]:
        return {
            "HF_ENDPOINT": self.huggingface,
            "CIVITAI_ENDPOINT": self.civitai,
            "REPLICATE_ENDPOINT": self.replicate,
        }

    def fill(self, text: str) -> str:
        """Sample data names the origins by placeholders, because ports are only known once the hubs run."""
        for name, url in {**self.as_env(), "DELIVERY": self.delivery}.items():
            text = text.replace("{" + name + "}", url)
        return text


Json = dict[str, Any]
PACKAGE = Path(__file__).parent.parent
# What `hub-ui demo` serves; demo/build/samples writes it.
SAMPLES = PACKAGE / "data" / "samples"
_DAY = re.compile(r"\b\d{4}-\d\d-\d\d(?=T\d\d:\d\d)")


class DataFolderError(ValueError):
    """The data folder says something that cannot be served."""


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """A file; its `access` is None, "login", "gated", "paid", "disabled", "removed" or "archived"."""

    content: Content
    access: str | None = None

    @cached_property
    def digest(self) -> Digest:
        return digest_of(self.content)


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may sign in and who was let in. Without a list of tokens any non-empty token is a valid sign-in."""

    tokens: Mapping[str, frozenset[str]] = field(default_factory=dict)
    grants: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def is_signed_in(self, hub: str, token: str | None) -> bool:
        return bool(token) and (hub not in self.tokens or token in self.tokens[hub])

    def is_granted(self, token: str | None, *names: str) -> bool:
        return bool(token) and not self.grants.get(token or "", frozenset()).isdisjoint(names)


@dataclass(frozen=True, kw_only=True)
class DataFolder:
    """`today` is the day to which the dates of samples are moved."""

    path: Path
    origins: Origins
    today: date = field(default_factory=lambda: datetime.now(UTC).date())

    def text(self, path: Path) -> str:
        """The text with the origins filled in, its line ends as they are."""
        text = self.origins.fill(path.read_bytes().decode("utf-8"))
        if not self.age:
            return text
        return _DAY.sub(lambda day: (date.fromisoformat(day.group()) + self.age).isoformat(), text)

    @cached_property
    def age(self) -> timedelta:
        """How long ago samples were written, whose dates count back from that day; zero for recordings."""
        path = self.path / "dates.json"
        if not path.is_file():
            return timedelta()
        return self.today - date.fromisoformat(json.loads(path.read_bytes())["written"])

    def json(self, path: Path) -> Any:
        try:
            return json.loads(self.text(path))
        except ValueError as error:
            raise DataFolderError(f"{path.name} is not JSON: {error}") from error

    def each(self, pattern: str) -> Iterator[tuple[Path, Any]]:
        for path in sorted(self.path.glob(pattern)):
            yield path, self.json(path)

    def objects(self, pattern: str) -> Iterator[Json]:
        """The files of that name that hold one JSON object, in the order of their names."""
        return (data for _, data in self.each(pattern) if isinstance(data, dict))

    def optional(self, name: str, otherwise: Any) -> Any:
        path = self.path / name
        return self.json(path) if path.is_file() else otherwise

    @cached_property
    def files(self) -> Json:
        files: Json = self.optional("files.json", {})
        return files

    @cached_property
    def access(self) -> Access:
        raw = self.optional("access.json", {})
        return Access(
            tokens={hub: frozenset(tokens) for hub, tokens in raw.get("tokens", {}).items()},
            grants={token: frozenset(map(str, names)) for token, names in raw.get("grants", {}).items()},
        )

    def deletions(self, hub: str) -> frozenset[str]:
        """Gone from lists and from everywhere else."""
        return frozenset(map(str, self.optional("deleted.json", {}).get(hub, [])))

    def ghosts(self, hub: str) -> frozenset[str]:
        """Still in lists, as on a page that a cache kept, but gone when opened."""
        return frozenset(map(str, self.optional("deleted.json", {}).get("ghosts", {}).get(hub, [])))

    def hub_file(self, spec: Mapping[str, Any]) -> HubFile:
        content: Content
        if "path" in spec:
            content = OnDisk(path=inside(self.path, spec["path"]))
        elif "package" in spec:
            content = OnDisk(path=inside(PACKAGE, spec["package"]))
        elif "safetensors" in spec:
            table = spec["safetensors"]
            if isinstance(table, str):
                table = json.loads(gzip.decompress(inside(self.path, table).read_bytes()))
            content = generate_safetensors(table)
        elif "text" in spec:
            content = InMemory(data=str(spec["text"]).encode())
        else:
            raise DataFolderError(f"a file needs one of path, package, safetensors or text, not {sorted(spec)}")
        return HubFile(content=content, access=spec.get("access"))


def inside(folder: Path, name: str) -> Path:
    """`name` inside `folder`, or an error: a data folder from elsewhere must not serve the rest of the disk."""
    try:
        path = (folder / name).resolve()
        is_file = path.is_file()
    except (OSError, ValueError) as error:
        raise DataFolderError(f"{name[:80]} is no file name") from error
    if not path.is_relative_to(folder.resolve()):
        raise DataFolderError(f"{name} lies outside {folder.name}")
    if not is_file:
        raise DataFolderError(f"{name} is not a file in {folder.name}")
    return path
