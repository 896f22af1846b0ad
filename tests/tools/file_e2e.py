#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The calls that lease by themselves, against a real server on a directory.

file_e2e.py IOPMEM_SERVER IOPMEM_SCRIPT IOPMEM [TEST...]
Bytes are checked in the backing file, not by completions.
"""
import os
import re
import sys
import threading
import traceback

from script_client import MIB, Setup, on_a_directory, pattern, run_tests


def kept(client, name):
    return [int(x) for x in re.findall(r"\d+", client.ok(f"kept {name}"))]


def test_pread_pwrite():
    with Setup() as s:
        a = s.client()
        a.ok("open f x rwc")
        assert a.ok("pread f 0 100 zero") == "ok n=0"
        assert a.ok("pwrite f 10 100000 1") == "ok n=100000"
        assert a.ok("pread f 10 100000 1") == "ok match"      # not committed: its own end counts
        assert a.ok("pread f 10 200000 1") == "ok n=100000"
        assert a.ok("pread f 0 10 zero") == "ok match"
        assert "size=0" in a.ok("stat f")
        assert a.ok("sync f") == "ok level=3"
        assert "size=100010" in a.ok("stat f")
        assert kept(a, "f")[0] >= 1
        a.ok("pwrite f 50 7 9")
        assert a.ok("sync f") in ("ok level=2", "ok level=3")
        a.ok("file-return f")
        assert kept(a, "f") == [0, 0]
        s.same("x", 10, 40, 1)
        s.same("x", 50, 7, 9)
        s.same("x", 57, 99953, 1)
        a.ok("close f")
        a.ok("open f x r")
        assert a.ok("pread f 57 99953 1") == "ok match"
        a.error("pwrite f 0 1 1", "EBADF")
        a.error("append f 1 1", "EBADF")
        a.error(f"pread f {2 ** 63} 1 1", "EFBIG")


def test_larger_than_a_grant():
    """Ranges above max-grant, sequential: taken ahead, more than one grant for each call."""
    piece = 2 * MIB + 100
    with Setup("--max-grant", str(MIB)) as s:
        a = s.client()
        a.ok("open f x rwc")
        for i in range(2):
            assert a.ok(f"pwrite f {i * piece} {piece} 3") == f"ok n={piece}"
        assert a.ok("sync f") == "ok level=3"
        assert a.ok(f"pread f 0 {2 * piece} 3") == "ok match"
        s.same("x", 0, 2 * piece, 3)


def test_cache_is_bounded():
    with Setup() as s:
        a = s.client("--cache", "512k")
        a.ok("open f x rwc")
        a.ok("open g y rwc")
        for i in range(8):
            a.ok(f"pwrite f {i * 393216} 128k {i}")
            a.ok(f"pwrite g {i * 393216} 128k {i + 50}")
            assert kept(a, "f")[1] + kept(a, "g")[1] <= 512 << 10
        a.ok("sync f")
        a.ok("sync g")
        for i in range(8):
            s.same("x", i * 393216, 131072, i)
            s.same("y", i * 393216, 131072, i + 50)


def test_writers_take_turns():
    """Two clients write the same bytes again and again, a third reads: no call fails, the last one wins."""
    rounds = 30
    with Setup() as s:
        clients = [s.client(), s.client(), s.client()]
        failures = []
        clients[0].ok("open f x rwc")
        clients[1].ok("open f x rw")
        clients[2].ok("open f x r")

        def write(n):
            try:
                for i in range(rounds):
                    clients[n].ok(f"pwrite f {n * 65536} 64k {i}")
                    clients[n].ok(f"pwrite f 1m 64k {100 + n}")
                clients[n].ok("sync f")
            except Exception:
                failures.append(traceback.format_exc())

        def read():
            try:
                for i in range(rounds):
                    answer = clients[2].ok("pread f 1m 64k 100")
                    assert answer == "ok match" or answer.startswith("ok n=") or \
                        answer.startswith(f"ok mismatch at={MIB} "), answer
            except Exception:
                failures.append(traceback.format_exc())

        threads = [threading.Thread(target=write, args=(n,)) for n in range(2)]
        threads.append(threading.Thread(target=read))
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not failures, failures[0]
        assert clients[0].ok("file-lost f") == "ok n=0"
        for n in range(2):
            s.same("x", n * 65536, 65536, rounds - 1)
        got = s.server.bytes("x")[MIB:MIB + 65536]
        assert got in (pattern(MIB, 65536, 100), pattern(MIB, 65536, 101))


def test_append():
    """Three clients append at once: every record is there once and whole."""
    records, size = 12, 1000
    with Setup() as s:
        clients = [s.client() for _ in range(3)]
        failures, places = [], []

        def work(n):
            try:
                for i in range(records):
                    answer = clients[n].ok(f"append f {size} {n * records + i + 1}")
                    places.append((int(answer.split("at=")[1]), n * records + i + 1))
            except Exception:
                failures.append(traceback.format_exc())

        for n, c in enumerate(clients):
            c.ok("open f x rwc")
        threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not failures, failures[0]
        data = s.server.bytes("x")
        assert len(data) == 3 * records * size, len(data)
        assert sorted(at for at, _ in places) == [i * size for i in range(3 * records)]
        for at, value in places:
            assert data[at:at + size] == bytes([value]) * size, at


def test_local_writer_between():
    with Setup() as s:
        a = s.client()
        a.ok("open f x rwc")
        a.ok("pwrite f 0 1m 1")
        fd = os.open(os.path.join(s.server.export, "x"), os.O_WRONLY)
        os.pwrite(fd, b"local", 10)
        os.close(fd)
        a.ok("pwrite f 500k 4k 2")
        assert a.ok("pread f 500k 4k 2") == "ok match"
        a.ok("sync f")
        assert a.ok("file-lost f") == "ok n=0"
        want = bytearray(pattern(0, MIB, 1))
        want[10:15] = b"local"
        want[512000:516096] = pattern(512000, 4096, 2)
        assert s.server.bytes("x") == bytes(want)


def test_two_handles_of_one_file():
    """They share the layout: what one returns or loses does not take the other's keys."""
    with Setup() as s:
        a, b = s.client(), s.client()
        a.ok("open f x rwc")
        a.ok("open g x r")
        a.ok("lease l f 0 64k rw")
        a.ok("write l 0 64k 1")
        a.ok("lease m g 0 64k r")
        a.ok("close g")                            # m goes with it, l stays
        a.ok("write l 0 100 2")
        a.ok("open g x rw")
        a.ok("lease m g 64k 64k rw")
        a.ok("write m 64k 64k 1")
        b.ok("open f x rw")
        b.ok("lease l f 0 128k rw 10000")         # recalls both
        a.error("write l 0 1 1", "ESTALE")
        a.error("write m 64k 1 1", "ESTALE")
        assert a.ok("lost l") == a.ok("lost m") == "ok n=0"
        assert b.ok("read l 0 100 2") == "ok match"
        assert b.ok("read l 100 130972 1") == "ok match"
        b.ok("return l")
        a.ok("close f")
        a.ok("pwrite g 10 10 3")
        a.ok("sync g")
        s.same("x", 10, 10, 3)


def test_fence_is_told():
    with Setup("--recall-ms", "1000") as s:
        a, b = s.client("--raw-ignore-recall"), s.client()
        a.ok("open f x rwc")
        a.ok("pwrite f 0 64k 1")
        a.ok("sync f")
        a.ok("pwrite f 4k 100 2")
        b.ok("open f x rw")
        b.ok("pwrite f 0 64k 7")          # a is fenced first
        b.ok("file-return f")
        a.ok("wait-event revoked 5000")
        a.ok("ignore-recall off")
        a.error("sync f", "ESTALE")
        assert a.ok("file-lost f") == "ok n=1 4096+100"
        assert a.ok("file-lost f") == "ok n=0"
        a.ok("pwrite f 4k 100 2")
        assert a.ok("sync f").startswith("ok level=")
        s.same("x", 0, 4096, 7)
        s.same("x", 4096, 100, 2)
        s.same("x", 4196, 61340, 7)


@on_a_directory
def test_through_the_server():
    """A file that is open elsewhere on the host can have no layout: the same calls go through the server."""
    with Setup() as s:
        a = s.client()
        a.ok("open f x rwc")
        a.ok("pwrite f 0 1000 1")
        a.ok("file-return f")
        with open(os.path.join(s.server.export, "x"), "r+b"):
            assert a.ok("pwrite f 500 100000 2") == "ok n=100000"
            assert kept(a, "f") == [0, 0]
            s.same("x", 500, 100000, 2)
            assert a.ok("pread f 0 500 1") == "ok match"
            assert a.ok("pread f 500 100000 2") == "ok match"
            assert a.ok("pread f 500 200000 2") == "ok n=100000"
            assert a.ok("sync f") == "ok level=3"
            assert a.ok("file-lost f") == "ok n=0"
        a.ok("sleep 1100")                        # it asks for a layout again after a second
        a.ok("pwrite f 10 10 3")
        assert kept(a, "f")[0] == 1
        a.ok("sync f")
        s.same("x", 10, 10, 3)


def test_server_restart():
    """The next call opens the file again; what was not committed is listed, and nothing else."""
    with Setup("--lease-ms", "5000") as s:
        a = s.client()
        a.ok("open f x rwc")
        a.ok("pwrite f 0 64k 1")
        a.ok("sync f")
        a.ok("pwrite f 64k 8k 2")
        a.ok("pwrite f 100 50 2")
        s.server.kill()
        s.server.start()
        a.ok("wait-event restarted 20000")
        assert a.ok("pread f 200 40000 1") == "ok match"
        a.error("sync f", "ESTALE")
        assert a.ok("file-lost f") == "ok n=2 100+50 65536+8192"
        a.ok("pwrite f 64k 8k 2")
        a.ok("pwrite f 100 50 2")
        a.ok("sync f")
        s.same("x", 0, 100, 1)
        s.same("x", 100, 50, 2)
        s.same("x", 150, 65386, 1)
        s.same("x", 65536, 8192, 2)
        # Another file under the name: never touched.
        os.rename(os.path.join(s.server.export, "x"), os.path.join(s.server.export, "y"))
        with open(os.path.join(s.server.export, "x"), "wb") as f:
            f.write(b"other")
        os.chmod(os.path.join(s.server.export, "x"), 0o666)
        s.server.kill()
        s.server.start()
        a.ok("wait-event restarted 20000")
        answer = a.ask("pwrite f 0 10 9")
        assert answer.startswith("error ESTALE") or answer == "ok n=10", answer
        a.ask("file-lost f")
        a.ask("close f")
        assert s.server.bytes("x") == b"other"


if __name__ == "__main__":
    sys.exit(run_tests(globals(), sys.argv[4:]))
