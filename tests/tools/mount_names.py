#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Does a mounted export do with names, attributes and sizes what a local file system does?

mount_names MOUNT LOCAL [BACKING]

Each case runs in an empty folder of both; results, error numbers and what is there afterwards must be the same. With
BACKING, the exported directory itself, that must be the same there too. Prints what differs.
"""
import errno
import os
import stat
import sys
import traceback

sys.dont_write_bytecode = True
ROOT = os.geteuid() == 0


class Run:
    """One case on one file system: remembers what each step gave."""

    def __init__(self, root):
        self.root = root
        self.log = []

    def path(self, name=""):
        return os.path.join(self.root, name)

    def note(self, what, value):
        self.log.append((what, value))

    def do(self, call, *args, **more):
        """The call's result, or the name of its error; remembered unless it is a descriptor."""
        try:
            result = call(*args, **more)
        except OSError as e:
            result = errno.errorcode.get(e.errno, e.errno)
            if call is os.rename and result == "EEXIST":        # POSIX leaves the choice, XFS takes this one
                result = "ENOTEMPTY"
        shown = "fd" if call is os.open and isinstance(result, int) else result
        self.note(f"{call.__name__}{tuple(self.short(a) for a in args)}", shown)
        return result

    def short(self, arg):
        text = arg if isinstance(arg, str) else repr(arg)
        return text.replace(self.root, "@")[:60]

    def open(self, name, flags=os.O_RDWR | os.O_CREAT, mode=0o644):
        return self.do(os.open, self.path(name), flags, mode)

    def file(self, name, content=b"", mode=0o644):
        fd = os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(fd, "wb") as f:
            f.write(content)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            content = f.read()
        self.note(f"content of {name}", content if len(content) < 64 else (len(content), hash(content)))
        return content

    def stat(self, name, follow=True):
        try:
            self.note(f"stat {name}", seen(self.path(name), follow))
        except OSError as e:
            self.note(f"stat {name}", errno.errorcode.get(e.errno))


def seen(path, follow=False):
    st = os.stat(path) if follow else os.lstat(path)
    is_dir = stat.S_ISDIR(st.st_mode)
    return {"mode": oct(st.st_mode), "links": None if is_dir else st.st_nlink, "size": None if is_dir else st.st_size,
            "uid": st.st_uid, "gid": st.st_gid}


def tree(root):
    """Everything below @root, with content; hard links by the names that share a file."""
    found, same = {}, {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            short = os.path.relpath(path, root)
            found[short] = seen(path)
            st = os.lstat(path)
            if stat.S_ISLNK(st.st_mode):
                found[short]["target"] = os.readlink(path)
            elif stat.S_ISREG(st.st_mode):
                same.setdefault(st.st_ino, []).append(short)
                with open(path, "rb") as f:
                    found[short]["content"] = f.read()
    return found, sorted(sorted(names) for names in same.values())


# --- cases ------------------------------------------------------------------------------------------------------------

def mkdir_rmdir(r):
    r.do(os.mkdir, r.path("d"), 0o750)
    r.do(os.mkdir, r.path("d"))
    r.do(os.mkdir, r.path("none/d"))
    r.file("f")
    r.do(os.mkdir, r.path("f"))
    r.do(os.mkdir, r.path("f/d"))
    r.do(os.rmdir, r.path("f"))
    r.do(os.rmdir, r.path("none"))
    r.do(os.mkdir, r.path("d/inner"))
    r.do(os.rmdir, r.path("d"))
    r.do(os.rmdir, r.path("d/inner"))
    r.stat("d")
    r.do(os.rmdir, r.path("d"))
    r.stat("d")


def create_flags(r):
    r.open("a", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o604)
    r.open("a", os.O_RDWR | os.O_CREAT | os.O_EXCL)
    r.open("b", os.O_RDWR)
    r.open("none/b")
    r.open("a/b")
    r.open("a/b", os.O_RDONLY)
    os.mkdir(r.path("d"))
    r.open("d", os.O_RDWR)
    r.open("d", os.O_WRONLY | os.O_CREAT)
    r.open("d", os.O_RDONLY | os.O_DIRECTORY)
    r.open("a", os.O_RDONLY | os.O_DIRECTORY)
    r.do(os.symlink, "a", r.path("l"))
    r.open("l", os.O_RDONLY | os.O_NOFOLLOW)
    r.open("l", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    r.stat("a")


def trunc_flag(r):
    r.file("f", b"0123456789")
    os.close(os.open(r.path("f"), os.O_WRONLY | os.O_TRUNC))
    r.stat("f")
    r.file("f", b"abc")
    fd = os.open(r.path("f"), os.O_RDONLY)
    os.truncate(r.path("f"), 1)
    r.do(os.read, fd, 10)
    os.close(fd)


def unlink(r):
    r.file("f", b"x")
    os.mkdir(r.path("d"))
    r.do(os.unlink, r.path("d"))
    r.do(os.unlink, r.path("none"))
    r.do(os.unlink, r.path("f/x"))
    r.do(os.unlink, r.path("f"))
    r.stat("f")
    r.do(os.unlink, r.path("f"))


def unlink_open(r):
    fd = r.open("f")
    os.write(fd, b"before")
    r.do(os.unlink, r.path("f"))
    r.note("links", os.fstat(fd).st_nlink)
    r.do(os.pwrite, fd, b"behind", 6)
    r.do(os.pread, fd, 100, 0)
    r.note("size", os.fstat(fd).st_size)
    r.do(os.ftruncate, fd, 3)
    r.do(os.pread, fd, 100, 0)
    r.do(os.fchmod, fd, 0o600)
    r.note("mode", oct(os.fstat(fd).st_mode))
    # The name is free for another file while this one lives.
    r.file("f", b"another")
    r.do(os.pread, fd, 100, 0)
    r.read("f")
    r.do(os.fsync, fd)
    os.close(fd)
    r.read("f")


def rename_files(r):
    r.file("a", b"A")
    r.file("b", b"B")
    r.do(os.rename, r.path("a"), r.path("c"))
    r.read("c")
    r.stat("a")
    r.do(os.rename, r.path("c"), r.path("b"))
    r.read("b")
    r.stat("c")
    r.do(os.rename, r.path("none"), r.path("b"))
    r.do(os.rename, r.path("b"), r.path("none/b"))
    r.do(os.rename, r.path("b"), r.path("b"))
    os.mkdir(r.path("d"))
    r.do(os.rename, r.path("b"), r.path("d"))
    r.do(os.rename, r.path("d"), r.path("b"))
    r.do(os.rename, r.path("b"), r.path("d/b"))
    r.read("d/b")


def rename_dirs(r):
    for d in ("a/b/c", "e", "full/x"):
        os.makedirs(r.path(d))
    r.file("a/b/c/f", b"deep")
    r.do(os.rename, r.path("a"), r.path("full"))
    r.do(os.rename, r.path("a"), r.path("e"))
    r.read("e/b/c/f")
    r.do(os.rename, r.path("e"), r.path("e/b/inside"))
    r.do(os.rename, r.path("e/b"), r.path("b"))
    r.read("b/c/f")
    r.stat("e/b")
    r.file("b/c/g", b"new")
    r.do(os.rename, r.path("b"), r.path("full/b"))
    r.read("full/b/c/g")


def rename_open(r):
    r.file("a", b"A")
    r.file("b", b"B")
    a, b = (os.open(r.path(n), os.O_RDWR) for n in "ab")
    r.do(os.rename, r.path("a"), r.path("b"))
    r.do(os.pwrite, a, b"aa", 1)
    r.do(os.pwrite, b, b"bb", 1)
    r.do(os.pread, a, 10, 0)
    r.do(os.pread, b, 10, 0)
    r.note("links", (os.fstat(a).st_nlink, os.fstat(b).st_nlink))
    os.mkdir(r.path("d"))
    r.do(os.rename, r.path("b"), r.path("d/b"))
    r.do(os.pwrite, a, b"aa", 3)
    os.close(a)
    os.close(b)
    r.read("d/b")


def links(r):
    r.file("a", b"A")
    os.mkdir(r.path("d"))
    r.do(os.link, r.path("a"), r.path("d/b"))
    r.stat("a")
    r.note("same", os.stat(r.path("a")).st_ino == os.stat(r.path("d/b")).st_ino)
    r.do(os.link, r.path("a"), r.path("d/b"))
    r.do(os.link, r.path("d"), r.path("e"))
    r.do(os.link, r.path("none"), r.path("e"))
    r.file("d/b", b"longer than before")
    r.read("a")
    r.do(os.unlink, r.path("a"))
    r.stat("d/b")
    r.do(os.chmod, r.path("d/b"), 0o600)
    r.do(os.link, r.path("d/b"), r.path("a"))
    # Two names of one file: nothing happens.
    r.do(os.rename, r.path("a"), r.path("d/b"))
    r.stat("a")
    r.read("d/b")
    r.do(os.unlink, r.path("d/b"))
    r.read("a")


def symlinks(r):
    r.do(os.symlink, "target", r.path("l"))
    r.do(os.symlink, "other", r.path("l"))
    r.do(os.readlink, r.path("l"))
    r.stat("l")
    r.stat("l", follow=False)
    r.file("target", b"T")
    r.read("l")
    r.do(os.readlink, r.path("target"))
    os.mkdir(r.path("d"))
    r.do(os.symlink, "../target", r.path("d/up"))
    r.read("d/up")
    r.do(os.symlink, "loop", r.path("loop"))
    r.do(os.stat, r.path("loop"))
    r.do(os.symlink, "x" * 1000, r.path("long"))
    r.do(os.readlink, r.path("long"))
    r.do(os.rename, r.path("l"), r.path("m"))
    r.do(os.readlink, r.path("m"))
    r.do(os.unlink, r.path("m"))
    r.stat("target")


def truncate(r):
    r.file("f", b"0123456789" * 1000)
    for size in (10000, 5000, 4096, 5, 70000, 0, 3):
        r.do(os.truncate, r.path("f"), size)
        r.stat("f")
        r.read("f")
    fd = os.open(r.path("f"), os.O_RDWR)
    r.do(os.pwrite, fd, b"tail", 9000)
    r.do(os.ftruncate, fd, 9002)
    r.do(os.pread, fd, 10, 8995)
    r.do(os.ftruncate, fd, -1)
    os.close(fd)
    fd = os.open(r.path("f"), os.O_RDONLY)
    r.do(os.ftruncate, fd, 1)
    r.do(os.write, fd, b"x")
    os.close(fd)
    os.mkdir(r.path("d"))
    r.do(os.truncate, r.path("d"), 0)
    r.do(os.truncate, r.path("none"), 0)


def append(r):
    r.file("f", b"one")
    fd = os.open(r.path("f"), os.O_RDWR | os.O_APPEND)
    reader = os.open(r.path("f"), os.O_RDONLY)
    r.do(os.pread, reader, 100, 0)
    r.do(os.write, fd, b"two")
    r.do(os.pread, reader, 100, 0)
    os.close(reader)
    os.lseek(fd, 0, os.SEEK_SET)
    r.do(os.write, fd, b"three")
    r.do(os.pread, fd, 100, 0)
    # Somebody else makes it longer: the next one goes behind that.
    with open(r.path("f"), "ab") as f:
        f.write(b"four")
    r.do(os.write, fd, b"five")
    r.note("size", os.fstat(fd).st_size)
    os.truncate(r.path("f"), 3)
    r.do(os.write, fd, b"six")
    os.close(fd)
    r.read("f")


def sizes(r):
    """What was written is there at once, for each handle and by name, committed or not."""
    a = r.open("f")
    b = os.open(r.path("f"), os.O_RDONLY)
    for offset, length in ((0, 1), (1, 4095), (100000, 5), (50, 10000), (300000, 131072)):
        r.do(os.pwrite, a, bytes([offset % 251]) * length, offset)
        r.note("sizes", (os.fstat(a).st_size, os.fstat(b).st_size, os.stat(r.path("f")).st_size))
        r.note("bytes", os.pread(b, length + 10, offset)[:20])
    r.note("hole", os.pread(b, 20, 20000))
    r.do(os.pread, b, 10, 1 << 40)
    os.close(b)
    os.close(a)
    r.read("f")


def modes(r):
    r.file("f", mode=0o644)
    for mode in (0o600, 0o755, 0o444, 0o7777 if ROOT else 0o777, 0):
        r.do(os.chmod, r.path("f"), mode)
        r.stat("f")
    os.chmod(r.path("f"), 0o644)
    os.mkdir(r.path("d"))
    r.do(os.chmod, r.path("d"), 0o711)
    r.do(os.chmod, r.path("none"), 0o711)
    old = os.umask(0o027)
    r.file("masked", mode=0o666)
    os.mkdir(r.path("masked-dir"), 0o777)
    os.umask(old)
    r.stat("masked")
    r.stat("masked-dir")
    if ROOT:
        r.do(os.chown, r.path("f"), 1234, 5678)
        r.stat("f")
        r.do(os.symlink, "f", r.path("l"))
        r.do(os.lchown, r.path("l"), 4321, 8765)
        r.stat("l", follow=False)
        r.stat("f")


def times(r):
    r.file("f", b"x")
    os.mkdir(r.path("d"))
    for name in "fd":
        os.utime(r.path(name), ns=(1_000_000_001_500_000_000, 1_100_000_000_250_000_000))
        st = os.stat(r.path(name))
        r.note("times", (st.st_atime_ns, st.st_mtime_ns))
    # cp -p: times that are set on an open file stay.
    fd = os.open(r.path("g"), os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"data")
    os.utime(fd, (5, 7))
    os.close(fd)
    r.note("times", os.stat(r.path("g")).st_mtime_ns)
    before = os.stat(r.path("g")).st_mtime_ns
    with open(r.path("g"), "ab") as f:
        f.write(b"more")
    r.note("moved", os.stat(r.path("g")).st_mtime_ns > before)
    r.do(os.utime, r.path("none"))


def long_names(r):
    name = "n" * 255
    r.file(name, b"long")
    r.read(name)
    r.open("n" * 256)
    r.do(os.mkdir, r.path("n" * 256))
    r.do(os.rename, r.path(name), r.path("n" * 256))
    r.do(os.stat, r.path("n" * 256))
    r.do(os.rename, r.path(name), r.path("é" * 127))
    r.read("é" * 127)
    for odd in (" ", "a b", "%41", "new\nline", "iopmem:", "..."):
        r.file(odd, odd.encode())
        r.read(odd)
    os.makedirs(r.path("/".join(["deep" * 20] * 12)))
    r.file("/".join(["deep" * 20] * 12 + ["f"]), b"deep")


def listing(r):
    os.mkdir(r.path("d"))
    names = {f"file-{i:04d}-{'x' * (i % 50)}" for i in range(200)}
    for name in names:
        os.close(os.open(r.path(f"d/{name}"), os.O_CREAT | os.O_WRONLY))
    r.note("all", set(os.listdir(r.path("d"))) == names)
    with os.scandir(r.path("d")) as entries:
        r.note("types", {e.is_file(follow_symlinks=False) for e in entries})
    r.do(os.listdir, r.path("d/none"))
    # Removed while it is listed, as rm -r does.
    with os.scandir(r.path("d")) as entries:
        for i, e in enumerate(entries):
            os.unlink(e.path)
            if i == 50:
                break
    for name in os.listdir(r.path("d")):
        r.note("there", os.path.exists(r.path(f"d/{name}")))
        os.unlink(r.path(f"d/{name}"))
    r.do(os.rmdir, r.path("d"))


def not_dirs(r):
    r.file("f")
    for call, args in ((os.stat, ()), (os.unlink, ()), (os.rmdir, ()), (os.mkdir, ()), (os.listdir, ()),
                       (os.readlink, ()), (os.chmod, (0o600,)), (os.truncate, (0,))):
        r.do(call, r.path("f/x"), *args)
        r.do(call, r.path("none/x"), *args)
    r.do(os.rename, r.path("f/x"), r.path("y"))
    r.do(os.rename, r.path("f"), r.path("f/y"))
    r.do(os.link, r.path("f"), r.path("f/y"))
    r.do(os.symlink, "f", r.path("f/y"))


def replaced(r):
    """Editors: a new file is written beside and renamed over."""
    for i in range(20):
        r.file("new", b"%d" % i * (i + 1))
        os.rename(r.path("new"), r.path("f"))
        r.read("f")
        r.stat("f")


def many_handles(r):
    fds = [r.open("f") for _ in range(30)]
    for i, fd in enumerate(fds):
        os.pwrite(fd, b"%02d" % i, 2 * i)
    for fd in fds[::2]:
        os.close(fd)
    r.do(os.pread, fds[1], 100, 0)
    for fd in fds[1::2]:
        os.close(fd)
    r.read("f")


CASES = [mkdir_rmdir, create_flags, trunc_flag, unlink, unlink_open, rename_files, rename_dirs, rename_open, links, symlinks,
         truncate, append, sizes, modes, times, long_names, listing, not_dirs, replaced, many_handles]


def once(case, root):
    folder = os.path.join(root, case.__name__)
    os.mkdir(folder)
    r = Run(folder)
    before = set(os.listdir("/proc/self/fd"))
    case(r)
    for fd in set(os.listdir("/proc/self/fd")) - before:        # what a case has left open
        try:
            os.close(int(fd))
        except OSError:
            pass
    return r.log


def compare(name, ours, theirs):
    wrong = [f"{name}: {a[0]}: {a[1]}, locally {b[1]}" for a, b in zip(ours, theirs) if a != b]
    if len(ours) != len(theirs):
        wrong.append(f"{name}: {len(ours)} steps, locally {len(theirs)}")
    return wrong


def compare_trees(what, ours, theirs):
    (a, links_a), (b, links_b) = ours, theirs
    wrong = [f"{what}: {n}: {a.get(n)}, locally {b.get(n)}" for n in sorted(a.keys() | b.keys()) if a.get(n) != b.get(n)]
    return wrong + ([f"{what}: hard links differ"] if links_a != links_b else [])


def main(mount, local, backing=None):
    wrong = []
    for case in CASES:
        try:
            theirs = once(case, local)
            wrong += compare(case.__name__, once(case, mount), theirs)
        except Exception:       # one more fault, and the others run
            wrong.append(f"{case.__name__}: {traceback.format_exc()}")
    wanted = tree(local)
    wrong += compare_trees("mount", tree(mount), wanted)
    if backing:
        wrong += compare_trees("backing", tree(backing), wanted)
    print("\n".join(wrong + [f"{len(CASES)} cases, {len(wanted[0])} names, {len(wrong)} faults"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
