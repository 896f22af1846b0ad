#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Random histories of clients, local programs and faults against the model of model.py.

history.py IOPMEM_SERVER IOPMEM_SCRIPT IOPMEM [--histories N] [--seed S] [--only S]

Clients lease, write, commit, read and return, by hand or with the calls that lease by themselves; a local program
writes and truncates; replies are lost or late; clients are stopped for a while, or killed; the server is killed and
started again.  Whatever happens: an answer comes in bounded time, what was reported committed is in the file, and
nothing is in it that was not written, or was written by somebody whose layout had been taken away before.
A history is a function of its seed, up to the machine's timing.  --only S runs that one and prints what it does.
"""
import argparse
import concurrent.futures
import os
import random
import signal
import sys
import threading
import time
import traceback

argv = sys.argv[4:]
sys.argv[4:] = []
from model import BLOCK, ZERO, File, content  # noqa: E402
from script_client import SCRIPT, SERVER, Client, Proxy, Server  # noqa: E402

BLOCKS = 12
STEPS = 24
PATIENCE = 60                   # seconds for any one answer
OPTIONS = ("--lease-ms", "2500", "--recall-ms", "600", "--fabric", "tcp")


class Late(Proxy):
    """A proxy that holds some replies back."""

    def __init__(self, port):
        super().__init__(port)
        self.delay = 0

    def _down(self, far, near):
        class Slow:
            def sendall(_, data):
                if self.delay:
                    time.sleep(self.delay)
                near.sendall(data)

            def shutdown(_, how):
                near.shutdown(how)

        super()._down(far, Slow())


class Host:
    """A client process, and what it has written and not yet committed: block -> number of the write."""

    def __init__(self, server, name, path):
        self.server, self.name, self.path = server, name, path
        self.proxy = Late(server.port)
        self.start()

    def start(self):
        url = f"iopmem://127.0.0.1:{self.proxy.port}/e"
        self.client = Client(SCRIPT, url, "--owner", self.name, "--timeout", "20000")
        self.leases, self.sizes, self.pending, self.file_pending = {}, {}, {}, {}
        self.running, self.waiting = True, None
        self.open = self.client.hello.startswith("ok") and self.ask(f"open f {self.path} rwc")

    def ask(self, command):
        answer = self.client.ask(command, PATIENCE)
        assert answer and (answer.startswith("ok") or answer.startswith("error")), f"{command}: {answer}"
        return answer.startswith("ok") and answer

    def stop(self):
        self.client.proc.send_signal(signal.SIGSTOP)
        self.running = False

    def go_on(self):
        self.client.proc.send_signal(signal.SIGCONT)
        self.running = True

    def end(self, kill=False):
        if not self.running:
            self.go_on()
        if kill or self.client.proc.poll() is not None:
            self.client.kill()
        else:
            self.client.close()


class History:
    def __init__(self, server, seed, chatty):
        self.server, self.seed, self.chatty = server, seed, chatty
        self.rnd = random.Random(seed)
        self.path = f"h{seed}"
        self.file = File(BLOCKS)
        self.tag = self.rnd.randrange(256)
        self.hosts = [Host(server, f"{self.path}.{i}", self.path) for i in range(self.rnd.choice((2, 2, 3)))]

    def say(self, text):
        if self.chatty:
            print(f"{time.monotonic():.3f} {text}", flush=True)

    def new_tag(self):
        self.tag = (self.tag + 1) % 256
        return self.tag

    def some_range(self):
        first = self.rnd.randrange(BLOCKS)
        return first, self.rnd.randint(first + 1, min(BLOCKS, first + 4))

    # --- steps of a client

    def step_lease(self, host):
        first, end = self.some_range()
        mode = self.rnd.choice(("rw", "rw", "r"))
        name = f"l{self.file.count}x{self.rnd.randrange(1 << 30)}"
        if host.ask(f"lease {name} f {first * BLOCK} {(end - first) * BLOCK} {mode} 3000"):
            host.leases[name] = (first, end, mode)
            host.pending[name] = {}
            host.sizes[name] = self.file.size
            self.say(f"{host.name}: lease {name} [{first}, {end}) {mode}")

    def a_lease(self, host, mode):
        names = [n for n, lease in host.leases.items() if lease[2] == mode]
        return self.rnd.choice(names) if names else None

    def step_write(self, host, stop=False):
        name = self.a_lease(host, "rw")
        if not name:
            return self.step_lease(host)
        block = self.rnd.randrange(*host.leases[name][:2])
        tag = self.new_tag()
        number = self.file.write(block, tag)
        self.say(f"{host.name}: write {name} block {block} tag {tag}{' and stopped' * stop}")
        command = f"write {name} {block * BLOCK} {BLOCK} {tag}"
        if stop:
            host.client.send(command)
            host.stop()
            host.waiting = (name, block, number)
            self.file.blocks[block].torn = True
            return None
        return self.written(host, name, block, number, host.ask(command))

    def written(self, host, name, block, number, answer):
        if answer:
            host.pending[name][block] = number
        else:
            self.say(f"{host.name}: that write failed")
            host.pending[name].pop(block, None)
            self.file.blocks[block].torn = True

    def step_write_and_stop(self, host):
        self.step_write(host, stop=True)

    def step_commit(self, host):
        name = self.a_lease(host, "rw")
        if name and host.ask(f"commit {name}"):
            self.say(f"{host.name}: committed {name} {host.pending[name]}")
            for block, number in host.pending[name].items():
                self.file.commit(block, number)
            host.pending[name] = {}

    def step_return(self, host):
        name = self.rnd.choice(list(host.leases)) if host.leases else None
        if not name:
            return
        done = host.ask(f"return {name}")
        self.say(f"{host.name}: return {name}: {done}")
        if done:
            for block, number in host.pending[name].items():
                self.file.commit(block, number)
        del host.leases[name], host.pending[name]

    def step_read(self, host):
        name = self.a_lease(host, "r") or self.a_lease(host, "rw")
        if not name:
            return
        first, end, mode = host.leases[name]
        block = self.rnd.randrange(first, end)
        # A READ lease reads zeroes past what was EOF when it was granted.
        if mode == "rw" or (block + 1) * BLOCK <= host.sizes[name]:
            self.read(host, f"read {name}", block)

    def read(self, host, command, block):
        tags = self.file.tags(block)
        if self.file.blocks[block].torn or self.file.size < (block + 1) * BLOCK:
            return
        answers = []
        for tag in tags:
            answer = host.ask(f"{command} {block * BLOCK} {BLOCK} {'zero' if tag is ZERO else tag}")
            if not answer or "mismatch" not in answer:
                return
            answers.append(answer)
        raise AssertionError(f"{host.name}: {command} block {block}: {answers}, may be {tags}")

    def step_pwrite(self, host):
        block, tag = self.rnd.randrange(BLOCKS), self.new_tag()
        number = self.file.write(block, tag)
        answer = host.ask(f"pwrite f {block * BLOCK} {BLOCK} {tag}")
        self.say(f"{host.name}: pwrite block {block} tag {tag}: {answer}")
        if answer:
            host.file_pending[block] = number
        else:
            host.file_pending.pop(block, None)
            self.file.blocks[block].torn = True

    def step_pread(self, host):
        self.read(host, "pread f", self.rnd.randrange(BLOCKS))

    def step_sync(self, host):
        answer = host.ask("sync f")
        self.say(f"{host.name}: sync {host.file_pending}: {answer}")
        if answer:
            for block, number in host.file_pending.items():
                self.file.commit(block, number)
            host.file_pending = {}

    # --- steps of others

    def forget_pending(self, blocks):
        """Somebody overwrote them: a later commit of what was there before says nothing."""
        for host in self.hosts:
            for pending in [host.file_pending, *host.pending.values()]:
                for block in blocks:
                    pending.pop(block, None)

    def local(self, what, fn):
        error = []

        def run():
            try:
                fn()
            except OSError as e:
                error.append(e)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"{what} hangs"
        assert not error, f"{what}: {error}"

    def local_path(self):
        return os.path.join(self.server.export, self.path)

    def step_local_write(self, _):
        block, tag = self.rnd.randrange(BLOCKS), self.new_tag()

        def write():
            fd = os.open(self.local_path(), os.O_WRONLY)
            try:
                os.pwrite(fd, content(block, tag), block * BLOCK)
            finally:
                os.close(fd)

        if not os.path.exists(self.local_path()):
            return
        self.say(f"local write block {block} tag {tag}")
        self.local("a local write", write)
        self.file.overwrite(block, tag)
        self.forget_pending([block])

    def step_local_truncate(self, _):
        if not os.path.exists(self.local_path()):
            return
        blocks = self.rnd.randrange(BLOCKS + 1)
        self.say(f"local truncate to {blocks} blocks")
        self.local("a local truncate", lambda: os.truncate(self.local_path(), blocks * BLOCK))
        self.file.truncate(blocks)
        self.forget_pending(range(blocks, BLOCKS))

    def step_stop(self, host):
        self.say(f"{host.name}: stopped")
        host.stop()

    def step_kill(self, host):
        self.say(f"{host.name}: killed")
        host.end(kill=True)
        host.start()

    def step_server_killed(self, _):
        self.say("server: killed")
        self.server.kill()
        self.server.start()

    def step_lose(self, host):
        host.proxy.lose(self.rnd.choice((0, 2, 3, 5)))

    def step_late(self, host):
        host.proxy.delay = self.rnd.choice((0, 0.02, 0.1))

    STEPS = (("lease", 8), ("write", 16), ("commit", 8), ("return", 5), ("read", 6), ("pwrite", 8), ("pread", 5),
             ("sync", 6), ("local_write", 3), ("local_truncate", 1), ("stop", 1), ("write_and_stop", 2), ("kill", 1),
             ("server_killed", 1), ("lose", 2), ("late", 2))

    def wake(self, host):
        host.go_on()
        self.say(f"{host.name}: goes on")
        if host.waiting:
            self.written(host, *host.waiting, (host.client.reply(PATIENCE) or "").startswith("ok"))
            host.waiting = None

    def run(self):
        names, weights = zip(*self.STEPS)
        for _ in range(STEPS):
            host = self.rnd.choice(self.hosts)
            step = self.rnd.choices(names, weights)[0]
            if not host.running:
                if self.rnd.random() < 0.4:
                    self.wake(host)
                continue
            if not host.open:
                host.end()
                host.start()
                continue
            getattr(self, f"step_{step}")(host)
        for host in self.hosts:
            if not host.running:
                self.wake(host)
            host.end()
        if os.path.exists(self.local_path()):
            data = []
            self.local("a local read", lambda: data.append(self.server.bytes(self.path)))
            wrong = self.file.wrong(data[0])
            assert not wrong, wrong

    def clean(self):
        for host in self.hosts:
            host.proxy.listener.close()
            if host.client.proc.poll() is None:
                host.client.kill()


def worker(seeds, chatty):
    """Histories one after another on one server; the first failure ends them."""
    server = Server(SERVER, *OPTIONS)
    done = 0
    try:
        for seed in seeds:
            history = History(server, seed, chatty)
            try:
                history.run()
                done += 1
            except Exception:
                return done, f"history {seed} (again: --only {seed}):\n{traceback.format_exc()}\n{server.text()[-4000:]}"
            finally:
                history.clean()
        return done, None
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--histories", type=int, default=20000 if os.environ.get("IOPMEM_LONG") else 500)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--only", type=int)
    args = parser.parse_args(argv)
    if args.only is not None:
        done, why = worker([args.only], True)
        print(why or "passed")
        return 1 if why else 0
    print(f"seed {args.seed}", flush=True)
    workers = os.cpu_count() or 1
    seeds = range(args.seed, args.seed + args.histories)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(lambda i: worker(seeds[i::workers], False), range(workers)))
    failures = [why for _, why in results if why]
    print("\n".join(failures))
    print(f"{sum(done for done, _ in results)} passed, {len(failures)} failed, 0 skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
