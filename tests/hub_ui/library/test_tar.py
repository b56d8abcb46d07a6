from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest

from connectors.errors import NotWeights
from hub_ui.library.tar import only_safetensors
from tests.hub_ui.library.building import tar, weights

FILE = weights()


def in_pieces(data: bytes, size: int = 7000) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def taken(data: bytes) -> bytes:
    return b"".join(only_safetensors(in_pieces(data)))


def test_the_only_lora_is_taken_whatever_lies_beside_it() -> None:
    assert taken(tar({"a/config.yaml": b"x", "a/lora.safetensors": FILE, "a/0.txt": b"TOK"})) == FILE


def test_a_large_member_comes_whole() -> None:
    large = weights(3_000_000)
    assert taken(tar({"lora.safetensors": large})) == large


def test_a_resource_fork_of_macos_is_passed_over() -> None:
    assert taken(tar({"._lora.safetensors": b"fork", "lora.safetensors": FILE})) == FILE


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kilobytes", [60, 200, 15_000])
def test_a_long_pax_header_holds_nobody_up(kilobytes: int) -> None:
    # What older tarfiles take minutes for: digits that may end a record anywhere.
    hostile = b"1" * (kilobytes * 1024)
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, len(hostile)
    with pytest.raises(NotWeights):
        taken(header.tobuf() + hostile + bytes(-len(hostile) % 512) + tar({"a.safetensors": FILE}))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (tar({"a.txt": b"x"}), "no safetensors"),
        (tar({"a.safetensors": FILE, "b.safetensors": FILE}), "several"),
        (tar({"../a.safetensors": FILE}), "outside"),
        (tar({"/etc/a.safetensors": FILE}), "outside"),
        (tar({"a.safetensors": b""}, type=tarfile.SYMTYPE, linkname="/etc/passwd"), "link"),
        (tar({"a.safetensors": b""}, type=tarfile.LNKTYPE, linkname="b"), "link"),
        (tar({"a.safetensors": b""}, type=tarfile.FIFOTYPE), "link"),
        (tar({"a.safetensors": FILE * 9})[:900], "not a readable tar|breaks off"),
        (b"<html>" * 400, "not a readable tar"),
        (b"", "no safetensors"),
    ],
)
def test_other_archives_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(NotWeights, match=why):
        taken(data)


def test_a_compressed_archive_is_not_unpacked() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.safetensors"))
    with pytest.raises(NotWeights, match="not a readable tar"):
        taken(packed.getvalue())


def test_a_header_that_claims_gigabytes_is_stopped() -> None:
    bomb = tarfile.TarInfo("x")
    bomb.type, bomb.size = tarfile.XHDTYPE, 1 << 32
    endless = iter([bomb.tobuf(), *[b"0" * 1_000_000] * 40])
    with pytest.raises(NotWeights, match="more room"):
        list(only_safetensors(endless))
