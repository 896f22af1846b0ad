# SPDX-License-Identifier: BSD-3-Clause
"""Files in a server's device memory, from Python: libiopmem by ctypes.

    import iopmem
    with iopmem.Client("iopmem://store/pmem") as client:
        with client.open("results", "w+") as f:
            f.pwrite(b"hello", 0)
            print(f.sync())             # the level reached, iopmem.LEVEL_...
        print(client.listdir(""))

What fails raises OSError with errno and the library's text. Anything with the buffer protocol can be written; pread_into()
reads into a writable one without a copy in between. Calls release the interpreter's lock, so threads run beside each other;
a file must not be closed while another thread uses it.
"""
import ctypes
import os
from collections import namedtuple

LEVEL_VISIBLE, LEVEL_SERVER_DEATH, LEVEL_POWER_LOSS = 1, 2, 3
REG, DIR, BLK, CHR, LNK, SOCK, FIFO = range(1, 8)

Stat = namedtuple("Stat", "type mode nlink uid gid fileid size space_used mtime_ns ctime_ns change")


class _Err(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 508)]


class _Stat(ctypes.Structure):
    _fields_ = [("type", ctypes.c_uint32), ("mode", ctypes.c_uint32), ("nlink", ctypes.c_uint32), ("uid", ctypes.c_uint32),
                ("gid", ctypes.c_uint32), ("rdev_major", ctypes.c_uint32), ("rdev_minor", ctypes.c_uint32),
                ("fileid", ctypes.c_uint64), ("size", ctypes.c_uint64),
                ("space_used", ctypes.c_uint64), ("atime_sec", ctypes.c_int64), ("atime_nsec", ctypes.c_uint32),
                ("mtime_sec", ctypes.c_int64), ("mtime_nsec", ctypes.c_uint32),
                ("ctime_sec", ctypes.c_int64), ("ctime_nsec", ctypes.c_uint32), ("change", ctypes.c_uint64)]

    def value(self):
        return Stat(self.type, self.mode, self.nlink, self.uid, self.gid, self.fileid, self.size, self.space_used,
                    self.mtime_sec * 10**9 + self.mtime_nsec, self.ctime_sec * 10**9 + self.ctime_nsec, self.change)


_lib = ctypes.CDLL(os.environ.get("IOPMEM_LIBRARY", "libiopmem.so.0"))
_P, _S, _U64, _ERR = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64, ctypes.POINTER(_Err)
_DIRENT = ctypes.CFUNCTYPE(ctypes.c_int, _S, ctypes.POINTER(_Stat), _P)


def _function(name, *arguments, result=ctypes.c_int):
    """The C function, raising what its last argument says."""
    function = getattr(_lib, "iopmem_" + name)
    function.argtypes, function.restype = [*arguments, _ERR], result

    def call(*values):
        err = _Err()
        ret = function(*values, ctypes.byref(err))
        if ret < 0:
            raise OSError(err.code or -ret, err.text.decode(errors="replace") or os.strerror(-ret))
        return ret
    return call


_connect = _function("connect", _S, _P, ctypes.POINTER(_P))
_stat = _function("stat", _P, _S, ctypes.POINTER(_Stat))
_mkdir = _function("mkdir", _P, _S, ctypes.c_uint)
_remove = _function("remove", _P, _S)
_readdir = _function("readdir", _P, _S, _DIRENT, _P)
_open = _function("open", _P, _S, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(_P))
_close = _function("close", _P)
_fstat = _function("fstat", _P, ctypes.POINTER(_Stat))
_ftruncate = _function("ftruncate", _P, _U64)
_pread = _function("pread", _P, _P, ctypes.c_size_t, _U64, result=ctypes.c_ssize_t)
_pwrite = _function("pwrite", _P, _P, ctypes.c_size_t, _U64, result=ctypes.c_ssize_t)
_append = _function("append", _P, _P, ctypes.c_size_t, ctypes.POINTER(_U64), result=ctypes.c_ssize_t)
_sync = _function("sync", _P)
_lib.iopmem_disconnect.argtypes, _lib.iopmem_disconnect.restype = [_P], ctypes.c_int


def _memory(data, writable):
    """An address and a length, and what keeps them alive."""
    view = memoryview(data).cast("B")
    if view.readonly and writable:
        raise TypeError("a writable buffer is needed")
    if view.readonly:
        keep = bytes(view) if not isinstance(data, bytes) else data
        return ctypes.cast(ctypes.c_char_p(keep), _P), len(keep), keep
    keep = (ctypes.c_char * len(view)).from_buffer(view)
    return ctypes.cast(keep, _P), len(view), keep


class File:
    """An open file; Client.open() makes it."""

    def __init__(self, handle):
        self._handle = handle

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _use(self):
        if not self._handle:
            raise ValueError("I/O on a closed file")
        return self._handle

    def pread(self, length, offset):
        data = bytearray(length)
        return bytes(data[:self.pread_into(data, offset)])

    def pread_into(self, buffer, offset):
        """Reads into the buffer; returns the number of bytes, less than its length at the end of file."""
        address, length, keep = _memory(buffer, True)
        n = _pread(self._use(), address, length, offset)
        del keep
        return n

    def pwrite(self, data, offset):
        """All of it; to stay there only after sync()."""
        address, length, keep = _memory(data, False)
        n = _pwrite(self._use(), address, length, offset)
        del keep
        return n

    def append(self, data):
        """At the end of the file, committed; returns the offset where it begins."""
        address, length, keep = _memory(data, False)
        offset = _U64()
        _append(self._use(), address, length, ctypes.byref(offset))
        del keep
        return offset.value

    def sync(self):
        """Commits what was written; returns the level reached."""
        return _sync(self._use())

    def truncate(self, size):
        _ftruncate(self._use(), size)

    def stat(self):
        st = _Stat()
        _fstat(self._use(), ctypes.byref(st))
        return st.value()

    def close(self):
        handle, self._handle = self._handle, None
        if handle:
            _close(handle)


class Client:
    """A connection to an export, iopmem://host[:port]/export."""

    _flags = {"r": os.O_RDONLY, "r+": os.O_RDWR, "w+": os.O_RDWR | os.O_CREAT | os.O_TRUNC,
              "a+": os.O_RDWR | os.O_CREAT, "x+": os.O_RDWR | os.O_CREAT | os.O_EXCL}

    def __init__(self, url):
        handle = _P()
        _connect(url.encode(), None, ctypes.byref(handle))
        self._handle = handle

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _use(self):
        if not self._handle:
            raise ValueError("the client is closed")
        return self._handle

    def open(self, path, mode="r", permissions=0o644):
        """mode: r, r+ (both: it must be there), w+ (emptied), a+ (kept), x+ (it must not be there)."""
        if mode not in self._flags:
            raise ValueError(f"mode '{mode}' is none of: {', '.join(self._flags)}")
        handle = _P()
        _open(self._use(), os.fsencode(path), self._flags[mode], permissions, ctypes.byref(handle))
        return File(handle)

    def stat(self, path):
        st = _Stat()
        _stat(self._use(), os.fsencode(path), ctypes.byref(st))
        return st.value()

    def listdir(self, path=""):
        names = []

        @_DIRENT
        def add(name, _stat_of_it, _arg):
            names.append(os.fsdecode(name))
            return 0
        _readdir(self._use(), os.fsencode(path), add, None)
        return names

    def mkdir(self, path, mode=0o755):
        _mkdir(self._use(), os.fsencode(path), mode)

    def remove(self, path):
        _remove(self._use(), os.fsencode(path))

    def close(self):
        """Files that are still open end with it."""
        handle, self._handle = self._handle, None
        if handle:
            ret = _lib.iopmem_disconnect(handle)
            if ret < 0:
                raise OSError(-ret, os.strerror(-ret))
