"""Prints the figures of every bench_*.py beside this file, each in a Python of its own. Names given choose:
`... start federation`. The exit code tells whether all are good.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ONE = """
import sys
from tests.tools.benchmarks import {name}, figures
sys.exit(figures.report({name}.figures()))
"""


def main(chosen: list[str]) -> int:
    names = [path.stem for path in sorted(HERE.glob("bench_*.py"))]
    wanted = [name for name in names if not chosen or name.removeprefix("bench_") in chosen]
    done = [subprocess.run([sys.executable, "-c", ONE.format(name=name)], check=False) for name in wanted]
    return max((each.returncode for each in done), default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
