# SPDX-License-Identifier: BSD-2-Clause
"""Plain sockets in a namespace, for what the load generator does not do."""
import socket
import struct

TIMEOUT = 20


def _family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def connect(netns, host, port, source=None, timeout=TIMEOUT):
    with netns.entered():
        s = socket.socket(_family(host), socket.SOCK_STREAM)
    s.settimeout(timeout)
    if source:
        s.bind((source, 0))
    s.connect((host, port))
    return s


def listen(netns, host):
    """A listening TCP socket and its port."""
    with netns.entered():
        server = socket.create_server((host, 0), family=_family(host))
    server.settimeout(TIMEOUT)
    return server, server.getsockname()[1]


def udp(netns, host=None, port=0):
    """A UDP socket; bound when an address is given."""
    with netns.entered():
        s = socket.socket(_family(host) if host else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(TIMEOUT)
    if host:
        s.bind((host, port))
    return s


def read_exactly(s, length):
    parts = []
    while length:
        part = s.recv(min(length, 1 << 20))
        if not part:
            raise AssertionError(f"closed with {length} bytes to come")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def read_line(s):
    line = b""
    while not line.endswith(b"\n"):
        line += read_exactly(s, 1)
    return line.decode().split()


def ask(s, word="1"):
    """One request of the line protocol; the words of its answer."""
    s.sendall(f"{word}\n".encode())
    return read_line(s)


def pattern(length):
    """What ledgerd sends for B and expects after P."""
    unit = bytes(ord("a") + i for i in range(23))
    return (unit * (length // 23 + 1))[:length]


def download(s, length):
    s.sendall(f"B {length}\n".encode())
    return read_exactly(s, length) == pattern(length)


def upload(s, length):
    s.sendall(f"P {length}\n".encode() + pattern(length))
    return int(read_line(s)[3]) == length


# ---- datagrams in fragments, in any order

def _packed(address):
    return socket.inet_pton(_family(address), address)


def _sum(data):
    data += bytes(len(data) % 2)
    total = sum(int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def _segment(source, target, data):
    """UDP from one (address, port) to another, with its checksum."""
    head = struct.pack("!HHH", source[1], target[1], len(data) + 8)
    pseudo = _packed(source[0]) + _packed(target[0]) + struct.pack("!II", len(data) + 8, socket.IPPROTO_UDP)
    check = 0xffff & ~_sum(pseudo + head + b"\0\0" + data)
    return head + struct.pack("!H", check or 0xffff) + data


def _fragment(source, target, number, offset, more, part):
    if ":" in target:
        head = struct.pack("!IHBB", 6 << 28, len(part) + 8, 44, 64)
        return head + _packed(source) + _packed(target) + \
            struct.pack("!BBHI", socket.IPPROTO_UDP, 0, offset | more, number) + part
    return struct.pack("!BBHHHBBH", 0x45, 0, len(part) + 20, number & 0xffff, offset >> 3 | more << 13, 64,
                       socket.IPPROTO_UDP, 0) + _packed(source) + _packed(target) + part


def send_backwards(netns, source, target, data, number, size=1400):
    """One datagram, cut into fragments of `size` bytes (a multiple of 8), the last one first."""
    segment = _segment(source, target, data)
    with netns.entered():
        s = socket.socket(_family(target[0]), socket.SOCK_RAW, socket.IPPROTO_RAW)
    with s:
        for offset in reversed(range(0, len(segment), size)):
            part = segment[offset:offset + size]
            more = offset + len(part) < len(segment)
            s.sendto(_fragment(source[0], target[0], number, offset, more, part), (target[0], 0))
