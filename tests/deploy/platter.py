"""A disk of a machine in qemu that loses, when its power is cut, all that it was not told to keep. Killing qemu alone would be kinder than any
disk: what the guest has written, flushed or not, is in the files of the host by then. So qemu's blklogwrites writes down each change and flush
(the format is that of Linux' dm-log-writes), and after the cut the image is what it was at power on, changed up to the last flush.
"""
import os
import struct

from machine import sh

SUPER = struct.Struct("<QQQI")  # magic, version, entries, bytes of a sector
ENTRY = struct.Struct("<QQQQ")  # first sector, sectors, flags, length of a mark
MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4


class Platter:
    def __init__(self, path):
        self.path, self.log, self.before = path, f"{path}.changes", f"{path}.before"

    def power_on(self):
        """The arguments that give the disk to qemu as its drive `disk`."""
        sh("cp", "--sparse=always", "--reflink=auto", self.path, self.before)
        with open(self.log, "wb"):
            pass
        return ["-blockdev", f"driver=file,filename={self.path},node-name=platter", "-blockdev", f"driver=file,filename={self.log},node-name=changes",
                "-blockdev", "driver=blklogwrites,file=platter,log=changes,node-name=disk"]

    def power_cut(self):
        """Once qemu is dead. How many changes are kept, and how many bytes of the log stand behind the last flush."""
        with open(self.log, "rb") as log:
            head = log.read(SUPER.size)
            magic, _, count, sector = SUPER.unpack(head) if len(head) == SUPER.size else (MAGIC, 1, 0, 512)
            if magic != MAGIC:
                raise RuntimeError(f"{self.log} is not a log of changes")
            entries, at, flushed, end = [], sector, 0, sector
            for n in range(count):
                log.seek(at)
                first, sectors, flags, _ = ENTRY.unpack(log.read(ENTRY.size))
                entries.append((at + sector, first * sector, sectors * sector, flags))
                at += sector + (0 if flags & DISCARD else sectors * sector)
                flushed, end = (n + 1, at) if flags & FLUSH else (flushed, end)
            # A disk may ignore a discard. What came after the last flush is not all counted in the head.
            kept = [n for n, (_, _, size, flags) in enumerate(entries) if size and not flags & DISCARD and (n < flushed or flags & FUA)]
            with open(self.before, "r+b") as image:
                for n in kept:
                    source, target, size, _ = entries[n]
                    log.seek(source)
                    image.seek(target)
                    image.write(log.read(size).ljust(size, b"\0"))
        os.rename(self.before, self.path)
        return len(kept), max(0, os.path.getsize(self.log) - end)
