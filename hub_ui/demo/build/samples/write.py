"""Writes demo/data/samples, the data folder of `hub-ui demo` (see demo/hubs)."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from hub_ui.demo.build.samples import civitai_wire, huggingface_wire, replicate_wire
from hub_ui.demo.build.samples.blurhash import blurhash, known_blurhashes
from hub_ui.demo.build.samples.cards import card, picture_paths
from hub_ui.demo.build.samples.catalogue import catalogue
from hub_ui.demo.build.samples.digests import known_digests, layout, recipe
from hub_ui.demo.build.samples.drawing.canvas import HEIGHT, WIDTH
from hub_ui.demo.build.samples.headers import fold_tensors, spec
from hub_ui.demo.build.samples.sample import Archive, Content, File, Hub, Json, Release, Sample, Trained, Weights
from hub_ui.demo.build.samples.trained import WEIGHTS, TrainedLora, trained_loras
from hub_ui.demo.hubs.content import Digest, InMemory, OnDisk, digest_of, zip_archive
from hub_ui.demo.hubs.folder import SAMPLES

DRAWN = SAMPLES / "pictures"
# The local hubs shift the sample dates from this day to the current day.
WRITTEN = date(2026, 9, 1)
# Lists every file written by this module.
LISTING = "samples.txt"
# This token gives access to everything that is gated or paid.
GRANTED_TOKEN = "demo-granted"


def write_samples(folder: Path = SAMPLES, *, weights: Path = WEIGHTS) -> None:
    """Also removes files of earlier versions. `weights` is the folder of the LoRAs for the tiny base model."""
    trained = trained_loras(weights)
    writer = _Writer(
        folder=folder,
        today=WRITTEN,
        weights=weights,
        trained=trained,
        samples=catalogue(trained),
        digests=known_digests(),
    )
    writer.pictures()
    writer.civitai()
    writer.huggingface()
    writer.replicate()
    writer.tensor_tables()
    writer.put_json("files.json", writer.files())
    writer.put_json("dates.json", {"written": WRITTEN.isoformat()})
    writer.put_json("deleted.json", {"ghosts": {hub: list(writer.ghosts(hub)) for hub in ("civitai", "huggingface")}})
    writer.put_json("access.json", {"grants": {GRANTED_TOKEN: list(writer.closed())}})
    _remove_left_overs(folder, writer.written)


@dataclass(frozen=True, kw_only=True)
class _Writer:
    folder: Path
    today: date
    weights: Path
    trained: Mapping[str, TrainedLora]
    samples: tuple[Sample, ...]
    digests: Mapping[str, Digest]
    written: set[str] = field(default_factory=set)

    def of(self, hub: Hub) -> Iterator[Sample]:
        return (sample for sample in self.samples if sample.hub == hub)

    def put(self, name: str, data: bytes) -> None:
        self.written.add(name)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def put_json(self, name: str, data: Any) -> None:
        self.put(name, (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode())

    def pictures(self) -> None:
        for name in self.drawn:
            self.put(f"pictures/{name}", self.picture_file(name).read_bytes())

    def picture_file(self, name: str) -> Path:
        """Drawn, or generated when a LoRA was trained."""
        made = self.weights / "pictures" / name
        return made if made.is_file() else DRAWN / name

    @cached_property
    def drawn(self) -> dict[str, civitai_wire.Drawn]:
        releases, known = _releases(self.samples), known_blurhashes()
        names = {picture.file for release in releases for picture in release.pictures}
        return {name: _drawn(self.picture_file(name), known.get(name)) for name in sorted(names)}

    def civitai(self) -> None:
        for sample in self.of("civitai"):
            files = [file for release in sample.releases for file in release.files]
            digests = {file.name: self.digest(file.content) for file in files}
            known = civitai_wire.Known(digests=digests, pictures=self.drawn, today=self.today)
            self.put_json(f"civitai_model_{sample.id}.json", civitai_wire.model_object(sample, known))

    def huggingface(self) -> None:
        for sample in self.of("huggingface"):
            stem = sample.name.replace("/", "__")
            self.put(f"hf_readme_{stem}.md", card(sample, sample.releases[0]).encode())
            self.put_json(f"hf_model_{stem}.json", huggingface_wire.model_object(sample, self.today))
            history = huggingface_wire.commits(sample, self.repository_files(sample), self.today)
            self.put_json(f"hf_commits_{stem}.json", history)

    def replicate(self) -> None:
        for sample in self.of("replicate"):
            stem = sample.name.replace("/", "__")
            self.put_json(f"replicate_model_{stem}.json", replicate_wire.model_object(sample, self.today))
            for version in replicate_wire.version_objects(sample, self.today):
                self.put_json(f"replicate_version_{version['id']}.json", version)
            if len(sample.releases) > 1:
                training = replicate_wire.training_object(sample, self.today)
                self.put_json(f"replicate_training_{training['id']}.json", training)

        for collection in replicate_wire.collection_objects(self.of("replicate")):
            self.put_json(f"replicate_collection_{collection['slug']}.json", collection)

    def files(self) -> Json:
        """All files with content, by hub and the hub's name for them."""
        return {
            "civitai": dict(self._civitai_files()),
            "huggingface": {sample.name: self._newest_files(sample) for sample in self.of("huggingface")},
            "replicate": dict(self._replicate_files()),
        }

    def repository_files(self, sample: Sample) -> dict[str, Json]:
        """Files of every commit, as huggingface_wire.at names them."""
        found: dict[str, Json] = {}
        for release in sample.releases:
            contents: dict[str, Json] = {".gitattributes": {"text": huggingface_wire.ATTRIBUTES}}
            contents |= {file.name: self.hub_file(file) for file in release.files}
            pictures = picture_paths(sample, release).items()
            contents |= {path: {"path": f"pictures/{picture.file}"} for path, picture in pictures}
            found |= {huggingface_wire.at(sample, release, path): file for path, file in contents.items()}
        return found

    def hub_file(self, file: File) -> Json:
        """As demo/hubs/folder.py reads it."""
        content = file.content
        if isinstance(content, Trained):
            data: Json = {"package": f"data/weights/loras/{content.name}.safetensors"}
        elif isinstance(content, Weights):
            data = {"safetensors": {**spec(content), "tensors": tensor_file(content)}}
        elif isinstance(content, Archive):
            data = {"zip": [f"pictures/{name}.webp" for name in content.pictures]}
        else:
            data = {"text": content.text}
        return {**data, "access": file.access} if file.access else data

    def digest(self, content: Content) -> Digest:
        if isinstance(content, Weights):
            return self.digests[recipe(content)]
        if isinstance(content, Trained):
            return digest_of(OnDisk(path=self.trained[content.name].path))
        if isinstance(content, Archive):
            return digest_of(zip_archive([DRAWN / f"{name}.webp" for name in content.pictures]))
        return digest_of(InMemory(data=content.text.encode()))

    def tensor_tables(self) -> None:
        """The tensors of generated files. Those that differ only in seed and metadata share a table."""
        tables: dict[str, str] = {}
        for release in _releases(self.samples):
            for file in release.files:
                if isinstance(file.content, Weights):
                    name = tensor_file(file.content)
                    text = _table_text(fold_tensors(spec(file.content)["tensors"]))
                    if tables.setdefault(name, text) != text:
                        raise ValueError(f"{name} names two different tables")
        for name, text in tables.items():
            self.put(name, text.encode())

    def ghosts(self, hub: Hub) -> Iterator[str]:
        return (str(sample.id or sample.name) for sample in self.of(hub) if sample.deleted)

    def closed(self) -> Iterator[str]:
        for sample in self.samples:
            files = [file for release in sample.releases for file in release.files]
            if any(file.access in ("gated", "paid") for file in files):
                yield str(sample.id or sample.name)

    def _civitai_files(self) -> Iterator[tuple[str, Json]]:
        for sample in self.of("civitai"):
            for index, release in enumerate(sample.releases):
                for number, file in enumerate(release.files):
                    yield str(civitai_wire.file_number(sample, index, number)), self.hub_file(file)

    def _newest_files(self, sample: Sample) -> Json:
        files, newest = self.repository_files(sample), sample.releases[0]
        names = huggingface_wire.paths(sample, newest)
        return {path: files[huggingface_wire.at(sample, newest, path)] for path in names}

    def _replicate_files(self) -> Iterator[tuple[str, Json]]:
        for sample in self.of("replicate"):
            for release in sample.releases:
                for file in release.files:
                    yield f"{sample.name}:{replicate_wire.version_id(sample, release)}", self.hub_file(file)


def _remove_left_overs(folder: Path, written: set[str]) -> None:
    """Removes only files of the previous listing, because users may keep other files in the folder."""
    listing = folder / LISTING
    before = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    for name in set(before) - written:
        (folder / name).unlink(missing_ok=True)
    listing.write_text("".join(f"{name}\n" for name in sorted(written)), encoding="utf-8")


def tensor_file(weights: Weights) -> str:
    return f"tensors/{re.sub(r'[^A-Za-z0-9.]+', '-', layout(weights))}.json"


def _table_text(blocks: Iterable[Json]) -> str:
    parts = []
    for block in blocks:
        repeat = f'"repeat": {json.dumps(block["repeat"])}, ' if "repeat" in block else ""
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in block["tensors"].items())
        parts.append(f'{{{repeat}"tensors": {{\n{lines}\n}}}}')
    return "[" + ",\n".join(parts) + "]\n"


def _releases(samples: Iterable[Sample]) -> Iterator[Release]:
    return (release for sample in samples for release in sample.releases)


def _drawn(path: Path, known: str | None) -> civitai_wire.Drawn:
    if known is not None:
        return civitai_wire.Drawn(width=WIDTH, height=HEIGHT, blurhash=known)
    with Image.open(path) as picture:
        return civitai_wire.Drawn(width=picture.width, height=picture.height, blurhash=blurhash(picture))
