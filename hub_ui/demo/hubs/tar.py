"""A tar as Replicate's FLUX trainer leaves it, put together without being written anywhere."""

import tarfile
from collections.abc import Mapping

from hub_ui.demo.hubs.content import Content, InMemory, Joined

LORA_MEMBER = "output/flux_train_replicate/lora.safetensors"
_BESIDE_IT = {
    "output/flux_train_replicate/config.yaml": b"job: extension\nconfig:\n  name: flux_train_replicate\n",
    "output/flux_train_replicate/captions/0.txt": b"a photo in the style of TOK\n",
}


def model_tar(lora: Content) -> Content:
    return tar_of({**{name: InMemory(data=data) for name, data in _BESIDE_IT.items()}, LORA_MEMBER: lora})


def tar_of(members: Mapping[str, Content]) -> Content:
    parts: list[Content] = []
    for name, content in members.items():
        parts += [_header(name, content.size), content, InMemory(data=b"\0" * (-content.size % tarfile.BLOCKSIZE))]
    end = sum(part.size for part in parts) + 2 * tarfile.BLOCKSIZE
    parts.append(InMemory(data=b"\0" * (2 * tarfile.BLOCKSIZE + -end % tarfile.RECORDSIZE)))
    return Joined(parts=tuple(parts))


def _header(name: str, size: int) -> Content:
    info = tarfile.TarInfo(name)
    info.size = size
    return InMemory(data=info.tobuf(format=tarfile.USTAR_FORMAT))
