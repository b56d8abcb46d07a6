"""All errors as one tree of exceptions. Every message can be shown to a person unchanged."""

import copyreg
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar


class HubUiError(Exception):
    """The base of all errors. `message` says what happened and what to do next, in one or two sentences.

    `exit_code` is the exit code of the command line (see DESIGN's contracts).
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
        """Return the state for pickle, because errors are sent between processes.

        By default Python pickles an exception as a call with its message only, which loses the attributes.
        """
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]

    @property
    def name(self) -> str:
        """The class name: the stable `error` key of JSON output."""
        return type(self).__name__


class UsageError(HubUiError):
    """A request that can't be understood."""

    exit_code = 2


class BadRef(UsageError):
    """A text that can't be read as the name of a LoRA."""


class BadQuery(UsageError):
    """An unknown filter or sort value."""


class AccessError(HubUiError):
    """A refusal: the file exists, but this person has no access to it (yet)."""

    exit_code = 3


class KeyRequired(AccessError):
    """A missing or wrong key or sign-in. The page shows "add a key" instead of a failure."""


class Gated(AccessError):
    """A repo whose author asks people to request access on the hub's own page."""


class Paid(AccessError):
    """A version in early access, or a version that has to be bought on the hub."""


class DownloadsDisabled(AccessError):
    """A version that its author allows to be used on the hub only."""


class RegionBlocked(AccessError):
    """A refusal because of the country that the request was sent from."""


class NotFound(HubUiError):
    """Something that never existed or was deleted."""

    exit_code = 4


class Withheld(NotFound):
    """A LoRA above soft that is marked as showing a minor. It is treated as missing for everybody."""


class NetworkError(HubUiError):
    """A request without a usable response."""

    exit_code = 5


class HubDown(NetworkError):
    """A refused or reset connection, a DNS failure, or a 5xx that survived the retries."""


class HubTimeout(NetworkError):
    """A missing response within the time allowed."""


class BadAnswer(NetworkError):
    """A response that is not JSON, or not of the documented shape."""


class RateLimited(HubUiError):
    """A response that asks to slow down. `retry_after` is how many seconds to wait, or None if the hub doesn't say."""

    exit_code = 6


class IntegrityError(HubUiError):
    """A file whose bytes are not the expected ones."""

    exit_code = 7


class WrongHash(IntegrityError):
    """A size or SHA-256 that differs from the value of the hub or the lock file."""


class NotWeights(IntegrityError):
    """A file that is not a safetensors file. Such files are never kept or loaded."""


class BadHeader(IntegrityError):
    """A safetensors header that is cut off, too long, not JSON, or describes other bytes than the file has."""


class Dangerous(IntegrityError):
    """A file in which the hub's scan found danger. A person may insist on downloading it."""


class BadSnapshot(IntegrityError):
    """A file that is not a snapshot of a catalog, or a damaged snapshot."""


class PreviewError(HubUiError):
    """A failure to generate an image."""


class DoesNotFit(PreviewError):
    """A LoRA for another architecture than the base model's."""


class NoBase(PreviewError):
    """An architecture for which no base model can be loaded on this machine."""


class NeedsFetching(NoBase):
    """A large download that needs a person's consent. The sizes are in bytes.

    `bytes` are still to be downloaded, `present` are on the disk already, and `free` is the free space.
    """

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
    """Return the end of a message: " Did you mean “sdxl” or “sdxl-1.0”?". Return "" if no known word is similar.

    Known words that contain `word` are preferred to words with a similar spelling.
    """
    wanted = word[:100].casefold()
    known_by_key = {name.casefold(): name for name in known}
    containing = [key for key in known_by_key if len(wanted) > 2 and wanted in key]
    quoted = [f"“{known_by_key[key]}”" for key in containing[:3] or get_close_matches(wanted, known_by_key, n=3)]
    if not quoted:
        return ""
    return f" Did you mean {' or '.join(filter(None, (', '.join(quoted[:-1]), quoted[-1])))}?"
