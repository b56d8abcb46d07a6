import logging
import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import httpx2
import pytest
from filelock import FileLock
from huggingface_hub import HfApi, hf_hub_download

from connectors import errors
from connectors.connector import HubDownload, over_http
from connectors.http.retry import RetryPolicy
from connectors.ref import Ref
from hub_ui.base.disk import hash_of
from hub_ui.library.download.partial_file import Meter, Progress, PullCancelled
from hub_ui.library.download.transfer import fetch_from_hub as fetch
from hub_ui.library.library import Library
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.building import QUICK, pull_file, record


@pytest.fixture
def hubs(running: HubEndpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubEndpoints]:
    """The hubs, and an empty cache for this test alone."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    yield running
    running.faults.clear()


def of(hubs: HubEndpoints, repo: str = "maker/red") -> HubDownload:
    info = HfApi(endpoint=hubs.huggingface, token=False).model_info(repo, files_metadata=True)
    file = next(sibling for sibling in info.siblings or [] if sibling.rfilename == "lora.safetensors")
    assert info.sha is not None
    return HubDownload(
        ref=Ref(hub="huggingface", id=repo, version=info.sha, file="lora.safetensors"),
        endpoint=hubs.huggingface,
        size=file.size,
        sha256=file.lfs.sha256 if file.lfs else None,
    )


def test_a_file_comes_through_the_cache_and_is_one_with_it(hubs: HubEndpoints, library: Library) -> None:
    seen: list[Progress] = []
    asked = of(hubs)
    got = pull_file(library, asked, record(title="red", ref=asked.ref), on_progress=seen.append)
    assert (seen[-1].done, seen[-1].total) == (asked.size, asked.size)
    assert os.stat(library.path(got)).st_nlink == 2
    assert got.file == f"sd1/ada/red-{str(asked.ref.version)[:12]}.safetensors"
    assert hash_of(library.path(got)).sha256 == asked.sha256
    assert got.source == f"{hubs.huggingface}/maker/red/resolve/{asked.ref.version}/lora.safetensors"


@pytest.mark.parametrize(("held", "left"), [(False, 0), (True, 1)])
def test_what_a_killed_process_left_in_the_cache_is_taken_away_but_nothing_of_one_that_runs(
    hubs: HubEndpoints, library: Library, tmp_path: Path, held: bool, left: int
) -> None:
    asked = of(hubs)
    library.path(pull_file(library, asked, record(ref=asked.ref))).unlink()
    stale = tmp_path / f"cache/models--maker--red/blobs/{asked.sha256}.0123abcd.incomplete"
    stale.write_bytes(b"half")
    lock = FileLock(tmp_path / f"cache/.locks/models--maker--red/{asked.sha256}.lock")
    with lock if held else nullcontext():
        pull_file(library, asked, record(ref=asked.ref))
    assert len(list(stale.parent.glob("*.incomplete"))) == left


def test_it_is_taken_away_if_the_bytes_lie_here_too(hubs: HubEndpoints, library: Library, tmp_path: Path) -> None:
    asked = of(hubs)
    pull_file(library, replace(over_http(asked), ref=replace(asked.ref, id="other/red")), record())
    stale = tmp_path / f"cache/models--maker--red/blobs/{asked.sha256}.0123abcd.incomplete"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"half")
    pull_file(library, asked, record())
    assert not stale.exists()


def test_another_file_system_gets_a_copy(hubs: HubEndpoints, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.link", Mock(side_effect=OSError(18, "Invalid cross-device link")))
    got = pull_file(library, of(hubs), record())
    assert os.stat(library.path(got)).st_nlink == 1


def test_a_damaged_cache_is_fetched_anew(hubs: HubEndpoints, library: Library) -> None:
    asked = of(hubs)
    cached = hf_hub_download(
        "maker/red", asked.path, revision=asked.ref.version, endpoint=hubs.huggingface, token=False
    )
    Path(cached).resolve().write_bytes(b"damaged")
    got = pull_file(library, asked, record())
    assert got.sha256 == asked.sha256


def test_bytes_other_than_promised_are_refused_in_the_end(hubs: HubEndpoints, library: Library) -> None:
    with pytest.raises(errors.WrongHash):
        pull_file(library, replace(of(hubs), sha256="b" * 64), record())
    assert library.entries() == ()


def test_a_pull_can_be_cancelled(hubs: HubEndpoints, tmp_path: Path) -> None:
    asked = of(hubs)
    with pytest.raises(PullCancelled):
        fetch(asked, tmp_path / "x.part", Meter(is_cancelled=lambda: True))


def test_a_gated_file_says_to_ask_for_access(hubs: HubEndpoints, tmp_path: Path) -> None:
    with pytest.raises(errors.Gated, match="Ask for it"):
        fetch(of(hubs, "maker/closed"), tmp_path / "x.part", Meter(), QUICK.retry)


@pytest.mark.parametrize(("status", "error"), [(429, errors.RateLimited), (500, errors.HubDown)])
def test_a_bad_day_of_the_hub_has_its_name(
    hubs: HubEndpoints, tmp_path: Path, status: int, error: type[errors.HubUiError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    asked = of(hubs)
    hubs.faults.add(Fault(kind="status", match="resolve", hub="huggingface", status=status))
    with pytest.raises(error):
        fetch(asked, tmp_path / "x.part", Meter(), QUICK.retry)


def test_no_signed_address_is_logged(hubs: HubEndpoints, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(logging.Handler, "handle", lambda self, record: said.append(record.getMessage()))
    hubs.faults.add(Fault(kind="cut", hub="delivery", after_bytes=500, times=1))
    pull_file(library, of(hubs), record())
    assert [line for line in said if "X-Amz-Signature" in line] == []


def test_what_huggingface_hub_tries_again_itself_is_tried_twice(
    hubs: HubEndpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def down(repo: str, *rest: object, **how: object) -> str:
        asked.append(repo)
        raise httpx2.ConnectError("no")

    monkeypatch.setattr("hub_ui.library.download.transfer.hf_hub_download", down)
    with pytest.raises(errors.HubDown):
        fetch(of(hubs), tmp_path / "part", Meter(), RetryPolicy(tries=5, first=0.0))
    assert len(asked) == 2
