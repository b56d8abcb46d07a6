"""Whose key it is: what a hub says about the account of a key."""

from dataclasses import replace

from connectors.errors import AccessError, KeyRequired
from connectors.http.json_fields import table, text
from connectors.http.session import Endpoint, Session
from connectors.registry import HUBS


def account_name(endpoint: Endpoint, key: str) -> str:
    """Asks the hub. Raises KeyRequired where it does not accept the key, our other errors where it can't be asked."""
    hub = HUBS[endpoint.hub]
    session = Session(replace(endpoint, keys={endpoint.hub: key}), retries=0)
    try:
        answer = table(session.json(hub.account_path))
    except AccessError as error:
        raise KeyRequired(
            f"{hub.label} does not accept this key. Copy it again, or make another.", hub=hub.name
        ) from error
    finally:
        session.close()
    return text(answer.get("username"), 100) or text(answer.get("name"), 100) or "somebody"
