"""The data folder of the local hubs, with recordings and samples. DATA_FOLDER.md describes its files."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from hub_ui.demo.hubs.content import Content, InMemory, OnDisk, expand_tensors, generate_safetensors, zip_archive


@dataclass(frozen=True, kw_only=True)
class Origins:
    """A client that keeps its token on a redirect to `delivery`, the hubs' CDN, leaks it as on the real hubs."""

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
        """Replaces the placeholders for origins, whose ports are known only once the hubs run."""
        for name, url in {**self.as_env(), "DELIVERY": self.delivery}.items():
            text = text.replace("{" + name + "}", url)
        return text


Json = dict[str, Any]
PACKAGE = Path(__file__).parent.parent
SAMPLES = PACKAGE / "data" / "samples"
_DAY = re.compile(r"\b\d{4}-\d\d-\d\d(?=T\d\d:\d\d)")


class DataFolderError(ValueError):
    """The data folder is invalid."""


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """`access` is None, "login", "gated", "private", "paid", "disabled" or "archived"."""

    content: Content
    access: str | None = None


@dataclass(frozen=True, kw_only=True)
class Access:
    """The valid tokens and what each may access. Without a list, any non-empty token is valid."""

    tokens: Mapping[str, frozenset[str]] = field(default_factory=dict)
    grants: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def is_signed_in(self, hub: str, token: str | None) -> bool:
        return bool(token) and (hub not in self.tokens or token in self.tokens[hub])

    def is_granted(self, token: str | None, *names: str) -> bool:
        return bool(token) and not self.grants.get(token or "", frozenset()).isdisjoint(names)

    def owns(self, token: str | None, name: str) -> bool:
        """Whether the private thing is this token's: one that nobody was granted is everybody's."""
        return self.is_granted(token, name) or not any(name in names for names in self.grants.values())


@dataclass(frozen=True, kw_only=True)
class DataFolder:
    """Sample dates are shifted to `today`."""

    path: Path
    origins: Origins
    today: date = field(default_factory=lambda: datetime.now(UTC).date())

    def text(self, path: Path) -> str:
        """The text with the origins filled in. Line endings are unchanged."""
        text = self.origins.fill(path.read_bytes().decode("utf-8"))
        if not self.age:
            return text
        return _DAY.sub(lambda day: (date.fromisoformat(day.group()) + self.age).isoformat(), text)

    @cached_property
    def age(self) -> timedelta:
        """The time by which sample dates are shifted. Zero for recordings."""
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
        """The matching files that contain one JSON object, sorted by name."""
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

    def ghosts(self, hub: str) -> frozenset[str]:
        """Deleted but still in lists, as on a cached page."""
        return frozenset(map(str, self.optional("deleted.json", {}).get("ghosts", {}).get(hub, [])))

    def hub_file(self, spec: Mapping[str, Any]) -> HubFile:
        content: Content
        if "path" in spec:
            content = OnDisk(path=inside(self.path, spec["path"]))
        elif "package" in spec:
            content = OnDisk(path=inside(PACKAGE, spec["package"]))
        elif "safetensors" in spec:
            header = spec["safetensors"]
            if isinstance(header["tensors"], str):
                header = {**header, "tensors": expand_tensors(self.json(inside(self.path, header["tensors"])))}
            content = generate_safetensors(header)
        elif "zip" in spec:
            content = zip_archive([inside(self.path, name) for name in spec["zip"]])
        elif "text" in spec:
            content = InMemory(data=str(spec["text"]).encode())
        else:
            raise DataFolderError(f"a file needs one of path, package, safetensors, zip or text, not {sorted(spec)}")
        return HubFile(content=content, access=spec.get("access"))


def inside(folder: Path, name: str) -> Path:
    """Raises DataFolderError for a path outside `folder`: a foreign data folder must not serve the rest of the disk."""
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
