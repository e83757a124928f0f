# SPDX-License-Identifier: GPL-2.0
"""The statistics of scripts/bench.sh.

A column is the log of a boot: "  bench KEY AMOUNT UNITS" in report.ktap, and in
plain/report.ktap; "locked", which the plugin (scripts/host/locked.c) writes. What comes
out is LOG/figures, "KEY AMOUNT UNITS" a line, and for people LOG/locked.txt: locked
operations by function, "ALL SHARED FUNCTION".
"""

import bisect
import subprocess
import sys
from collections import Counter
from pathlib import Path

from host import Exit, die, lines, stamp

SYMBOL = frozenset("tTwW")
Figures = dict[str, tuple[float, float]]


def read(path: Path) -> Figures:
    words = (line.split() for line in lines(path))
    return {key: (float(amount), float(units)) for key, amount, units in words}


def symbols(text: list[str]) -> list[tuple[int, str]]:
    """Functions, of what nm prints."""
    words = (line.split() for line in text)
    return sorted((int(w[0], 16), w[2]) for w in words if len(w) > 2 and w[1] in SYMBOL)


def nm(files: list[Path], cross: str) -> set[str]:
    listed = subprocess.run([cross + "nm", "--defined-only", *files], check=True, capture_output=True, text=True)
    return {name for _, name in symbols(listed.stdout.splitlines())}


def locked_by_pc(raw: list[tuple[int, int, int, int]]) -> dict[int, tuple[float, float]]:
    """Per fork, and of a task on lines that at least nine of ten tasks had to do with."""
    shared = {(phase, line) for phase, pc, line, count in raw if pc == 0 and count >= 180}  # of 200 steps
    fork: Counter[int] = Counter()
    common: Counter[int] = Counter()
    for phase, pc, line, count in raw:
        if pc and phase == 1:
            fork[pc] += count
        elif pc and (phase, line) in shared:
            common[pc] += count
    return {pc: (fork[pc] / 1000, common[pc] / 200) for pc in {*fork, *common}}


def by_function(pcs: dict[int, tuple[float, float]], functions: list[tuple[int, str]],
                memory: set[str]) -> list[tuple[int, int, str]]:
    """Each function rounded, against what timers and RCU do now and then, and not those in mm/.

    How many there are in mm/ depends on how full pages, slabs and lists of pages happen to
    be, and changes by some units from boot to boot of kernels that hardly differ; so it
    does for the trylocks, which are those of mm/.
    """
    starts = [start for start, _ in functions]
    sums: dict[str, list[float]] = {}
    for pc, (fork, common) in sorted(pcs.items()):
        found = bisect.bisect_right(starts, pc)
        name = functions[found - 1][1] if found else ""
        both = sums.setdefault(name, [0, 0])
        both[0] += fork
        both[1] += common
    rounded = [(int(fork + 0.5), int(common + 0.5), name) for name, (fork, common) in sums.items()
               if name not in memory and "trylock" not in name]
    return sorted((r for r in rounded if r[0] + r[1]), key=lambda r: (-r[0], r[2]))


def locked(log: Path, objects: Path, cross: str, ids: Figures) -> list[str]:
    """What the plugin left, as figures."""
    text = lines(log / "locked")
    if text[-1:] == ["unsupported"]:
        print(f"{stamp()} note: no locked operations: the plugin cannot tell them here", file=sys.stderr)
        return []
    if text[-1:] != ["end"]:
        die(Exit.FAIL, f"{log}/locked is not complete")
    raw = [(int(phase, 16), int(pc, 16), int(line, 16), int(count))
           for phase, pc, line, count in (row.split() for row in text[:-1])]
    pcs = locked_by_pc(raw)
    out = [f"locked_all {sum(fork for fork, _ in pcs.values()):.1f} 1"]
    out += [f"boot_init {count} 1" for phase, _, _, count in raw if phase == 0 and count > 0]
    if "ids_all" in ids:
        read_lines = Counter(phase for phase, pc, _, _ in raw if pc == 0)
        for phase, key in ((5, "all"), (6, "owner")):
            n = ids["ids_" + key][0]
            # No two namespaces are on one line: with less, the plugin does not see them.
            if read_lines[phase] < n:
                die(Exit.FAIL, f"{log}/locked: {n:.0f} ids were listed from {read_lines[phase]} cache lines")
            out.append(f"lines_{key} {read_lines[phase]} {n:.0f}")
    if (objects / "System.map").is_file():
        memory = nm(sorted((objects / "mm").glob("*.o")), cross)
        rows = by_function(pcs, symbols(lines(objects / "System.map")), memory)
        (log / "locked.txt").write_text("".join(f"{fork} {common} {name}\n" for fork, common, name in rows))
        forks, commons = sum(r[0] for r in rows), sum(r[1] for r in rows)
        if forks and commons:
            out += [f"locked_fork {forks} 1", f"locked_shared {commons} 1"]
    return out


def figures(where: str, objects: str, cross: str, with_locked: str = "") -> Exit:
    log, out = Path(where), []
    for report in (log / "report.ktap", log / "plain/report.ktap"):
        out += [line[8:] for line in lines(report) if line.startswith("  bench ")]
    # A nanosecond must be an instruction, or the rest means nothing.
    clocks = [line.split()[1:] for line in out if line.startswith("clock ")]
    if not clocks or not all(0.99 * float(want) < float(ns) < 1.02 * float(want) for ns, want in clocks):
        die(Exit.FAIL, f"{log}: a million instructions take {' '.join(ns for ns, _ in clocks)} ns by the"
            f" guest's clock: is its clocksource a counter? See {log}/console.log")
    (log / "figures").write_text("\n".join(out + [""]))
    if with_locked:
        out += locked(log, Path(objects), cross, read(log / "figures"))
        (log / "figures").write_text("\n".join(out + [""]))
    return Exit.PASS


def repeats(first: str, second: str) -> Exit:
    """How far two boots of one kernel are apart: half a percent at the most."""
    before, after = read(Path(first)), read(Path(second))
    bad = not after or before.keys() != after.keys()
    for key, (amount, _) in after.items():
        was = before.get(key, (0.0, 0.0))[0]
        apart = 100 * abs(amount - was) / max(amount, 1e-9)
        print(f"  {key:20} {was:12.0f} {amount:12.0f}  {apart:.3f}%")
        bad |= apart > 0.5
    return Exit.FAIL if bad else Exit.PASS


def differences(base: Path, series: Path) -> list[str]:
    """The functions that are not the same in two locked.txt."""
    both = [{name: (int(n), int(common)) for n, common, name in (line.split() for line in lines(path))}
            for path in (base, series)]
    out = [f"{'locked operations that differ, outside mm/':<38} {'base':>10} {'(shared)':>10}"
           f" {'series':>10} {'(shared)':>10}"]
    for name in sorted({*both[0], *both[1]}):
        was, now = both[0].get(name, (0, 0)), both[1].get(name, (0, 0))
        if was != now:
            out.append(f"  {name:36} {was[0]:10} {was[1]:10} {now[0]:10} {now[1]:10}")
    return out


def shown(x: float | None) -> str:
    if x is None:
        return "-"
    return f"{int(x + 0.5)}" if x >= 1000 else f"{x:.2f}" if x < 10 else f"{x:.1f}"


def limit(goal: str, base: float | None, series: dict[str, float]) -> float | None:
    """What the series may cost; None if there is no goal."""
    if goal == "-":
        return None
    if not goal.startswith("+"):
        return float(goal)
    percent, _, other = goal[1:].partition("%/")
    start = series.get(other, 0.0) if other else base if base is not None else -1.0
    return start * (1 + float(percent.rstrip("%")) / 100)


def table(*args: str) -> Exit:
    """Red if a goal is missed (!) or a figure is lacking (?)."""
    columns = [(name, Path(log)) for name, _, log in (arg.partition("=") for arg in args)]
    per_unit = [{key: n / units for key, (n, units) in read(log / "figures").items()} for _, log in columns]
    series = per_unit[1]
    goals = [line.split(None, 2) for line in lines(Path(__file__).with_name("goals")) if line[:1] != "#"]
    with_locked = "locked_all" in series
    if with_locked:
        print("\n".join(differences(columns[0][1] / "locked.txt", columns[1][1] / "locked.txt")) + "\n")
    else:
        goals = [goal for goal in goals if not goal[0].startswith(("locked_", "boot_"))]

    heads = [f"{name:>10}" for name, _ in columns]
    print(" ".join([f"{'work (instructions)':42}", *heads[:2], f"{'ratio':>7} {'goal':>8} ", *heads[2:]]))
    missed = lacking = 0
    for key, goal, work in goals:
        cells = [column.get(key) for column in per_unit]
        base, new = cells[:2]
        most = limit(goal, base, series)
        mark = "?" if new is None else "!" if most is not None and new > most else " "
        missed += mark == "!"
        lacking += mark == "?"
        ratio = f"{new / base:.3f}" if new and base else "-"
        figure = [f"{shown(cell):>10}" for cell in cells]
        print(" ".join([f"{work:42}", *figure[:2], f"{ratio:>7} {goal.split('/')[0]:>8}{mark}", *figure[2:]]))
    for count, what in (missed, "goals missed (!)"), (lacking, "figures lacking (?)"):
        if count:
            print(count, what)
    if missed or lacking:
        return Exit.FAIL
    without = ", but those of locked operations and of the boot were not measured: see the notes above"
    print("all goals met" + ("" if with_locked else without))
    return Exit.PASS
