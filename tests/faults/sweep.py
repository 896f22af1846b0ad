#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every fault point of the server, one at a time, under two clients and a local writer.

sweep.py FAULTY_SERVER IOPMEM_SCRIPT IOPMEM [POINT...]

A server whose start is disturbed says why and leaves.  One that serves goes on serving: calls may fail while the
fault is there, but end in bounded time; what was reported committed is in the file; a client that comes afterwards gets
everything; at the end the server leaves with status 0 and a sanitizer has nothing to say.
IOPMEM_LONG=1: also the second and third call from each point.
"""
import concurrent.futures
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from script_client import SCRIPT, SERVER, Client, Server, pattern

COMPLAINTS = ("Sanitizer", "runtime error:", "Assertion", "double free", "corrupted")
OPTIONS = ("--lease-ms", "3000", "--recall-ms", "1000", "--fabric", "tcp", "--log-level", "debug")


class Died(Exception):
    """The server ended by itself."""


class Run:
    """One server with one fault."""

    def __init__(self, server):
        self.server = server
        self.clients = []

    def client(self, owner):
        client = Client(SCRIPT, self.server.url, "--timeout", "20000", "--owner", owner)
        self.clients.append(client)
        return client

    def ask(self, client, command):
        """A call that may fail, but answers."""
        answer = client.ask(command, 40)
        if self.server.proc.poll() is not None:
            raise Died(command)
        assert answer and (answer.startswith("ok") or answer.startswith("error")), f"{command}: {answer}"
        assert "mismatch" not in answer, f"{command}: {answer}"
        return answer.startswith("ok")

    def local(self, path, size):
        """A local process cuts the file; it waits for the recall."""
        done = threading.Thread(target=self._truncate, args=(path, size), daemon=True)
        done.start()
        done.join(30)
        assert not done.is_alive(), "the local truncate hangs"

    def _truncate(self, path, size):
        try:
            os.truncate(os.path.join(self.server.export, path), size)
        except FileNotFoundError:
            pass

    def disturbed(self):
        a, b = self.client("a"), self.client("b")
        if not (a.hello.startswith("ok") and b.hello.startswith("ok")):
            return
        for name in "mkdir d", "open f d/x rwc", "lease l f 0 1m rw":
            self.ask(a, name)
        committed = self.ask(a, "write l 0 100000 5") and self.ask(a, "commit l")
        self.ask(b, "open f d/x rw")
        self.ask(b, "lease l f 0 4k rw 5000")
        taken = self.ask(b, "write l 0 4096 6") and self.ask(b, "commit l")
        self.ask(b, "return l")
        self.ask(a, "lease r f 0 64k r 5000")
        self.ask(a, "read r 8192 1000 5") if committed else None
        self.local("d/x", 50000)
        if committed:
            self.check("d/x", 4096, 50000 - 4096, 5)
        if committed and taken:
            self.check("d/x", 0, 4096, 6)
        self.ask(a, "open g y rwc")
        if self.ask(a, "pwrite g 0 5000 7") and self.ask(a, "sync g"):
            self.check("y", 0, 5000, 7)
        for name in "append g 100 33", "truncate g 9000", "stat g", "lookup d/x", "close g", "remove y", "mkdir e":
            self.ask(a, name)

    def check(self, path, offset, length, seed):
        got = self.server.bytes(path)[offset:offset + length]
        assert got == pattern(offset, length, seed), f"{path}: what was committed is not there"

    def undisturbed(self):
        """Somebody who comes later is not affected, not even on the same file."""
        c = self.client("c")
        assert c.hello.startswith("ok"), c.hello
        c.ask("mkdir d")
        for path in "d/x", "later":
            c.ok(f"open f {path} rwc", 40)
            c.ok("lease l f 0 1m rw 15000", 40)
            c.ok("write l 0 20000 8", 40)
            c.ok("commit l", 40)
            c.ok("return l", 40)
            c.ok("close f", 40)
            self.check(path, 0, 20000, 8)

    def end(self):
        for client in self.clients:     # whoever was fenced ends with an error
            if client.hello.startswith("ok"):
                client.close()
        self.server.proc.terminate()
        status = self.server.proc.wait(timeout=40)
        assert status == 0, f"the server ended with {status}"


def complaints(text):
    return [line for line in text.splitlines() if any(word in line for word in COMPLAINTS)]


def refused(text):
    """The server did not start: with a reason, and not by a signal."""
    assert "iopmem-server: " in text and not complaints(text), text


def run(environment):
    try:
        server = Server(SERVER, *OPTIONS, env=environment)
    except RuntimeError as error:
        refused(str(error))
        return "refused"
    this = Run(server)
    try:
        this.disturbed()
        this.undisturbed()
        this.end()
        assert not complaints(server.text()), "a sanitizer complains"
        return "went on"
    except Exception:
        text = server.text()
        if server.proc.poll() == 1 and " serving " not in text:
            refused(text)       # it took connections already
            return "refused"
        print(text[-6000:])
        raise
    finally:
        for client in this.clients:
            if client.proc.poll() is None:
                client.kill()
        server.stop()


def all_points():
    with tempfile.NamedTemporaryFile("r") as log:
        run({"IOPMEM_FAULT_LOG": log.name})
        return dict(line.split() for line in log)


def where(point):
    command = ["addr2line", "-Cfpe", SERVER, hex(int(point, 16) - 1)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def attempt(point, name, hit):
    begin = time.monotonic()
    try:
        result = run({"IOPMEM_FAULT": f"{point}:{hit}"})
        return point, f"{result} ({time.monotonic() - begin:.1f} s)", None
    except Exception:
        return point, "FAIL", f"{name} call {hit} in {where(point)}\n{traceback.format_exc()}"


def main():
    points = all_points()
    chosen = {p: n for p, n in points.items() if not sys.argv[4:] or p in sys.argv[4:]}
    hits = (1, 2, 3) if os.environ.get("IOPMEM_LONG") else (1,)
    failed = 0
    print(f"{len(points)} fault points", flush=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(attempt, p, n, hit) for p, n in chosen.items() for hit in hits]
        for job in concurrent.futures.as_completed(jobs):
            point, result, why = job.result()
            print(f"{point} {points[point]}: {result}", flush=True)
            if why:
                failed += 1
                print(why, flush=True)
    print(f"{len(jobs) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed or len(points) < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
