# SPDX-License-Identifier: GPL-2.0
"""Tests of what judges: scripts/testdata/recordings is the table of most of them."""

import contextlib
import io
import re
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import archs
import base
import bench
import console
import verdict
from host import BYTES, TOP, Exit, lines

DATA = TOP / "scripts/testdata"
NONCE = "00c0ffee00c0ffee"
RUN = f"arch=recorded\nmode=test\nnonce={NONCE}\nstatus=exit=0\nseconds=1\n"
FILES = {"ktap": "report.ktap", "console": "console.log", "run": "run", "skips": "skips", "record": "record"}


def table() -> tuple[dict[str, str], list[list[str]]]:
    """The macros, and the rows: name, edits, code and sums, words."""
    text = [line for line in lines(DATA / "recordings") if line and line[0] != "#"]
    macros = dict(line.split(" = ", 1) for line in text if line[0] == "@")
    return macros, [[part.removesuffix(" ") for part in re.split(":: ?", line, 3)] for line in text if line[0] != "@"]


class Case(unittest.TestCase):
    """In a folder of its own, and what is printed is kept."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.log = self.folder / "log"
        self.log.mkdir()

    def printed(self, what: Callable[..., object], *args: object) -> tuple[Exit, str]:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                got = what(*args)
                code = got if isinstance(got, Exit) else Exit.PASS
            except SystemExit as end:
                code = Exit(int(end.code or 0))
        return code, out.getvalue()


class Recording(Case):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.multiple(verdict, SKIPS=self.log / "skips", RECORD=self.log / "record"))

    def fresh(self) -> None:
        (self.log / "report.ktap").write_bytes((DATA / "good.ktap").read_bytes())
        (self.log / "console.log").write_bytes((DATA / "good.console").read_bytes().replace(b"\n", b"\r\n"))
        (self.log / "run").write_text(RUN)
        (self.log / "record").write_bytes((DATA / "good.results").read_bytes())
        (self.log / "skips").write_text("")
        (self.log / "qemu-cmd").write_text("#!/bin/sh\nqemu-system-none -M none\n")
        (self.log / "summary").unlink(missing_ok=True)

    def edit(self, edits: str, macros: dict[str, str]) -> None:
        for edit in filter(None, re.split(" ?;; ?", edits)):
            if edit in macros:
                self.edit(macros[edit], macros)
                continue
            name, _, what = edit.partition(": ")
            path = self.log / FILES[name]
            if what == "gone":
                path.unlink()
                continue
            pattern, _, text = (what + " ").partition(" => ")
            text = text[:-1]
            if times := re.fullmatch(r"(.*) \*(\d+)", text):
                text = times[1] * int(times[2])
            before = path.read_bytes().decode(BYTES).replace("\r", "")
            after, count = re.subn(pattern, text, before, flags=re.MULTILINE)
            self.assertTrue(count, f"nothing to edit: {edit}")
            path.write_bytes(after.replace("\n", "\r\n" if name == "console" else "\n").encode(BYTES))

    def check(self, code: str, sums: str, words: str) -> None:
        got, out = self.printed(verdict.main, str(self.log))
        self.assertEqual(got.name, code, out)
        self.assertRegex(out, re.compile(words, re.MULTILINE))
        if sums == "-":
            return
        self.assertEqual((self.log / "summary").read_text(), sums + "\n")
        self.assertIn("{} passed, {} failed, {} skipped".format(*sums.split()), out.splitlines()[-1])
        if got != Exit.PASS:
            self.assertIn("\nqemu-system-none -M none\n", out)

    def test_recordings(self) -> None:
        macros, rows = table()
        for name, edits, wanted, words in rows:
            with self.subTest(name):
                self.fresh()
                self.edit(edits, macros)
                code, sums = wanted.split(" ", 1)
                self.check(code, sums, words)
        self.assertEqual(len({row[0] for row in rows}), len(rows), "two rows of one name")

    def test_every_splat_is_seen(self) -> None:
        examples = lines(DATA / "splats")[1:]
        for pattern in console.SPLATS:
            self.assertTrue([line for line in examples if re.search(pattern, line)], pattern)
        for line in examples:
            with self.subTest(line):
                self.fresh()
                self.edit(f"console: ^(.*Run /init.*) => \\1\\n[    1.8] {line}", {})
                self.check("SPLAT", "5 1 0", "recorded: SPLAT")


class Runs(Case):
    """The table of the architectures, by what boots have left."""

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(archs, "BUILD", self.folder))

    def boot(self, log: str, mode: str, records: str, summary: str, run: str = "tree=t\n") -> None:
        path = self.folder / log
        path.mkdir(parents=True, exist_ok=True)
        (path / "run").write_text(f"mode={mode}\ntest=\ndate=2026-11-30\n{run}")
        (path / "summary").write_text(summary + "\n")
        (path / "records").write_text(records)

    def row(self, table: bool = True) -> str:
        return " | ".join(archs.row("x", True, "t", table, True)[1:])

    def test_row(self) -> None:
        self.assertEqual(self.row(), "- | - | - | - | -")
        both = "P\tnamespaces:a:b\t\nS\tnamespaces:a:c\twhy\nP\tnamespaces32:a:b\t\n"
        self.boot("x/log", "test", both, "2 0 1")
        self.boot("x/log/base", "base", "P\tn:a:b\t\nK\tn:a:c\t\n", "1 0 0")
        self.assertEqual(self.row(), "1, 1 skipped | 1 | 1 | - | 2026-11-30")
        self.boot("x-debug/log", "test", both, "2 0 1")
        self.assertEqual(self.row(), "1, 1 skipped | 1 | 1 | 2, 1 skipped + - | 2026-11-30")
        self.assertEqual(archs.booted("t", ["x", "y"]), "x,2026-11-30")

    def test_what_is_red(self) -> None:
        self.boot("x/log", "test", "F\tnamespaces:a:b\twhy\nP\tnamespaces32:a:b\t\n", "1 1 0")
        self.assertEqual(self.row(), "1 FAILED | 1 | - | - | 2026-11-30")
        self.assertEqual(archs.booted("t", ["x"]), "")
        self.boot("x/log", "test", "P\tnamespaces:a:b\t\n", "1 1 0")
        self.assertEqual(self.row(), "FAILED | FAILED | - | - | 2026-11-30")

    def test_what_is_of_something_else(self) -> None:
        for run in ("tree=u\n", "tree=t\ndirty=yes\n", "tree=t\nby_hand=SMP=1\n"):
            self.boot("x/log", "test", "P\tnamespaces:a:b\t\n", "1 0 0", run)
            self.assertEqual(self.row(), "- | - | - | - | 2026-11-30")
            self.assertEqual(self.row(table=False), "1* | - | - | - | 2026-11-30")
            self.assertEqual(archs.booted("t", ["x"]), "")

    def test_what_is_not_complete(self) -> None:
        for mode, test in (("soak", ""), ("test", "test=one\n")):
            self.boot("x/log", mode, "P\tnamespaces:a:b\t\n", "1 0 0", "tree=t\n" + test)
            self.assertEqual(self.row(table=False), "- | - | - | - | 2026-11-30")

    def test_gaps(self) -> None:
        record = self.folder / "record"
        record.write_text("# arches x\n")
        self.enterContext(mock.patch.object(archs, "RECORD", record))
        self.boot("x/log", "test", "P\tnamespaces:a:b\t\n", "1 0 0")
        self.boot("x-debug/log", "test", "P\tnamespaces:a:b\t\n", "1 0 0")
        for log, code in (("x/log", Exit.FAIL), ("x/log/base", Exit.FAIL), ("x-debug/log/base", Exit.PASS)):
            if log.endswith("base"):
                self.boot(log, "base", "P\tnamespaces:a:b\t\n", "1 0 0")
            with mock.patch("sys.stdin", io.StringIO("x none\n")):
                got, out = self.printed(archs.main, "t", "--table")
            self.assertEqual(got, code, out)
        record.unlink()
        self.assertEqual(self.printed(archs.main, "t")[0], Exit.BUILD)

    def test_the_record_of_the_base(self) -> None:
        logs: dict[str, list[Path]] = {}
        for arch, runs in {"x": ["pass fail", "pass fail"], "y": ["pass fail", "pass pass"]}.items():
            for nr, run in enumerate(runs):
                path = self.folder / f"{arch}{nr}"
                path.mkdir()
                (path / "results").write_text("".join(f"{result}\tt:{test}\n" for test, result in zip("ab", run.split())))
                logs.setdefault(arch, []).append(path)
        self.assertEqual(base.merge(set(), logs), ["* pass t:a", "x fail t:b", "y flaky t:b"])
        self.assertEqual(base.merge({"t:a"}, logs)[0], "* flaky t:a")
        (logs["x"][1] / "results").write_text("fail\tt:b\n")
        self.assertEqual(base.merge(set(), logs)[:2], ["x flaky t:a", "y pass t:a"])


class Bench(Case):
    def figures(self, name: str, text: str = "") -> Path:
        """1 for each line; TEXT has others, and those that are left out as a key alone."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        goals = [line.split()[0] for line in lines(TOP / "scripts/judge/goals") if line[0] != "#"]
        figures = {key: f"{key} 100 100" for key in goals} | {line.split()[0]: line for line in text.splitlines()}
        (path / "figures").write_text("".join(f"{line}\n" for line in figures.values() if " " in line))
        return path

    def check(self, base_text: str, text: str, code: Exit, words: str) -> None:
        columns = [f"base={self.figures('base', base_text)}", f"series={self.figures('series', text)}"]
        got, out = self.printed(bench.table, *columns)
        self.assertEqual(got, code, out)
        self.assertRegex(out, re.compile(words, re.MULTILINE))

    def test_goals(self) -> None:
        self.check("", "", Exit.PASS, "^all goals met$")
        for text, words in (("listns_few 61800 100", r"618\.0 618\.000      617!"),
                            ("setns_uts 106 100", r"1\.060      \+5%!"),
                            ("locked_fork 1001 1000", r"\+0%!"),
                            ("empty_100 101 100", r"\+0\.5%!"),
                            ("setns_uts", r"          -       -      \+5%\?")):
            with self.subTest(text):
                self.check("", text, Exit.FAIL, words)
        self.check("setns_uts", "", Exit.FAIL, "^1 goals missed")
        without = "locked_all\nlocked_fork\nlocked_shared\nboot_init"
        self.check(without, without, Exit.PASS, "^all goals met, but")

    def test_locked_operations(self) -> None:
        log = self.log
        raw = "1 100 7 3000\n1 208 7 1000\n2 208 8 400\n2 0 8 180\n2 204 9 400\n2 0 9 179\n5 0 1 1\n6 0 2 1\n0 0 0 77\n"
        (log / "locked").write_text(raw + "end\n")
        ids = {"ids_all": (1.0, 1.0), "ids_owner": (1.0, 1.0)}
        self.assertEqual(bench.locked(log, log, "", ids),
                         ["locked_all 4.0 1", "boot_init 77 1", "lines_all 1 1", "lines_owner 1 1"])
        ids["ids_owner"] = (2.0, 1.0)
        code, out = self.printed(bench.locked, log, log, "", ids)
        self.assertEqual((code, "2 ids were listed from 1 cache lines" in out), (Exit.FAIL, True), out)
        pcs = bench.locked_by_pc([(1, 0x100, 7, 3000), (1, 0x208, 7, 1000), (2, 0x208, 8, 400), (2, 0, 8, 180),
                                  (2, 0x204, 9, 400), (2, 0, 9, 179)])
        functions = bench.symbols(["100 T first", "104 t mutex_trylock", "200 T second", "300 d data"])
        self.assertEqual(bench.by_function(pcs, functions, set()), [(3, 0, "first"), (1, 2, "second")])
        self.assertEqual(bench.by_function(pcs, functions, {"first"}), [(1, 2, "second")])
        (log / "locked").write_text(raw)
        (log / "report.ktap").write_text("  bench clock 1 1\n")
        code, out = self.printed(bench.figures, str(log), str(log), "", "locked")
        self.assertEqual((code, "is not complete" in out), (Exit.FAIL, True), out)
        (log / "locked").write_text("unsupported\n")
        code, out = self.printed(bench.figures, str(log), str(log), "", "locked")
        self.assertEqual((code, "no locked operations" in out), (Exit.PASS, True), out)

    def test_clock(self) -> None:
        for text, code in (("1000000", Exit.PASS), ("1500000", Exit.FAIL), ("", Exit.FAIL)):
            (self.log / "report.ktap").write_text(f"  bench clock {text} 1000000\n" if text else "")
            self.assertEqual(self.printed(bench.figures, str(self.log), "", "")[0], code, text)

    def test_repeats(self) -> None:
        for text, code in (("setns_uts 1004 1", Exit.PASS), ("setns_uts 1006 1", Exit.FAIL), ("setns_uts", Exit.FAIL)):
            first, second = self.figures("first", "setns_uts 1000 1"), self.figures("second", text)
            self.assertEqual(self.printed(bench.repeats, f"{first}/figures", f"{second}/figures")[0], code, text)
        self.assertEqual(self.printed(bench.repeats, "/dev/null", "/dev/null")[0], Exit.FAIL, "nothing at all")
