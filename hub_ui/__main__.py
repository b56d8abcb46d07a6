"""The entry point of the program `hub-ui` and of `python -m hub_ui`."""

import gc
import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

CONNECTORS = Path(__file__).parents[1] / "connectors" / "__init__.py"


def main() -> int:
    """Run the command line and return its exit code.

    While the command line is loaded, and after it has run, Ctrl-C ends the program without a traceback.
    """
    if problem := foreign_connectors():
        print(f"hub-ui: {problem}", file=sys.stderr)
        return 1
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_default:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    cli = import_module("hub_ui.commands.cli")
    if is_default:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    code: int = cli.main()
    # Skip the garbage collection at exit, which costs seconds.
    gc.freeze()
    if is_default:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return code


def foreign_connectors() -> str:
    """Return an error message if `connectors` is the PyPI package of that name in place of hub-ui's, or ""."""
    spec = find_spec("connectors")
    path = Path(spec.origin) if spec and spec.origin else None
    if path and path.resolve() != CONNECTORS.resolve():
        return (
            f"Python finds another package “connectors” before hub-ui's own: {path.parent}. Uninstall it "
            f"({sys.executable} -m pip uninstall connectors), rename it, or take its folder out of PYTHONPATH."
        )
    if path and "\ndef build(" in path.read_text(encoding="utf-8"):
        return ""
    return (
        f"Another package “connectors” was installed over hub-ui's own in {CONNECTORS.parent}. Uninstall it "
        f"({sys.executable} -m pip uninstall connectors), then install hub-ui again from its folder: "
        f"{sys.executable} -m pip install --force-reinstall --no-deps ."
    )


if __name__ == "__main__":
    sys.exit(main())
