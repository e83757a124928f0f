# SPDX-License-Identifier: GPL-2.0
"""What judges: python3 scripts/judge COMMAND ...

    report LOGDIR                       the verdict on one boot
    archs TREE [--table|--booted]       the last runs; "ARCH 32|none" of each on stdin
    merge BASE-SELFTESTS ARCH=LOG...    the record of the base's own selftests
    figures LOG OBJECTS CROSS [locked]  what a boot of the bench measured
    repeats FIGURES FIGURES             how far two boots of one kernel are apart
    table NAME=LOG...                   the bench's columns, base and series first
"""

import io
import sys
from pathlib import Path

import archs
import base
import bench
import verdict
from host import BYTES, Died, Exit, die, lines


def merge(tests: str, *runs: str) -> Exit:
    flaky = {line.removeprefix("flaky ") for line in lines(Path(tests)) if line.startswith("flaky ")}
    logs: dict[str, list[Path]] = {}
    for run in runs:
        arch, _, log = run.partition("=")
        logs.setdefault(arch, []).append(Path(log) / "results")
    print("\n".join(base.merge(flaky, logs)))
    return Exit.PASS


def main(command: str = "", *args: str) -> int:
    match command, args:
        case "report", (log,):
            return verdict.main(Path(log))
        case "archs", (tree, *options) if len(options) < 2:
            return archs.main(tree, sys.stdin.read().splitlines(), *options)
        case "merge", (tests, _, *_):
            return merge(tests, *args[1:])
        case "figures", (log, objects, cross, *locked) if len(locked) < 2:
            return bench.figures(Path(log), Path(objects), cross, bool(locked))
        case "repeats", (first, second):
            return bench.repeats(Path(first), Path(second))
        case "table", (_, _, *_):
            return bench.table([(name, Path(log)) for name, _, log in (a.partition("=") for a in args)])
    die(Exit.USAGE, __doc__ or "")


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding=BYTES)
    try:
        sys.exit(main(*sys.argv[1:]))
    except Died as death:
        print(f"judge: {death}", file=sys.stderr)
        sys.exit(death.code)
