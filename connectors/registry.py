"""One row for each hub: its endpoint, key, ref format and connector. ADDING_A_HUB.md explains how to write one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# A key of HUBS.
HubName = str
# Where a LoRA comes from: a hub, or LOCAL for a file that no hub is known to have.
Origin = str
LOCAL: Origin = "local"

# No hub has a name that ends with a dot, which is a sentence's.
NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}(?<!\.)"
# A path that stays inside its folder.
PATH = re.compile(r"(?!/)(?!(?:.*/)?\.\.(?:/|\Z))[^\\\x00-\x1f\x7f]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class RefFormat:
    """What the parts of `HUB:ID@VERSION#FILE` look like.

    `pinned` matches a version that can't change under the same name (a commit, a hash, a number); `version` matches
    what is accepted before it is resolved, such as a branch, and is `pinned` where there is nothing of the kind. With
    `file` None a ref has no file part. `prefixes` are read in place of the hub's name.

    `addresses` are matched against the host and path of a pasted web address, in which %2F stays, since it is part of a
    name. Their groups are `id`, `version` or `version2`, and `file`. `spellings` are other ways to write a ref, such as
    those of the hub's own tools, with the same groups.
    """

    id: re.Pattern[str]
    pinned: re.Pattern[str]
    version: re.Pattern[str] | None = None
    file: re.Pattern[str] | None = PATH
    prefixes: tuple[str, ...] = ()
    addresses: tuple[re.Pattern[str], ...] = ()
    spellings: tuple[re.Pattern[str], ...] = ()


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
    between the two groups of the pattern stands one of the forms. It is None where images have one size only.
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
    image_sizes: tuple[re.Pattern[str], Mapping[str, str]] | None = None
    hosts: tuple[str, ...] = ()

    @property
    def add_key(self) -> str:
        """The start of a sentence: "Add a key (CIVITAI_TOKEN, from civitai.com/user/account)"."""
        return f"Add a key ({self.token_variable}, from {self.key_page.removeprefix('https://')})"


# .red is its mature domain, .green an old alias; the archive has its addresses.
_CIVITAI_HOSTS = r"(?:(?:www\.)?civitai\.(?:com|red|green)|(?:www\.)?civ(?:itai)?archive\.com)"
_CIVITAI = Hub(
    name="civitai",
    label="CivitAI",
    mark="C",
    endpoint="https://civitai.com",
    endpoint_variable="CIVITAI_ENDPOINT",
    token_variable="CIVITAI_TOKEN",
    key_page="https://civitai.com/user/account",
    key_note="Searching works without; most downloads want one.",
    example="civitai:MODEL@VERSION",
    ref=RefFormat(
        id=re.compile(r"[0-9]{0,12}"),
        pinned=re.compile(r"[0-9]{1,12}"),
        file=re.compile(r"[0-9]+"),
        addresses=(
            # https://civitai.com/models/257749/some-slug?modelVersionId=290640
            re.compile(rf"{_CIVITAI_HOSTS}/models/(?P<id>\d+)(?:/.*)?"),
            # https://civitai.com/api/v1/models/257749
            re.compile(rf"{_CIVITAI_HOSTS}/api/v1/models/(?P<id>\d+)/?"),
            # https://civitai.com/api/download/models/290640?fileId=1, https://civitai.com/model-versions/290640
            re.compile(rf"{_CIVITAI_HOSTS}/(?:api/download/models|(?:api/v1/)?model-versions)/(?P<version>\d+)/?"),
        ),
        # "civitai: 257749 @ 290640", as its pages show an AIR
        spellings=(re.compile(r"civitai *: *(?P<id>\d+)(?: *@ *(?P<version>\d+))?", re.IGNORECASE),),
    ),
    connector="connectors.civitai.client:CivitAI",
    account_path="/api/v1/me",
    hosts=(
        "civitai.com",
        "*.civitai.com",
        "civitai.red",
        "*.civitai.red",
        "civitai.green",
        # The storage that its files are redirected to. Everybody can have a bucket at other names of that service.
        "civitai-delivery-worker-prod.5ac0637cfd0766c97916cefa3764fbdf.r2.cloudflarestorage.com",
    ),
    image_sizes=(
        # https://image.civitai.com/ACCOUNT/UUID/original=true/139439234.jpeg, older ones .../width=450/692411.jpeg
        re.compile(r"([^?#]+/)[a-z]+=[a-z0-9]+(?:,[a-z]+=[a-z0-9]+)*(/[^/?#]+)"),
        {
            "original": "original=true",
            "image": "width={width}",
            # Without `anim` the CDN answers 500 to a width of a video.
            "video": "anim=true,transcode=true,width={width}",
            "still": "anim=false,transcode=true,width={width}",
        },
    ),
)

# A branch with a slash is written feature%2Fx, and only refs/pr/3 and the like as they are.
_REVISION = r"(?:refs/(?:pr|convert)/)?[^/]+"
_HUGGINGFACE = Hub(
    name="huggingface",
    label="Hugging Face",
    mark="HF",
    endpoint="https://huggingface.co",
    endpoint_variable="HF_ENDPOINT",
    token_variable="HF_TOKEN",
    key_page="https://huggingface.co/settings/tokens",
    key_note="Works without; gated LoRAs want one.",
    example="huggingface:OWNER/NAME (OWNER/NAME alone will do)",
    description="model card",
    ref=RefFormat(
        id=re.compile(rf"{NAME}(/{NAME})?"),
        pinned=re.compile(r"[0-9a-f]{40}"),
        version=re.compile(r"(?!.*\.\.)[A-Za-z0-9._/-]{1,200}"),
        prefixes=("hf",),
        addresses=(
            # https://huggingface.co/OWNER/NAME/blob/main/some/file.safetensors, .../tree/main/folder, .../discussions/3
            re.compile(
                r"(?:(?:www\.)?(?:huggingface\.co|hf\.co)|hf-mirror\.com|aifasthub\.com)/(?:api/models/)?"
                # Pages of the site whose addresses look like OWNER/NAME.
                r"(?!(?:api|blog|chat|collections|datasets|docs|kernels|learn|models|new|organizations|papers|posts"
                r"|settings|spaces|tasks)/)"
                rf"(?P<id>{NAME}/{NAME}(?<!\.git))(?:\.git)?"
                rf"(?:/(?:blob|resolve|raw|edit|blame)/(?P<version>{_REVISION})(?:/(?P<file>.+))?"
                rf"|/(?:tree|commits?|revision)/(?P<version2>{_REVISION})(?:/.*)?"
                r"|/(?:discussions|community)(?:/.*)?)?/?"
            ),
            # https://huggingface.co/api/resolve-cache/models/OWNER/NAME/COMMIT/some/file.safetensors
            re.compile(
                rf"huggingface\.co/api/resolve-cache/models/(?P<id>{NAME}/{NAME})/(?P<version>[0-9a-f]{{40}})/(?P<file>.+)"
            ),
        ),
        spellings=(
            # hf://OWNER/NAME@refs%2Fpr%2F3/some/file.safetensors, git@hf.co:OWNER/NAME.git
            re.compile(
                rf"hf://(?:models/)?(?P<id>{NAME}/{NAME})(?:@(?P<version>{_REVISION}))?(?:/(?P<file>.+))?",
                re.IGNORECASE,
            ),
            re.compile(rf"(?:ssh://)?git@(?:hf\.co|huggingface\.co)[:/](?P<id>{NAME}/{NAME}(?<!\.git))(?:\.git)?"),
        ),
    ),
    connector="connectors.huggingface.client:HuggingFace",
    account_path="/api/whoami-v2",
    # Files come from names below hf.co and xethub.hf.co; *.hf.space is everybody's.
    hosts=("huggingface.co", "*.huggingface.co", "hf.co", "*.hf.co"),
    # 500 requests in five minutes are allowed without a key, and 1,000 with one.
    pages_per_minute=80,
    rate=Rate(keyless=80, keyed=160),
    is_keyless=True,
    signs_in=True,
)

_REPLICATE = Hub(
    name="replicate",
    label="Replicate",
    mark="R",
    endpoint="https://api.replicate.com",
    endpoint_variable="REPLICATE_ENDPOINT",
    token_variable="REPLICATE_API_TOKEN",
    key_page="https://replicate.com/account/api-tokens",
    key_note="Replicate answers nothing without one.",
    example="replicate:OWNER/NAME",
    ref=RefFormat(
        id=re.compile(rf"{NAME}/{NAME}"),
        pinned=_SHA256,
        # A version has one file.
        file=None,
        addresses=(
            # https://replicate.com/OWNER/NAME/versions/HASH, https://replicate.com/OWNER/NAME:HASH
            re.compile(
                r"(?:(?:www\.)?replicate\.com|api\.replicate\.com/v1/models)/"
                # Pages of the site whose addresses look like OWNER/NAME.
                r"(?!(?:account|blog|changelog|collections|deployments|docs|explore|guides|p|pricing|trainings)/)"
                rf"(?P<id>{NAME}/{NAME})"
                r"(?::(?P<version>[0-9a-f]{64})|/versions/(?P<version2>[0-9a-f]{64})(?:/[a-z]*)?|/[a-z]*)?/?"
            ),
        ),
        # OWNER/NAME:HASH as its clients run it, r8.im/OWNER/NAME@sha256:HASH as its image
        spellings=(
            re.compile(rf"(?:replicate:)?(?P<id>{NAME}/{NAME}):(?P<version>[0-9a-f]{{64}})"),
            re.compile(rf"r8\.im/(?P<id>{NAME}/{NAME})@sha256:(?P<version>[0-9a-f]{{64}})"),
        ),
    ),
    connector="connectors.replicate.client:Replicate",
    account_path="/v1/account",
    hosts=("replicate.com", "*.replicate.com", "replicate.delivery", "*.replicate.delivery"),
    needs_key=True,
    # 3,000 requests a minute are allowed, and a page has 25 models.
    pages_per_minute=600,
    rate=Rate(keyless=600, keyed=600),
)

# Alphabetical: the order of the hubs in lists and filters.
HUBS: dict[HubName, Hub] = {hub.name: hub for hub in (_CIVITAI, _HUGGINGFACE, _REPLICATE)}

_LOCAL_FORMAT = RefFormat(
    # A file name in any language, without characters that have a meaning in a ref or a path.
    id=re.compile(r"\w(?:[\w .,()+-]{0,94}[\w)+])?"),
    pinned=_SHA256,
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
    address, forms = (HUBS[origin].image_sizes if origin in HUBS else None) or (None, {})
    match = address.fullmatch(url) if address else None
    if match is None:
        return url
    return match[1] + forms["original" if width is None else media].format(width=width) + match[2]
