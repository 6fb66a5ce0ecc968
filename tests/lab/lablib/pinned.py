# SPDX-License-Identifier: BSD-2-Clause
"""The data path's pinned memory and its lease program, without the daemon: include/zdd/layout.h."""
import ctypes
import json
import mmap
import os
import struct

from .proc import run

OBJ_GET, TEST_RUN, FD_BY_ID = 7, 10, 13
SYSCALL = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
LEASED = 128
SERVICE, SERVICE_FLAGS, OVERRIDE, NAME = 128, 28, 64, 136
_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command, attr):
    buffer = ctypes.create_string_buffer(attr.ljust(128, b"\0"), 128)
    got = _libc.syscall(SYSCALL, command, buffer, 128)
    if got < 0:
        raise OSError(ctypes.get_errno(), f"bpf({command})")
    return got, buffer.raw


class Pinned:
    def __init__(self, daemon):
        self.dir = os.path.join(daemon.bpffs, "maps")
        self.maps = {}
        _, _, self.hz, _, self.services, self.pools = struct.unpack_from("6I", self.map("desk"), 64)

    def _info(self, name):
        return json.loads(run(["bpftool", "-j", "map", "show", "pinned", os.path.join(self.dir, name)]).stdout)

    def map(self, name):
        if name not in self.maps:
            path = ctypes.create_string_buffer(os.path.join(self.dir, name).encode())
            fd, _ = _bpf(OBJ_GET, struct.pack("QII", ctypes.addressof(path), 0, 0))
            info = self._info(name)
            size = -(-info["bytes_value"] * info["max_entries"] // mmap.PAGESIZE) * mmap.PAGESIZE
            self.maps[name] = mmap.mmap(fd, size)
            os.close(fd)
        return self.maps[name]

    def pool(self, name, service="web"):
        """The pool's object."""
        for i in range(self.pools):
            names = struct.unpack_from("64s64sB", self.map("pool_names"), i * NAME)
            if (names[0].rstrip(b"\0"), names[1].rstrip(b"\0"), names[2]) == (service.encode(), name.encode(), 1):
                return i
        raise KeyError(name)

    def lease_all(self):
        """Every service of the plan in force is leased."""
        slot = struct.unpack_from("Q", self.map("desk"))[0] & 255
        for i in range(self.services):
            at = (slot * self.services + i) * SERVICE + SERVICE_FLAGS
            flags, = struct.unpack_from("I", self.map("services"), at)
            struct.pack_into("I", self.map("services"), at, flags | LEASED)

    def renew(self, pool, ms, limit=0):
        """As the daemon does it, by the program that it has loaded. Returns what that says."""
        own = self._info("overrides")["id"]
        programs = json.loads(run(["bpftool", "-j", "prog", "show", "name", "zdd_renew"]).stdout)
        number = next(p["id"] for p in (programs if isinstance(programs, list) else [programs]) if own in p["map_ids"])
        fd, _ = _bpf(FD_BY_ID, struct.pack("III", number, 0, 0))
        given = ctypes.create_string_buffer(struct.pack("IIQ", pool, limit, ms))
        _, out = _bpf(TEST_RUN, struct.pack("IIIIQQIIIIQQ", fd, 0, 0, 0, 0, 0, 0, 0, 16, 0, ctypes.addressof(given), 0))
        os.close(fd)
        return struct.unpack_from("I", out, 4)[0]

    def override(self, pool):
        until, limit, failed, tripped, turned, why = struct.unpack_from("QIIQQI", self.map("overrides"), pool * OVERRIDE)
        return {"until": until, "limit": limit, "failed": failed, "tripped": tripped, "turned": turned, "why": why}
