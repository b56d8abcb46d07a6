from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors import errors
from connectors.connector import HttpDownload
from connectors.errors import NotWeights
from connectors.http.adapter import RetryPolicy
from connectors.weights.tar import only_safetensors
from hub_ui.library.download.http import DownloadOptions, fetch
from hub_ui.library.download.progress import Meter, Progress
from tests.connectors.weights.test_tar import tar
from tests.hub_ui.library.building import QUICK, a_part, download, sha256, weights
from tests.hub_ui.library.serving import Answer, Host, Ranged

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


# Longer than what is read to find it, so that its own requests show.
TAR_FILE = weights(400_000, b"\x07")
PICTURES = b"picture" * 100_000
TAR = tar({"captions/0.txt": b"TOK", "pictures.zip": PICTURES, "out/lora.safetensors": TAR_FILE, "config.yaml": b"x"})
AT = TAR.index(TAR_FILE)


@pytest.fixture
def packed(hub: Host) -> HttpDownload:
    hub.answers["/tar"] = Ranged(body=TAR)
    return download(hub.url + "/tar", in_tar=True)


def test_only_the_loras_own_bytes_are_fetched(hub: Host, tmp_path: Path, packed: HttpDownload) -> None:
    seen: list[Progress] = []
    got = fetch(packed, a_part(tmp_path), Meter(on_progress=seen.append), options=QUICK)
    assert (got.size, got.sha256) == (len(TAR_FILE), sha256(TAR_FILE))
    asked = [seen.headers["Range"] for seen in hub.seen]
    assert asked[-1] == f"bytes={AT}-{AT + len(TAR_FILE) - 1}"
    assert seen[0].total == len(TAR_FILE)


def test_a_cut_is_gone_on_from_inside_the_tar(hub: Host, tmp_path: Path, packed: HttpDownload) -> None:
    hub.answers["/tar"] = Ranged(body=TAR, cut=150_000)
    assert fetch(packed, a_part(tmp_path), Meter(), options=QUICK).sha256 == sha256(TAR_FILE)
    assert hub.seen[-1].headers["Range"] == f"bytes={AT + 300_000}-{AT + len(TAR_FILE) - 1}"


def test_another_process_does_not_look_for_it_again(hub: Host, tmp_path: Path, packed: HttpDownload) -> None:
    hub.answers["/tar"] = Ranged(body=TAR, cut=150_000)
    part = a_part(tmp_path)
    with pytest.raises(errors.HubDown):
        fetch(packed, part, Meter(), options=DownloadOptions(retry=RetryPolicy(tries=1)))
    part.close()
    hub.seen.clear()
    hub.answers["/tar"] = Ranged(body=TAR)
    assert fetch(packed, a_part(tmp_path), Meter(), options=QUICK).sha256 == sha256(TAR_FILE)
    assert [seen.headers["Range"] for seen in hub.seen] == [f"bytes={AT + 150_000}-{AT + len(TAR_FILE) - 1}"]


def test_another_tar_is_taken_from_the_front(hub: Host, tmp_path: Path, packed: HttpDownload) -> None:
    hub.answers["/tar"] = Ranged(body=TAR, cut=150_000)
    part = a_part(tmp_path)
    with pytest.raises(errors.HubDown):
        fetch(packed, part, Meter(), options=DownloadOptions(retry=RetryPolicy(tries=1)))
    part.close()
    other = weights(300_000, b"\x08")
    hub.answers["/tar"] = Ranged(body=tar({"lora.safetensors": other}), etag='"two"')
    assert fetch(packed, a_part(tmp_path), Meter(), options=QUICK).sha256 == sha256(other)


def test_where_the_server_has_no_ranges_it_is_taken_out_while_the_tar_streams(
    hub: Host, tmp_path: Path, packed: HttpDownload
) -> None:
    hub.answers["/tar"] = Answer(body=TAR)
    part = a_part(tmp_path)
    assert fetch(packed, part, Meter(), options=QUICK).sha256 == sha256(TAR_FILE)
    assert part.path.read_bytes() == TAR_FILE


def test_a_cut_stream_begins_again(hub: Host, tmp_path: Path, packed: HttpDownload) -> None:
    hub.answers["/tar"] = lambda count: Answer(body=TAR, cut=800_000 if count < 4 else None)
    assert fetch(packed, a_part(tmp_path), Meter(), options=QUICK).sha256 == sha256(TAR_FILE)


def test_a_cut_while_it_is_looked_for_is_tried_again(hub: Host, tmp_path: Path, packed: HttpDownload) -> None:
    hub.answers["/tar"] = Ranged(body=TAR, cut=10, cuts=1)
    assert fetch(packed, a_part(tmp_path), Meter(), options=QUICK).sha256 == sha256(TAR_FILE)
