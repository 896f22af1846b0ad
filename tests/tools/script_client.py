# SPDX-License-Identifier: BSD-3-Clause
"""Drives iopmem_script (see the head of iopmem_script.c) and an iopmem-server on a directory; with IOPMEM_RIG_CARD, a mount
point of XFS on a card, and IOPMEM_RIG_ADDRESS, an address of an RDMA device, on that and over verbs."""
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

# Of the tests that take these three; others name their own.
SERVER, SCRIPT, COMMAND = (sys.argv[1:4] + 3 * [""])[:3]
MIB = 1 << 20
CARD = os.environ.get("IOPMEM_RIG_CARD")
ADDRESS = os.environ.get("IOPMEM_RIG_ADDRESS", "127.0.0.1")


def pattern(offset, length, seed):
    return bytes((x * 31 + (x >> 12) * 7 + seed) & 255 for x in range(offset, offset + length))


class Client:
    """One scripted client.  ask() returns the reply line; ok() asserts that it is a success."""

    def __init__(self, binary, url, *options):
        self.proc = subprocess.Popen([binary, *options, url], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True, bufsize=1)
        self.replies = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.hello = self.reply()

    def _read(self):
        for line in self.proc.stdout:
            self.replies.put(line.rstrip("\n"))
        self.replies.put(None)

    def send(self, command):
        self.proc.stdin.write(command + "\n")
        self.proc.stdin.flush()

    def reply(self, timeout=90):
        return self.replies.get(timeout=timeout)

    def ask(self, command, timeout=90):
        self.send(command)
        return self.reply(timeout)

    def ok(self, command, timeout=90):
        answer = self.ask(command, timeout)
        assert answer and answer.startswith("ok"), f"{command}: {answer}"
        return answer

    def error(self, command, errno, timeout=90):
        answer = self.ask(command, timeout)
        assert answer and answer.startswith(f"error {errno} "), f"{command}: {answer}, not {errno}"
        return answer

    def close(self):
        """Returns the exit status (sanitizers make it non-zero)."""
        self.proc.stdin.close()
        return self.proc.wait(timeout=120)

    def kill(self):
        self.proc.kill()
        self.proc.wait()


class Proxy:
    """Between a client and a server's RPC port.  With lose(n) every n-th reply of the server
    is swallowed and its connection cut: the call was executed, the client does not know."""

    def __init__(self, port):
        self.target = port
        self.every = self.count = self.lost = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server((ADDRESS, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, every):
        self.every = every

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((ADDRESS, self.target))
            except OSError:         # the server is not there just now
                near.close()
                continue
            threading.Thread(target=self._up, args=(near, far), daemon=True).start()
            threading.Thread(target=self._down, args=(far, near), daemon=True).start()

    @staticmethod
    def _end(*sockets):
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _up(self, near, far):
        try:
            while data := near.recv(65536):
                far.sendall(data)
        except OSError:
            pass
        self._end(near, far)

    def _down(self, far, near):
        try:
            while data := far.recv(65536):
                with self.lock:
                    self.count += 1
                    cut = self.every and self.count % self.every == 0
                    self.lost += 1 if cut else 0
                if cut:
                    break
                near.sendall(data)
        except OSError:
            pass
        self._end(near, far)


def export_folder(parent):
    """Where everybody may write: in @parent, or on the card."""
    folder = tempfile.mkdtemp(prefix="export-", dir=CARD or parent)
    os.chmod(folder, 0o777)
    return folder


class Server:
    """An iopmem-server on a fresh directory; restart() keeps directory and port."""

    def __init__(self, binary, *options, env=None):
        self.binary, self.options = binary, options
        self.env = {**os.environ, **(env or {})}
        self.dir = tempfile.mkdtemp(prefix="iopmem-e2e-")
        os.chmod(self.dir, 0o755)
        self.export = export_folder(self.dir)
        os.mkdir(os.path.join(self.dir, "state"))
        with socket.socket() as s:
            s.bind((ADDRESS, 0))
            self.port = s.getsockname()[1]
        self.url = f"iopmem://{ADDRESS}:{self.port}/e"
        self.log = open(os.path.join(self.dir, "log"), "ab")
        try:
            self.start()
        except RuntimeError:
            self.stop()
            raise

    def start(self):
        self.proc = subprocess.Popen(
            [self.binary, "--export", f"e={self.export}", "--listen", f"{ADDRESS}:{self.port}",
             "--fabric", "verbs" if CARD else "auto", "--state-dir", os.path.join(self.dir, "state"), *self.options],
            stdout=self.log, stderr=self.log, env=self.env)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((ADDRESS, self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.proc.poll() is not None:
                    raise RuntimeError("server does not start:\n" + self.text())
                time.sleep(0.05)

    def kill(self):
        self.proc.kill()
        self.proc.wait()

    def bytes(self, path):
        with open(os.path.join(self.export, path), "rb") as f:
            return f.read()

    def text(self):
        with open(os.path.join(self.dir, "log"), errors="replace") as f:
            return f.read()

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.kill()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.export, ignore_errors=True)


class Setup:
    def __init__(self, *server_options):
        self.server = Server(SERVER, *server_options)
        self.clients = []

    def __enter__(self):
        return self

    def client(self, *options):
        c = Client(SCRIPT, self.server.url, *options)
        assert c.hello.startswith("ok"), c.hello
        self.clients.append(c)
        return c

    def __exit__(self, kind, value, tb):
        if kind:
            print(self.server.text()[-3000:])
        try:
            for c in self.clients:
                if c.proc.poll() is None and kind:
                    c.kill()
                elif c.proc.poll() is None:
                    status = c.close()
                    assert status == 0, f"client ended with {status}"
        finally:
            self.server.stop()

    def same(self, path, offset, length, seed):
        """Opening the file recalls what is leased (the `dir` backing's kernel lease)."""
        got = self.server.bytes(path)[offset:offset + length]
        assert got == pattern(offset, length, seed), f"{path}: wrong bytes in the backing file"


def on_a_directory(test):
    """Of what only the backing `dir` does: an open() recalls, a file that is open elsewhere has no layout, limits on size."""
    test.on_a_directory = True
    return test


def run_tests(names, wanted):
    """Runs the test_* of @names (those in @wanted, if any); the exit status."""
    failed = passed = skipped = 0
    for name, test in sorted(names.items()):
        if not name.startswith("test_") or (wanted and name[5:] not in wanted):
            continue
        if CARD and hasattr(test, "on_a_directory"):
            skipped += 1
            print(f"SKIP {name[5:]}: of backing dir", flush=True)
            continue
        start = time.monotonic()
        try:
            test()
            passed += 1
            print(f"PASS {name[5:]} ({time.monotonic() - start:.1f} s)", flush=True)
        except Exception:
            traceback.print_exc(file=sys.stdout)
            failed += 1
            print(f"FAIL {name[5:]}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
