"""Sets up a network and runs a program there: `unshare -rn python -m tests.connectors.private_network PROGRAM`.

Its only interface is loopback, which has the addresses of a server out there, of metadata services and of a private
network. Nothing has to stand in for a connection, a port or an address.
"""

import fcntl
import os
import socket
import struct
import sys
from contextlib import suppress

PUBLIC, PUBLIC_6 = "104.16.0.9", "2606:4700::9"
METADATA, PRIVATE, METADATA_6 = "169.254.169.254", "10.0.0.1", "fd00:ec2::254"
ADDRESSES = (PUBLIC, METADATA, PRIVATE, "127.0.0.1", PUBLIC_6, METADATA_6, "::1")
# From Linux' headers: sockios.h and if.h.
_SIOCGIFINDEX, _SIOCSIFADDR, _SIOCSIFFLAGS, _IFF_UP = 0x8933, 0x8916, 0x8914, 0x1


def set_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
        index = struct.unpack_from("16si", fcntl.ioctl(control, _SIOCGIFINDEX, struct.pack("16si20x", b"lo", 0)))[1]
        for number, address in enumerate((PUBLIC, METADATA, PRIVATE)):
            name, packed = f"lo:{number}".encode(), socket.inet_aton(address)
            fcntl.ioctl(control, _SIOCSIFADDR, struct.pack("16sHH4s16x", name, socket.AF_INET, 0, packed))
    # Where the system has IPv6.
    with suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        for address in (PUBLIC_6, METADATA_6):
            packed = socket.inet_pton(socket.AF_INET6, address)
            fcntl.ioctl(control, _SIOCSIFADDR, struct.pack("16sIi", packed, 128, index))


if __name__ == "__main__":
    set_up_loopback()
    os.execvp(sys.argv[1], sys.argv[1:])
