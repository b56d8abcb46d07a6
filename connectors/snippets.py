"""Refs in code and commands that load or download a LoRA, as on model cards: `pipe.load_lora_weights("OWNER/NAME")`.

connectors.ref uses it for text that a person pastes.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

# Calls that load a LoRA (diffusers, PEFT), calls that load anything (group `hub`), and calls of Replicate's clients.
_CALL = re.compile(
    r"\b(?:(?P<lora>load_lora_\w{1,20}|lora_state_dict|load_attn_procs|load_ip_adapter)"
    r"|(?P<hub>hf_hub_download|hf_hub_url|snapshot_download|from_pretrained)"
    r"|(?P<replicate>replicate\.(?:run|stream|models\.get|deployments\.get)))\s{0,20}\("
)
_ARGUMENT = re.compile(r"(?:\b(?P<name>\w{1,40})\s{0,9}=\s{0,9})?(?P<quote>[\"'])(?P<value>[^\"'\n]{1,300})(?P=quote)")
_REPO_NAMES = ("repo_id", "pretrained_model_name_or_path", "pretrained_model_name_or_path_or_dict", "model_id")
_FILE_NAMES = ("weight_name", "filename")
_REPO = re.compile(r"[\w-]{1,96}/[\w.-]{1,96}")
_REPLICATE_REPO = re.compile(rf"{_REPO.pattern}(?::[0-9a-f]{{64}})?")
# Shell commands: `hf download OWNER/NAME FILE --revision R`, its older name, and `replicate run OWNER/NAME`.
_DOWNLOAD = re.compile(r"\b(?:hf|huggingface-cli)\s+download\s+(?P<rest>[^\n;&|]+)")
_RUN = re.compile(r"\breplicate\s+(?:run|model\s+show)\s+(?P<repo>\S+)")
_TOKEN = re.compile(r"\"[^\"]*\"|'[^']*'|[^\s\"']+")
# On Replicate, `lora_weights` names a model there; the other fields name a repo on Hugging Face.
_FIELD = re.compile(
    rf"\b(?P<field>repo_id|model_id|lora_id|lora_repo|lora_model|lora_path|hf_lora|lora_weights)[\"']?\s{{0,9}}[=:]"
    rf"\s{{0,9}}[\"']?(?P<repo>{_REPO.pattern})(?![\w./:-])"
)
# A folder of huggingface_hub's cache.
_CACHED = re.compile(
    r"\bmodels--(?P<owner>[\w.-]{1,96}?)--(?P<name>[\w.-]{1,96})"
    r"(?:[/\\]snapshots[/\\](?P<commit>[0-9a-f]{40})(?:[/\\](?P<file>[^\n\"']+))?)?"
)
_FLAGS = ("--quiet", "--force-download", "--resume-download", "--dry-run", "--no-force-download")


def refs_of(text: str) -> Iterator[str]:
    """Yield the refs in code or commands of `text`: calls that load a LoRA before calls that load any model."""
    calls = list(_CALL.finditer(text))
    segments = [(call, text[call.end() : end]) for call, end in zip(calls, _ends(calls, text), strict=True)]
    for group in ("lora", "replicate", "hub"):
        for call, segment in segments:
            if call[group]:
                yield from _ref_of_call(segment, is_replicate=group == "replicate")
    for download in _DOWNLOAD.finditer(text):
        yield from _ref_of_download(download["rest"])
    for run in _RUN.finditer(text):
        if _REPLICATE_REPO.fullmatch(run["repo"]):
            yield f"replicate:{run['repo'].replace(':', '@')}"
    for field in _FIELD.finditer(text):
        yield f"{'replicate' if field['field'] == 'lora_weights' else 'huggingface'}:{field['repo']}"
    for cached in _CACHED.finditer(text):
        options = {"revision": cached["commit"] or ""}
        file = (cached["file"] or "").replace("\\", "/")
        yield _huggingface(f"{cached['owner']}/{cached['name']}", file, options)


def _ends(calls: list[re.Match[str]], text: str) -> list[int]:
    """Return the end of the text for each call's arguments: the start of the next call, or the end of `text`."""
    return [*(following.start() for _, following in pairwise(calls)), *([len(text)] if calls else [])]


def _ref_of_call(arguments: str, *, is_replicate: bool) -> Iterator[str]:
    matches = list(_ARGUMENT.finditer(arguments))
    named = {match["name"]: match["value"] for match in reversed(matches) if match["name"]}
    values = [match["value"] for match in matches if not match["name"]]
    if is_replicate:
        yield from (f"replicate:{value.replace(':', '@')}" for value in values[:1] if _REPLICATE_REPO.fullmatch(value))
        return
    repo = next((named[name] for name in _REPO_NAMES if name in named), values.pop(0) if values else "")
    file = next((named[name] for name in _FILE_NAMES if name in named), values[0] if values else "")
    if _REPO.fullmatch(repo):
        yield _huggingface(repo, file, named)


def _ref_of_download(rest: str) -> Iterator[str]:
    values: list[str] = []
    options: dict[str, str] = {}
    tokens = iter(token.strip("\"'") for token in _TOKEN.findall(rest))
    for token in tokens:
        name, _, value = token.partition("=")
        if name in _FLAGS:
            continue
        if name.startswith("-"):
            options[name.lstrip("-")] = value or next(tokens, "")
        else:
            values.append(token)
    file = values[1] if len(values) > 1 else options.get("include", "")
    if values and _REPO.fullmatch(values[0]) and options.get("repo-type", "model") == "model":
        yield _huggingface(values[0], file, options)


def _huggingface(repo: str, file: str, options: Mapping[str, str]) -> str:
    """Return the ref of a file, or of the repo if `file` is not a file name, such as a pattern or an adapter's name."""
    version = f"@{options['revision']}" if options.get("revision") else ""
    folder = f"{options['subfolder'].strip('/')}/" if options.get("subfolder") else ""
    is_file = "." in file and "*" not in file
    return f"huggingface:{repo}{version}{f'#{folder}{file}' if is_file else ''}"
