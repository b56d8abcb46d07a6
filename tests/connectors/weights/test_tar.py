from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from typing import Any

import pytest

from connectors.errors import NotWeights
from connectors.weights.header import FileReader, read_header
from connectors.weights.tar import TarMember, is_tar

HEADER = b'{"w": {"dtype": "U8", "shape": [64], "data_offsets": [0, 64]}}'
LORA = len(HEADER).to_bytes(8, "little") + HEADER + b"\1" * 64
LONG = "a/" + "long/" * 60 + "lora.safetensors"


class Counted(FileReader):
    """A tar behind an address: what was read once is kept, and every read beyond it is a request."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._data = data
        self._pieces: list[range] = []

    def read(self, start: int, stop: int) -> bytes:
        if len(self.peek(start, stop)) < stop - start and start < len(self._data):
            self.requests += 1
            self._pieces.append(range(start, min(stop, len(self._data))))
            self.bytes_read += len(self._pieces[-1])
        return self._data[start:stop]

    def peek(self, start: int, stop: int) -> bytes:
        return next((self._data[start : min(stop, p.stop)] for p in self._pieces if start in p), b"")


def tar(members: Mapping[str, bytes], *, format: int = tarfile.USTAR_FORMAT, **fields: Any) -> bytes:
    """`fields` are set on every member (type, linkname...)."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=format) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


def changed(data: bytes, at: int, bytes_: bytes) -> bytes:
    """The tar with other bytes in its first header, and the checksum that fits them."""
    block = bytearray(data[:512])
    block[at : at + len(bytes_)] = bytes_
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + data[512:]


def test_one_request_brings_small_members_and_the_whole_header() -> None:
    source = Counted(tar({"config.yaml": b"x" * 300, "captions/0.txt": b"y", "out/lora.safetensors": LORA}))
    member = TarMember(source)
    assert read_header(member).tensors["w"].shape == (64,)
    assert (member.size, member.requests) == (len(LORA), 1)


def test_the_member_is_read_as_a_file_of_its_own() -> None:
    member = TarMember(Counted(tar({"a.txt": b"a", "lora.safetensors": LORA, "z.txt": b"z"})))
    assert member.read(0, 10_000) == LORA
    assert (member.read(70, 10_000), member.peek(8, 14), member.read(999, 1000)) == (LORA[70:], b'{"w": ', b"")


def test_a_big_member_before_it_is_skipped_unread() -> None:
    source = Counted(tar({"pictures.zip": b"p" * 3_000_000, "lora.safetensors": LORA}))
    assert read_header(TarMember(source)).tensors.keys() == {"w"}
    assert (source.requests, source.bytes_read < 200_000) == (2, True)


def test_a_header_that_reaches_past_the_first_read_is_asked_for_exactly() -> None:
    text = b'{"w": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}' + b" " * 200_000 + b"}"
    source = Counted(tar({"lora.safetensors": len(text).to_bytes(8, "little") + text}))
    assert read_header(TarMember(source)).tensors["w"].shape == (0,)
    assert source.requests == 2


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_of_gnu_and_pax_are_read(format: int) -> None:
    source = Counted(tar({LONG + ".txt": b"no", LONG: LORA}, format=format))
    assert TarMember(source).read(0, 10_000) == LORA


def test_a_size_in_a_pax_header_counts() -> None:
    members = {"lora.safetensors": LORA}
    source = Counted(tar(members, format=tarfile.PAX_FORMAT, pax_headers={"size": str(len(LORA)), "comment": "a=b"}))
    assert TarMember(source).size == len(LORA)


def test_resource_forks_of_a_mac_are_passed_over() -> None:
    source = Counted(tar({"out/._lora.safetensors": b"fork", "out/lora.safetensors": LORA}))
    assert TarMember(source).size == len(LORA)


@pytest.mark.parametrize("name", ["/etc/lora.safetensors", "../lora.safetensors", "a/../../lora.safetensors"])
def test_a_way_out_of_the_archive_is_refused(name: str) -> None:
    with pytest.raises(NotWeights, match="outside the archive"):
        TarMember(Counted(tar({name: LORA})))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_is_refused(kind: bytes) -> None:
    with pytest.raises(NotWeights, match="is a link"):
        TarMember(Counted(tar({"lora.safetensors": b""}, type=kind, linkname="/etc/passwd")))


def test_a_sparse_member_is_refused() -> None:
    said = {"GNU.sparse.major": "1", "GNU.sparse.name": "lora.safetensors"}
    with pytest.raises(NotWeights, match="is a link"):
        TarMember(Counted(tar({"x": LORA}, format=tarfile.PAX_FORMAT, pax_headers=said)))
    with pytest.raises(NotWeights, match="size can't be right"):
        TarMember(Counted(changed(tar({"lora.safetensors": LORA}), 156, b"S")))


def test_a_link_that_claims_a_size_has_no_bytes() -> None:
    link = changed(tar({"a": b""}, type=tarfile.SYMTYPE, linkname="b")[:512], 124, b"00000777777\0")
    assert TarMember(Counted(link + tar({"lora.safetensors": LORA}))).size == len(LORA)


@pytest.mark.parametrize("data", [b"", b"\0" * 1024, tar({}), tar({"a.txt": b"a", "b.ckpt": LORA})])
def test_no_safetensors_in_it_is_told(data: bytes) -> None:
    with pytest.raises(NotWeights, match="no safetensors"):
        TarMember(Counted(data))


@pytest.mark.parametrize("data", [b"\x1f\x8b" + b"z" * 600, b"<html>" * 200, tar({"a": b"a"})[:700], b"x" * 100])
def test_what_is_no_tar_or_breaks_off_is_told(data: bytes) -> None:
    with pytest.raises(NotWeights):
        TarMember(Counted(data))


def test_a_lora_that_is_cut_off_is_told() -> None:
    with pytest.raises(NotWeights, match="breaks off"):
        TarMember(Counted(tar({"lora.safetensors": LORA})[:600]))


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(NotWeights, match="size can't be right"):
        TarMember(Counted(changed(tar({"a": b""}), 124, b"\xff" * 12)))


def test_a_size_beyond_everything_leads_nowhere() -> None:
    with pytest.raises(NotWeights):
        TarMember(Counted(changed(tar({"a": b""}), 124, b"\x80" + b"\x7f" * 11)))


def test_a_long_name_of_a_gigabyte_is_not_read() -> None:
    huge = changed(tar({"a": b""}, type=tarfile.GNUTYPE_LONGNAME), 124, b"10000000000\0")
    source = Counted(huge + b"a" * 300_000)
    with pytest.raises(NotWeights, match="more room"):
        TarMember(source)
    assert source.bytes_read < 100_000


@pytest.mark.parametrize("record", [b"9999999 path=a\n", b"0 path=a\n", b"path=a\n", b"6 path\n", b"-5 a=b\n"])
def test_a_broken_pax_header_is_told(record: bytes) -> None:
    broken = tar({"x": record}, type=tarfile.XHDTYPE)
    with pytest.raises(NotWeights, match="broken"):
        TarMember(Counted(broken[:1024] + tar({"lora.safetensors": LORA})))


def test_a_thousand_members_are_enough() -> None:
    with pytest.raises(NotWeights, match="more than 1000"):
        TarMember(Counted(tar({f"{number}": b"" for number in range(1001)})))


def test_eight_hops_over_big_members_are_enough() -> None:
    source = Counted(tar({f"{number}.png": b"p" * 200_000 for number in range(30)}))
    with pytest.raises(NotWeights, match="too many other files"):
        TarMember(source)
    assert (source.requests, source.bytes_read < 900_000) == (8, True)


def test_a_tar_is_known_by_its_first_block() -> None:
    assert [is_tar(tar({"a": b""})), is_tar(LORA), is_tar(b""), is_tar(b"\0" * 257 + b"ustar" + b"\0" * 250)] == [
        True, False, False, False,
    ]  # fmt: skip
