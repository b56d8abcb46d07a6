"""Where keys go: every word of the command line is run with a key for each hub, on hubs that write down all they hear.

Each key may stand in one place only: the Authorization header of a request to its own hub. It is looked for in every
request of every origin, the delivery host's among them, every log line, every file written, and all that was printed.
"""

import base64
import io
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import connectors
from connectors.connector import HubDownload, pin
from connectors.http.retry import RetryPolicy
from connectors.http.session import Endpoint
from connectors.ref import HubName, Ref
from connectors.registry import HUBS
from hub_ui import settings
from hub_ui.app import services
from hub_ui.commands import cli
from hub_ui.generate.backends.replicate import ReplicateBackend
from hub_ui.generate.compare import comparison
from hub_ui.generate.request import GenerationRequest, LoraInput
from hub_ui.library.download.partial_file import Meter, Progress, PullCancelled
from hub_ui.settings import Settings
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.library.shared_hubs import CIVITAI, HUGGINGFACE, REPLICATE, copied, edited
from tests.recording import Recorder, Request

KEYS: dict[HubName, str] = {
    "civitai": "civAuditKey0123456789abcdefABCDEF",
    "huggingface": "hf_AuditKey0123456789abcdefABCDEF",
    "replicate": "r8_AuditKey0123456789abcdefABCDEF",
}
# Only who has the key gets these.
PRIVATE = ("civitai:1001@2002#3003", "huggingface:maker/closed")
REFS = (CIVITAI, HUGGINGFACE, REPLICATE)
# What a hub, or its delivery host, may answer instead of what was asked for.
BAD_DAYS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 401}, {"kind": "status", "status": 403}, {"kind": "status", "status": 404},
    {"kind": "status", "status": 429, "retry_after": 60}, {"kind": "status", "status": 451}, {"kind": "html"},
    {"kind": "expired"},
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Audit:
    """All that came of the run. `files` are what lies below the home folders, by path."""

    requests: tuple[Request, ...]
    log: str
    printed: str
    files: Mapping[str, bytes]


class Kept(logging.Handler):
    """Every record as text, with the exceptions and the arguments that a usual format leaves out."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name} {self.format(record)} {record.args!r}")


@contextmanager
def all_logged() -> Iterator[Kept]:
    """Loggers of libraries too: those that keep their lines to themselves are made to pass them on."""
    handler, root = Kept(), logging.getLogger()
    loggers = [logger for logger in root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    before = [(logger, logger.level, logger.propagate) for logger in [root, *loggers]]
    root.addHandler(handler)
    for logger, *_ in before:
        logger.setLevel(logging.DEBUG if logger is root else logging.NOTSET)
        logger.propagate = True
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        for logger, level, propagate in before:
            logger.setLevel(level)
            logger.propagate = propagate


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    folder = tmp_path_factory.mktemp("audit")
    printed, recorder = io.StringIO(), Recorder()
    with pytest.MonkeyPatch.context() as patch, running_hubs(data(folder), around=recorder.around) as hubs:
        prepare(patch, folder / "home", hubs)
        with all_logged() as logged, redirect_stdout(printed), redirect_stderr(printed):
            run_everything(folder, hubs)
        files = {str(path): path.read_bytes() for path in (folder / "home").rglob("*") if path.is_file()}
        files |= {str(path): path.read_bytes() for path in (folder / "mine").rglob("*") if path.is_file()}
    return Audit(requests=recorder.requests, log="\n".join(logged.lines), printed=printed.getvalue(), files=files)


def data(folder: Path) -> Path:
    """The contract tests' hubs, where our keys have been let in."""
    made = copied(folder / "hubs")
    edited(made / "access.json", "tokens", value={hub: [key] for hub, key in KEYS.items()})
    edited(
        made / "access.json", "grants", value={KEYS["huggingface"]: ["maker/closed"], KEYS["civitai"]: ["1001@2002"]}
    )
    return made


def prepare(patch: pytest.MonkeyPatch, home: Path, hubs: HubEndpoints) -> None:
    home.mkdir()
    own = {"HOME": str(home), "HUB_UI_HOME": str(home / "hub-ui"), "XDG_CACHE_HOME": str(home / ".cache")}
    for name, value in {**environment(hubs), **own}.items():
        patch.setenv(name, value)
    # Read from the environment once, when huggingface_hub was imported.
    patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hf"))
    # What fails is not tried again: each failure is told once, and nobody waits.
    patch.setattr(RetryPolicy, "wait", lambda *_: None)
    patch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)


def run_everything(folder: Path, hubs: HubEndpoints) -> None:
    home, library, mine = folder / "home", folder / "home" / "hub-ui" / "loras", folder / "mine"
    words = [
        ["search", "", "--nsfw", "explicit"], ["search", "red", "--hub", "huggingface"],
        *(["show", ref] for ref in REFS),
        ["inspect", *REFS, *PRIVATE, f"{hubs.civitai}/api/download/models/2001", f"{hubs.huggingface}/api/models"],
        ["pull", *REFS, *PRIVATE], ["pull", "civitai:404", "huggingface:no/thing", "replicate:no/thing", CIVITAI],
        ["verify"], ["outdated"], ["licenses"], ["sync", "--frozen"],
        *(["export", "--for", tool, "--out", str(home / tool)] for tool in ("a1111", "comfyui", "diffusers")),
    ]  # fmt: skip
    for each in words:
        said(each)
    shutil.copytree(library, mine)
    said(["import", str(mine)])
    shutil.copy(library / "loras.lock", home / "old.lock")
    said(["remove", CIVITAI])
    said(["diff", str(home / "old.lock"), str(library)])
    shutil.rmtree(library / "sdxl", ignore_errors=True)
    said(["sync"])
    on_replicate(home, hubs)
    on_bad_days(folder, hubs)
    in_the_queue(hubs)


def said(words: list[str]) -> None:
    """In words and as JSON."""
    cli.main(words)
    cli.main([*words, "--json"])


def on_replicate(home: Path, hubs: HubEndpoints) -> None:
    """A LoRA that is trained there, and an image generated with it and one of another hub: neither key goes along."""
    pictures = home / "pictures"
    pictures.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (80, 80)).save(pictures / name)
    train = ["train", str(pictures), "--destination", "local/fog", "--trigger", "FGHRBR", "--yes"]
    said(train)
    said(["train", "--follow", "nothing"])
    endpoint = Endpoint(hub="replicate", url=hubs.replicate, keys={"replicate": KEYS["replicate"]})
    place, replicate = ReplicateBackend(endpoint), connectors.build({"replicate": hubs.replicate}, KEYS)[0]
    refs = (pin(replicate, Ref.parse("replicate:local/fog")), Ref.parse(CIVITAI))
    adapters = tuple(
        LoraInput(ref=ref, path=Path(), title="x", architecture="flux1", base_model="flux.1-dev") for ref in refs
    )
    job = GenerationRequest(adapters=adapters, prompt="a pier", control=pictures / "a.png")
    made = place.generate(job, comparison.before_after(job))
    made.images[1].image.save(home / "drawn.png")
    print(made.report, place.estimate(job, comparison.before_after(job)).sentence)
    place.close()


def on_bad_days(folder: Path, hubs: HubEndpoints) -> None:
    """Of the delivery host, and then of all three hubs at once."""
    for number, day in enumerate(BAD_DAYS):
        for origins in (["delivery"], list(KEYS)):
            hubs.faults.add(*(Fault(hub=origin, **day) for origin in origins))
            library = str(folder / "home" / f"{number}-{origins[0]}")
            cli.main(["pull", *REFS, *PRIVATE, "--library", library, "--json"])
            cli.main(["search", "red", "--limit", "1", "--json"])
            cli.main(["inspect", *REFS])
            hubs.faults.clear()


def in_the_queue(hubs: HubEndpoints) -> None:
    """One that failed, and one that was stopped in the middle: its part and state stay."""
    home = str(Path.home() / "queue")
    with services.build(settings.from_environment({**environment(hubs), "HUB_UI_HOME": home})) as built:
        hubs.faults.add(Fault(kind="html", match="/model/3003/", hub="delivery"))
        built.queue.start()
        task = built.downloads.enqueue(Ref.parse(PRIVATE[0]))
        built.queue.wait(task.id, 30)
        hubs.faults.clear()
        hubs.faults.add(Fault(kind="slow", hub="delivery", bytes_per_second=4_000))
        came: list[Progress] = []
        meter = Meter(on_progress=came.append, is_cancelled=lambda: bool(came))
        with pytest.raises(PullCancelled):
            built.downloads.pull(Ref.parse(PRIVATE[0]), meter)
        hubs.faults.clear()


def environment(hubs: HubEndpoints) -> dict[str, str]:
    return {**hubs.as_env(), **{HUBS[hub].token_variable: key for hub, key in KEYS.items()}}


def places(text: str, key: str) -> list[str]:
    """What stands around the key, wherever it is found: as it is, or as base64 and hex have it."""
    spellings = (key, base64.b64encode(key.encode()).decode().rstrip("=")[:-1], key.encode().hex())
    return [text[max(0, at - 80) : at + 80] for word in spellings if (at := text.find(word)) >= 0]


@pytest.mark.parametrize("hub", KEYS)
def test_a_hub_gets_its_own_key_in_the_header_alone_and_no_other_origin_ever_does(audit: Audit, hub: HubName) -> None:
    assert any(
        f"authorization: Bearer {KEYS[hub]}" in request.text for request in audit.requests if request.origin == hub
    )
    others = [request for request in audit.requests if request.origin != hub]
    assert {request.origin for request in others} == {"delivery", *KEYS} - {hub}
    assert [(r.origin, found) for r in others if (found := places(r.text, KEYS[hub]))] == []
    """An address ends up in the logs of whoever stands between."""
    mine = [request for request in audit.requests if request.origin == hub]
    assert [r.target for r in mine if places(f"{r.target}\n{r.body.decode('latin-1')}", KEYS[hub])] == []
    named = {name for r in mine for name, value in r.headers if places(value, KEYS[hub])}
    assert named == {"authorization"}


@pytest.mark.parametrize("hub", KEYS)
def test_no_log_line_no_file_that_was_written_and_nothing_that_was_printed_has_it(audit: Audit, hub: HubName) -> None:
    assert "urllib3.connectionpool" in audit.log
    assert "httpcore" in audit.log
    assert places(audit.log, KEYS[hub]) == []
    assert [path for path, data in audit.files.items() if places(data.decode("latin-1"), KEYS[hub])] == []
    assert places(audit.printed, KEYS[hub]) == []


@pytest.mark.parametrize(
    "ending", ["catalog.sqlite", "queue.sqlite", "loras.lock", ".part", ".json", ".png", ".py", ".safetensors"]
)
def test_the_files_looked_at_are_of_every_sort(audit: Audit, ending: str) -> None:
    assert any(path.endswith(ending) for path in audit.files)


@pytest.mark.parametrize(
    "error",
    ["KeyRequired", "NotFound", "RateLimited", "RegionBlocked", "HubDown", "BadAnswer", "NotWeights"],
)
def test_the_errors_looked_at_are_of_every_sort(audit: Audit, error: str) -> None:
    assert error in audit.printed


def test_what_only_the_key_opens_was_fetched(audit: Audit) -> None:
    lock = next(data for path, data in audit.files.items() if path.endswith("home/old.lock"))
    assert b'ref = "civitai:1001@2002#3003"' in lock
    assert b'ref = "huggingface:maker/closed@' in lock


def test_nothing_shows_its_key_when_it_is_printed() -> None:
    endpoints: dict[HubName, str] = {hub: f"http://127.0.0.1/{hub}" for hub in KEYS}
    built = connectors.build(endpoints, KEYS)
    made = Settings(home=Path("h"), library=Path("l"), lock=Path("k"), endpoints=endpoints, tokens=KEYS)
    ref = Ref.parse("huggingface:maker/red@" + "a" * 40)
    download = HubDownload(ref=ref, endpoint="e", token=KEYS["huggingface"])
    shown = " ".join(map(repr, (built, made, download, *map(vars, built))))
    assert [hub for hub, key in KEYS.items() if places(shown, key)] == []
