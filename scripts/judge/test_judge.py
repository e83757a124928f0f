# SPDX-License-Identifier: GPL-2.0
"""Tests of what judges: scripts/testdata/recordings is the table of most of them."""

import contextlib
import io
import os
import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import archs
import base
import bench
import console
import verdict
from host import BYTES, TOP, Died, Exit, lines

DATA = TOP / "scripts/testdata"
NONCE = "00c0ffee00c0ffee"
RUN = f"arch=recorded\nmode=test\nnonce={NONCE}\nstatus=exit=0\nseconds=1\n"
FILES = {"ktap": "report.ktap", "console": "console.log", "run": "run", "skips": "skips", "record": "record"}


def table() -> tuple[dict[str, str], list[list[str]]]:
    """The macros, and the rows: name, edits, code and sums, words."""
    text = [line for line in lines(DATA / "recordings") if line and line[0] != "#"]
    macros = dict(line.split(" = ", 1) for line in text if line[0] == "@")
    return macros, [[part.removesuffix(" ") for part in re.split(":: ?", line, 3)] for line in text if line[0] != "@"]


class Recording(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = Path(folder.name)
        env = {"ALLOWED_SKIPS": str(self.log / "skips"), "BASE_RESULTS": str(self.log / "record")}
        patch = mock.patch.dict(os.environ, env)
        patch.start()
        self.addCleanup(patch.stop)

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

    def judge(self) -> tuple[Exit, str]:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            try:
                code = verdict.main(self.log)
            except Died as death:
                return death.code, str(death)
        return code, out.getvalue()

    def check(self, code: str, sums: str, words: str) -> None:
        got, out = self.judge()
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


class Runs(unittest.TestCase):
    """The table of the architectures, by what boots have left."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = Path(folder.name)
        patch = mock.patch.object(archs, "BUILD", self.build)
        patch.start()
        self.addCleanup(patch.stop)

    def boot(self, log: str, mode: str, records: str, summary: str, run: str = "tree=t\n") -> None:
        path = self.build / log
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

    def test_the_record_of_the_base(self) -> None:
        logs: dict[str, list[Path]] = {}
        for arch, runs in {"x": ["pass fail", "pass fail"], "y": ["pass fail", "pass pass"]}.items():
            for nr, run in enumerate(runs):
                path = self.build / f"{arch}{nr}"
                path.write_text("".join(f"{result}\tt:{test}\n" for test, result in zip("ab", run.split())))
                logs.setdefault(arch, []).append(path)
        self.assertEqual(base.merge(set(), logs), ["* pass t:a", "x fail t:b", "y flaky t:b"])
        self.assertEqual(base.merge({"t:a"}, logs)[0], "* flaky t:a")
        logs["x"][1].write_text("fail\tt:b\n")
        self.assertEqual(base.merge(set(), logs)[:2], ["x flaky t:a", "y pass t:a"])


class Bench(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.columns = [(name, Path(folder.name) / name) for name in ("base", "series")]
        keys = [line.split()[0] for line in lines(TOP / "scripts/judge/goals") if line[0] != "#"]
        for _, log in self.columns:
            log.mkdir()
            (log / "figures").write_text("".join(f"{key} 100 100\n" for key in keys))

    def figures(self, column: int, text: str) -> None:
        """Other ones than 1 for each."""
        path = self.columns[column][1] / "figures"
        new = {line.split()[0]: line for line in text.splitlines()}
        old = [line for line in lines(path) if line.split()[0] not in new]
        path.write_text("\n".join(old + [line for line in new.values() if len(line.split()) > 1]) + "\n")

    def check(self, code: Exit, words: str) -> None:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            got = bench.table(self.columns)
        self.assertEqual(got, code, out.getvalue())
        self.assertRegex(out.getvalue(), re.compile(words, re.MULTILINE))

    def test_goals(self) -> None:
        self.check(Exit.PASS, "^all goals met$")
        for text, words in (("listns_few 61800 100", r"618\.0 618\.000      617!"),
                            ("setns_uts 106 100", r"1\.060      \+5%!"),
                            ("locked_fork 1001 1000", r"\+0%!"),
                            ("empty_100 101 100", r"\+0\.5%!"),
                            ("setns_uts", r"          -       -      \+5%\?")):
            with self.subTest(text):
                self.setUp()
                self.figures(1, text)
                self.check(Exit.FAIL, words)
        self.setUp()
        self.figures(0, "setns_uts")
        self.check(Exit.FAIL, "^1 goals missed")
        self.setUp()
        for column in (0, 1):
            self.figures(column, "locked_all\nlocked_fork\nlocked_shared\nboot_init")
        self.check(Exit.PASS, "^all goals met, but")

    def test_locked_operations(self) -> None:
        log = self.columns[1][1]
        raw = "1 100 7 3000\n1 208 7 1000\n2 208 8 400\n2 0 8 180\n2 204 9 400\n2 0 9 179\n5 0 1 1\n6 0 2 1\n0 0 0 77\n"
        (log / "locked").write_text(raw + "end\n")
        ids = {"ids_all": (2.0, 1.0), "ids_owner": (4.0, 1.0)}
        self.assertEqual(bench.locked(log, log, "", ids),
                         ["locked_all 4.0 1", "boot_init 77 1", "lines_all 1 2", "lines_owner 1 4"])
        pcs = bench.locked_by_pc([(1, 0x100, 7, 3000), (1, 0x208, 7, 1000), (2, 0x208, 8, 400), (2, 0, 8, 180),
                                  (2, 0x204, 9, 400), (2, 0, 9, 179)])
        functions = bench.symbols(["100 T first", "104 t mutex_trylock", "200 T second", "300 d data"])
        self.assertEqual(bench.by_function(pcs, functions, set()), [(3, 0, "first"), (1, 2, "second")])
        self.assertEqual(bench.by_function(pcs, functions, {"first"}), [(1, 2, "second")])
        (log / "locked").write_text(raw)
        with self.assertRaisesRegex(Died, "not complete"):
            bench.locked(log, log, "", ids)
        (log / "locked").write_text("unsupported\n")
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(bench.locked(log, log, "", ids), [])

    def test_clock(self) -> None:
        log = self.columns[1][1]
        (log / "plain").mkdir()
        for report in (log / "report.ktap", log / "plain/report.ktap"):
            report.write_text("  bench clock 1000000 1000000\n")
        self.assertEqual(bench.figures(log, log, "", False), Exit.PASS)
        for text in ("  bench clock 1500000 1000000\n", ""):
            (log / "plain/report.ktap").write_text(text)
            (log / "report.ktap").write_text(text)
            with self.assertRaisesRegex(Died, "clocksource"):
                bench.figures(log, log, "", False)

    def test_repeats(self) -> None:
        first, second = (log / "figures" for _, log in self.columns)
        for text, code in (("setns_uts 1004 1", Exit.PASS), ("setns_uts 1006 1", Exit.FAIL), ("setns_uts", Exit.FAIL)):
            self.figures(0, "setns_uts 1000 1")
            self.figures(1, text)
            with contextlib.redirect_stdout(io.StringIO()):
                self.assertEqual(bench.repeats(first, second), code, text)
