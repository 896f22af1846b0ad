# SPDX-License-Identifier: BSD-3-Clause
"""What a file may contain, from what its writers were told.

Each block has a list of writes in the order in which they were sent: [the last one known to be committed, later
ones].  Any of them may be what is there, nothing else.  Zeroes are the write ZERO.
"""
from script_client import pattern

BLOCK = 4096
ZERO = None


def content(block, tag):
    return bytes(BLOCK) if tag is ZERO else pattern(block * BLOCK, BLOCK, tag)


class Block:
    def __init__(self):
        self.writes = [(0, ZERO)]       # (number, tag)
        self.torn = False               # a write ended in an error: parts of several may be there


class File:
    def __init__(self, blocks):
        self.blocks = [Block() for _ in range(blocks)]
        self.count = 0
        self.size = 0                   # committed
        self.grown = 0                  # what size may be, if uncommitted growth was committed on a return

    def write(self, block, tag):
        """A write is on its way; its number is for commit()."""
        self.count += 1
        self.blocks[block].writes.append((self.count, tag))
        self.grown = max(self.grown, (block + 1) * BLOCK)
        return self.count

    def commit(self, block, number):
        """Write @number was reported committed: what came before it is not there any more."""
        b = self.blocks[block]
        if any(n == number for n, _ in b.writes):
            b.writes = [w for w in b.writes if w[0] >= number]
            b.torn = b.torn and len(b.writes) > 1
            self.size = max(self.size, (block + 1) * BLOCK)

    def overwrite(self, block, tag):
        """By somebody whom everybody else's layout had to be given back for."""
        self.count += 1
        b = self.blocks[block]
        b.writes, b.torn = [(self.count, tag)], False
        self.size = max(self.size, (block + 1) * BLOCK)
        self.grown = max(self.grown, self.size)

    def truncate(self, blocks):
        for block in range(blocks, len(self.blocks)):
            self.overwrite(block, ZERO)
        self.size = self.grown = blocks * BLOCK

    def tags(self, block):
        return list(dict.fromkeys(tag for _, tag in self.blocks[block].writes))

    def wrong(self, data):
        """The first thing in @data, the whole file, that cannot be; None."""
        if not self.size <= len(data) <= self.grown:
            return f"size {len(data)}, not between {self.size} and {self.grown}"
        for i, block in enumerate(self.blocks):
            got = data[i * BLOCK:(i + 1) * BLOCK].ljust(BLOCK, b"\0")
            may = [content(i, tag) for tag in self.tags(i)]
            # Growth that was not committed is cut off: zeroes, where the file ends before the block.
            if got in may or (len(data) <= i * BLOCK and self.size <= i * BLOCK):
                continue
            if block.torn and all(any(m[x] == got[x] for m in may) for x in range(BLOCK)):
                continue
            known = [t for t in range(256) if content(i, t) == got]
            return f"block {i}: has write {known or got[:8].hex()}, may have {self.tags(i)}{' torn' * block.torn}"
        return None
