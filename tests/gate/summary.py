# SPDX-License-Identifier: BSD-3-Clause
"""The last words of a run: at most 60 lines that tell what failed, why, and on what machine; the same as JSON."""
import dataclasses
import json
import os
import re
import subprocess

import machine
from runner import FAILED, NOT_RUN, PASSED, SKIPPED, read_lines

LINES = 60
SLOWEST = 5

# What says why a case failed, the most telling first.
CAUSES = [re.compile(pattern) for pattern in (
    r"kernel log: |Sanitizer|runtime error:|Assertion .* failed|terminate called",
    r"(?:^|[^a-z])FAIL: (?!waited|\S+ has (?:failed|skipped))|^not ok|^\[   ERROR|^\[  FAILED  \] (?!\d)|^Traceback|"
    r"^[^ ]+:\d+(?::\d+)?: (?!note|warning)[a-z-]+( error)?: ",
    r"(?:^|[^a-z])FAIL: |apt-get could not|apt cannot",
    r"ended by the lab|ended without|exit status [1-9]|Error \d|error: |blocked in the kernel",
)]


def cause(result):
    """(line, three lines of context) from a case's log."""
    lines = read_lines(result.log)
    for pattern in CAUSES:
        for n, line in enumerate(lines):
            if pattern.search(line):
                return line.strip(), lines[max(0, n - 2):n] + lines[n + 1:n + 2]
    return result.why or (lines[-1].strip() if lines else "no output"), lines[-4:-1]


def server_tail(watch, count):
    """The end of the server's log of a lab run."""
    lines = read_lines(os.path.join(watch, "work", "server.log")) if watch else []
    return lines[-count:]


def machine_text(gate, fetched):
    now = gate.monitor.cpu[-1][0]
    free = machine.disk_free(gate.out)
    qemu = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False).stdout.split("\n")[0] if os.path.exists("/usr/bin/qemu-system-x86_64") else "no QEMU"
    return [f"machine: {os.cpu_count()} cores, {gate.calibrated:.1f} times slower than the reference at the start and "
            f"{gate.slowness:.1f} later, steal {gate.monitor.steal(gate.start, now):.0%}, "
            f"largest stall {gate.monitor.stall(gate.start, now):.1f} s, free disk {free:.0f} GiB",
            f"         {qemu}; {'; '.join(fetched) or 'no kernels'}"]


def failure_lines(result, watch, count):
    """One failed case in about @count lines."""
    line, context = cause(result)
    words = [f"==== FAILED: {result.name} after {result.seconds:.0f} s; again: ./check --only '^{result.name}$'"]
    if result.why and result.why not in line:
        words.append(f"  {result.why[:200]}")
    words.append(f"  > {line[:200]}")
    words += [f"    {c[:160]}" for c in context]
    words += [f"    server: {s[:160]}" for s in server_tail(watch, 3)]
    return words[:max(2, count)]


def text(gate, results, watches, fetched, revision):
    """The lines, the counts last."""
    failed = [r for r in results if r.status == FAILED]
    skipped = [r for r in results if r.status == SKIPPED or r.skips]
    left_out = [r.name for r in results if r.status == NOT_RUN]
    tail = [f"slow: {r.name} ({r.again})" for r in results if r.again]
    tail += [f"skipped: {r.name}: {'; '.join(r.skips)[:120] or 'without a reason'}" for r in skipped][:6]
    if left_out:
        tail.append(f"not run: machine too slow: {len(left_out)} cases: {' '.join(left_out)}"[:1000])
    slowest = sorted(results, key=lambda r: -r.seconds)[:SLOWEST]
    tail.append("slowest: " + ", ".join(f"{r.name} {r.seconds:.0f} s (usually {r.usual:.0f})" for r in slowest))
    tail += machine_text(gate, fetched)
    tail.append(f"revision {revision}, {results_time(gate):.0f} s")
    if gate.ended:
        tail.insert(0, f"==== cut short: {gate.ended}")
    tail.append(f"{sum(r.status == PASSED for r in results)} passed, {len(failed)} failed, "
                f"{sum(r.status == SKIPPED for r in results)} skipped" + (f", {len(left_out)} not run" if left_out else ""))
    head, room = [], LINES - len(tail)
    for n, result in enumerate(failed):
        if room - len(head) <= 1:
            head.append(f"==== and {len(failed) - n} more: {' '.join(r.name for r in failed[n:])}"[:400])
            break
        head += failure_lines(result, watches.get(result.name, ""), (room - 1) // len(failed))
    return head[:room] + tail


def results_time(gate):
    return gate.monitor.cpu[-1][0] - gate.start


def verdict(gate, results, watches, fetched, revision):
    """All of it, for programs."""
    cases = []
    for r in results:
        row = dataclasses.asdict(r)
        if r.status == FAILED:
            row["cause"], row["context"] = cause(r)
            row["server_log"] = server_tail(watches.get(r.name, ""), 20)
        cases.append(row)
    return json.dumps({"revision": revision, "cut_short": gate.ended, "calibration": gate.calibrated, "slowness": gate.slowness,
                       "machine": machine_text(gate, fetched), "cases": cases}, indent=1)
