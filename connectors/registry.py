"""The hubs of hubs.toml: endpoint, key, ref format and connector. ADDING_A_HUB.md explains how to write a block."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from connectors.claims import fill, read_tables

# A key of HUBS.
HubName = str
# Where a LoRA comes from: a hub, or LOCAL for a file that no hub is known to have.
Origin = str
LOCAL: Origin = "local"

_FILE = read_tables("hubs.toml")
NAME: str = _FILE["part"]["NAME"]
# A path that stays inside its folder.
PATH = re.compile(r"(?!/)(?!(?:.*/)?\.\.(?:/|\Z))[^\\\x00-\x1f\x7f]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class RefFormat:
    """What the parts of `HUB:ID@VERSION#FILE` look like.

    `pinned` matches a version that can't change under the same name (a commit, a hash, a number); `version` matches
    what is accepted before it is resolved, such as a branch, and is `pinned` where there is nothing of the kind. With
    `file` None, in the file an empty text, a ref has no file part. `prefixes` are read in place of the hub's name.

    `addresses` are matched against the host and path of a pasted web address, in which %2F stays, since it is part of a
    name. Their groups are `id`, `version` or `version2`, and `file`. `spellings` are other ways to write a ref, such as
    those of the hub's own tools, with the same groups. `other_pages` match addresses of what is no LoRA, by its name.
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
    """Requests a minute: `keyless` for all visitors of a shared page together, `keyed` for each key of one of them."""

    keyless: int = 60
    keyed: int = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Hub:
    """`mark` is its short name on a card, `key_note` is shown with its key, and `example` in the message of a bad ref.

    `endpoint` is the address of its API unless the variable `endpoint_variable` names another; `token_variable` holds
    a key, which people make on `key_page`. `description` is what the hub calls a LoRA's text. `connector` is the class
    of its connector, as "module:class": modules of a hub are imported only when it is used. A crawl asks for at most
    `pages_per_minute` of its lists, which leaves room for everything else; `rate` is for visitors of a shared page.
    `is_keyless` says that its open files come without a key, and `needs_key` that it answers nothing without one.
    `signs_in`: on a page that is not their own, people sign in to it instead of giving a key.
    `account_path` answers with the name of a key's account. `image_sizes` says how an image's address asks for a size:
    between the two groups of the pattern `address` stands one of the others. It is empty where images have one size.
    `hosts` are where its API, images and files are, their delivery included; `*.x` is every name below x. A hosted page
    asks nobody else (http/adapter.py).
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
    """The origin for the prefix of a ref, in upper or lower case; None for any other word."""
    word = prefix.lower()
    if word == LOCAL or word in HUBS:
        return word
    return next((hub.name for hub in HUBS.values() if word in hub.ref.prefixes), None)


# A still is the first frame of a video.
Media = Literal["image", "video", "still"]


def with_width(url: str, origin: Origin, width: int | None, media: Media = "image") -> str:
    """`url` for about `width` pixels, or for the original with None; unchanged where the hub has one size only.

    A card needs no original of many megabytes.
    """
    sizes = HUBS[origin].image_sizes if origin in HUBS else {}
    match = re.fullmatch(sizes["address"], url, re.VERBOSE) if sizes else None
    if match is None:
        return url
    return match[1] + sizes["original" if width is None else media].format(width=width) + match[2]
