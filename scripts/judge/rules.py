# SPDX-License-Identifier: GPL-2.0
"""What became of each test of a boot, and which skips are allowed."""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ktap import Program


class Kind(enum.Enum):
    """The values are those of LOG/records."""

    PASSED = "P"
    FAILED = "F"
    SKIPPED = "S"
    KNOWN = "K"  # does not pass on the base either
    CHANGED = "A"  # another result than recorded of the base, and none to be afraid of


@dataclass
class Test:
    kind: Kind
    name: str
    why: str = ""
    details: list[str] = field(default_factory=list)


class Rules:
    """Which tests may be skipped: scripts/allowed-skips, and what the architecture lacks."""

    def __init__(self, boot: dict[str, str], skips: Iterable[str]) -> None:
        words = [line.split()[0] for line in skips if line.strip()]
        debug = boot.get("variant") == "debug"
        self.allowed = {w.removeprefix("!") for w in words if not (debug and w.startswith("!"))}
        self.mode, self.lacks = boot.get("mode"), boot.get("lacks", "").lower()

    def skipped(self, name: str, why: str) -> Test:
        why = re.sub("^SKIP *", "", why)
        program = name.rpartition(":")[0] or name
        if self.mode == "soak":
            return Test(Kind.FAILED, name, "skipped, and so nothing was repeated: " + why)
        if {name, program} & self.allowed or (self.lacks and self.lacks in why.lower()):
            return Test(Kind.SKIPPED, name, why)
        return Test(Kind.FAILED, name, "skipped, which scripts/allowed-skips does not allow: " + why)

    def program(self, program: Program) -> list[Test]:
        tests = []
        for case in program.cases:
            if case.skip:
                tests.append(self.skipped(case.name, case.why))
            else:
                kind = Kind.PASSED if case.ok else Kind.FAILED
                tests.append(Test(kind, case.name, case.why, case.details))
        result = program.result
        if not result:
            return tests
        name, why = result.name, result.why
        if not result.ok:
            # If its cases say why, that is enough.
            said = re.fullmatch("exit=1|[0-9]+ failed", why) and not all(c.ok for c in program.cases)
            if not said:
                tests.append(Test(Kind.FAILED, name, why or "not ok", result.details))
        elif result.skip and program.cases and not program.complete:
            tests.append(Test(Kind.FAILED, name, f"skips the rest after {program.counted}"))
        elif result.skip:
            tests.append(self.skipped(name, why))
        elif self.mode != "test":
            tests.append(Test(Kind.PASSED, name, why))
        elif not program.complete:
            tests.append(Test(Kind.FAILED, name, f"claims to be ok with {program.counted}"))
        return tests
