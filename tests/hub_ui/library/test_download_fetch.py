import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from connectors import errors
from connectors.connector import HttpDownload
from connectors.errors import HubDown
from connectors.http.adapter import Attempts, RetryPolicy
from hub_ui.library.disk import Fetched
from hub_ui.library.download import fetch
from hub_ui.library.partial_file import Meter, PartialFile, Progress
from tests.connectors.serving import Answer, Hub, Ranged, in_turn, redirect
from tests.connectors.weights.test_tar import tar
from tests.hub_ui.library.building import ONE_TRY, QUICK, a_part, download, sha256, weights

FILE = weights()


@pytest.fixture
def part(tmp_path: Path) -> PartialFile:
    return a_part(tmp_path)


def fetched(asked: HttpDownload, part: PartialFile) -> Fetched:
    return fetch(asked, part, Meter(), options=QUICK)


def test_a_web_page_of_the_host_it_leads_to_asks_for_no_key(hub: Hub, part: PartialFile) -> None:
    hub.answers["/file"] = redirect(hub.url + "/cdn")
    hub.answers["/cdn"] = Answer(body=b"<html>Just a moment", headers={"Content-Type": "text/html"})
    with pytest.raises(errors.NotWeights, match="web page"):
        fetched(download(hub.url + "/file"), part)


@pytest.mark.parametrize(
    ("answer", "promised", "error", "said"),
    [
        (Answer(body=b"<!DOCTYPE html><html>"), {}, errors.NotWeights, "a web page"),
        (Answer(body=b""), {}, errors.NotWeights, "an empty file"),
        (Answer(body=weights()[:8]), {}, errors.NotWeights, "another kind of file"),
        # A cut without a length shows in the header.
        (Answer(body=FILE, cut=len(FILE) - 4, length=False), {}, errors.NotWeights, "describes"),
        (Answer(body=FILE), {"size": 65}, errors.WrongHash, "65 were promised"),
        # One that does not end is stopped.
        (Answer(body=weights(3_000_000)), {"size": 100}, errors.WrongHash, "More bytes"),
    ],
)
def test_what_is_no_whole_weight_file_is_refused_with_the_reason(
    hub: Hub, part: PartialFile, answer: Answer, promised: dict[str, int], error: type[Exception], said: str
) -> None:
    hub.answers["/file"] = answer
    with pytest.raises(error, match=said):
        fetched(download(hub.url + "/file", **promised), part)


def test_a_rounded_size_is_forgiven_where_the_hash_is_right_also_in_upper_case(hub: Hub, part: PartialFile) -> None:
    hub.answers["/file"] = Answer(body=FILE)
    fetched(download(hub.url + "/file", size=len(FILE) + 512, sha256=sha256(FILE).upper()), part)


def test_a_full_disk_is_told_before_any_byte(hub: Hub, part: PartialFile, monkeypatch: pytest.MonkeyPatch) -> None:
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


# Longer than what is read to find it, so that its own requests show.
TAR_FILE = weights(400_000, b"\x07")
PICTURES = b"picture" * 100_000
TAR = tar({"captions/0.txt": b"TOK", "pictures.zip": PICTURES, "out/lora.safetensors": TAR_FILE, "config.yaml": b"x"})
AT = TAR.index(TAR_FILE)


@pytest.fixture
def packed(hub: Hub) -> HttpDownload:
    hub.answers["/tar"] = Ranged(body=TAR)
    return download(hub.url + "/tar", in_tar=True)


def test_only_the_loras_own_bytes_are_fetched(hub: Hub, tmp_path: Path, packed: HttpDownload) -> None:
    seen: list[Progress] = []
    got = fetch(packed, a_part(tmp_path), Meter(on_progress=seen.append), options=QUICK)
    assert (got.size, got.sha256) == (len(TAR_FILE), sha256(TAR_FILE))
    asked = [asked.headers["Range"] for asked in hub.asked]
    assert asked[-1] == f"bytes={AT}-{AT + len(TAR_FILE) - 1}"
    assert seen[0].total == len(TAR_FILE)


def test_a_cut_is_gone_on_from_inside_the_tar(hub: Hub, tmp_path: Path, packed: HttpDownload) -> None:
    hub.answers["/tar"] = Ranged(body=TAR, cut=150_000)
    assert fetch(packed, a_part(tmp_path), Meter(), options=QUICK).sha256 == sha256(TAR_FILE)
    assert hub.asked[-1].headers["Range"] == f"bytes={AT + 300_000}-{AT + len(TAR_FILE) - 1}"


def test_another_process_does_not_look_for_it_again_and_takes_another_tar_from_the_front(
    hub: Hub, tmp_path: Path, packed: HttpDownload
) -> None:
    hub.answers["/tar"] = Ranged(body=TAR, cut=150_000)
    part = a_part(tmp_path)
    with pytest.raises(errors.HubDown):
        fetch(packed, part, Meter(), options=ONE_TRY)
    part.close()
    left = shutil.copytree(tmp_path, tmp_path / "another")
    hub.asked.clear()
    hub.answers["/tar"] = Ranged(body=TAR)
    assert fetch(packed, a_part(tmp_path), Meter(), options=QUICK).sha256 == sha256(TAR_FILE)
    assert [asked.headers["Range"] for asked in hub.asked] == [f"bytes={AT + 150_000}-{AT + len(TAR_FILE) - 1}"]
    other = weights(300_000, b"\x08")
    hub.answers["/tar"] = Ranged(body=tar({"lora.safetensors": other}), etag='"two"')
    assert fetch(packed, a_part(left), Meter(), options=QUICK).sha256 == sha256(other)


def test_where_the_server_has_no_ranges_it_is_taken_out_while_the_tar_streams(
    hub: Hub, tmp_path: Path, packed: HttpDownload
) -> None:
    hub.answers["/tar"] = Answer(body=TAR)
    part = a_part(tmp_path)
    assert fetch(packed, part, Meter(), options=QUICK).sha256 == sha256(TAR_FILE)
    assert part.path.read_bytes() == TAR_FILE


def test_a_cut_stream_begins_again(hub: Hub, tmp_path: Path, packed: HttpDownload) -> None:
    hub.answers["/tar"] = in_turn(*[Answer(body=TAR, cut=800_000)] * 3, Answer(body=TAR))
    assert fetch(packed, a_part(tmp_path), Meter(), options=QUICK).sha256 == sha256(TAR_FILE)


def test_a_cut_while_it_is_looked_for_is_tried_again(hub: Hub, tmp_path: Path, packed: HttpDownload) -> None:
    hub.answers["/tar"] = Ranged(body=TAR, cut=10, cuts=1)
    assert fetch(packed, a_part(tmp_path), Meter(), options=QUICK).sha256 == sha256(TAR_FILE)


DOWN = HubDown("The connection broke off in the middle.")


def tries(done: list[int], **fields: Any) -> int:
    """After how many failures it gives up, where the bytes come so far."""
    attempts = Attempts(RetryPolicy(first=0.0, **fields), lambda: None)
    for tried, came in enumerate(done, 1):
        try:
            attempts.wait(DOWN, came)
        except HubDown:
            return tried
    return 0


@pytest.mark.parametrize(
    ("done", "fields", "given_up"),
    [
        ([7] * 100, {"tries": 3}, 3),
        (list(range(40)), {"tries": 3}, 0),
        (list(range(9, 10_000, 9)), {"most": 50}, 50),
        (list(range(1000, 200_000, 1000)), {"most": 50, "worth": 1000}, 0),
        (list(range(999, 199_800, 999)), {"most": 50, "worth": 1000}, 50),
    ],
    ids=["no progress", "a byte a time", "nine bytes for ever", "a long file on a bad line", "too little a time"],
)
def test_a_download_is_given_up_where_too_little_comes(done: list[int], fields: dict[str, Any], given_up: int) -> None:
    assert tries(done, **fields) == given_up
