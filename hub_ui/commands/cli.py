"""The entry point of the command line: it parses the words, runs a command and returns its exit code."""

import io
import os
import pkgutil
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, TextIO

import msgspec
import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from connectors.errors import HubUiError, UsageError, suggestion
from connectors.registry import HUBS
from hub_ui.commands.terminal import Terminal
from hub_ui.settings import unknown_variables

# The exit codes that shells report for a program ended by SIGINT or SIGPIPE.
INTERRUPTED = 130
PIPE_CLOSED = 141

_EPILOG = (
    "A REF is a web address of a LoRA, or huggingface:OWNER/NAME[@COMMIT][#FILE], civitai:MODEL[@VERSION][#FILE_ID], "
    "replicate:OWNER/NAME[@VERSION_HASH], or local:NAME for a file that import entered. OWNER/NAME alone means Hugging "
    "Face, unless a file or folder of that name is there.\n\n"
    "Exit codes: 0 done, 1 other, 2 usage, 3 needs a key or access, 4 not found, 5 network, 6 rate limited, "
    "7 integrity.\n\n"
    "Environment: HUB_UI_HOME, HUB_UI_NAMES, HUB_UI_CONNECTIONS; the keys "
    f"{', '.join(hub.token_variable for hub in HUBS.values())}; other hub addresses in "
    f"{', '.join(hub.endpoint_variable for hub in HUBS.values())}."
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One command's table in commands.toml."""

    target: str
    panel: str
    help: str
    examples: str = ""


COMMANDS = msgspec.convert(
    tomllib.loads(Path(__file__).with_name("commands.toml").read_text(encoding="utf-8")), dict[str, Entry]
)


class PlainFlags:
    """A mixin that hides the <bool> that typer writes after a flag, as if it took a value."""

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_bool_flag", False):
                param.metavar = ""
        return params


class Command(PlainFlags, TyperCommand):
    pass


class LazyGroup(PlainFlags, TyperGroup):
    """A group that imports only the command that runs, because importing Gradio alone takes seconds.

    The help lists the commands from COMMANDS.
    """

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for name, entry in COMMANDS.items():
            self.add_command(TyperCommand(name, help=entry.help, rich_help_panel=entry.panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, *rest = args
        if name in COMMANDS:
            return name, load_command(name), rest
        # During shell completion, the command may be unfinished.
        if ctx.resilient_parsing:
            return None, None, rest
        raise UsageError(f"“{name[:40]}” is no command.{suggestion(name, COMMANDS)} Try: hub-ui --help")


def load_command(name: str) -> TyperCommand:
    entry = COMMANDS[name]
    app = typer.Typer(add_completion=False)
    target = pkgutil.resolve_name(f"hub_ui.commands.{entry.target}")
    app.command(name, cls=Command, help=entry.help, epilog=entry.examples)(target)
    command = get_command(app)
    assert isinstance(command, TyperCommand)
    # List the common options, which come from a base class, after the other options.
    command.params.sort(key=lambda param: param.name in ("library", "lock", "json"))
    return command


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        print(f"hub-ui {version('hub-ui')}")
    except PackageNotFoundError:
        print("hub-ui, not installed")
    raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Search LoRAs on Hugging Face, CivitAI and Replicate, download them pinned, and try them."""


def parse(words: Sequence[str]) -> Any:
    """Return the command with its options, or the exit code of --help or --version. Raise UsageError."""
    app = typer.Typer(cls=LazyGroup, epilog=escape(_EPILOG))
    app.callback()(_options)
    try:
        return get_command(app).main(args=list(words), prog_name="hub-ui", standalone_mode=False)
    except typer.TyperException as error:
        name = next((word for word in words if word in COMMANDS), None)
        # Join the lines, because Click lists each choice on a separate line.
        message = " ".join(error.format_message().replace(": Value error, ", ": ").split()).rstrip(".")
        raise UsageError(f"{message}. Try: {' '.join(filter(None, ('hub-ui', name)))} --help") from error


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    options = words[: words.index("--")] if "--" in words else words
    terminal = Terminal(out=_stream(sys.stdout), err=_stream(sys.stderr), json="--json" in options)
    try:
        return _run(words, terminal)
    except KeyboardInterrupt:
        # Otherwise the shell's prompt would follow the progress bar on the same line.
        terminal.clear_progress()
        return INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        return PIPE_CLOSED


def _run(words: list[str], terminal: Terminal) -> int:
    try:
        command = code = parse(words)
        if not isinstance(command, int):
            for sentence in unknown_variables(os.environ):
                terminal.note(f"hub-ui: {sentence}")
            code = command.run(terminal)
        terminal.out.flush()
        return int(code)
    except HubUiError as error:
        return _fail(error, terminal)
    except BrokenPipeError:
        raise
    except OSError as error:
        step = "Check its name, its permissions and the free space."
        place = f": {error.filename}. {step}" if error.filename else ""
        return _fail(HubUiError(f"{error.strerror or error}{place}"), terminal)


def _fail(error: HubUiError, terminal: Terminal) -> int:
    """Print the error and return its exit code, even if standard output can't be written (a full disk)."""
    try:
        terminal.error(error)
        terminal.out.flush()
    except BrokenPipeError:
        raise
    except OSError:
        _discard_stdout()
    return error.exit_code


def _discard_stdout() -> None:
    """Redirect standard output to null, because Python flushes it at exit, which would raise again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stream(stream: TextIO | None) -> TextIO:
    """Return a stream that never fails to encode: unknown characters become "?". Discard the output if it is None."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return stream


if __name__ == "__main__":
    sys.exit(main())
