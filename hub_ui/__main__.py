"""Where the program `hub-ui` and `python -m hub_ui` begin."""

import gc
import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

CONNECTORS = Path(__file__).parents[1] / "connectors" / "__init__.py"


def main() -> int:
    """Until the command line is loaded, and once it is done, Ctrl-C ends the program without a traceback."""
    if problem := foreign_connectors():
        print(f"hub-ui: {problem}", file=sys.stderr)
        return 1
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    cli = import_module("hub_ui.commands.cli")
    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    code: int = cli.main()
    # It goes with the program: to look through all of it for garbage takes seconds.
    gc.freeze()
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return code


def foreign_connectors() -> str:
    """What to do where `connectors` is not hub-ui's own, but a package of PyPI that has the same name. Else empty."""
    spec = find_spec("connectors")
    found = Path(spec.origin) if spec and spec.origin else None
    if found and found.resolve() != CONNECTORS.resolve():
        return (
            f"Python finds another package “connectors” before hub-ui's own: {found.parent}. Uninstall it "
            f"({sys.executable} -m pip uninstall connectors), rename it, or take its folder out of PYTHONPATH."
        )
    if found and "\ndef build(" in found.read_text(encoding="utf-8"):
        return ""
    return (
        f"Another package “connectors” was installed over hub-ui's own in {CONNECTORS.parent}. Uninstall it "
        f"({sys.executable} -m pip uninstall connectors), then install hub-ui again from its folder: "
        f"{sys.executable} -m pip install --force-reinstall --no-deps ."
    )


if __name__ == "__main__":
    sys.exit(main())
