"""Holds an interface's XDP hook in its driver by a program called `other_xdp`, which passes everything, until it is ended.

Usage: other_xdp.py INTERFACE
"""

import ctypes
import os
import platform
import signal
import socket
import struct
import sys

BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
PROG_LOAD, LINK_CREATE = 5, 28
PROG_TYPE_XDP, ATTACH_XDP, DRIVER_MODE = 6, 37, 4

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    attributes = attributes.ljust(160, b"\0")
    descriptor = libc.syscall(BPF, command, attributes, len(attributes))
    if descriptor < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return descriptor


# r0 = XDP_PASS; exit
instructions = ctypes.create_string_buffer(bytes.fromhex("b700000002000000" "9500000000000000"), 16)
licence = ctypes.create_string_buffer(b"GPL")
load = struct.pack(
    "=IIQQIIQII16s",
    PROG_TYPE_XDP,
    2,
    ctypes.addressof(instructions),
    ctypes.addressof(licence),
    0,
    0,
    0,
    0,
    0,
    b"other_xdp",
)
program = bpf(PROG_LOAD, load)
index = socket.if_nametoindex(sys.argv[1])
link = bpf(LINK_CREATE, struct.pack("=IIII", program, index, ATTACH_XDP, DRIVER_MODE))
print("attached", flush=True)
signal.pause()
