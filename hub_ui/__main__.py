"""Where the program `hub-ui` and `python -m hub_ui` begin."""

import signal
import sys
from importlib import import_module


def main() -> int:
    """Until the command line is loaded, and once it is done, Ctrl-C ends the program without a traceback."""
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    cli = import_module("hub_ui.cli")
    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    code: int = cli.main()
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return code


if __name__ == "__main__":
    sys.exit(main())
