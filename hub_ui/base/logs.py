"""Log to standard error, as text or as one JSON object per line, without secrets and personal data.

HUB_UI_LOG_LEVEL applies to the loggers of hub-ui. Other packages log warnings and errors only, because their lower
levels contain whole URLs and headers. In JSON, text that a package prints, such as a traceback, is logged too.
"""

import io
import json
import logging
import re
import secrets
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, TextIO, get_args

from connectors.errors import UsageError
from connectors.registry import HUBS
from hub_ui.base.context import use

LogFormat = Literal["text", "json"]
OWN_LOGGERS = ("hub_ui", "connectors")
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
# The fields that a line may have in addition to its message.
FIELDS = ("hub", "outcome", "seconds", "bytes", "images", "place", "method", "path", "status")
# Patterns of secrets and personal data, and their replacements.
HIDDEN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(?:bearer|basic|token)\s+[\w.~+/=-]{6,}"), "[key]"),
    (re.compile(r"\b(?:hf|r8|api_org)_\w{4,}"), "[key]"),
    # CivitAI's keys have this form, as have some hashes and ids.
    (re.compile(r"(?i)\b[0-9a-f]{32}\b"), "[key]"),
    (re.compile(r"(?i)((?:cookie|authorization|api[_-]?key|token|password)\s*[=:]\s*)\S+"), r"\1[key]"),
    (re.compile(r"(?i)(https?://)[^\s/@]+@"), r"\1[key]@"),
    # Hide the path and the query, which may hold a signature or a visitor's search.
    (re.compile(r"(?i)(https?://[^\s/?#\"'<>]+)[^\s\"'<>]*"), r"\1/[…]"),
    # Hide refs, because a LoRA may be private.
    (re.compile(rf"\b({'|'.join((*HUBS, 'hf', 'local'))}):[^\s,;\"']+"), r"\1:[…]"),
)
_LONGEST = 2_000
# The header passes the id of a request to the event that runs in one of Gradio's threads.
REQUEST_ID_HEADER = "x-request-id"
_REQUEST: ContextVar[str] = ContextVar("request", default="")


def new_request_id() -> str:
    return secrets.token_hex(8)


def request_id() -> str:
    """Return the id of the current request, or "" outside of a request."""
    return _REQUEST.get()


use_request_id = partial(use, _REQUEST)


def hide(text: str) -> str:
    for pattern, replacement in HIDDEN:
        text = pattern.sub(replacement, text)
    return text[:_LONGEST]


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": hide(record.getMessage()),
        }
        if request := request_id():
            line["request"] = request
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            # Log the class and the places, but not the message, which may contain secrets.
            line["traceback"] = [
                f"{at.filename}:{at.lineno} {at.name}" for at in traceback.extract_tb(record.exc_info[2])
            ]
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={getattr(record, name)}" for name in FIELDS if hasattr(record, name))
        return " ".join(
            filter(None, (hide(super().format(record)), fields, request_id() and f"request={request_id()}"))
        )


class PrintedLines(io.TextIOBase):
    """A stream that logs each printed line as a warning of the logger "stderr"."""

    def __init__(self) -> None:
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).replace("\r", "\n").split("\n")
        # Don't collect an endless line.
        if len(self._rest) > _LONGEST:
            lines, self._rest = [*lines, self._rest], ""
        for line in filter(str.strip, lines):
            logging.getLogger("stderr").warning("%s", line.rstrip())
        return len(text)


def read_log_format(environ: Mapping[str, str], chosen: str | None) -> LogFormat:
    """Return the format in `--log` (`chosen`) or HUB_UI_LOG, or text. Raise UsageError if it is unknown."""
    name = chosen or environ.get("HUB_UI_LOG") or "text"
    if name.lower() in get_args(LogFormat):
        return name.lower()  # type: ignore[return-value]
    raise UsageError(f"“{name[:40]}” is no form of logs. Write --log text or --log json, or the same in HUB_UI_LOG.")


def read_log_level(environ: Mapping[str, str], form: LogFormat) -> int:
    """Return the level in HUB_UI_LOG_LEVEL, or else warnings for text, and infos (a line per request) for JSON."""
    name = environ.get("HUB_UI_LOG_LEVEL", "").lower() or ("info" if form == "json" else "warning")
    if name not in LEVELS:
        raise UsageError(f"HUB_UI_LOG_LEVEL={name[:40]!r} is none of {', '.join(LEVELS)}. Write one, or unset it.")
    return LEVELS[name]


@contextmanager
def logging_to(stream: TextIO, form: LogFormat, level: int) -> Iterator[None]:
    """Log to `stream` until the block ends."""
    root, handler = logging.getLogger(), logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    loggers = [logging.getLogger(name) for name in OWN_LOGGERS]
    levels_before = [logger.level for logger in loggers]
    with ExitStack() as closing:
        root.addHandler(handler)
        closing.callback(root.removeHandler, handler)
        for logger, level_before in zip(loggers, levels_before, strict=True):
            logger.setLevel(level)
            closing.callback(logger.setLevel, level_before)
        if form == "json":
            closing.enter_context(redirect_stderr(PrintedLines()))
        yield
