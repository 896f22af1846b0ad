#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The client library against a real server on a directory: leases, recalls, fences, restarts.

client_e2e.py IOPMEM_SERVER IOPMEM_SCRIPT IOPMEM [TEST...]
Bytes are checked in the backing file, not by completions.
"""
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

from script_client import ADDRESS, COMMAND, MIB, SCRIPT, Client, Proxy, Setup, on_a_directory, pattern, run_tests


@on_a_directory
def test_levels():
    with Setup() as s:
        a = s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 100000 1")
        assert a.ok("commit l") == "ok level=3"       # growth: LAYOUTCOMMIT
        assert "size=100000" in a.ok("stat f")
        s.same("x", 0, 100000, 1)
        a.ok("wait-event recalled 5000")
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
        b.ok("lease l f 0 1m rw 10000")
        assert a.ok("wait-event recalled 5000").startswith("ok recalled path=x")
        a.error("write l 0 1 1", "ESTALE")
        assert a.ok("lost l") == "ok n=0"
        assert a.ok("commit l").startswith("ok level=")
        a.ok("return l")
        assert b.ok("read l 0 300000 5") == "ok match"
        b.ok("write l 0 300000 6")
        a.ok("lease l f 0 1m r 10000")
        assert a.ok("read l 0 300000 6") == "ok match"
        b.error("write l 0 1 1", "ESTALE")
        s.same("x", 0, 300000, 6)


@on_a_directory
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


def test_shared_writers():
    with Setup() as s:
        a, b = s.client(), s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 64k rw")
        a.ok("write l 0 64k 1")
        a.ok("return l")
        a.ok("close f")
        for c in (a, b):
            c.ok("open f x rws")
            c.ok("lease l f 0 64k rw")
        a.ok("write l 0 32k 2")
        b.ok("write l 32k 32k 2")
        assert a.ok("read l 0 64k 2") == "ok match"
        a.error("wait-event recalled 100", "ETIMEDOUT")
        for c in (a, b):
            c.ok("return l")
        s.same("x", 0, 64 << 10, 2)


def test_recall_any():
    with Setup("--recall-ms", "15000", "--max-regions", "10") as s:
        a, b = s.client(), s.client()
        for i in range(9):
            a.ok(f"open f{i} x{i} rwc")
            a.ok(f"lease l{i} f{i} 0 8k rw")
            a.ok(f"write l{i} 0 8k {i + 1}")
        # nine tenths are out: the library gives back before the server has to choose
        a.ok("wait-event recalled 8000")
        a.error("write l0 0 8k 3", "ESTALE")
        a.ok("write l8 0 4k 9")
        b.ok("open f x0 rw")
        b.ok("lease l f 0 8k rw 5000")
        assert b.ok("read l 0 8k 1") == "ok match"
        b.ok("return l")
        for i in range(9):
            a.ask(f"return l{i}")
        s.same("x1", 0, 8 << 10, 2)


def test_loss_is_told_to_its_handle():
    """A handle's close says nothing of what was lost under another handle's lease."""
    with Setup() as s:
        a = s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 64k rw")
        a.ok("write l 0 64k 5")
        a.ok("commit l")
        a.ok("lease x f 64k 64k rw")
        a.ok("write x 64k 64k 6")
        s.server.kill()
        s.server.start()
        deadline = time.monotonic() + 30
        while a.ok("lost x") != "ok n=1 65536+65536":
            assert time.monotonic() < deadline, "the loss is not noticed"
        a.ok("open g x rw")                     # its connection is one to the dead server
        a.ok("lease m g 0 64k rw")
        a.ok("write m 0 4k 7")
        a.ok("commit m")
        a.ok("return m")
        a.ok("close g")
        a.error("close f", "ESTALE")
        s.same("x", 0, 4096, 7)
        s.same("x", 4096, 61440, 5)
        assert len(s.server.bytes("x")) == 65536


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
        a.error("wait-event recalled 300", "ETIMEDOUT")
        b.ok("lease w f 0 4k rw 10000")         # recalls a's
        a.ok("wait-event recalled 5000")
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
    with Setup("--recall-ms", "1500") as s:
        a, b = s.client("--raw-ignore-recall"), s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 1m 1")
        a.ok("commit l")
        a.ok("write l 0 4k 2")
        a.ok("lease other f 8m 1m rw")
        b.ok("open f x rw")
        start = time.monotonic()
        b.send("lease l f 0 1m rw 20000")
        blasted = a.ok("blast l 0 64k 100000000")
        assert "error=ESTALE" in blasted, blasted
        answer = b.reply()
        took = time.monotonic() - start
        assert answer == "ok" and took >= 1.4, (answer, took)
        b.ok("write l 0 64k 7")
        b.ok("commit l")
        a.ok("wait-event revoked 5000")
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
    with Setup("--lease-ms", "5000") as s:
        a = s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 8k 1")
        a.ok("commit l")
        a.ok("write l 64k 8k 2")
        s.server.kill()
        s.server.start()
        a.ok("wait-event restarted 20000")
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
    with Setup("--lease-ms", "2000", "--recall-ms", "10000") as s:
        a, b = s.client(), s.client()
        a.ok("open f x rwc")
        a.ok("lease l f 0 1m rw")
        a.ok("write l 0 8k 1")
        os.kill(a.proc.pid, signal.SIGSTOP)
        try:
            b.ok("open f x rw")
            b.ok("lease l f 0 1m rw 20000")
            b.ok("write l 0 8k 2")
            b.ok("commit l")
            time.sleep(2.5)
        finally:
            os.kill(a.proc.pid, signal.SIGCONT)
        a.error("write l 0 8k 3", "ESTALE")
        a.ok("wait-event expired 10000")
        assert a.ok("lost l") == "ok n=1 0+8192"
        s.same("x", 0, 8192, 2)
        a.ask("close f")
        a.ok("open f x rw")
        b.ok("return l")
        a.ok("lease l f 0 1m rw 20000")
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
        a.ok("wait-event recalled 5000")
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
                        c.ok("lease l f 0 1m rw 60000")
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
    """put goes on correctly while another client takes its leases away."""
    with Setup() as s:
        b = s.client()
        source = os.path.join(s.server.dir, "source")
        data = os.urandom(96 * MIB + 123)
        with open(source, "wb") as f:
            f.write(data)
        put = subprocess.Popen([COMMAND, "put", "-q", source, s.server.url + "/big"])
        while not os.path.exists(os.path.join(s.server.export, "big")):
            time.sleep(0.001)
        b.ok("open f big r")
        recalls = 0
        while put.poll() is None:
            b.ok("lease l f 0 200m r 60000")
            b.ok("return l")
            recalls += 1
        assert put.returncode == 0
        assert s.server.bytes("big") == data
        print(f"  {recalls} leases taken meanwhile")
        target = source + ".back"
        subprocess.run([COMMAND, "get", "-q", s.server.url + "/big", target], check=True)
        with open(target, "rb") as f:
            assert f.read() == data


def test_lost_replies():
    """I16: every call is executed once, however often its reply is lost."""
    with Setup() as s:
        proxy = Proxy(s.server.port)
        url = f"iopmem://{ADDRESS}:{proxy.port}/e"
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
        a.error("wait-event expired 100", "ETIMEDOUT")


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
        data = os.urandom(1 * MIB) * 200 + b"end"
        with open(source, "wb") as f:
            f.write(data)
        put = subprocess.Popen([COMMAND, "put", "-q", source, s.server.url + "/big"])
        path = os.path.join(s.server.export, "big")
        while not os.path.exists(path) or os.stat(path).st_size < 32 * MIB:
            assert put.poll() is None
            time.sleep(0.001)
        s.server.kill()
        time.sleep(0.5)
        s.server.start()
        assert put.wait(timeout=120) == 0
        assert s.server.bytes("big") == data


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
