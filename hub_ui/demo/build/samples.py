"""`python -m hub_ui.demo.build.samples [DIR]` fills in what follows from a change to the samples, and names the files.

The samples are data that people edit: demo/data/samples, by default. What follows are sizes and hashes of files, sizes
and BlurHashes of images, what the Hugging Face Hub reads out of the newest commit, Replicate's latest version, and the
images of LoRAs that were trained anew.
"""

import hashlib
import json
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from PIL import Image

from connectors.claims.card import split_card
from hub_ui.demo.build.tensor_tables import header_bytes
from hub_ui.demo.hubs.folder import PACKAGE, SAMPLES, Content, DataFolder, HubFile, Json, Origins
from hub_ui.demo.hubs.huggingface_store import CARD, hub_tags

TRAINED_PICTURES = PACKAGE / "data" / "weights" / "pictures"
_NO_ORIGINS = Origins(huggingface="", civitai="", replicate="", delivery="")
_PICTURE = re.compile(r"/pictures/(?:original=true/)?([\w-]+\.webp)")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
# The number of terms in each direction that CivitAI uses.
_TERMS = 4
_SIDE = 32


def refresh(folder: Path = SAMPLES) -> list[str]:
    """Returns the names of the files that changed."""
    # Images come first, because BlurHashes follow from them.
    steps = (picture_files, civitai_files, huggingface_files, replicate_files)
    return [name for step in steps for name, data in step(folder) if _is_written(folder / name, data)]


def picture_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The images of trained LoRAs that a sample shows."""
    texts = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.json"))
    for name in sorted(set(_PICTURE.findall(texts))):
        if (TRAINED_PICTURES / name).is_file():
            yield f"pictures/{name}", (TRAINED_PICTURES / name).read_bytes()


def civitai_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    data = DataFolder(path=folder, origins=_NO_ORIGINS)
    for path in sorted(folder.glob("civitai_model_*.json")):
        model = read_json(path)
        for version in model["modelVersions"]:
            for file in version["files"]:
                file.update(file_values(file, data.hub_file(data.files["civitai"][str(file["id"])])))
            for image in version["images"]:
                image.update(picture_values(folder / "pictures" / str(image["url"]).rpartition("/")[2]))
        yield path.name, json_bytes(model)


# Files shorter than twice the offset have no AutoV1. Source: civitai/model-scanner, HashTask.cs.
_AUTO_V1_AT, _AUTO_V1_BYTES = 0x100000, 0x10000


def civitai_hashes(content: Content) -> dict[str, str]:
    """Upper-case hashes by CivitAI's names. Only safetensors files have AutoV3, the hash of their tensors alone."""
    data, start = content.read(0, content.size), len(header_bytes(content))
    v1 = data[_AUTO_V1_AT : _AUTO_V1_AT + _AUTO_V1_BYTES] if content.size >= 2 * _AUTO_V1_AT else b""
    found = {
        "AutoV1": hashlib.sha256(v1).hexdigest()[:8] if v1 else "",
        "AutoV2": content.sha256[:10],
        "SHA256": content.sha256,
        "CRC32": f"{zlib.crc32(data):08x}",
        "BLAKE3": blake3(data).hexdigest(),
        "AutoV3": hashlib.sha256(data[start:]).hexdigest()[:12] if start else "",
    }
    return {name: value.upper() for name, value in found.items() if value}


def file_values(file: Json, known: HubFile) -> Json:
    """CivitAI hashes no file that it has found a danger in."""
    is_safe = file["pickleScanResult"] == "Success"
    return {"sizeKB": known.content.size / 1024, "hashes": civitai_hashes(known.content) if is_safe else {}}


def picture_values(path: Path) -> Json:
    with Image.open(path) as picture:
        return {"width": picture.width, "height": picture.height, "hash": blurhash(picture)}


def huggingface_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The model object and the card of each repository, from its newest commit."""
    files = read_json(folder / "files.json")
    for path in sorted(folder.glob("hf_commits_*.json")):
        newest, stem = read_json(path)[0], path.stem.removeprefix("hf_commits_")
        card, names = split_card(newest["readme"])[0], sorted([CARD, *newest["files"]])
        model = read_json(folder / f"hf_model_{stem}.json")
        model.update(
            sha=newest["sha"],
            lastModified=newest["date"],
            tags=hub_tags(card, names),
            siblings=[{"rfilename": name} for name in names],
            cardData=card,
        )
        files["huggingface"][model["id"]] = newest["files"]
        yield f"hf_model_{stem}.json", json_bytes(model)
        yield f"hf_readme_{stem}.md", newest["readme"].encode()
    yield "files.json", json_bytes(files)


def replicate_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.glob("replicate_model_*.json")):
        model = read_json(path)
        if model["latest_version"]:
            version = read_json(folder / f"replicate_version_{model['latest_version']['id']}.json")
            model["latest_version"] = {name: value for name, value in version.items() if name != "model"}
        yield path.name, json_bytes(model)


def read_json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def json_bytes(data: Any) -> bytes:
    return (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode()


def _is_written(path: Path, data: bytes) -> bool:
    if path.is_file() and path.read_bytes() == data:
        return False
    path.write_bytes(data)
    return True


def blurhash(picture: Image.Image) -> str:
    """Of 36 characters, CivitAI's placeholder for an image. Source: woltapp/blurhash, Algorithm.md."""
    small = np.asarray(picture.convert("RGB").resize((_SIDE, _SIDE)), dtype=np.float64) / 255
    linear = np.where(small <= 0.04045, small / 12.92, ((small + 0.055) / 1.055) ** 2.4)
    waves = np.cos(np.pi * np.outer(np.arange(_TERMS), np.arange(_SIDE)) / _SIDE)
    terms = np.einsum("jy,ix,yxc->jic", waves, waves, linear).reshape(-1, 3) * 2 / _SIDE**2
    average, others = terms[0] / 2, terms[1:]
    strongest = int(np.clip(np.floor(np.abs(others).max() * 166 - 0.5), 0, 82))
    return (
        _base83(_TERMS - 1 + (_TERMS - 1) * 9, 1)
        + _base83(strongest, 1)
        + _base83(_mixed(_gamma(average), 256), 4)
        + "".join(_base83(_mixed(_steps(term, (strongest + 1) / 166), 19), 2) for term in others)
    )


def _gamma(linear: NDArray[np.float64]) -> NDArray[np.int64]:
    value = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.clip(linear, 0, 1) ** (1 / 2.4) - 0.055)
    return (np.clip(value, 0, 1) * 255 + 0.5).astype(np.int64)


def _steps(term: NDArray[np.float64], strongest: float) -> NDArray[np.int64]:
    """From -1 to 1 in 19 steps, finer near 0."""
    share = term / strongest
    return np.clip(np.floor(np.sign(share) * np.sqrt(np.abs(share)) * 9 + 9.5), 0, 18).astype(np.int64)


def _mixed(colour: NDArray[np.int64], base: int) -> int:
    red, green, blue = (int(part) for part in colour)
    return (red * base + green) * base + blue


def _base83(value: int, digits: int) -> str:
    return "".join(_DIGITS[value // 83**place % 83] for place in reversed(range(digits)))


if __name__ == "__main__":
    for changed in refresh(*map(Path, sys.argv[1:])):
        print(changed)
