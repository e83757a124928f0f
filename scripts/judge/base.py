# SPDX-License-Identifier: GPL-2.0
"""The base's own selftests: not to pass, but to do what they did on the base's kernel.

The record, configs/base-selftests.results, has a line "ARCH RESULT TEST" for each, where
ARCH may be "*" and RESULT is pass, fail, skip, or flaky.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from host import Exit, lines
from ktap import Report, Result
from rules import Kind, Test


def record_of(path: Path, arch: str) -> dict[str, str]:
    found = (line.split(" ", 2) for line in lines(path) if not line.startswith("#"))
    return {name: result for where, result, name in found if where in (arch, "*")}


def recorded_arches(path: Path) -> list[str]:
    return [a for line in lines(path) if line.startswith("# arches ") for a in line.split()[2:]]


def results(report: Report) -> Iterator[tuple[str, Result]]:
    """All results, each with a name of its own."""
    seen: Counter[str] = Counter()
    for program in report.programs:
        for result in program.cases + ([program.result] if program.result else []):
            seen[result.name] += 1
            nr = seen[result.name]
            yield result.name + (f" ({nr})" if nr > 1 else ""), result


def outcome(result: Result) -> str:
    return "skip" if result.skip else "pass" if result.ok else "fail"


def compare(report: Report, record: dict[str, str], only: str) -> list[Test]:
    """By what is recorded. ONLY is the one program that was asked for, if one was."""
    tests = []
    left = dict(record)
    for name, result in results(report):
        got, want = outcome(result), left.pop(name, "")
        kind, why = Kind.KNOWN, result.why
        if want in (got, "flaky"):
            kind = Kind.PASSED if got == "pass" else Kind.KNOWN
        elif want == "pass" or got == "fail":
            kind = Kind.FAILED
            says = {"": "not in the record", "skip": "the base skips it"}
            why = f"{says.get(want, 'the base passes it')}: {got}, {why}"
        else:
            kind, why = Kind.CHANGED, f"{want + ' on the base' if want else 'not in the record'}, {got} here"
        tests.append(Test(kind, name, why, result.details))
    for name, want in left.items():
        if want == "pass" and (not only or f":{only}:" in f":{name}:"):
            tests.append(Test(Kind.FAILED, name, "lost: the base passes it, and here it gave no result"))
    return tests


def merge(flaky: set[str], runs: dict[str, list[Path]]) -> list[str]:
    """The record, of what several runs on each architecture gave."""
    of: dict[str, dict[str, str]] = {}
    for arch, paths in runs.items():
        seen: dict[str, list[str]] = {}
        for path in paths:
            for line in lines(path / "results"):
                result, name = line.split("\t")
                seen.setdefault(name, []).append(result)
        for name, all_of_it in seen.items():
            same = len(all_of_it) == len(paths) and len(set(all_of_it)) == 1 and name not in flaky
            of.setdefault(name, {})[arch] = all_of_it[0] if same else "flaky"
    out = []
    for name, by_arch in sorted(of.items()):
        if len(by_arch) == len(runs) and len(set(by_arch.values())) == 1:
            by_arch = {"*": next(iter(by_arch.values()))}
        out += [f"{arch} {result} {name}" for arch, result in sorted(by_arch.items())]
    return out


def main(tests: str, *runs: str) -> Exit:
    """TESTS is configs/base-selftests, a run ARCH=LOG."""
    flaky = {line.removeprefix("flaky ") for line in lines(Path(tests)) if line.startswith("flaky ")}
    logs: dict[str, list[Path]] = {}
    for arch, _, log in (run.partition("=") for run in runs):
        logs.setdefault(arch, []).append(Path(log))
    print("\n".join(merge(flaky, logs)))
    return Exit.PASS
