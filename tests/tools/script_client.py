# SPDX-License-Identifier: BSD-3-Clause
"""Drives iopmem_script (see the head of iopmem_script.c) and an iopmem-server on a directory."""
import os
import queue
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

# Of the tests that take these three; others name their own.
SERVER, SCRIPT, COMMAND = (sys.argv[1:4] + 3 * [""])[:3]
MIB = 1 << 20
# Seconds of a hang guard, never part of what is proved.
PATIENCE = 60 * max(1.0, float(os.environ.get("IOPMEM_SLOW", "1")))
# Procedures, of proto/iopmem.x.
GETDEVICEINFO, OPEN, CREATE, GETATTR, SETSIZE = 4, 6, 7, 9, 10
LAYOUTGET, LAYOUTCOMMIT, LAYOUTRETURN, EVENT_WAIT = 14, 15, 16, 17


class Skip(Exception):
    """A case that cannot run here, and why."""


def wait_until(what, condition):
    """Looks until condition() is true; returns it."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited too long: {what}"
        time.sleep(0.005)
    return value


def pattern(offset, length, seed):
    return bytes((x * 31 + (x >> 12) * 7 + seed) & 255 for x in range(offset, offset + length))


class Client:
    """One scripted client.  ask() returns the reply line; ok() asserts that it is a success."""

    def __init__(self, binary, url, *options):
        if "--timeout" not in options:
            options = (*options, "--timeout", str(int(PATIENCE * 1000)))
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

    def reply(self):
        # twice: what the command itself waits for has the same guard, and says more
        return self.replies.get(timeout=2 * PATIENCE)

    def is_busy(self):
        """What was sent last has no answer yet."""
        return self.replies.empty()

    def ask(self, command):
        self.send(command)
        return self.reply()

    def ok(self, command):
        answer = self.ask(command)
        assert answer and answer.startswith("ok"), f"{command}: {answer}"
        return answer

    def event(self, kind):
        """Waits for it; events before it are dropped."""
        return self.ok(f"wait-event {kind} {int(PATIENCE * 1000)}")

    def error(self, command, errno):
        answer = self.ask(command)
        assert answer and answer.startswith(f"error {errno} "), f"{command}: {answer}, not {errno}"
        return answer

    def close(self):
        """Returns the exit status (sanitizers make it non-zero)."""
        self.proc.stdin.close()
        return self.proc.wait(timeout=2 * PATIENCE)

    def kill(self):
        self.proc.kill()
        self.proc.wait()


def records(sock):
    """The fragments of RPC records that come: (mark and payload, it begins a record)."""
    data, begins = b"", True
    while True:
        while len(data) < 4 or len(data) < 4 + (struct.unpack(">I", data[:4])[0] & 0x7fffffff):
            more = sock.recv(65536)
            if not more:
                return
            data += more
        mark = struct.unpack(">I", data[:4])[0]
        end = 4 + (mark & 0x7fffffff)
        yield data[:end], begins
        data, begins = data[end:], bool(mark & 0x80000000)


class Proxy:
    """Between a client and a server's RPC port.  With lose(n) every n-th reply of the server
    is swallowed and its connection cut: the call was executed, the client does not know.
    before_reply(proc, hook): the next reply to that procedure is passed on after hook(); with
    done=True the next one that says that it was done."""

    def __init__(self, port):
        self.target = port
        self.every = self.count = self.lost = 0
        self.hooks, self.failure = {}, None
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, every):
        self.every = every

    def before_reply(self, proc, hook, done=False):
        self.hooks[proc] = hook, done

    def _hook(self, data, procs):
        """What is to be called before this record, if it is the reply that is waited for."""
        proc = procs.get(struct.unpack(">I", data[4:8])[0])
        hook, done = self.hooks.get(proc, (None, False))
        # Behind the record's mark: the head of an accepted reply, and what all results begin with, the status.
        if not hook or (done and struct.unpack(">I", data[28:32])[0]):
            return None
        del self.hooks[proc]
        return hook

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            procs = {}
            threading.Thread(target=self._up, args=(near, far, procs), daemon=True).start()
            threading.Thread(target=self._down, args=(far, near, procs), daemon=True).start()

    @staticmethod
    def _end(*sockets):
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _up(self, near, far, procs):
        try:
            for data, begins in records(near):
                if begins:
                    xid, _, _, _, _, proc = struct.unpack(">6I", data[4:28])
                    procs[xid] = proc
                far.sendall(data)
        except OSError:
            pass
        self._end(near, far)

    def _down(self, far, near, procs):
        try:
            for data, begins in records(far):
                with self.lock:
                    self.count += 1
                    cut = self.every and self.count % self.every == 0
                    self.lost += 1 if cut else 0
                if cut:
                    break
                hook = self._hook(data, procs) if begins else None
                if hook:
                    hook()
                near.sendall(data)
        except OSError:
            pass
        except Exception:       # of a hook
            self.failure = traceback.format_exc()
        self._end(near, far)


class Server:
    """An iopmem-server on a fresh directory; start() again keeps directory and port.  Of tests/timed,
    with @held its lease time stands still but for step()."""

    def __init__(self, binary, *options, held=False):
        self.binary, self.options, self.held = binary, options, held
        self.dir = tempfile.mkdtemp(prefix="iopmem-e2e-")
        os.chmod(self.dir, 0o755)
        self.export = os.path.join(self.dir, "export")
        os.mkdir(self.export)
        os.chmod(self.export, 0o777)
        os.mkdir(os.path.join(self.dir, "state"))
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"iopmem://127.0.0.1:{self.port}/e"
        self.log = open(os.path.join(self.dir, "log"), "ab")
        self.start()

    def start(self):
        self.control, far = socket.socketpair()
        self.control.settimeout(PATIENCE)
        with far:
            self.proc = subprocess.Popen(
                [self.binary, "--export", f"e={self.export}", "--listen", f"127.0.0.1:{self.port}",
                 "--state-dir", os.path.join(self.dir, "state"), *self.options],
                stdout=self.log, stderr=self.log, pass_fds=[far.fileno()],
                env={**os.environ, "IOPMEM_TEST_CONTROL": str(far.fileno())})
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
                break
            except OSError:
                if time.monotonic() > deadline or self.proc.poll() is not None:
                    raise RuntimeError("server does not start:\n" + self.text())
                time.sleep(0.05)
        if self.held:
            self.tell("hold")

    def kill(self):
        self.proc.kill()
        self.proc.wait()
        self.control.close()

    def tell(self, command):
        """See tests/timed/server_timed.c: returns when the server is at rest."""
        self.control.sendall(command.encode() + b"\n")
        answer = b""
        while len(answer) < 3:
            more = self.control.recv(3 - len(answer))
            assert more, f"the server ended at '{command}'"
            answer += more

    def step(self, ms):
        self.tell(f"step {ms}")

    def rest(self):
        self.tell("rest")

    def logged(self, text):
        """Lines of the log with it, of all the server's lives."""
        return sum(text in line for line in self.text().splitlines())

    def await_log(self, text, count=1):
        wait_until(f"'{text}' in the log", lambda: self.logged(text) >= count)

    def bytes(self, path):
        with open(os.path.join(self.export, path), "rb") as f:
            return f.read()

    def text(self):
        with open(os.path.join(self.dir, "log"), errors="replace") as f:
            return f.read()

    def stop(self):
        status = 0
        if self.proc.poll() is None:
            if self.held:
                self.tell("go")
            self.proc.terminate()
            try:
                status = self.proc.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                status = "none: it hangs"
                self.kill()
        self.control.close()
        self.log.close()
        text = self.text() if status else ""
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not status, f"the server's exit status is {status}:\n{text[-3000:]}"


class Setup:
    """A server whose time stands still, and its clients."""

    def __init__(self, *server_options):
        self.server = Server(SERVER, "--lease-ms", "3600000", "--recall-ms", "30000", *server_options, held=True)
        self.clients = []

    def __enter__(self):
        return self

    def client(self, *options, port=None):
        c = Client(SCRIPT, f"iopmem://127.0.0.1:{port}/e" if port else self.server.url, *options)
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


def run_tests(names, wanted):
    """Runs the test_* of @names (those in @wanted, if any); the exit status."""
    failed = passed = skipped = 0
    for name, test in sorted(names.items()):
        if not name.startswith("test_") or (wanted and name[5:] not in wanted):
            continue
        start = time.monotonic()
        try:
            test()
            passed += 1
            print(f"PASS {name[5:]} ({time.monotonic() - start:.1f} s)", flush=True)
        except Skip as why:
            skipped += 1
            print(f"SKIP: {name[5:]}: {why}", flush=True)
        except Exception:
            traceback.print_exc(file=sys.stdout)
            failed += 1
            print(f"FAIL {name[5:]}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0
