from pathlib import Path

import pytest

import connectors
from connectors import errors
from connectors.connector import Connector, Download, HttpDownload, HubDownload
from connectors.record import Claim
from connectors.ref import HubName, Ref
from connectors.weights.inspect import Facts, decode_facts, inspect_download, inspect_path, inspect_url
from connectors.weights.lora_facts import LoraFacts
from tests.connectors import big_files
from tests.connectors.big_files import running as running
from tests.connectors.http.test_ranges import parts
from tests.connectors.serving import Hub, redirect
from tests.connectors.weights.test_tar import LORA, tar
from tests.contract.conftest import hubs as hubs
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints

HUBS: tuple[HubName, ...] = ("civitai", "huggingface", "replicate")
INK = Ref.parse("civitai:1001@2001#3001")


def connector(hubs: HubEndpoints, name: HubName) -> Connector:
    return connectors.build({name: hubs.by_name[name]}, {"replicate": "any"})[0]


def located(hubs: HubEndpoints, name: HubName, *, long: bool = False) -> Download:
    return connector(hubs, name).locate(big_files.ref(name, long=long))


@pytest.mark.parametrize("name", HUBS)
def test_a_short_header_takes_two_requests_on_every_hub(hubs: HubEndpoints, name: HubName) -> None:
    found = inspect_download(located(hubs, name))
    assert (found.size, found.bytes_read, found.requests) == (150_757_128, 98_304, 2)
    assert (found.adapter.architecture, found.adapter.rank, found.adapter.alpha) == ("sdxl", 64, 32.0)


@pytest.mark.parametrize("name", HUBS)
def test_a_long_header_takes_three_requests_on_every_hub(hubs: HubEndpoints, name: HubName) -> None:
    found = inspect_download(located(hubs, name, long=True))
    assert (found.size, found.requests, found.bytes_read < 1_500_000) == (151_057_128, 3, True)
    assert (found.adapter.rank, found.adapter.alpha, found.adapter.scale) == (64, 32.0, 0.5)


@pytest.mark.parametrize("name", HUBS)
def test_a_bad_day_of_the_delivery_is_told_in_the_hubs_name(hubs: HubEndpoints, name: HubName) -> None:
    hubs.faults.add(Fault(kind="expired", hub="delivery"))
    with pytest.raises(errors.HubDown) as raised:
        inspect_download(located(hubs, name))
    assert raised.value.hub == name


@pytest.mark.parametrize("name", HUBS)
def test_an_address_that_expired_once_is_asked_for_anew(hubs: HubEndpoints, name: HubName) -> None:
    hubs.faults.add(Fault(kind="expired", hub="delivery", times=1))
    found = inspect_download(located(hubs, name))
    assert (found.adapter.rank, found.requests) == (64, 4)


def test_no_other_origin_sees_a_key(server: Hub, elsewhere: Hub) -> None:
    commit = "1ecd" * 10
    server.answers |= {
        "/file": redirect(elsewhere.url + "/signed"),
        f"/ada/ink/resolve/{commit}/a%20b.safetensors": redirect(elsewhere.url + "/signed"),
    }
    elsewhere.answers["/signed"] = parts(LORA)
    key = {"Authorization": "Bearer secret"}
    ref = Ref.parse(f"hf:ada/ink@{commit}#a b.safetensors")
    of_hub = HubDownload(ref=ref, endpoint=server.url, token="secret")
    for download in (HttpDownload(ref=INK, name="", url=server.url + "/file", headers=key), of_hub):
        inspect_download(download)
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer secret"] * 2
    assert "secret" not in str([(asked.path, asked.headers) for asked in elsewhere.asked])


def test_any_web_address_can_be_read_be_it_a_tar(server: Hub) -> None:
    server.answers |= {"/lora": parts(LORA), "/tar": parts(tar({"x.txt": b"x", "lora.safetensors": LORA}))}
    for path in ("/lora", "/tar#top"):
        found = inspect_url(server.url + path)
        assert (found.adapter.tensors, found.size, found.requests) == (1, len(LORA), 1)


def test_name_and_password_of_an_address_go_to_its_origin_alone(server: Hub, elsewhere: Hub) -> None:
    server.answers["/f"] = redirect(elsewhere.url + "/g")
    elsewhere.answers["/g"] = parts(LORA)
    inspect_url(server.url.replace("//", "//me:s%40cret@") + "/f")
    assert server.asked[0].headers["Authorization"] == "Basic bWU6c0BjcmV0"
    assert "Authorization" not in elsewhere.asked[0].headers


@pytest.mark.parametrize("url", ["http://[", "https://", "file:///etc/passwd", "http://:80/x"])
def test_another_text_than_a_web_address_is_a_usage_error(url: str) -> None:
    with pytest.raises(errors.UsageError, match="no web address"):
        inspect_url(url)


def test_a_file_on_disk_is_read_without_a_request(tmp_path: Path) -> None:
    (tmp_path / "lora.safetensors").write_bytes(LORA)
    (tmp_path / "trained.tar").write_bytes(tar({"x.txt": b"x", "lora.safetensors": LORA}))
    for name in ("lora.safetensors", "trained.tar"):
        found = inspect_path(tmp_path / name)
        assert (found.adapter.tensors, found.size, found.requests) == (1, len(LORA), 0)


def test_a_name_longer_than_any_file_has_is_our_error() -> None:
    with pytest.raises(errors.HubUiError, match="can't be read: File name too long"):
        inspect_path(Path("a" * 300 + ".safetensors"))


def test_a_file_that_is_not_there_or_is_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound, match=r"There is no file .*nix\.safetensors"):
        inspect_path(tmp_path / "nix.safetensors")
    with pytest.raises(errors.UsageError, match="no file"):
        inspect_path(tmp_path)


FACTS = Facts(
    adapter=LoraFacts(
        what="lora", rank=8, ranks={8: 3, 16: 1}, alpha=4.0, tags=("ink",), trigger_words=("sks",), warnings=("old",),
        claims=(
            Claim(field="rank", value=8, source="header", where="tensor shapes"),
            Claim(field="trigger_words", value=("sks", "ink"), source="header", where="metadata"),
            Claim(field="alpha", value=4.5, source="header", where="x.alpha"),
        ),
    ),
    size=5, bytes_read=3, requests=1,
)  # fmt: skip


def test_facts_as_json_have_the_contracts_names_in_its_order() -> None:
    assert " ".join(FACTS.to_json()) == (
        "is_lora what architecture alternatives base_model format algorithm rank ranks alpha alpha_source scale "
        "text_encoder control tensors size trigger_words bytes_read requests warnings"
    )
    assert FACTS.to_json()["ranks"] == {"8": 3, "16": 1}


def test_facts_name_the_architectures_that_the_header_leaves_open() -> None:
    assumed = LoraFacts(what="lora", architecture="flux1", is_assumed=True, alternatives=("chroma", "bria-fibo"))
    assert Facts(adapter=assumed).to_json()["alternatives"] == ["chroma", "bria-fibo"]
    assert FACTS.to_json()["alternatives"] == []


def test_stored_facts_come_back_whole_and_for_nothing() -> None:
    assert decode_facts(FACTS.encode()) == Facts(adapter=FACTS.adapter, size=5)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", FACTS.encode().replace("[", "[9", 1)])
def test_damaged_or_old_facts_are_not_known(text: str) -> None:
    assert decode_facts(text) is None
