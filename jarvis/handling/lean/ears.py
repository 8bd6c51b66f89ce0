"""What has this process been told by signals?"""

from __future__ import annotations

import os
import signal


class Ears:
    """Signals of one supervisor, as flags; each also makes ``wake`` readable, so that no wait misses one.

    SIGUSR1 means: look whether your run has been asked to stop. It may come late, when the process is already
    looking after another run, and then means nothing. SIGTERM means: end what you are doing.
    """

    def __init__(self) -> None:
        self.look = False
        self.end = False
        self.wake, writer = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGUSR1, self._hear)
        signal.signal(signal.SIGTERM, self._hear)
        signal.signal(signal.SIGCHLD, self._hear)

    def clear(self) -> None:
        """Empty ``wake``."""
        try:
            os.read(self.wake, 4_096)
        except BlockingIOError:
            return

    def _hear(self, number: int, frame: object) -> None:
        if number == signal.SIGUSR1:
            self.look = True
        elif number == signal.SIGTERM:
            self.end = True
