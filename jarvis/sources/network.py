"""Is there a way out of this machine?"""

from __future__ import annotations

import socket


def routed() -> bool:
    """There is a route to the world. Connecting a datagram socket asks the routing table and sends nothing."""
    for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((address, 9))
                return True
        except OSError:
            continue
    return False
