"""`python -m tests.architecture` prints the figures of the shipped source; `--found` lists what each one counts."""

import sys

from tests.architecture.figures import figures
from tests.architecture.sources import read_sources

if __name__ == "__main__":
    for figure in figures(read_sources()):
        print(figure)
        if "--found" in sys.argv:
            print("".join(f"    {line}\n" for line in figure.found), end="")
