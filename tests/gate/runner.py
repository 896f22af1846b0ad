# SPDX-License-Identifier: BSD-3-Clause
"""Runs cases beside each other, notices those that make no progress, and leaves out what a slow machine has no time for."""
import dataclasses
import os
import re
import signal
import subprocess
import sys
import time

import machine
from cases import HOST, VM

PASSED, FAILED, SKIPPED, LATE, NOT_RUN = "passed", "failed", "skipped", "late", "not run"
EXIT_SKIPPED, EXIT_LATE, EXIT_NOT_STARTED = 77, 124, 125
STATUS = {0: PASSED, EXIT_SKIPPED: SKIPPED, EXIT_LATE: LATE, EXIT_NOT_STARTED: LATE}
POLL_S = 0.2
LOOK_S = 2.0			# between two looks at a case's progress
SAMPLE_S = 3.0			# between two looks at a task that is blocked
LEAVE_S = 5.0			# for the children of a case to end after it
STALLED_S, STOLEN, SLOW = 1.0, 0.2, 2.0	# any of these: the machine was starved
RETRIES = 2			# a third case that was too slow fails the run


@dataclasses.dataclass
class Result:
    name: str
    status: str
    seconds: float = 0.0
    log: str = ""
    usual: float = 0.0
    stall: float = 0.0
    steal: float = 0.0
    why: str = ""		# a failure that the log does not tell
    again: str = ""		# how it was slow, if it was run twice
    skips: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Limits:
    """Seconds since the start of the run."""
    whole: float = 65 * 60	# a slow machine leaves out what would end later
    end: float = 80 * 60	# whatever runs then is ended
    slow: float = 1.5		# below this slowness nothing is left out


class Running:
    def __init__(self, case, log):
        self.case, self.log = case, log
        self.start = self.progress = self.looked = time.monotonic()
        self.size = -1
        with open(log, "wb") as out:
            # Should the gate itself be killed, its cases go with it.
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *case.argv], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                            cwd=case.cwd, env={**os.environ, **case.env}, start_new_session=True)

    def quiet_for(self, now):
        """Seconds since its log or the folder that it is watched by last grew."""
        if now - self.looked >= LOOK_S:
            self.looked = now
            size = tree_size(self.log) + (tree_size(self.case.watch) if self.case.watch else 0)
            if size != self.size:
                self.size, self.progress = size, now
        return now - self.progress

    def kill(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass


def tree_size(path):
    """Bytes and files below @path; a card's file is no progress."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    size = 0
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                size += 1 + (os.path.getsize(os.path.join(folder, name)) if name != "card" else 0)
            except OSError:
                pass
    return size


# A task that sleeps there is in state D and healthy.
ORDINARY_WAITS = {"p9_client_rpc", "kernel_clone", "wait_for_vfork_done", "io_schedule", "folio_wait_bit_common", "jbd2_log_wait_commit"}


def session_tasks(pid):
    """{(process, task): (command, state, where in the kernel)} of a session; zombies are gone already."""
    tasks = {}
    for entry in os.listdir("/proc"):
        try:
            if not entry.isdigit() or os.getsid(int(entry)) != pid:
                continue
            with open(f"/proc/{entry}/cmdline", "rb") as f:
                command = f.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()[:100]
            for task in os.listdir(f"/proc/{entry}/task"):
                with open(f"/proc/{entry}/task/{task}/stat", encoding="utf-8", errors="replace") as f:
                    state = f.read().rpartition(")")[2].split()[0]
                with open(f"/proc/{entry}/task/{task}/wchan", encoding="ascii") as f:
                    wchan = f.read()
                if state not in "ZX":
                    tasks[int(entry), int(task)] = command, state, wchan
        except (OSError, ProcessLookupError):
            continue
    return tasks


def describe_hang(pid):
    """What each task of a session waits for, and whether one is blocked in the kernel and stays so."""
    first = session_tasks(pid)
    time.sleep(SAMPLE_S)
    second = session_tasks(pid)
    lines = [f"    task {task} of {process} ({command}): state {state}, in {wchan}"
             for (process, task), (command, state, wchan) in sorted(second.items())]
    blocked = any(first.get(key) == what and what[1] == "D" and what[2] not in ORDINARY_WAITS for key, what in second.items())
    return lines, blocked


def read_lines(path):
    """Of a log; none of one that is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return [line.rstrip() for line in f]
    except OSError:
        return []


def inner_skips(log):
    """What skipped inside a case: cmocka, TAP and SKIP: lines."""
    found = []
    for line in read_lines(log):
        match = (re.match(r"\[  SKIPPED \] (?!\d+ test)(\S.*)", line) or re.match(r"(?:not )?ok\b.*# SKIP\s*(\S.*)", line) or
                 re.match(r"(?:not )?ok\b([^#]*)# SKIP\s*$", line) or re.match(r"\s*SKIP: (.*)", line))
        if match and match.group(1).strip(" .") not in found:
            found.append(match.group(1).strip(" ."))
    return found


class Gate:
    """@cases in order of value. @may_skip: cases whose skip is expected; None: any skip is."""

    def __init__(self, cases, out, may_skip=None, limits=None, slowness=None, say=print):
        self.cases, self.out, self.may_skip, self.print = cases, out, may_skip, say
        self.limits = limits or Limits()
        self.results, self.late = {}, {}
        self.running = []
        self.used = {HOST: 0, VM: 0}
        self.places = {HOST: 2, VM: 2}
        self.start = time.monotonic()
        self.monitor = machine.Monitor()
        self.slowness = self.calibrated = slowness or machine.calibrate()
        self.ratios = []
        self.ended = ""			# why the run was cut short

    def say(self, text):
        try:
            self.print(text)
        except OSError:
            pass		# nobody reads, or the disk is full: the summary still counts

    # --- one case ---

    def log_of(self, name):
        return os.path.join(self.out, name.replace("/", "-") + ".log")

    def begin(self, case):
        for need in case.needs:
            before = self.results.get(need)
            if before and before.status != PASSED:
                for each in case.parts or [case]:
                    self.note(Result(each.name, FAILED, why=f"{need}: {before.status}"))
                return
        if not case.core and self.too_slow_for(case):
            for each in case.parts or [case]:
                self.note(Result(each.name, NOT_RUN))
            return
        try:
            self.running.append(Running(case, self.log_of(case.name)))
        except OSError as e:
            for each in case.parts or [case]:
                self.note(Result(each.name, FAILED, why=str(e)))
            return
        self.used[case.queue] += case.places

    def end(self, run, status=None, why=""):
        """A case that has ended, or whose end is at hand."""
        self.running.remove(run)
        self.used[run.case.queue] -= run.case.places
        now, code = time.monotonic(), run.process.returncode
        left = self.left_behind(run)
        if left and status is None and code in (0, EXIT_SKIPPED):
            status, why = FAILED, f"left behind: {left}"
        for part in run.case.parts:
            self.note_part(part, run, now)
        if run.case.parts and left:
            self.say(f"{run.case.name} left behind: {left}")
        if not run.case.parts:
            self.judge(run, code, status, why, now)

    def left_behind(self, run):
        """Ends what a case has not ended, and names it."""
        until, tasks = time.monotonic() + LEAVE_S, session_tasks(run.process.pid)
        while tasks and time.monotonic() < until:
            time.sleep(POLL_S)
            tasks = session_tasks(run.process.pid)
        run.kill(signal.SIGKILL)
        return "; ".join(sorted({command for command, _, _ in tasks.values()}))

    def note_part(self, part, run, now):
        """One of several cases that a process has run."""
        try:
            with open(os.path.join(part.watch, "result"), encoding="ascii") as f:
                code, seconds = (int(word) for word in f.read().split())
            now -= time.time() - os.path.getmtime(os.path.join(part.watch, "result"))
        except (OSError, ValueError):
            self.note(Result(part.name, FAILED, now - run.start, run.log, part.usual, why="its series ended before it did"))
            return
        result = Result(part.name, STATUS.get(code, FAILED), seconds, os.path.join(part.watch, "report"), part.usual,
                        self.monitor.stall(now - seconds, now), self.monitor.steal(now - seconds, now))
        result.skips = inner_skips(result.log)
        self.note(result, code)

    def judge(self, run, code, status, why, now):
        if status is None:
            status = STATUS.get(code, FAILED)
            if status == FAILED and code < 0:
                why = f"ended by {signal.Signals(-code).name}"
        result = Result(run.case.name, status, now - run.start, run.log, run.case.usual, self.monitor.stall(run.start, now),
                        self.monitor.steal(run.start, now), why)
        result.skips = inner_skips(run.log)
        if status == PASSED and run.case.usual >= 5 and run.case.queue == VM:
            self.ratios = (self.ratios + [result.seconds / run.case.usual])[-5:]
            self.slowness = max(1.0, sorted(self.ratios)[len(self.ratios) // 2])
        self.note(result, code)

    def note(self, result, code=None):
        if result.status == LATE:
            starved = result.stall >= STALLED_S or result.steal >= STOLEN or self.slowness >= SLOW or code == EXIT_NOT_STARTED
            if result.name in self.late or not starved or len(self.late) >= RETRIES:
                result.status = FAILED
                result.why = result.why or "ran out of time on a machine that was not starved"
            else:
                self.late[result.name] = result
                self.say(f"late: {result.name} after {result.seconds:.0f} s, runs again at the end")
                return
        if self.may_skip is not None and result.status in (PASSED, SKIPPED):
            if (result.skips or result.status == SKIPPED) and result.name not in self.may_skip:
                result.why = "a skip that is not expected: " + "; ".join(result.skips or ["without a reason"])
                result.status = FAILED
        if result.name in self.late:
            first = self.late[result.name]
            result.again = f"{first.seconds:.0f} s, stall {first.stall:.1f} s, steal {first.steal:.0%}, machine {self.slowness:.1f} times slower"
        self.results[result.name] = result
        self.say(f"{ {PASSED: 'ok', FAILED: 'FAILED', SKIPPED: 'skipped', NOT_RUN: 'not run'}[result.status] }: {result.name}"
                 + (f" ({result.seconds:.0f} s)" if result.seconds else "") + (f": {result.why}" if result.why else ""))
        for skip in result.skips:
            self.say(f"    SKIP: {skip}")

    def look(self, run):
        """Ends a case that makes no progress. Its last words are what its tasks wait for."""
        now = time.monotonic()
        quiet = run.quiet_for(now)
        quiet -= self.monitor.stood(now - quiet, now)
        if quiet < run.case.guard * max(1.0, self.calibrated, self.slowness):
            return
        lines, blocked = describe_hang(run.process.pid)
        self.stop([run])
        try:
            with open(run.log, "a", encoding="utf-8") as f:
                f.write(f"\nFAIL: no progress for {quiet:.0f} s\n" + "\n".join(lines) + "\n")
        except OSError as e:
            self.say(f"{run.log}: {e}")
        self.end(run, FAILED if blocked else LATE,
                 "a task is blocked in the kernel" if blocked else f"no progress for {quiet:.0f} s")

    def stop(self, runs):
        for run in runs:
            run.kill(signal.SIGTERM)
        for run in runs:
            try:
                run.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
            run.kill(signal.SIGKILL)
            run.process.wait()

    # --- the whole ---

    def too_slow_for(self, case):
        """Would it, and the core that is still to come, end too late on this machine?"""
        if self.slowness < self.limits.slow:
            return False
        core = sum(c.usual * c.places / self.places[c.queue] for c in self.each_case()
                   if c.core and c.queue == case.queue and c.name not in self.results)
        return time.monotonic() - self.start + (core + case.usual) * self.slowness > self.limits.whole

    def step(self, waiting):
        """Starts what has room and ends what has ended."""
        self.ended = self.ended or stopped_by
        for queue in (HOST, VM):
            while True:
                case = next((c for c in waiting if c.queue == queue), None)
                if not case or self.used[queue] + min(case.places, self.places[queue]) > self.places[queue]:
                    break
                open_needs = (set(case.needs) & self.names) - set(self.results)
                if open_needs - set(self.late):
                    break
                waiting.remove(case)
                if open_needs:
                    self.postponed.append(case)	# until what it needs has run again
                else:
                    self.begin(case)
        for run in list(self.running):
            if run.process.poll() is not None:
                self.end(run)
            else:
                self.look(run)
        if time.monotonic() - self.start > self.limits.end:
            self.ended = f"the run was not over after {self.limits.end / 60:.0f} minutes"

    def each_case(self):
        return [each for case in self.cases for each in case.parts or [case]]

    def drain(self, waiting):
        while (waiting or self.running) and not self.ended:
            self.step(waiting)
            time.sleep(POLL_S)

    def run(self):
        self.names = {case.name for case in self.cases}
        self.postponed = []
        self.monitor.start()
        try:
            self.drain(list(self.cases))
            while not self.ended and (again := [c for c in self.each_case() if c.name in set(self.late) - set(self.results)]):
                for case in again:
                    self.drain([case])		# alone
                waiting, self.postponed = self.postponed, []
                self.drain(waiting)
        finally:
            runs = list(self.running)
            self.stop(runs)
            for run in runs:
                self.end(run, FAILED, self.ended or "the gate itself failed")
            self.monitor.stop()
        for case in self.each_case():
            if case.name not in self.results and not self.ended:
                self.note(Result(case.name, FAILED, why="it has no result"))
        return [self.results[case.name] for case in self.each_case() if case.name in self.results]


stopped_by = ""		# the signal that asked the gate to end


def on_signal(number, _frame):
    global stopped_by
    stopped_by = stopped_by or f"ended by {signal.Signals(number).name}"


def catch_signals():
    """From here on a signal ends the run in order, however often it comes."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    sys.stdout.reconfigure(line_buffering=True)
