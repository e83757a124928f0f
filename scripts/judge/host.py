# SPDX-License-Identifier: GPL-2.0
"""Where things are, exit codes and messages: what scripts/common.sh is for bash."""

import enum
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NSTREE_BUILD") or TOP / "build")
RECORD = Path(os.environ.get("BASE_RESULTS") or TOP / "configs/base-selftests.results")
SKIPS = Path(os.environ.get("ALLOWED_SKIPS") or TOP / "scripts/allowed-skips")
BYTES = "latin-1"  # a byte is a character, and comes out as it was

Exit = enum.IntEnum("Exit", "PASS FAIL USAGE SPLAT LOST TIMEOUT BUILD", start=0)


def die(code: Exit, message: str) -> NoReturn:
    print(f"judge: {message}", file=sys.stderr)
    raise SystemExit(int(code))


def stamp() -> str:
    """The time since the outermost script began, as say() of common.sh has it."""
    now = int(time.time())
    seconds = now - int(os.environ.get("NSTREE_T0", now))
    return f"[{seconds // 60:02}:{seconds % 60:02}]"


def lines(path: Path) -> list[str]:
    """None if it is not there. Not by splitlines(), for which a form feed ends a line, too."""
    text = path.read_bytes().decode(BYTES) if path.exists() else ""
    return text.removesuffix("\n").split("\n") if text else []


def info(log: Path) -> dict[str, str]:
    """LOG/run: what boot.sh says of a boot."""
    return dict(line.split("=", 1) for line in lines(log / "run") if "=" in line)
