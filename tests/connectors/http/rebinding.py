"""Asks for a hub whose name leads elsewhere at each look-up, in the network of tests/connectors/private_network.py.

Prints what was connected to and what was sent something, as JSON.
"""

import json
import sys
from collections.abc import Callable
from contextlib import suppress

from huggingface_hub import get_session

from connectors.http.adapter import Destinations, file_http, restrict_requests
from connectors.http.ranges import Range, RangedSource
from connectors.registry import HUBS
from tests.connectors.canary import REFUSED, running_canary
from tests.connectors.dns import changing_names
from tests.connectors.private_network import ADDRESSES, METADATA, METADATA_6, PRIVATE, PUBLIC, PUBLIC_6

# What a name leads to at each look-up.
REBINDINGS = {
    "public": [[PUBLIC]],
    "public, then this machine": [[PUBLIC], ["127.0.0.1"]],
    "public, then metadata": [[PUBLIC], [METADATA]],
    "public, then a private network": [[PUBLIC], [PRIVATE]],
    "public, then this machine by IPv6": [[PUBLIC], ["::1"]],
    "public, then metadata by IPv6": [[PUBLIC_6], [METADATA_6]],
    "public, then this machine within IPv6": [[PUBLIC], ["::ffff:127.0.0.1"]],
    "public, then metadata within IPv6": [[PUBLIC_6], [f"::ffff:{METADATA}"]],
    "this machine between": [[PUBLIC], ["127.0.0.1"], [PUBLIC]],
    "metadata at once": [[METADATA]],
}
URL = "https://civitai.com/"


def ask_for_a_file() -> None:
    """Looked up anew by urllib3 whenever the connection breaks off, as the canary's does."""
    with suppress(*REFUSED), file_http() as http:
        RangedSource(URL).open(http, Range())


def ask_by_huggingface_hub() -> None:
    for _ in range(3):
        with suppress(*REFUSED):
            get_session().get(URL, timeout=30)


CLIENTS: dict[str, Callable[[], None]] = {"file": ask_for_a_file, "huggingface_hub": ask_by_huggingface_hub}


def main() -> int:
    found: dict[str, dict[str, dict[str, list[str]]]] = {client: {} for client in CLIENTS}
    only = Destinations.of({name: hub.endpoint for name, hub in HUBS.items()})
    with running_canary(ADDRESSES, 443) as canary, changing_names() as names:
        for client, ask in CLIENTS.items():
            for case, answers in REBINDINGS.items():
                canary.clear()
                names.start(["civitai.com"], answers)
                with restrict_requests(only):
                    ask()
                canary.settle()
                heard = sorted({address for address, _ in canary.heard})
                found[client][case] = {"reached": sorted({*canary.reached}), "heard": heard}
        print(json.dumps({"addresses": canary.addresses, "found": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
