# SPDX-License-Identifier: GPL-2.0
"""The report of a guest, which scripts/guest/init.c writes: what is in it."""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

RESULT = re.compile(r"(?P<no>not )?ok (?P<nr>[0-9]\S*) *(?:- *)?(?P<name>.*?)(?: +# +(?P<why>.*))?$")
KEPT = 40  # lines of output: the end of what goes on for ever tells most


@dataclass
class Result:
    """One case, or a program as a whole."""

    name: str
    ok: bool
    why: str
    details: list[str]

    @property
    def skip(self) -> bool:
        return self.ok and self.why.startswith("SKIP")


@dataclass
class Program:
    """A program with its cases; without a result, the guest ended in the middle of it."""

    name: str
    plan: int | None = None
    cases: list[Result] = field(default_factory=list)
    result: Result | None = None

    @property
    def complete(self) -> bool:
        return bool(self.cases) and len(self.cases) == self.plan

    @property
    def counted(self) -> str:
        return f"{len(self.cases)} results of {planned(self.plan)}"


@dataclass
class Report:
    programs: list[Program] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    plan: int | None = None
    end: str | None = None  # the nonce
    health: str = "no health line in the report"
    bail: str = ""
    malformed: str = ""

    def fault(self, nonce: str) -> tuple[str, str]:
        """What is wrong with it as a whole: "lost", "sick", "fail" or nothing, and why."""
        done = sum(p.result is not None for p in self.programs)
        if self.end is None:
            running = [f"; {p.name} was running" for p in self.programs if p.name and not p.result]
            return "lost", "no end line in the report" + "".join(running)
        if self.end != nonce:
            return "lost", f"the end line has nonce {self.end}, this boot had {nonce}"
        if self.health != "ok":
            return "sick", self.health
        if self.malformed:
            return "fail", "malformed report: " + self.malformed
        if not self.plan or done != self.plan:
            return "fail", self.bail or f"incomplete: {done} results of {planned(self.plan)}"
        return "", ""


def planned(plan: int | None) -> str:
    return "no plan" if plan is None else f"{plan} planned"


def parse(text: Iterable[str]) -> Report:
    """Counts anew, whatever init made of it."""
    report = Report(malformed='it does not start with "KTAP version 1"')
    current: Program | None = None
    details: deque[str] = deque(maxlen=KEPT)
    done = 0

    for nr, line in enumerate(text):
        line = line.removesuffix("\r")
        if nr == 0:
            if line == "KTAP version 1":
                report.malformed = ""
        elif report.end is not None:
            report.malformed = "there is something after the end line"
        elif line.startswith("  "):
            line = line[2:]
            if current and current.plan is None and (plan := re.match(r"1\.\.([0-9]+)", line)):
                current.plan = int(plan[1])
            elif not (found := RESULT.match(line)):
                details.append(line)
            elif not current:
                report.malformed = "a result of no program: " + line
            else:
                current.cases.append(result(found, details, current.name + ":"))
        elif plan := re.fullmatch(r"1\.\.([0-9]+)", line):
            if report.plan is not None:
                report.malformed = "two plans"
            report.plan = report.plan if report.plan is not None else int(plan[1])
        elif found := RESULT.match(line):
            done += 1
            if found["nr"] != str(done):
                report.malformed = f"result {done} has another number: {line}"
            if not current:
                current = Program("")
                report.programs.append(current)
            current.result = result(found, details)
            current = None
        elif line == "# health ok" or line.startswith("# health: "):
            report.health = line[9:].lstrip()
        elif line.startswith("# end "):
            report.end = line[6:]
        elif line.startswith("Bail out!"):
            report.bail = line
        elif re.fullmatch(r"# [^ ]+:[^ ]+", line):
            current = Program(line[2:])
            report.programs.append(current)
            details.clear()
        elif line.startswith("# mode "):
            pass
        elif line.startswith("#"):
            report.notes.append(line[2:])
        else:
            report.malformed = "a line that is not KTAP: " + line
    return report


def result(found: re.Match[str], details: deque[str], prefix: str = "") -> Result:
    ok = not found["no"]
    out = Result(prefix + found["name"], ok, found["why"] or "", [] if ok else list(details))
    details.clear()
    return out
