"""DNS rebinding: the address that was looked at is the one that is connected to, whatever a name leads to next.

In a network of its own (tests/connectors/private_network.py) a name leads to public addresses first, and then to a
metadata service.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import get_session

from connectors.errors import BadAnswer
from connectors.http.adapter import file_http
from connectors.http.ranges import Range, RangedSource
from tests.connectors.canary import REFUSED, Canary
from tests.connectors.dns import ChangingNames, changing_names
from tests.connectors.http.rebinding import CLIENTS, REBINDINGS
from tests.connectors.private_network import PUBLIC, PUBLIC_6
from tests.connectors.serving import Hub

HUBS_NAMES = ["huggingface.co", "civitai.com", "cas-bridge.xethub.hf.co"]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, canary: Canary, own: Hub) -> Iterator[ChangingNames]:
    """Hubs' names are reached at the canary's port. Nothing may be sent there."""
    monkeypatch.setattr("connectors.http.adapter._HTTPS", ("https", canary.port))
    canary.clear()
    with changing_names() as changing:
        yield changing
    canary.settle()
    assert canary.heard == []


# 127.0.0.9 refuses connections, as an attacker's own server does when it wants a name to be looked up anew.
@pytest.mark.parametrize(
    "answers",
    [
        [["127.0.0.1"]], [["::1"]], [["::ffff:127.0.0.1"]], [["127.0.0.9", "127.0.0.1"]],
        [["127.0.0.9"], ["127.0.0.1"]], [["127.0.0.9"], ["127.0.0.9"], ["::1"]], [["127.0.0.9"], ["127.0.0.1", "::1"]],
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", HUBS_NAMES)
def test_a_hubs_name_that_leads_into_this_network_is_sent_nothing(
    names: ChangingNames, canary: Canary, name: str, answers: list[list[str]]
) -> None:
    names.start([name], answers)
    for _ in range(3):
        with pytest.raises(REFUSED), file_http() as http:
            RangedSource(f"https://{name}:{canary.port}/").open(http, Range())
        with pytest.raises(REFUSED):
            get_session().get(f"https://{name}:{canary.port}/", timeout=30)
    assert names.lookups >= 6
    canary.settle()
    # Without IPv6 there is nobody at ::1.
    assert canary.reached or "::1" not in canary.addresses


def test_a_name_that_leads_into_this_network_is_said_to(names: ChangingNames, canary: Canary) -> None:
    names.start(["civitai.com"], [["127.0.0.1"]])
    with file_http() as http, pytest.raises(BadAnswer, match="own network"):
        RangedSource(f"https://civitai.com:{canary.port}/").open(http, Range())


@pytest.fixture(scope="module")
def private_network() -> Any:
    """What `python -m tests.connectors.http.rebinding` found in a network of its own."""
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("this system gives no network of its own (unshare --user --map-root-user --net)")
    run = [f"{sys.executable} -m tests.connectors.{name}".split() for name in ("private_network", "http.rebinding")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([*alone, *run[0], *run[1]], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", REBINDINGS)
@pytest.mark.parametrize("client", CLIENTS)
def test_public_addresses_alone_are_sent_anything(private_network: Any, client: str, case: str) -> None:
    addresses = {address.removeprefix("::ffff:") for answer in REBINDINGS[case] for address in answer}
    if missing := addresses - {*private_network["addresses"]}:
        pytest.skip(f"this system has no {', '.join(missing)}: no IPv6")
    found = private_network["found"][client][case]
    assert {*found["reached"]} == addresses
    assert {*found["heard"]} == addresses & {PUBLIC, PUBLIC_6}
