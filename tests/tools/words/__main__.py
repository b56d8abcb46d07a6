"""`python -m tests.tools.words`: brings the catalogues up to date with the sources, and says what is left to translate.

New texts are added to each with an empty translation, and texts that are gone are removed.
"""

import sys

from hub_ui.base.i18n import LANGUAGES
from tests.tools.words.catalogues import find_faults, read_sources, update


def main() -> int:
    found = read_sources()
    update(found)
    faults = [fault for code in LANGUAGES if code != "en" for fault in find_faults(code, found)]
    print(f"{len(found)} texts, {len(faults)} to do")
    print("".join(f"    {fault}\n" for fault in faults), end="")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
