# SPDX-License-Identifier: BSD-2-Clause
"""Packets as the wire saw them: tcpdump in a namespace, read back with scapy."""
import os

from .proc import wait_for


class Capture:
    serial = 0

    def __init__(self, lab, netns, interface, expression):
        Capture.serial += 1
        base = f"capture{Capture.serial}"
        self.path = os.path.join(lab.directory, f"{base}.pcap")
        self.proc = lab.start(["tcpdump", "-i", interface, "-U", "--immediate-mode", "-Z", "root", "-w", self.path,
                               "-B", "16384", *expression.split()], base, netns)
        wait_for(lambda: "listening on" in self.proc.log() or not self.proc.running(), 10,
                 "tcpdump listens")
        assert self.proc.running(), self.proc.tail()

    def stop(self):
        """Ends it and returns the packets."""
        from scapy.all import rdpcap  # slow to import, rarely needed
        sizes = []
        wait_for(lambda: self._still(sizes), 10, "tcpdump has written everything")
        self.proc.stop()
        return rdpcap(self.path)

    def _still(self, sizes):
        """tcpdump lags behind; nothing new in ten looks means that it has caught up."""
        sizes.append(os.path.getsize(self.path))
        return len(sizes) > 10 and sizes[-1] == sizes[-10]
