# SPDX-License-Identifier: BSD-3-Clause
"""Drives iopmem_script (see the head of iopmem_script.c) and an iopmem-server on a directory."""
import os
import queue
import shutil
import socket
import subprocess
import tempfile
import threading
import time


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
        self.listener = socket.create_server(("127.0.0.1", 0))
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
            far = socket.create_connection(("127.0.0.1", self.target))
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


class Server:
    """An iopmem-server on a fresh directory; restart() keeps directory and port."""

    def __init__(self, binary, *options):
        self.binary, self.options = binary, options
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
        self.proc = subprocess.Popen(
            [self.binary, "--export", f"e={self.export}", "--listen", f"127.0.0.1:{self.port}",
             "--state-dir", os.path.join(self.dir, "state"), *self.options],
            stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
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
