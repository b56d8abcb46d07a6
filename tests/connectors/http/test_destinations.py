"""Server-side request forgery: whatever an address looks like, nothing but the hubs' hosts is reached.

A canary on every loopback address counts what it is sent. Whoever asks for another machine fails by name
(tests/conftest.py), so that "nothing was reached" is not only said of this one.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import get_session

from connectors.http.adapter import (
    Destinations,
    NotAllowedError,
    NotPublicError,
    file_http,
    is_public,
    restrict_requests,
)
from connectors.http.ranges import Range, RangedSource
from connectors.huggingface.client import HuggingFace
from connectors.query import Query
from connectors.registry import HUBS
from tests.connectors.canary import REFUSED, Canary
from tests.connectors.cases import read_cases
from tests.connectors.serving import Answer, Hub

READ = read_cases(__file__)

USUAL = {name: hub.endpoint for name, hub in HUBS.items()}
# By what is tried with them. {port} is the canary's, which listens on 127.0.0.1 and ::1. The hub of the owner's network
# is on 127.0.0.2.
TRIED = json.loads(Path(__file__).with_name("unreached.json").read_text(encoding="utf-8"))
ADDRESSES = [address for addresses in TRIED.values() for address in addresses]


@pytest.fixture(autouse=True)
def quiet(canary: Canary) -> Iterator[None]:
    canary.clear()
    yield
    canary.settle()
    assert canary.heard == []


@pytest.fixture(params=ADDRESSES)
def address(request: pytest.FixtureRequest, canary: Canary) -> str:
    return str(request.param).replace("{port}", str(canary.port))


def ask_for_a_file(url: str) -> None:
    with file_http() as http:
        RangedSource(url).open(http, Range())


def ask_by_huggingface_hub(url: str) -> None:
    get_session().get(url, timeout=30)


clients = pytest.mark.parametrize("ask", [ask_for_a_file, ask_by_huggingface_hub])


@clients
def test_an_address_is_not_asked(own: Hub, address: str, ask: Callable[[str], None]) -> None:
    with pytest.raises(REFUSED):
        ask(address)


@clients
def test_a_redirect_is_not_followed(own: Hub, address: str, ask: Callable[[str], None]) -> None:
    # What is no header can't be sent as one.
    target = "".join(letter for letter in address if letter >= " ").encode().decode("latin-1")
    own.answers["/file"] = Answer(status=302, headers={"Location": target})
    with pytest.raises(REFUSED):
        ask(f"{own.url}/file")


def test_a_proxy_is_not_asked_for_another_host(own: Hub, canary: Canary) -> None:
    proxies = dict.fromkeys(("http", "https"), f"http://127.0.0.1:{canary.port}")
    for url in ("http://evil.invalid/", "https://evil.invalid/", "http://169.254.169.254/"):
        with file_http() as http, pytest.raises(NotAllowedError):
            http.get(url, proxies=proxies, timeout=30)


def test_the_owners_own_hub_is_reached_by_all(own: Hub) -> None:
    own.answers["/api/models"] = Answer(body=b"[]", headers={"Content-Type": "application/json"})
    with file_http() as http:
        assert http.get(f"{own.url}/api/models").content == b"[]"
    assert get_session().get(f"{own.url}/api/models").json() == []
    assert HuggingFace(own.endpoint("huggingface")).search(Query()).loras == ()


def test_what_restricts_requests_ends_with_its_block(own: Hub) -> None:
    own.answers["/x"] = Answer(body=b"here")
    with restrict_requests(Destinations.of(USUAL)), pytest.raises(NotAllowedError):
        get_session().get(f"{own.url}/x")
    with file_http() as http:
        assert http.get(f"{own.url}/x").content == b"here"
    assert get_session().get(f"{own.url}/x").content == b"here"


@pytest.mark.parametrize(
    "host",
    [
        "huggingface.co", "cdn-lfs.huggingface.co", "us.aws.cdn.hf.co", "cas-bridge.xethub.hf.co", "cdn-lfs-us-1.hf.co",
        "civitai.com", "image.civitai.com", "b2.civitai.com", "civitai.red", "replicate.com", "api.replicate.com",
        "replicate.delivery", "pbxt.replicate.delivery",
        "civitai-delivery-worker-prod.5ac0637cfd0766c97916cefa3764fbdf.r2.cloudflarestorage.com",
    ],
)  # fmt: skip
def test_hubs_and_their_deliveries_are_reached_by_https_alone(host: str) -> None:
    usual = Destinations.of(USUAL)
    usual.check_host("https", host, None)
    with pytest.raises(NotAllowedError):
        usual.check_host("http", host, None)


def test_the_usual_address_of_a_hub_is_no_host_of_the_owners_network() -> None:
    assert Destinations.of(USUAL).own == frozenset()
    with pytest.raises(NotPublicError):
        Destinations.of(USUAL).check_peer("civitai.com", "10.0.0.1")


@pytest.mark.parametrize(("address", "public"), READ["an address is public where it and what it carries are"])
def test_an_address_is_public_where_it_and_what_it_carries_are(address: str, public: bool) -> None:
    assert is_public(address) is public
