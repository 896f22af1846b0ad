# SPDX-License-Identifier: BSD-3-Clause
"""The machine that the gate runs on: how slow it is, when it stood still, what disk is free."""
import multiprocessing
import os
import random
import shutil
import signal
import threading
import time
import zlib

# Seconds that one round of _work() takes on each core of the machine that the table of usual times was measured on.
REFERENCE_S = 0.50
ROUNDS = 3
STALL_MS = 200		# a monitor that wakes so much too late has met a stall
PERIOD_S = 0.05


def _work(_):
    """A fixed amount of work, in seconds of wall-clock time."""
    letters = random.Random(1).choices(b"abcdefgh      ", k=1 << 16)
    block = bytes(letters)
    start = time.monotonic()
    for _ in range(60):
        zlib.compress(block, 6)
    return time.monotonic() - start


def calibrate():
    """How many times slower than the reference this machine is now, all cores at work: 1.0 or more."""
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("fork").Pool(cores, signal.signal, (signal.SIGTERM, signal.SIG_DFL)) as pool:
        rounds = [max(pool.map(_work, range(cores), 1)) for _ in range(ROUNDS)]
    return max(1.0, sorted(rounds)[ROUNDS // 2] / REFERENCE_S)


def cpu_times():
    """(all, stolen) jiffies since boot."""
    with open("/proc/stat", encoding="ascii") as f:
        fields = [int(word) for word in f.readline().split()[1:9]]
    return sum(fields), fields[7]


class Monitor(threading.Thread):
    """Notes when the whole machine stood still, and how much of it was stolen."""

    def __init__(self):
        super().__init__(daemon=True)
        self.gaps = []			# (end, seconds)
        self.cpu = [(time.monotonic(), *cpu_times())]
        self.ended = threading.Event()

    def run(self):
        last = time.monotonic()
        while not self.ended.wait(PERIOD_S):
            now = time.monotonic()
            if now - last - PERIOD_S > STALL_MS / 1000:
                self.gaps.append((now, now - last))
            if now - self.cpu[-1][0] > 5:
                self.cpu.append((now, *cpu_times()))
            last = now

    def stop(self):
        self.ended.set()

    def stall(self, start, end):
        """The longest stall between two times, in seconds."""
        return max((gap for when, gap in self.gaps if start <= when <= end + gap), default=0.0)

    def stood(self, start, end):
        """Seconds between two times that the machine stood still."""
        return sum(gap for when, gap in self.gaps if start <= when <= end + gap)

    def steal(self, start, end):
        """The share of the CPUs that the host took away between two times."""
        inside = [c for c in self.cpu if start - 10 <= c[0] <= end + 10]
        if len(inside) < 2 or inside[-1][1] == inside[0][1]:
            return 0.0
        return (inside[-1][2] - inside[0][2]) / (inside[-1][1] - inside[0][1])


def disk_free(path):
    """GiB, on the file system that would hold @path."""
    while not os.path.exists(path):
        path = os.path.dirname(path) or "/"
    return shutil.disk_usage(path).free / (1 << 30)
