from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest

from connectors import errors
from connectors.connector import HttpDownload
from hub_ui.library.disk import Fetched
from hub_ui.library.download.http import fetch
from hub_ui.library.download.partial_file import PartialFile
from hub_ui.library.download.progress import Meter
from tests.connectors.weights.test_tar import tar
from tests.hub_ui.library.building import QUICK, a_part, download, sha256, weights
from tests.hub_ui.library.serving import Answer, Host, redirect, refused

FILE = weights()


@pytest.fixture
def part(tmp_path: Path) -> PartialFile:
    return a_part(tmp_path)


def fetched(asked: HttpDownload, part: PartialFile) -> Fetched:
    return fetch(asked, part, Meter(), options=QUICK)


def test_bytes_arrive_with_their_hash(hub: Host, part: PartialFile) -> None:
    hub.answers["/file"] = Answer(body=FILE)
    got = fetched(download(hub.url + "/file", size=len(FILE), sha256=sha256(FILE)), part)
    assert got == Fetched(size=len(FILE), sha256=sha256(FILE))
    assert part.path.read_bytes() == FILE


def test_a_hash_in_upper_case_is_the_same_hash(hub: Host, part: PartialFile) -> None:
    hub.answers["/file"] = Answer(body=FILE)
    fetched(download(hub.url + "/file", sha256=sha256(FILE).upper()), part)


def test_no_login_from_netrc_is_added(
    hub: Host, delivery: Host, part: PartialFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    hub.answers["/file"] = redirect(delivery.url + "/signed")
    delivery.answers["/signed"] = Answer(body=FILE)
    fetched(download(hub.url + "/file"), part)
    assert "Authorization" not in {**hub.seen[0].headers, **delivery.seen[0].headers}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, '{"error":"Unauthorized","message":"The creator requires you to be logged in"}', errors.KeyRequired),
        (401, '{"message":"The creator of this asset has disabled downloads on this file"}', errors.DownloadsDisabled),
        (403, '{"error":"Early Access","message":"This asset is in Early Access."}', errors.Paid),
        (403, '{"error":"You do not have access to download this file"}', errors.Paid),
        (403, "Forbidden", errors.KeyRequired),
        (404, '{"error":"File not found"}', errors.NotFound),
        (410, "{}", errors.NotFound),
        (429, '{"error":"unusual amount of downloading"}', errors.RateLimited),
        (451, "", errors.RegionBlocked),
        (400, "", errors.BadAnswer),
    ],
)
def test_each_refusal_has_its_name(
    hub: Host, part: PartialFile, status: int, body: str, error: type[errors.HubUiError]
) -> None:
    hub.answers["/file"] = refused(status, body)
    with pytest.raises(error) as raised:
        fetched(download(hub.url + "/file"), part)
    assert type(raised.value) is error
    assert raised.value.hub == "civitai"
    assert part.bytes_done == 0


def test_a_rate_limit_says_how_long(hub: Host, part: PartialFile) -> None:
    hub.answers["/file"] = Answer(status=429, headers={"Retry-After": "7"})
    with pytest.raises(errors.RateLimited, match="in 7 seconds") as raised:
        fetched(download(hub.url + "/file"), part)
    assert raised.value.retry_after == 7.0


def test_a_fault_of_the_hub_is_tried_again(hub: Host, part: PartialFile) -> None:
    hub.answers["/file"] = lambda count: Answer(status=503) if count == 1 else Answer(body=FILE)
    fetched(download(hub.url + "/file"), part)


def test_a_login_page_after_a_redirect_wants_a_key(hub: Host, part: PartialFile) -> None:
    hub.answers["/file"] = redirect(hub.url + "/login?reason=download-auth")
    hub.answers["/login"] = Answer(body=b"<html>", headers={"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(errors.KeyRequired):
        fetched(download(hub.url + "/file"), part)


def test_a_web_page_at_the_address_itself_is_not_weights(hub: Host, part: PartialFile) -> None:
    hub.answers["/file"] = Answer(body=b"<html>Just a moment", headers={"Content-Type": "text/html"})
    with pytest.raises(errors.NotWeights, match="web page"):
        fetched(download(hub.url + "/file"), part)


def test_a_web_page_of_the_host_it_leads_to_asks_for_no_key(hub: Host, part: PartialFile) -> None:
    hub.answers["/file"] = redirect(hub.url + "/cdn")
    hub.answers["/cdn"] = Answer(body=b"<html>Just a moment", headers={"Content-Type": "text/html"})
    with pytest.raises(errors.NotWeights, match="web page"):
        fetched(download(hub.url + "/file"), part)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"<!DOCTYPE html><html>", "a web page"),
        (b'{"error": "no"}', "a JSON text"),
        (b"PK\x03\x04" + b"0" * 40, "PyTorch pickle"),
        (b"\x80\x02}q\x00(X\x05", "Python pickle"),
        (b"", "an empty file"),
        (weights()[:8], "something else"),
    ],
)
def test_other_files_are_named_and_refused(hub: Host, part: PartialFile, body: bytes, what: str) -> None:
    hub.answers["/file"] = Answer(body=body)
    with pytest.raises(errors.NotWeights, match=what):
        fetched(download(hub.url + "/file"), part)


def test_wrong_bytes_are_refused(hub: Host, part: PartialFile) -> None:
    hub.answers["/file"] = Answer(body=weights(fill=b"\x02"))
    with pytest.raises(errors.WrongHash):
        fetched(download(hub.url + "/file", sha256=sha256(FILE)), part)


def test_a_wrong_size_is_refused_where_there_is_no_hash(hub: Host, part: PartialFile) -> None:
    hub.answers["/file"] = Answer(body=FILE)
    with pytest.raises(errors.WrongHash, match="65 were promised"):
        fetched(download(hub.url + "/file", size=65), part)


def test_a_rounded_size_is_forgiven_where_the_hash_is_right(hub: Host, part: PartialFile) -> None:
    hub.answers["/file"] = Answer(body=FILE)
    fetched(download(hub.url + "/file", size=len(FILE) + 512, sha256=sha256(FILE)), part)


def test_a_body_that_does_not_end_is_stopped(hub: Host, part: PartialFile) -> None:
    hub.answers["/file"] = Answer(body=weights(3_000_000))
    with pytest.raises(errors.WrongHash, match="More bytes"):
        fetched(download(hub.url + "/file", size=100), part)


def test_a_cut_connection_is_told(hub: Host, part: PartialFile) -> None:
    hub.answers["/file"] = Answer(body=weights(100_000), cut=50_000)
    with pytest.raises(errors.HubDown, match="broke off"):
        fetched(download(hub.url + "/file"), part)


def test_a_cut_without_a_length_shows_in_the_header(hub: Host, part: PartialFile) -> None:
    hub.answers["/file"] = Answer(body=FILE, cut=len(FILE) - 4, length=False)
    with pytest.raises(errors.NotWeights, match="describes"):
        fetched(download(hub.url + "/file"), part)


def test_a_full_disk_is_told_before_the_first_byte(
    hub: Host, part: PartialFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10, 10, 9_500_000))
    hub.answers["/file"] = Answer(body=FILE)
    with pytest.raises(errors.HubUiError, match="Make room") as told:
        fetched(download(hub.url + "/file"), part)
    assert part.bytes_done == 0
    # That 0 MB don't fit into 0 MB would tell nobody what is wrong.
    assert told.value.message.endswith(
        "and 67.1 MB should stay free where the library is, but only 9.5 MB are free there. Make room, or choose "
        "another folder with --library."
    )
    assert "takes 0 MB" not in told.value.message


def test_the_lora_inside_a_tar_is_taken_out(hub: Host, part: PartialFile) -> None:
    hub.answers["/tar"] = Answer(body=tar({"output/config.yaml": b"job", "output/lora.safetensors": FILE}))
    got = fetched(download(hub.url + "/tar", in_tar=True), part)
    assert got.sha256 == sha256(FILE)
    assert part.path.read_bytes() == FILE
