from collections.abc import Iterator

import pytest

from connectors.http.adapter import Destinations, restrict_requests
from connectors.registry import HUBS
from tests.connectors.canary import Canary, running_canary
from tests.connectors.serving import Hub, hub


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    with running_canary() as found:
        yield found


@pytest.fixture(scope="module")
def own() -> Iterator[Hub]:
    """Hugging Face, on the owner's network."""
    usual = {name: hub.endpoint for name, hub in HUBS.items()}
    with hub("127.0.0.2") as answering, restrict_requests(Destinations.of({**usual, "huggingface": answering.url})):
        yield answering
