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
from collections.abc import Callable

import archs
import base
import bench
import verdict
from host import BYTES, Exit, die

COMMANDS: dict[str, Callable[..., Exit]] = {
    "report": verdict.main, "archs": archs.main, "merge": base.main,
    "figures": bench.figures, "repeats": bench.repeats, "table": bench.table,
}

if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding=BYTES)
    if sys.argv[1:2] == [] or sys.argv[1] not in COMMANDS:
        die(Exit.USAGE, __doc__ or "")
    sys.exit(COMMANDS[sys.argv[1]](*sys.argv[2:]))
