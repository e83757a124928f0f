# SPDX-License-Identifier: GPL-2.0
"""The console of a guest: what only a sick kernel prints."""

import re
from pathlib import Path

from host import lines

# testdata/splats has an example of each.
SPLATS = (
    "WARNING:", r"\bBUG[: ]", "Oops", "Kernel panic", "kernel BUG at", "cut here",
    "Internal error:", "general protection fault, ", "Unable to handle kernel",
    "[Dd]ouble fault", "Call [Tt]race:", "Bad page state", "list_(add|del) corruption",
    # lockdep and RCU
    "possible (circular|recursive) locking", "possible deadlock", "possible irq",
    "inconsistent lock state", "-unsafe lock order", "suspicious RCU usage",
    "held lock freed", "lock held when returning", "bad unlock balance",
    "Invalid wait context", "MAX_[A-Z_]* too low", "nested lock was not taken",
    "INFO: trying to register non-static key", "turning off the locking correctness",
    "self-detected stall", "detected (expedited )?stalls?", "rcu.*kthread starved",
    # sanitizers and checkers
    "KASAN:", "UBSAN:", "KCSAN:", "KMSAN:", "KFENCE:", "refcount_t:", "ODEBUG: [^s]",
    "unreferenced object", "percpu ref .* <= 0",
    "ref_tracker: [^m]", "waiting for .* to become free",
    # scheduling
    "blocked for more than", "(soft|hard) lockup", "hard LOCKUP", "scheduling while atomic",
    "sleeping function called from invalid", "bad: scheduling from the idle thread",
    "Out of memory:", "workqueue lockup", "nobody cared",
    # what could be sick and cannot be seen any more
    "kmemleak: Kernel memory leak detector disabled", "printk messages dropped",
)
SPLAT = re.compile("|".join(SPLATS), re.ASCII)
SPLAT_END = re.compile(r"---\[ end (trace|Kernel panic)|</TASK>")


def read(path: Path) -> list[str]:
    return [line.replace("\r", "") for line in lines(path)]


def without_injected(console: list[str]) -> list[str]:
    """Without what allocations that fail on purpose leave there (nsactive_fault_test).

    vmalloc() is alone in telling where, in a report that ends with Mem-Info. Whatever
    else is between is still seen.
    """
    out = list(console)
    begin: int | None = None
    for nr, line in enumerate(console):
        if re.search("vmalloc error: .* failed", line):
            begin = nr
        if "Mem-Info:" in line:
            if begin is not None and nr - begin <= 150:
                for i in range(begin, nr):
                    if re.search("Call [Tt]race:", out[i]):
                        out[i] = ""
            begin = None
    return out


def first_splat(console: list[str]) -> int | None:
    """The index of its line."""
    return next((nr for nr, line in enumerate(console) if SPLAT.search(line)), None)


def around(console: list[str], splat: int) -> list[str]:
    """With what leads to it and what follows, up to its end."""
    for nr in range(splat + 3, min(splat + 81, len(console))):
        if SPLAT_END.search(console[nr]):
            return console[max(splat - 3, 0) : nr + 1]
    return console[max(splat - 3, 0) : splat + 81]
