# SPDX-License-Identifier: GPL-2.0
"""The verdict on one boot, from what boot.sh left: report.ktap, console.log and run.

Red is the default. Green takes positive evidence: a complete plan, "# health ok" and the
end line with the nonce of this boot in the report, the same nonce at the end of the
console, and nothing on the console that a healthy kernel does not say.
"""

import os
import re
import shlex
import subprocess
from collections import Counter
from pathlib import Path

import base
import console
import ktap
from host import BUILD, BYTES, RECORD, SKIPS, Exit, die, info, lines, stamp
from rules import Kind, Rules, Test


class Boot:
    """A boot and its verdict."""

    def __init__(self, log: Path) -> None:
        self.log = log
        for name in ("report.ktap", "console.log", "run"):
            if not (log / name).is_file():
                die(Exit.LOST, f"{log / name} is not there: was anything booted? (scripts/boot.sh)")
        self.run = info(log)
        self.nonce = self.run.get("nonce", "")
        if not self.nonce:
            die(Exit.LOST, f"{log}/run names no nonce: boot again (scripts/boot.sh)")
        self.report = ktap.parse(lines(log / "report.ktap"))
        self.tests = self.judged()
        self.count = Counter(test.kind for test in self.tests)
        self.console = console.read(log / "console.log")
        debug = self.run.get("variant") == "debug"
        self.splat = console.first_splat(console.without_injected(self.console) if debug else self.console)
        self.code, self.verdict = self.judge()

    def judged(self) -> list[Test]:
        if self.run.get("mode") != "base":
            rules = Rules(self.run, lines(SKIPS))
            return [test for program in self.report.programs for test in rules.program(program)]
        if not RECORD.exists():
            die(Exit.BUILD, f"{RECORD} is not there: scripts/base-selftests.sh record")
        recorded = base.record_of(RECORD, self.run.get("arch", ""))
        return base.compare(self.report, recorded, self.run.get("test", ""))

    def judge(self) -> tuple[Exit, str]:
        """What is worse comes first: a splat explains whatever follows it."""
        status = self.run.get("status") or "unknown"
        how, why = self.report.fault(self.nonce)
        ended = re.compile(f"init: end {re.escape(self.nonce)}$")
        if self.splat is not None:
            return Exit.SPLAT, "SPLAT: " + self.console[self.splat]
        if status.startswith("timeout"):
            return Exit.TIMEOUT, f"TIMEOUT: {status.removeprefix('timeout: ')}; {why}"
        if how == "lost":
            return Exit.LOST, f"LOST: {why}; qemu: {status}"
        if how == "sick":
            return Exit.SPLAT, "SICK: " + why
        if status != "exit=0":
            return Exit.LOST, "LOST: qemu: " + status
        if not any(ended.search(line) for line in self.console):
            return Exit.LOST, "LOST: the console is not complete: it could hide anything"
        if self.count[Kind.FAILED]:
            return Exit.FAIL, "FAIL"
        if how:
            return Exit.FAIL, "FAIL: " + why
        if not self.count[Kind.PASSED]:
            return Exit.FAIL, "FAIL: nothing was tested"
        return Exit.PASS, "PASS"

    def numbers(self) -> tuple[int, int, int]:
        """A red verdict is one failure at the least, whoever reads the numbers only."""
        failed = self.count[Kind.FAILED] or int(self.code != Exit.PASS)
        return self.count[Kind.PASSED], failed, self.count[Kind.SKIPPED]

    def write(self) -> None:
        """LOG/summary for test.sh, records for archs.py, results for the record of the base."""
        (self.log / "summary").write_text("{} {} {}\n".format(*self.numbers()))
        records = "".join(f"{t.kind.value}\t{t.name}\t{t.why}\n" for t in self.tests)
        (self.log / "records").write_text(records, BYTES)
        if self.run.get("mode") == "base":
            results = "".join(f"{base.outcome(r)}\t{n}\n" for n, r in base.results(self.report))
            (self.log / "results").write_text(results, BYTES)

    def details(self) -> list[str]:
        """What each program gave, what was skipped, and what init notes."""
        out = []
        if self.run.get("mode") == "test":
            for program in self.report.programs:
                if program.result:
                    passed = sum(c.ok and not c.skip for c in program.cases)
                    out.append(f"  {program.result.name:38} {passed} of {len(program.cases)}")
        out += [f"  skipped: {t.name}: {t.why}" for t in self.tests if t.kind is Kind.SKIPPED]
        if self.run.get("mode") == "base":
            out += [f"  changed: {t.name}: {t.why}" for t in self.tests if t.kind is Kind.CHANGED]
            out.append(f"  {self.count[Kind.KNOWN]} do not pass on the base either, or are flaky there")
            if changed := self.count[Kind.CHANGED]:
                out.append(f"  {changed} are not as recorded, without harm: scripts/base-selftests.sh record")
        return out + ["  " + note for note in self.report.notes[:70]]

    def failures(self) -> list[str]:
        """Long lists are cut: what is cut stays in the logs."""
        out = []
        for test in self.tests:
            if test.kind is Kind.FAILED:
                out.append(f"not ok {test.name}" + (f"  # {test.why}" if test.why else ""))
                out += ["    " + line for line in test.details]
        return ["--- failed:"] + out[:300] if out else []

    def shown_splat(self) -> list[str]:
        if self.splat is None:
            return []
        out = [f"--- the first splat, line {self.splat + 1} of {self.log}/console.log"]
        text = console.around(self.console, self.splat)
        vmlinux = Path(self.run.get("objects", "")) / "vmlinux"
        decode = BUILD / "linux/scripts/decode_stacktrace.sh"
        cross = self.run.get("cross", "")
        sections = subprocess.getoutput(f"{cross}readelf -S {shlex.quote(str(vmlinux))}")
        if ".debug_info" not in sections or not os.access(decode, os.X_OK):
            return out + text + [f"(raw: no debug information in {vmlinux}; DEBUG=1 builds with it)"]
        decoded = subprocess.run([decode, vmlinux, BUILD / "linux"], check=False, capture_output=True,
                                 input="\n".join(text + [""]).encode(BYTES),
                                 env={**os.environ, "CROSS_COMPILE": cross})
        if decoded.returncode:
            return out + text
        return out + decoded.stdout.decode(BYTES).removesuffix("\n").split("\n")

    def evidence(self) -> list[str]:
        """What somebody needs who is told that it is red."""
        out = self.failures() + self.shown_splat()
        if self.code != Exit.FAIL:
            out += ["--- the end of the console"] + self.console[-25:]
            if stderr := lines(self.log / "qemu-stderr"):
                out += ["--- from qemu"] + stderr[-10:]
        if command := lines(self.log / "qemu-cmd"):
            out.append(f"--- the qemu command, also in {self.log}/qemu-cmd")
            out += [line for line in command if not line.startswith("#")]
        return out + [f"--- logs: {self.log}/report.ktap {self.log}/console.log"]

    def text(self) -> list[str]:
        out = self.details()
        if self.code != Exit.PASS:
            out += self.evidence()
        sums = "{} passed, {} failed, {} skipped".format(*self.numbers())
        arch, seconds = self.run.get("arch", ""), self.run.get("seconds", "")
        return out + [f"{stamp()} {arch}: {self.verdict} ({sums}, {seconds} s)"]


def main(log: str) -> Exit:
    boot = Boot(Path(log).resolve())
    boot.write()
    print("\n".join(boot.text()))
    return boot.code
