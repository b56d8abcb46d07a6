"""Turn values into JSON. The command line and the documents of programs use it."""

from collections.abc import Mapping
from datetime import date, time
from typing import Any


def attributes(thing: object, *names: str) -> dict[str, Any]:
    """Return these attributes of an object as JSON values. If the object is None, all values are None."""
    return {name: None if thing is None else plain(getattr(thing, name)) for name in names}


def plain(value: Any) -> Any:
    """Return a JSON value. A value of another type, such as a ref, becomes text."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case date() | time():
            return value.isoformat()
    return str(value)
