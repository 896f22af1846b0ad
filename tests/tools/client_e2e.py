#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The client library against a real server on a directory: leases, recalls, fences, restarts.

client_e2e.py IOPMEM_SERVER_TIMED IOPMEM_SCRIPT IOPMEM [TEST...]
Bytes are checked in the backing file, not by completions.
"""
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

from script_client import (COMMAND, CREATE, EVENT_WAIT, GETATTR, GETDEVICEINFO, LAYOUTCOMMIT, LAYOUTGET, LAYOUTRETURN, MIB, OPEN,
                           PATIENCE, SCRIPT, SETSIZE, Client, Proxy, Setup, pattern, run_tests, wait_until)


def test_levels():
    with Setup() as s:
        a = s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 100000 1")
        assert a.ok("commit l") == "ok level=3"       # growth: LAYOUTCOMMIT
        assert "size=100000" in a.ok("stat f")
        s.same("x", 0, 100000, 1)
        a.event("recalled")
        assert a.ok("commit l") == "ok level=3"       # nothing was pending
        a.error("write l 0 1 1", "ESTALE")
        a.ok("return l")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 500 77 2")
        a.ok("commit l")
        a.ok("return l")
        s.same("x", 500, 77, 2)
        a.ok("lease l f 0 1m rw")                   # its first 100000 are inside EOF now
        a.ok("write l 4096 100 3")
        assert a.ok("commit l") in ("ok level=2", "ok level=3")
        a.ok("lease r f 0 2m r")
        assert a.ok("read r 4096 100 3") == "ok match"
        assert a.ok("read r 100000 1m zero") == "ok match"
        a.error("write r 0 1 1", "EBADF")
        a.error("write l 1m 1 1", "ERANGE")
        a.ok("close f")
        a.ok("open f x r")
        a.error("lease l f 0 1 rw", "EBADF")
        a.error("truncate f 0", "EBADF")


def test_recall_commits():
    with Setup() as s:
        a, b = s.client(), s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 300000 5")
        b.ok("open f x rw")
        b.ok("lease l f 0 1m rw")
        assert a.event("recalled").startswith("ok recalled path=x")
        a.error("write l 0 1 1", "ESTALE")
        assert a.ok("lost l") == "ok n=0"
        assert a.ok("commit l").startswith("ok level=")
        a.ok("return l")
        assert b.ok("read l 0 300000 5") == "ok match"
        b.ok("write l 0 300000 6")
        a.ok("lease l f 0 1m r")
        assert a.ok("read l 0 300000 6") == "ok match"
        b.error("write l 0 1 1", "ESTALE")
        s.same("x", 0, 300000, 6)


def test_recall_of_growth():
    """What a recalled writer had not committed is in the file when the recall is over."""
    with Setup() as s:
        a = s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 100k 5")
        a.ok("write l 200k 100k 5")
        s.same("x", 0, 102400, 5)                # waits for the return
        s.same("x", 204800, 102400, 5)
        assert s.server.bytes("x")[102400:204800] == bytes(102400)
        assert len(s.server.bytes("x")) == 307200
        assert a.ok("lost l") == "ok n=0"


def test_readers_share():
    with Setup() as s:
        a, b = s.client(), s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 64k rw")
        a.ok("write l 0 64k 1")
        a.ok("return l")
        for c in (a, b):
            c.ok("close f") if c is a else None
            c.ok("open f x rw")
            c.ok("lease r f 0 64k r")
            assert c.ok("read r 0 64k 1") == "ok match"
        assert not s.server.logged(": recalling ")
        b.ok("lease w f 0 4k rw")         # recalls a's
        a.event("recalled")
        a.error("read r 0 1 zero", "ESTALE")
        b.ok("write w 0 4k 9")
        b.ok("return w")
        a.ok("lease q f 0 64k r")
        assert a.ok("read q 0 4k 9") == "ok match"


def test_split_return():
    with Setup() as s:
        a = s.client()
        a.ok("open f x rwc")
        a.ok("lease l1 f 0 2m rw")
        a.ok("lease l2 f 1m 2m rw")
        a.ok("write l1 0 1m 1")
        a.ok("write l2 1m 2m 2")
        before = a.ok("keys l2")
        a.ok("return l1")
        assert a.ok("keys l2") != before
        a.ok("write l2 1m 1m 3")
        a.ok("commit l2")
        a.ok("return l2")
        s.same("x", 0, MIB, 1)
        s.same("x", MIB, MIB, 3)
        s.same("x", 2 * MIB, MIB, 2)


def test_fence():
    with Setup() as s:
        a, b = s.client("--raw-ignore-recall"), s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 1m 1")
        a.ok("commit l")
        a.ok("write l 0 4k 2")
        a.ok("lease other f 8m 1m rw")
        b.ok("open f x rw")
        b.send("lease l f 0 1m rw")
        s.server.await_log("e/x: recalling ")
        assert a.ok("blast l 0 64k 100") == "ok writes=100 error=none "
        s.server.step(29999)
        assert a.ok("blast l 0 64k 100") == "ok writes=100 error=none "
        a.send("blast l 0 64k 100000000")
        assert not s.server.logged("fenced") and b.is_busy()
        s.server.step(2)
        assert s.server.logged("fenced") == 1
        blasted = a.reply()
        assert "error=ESTALE" in blasted, blasted
        assert b.reply() == "ok"
        b.ok("write l 0 64k 7")
        b.ok("commit l")
        a.event("revoked")
        assert a.ok("lost l") != "ok n=0"
        a.error("write l 0 1 1", "ESTALE")
        a.error("return l", "ESTALE")
        a.ok("write other 8m 64k 4")              # over a new connection
        a.ok("commit other")
        a.ok("ignore-recall off")
        s.same("x", 8 * MIB, 65536, 4)
        s.same("x", 0, 65536, 7)


def test_key_theft():
    with Setup() as s:
        a, b = s.client(), s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 64k rw")
        a.ok("write l 0 64k 1")
        b.ok("open g y rwc")
        b.ok("lease l g 0 64k rw")
        key = a.ok("keys l").split()[2].split(":")
        b.error(f"rawwrite {key[1]} {key[2]} 64 9", "EACCES")
        b.error(f"rawread {key[1]} {key[2]} 64 1", "EACCES")
        b.ok("write l 0 64k 2")
        b.ok("commit l")
        own = a.ok("keys l").split()[2].split(":")
        end = int(own[2], 16) + 65536
        a.error(f"rawread {own[1]} {end} 1 zero", "EACCES")
        a.ok("write l 0 64k 3")
        a.ok("commit l")
        s.same("x", 0, 65536, 3)
        s.same("y", 0, 65536, 2)


def test_server_restart():
    with Setup() as s:
        a = s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 8k 1")
        a.ok("commit l")
        a.ok("write l 64k 8k 2")
        s.server.kill()
        s.server.start()
        a.event("restarted")
        a.error("write l 0 1 1", "ESTALE")
        assert a.ok("lost l") == "ok n=1 65536+8192"
        a.error("commit l", "ESTALE")
        a.ask("return l")
        a.ask("close f")
        a.ok("open f x rw")
        a.ok("lease l f 0 1m rw")
        assert a.ok("read l 0 8k 1") == "ok match"
        a.ok("write l 0 8k 4")
        a.ok("return l")
        s.same("x", 0, 8192, 4)


def test_expiry():
    with Setup("--lease-ms", "20000") as s:
        a, b = s.client(), s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 8k 1")
        b.ok("open f x rw")
        os.kill(a.proc.pid, signal.SIGSTOP)
        try:
            for _ in range(4):          # the answer to what a has asked still renews it, once
                s.server.step(12000)
                b.ok("stat f")
            assert s.server.logged("ends (lease expired)") == 1
            b.ok("lease l f 0 1m rw")
            b.ok("write l 0 8k 2")
            b.ok("commit l")
        finally:
            os.kill(a.proc.pid, signal.SIGCONT)
        # Its connection is cut; why, it hears in a moment.
        answer = a.ask("write l 0 8k 3")
        assert answer.startswith(("error ESTALE ", "error ECONNRESET ")), answer
        a.event("expired")
        a.error("write l 0 8k 3", "ESTALE")
        assert a.ok("lost l") == "ok n=1 0+8192"
        s.same("x", 0, 8192, 2)
        a.ask("close f")
        a.ok("open f x rw")
        b.ok("return l")
        a.ok("lease l f 0 1m rw")
        assert a.ok("read l 0 8k 2") == "ok match"


def test_own_truncate():
    with Setup() as s:
        a = s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 1m 1")
        a.ok("truncate f 5000")
        assert "size=5000" in a.ok("stat f")
        assert len(s.server.bytes("x")) == 5000
        s.same("x", 0, 5000, 1)
        a.error("write l 0 1 1", "ESTALE")
        a.ask("return l")
        a.ok("lease l f 0 1m rw")
        assert a.ok("read l 5000 3000 zero") == "ok match"


def test_local_writer():
    with Setup() as s:
        a = s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 1m 1")
        fd = os.open(os.path.join(s.server.export, "x"), os.O_WRONLY)
        os.pwrite(fd, b"local", 10)
        os.close(fd)
        a.event("recalled")
        assert a.ok("lost l") == "ok n=0"
        got = s.server.bytes("x")
        want = bytearray(pattern(0, MIB, 1))
        want[10:15] = b"local"
        assert got == bytes(want)


def test_ping_pong():
    """Two writers, each gets its turn; every committed write is there."""
    rounds = 25
    with Setup() as s:
        clients = [s.client(), s.client(), s.client()]
        clients[0].ok("open f x rwc")
        for c in clients[1:]:
            c.ok("open f x rw")
        failures = []

        def work(n):
            c = clients[n]
            try:
                for i in range(rounds):
                    while True:
                        c.ok("lease l f 0 1m rw")
                        answer = c.ask(f"write l {n * 65536} 64k {i + 100 * n}")
                        commit = c.ask("commit l") if answer == "ok" else answer
                        c.ask("return l")
                        if commit.startswith("ok"):
                            break
                        assert commit.startswith("error ESTALE"), commit
            except Exception:
                failures.append(traceback.format_exc())

        threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not failures, failures[0]
        for n in range(3):
            s.same("x", n * 65536, 65536, rounds - 1 + 100 * n)


def test_put_under_recalls():
    """put goes on correctly while another client takes its leases away, each as soon as it is granted."""
    often = 5
    with Setup() as s:
        b = s.client()
        proxy = Proxy(s.server.port)
        source = os.path.join(s.server.dir, "source")
        data = os.urandom(64 * MIB + 123)
        with open(source, "wb") as f:
            f.write(data)
        b.ok("open f big rwc")
        granted, recalled = queue.Queue(), queue.Queue()

        def hold():
            granted.put(True)
            recalled.get(timeout=PATIENCE)

        proxy.before_reply(LAYOUTGET, hold, done=True)
        put = subprocess.Popen([COMMAND, "put", "-q", source, f"iopmem://127.0.0.1:{proxy.port}/e/big"])
        for n in range(often):
            granted.get(timeout=PATIENCE)
            before = s.server.logged("e/big: recalling ")
            b.error("lease l f 0 200m rw 1", "ETIMEDOUT")   # asks once: put holds what it does not know of yet
            s.server.await_log("e/big: recalling ", before + 1)
            if n + 1 < often:
                proxy.before_reply(LAYOUTGET, hold, done=True)
            recalled.put(True)
        assert put.wait(timeout=2 * PATIENCE) == 0
        assert not proxy.failure, proxy.failure
        assert s.server.bytes("big") == data
        target = source + ".back"
        subprocess.run([COMMAND, "get", "-q", s.server.url + "/big", target], check=True)
        with open(target, "rb") as f:
            assert f.read() == data


def test_lost_replies():
    """I16: every call is executed once, however often its reply is lost."""
    with Setup() as s:
        proxy = Proxy(s.server.port)
        url = f"iopmem://127.0.0.1:{proxy.port}/e"
        a = Client(SCRIPT, url)
        assert a.hello.startswith("ok"), a.hello
        s.clients.append(a)
        b = s.client()
        proxy.lose(3)
        for i in range(12):
            a.ok(f"open f{i} x{i} rwcx")          # executed twice it would be EEXIST
            a.ok(f"lease l f{i} 0 64k rw")
            a.ok(f"write l 0 5000 {i}")
            assert a.ok("commit l") == "ok level=3"
            a.ok("write l 8k 100 1")
            b.ok(f"open g x{i} r")
            b.ok("lease m g 0 64k r 10000")
            assert b.ok(f"read m 0 5000 {i}") == "ok match"
            assert b.ok("read m 8k 100 1") == "ok match"
            assert a.ok("lost l") == "ok n=0"
            a.ok("return l")
            a.ok(f"mkdir d{i}")
            a.ok(f"remove d{i}")
            a.ok(f"close f{i}")
            b.ok("close g")
        assert proxy.lost > 20, proxy.lost
        print(f"  {proxy.lost} replies lost")
        proxy.lose(0)
        assert not s.server.logged("ends (")


def test_unaligned():
    """Fabrics with io_align: ends go through a block."""
    with Setup() as s:
        a = s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 1m 1")
        a.ok("io-align 4096")
        a.ok("write l 4095 2 2")
        a.ok("write l 10000 50000 3")
        a.ok("write l 70000 10 4")
        a.ok("commit l")
        for off, n, seed in ((0, 4095, 1), (4095, 2, 2), (4097, 5903, 1), (10000, 50000, 3),
                             (60000, 10000, 1), (70000, 10, 4), (70010, 978566, 1)):
            assert a.ok(f"read l {off} {n} {seed}") == "ok match", off
        a.ok("return l")
        s.same("x", 10000, 50000, 3)
        s.same("x", 60000, 10000, 1)


def test_put_over_restart():
    """The server is killed and comes back while a file is put."""
    with Setup() as s:
        source = os.path.join(s.server.dir, "source")
        data = os.urandom(1 * MIB) * 80 + b"end"
        with open(source, "wb") as f:
            f.write(data)
        path = os.path.join(s.server.export, "big")
        deadline = time.monotonic() + 4 * PATIENCE
        while True:
            assert time.monotonic() < deadline, "every put was through before the server was killed"
            put = subprocess.Popen([COMMAND, "put", "-q", source, s.server.url + "/big"])
            wait_until("a part of the file", lambda: put.poll() is not None or
                       os.path.exists(path) and os.stat(path).st_size >= 32 * MIB)
            s.server.kill()
            # Whoever holds the port now hears it look for the server; a put that is through does not.
            with socket.create_server(("127.0.0.1", s.server.port)) as port:
                port.settimeout(0.05)
                heard = wait_until("the put", lambda: knocks(port) or put.poll() is not None)
            s.server.start()
            if heard == "knocked":
                break
            assert put.wait() == 0
            os.unlink(path)
        assert put.wait(timeout=2 * PATIENCE) == 0
        assert s.server.bytes("big") == data


def knocks(listener):
    try:
        listener.accept()[0].close()
        return "knocked"
    except TimeoutError:
        return None


def expire(server, pid=None):
    """A client is stopped for longer than a lease, and gone."""
    before = server.logged("ends (lease expired)")
    if pid:
        os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + PATIENCE
    while server.logged("ends (lease expired)") == before:
        assert time.monotonic() < deadline, "the lease does not end"
        server.step(3600001)    # the answer to what it has asked still renews it
    if pid:
        os.kill(pid, signal.SIGCONT)


def test_outdated_token():
    """The lease ends between the device info and the connection that its token is for."""
    with Setup() as s:
        proxy = Proxy(s.server.port)
        proxy.before_reply(GETDEVICEINFO, lambda: expire(s.server))
        a = s.client(port=proxy.port)
        assert not proxy.hooks and s.server.logged("ends (lease expired)") == 1, proxy.failure
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 64k 1")
        a.ok("commit l")
        # The same to a connection that has to be made again.
        a.error("rawwrite 1 0 64 9", "EACCES")
        proxy.before_reply(GETDEVICEINFO, lambda: expire(s.server, a.proc.pid))
        a.error("write l 0 64k 2", "ESTALE")
        a.event("expired")
        assert not proxy.hooks and not proxy.failure, proxy.failure
        assert a.ok("lost l") == "ok n=0"
        a.ask("return l")
        a.ok("close f")
        a.ok("open f x rw")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 64k 3")
        a.ok("return l")
        # And of a file of which nothing is held yet.
        a.ok("open g y rwc")
        a.error("rawwrite 1 0 64 9", "EACCES")
        proxy.before_reply(GETDEVICEINFO, lambda: expire(s.server, a.proc.pid))
        a.error("lease m g 0 64k rw", "ESTALE")     # connected; the file is forgotten
        assert not proxy.hooks and not proxy.failure, proxy.failure
        a.ok("close g")
        s.same("x", 0, 65536, 3)


def test_commands_stopped_for_a_lease():
    """put and get, stopped at each kind of call until the server has forgotten them, go on as at a restart."""
    with Setup() as s:
        proxy = Proxy(s.server.port)
        url = f"iopmem://127.0.0.1:{proxy.port}/e/f"
        source, target = os.path.join(s.server.dir, "source"), os.path.join(s.server.dir, "target")
        for args, procs in ((("put", "-q", source, url), (GETDEVICEINFO, CREATE, SETSIZE, LAYOUTGET, LAYOUTCOMMIT, LAYOUTRETURN)),
                            (("get", "-q", url, target), (OPEN, GETDEVICEINFO, GETATTR, LAYOUTGET, LAYOUTRETURN))):
            for seed, proc in enumerate(procs):
                if args[0] == "put":
                    with open(source, "wb") as f:
                        f.write(pattern(0, 100000, seed))
                last = s.server.logged("ends (lease expired)")
                started = queue.Queue()
                through = threading.Event()
                proxy.before_reply(proc, lambda q=started: expire(s.server, q.get(timeout=PATIENCE)))
                # It learns of it by its next call, not by the event that says so.
                proxy.before_reply(EVENT_WAIT, through.wait)
                with subprocess.Popen([COMMAND, *args], stderr=subprocess.PIPE, text=True) as done:
                    started.put(done.pid)
                    said = done.communicate()[1]
                through.set()
                proxy.hooks.pop(EVENT_WAIT, None)
                assert not proxy.hooks and not proxy.failure, (args, proc, proxy.failure)
                assert s.server.logged("ends (lease expired)") > last
                assert done.returncode == 0, (args, proc, said)
                with open(source, "rb") as f, open(target if args[0] == "get" else os.path.join(s.server.export, "f"), "rb") as g:
                    assert f.read() == g.read(), (args, proc)


def test_dead_server():
    with Setup() as s:
        url = s.server.url
        s.server.kill()
        r = subprocess.run([COMMAND, "ls", url], capture_output=True, text=True)
        assert r.returncode == 1 and "Connection refused" in r.stderr, r
        s.server.start()
        r = subprocess.run([COMMAND, "ls", url + "x"], capture_output=True, text=True)
        assert r.returncode == 1 and "no such file" in r.stderr, r
        r = subprocess.run([COMMAND, "get", url + "/nope", "/dev/null"], capture_output=True,
                           text=True)
        assert r.returncode == 1 and "open 'nope'" in r.stderr, r


if __name__ == "__main__":
    sys.exit(run_tests(globals(), sys.argv[4:]))
