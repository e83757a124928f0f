# SPDX-License-Identifier: GPL-2.0
"""Where things are, exit codes and messages: what scripts/common.sh is for bash."""

import enum
import os
import time
from pathlib import Path
from typing import NoReturn

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NSTREE_BUILD") or TOP / "build")
# Logs are bytes; each is a character here, and comes out as it was.
BYTES = "latin-1"


class Exit(enum.IntEnum):
    PASS = 0
    FAIL = 1
    USAGE = 2
    SPLAT = 3
    LOST = 4
    TIMEOUT = 5
    BUILD = 6


class Died(Exception):
    """Ends the program with a code, and a message that says how to put it right."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


def die(code: Exit, message: str) -> NoReturn:
    raise Died(code, message)


def stamp() -> str:
    """The time since the outermost script began, as say() of common.sh has it."""
    now = int(time.time())
    seconds = now - int(os.environ.get("NSTREE_T0", now))
    return f"[{seconds // 60:02}:{seconds % 60:02}]"


def lines(path: Path) -> list[str]:
    """Not splitlines(), for which a form feed ends a line, too."""
    text = path.read_bytes().decode(BYTES)
    return text.removesuffix("\n").split("\n") if text else []


def info(log: Path) -> dict[str, str]:
    """LOG/run: what boot.sh says of a boot."""
    path = log / "run"
    return dict(line.split("=", 1) for line in lines(path) if "=" in line) if path.exists() else {}
