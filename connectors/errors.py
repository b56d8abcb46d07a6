"""One tree of errors. Every message can be shown to a person as it is."""

import copyreg
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar


class HubUiError(Exception):
    """Base of the tree. `message` says what happened and what to do next, in one or two sentences.

    `exit_code` is that of the command line (see DESIGN's contracts).
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, message: str, *, hub: str | None = None, url: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hub = hub
        self.url = url
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes. By itself, an exception is pickled as a call with its message alone."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]

    @property
    def name(self) -> str:
        """The class name: the stable `error` key of JSON answers."""
        return type(self).__name__


class UsageError(HubUiError):
    """The request itself can't be understood."""

    exit_code = 2


class BadRef(UsageError):
    """Text that can't be read as the name of a LoRA."""


class BadQuery(UsageError):
    """An unknown filter or sort value."""


class AccessError(HubUiError):
    """It exists, and this person may not have it (yet)."""

    exit_code = 3


class KeyRequired(AccessError):
    """A key or sign-in is missing or wrong. The page shows "add a key" in place of a failure."""


class Gated(AccessError):
    """The author asks people to request access on the hub's own page."""


class Paid(AccessError):
    """Early access, or a permanent purchase on the hub."""


class DownloadsDisabled(AccessError):
    """The author allows generation on the hub only."""


class RegionBlocked(AccessError):
    """The hub does not serve the country the request came from."""


class NotFound(HubUiError):
    """Never there, or removed since."""

    exit_code = 4


class Withheld(NotFound):
    """Marked by its hub as showing a minor, and above soft: for everybody as if it were not there."""


class NetworkError(HubUiError):
    """No usable answer."""

    exit_code = 5


class HubDown(NetworkError):
    """Connection refused or reset, DNS failure, or a 5xx that survived the retries."""


class HubTimeout(NetworkError):
    """No answer within the time allowed."""


class BadAnswer(NetworkError):
    """An answer that is not JSON, or not of the documented shape."""


class RateLimited(HubUiError):
    """`retry_after` is the number of seconds that the hub asks to wait, if it names one."""

    exit_code = 6


class IntegrityError(HubUiError):
    """Bytes that are not what was promised."""

    exit_code = 7


class WrongHash(IntegrityError):
    """Size or SHA-256 differs from what the hub (or the lock file) promised."""


class NotWeights(IntegrityError):
    """The bytes are no safetensors file. They are never kept or loaded."""


class BadHeader(IntegrityError):
    """A safetensors header that is cut off, too long, not JSON, or describes other bytes than the file has."""


class Dangerous(IntegrityError):
    """The hub's scan found danger in the file. A person may insist on it."""


class BadSnapshot(IntegrityError):
    """A file that is no snapshot of a catalog, or a damaged one."""


class PreviewError(HubUiError):
    """No image could be made."""


class DoesNotFit(PreviewError):
    """A LoRA belongs to one architecture; the base is of another."""


class NoBase(PreviewError):
    """No base model of this architecture can be loaded here."""


class NeedsFetching(NoBase):
    """A large download needs a person's consent. `bytes` are to come, `present` are on disk, `free` is room left."""

    def __init__(
        self, message: str, *, label: str, repo: str, bytes: int, present: int, free: int, license: str, gated: bool
    ) -> None:
        super().__init__(message, hub="huggingface", url=f"https://huggingface.co/{repo}")
        self.label = label
        self.repo = repo
        self.bytes = bytes
        self.present = present
        self.free = free
        self.license = license
        self.gated = gated


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of a message: " Did you mean “sdxl” or “sdxl-1.0”?", or nothing when no known word is near.

    Those that have it in them are nearer than those that are spelled like it.
    """
    wanted, spelled = word[:100].casefold(), {name.casefold(): name for name in known}
    longer = [key for key in spelled if len(wanted) > 2 and wanted in key]
    near = [f"“{spelled[key]}”" for key in longer[:3] or get_close_matches(wanted, spelled, n=3)]
    if not near:
        return ""
    return f" Did you mean {' or '.join(filter(None, (', '.join(near[:-1]), near[-1])))}?"
