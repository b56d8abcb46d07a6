"""One tree of errors. Every message can be shown to a person as it is.

    HubUiError                  1   something we did not foresee in detail
    ├── UsageError              2   the request itself can't be understood
    │   ├── BadRef
    │   └── BadQuery
    ├── AccessError             3   it exists, and this person may not have it (yet)
    │   ├── KeyRequired             a key or sign-in is missing or wrong
    │   ├── Gated                   the author grants access one by one
    │   ├── Paid                    early access or a purchase
    │   ├── DownloadsDisabled       usable only on the hub itself
    │   └── RegionBlocked
    ├── NotFound                4   never there, or removed since
    │   └── Withheld                its hub marks it as one that nobody is shown
    ├── NetworkError            5   no usable answer
    │   ├── HubDown                 refused, reset, 5xx
    │   ├── HubTimeout
    │   └── BadAnswer               an answer that is not what the hub's API promises
    ├── RateLimited             6
    ├── IntegrityError          7   bytes that are not what was promised
    │   ├── WrongHash
    │   ├── NotWeights              a web page, an error text or a pickle instead of safetensors
    │   ├── BadHeader               safetensors by its first bytes, but its header can't be trusted
    │   ├── Dangerous               the hub's own scan found danger in the file
    │   └── BadSnapshot             no snapshot of a catalog, or not a whole one
    └── PreviewError            1   the image could not be made
        ├── DoesNotFit              LoRA and base have different architectures
        └── NoBase                  no base model for this architecture here
            └── NeedsFetching           there is one; it is large, and nobody has agreed to the download yet

The number is the exit code of the command line (see DESIGN's contracts).
"""

import copyreg
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar


class HubUiError(Exception):
    """Base of the tree. `message` says what happened and what to do next, in one or two sentences."""

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
    exit_code = 2


class BadRef(UsageError):
    """Text that can't be read as the name of a LoRA."""


class BadQuery(UsageError):
    """An unknown filter or sort value."""


class AccessError(HubUiError):
    exit_code = 3


class KeyRequired(AccessError):
    """The hub wants a key. The page shows "add a key" in place of a failure."""


class Gated(AccessError):
    """The author asks people to request access on the hub's own page."""


class Paid(AccessError):
    """Early access, or a permanent purchase on the hub."""


class DownloadsDisabled(AccessError):
    """The author allows generation on the hub only."""


class RegionBlocked(AccessError):
    """The hub does not serve the country the request came from."""


class NotFound(HubUiError):
    exit_code = 4


class Withheld(NotFound):
    """Marked by its hub as showing a minor, and above soft: for everybody as if it were not there."""


class NetworkError(HubUiError):
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
    """The end of a message: " Did you mean “sdxl” or “sdxl-1.0”?", or nothing when no known word is near."""
    spelled = {name.casefold(): name for name in known}
    near = [f"“{spelled[key]}”" for key in get_close_matches(word[:100].casefold(), spelled, n=3)]
    if not near:
        return ""
    return f" Did you mean {' or '.join(filter(None, (', '.join(near[:-1]), near[-1])))}?"
