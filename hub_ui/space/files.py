"""The files of a Space's repo, and what makes or updates it: repo, variables, secrets and hardware.

A Space starts `app.py`; hub-ui itself lies beside it, since it is on no index. requirements.txt is what the installed
hub-ui needs, at the versions that are installed beside it. A push that changes nothing writes nothing.
"""

import io
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, SpaceInfo
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import connectors
import hub_ui
from connectors.claims.card import split_card
from connectors.errors import KeyRequired, UsageError
from connectors.http.errors import REFUSALS, huggingface_error, map_huggingface_errors
from hub_ui.library.lockfile import Entry

APP = "app.py"
CARD = "README.md"
REQUIREMENTS = "requirements.txt"
# The files beside the package, each by the variable that names it.
NAMED = {"HUB_UI_SHARED_LOCK": "loras.lock", "HUB_UI_SNAPSHOT": "catalog.jsonl.zst"}
# A repo with this file was pushed by hub-ui.
MARK = "hub_ui/space/files.py"
# The hub's own, which tells git what is a large file.
OF_THE_HUB = ".gitattributes"
ZERO_GPU = "zero-a10g"

_HERE = Path(__file__).parent
_PACKAGES = (connectors, hub_ui)
# What only the demo's local hubs serve. The tiny base model stays, so that there is one to try.
_NOT_PUSHED = (
    "hub_ui/demo/build/",
    "hub_ui/demo/data/samples/",
    "hub_ui/demo/data/weights/loras",
    "hub_ui/demo/data/weights/pictures/",
)
# Of ZeroGPU, newest first. Source: hub-docs, docs/hub/spaces-zerogpu.md.
ZERO_GPU_TORCH = ("2.11.0", "2.10.0", "2.9.1", "2.8.0")
# Each torch has a torchvision of its own, which pip finds; and ZeroGPU has its own version of spaces.
_NEVER_PINNED = ("torchvision", "spaces")
# Beside what every page needs: sign-in, and the GPU of ZeroGPU. Spaces has both at hand.
_OF_SPACES = ("gradio[oauth]", "spaces")


@dataclass(frozen=True, kw_only=True)
class SpaceContent:
    """`preload` are lines of the card's `preload_from_hub`, `models` the repos that its page links to.

    `named` are files of NAMED, by their variables.
    """

    title: str
    version: str
    gradio: str
    hardware: str
    requirements: Sequence[str]
    preload: Sequence[str] = ()
    models: Sequence[str] = ()
    named: Mapping[str, bytes] = field(default_factory=dict)


def space_files(content: SpaceContent) -> dict[str, bytes]:
    """All files of the repo by path. The same content gives the same bytes."""
    files = {
        APP: _HERE.joinpath("app.txt").read_bytes(),
        CARD: card(content).encode(),
        REQUIREMENTS: "\n".join([*content.requirements, ""]).encode(),
        **{path: file.read_bytes() for path, file in package_files()},
        **{NAMED[variable]: data for variable, data in content.named.items()},
    }
    return dict(sorted(files.items()))


def package_files() -> Iterator[tuple[str, Path]]:
    """The installed package's own files, but those of the demo's local hubs."""
    for package in _PACKAGES:
        folder = Path(str(package.__file__)).parent
        for file in sorted(folder.rglob("*")):
            path = f"{folder.name}/{file.relative_to(folder).as_posix()}"
            hidden = any(part.startswith((".", "__pycache__")) for part in path.split("/"))
            if file.is_file() and not hidden and not path.startswith(_NOT_PUSHED):
                yield path, file


def card(content: SpaceContent) -> str:
    """README.md with the settings that Spaces reads.

    Source: hub-docs, docs/hub/spaces-config-reference.md. Spaces runs Python 3.10 where nothing is said.
    """
    settings, text = split_card(_HERE.joinpath("card.md").read_text(encoding="utf-8"))
    data = {
        **settings,
        "title": content.title,
        "sdk_version": content.gradio,
        "suggested_hardware": content.hardware,
        **({"models": list(content.models)} if content.models else {}),
        **({"preload_from_hub": list(content.preload)} if content.preload else {}),
    }
    front = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{front}---\n{text.format(title=content.title, version=content.version)}"


def preload_lines(files: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    """`OWNER/NAME FILE,FILE COMMIT` of (repo, file, commit). Names with a space or a comma can't be written."""
    found: dict[tuple[str, str], list[str]] = {}
    for repo, file, commit in files:
        if not {" ", ","} & set(file):
            found.setdefault((repo, commit), []).append(file)
    return tuple(f"{repo} {','.join(sorted(set(names)))} {commit}" for (repo, commit), names in sorted(found.items()))


def files_of_lock(entries: Iterable[Entry]) -> list[tuple[str, str, str]]:
    """(repo, file, commit) of each LoRA that is on Hugging Face."""
    refs = (entry.ref for entry in entries if entry.ref.hub == "huggingface")
    return [(ref.id, ref.file, ref.version) for ref in refs if ref.file and ref.version]


def read_requirements(extras: Iterable[str] = ()) -> tuple[Requirement, ...]:
    """What the installed hub-ui declares for this Python. Raises UsageError in a checkout that is not installed."""
    try:
        declared = [Requirement(line) for line in requires("hub-ui") or ()]
    except PackageNotFoundError as error:
        raise UsageError(
            "hub-ui is not installed here, so what it requires is not known. Install it: pip install ."
        ) from error
    chosen = ("", *extras)
    return tuple(
        each
        for each in declared
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in chosen)
    )


def version_here(name: str) -> str | None:
    """Without a part such as "+cpu", which no index has."""
    try:
        return Version(version(name)).public
    except PackageNotFoundError:
        return None


def pin_requirements(
    declared: Sequence[Requirement],
    *,
    zero_gpu: bool,
    installed: Callable[[str], str | None] = version_here,
) -> tuple[str, ...]:
    """Lines of requirements.txt, sorted. What is not installed here stays a range."""
    lines: dict[str, str] = {}
    for each in (*declared, *map(Requirement, _OF_SPACES)):
        name = str(canonicalize_name(each.name))
        pinned = installed(name)
        if name == "torch" and zero_gpu and pinned not in ZERO_GPU_TORCH:
            pinned = next((one for one in ZERO_GPU_TORCH if each.specifier.contains(one)), None)
        before = Requirement(lines[name]).extras if name in lines else set()
        extras = f"[{','.join(sorted(before | each.extras))}]" if before | each.extras else ""
        rest = str(each.specifier) if pinned is None or name in _NEVER_PINNED else f"=={pinned}"
        lines[name] = f"{name}{extras}{rest}"
    return tuple(lines[name] for name in sorted(lines))


def open_api(endpoint: str, token: str | None) -> HfApi:
    """Raises KeyRequired without a token."""
    if not token:
        raise KeyRequired(
            "A Space belongs to an account of Hugging Face. Make a key that may write at "
            "https://huggingface.co/settings/tokens, and set HF_TOKEN to it.",
            hub="huggingface",
        )
    # huggingface_hub reports on its own, beside what the command prints.
    disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return HfApi(endpoint=endpoint, token=token)


def find_space(api: HfApi, name: str) -> SpaceInfo | None:
    """None where there is none. Raises UsageError for a Space that hub-ui did not push: its files would be lost."""
    with push_errors(api, name):
        try:
            found = api.space_info(name)
        except RepositoryNotFoundError:
            return None
    paths = {each.rfilename for each in found.siblings or ()}
    if found.sdk != "gradio":
        raise UsageError(f"{name} is a Space of another kind already ({found.sdk}). Choose another name.")
    if MARK not in paths and paths - {CARD, OF_THE_HUB}:
        raise UsageError(
            f"{name} is the Space of another app, whose files would be lost. Choose another name, or delete it first."
        )
    return found


def push_space(
    api: HfApi,
    name: str,
    found: SpaceInfo | None,
    files: Mapping[str, bytes],
    *,
    variables: Mapping[str, str],
    secrets: Mapping[str, str],
    private: bool = False,
    hardware: str | None = None,
) -> dict[str, Any]:
    """`found` is what find_space says. Settings come first, so that the new commit starts with them.

    `hardware` None leaves what the Space has. Secrets are never part of a message or a file. Returns what `hub-ui space
    --json` says of it: `commit` is None if all files were there already, and `variables` are those that changed.
    """
    with push_errors(api, name):
        if found is None:
            api.create_repo(
                name,
                repo_type="space",
                space_sdk="gradio",
                private=private or None,
                space_hardware=hardware,  # type: ignore[arg-type]
            )
        elif private and not found.private:
            api.update_repo_settings(name, private=True, repo_type="space")
        changed = _set_variables(api, name, variables)
        for key, value in secrets.items():
            api.add_space_secret(name, key, value)
        commit, removed = _commit(api, name, files)
        runtime = api.get_space_runtime(name)
        if hardware and runtime.requested_hardware != hardware:
            runtime = api.request_space_hardware(name, hardware)  # type: ignore[arg-type]
    return {
        "url": f"{api.endpoint}/spaces/{name}", "created": found is None, "commit": commit, "removed": removed,
        "variables": changed, "secrets": sorted(secrets), "hardware": runtime.requested_hardware,
    }  # fmt: skip


def _set_variables(api: HfApi, name: str, wanted: Mapping[str, str]) -> tuple[str, ...]:
    """Those set by hand stay, those of NAMED go with their file. Each change restarts the Space, so equal ones are left
    alone.
    """
    known = {key: each.value for key, each in api.get_space_variables(name).items()}
    changed = [key for key, value in wanted.items() if known.get(key) != value]
    gone = [key for key in NAMED if key in known and key not in wanted]
    for key in changed:
        api.add_space_variable(name, key, wanted[key])
    for key in gone:
        api.delete_space_variable(name, key)
    return tuple(sorted((*changed, *gone)))


def _commit(api: HfApi, name: str, files: Mapping[str, bytes]) -> tuple[str | None, tuple[str, ...]]:
    before = api.space_info(name)
    there = {each.rfilename for each in before.siblings or ()}
    removed = tuple(sorted(there - files.keys() - {OF_THE_HUB}))
    # File objects are uploaded by LFS, bytes by Xet where hf_xet is installed, which not every hub has.
    added = [CommitOperationAdd(path, io.BytesIO(data)) for path, data in files.items()]
    done = api.create_commit(
        name,
        [*added, *map(CommitOperationDelete, removed)],
        commit_message="Push hub-ui",
        repo_type="space",
        parent_commit=before.sha,
    )
    return (None if done.oid == before.sha else done.oid), removed


def open_repos(endpoint: str, repos: Iterable[str]) -> set[str]:
    """Those that anyone may download, which is what Spaces does before it starts an app."""
    api, found = HfApi(endpoint=endpoint, token=False), set[str]()
    for repo in dict.fromkeys(repos):
        with map_huggingface_errors(repo), suppress(RepositoryNotFoundError):
            if not api.model_info(repo).gated:
                found.add(repo)
    return found


@contextmanager
def push_errors(api: HfApi, name: str) -> Iterator[None]:
    """Maps what huggingface_hub raises while it writes to our errors."""
    what = f"the Space {name}"
    with map_huggingface_errors(what, endpoint=str(api.endpoint)):
        try:
            yield
        except HfHubHTTPError as error:
            row = next((row for row in REFUSALS["huggingface_writing"] if row.matches(error.response, "")), None)
            # The hub says 401 of a Space that it doesn't show, too.
            if row is None or (row.error is KeyRequired and isinstance(error, RepositoryNotFoundError)):
                raise
            detail = " ".join(str(error.server_message or "").split())[:400]
            raise row.error(row.message.format(what=name, detail=detail), hub="huggingface") from error
        except RuntimeError as error:
            # An upload that failed: the cause says why.
            if not isinstance(error.__cause__, Exception):
                raise
            raise huggingface_error(error.__cause__, what, endpoint=str(api.endpoint)) from error
