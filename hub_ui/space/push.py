"""Makes or updates a Space: its repo, variables, secrets and hardware. A push that changes nothing writes nothing."""

import io
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, SpaceInfo
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars

from connectors.errors import AccessError, HubUiError, KeyRequired, Paid, UsageError
from connectors.http.errors import huggingface_error, map_huggingface_errors
from hub_ui.space.files import CARD, MARK, OF_THE_HUB

# These go with the file that they name.
_OF_FILES = ("HUB_UI_SHARED_LOCK", "HUB_UI_SNAPSHOT")
_TOKENS_PAGE = "https://huggingface.co/settings/tokens"


@dataclass(frozen=True, kw_only=True)
class SpaceSettings:
    """`hardware` None leaves what the Space has. Secrets are never part of `repr`, a message or a file."""

    private: bool = False
    hardware: str | None = None
    variables: Mapping[str, str]
    secrets: Mapping[str, str]

    def __repr__(self) -> str:
        return (
            f"SpaceSettings(hardware={self.hardware!r}, variables={self.variables!r}, secrets={sorted(self.secrets)})"
        )


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """`commit` is None if all files were there already; `variables` are the names of those that changed."""

    url: str
    created: bool
    commit: str | None
    removed: tuple[str, ...]
    variables: tuple[str, ...]
    secrets: tuple[str, ...]
    hardware: str | None


def open_api(endpoint: str, token: str | None) -> HfApi:
    """Raises KeyRequired without a token."""
    if not token:
        raise KeyRequired(
            f"A Space belongs to an account of Hugging Face. Make a key that may write at {_TOKENS_PAGE}, and set "
            "HF_TOKEN to it.",
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
    api: HfApi, name: str, found: SpaceInfo | None, files: Mapping[str, bytes], settings: SpaceSettings
) -> Pushed:
    """`found` is what find_space says. Settings come first, so that the new commit starts with them."""
    with push_errors(api, name):
        if found is None:
            api.create_repo(
                name,
                repo_type="space",
                space_sdk="gradio",
                private=settings.private or None,
                space_hardware=settings.hardware,  # type: ignore[arg-type]
            )
        elif settings.private and not found.private:
            api.update_repo_settings(name, private=True, repo_type="space")
        variables = _set_variables(api, name, settings.variables)
        for key, value in settings.secrets.items():
            api.add_space_secret(name, key, value)
        commit, removed = _commit(api, name, files)
        runtime = api.get_space_runtime(name)
        if settings.hardware and runtime.requested_hardware != settings.hardware:
            runtime = api.request_space_hardware(name, settings.hardware)  # type: ignore[arg-type]
    return Pushed(
        url=f"{api.endpoint}/spaces/{name}",
        created=found is None,
        commit=commit,
        removed=removed,
        variables=variables,
        secrets=tuple(sorted(settings.secrets)),
        hardware=runtime.requested_hardware,
    )


def _set_variables(api: HfApi, name: str, wanted: Mapping[str, str]) -> tuple[str, ...]:
    """Those set by hand stay. Each change restarts the Space, so equal ones are left alone."""
    known = {key: each.value for key, each in api.get_space_variables(name).items()}
    changed = [key for key, value in wanted.items() if known.get(key) != value]
    gone = [key for key in _OF_FILES if key in known and key not in wanted]
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
            refusal = _refusal(error, name)
            if refusal is None:
                raise
            raise refusal from error
        except RuntimeError as error:
            # An upload that failed: the cause says why.
            if not isinstance(error.__cause__, Exception):
                raise
            raise huggingface_error(error.__cause__, what, endpoint=str(api.endpoint)) from error


def _refusal(error: HfHubHTTPError, name: str) -> HubUiError | None:
    """What a status means for one who writes."""
    status, detail = error.response.status_code, " ".join(str(error.server_message or "").split())[:400]
    if status == 401 and not isinstance(error, RepositoryNotFoundError):
        return KeyRequired(
            f"Hugging Face does not know this key. Make another at {_TOKENS_PAGE}, and set HF_TOKEN to it.",
            hub="huggingface",
        )
    if status == 402:
        return Paid(f"Hugging Face wants a plan or credit for {name}: {detail}", hub="huggingface")
    if status == 403:
        return AccessError(
            f"This key may not write to {name}: {detail}. Push under a name of its own account, or make a key with "
            f"write access at {_TOKENS_PAGE}.",
            hub="huggingface",
        )
    if status == 400:
        return UsageError(f"Hugging Face does not take this: {detail}", hub="huggingface")
    if status == 412:
        return HubUiError(f"{name} was changed by somebody else in the meantime. Push again.", hub="huggingface")
    return None
