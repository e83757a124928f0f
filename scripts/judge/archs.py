# SPDX-License-Identifier: GPL-2.0
"""The architectures, with the result of the last complete run of each.

How many tests passed: of the series as 64- and as 32-bit programs, of the base's own,
and with DEBUG=1, those of the series + those of the base. "-" is for what was not run, *
for a run of another series, or of a kernel or command line that was given by hand.

--table is for RESULTS.md: what has a * does not count, and it fails if a test did or was
not run. --booted is for configs/bases: where this very tree passed, and when.
"""

import sys
from collections import Counter
from pathlib import Path

import base
from host import BUILD, RECORD, Exit, die, info, lines


def complete(mode: str, log: Path) -> bool:
    """Whether it is a boot of all tests that has a verdict."""
    run = info(log)
    return (log / "summary").exists() and (run.get("mode"), run.get("test")) == (mode, "")


def own(tree: str, log: Path) -> bool:
    """Whether it is of this tree, and nothing about it was done by hand."""
    run = info(log)
    return run.get("tree") == tree and not run.get("dirty") and not run.get("by_hand")


def failed(log: Path) -> bool:
    return lines(log / "summary")[0].split()[1] != "0"


def cell(mode: str, log: Path, tree: str, table: bool, collection: str = "") -> str:
    """What a boot gave. One that is red and has no test to blame is red as a whole."""
    if not complete(mode, log):
        return "-"
    foreign = "" if own(tree, log) else "*"
    if foreign and table:
        return "-"
    count: Counter[str] = Counter()
    blamed = False
    for line in lines(log / "records"):
        kind, name, *_ = line.split("\t")
        blamed |= kind == "F"
        count[kind] += name.startswith(collection)
    if count["F"]:
        return f"{count['F']} FAILED{foreign}"
    if failed(log) and not blamed:
        return "FAILED" + foreign
    skipped = f", {count['S']} skipped" if count["S"] else ""
    return f"{count['P']}{skipped}{foreign}" if count["P"] else "-"


def row(arch: str, compat: bool, tree: str, table: bool, with_base: bool) -> list[str]:
    log, debug_log = BUILD / arch / "log", BUILD / f"{arch}-debug/log"
    # What there is nothing of is no gap.
    cells = [cell("test", log, tree, table, "namespaces:"),
             cell("test", log, tree, table, "namespaces32:") if compat else "none",
             cell("base", log / "base", tree, table) if with_base else "none",
             cell("test", debug_log, tree, table)]
    if with_base and cells[3] != "-":
        cells[3] += " + " + cell("base", debug_log / "base", tree, table)
    return [arch, *cells, info(log).get("date", "-")]


def booted(tree: str, arches: list[str]) -> str:
    logs = [(arch, BUILD / arch / "log") for arch in arches]
    green = [(arch, info(log).get("date", "")) for arch, log in logs
             if complete("test", log) and own(tree, log) and not failed(log)]
    return f"{','.join(arch for arch, _ in green)},{green[-1][1]}" if green else ""


def main(tree: str, option: str = "") -> Exit:
    """On stdin is "name 32" of each, or "name none" where there are no 32-bit programs."""
    arches = sys.stdin.read().splitlines()
    if option == "--booted":
        print(booted(tree, [line.split()[0] for line in arches]))
        return Exit.PASS
    if option not in ("", "--table"):
        die(Exit.USAGE, "usage: archs.sh [--table]")
    if not RECORD.exists():
        die(Exit.BUILD, f"{RECORD} is not there: git checkout it, or scripts/base-selftests.sh record")
    with_base = base.recorded_arches(RECORD)
    rows = [["architecture", "tests", "32-bit programs", "base's tests", "debug kernel", "date"]]
    for arch, compat in (line.split() for line in arches):
        rows.append(row(arch, compat != "none", tree, bool(option), arch in with_base))
    for nr, cells in enumerate(rows):
        if option:
            print(f"| {' | '.join(cells)} |")
            if nr == 0:
                print("|---" * len(cells) + "|")
        else:
            print("{:<10} {:<20} {:<20} {:<20} {:<24} {}".format(*cells))
    gaps = any("FAILED" in text or text.startswith("-") or "+ -" in text for cells in rows[1:] for text in cells[1:5])
    return Exit.FAIL if option and gaps else Exit.PASS
