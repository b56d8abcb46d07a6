import io
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from connectors.errors import NotWeights
from connectors.weights.header import FileReader, read_header
from connectors.weights.tar import TarMember, is_tar, only_safetensors

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


def ranged(data: bytes) -> bytes:
    """The LoRA of a tar that is read in parts."""
    return TarMember(Counted(data)).read(0, 10_000)


def streamed(data: bytes) -> bytes:
    """The LoRA of a tar that is read from the front."""
    return b"".join(only_safetensors(data[at : at + 7000] for at in range(0, len(data), 7000)))


both = pytest.mark.parametrize("taken", [ranged, streamed])
LINK = changed(tar({"a": b""}, type=tarfile.SYMTYPE, linkname="b")[:512], 124, b"00000777777\0")
# pax: a size and a comment; its sparse files.
SIZED = {"size": str(len(LORA)), "comment": "a=b"}
SPARSE = {"GNU.sparse.major": "1", "GNU.sparse.name": "lora.safetensors"}


@both
@pytest.mark.parametrize(
    "data",
    [
        tar({"a/config.yaml": b"x", "a/lora.safetensors": LORA, "a/0.txt": b"TOK"}),
        tar({LONG + ".txt": b"no", LONG: LORA}, format=tarfile.GNU_FORMAT),
        tar({LONG + ".txt": b"no", LONG: LORA}, format=tarfile.PAX_FORMAT),
        tar({"lora.safetensors": LORA}, format=tarfile.PAX_FORMAT, pax_headers=SIZED),
        tar({"out/._lora.safetensors": b"fork", "out/lora.safetensors": LORA}),
        # It has no bytes, whatever size it claims.
        LINK + tar({"lora.safetensors": LORA}),
    ],
    ids=["beside others", "a long name of GNU", "a long name of pax", "a size of pax", "a fork of a Mac", "a link"],
)
def test_the_only_lora_is_taken(taken: Callable[[bytes], bytes], data: bytes) -> None:
    assert taken(data) == LORA


@both
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (tar({"/etc/lora.safetensors": LORA}), "outside the archive"),
        (tar({"../lora.safetensors": LORA}), "outside the archive"),
        (tar({"a/../../lora.safetensors": LORA}), "outside the archive"),
        (tar({"lora.safetensors": b""}, type=tarfile.SYMTYPE, linkname="/etc/passwd"), "is a link"),
        (tar({"lora.safetensors": b""}, type=tarfile.LNKTYPE, linkname="/etc/passwd"), "is a link"),
        (tar({"lora.safetensors": b""}, type=tarfile.CHRTYPE), "is a link"),
        (tar({"lora.safetensors": b""}, type=tarfile.FIFOTYPE), "is a link"),
        (tar({"x": LORA}, format=tarfile.PAX_FORMAT, pax_headers=SPARSE), "is a link"),
        (changed(tar({"lora.safetensors": LORA}), 156, b"S"), "size can't be right"),
        (changed(tar({"a": b""}), 124, b"\xff" * 12), "size can't be right"),
        (changed(tar({"a": b""}), 124, b"\x80" + b"\x7f" * 11), "no safetensors"),
        (b"", "no safetensors"),
        (b"\0" * 1024, "no safetensors"),
        (tar({}), "no safetensors"),
        (tar({"a.txt": b"a", "b.ckpt": LORA}), "no safetensors"),
        (b"\x1f\x8b" + b"z" * 600, "not a readable tar"),
        (b"<html>" * 400, "not a readable tar"),
        (b"x" * 100, "not a readable tar"),
        (tar({"a": b"a"})[:700], "no safetensors"),
        (tar({"lora.safetensors": LORA})[:600], "breaks off"),
        *(
            (tar({"x": record}, type=tarfile.XHDTYPE)[:1024] + tar({"lora.safetensors": LORA}), "broken")
            for record in (b"9999999 path=a\n", b"0 path=a\n", b"path=a\n", b"6 path\n", b"-5 a=b\n")
        ),
    ],
)
def test_other_archives_are_refused(taken: Callable[[bytes], bytes], data: bytes, why: str) -> None:
    with pytest.raises(NotWeights, match=why):
        taken(data)


def test_of_several_none_is_taken_as_it_streams() -> None:
    with pytest.raises(NotWeights, match="several"):
        streamed(tar({"a.safetensors": LORA, "b.safetensors": LORA}))


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kilobytes", [60, 200, 15_000])
def test_a_long_pax_header_holds_nobody_up(kilobytes: int) -> None:
    # What older tarfiles take minutes for: digits that may end a record anywhere.
    hostile = tar({"pax": b"1" * (kilobytes * 1024)}, type=tarfile.XHDTYPE)[: 512 + kilobytes * 1024]
    with pytest.raises(NotWeights):
        streamed(hostile + tar({"a.safetensors": LORA}))


def test_a_header_that_claims_gigabytes_is_stopped() -> None:
    bomb = tarfile.TarInfo("x")
    bomb.type, bomb.size = tarfile.XHDTYPE, 1 << 32
    endless = iter([bomb.tobuf(), *[b"0" * 1_000_000] * 40])
    with pytest.raises(NotWeights, match="more room"):
        list(only_safetensors(endless))


def test_one_request_brings_small_members_and_the_whole_header() -> None:
    source = Counted(tar({"config.yaml": b"x" * 300, "captions/0.txt": b"y", "out/lora.safetensors": LORA}))
    member = TarMember(source)
    assert read_header(member).tensors["w"].shape == (64,)
    assert (member.size, source.requests) == (len(LORA), 1)


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


def test_a_long_name_of_a_gigabyte_is_not_read() -> None:
    huge = changed(tar({"a": b""}, type=tarfile.GNUTYPE_LONGNAME), 124, b"10000000000\0")
    source = Counted(huge + b"a" * 300_000)
    with pytest.raises(NotWeights, match="more room"):
        TarMember(source)
    assert source.bytes_read < 100_000


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
