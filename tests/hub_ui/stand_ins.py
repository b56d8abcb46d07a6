"""Hubs made of literals, for tests that are about what happens with their answers, and what the app is built of."""

import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import connectors
from connectors.connector import Connector, Download, HttpDownload
from connectors.errors import HubUiError, NotFound
from connectors.query import Page, Query
from connectors.record import Claim, Lora, Version, WeightFile
from connectors.ref import HubName, Ref
from hub_ui.app import services
from hub_ui.app.services import Services
from hub_ui.commands.serve import demo_settings
from hub_ui.demo.hubs.folder import Origins
from hub_ui.settings import from_environment

VERSIONS: Mapping[HubName, str] = {"civitai": "2001", "huggingface": "a" * 40, "replicate": "b" * 64}
IDS: Mapping[HubName, str] = {"civitai": "1001", "huggingface": "ada/ink-lines", "replicate": "ada/ink-lines"}


class Screen(io.StringIO):
    """What a person at a terminal types, or reads."""

    def isatty(self) -> bool:
        return True


@dataclass(kw_only=True)
class Hub:
    """Answers with `loras`; once `error` is set, with that. It waits for `hang`, if there is one."""

    name: HubName
    loras: list[Lora] = field(default_factory=list)
    error: HubUiError | None = None
    hang: threading.Event | None = None
    asked: list[str] = field(default_factory=list)
    address: str = "http://127.0.0.1:9"

    def search(self, query: Query, cursor: str | None = None) -> Page:
        self._ask("search")
        return Page(loras=tuple(lora for lora in self.loras if query.text in lora.title))

    def get(self, ref: Ref) -> Lora:
        self._ask(f"get {ref}")
        for lora in self.loras:
            if lora.ref.id == ref.id and (ref.version is None or lora.version(ref.version)):
                return lora
        raise NotFound(f"no {ref}", hub=self.name)

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        return self.locate(ref)

    def locate(self, ref: Ref) -> Download:
        return HttpDownload(ref=ref, name="ink.safetensors", url=f"{self.address}/ink.safetensors")

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.hang is not None:
            self.hang.wait(60)
        if self.error is not None:
            raise self.error


@contextmanager
def services_on(home: Path, *hubs: Connector, hosted: bool = False, demo: bool = False) -> Iterator[Services]:
    """What the app is built of, with these hubs."""
    settings = replace(from_environment({"HUB_UI_HOME": str(home)}, hosted=hosted), demo=demo)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connectors, "build", lambda endpoints, tokens: hubs)
        with services.build(settings) as made:
            yield made


@contextmanager
def services_of(hubs: Origins, home: Path, **changed: Any) -> Iterator[Services]:
    """The same, on local hubs; `changed` are settings."""
    with services.build(replace(demo_settings(home, home / "loras", hubs), **changed)) as made:
        yield made


def lora(hub: HubName = "civitai", **fields: Any) -> Lora:
    """One version with one file; `fields` are the Lora's own."""
    ref = Ref(hub=hub, id=IDS[hub])
    given: dict[str, Any] = {
        "ref": ref,
        "title": "Ink lines",
        "url": f"https://hub.invalid/{ref.id}",
        "creator": "ada",
        "downloads": 1234,
        "versions": (version(ref.at(VERSIONS[hub])),),
        "claims": (
            Claim(field="base_model", value="sdxl", source="hub", where="baseModel"),
            Claim(field="architecture", value="sdxl", source="hub", where="baseModel"),
            Claim(field="trigger_words", value=("inkstyle",), source="hub", where="trainedWords"),
        ),
    }
    return Lora(**{**given, **fields})


def with_bytes(sha256: str, hub: HubName = "civitai") -> Lora:
    """Its one file has bytes that its hub names."""
    return lora(hub, versions=(version(Ref(hub=hub, id=IDS[hub], version=VERSIONS[hub]), sha256=sha256),))


def version(ref: Ref, /, name: str = "v1", **fields: Any) -> Version:
    """`fields` are those of its file."""
    file_id = {"civitai": "3001", "huggingface": "ink.safetensors", "replicate": None}[ref.hub]
    given: dict[str, Any] = {"ref": ref.at(ref.version, file_id), "name": "ink.safetensors", "size": 876_544}
    return Version(ref=ref, name=name, files=(WeightFile(**{**given, **fields}),))
