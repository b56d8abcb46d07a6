"""The hubs of hubs.toml: endpoint, key, ref format and connector. ADDING_A_HUB.md explains how to write a block."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from connectors.claims import fill, read_tables

# A key of HUBS.
HubName = str
# The source of a LoRA: a hub, or LOCAL for a file that is not on any known hub.
Origin = str
LOCAL: Origin = "local"

_FILE = read_tables("hubs.toml")
NAME: str = _FILE["part"]["NAME"]
# A path that stays inside its folder.
PATH = re.compile(r"(?!/)(?!(?:.*/)?\.\.(?:/|\Z))[^\\\x00-\x1f\x7f]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class RefFormat:
    """The patterns for the parts of `HUB:ID@VERSION#FILE`.

    `pinned` matches a version that can't change under the same name (a commit, a hash, a number). `version` matches
    every version that is accepted before it is resolved, such as a branch; None means the same as `pinned`. `file` None
    (an empty text in hubs.toml) means that a ref has no file part. `prefixes` are other names for the hub in a ref.

    `addresses` are matched against the host and path of a pasted web address, with each %2F left encoded because it is
    part of a name. Their groups are `id`, `version` or `version2`, and `file`. `spellings` are other ways to write a
    ref, such as the hub's own tools use, with the same groups. `other_pages` match the addresses of pages that don't
    show a LoRA, by the name of such a page.
    """

    id: re.Pattern[str]
    pinned: re.Pattern[str]
    version: re.Pattern[str] | None = None
    file: re.Pattern[str] | None = PATH
    prefixes: tuple[str, ...] = ()
    addresses: tuple[re.Pattern[str], ...] = ()
    spellings: tuple[re.Pattern[str], ...] = ()
    other_pages: Mapping[str, re.Pattern[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """A limit in requests per minute.

    `keyless` is for all visitors of a shared page together, `keyed` for each visitor's own key.
    """

    keyless: int = 60
    keyed: int = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Hub:
    """One block of hubs.toml.

    `mark` is the short name on a card, `key_note` is shown next to the field for its key, and `example` is a ref for
    the error message about a bad ref. `endpoint` is the address of the API unless the environment variable
    `endpoint_variable` holds another address; `token_variable` holds a key, which people create on `key_page`.
    `description` is the hub's word for a LoRA's text. `connector` is the connector class as "module:class", so that a
    hub's modules are imported only when the hub is used. A crawl reads at most `pages_per_minute` of the hub's lists,
    so that other requests are not slowed down; `rate` limits the visitors of a shared page. `is_keyless`: open files
    can be downloaded without a key. `needs_key`: every request needs a key. `signs_in`: on a shared page, visitors sign
    in to the hub instead of entering a key. A request to `account_path` returns the account name of a key.
    `image_sizes` says how to request an image size in an image's address: the pattern `address` has two groups, and one
    of the other values replaces the text between them. It is empty if images have one size only. `hosts` are the hosts
    of the API, images and files, delivery networks included; `*.x` is every name below x. A hosted page requests
    nothing from any other host (http/adapter.py).
    """

    name: HubName
    label: str
    mark: str
    endpoint: str
    endpoint_variable: str
    token_variable: str
    key_page: str
    key_note: str
    example: str
    ref: RefFormat
    connector: str
    description: str = "description"
    pages_per_minute: int = 60
    rate: Rate = Rate()
    account_path: str = ""
    is_keyless: bool = False
    needs_key: bool = False
    signs_in: bool = False
    image_sizes: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()

    @property
    def add_key(self) -> str:
        """The start of a sentence: "Add a key (CIVITAI_TOKEN, from civitai.com/user/account)"."""
        return f"Add a key ({self.token_variable}, from {self.key_page.removeprefix('https://')})"


def _read_hub(block: dict[str, Any]) -> Hub:
    if block["ref"].get("file") == "":
        block["ref"]["file"] = None
    parts = _FILE["part"]
    return msgspec.convert(block, Hub, dec_hook=lambda _pattern, text: re.compile(fill(text, parts), re.VERBOSE))


HUBS: dict[HubName, Hub] = {block["name"]: _read_hub(block) for block in _FILE["hub"]}

_LOCAL_FORMAT = RefFormat(
    # A file name in any language, without characters that have a meaning in a ref or a path.
    id=re.compile(r"\w(?:[\w .,()+-]{0,94}[\w)+])?"),
    pinned=re.compile(r"[0-9a-f]{64}"),
    # The version is the hash of the file.
    file=None,
)


def ref_format(origin: Origin) -> RefFormat:
    return _LOCAL_FORMAT if origin == LOCAL else HUBS[origin].ref


def origin_label(origin: Origin) -> str:
    return "This computer" if origin == LOCAL else HUBS[origin].label


def find_origin(prefix: str) -> Origin | None:
    """Return the origin that a ref's prefix names, in upper or lower case. Return None for any other word."""
    word = prefix.lower()
    if word == LOCAL or word in HUBS:
        return word
    return next((hub.name for hub in HUBS.values() if word in hub.ref.prefixes), None)


# A still is the first frame of a video.
Media = Literal["image", "video", "still"]


def with_width(url: str, origin: Origin, width: int | None, media: Media = "image") -> str:
    """Return `url` for an image about `width` pixels wide, or for the original if `width` is None.

    Return `url` unchanged if the hub offers one size only. Cards use it, since originals have many megabytes.
    """
    sizes = HUBS[origin].image_sizes if origin in HUBS else {}
    match = re.fullmatch(sizes["address"], url, re.VERBOSE) if sizes else None
    if match is None:
        return url
    return match[1] + sizes["original" if width is None else media].format(width=width) + match[2]
