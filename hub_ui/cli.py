"""The command line: its words and their arguments. What a command does is in hub_ui/commands, one file each.

A command's module is imported by name once it is known which one runs. So `hub-ui --help` and `hub-ui search` start
without Gradio, which takes seconds to load, and no import hides inside a function.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn, TextIO

from connectors.errors import HubUiError, UsageError, suggestion
from hub_ui.terminal import Terminal

# What shells report for a program ended by SIGINT and by SIGPIPE.
INTERRUPTED = 130
PIPE_CLOSED = 141


@dataclass(frozen=True, kw_only=True)
class Command:
    """`module` has a `run(args, terminal) -> exit code`."""

    module: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    examples: str = ""


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, help="the app's port (default: the first free one from 7860)")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="recorded hub answers to serve in place of the samples"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address without opening it")


def _hubs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=0, help="first of four ports in a row (default: free ones)")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="recorded hub answers to serve in place of the samples"
    )


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1; every one with --hosted)")
    parser.add_argument("--port", type=_port, help="default: the first free one from 7860")
    parser.add_argument("--hosted", action="store_true", help="for strangers: no downloads to this machine's library")


def _search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT", help='what to look for; "" lists')
    parser.add_argument("--hub", action="append", default=[], metavar="H", help="civitai, huggingface or replicate")
    parser.add_argument("--base", action="append", default=[], metavar="B", help="base model or architecture")
    parser.add_argument(
        "--kind", action="append", default=[], metavar="K", help="character, style, concept, control..."
    )
    parser.add_argument("--sort", metavar="S", help="relevance (default), downloads, likes or newest")
    parser.add_argument("--limit", type=_count, default=200, metavar="N", help="results in all (default: 200)")
    parser.add_argument(
        "--nsfw",
        default="soft",
        metavar="LEVEL",
        help="at most safe (what is rated so), soft (default; and what nobody rated), mature or explicit",
    )
    parser.add_argument("--offline", action="store_true", help="search what was seen before, ask no hub")
    _json(parser)


def _show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="REF", help="a web address, or HUB:ID")
    _json(parser)


def _inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", metavar="PATH|URL|REF", help="a .safetensors here, at a web address, or on a hub"
    )
    _json(parser)


def _pull(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("refs", nargs="+", metavar="REF", help="a web address, or HUB:ID")
    parser.add_argument(
        "--names", metavar="T", help="how files are named (default: {architecture}/{creator}/{title}-{version})"
    )
    _library(parser)
    _json(parser)


def _sync(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--frozen",
        action="store_true",
        help="for CI: also ask the hubs whether they still have the same bytes for files that are here",
    )
    _library(parser)
    _json(parser)


def _on_library(parser: argparse.ArgumentParser) -> None:
    _library(parser)
    _json(parser)


def _remove(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("refs", nargs="+", metavar="REF", help="a LoRA of the library")
    parser.add_argument("--keep-file", action="store_true", help="take it out of the lock file only")
    parser.add_argument("--yes", action="store_true", help="delete files, too, that no hub is known to have")
    _library(parser)
    _json(parser)


def _diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", type=Path, metavar="A", help="a lock file, or a library folder")
    parser.add_argument("new", type=Path, metavar="B", help="another")
    _json(parser)


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("refs", nargs="*", metavar="REF", help="LoRAs of the library (default: all of them)")
    parser.add_argument(
        "--for", dest="tool", required=True, choices=("a1111", "comfyui", "diffusers"), help="the program that reads it"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: beside the weight files")
    parser.add_argument("--force", action="store_true", help="overwrite files that hub-ui did not write")
    _library(parser)
    _json(parser)


def _import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of LoRA files; nothing is written into it")
    parser.add_argument("--offline", action="store_true", help="look in what was seen before only, ask no hub")
    _library(parser)
    _json(parser)


def _try(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "refs", nargs="*", metavar="REF|PATH", help="a web address, HUB:ID, or a .safetensors; pulled if it isn't here"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.png", help="where it goes; a clip becomes an animated PNG")
    parser.add_argument("--again", type=Path, metavar="FILE.png", help="make the image of that file once more")
    _picture(parser.add_argument_group("the picture"))
    _compare(parser.add_argument_group("comparisons"))
    _steer(parser.add_argument_group("a picture that steers"))
    _place(parser.add_argument_group("where it is made"))
    _library(parser)
    _json(parser)


def _picture(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--prompt", action="append", default=[], metavar="T", help="what the image shows; several make rows of a grid"
    )
    group.add_argument(
        "--weight",
        type=_number,
        action="append",
        default=[],
        metavar="W",
        help="strength of the LoRA, once a REF or once for all (default: its author's, else 1)",
    )
    group.add_argument(
        "--no-trigger-words", action="store_true", help="take the prompt as it is, without the trigger words put in"
    )
    group.add_argument("--negative", metavar="T", help="what the image must not show")
    group.add_argument("--seed", type=_seed, metavar="N", help="the same number makes the same image (default: any)")
    group.add_argument("--steps", type=_count, metavar="N", help="default: the base's own")
    group.add_argument("--guidance", type=_number, metavar="G", help="how closely the prompt is followed (CFG scale)")
    group.add_argument("--size", type=_size, metavar="WxH", help="in pixels, 1024x768 for example")
    group.add_argument("--sampler", metavar="NAME", help='as A1111 or ComfyUI call it: "DPM++ 2M Karras"')
    group.add_argument("--frames", type=_count, metavar="N", help="length of a clip, on a base that draws films")


def _compare(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--sheet",
        choices=("pair", "strip", "trigger", "both", "grid"),
        help="from one seed, as one labelled image: without / with; a strip of weights; trigger words off / on; two "
        "LoRAs and both; prompts x weights",
    )
    group.add_argument(
        "--weights-of", type=_weights, default=[], metavar="W,W...", help="a strip's or grid's (default: 0 to 1.2)"
    )
    group.add_argument("--cells", type=Path, metavar="DIR", help="write each image of the sheet there, too")


def _steer(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--control", type=Path, metavar="FILE", help="for control LoRAs, and bases that change pictures")
    group.add_argument(
        "--control-kind",
        choices=("canny", "depth", "pose", "ready"),
        default="canny",
        help="what is made of it: edges (default), depth, a pose; ready: it is a control picture already",
    )


def _place(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--base",
        metavar="B",
        help="base model: an id, a Hugging Face repo, a folder or a .safetensors checkpoint (default: the LoRA's own)",
    )
    group.add_argument(
        "--fetch", action="store_true", help="download a base model of over 1 GB without asking, if it isn't here"
    )
    group.add_argument(
        "--on", choices=("local", "replicate"), default="local", help="where it is made; Replicate costs money"
    )
    group.add_argument("--yes", action="store_true", help="spend the money on Replicate without being asked")
    group.add_argument(
        "--estimate", action="store_true", help="say how long it takes and what would be downloaded, make nothing"
    )


def _train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pictures",
        nargs="?",
        type=Path,
        metavar="FOLDER|ZIP",
        help="pictures, each with a caption NAME.txt if it has one",
    )
    parser.add_argument(
        "--destination", metavar="OWNER/NAME", help="your model on Replicate; made, private, if it is new"
    )
    parser.add_argument("--trigger", metavar="WORD", help="a word that is no real one; it will call the LoRA")
    parser.add_argument("--rank", type=_count, default=16, metavar="N", help="1 to 128 (default: 16)")
    parser.add_argument("--steps", type=_count, default=1000, metavar="N", help="3 to 6000 (default: 1000)")
    parser.add_argument("--yes", action="store_true", help="spend the money without being asked")
    parser.add_argument("--follow", metavar="ID", help="go on with a training that was started before")
    parser.add_argument("--cancel", metavar="ID", help="stop a training")
    _json(parser)


def _library(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--library", type=Path, metavar="DIR", help="folder of LoRA files")
    parser.add_argument("--lock", type=Path, metavar="FILE", help="lock file (default: loras.lock in the library)")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


_TRY_EXAMPLES = """\
examples (with LoRAs of the demo):
  hub-ui try civitai:900103 --prompt "a robot on a hill" --seed 7 --out robot.png
  hub-ui try civitai:900103 --prompt "a robot" --sheet strip --weights-of 0,0.5,1 --out strip.png
  hub-ui try --again robot.png --out again.png
"""

COMMANDS: dict[str, Command] = {
    "demo": Command(
        module="hub_ui.commands.demo", help="try everything: no account, no internet, no GPU", arguments=_demo
    ),
    "hubs": Command(module="hub_ui.commands.hubs", help="run only the local hubs of the demo", arguments=_hubs),
    "serve": Command(module="hub_ui.commands.serve", help="the app on the real hubs", arguments=_serve),
    "search": Command(module="hub_ui.commands.search", help="look for LoRAs on all hubs", arguments=_search),
    "show": Command(module="hub_ui.commands.show", help="everything known about one LoRA", arguments=_show),
    "inspect": Command(
        module="hub_ui.commands.inspect", help="what a file proves about itself, without loading it", arguments=_inspect
    ),
    "pull": Command(module="hub_ui.commands.pull", help="download into the library, pinned", arguments=_pull),
    "sync": Command(module="hub_ui.commands.sync", help="make the library what its lock file says", arguments=_sync),
    "verify": Command(
        module="hub_ui.commands.verify", help="hash every file again: missing, changed, foreign", arguments=_on_library
    ),
    "outdated": Command(
        module="hub_ui.commands.outdated", help="newer versions, replaced files, what is gone", arguments=_on_library
    ),
    "remove": Command(module="hub_ui.commands.remove", help="take LoRAs out of the library", arguments=_remove),
    "diff": Command(module="hub_ui.commands.diff", help="what tells two lock files apart", arguments=_diff),
    "licenses": Command(
        module="hub_ui.commands.licenses", help="what the library's licences permit together", arguments=_on_library
    ),
    "export": Command(
        module="hub_ui.commands.export", help="trigger words, weight and picture for other programs", arguments=_export
    ),
    "import": Command(
        module="hub_ui.commands.import_", help="recognise LoRAs that are on the disk already", arguments=_import
    ),
    "try": Command(
        module="hub_ui.commands.try_out",
        help="make an image with LoRAs applied",
        arguments=_try,
        examples=_TRY_EXAMPLES,
    ),
    "train": Command(
        module="hub_ui.commands.train", help="make a LoRA of pictures, on Replicate, for money", arguments=_train
    ),
}
_EPILOG = """\
A REF is a web address of a LoRA, or huggingface:OWNER/NAME[@COMMIT][#FILE], civitai:MODEL[@VERSION][#FILE_ID],
replicate:OWNER/NAME[@VERSION_HASH], or local:NAME for a file that import entered. OWNER/NAME alone means Hugging Face,
unless a file or folder of that name is there.

Exit codes: 0 done, 1 other, 2 usage, 3 needs a key or access, 4 not found, 5 network, 6 rate limited, 7 integrity.
Environment: HUB_UI_HOME, HUB_UI_NAMES, HUB_UI_CONNECTIONS; the keys HF_TOKEN, CIVITAI_TOKEN, REPLICATE_API_TOKEN; other
hub addresses in HF_ENDPOINT, CIVITAI_ENDPOINT, REPLICATE_ENDPOINT.
"""


class _Parser(argparse.ArgumentParser):
    """Raises UsageError in place of exiting, so that --json answers hold for a typing mistake too."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. Try: {self.prog} --help")


class _Version(argparse.Action):
    """Looked up only when asked: it is known of an installed package, and a checkout runs without that."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        try:
            print(f"hub-ui {version('hub-ui')}")
        except PackageNotFoundError:
            print("hub-ui, not installed")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="hub-ui",
        description="Search LoRAs on Hugging Face, CivitAI and Replicate, download them pinned, and try them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        own = commands.add_parser(
            name,
            help=command.help,
            description=command.help,
            epilog=command.examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.arguments(own)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    options = words[: words.index("--")] if "--" in words else words
    terminal = Terminal(out=_stream(sys.stdout), err=_stream(sys.stderr), json="--json" in options)
    try:
        return _run(words, terminal)
    except KeyboardInterrupt:
        # The shell writes on where half a line of progress stands.
        terminal.rewrite("")
        return INTERRUPTED
    except BrokenPipeError:
        _let_go_of_stdout()
        return PIPE_CLOSED


def _check_command(words: list[str]) -> None:
    """argparse would list all commands, and name none of them as the one that was meant."""
    name = next((word for word in words if not word.startswith("-")), None)
    if name is not None and name not in COMMANDS:
        raise UsageError(f"“{name[:40]}” is no command.{suggestion(name, COMMANDS)} Try: hub-ui --help")


def _run(words: list[str], terminal: Terminal) -> int:
    try:
        _check_command(words)
        args, unknown = build_parser().parse_known_args(words)
        if unknown:
            raise UsageError(f"unrecognized arguments: {' '.join(unknown)}. Try: hub-ui {args.command} --help")
        code: int = import_module(COMMANDS[args.command].module).run(args, terminal)
        terminal.out.flush()
    except HubUiError as error:
        return _told(error, terminal)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _told(HubUiError(_said(error)), terminal)
    return code


def _told(error: HubUiError, terminal: Terminal) -> int:
    """The error itself may be that standard output takes nothing (a full disk behind it)."""
    terminal.rewrite("")
    try:
        terminal.error(error)
        terminal.out.flush()
    except BrokenPipeError:
        raise
    except OSError:
        _let_go_of_stdout()
    return error.exit_code


def _said(error: OSError) -> str:
    place = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{place}"


def _let_go_of_stdout() -> None:
    """Python flushes standard output once more at exit; what is left must not raise a second time."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stream(stream: TextIO | None) -> TextIO:
    """A closed stream (None) swallows; a character its encoding lacks becomes a question mark."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return stream


def _port(text: str) -> int:
    return _between(text, 0, 65_535)


def _count(text: str) -> int:
    return _between(text, 1, 10_000)


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.lower().partition("x")
    if not cross:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no size, such as 1024x768")
    return _between(width, 16, 4096), _between(height, 16, 4096)


def _weights(text: str) -> list[float]:
    try:
        return [_number(part) for part in text.split(",")]
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} are no weights, such as 0,0.5,1") from None


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number, such as 0.8")
    return number


def _seed(text: str) -> int:
    return _between(text, 0, 2**63 - 1)


def _between(text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number from {least} to {most}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
