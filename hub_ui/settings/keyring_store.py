"""The operating system's keyring. Loaded by keys.py alone, and only where a key is in it or goes there."""

from contextlib import suppress

import keyring
from keyring.errors import KeyringError, PasswordDeleteError

SERVICE = "hub-ui"
# Backends raise what their system raises: D-Bus, ctypes, and worse.
_FAILURES = (KeyringError, OSError, RuntimeError, ValueError, TypeError, AttributeError, ImportError)


class SystemKeyring:
    """Failures read as "there is none": a headless computer has no keyring, a locked one gives nothing."""

    def get(self, name: str) -> str | None:
        with suppress(*_FAILURES):
            return keyring.get_password(SERVICE, name)
        return None

    def put(self, name: str, key: str) -> bool:
        with suppress(*_FAILURES):
            keyring.set_password(SERVICE, name, key)
            # One backend takes everything and keeps nothing.
            return keyring.get_password(SERVICE, name) == key
        return False

    def remove(self, name: str) -> None:
        with suppress(PasswordDeleteError, *_FAILURES):
            keyring.delete_password(SERVICE, name)
