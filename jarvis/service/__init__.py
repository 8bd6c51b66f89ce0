"""How does the machine keep Jarvis running? A launchd agent on macOS, a systemd unit on Linux."""

from __future__ import annotations

from jarvis.service.installing import Plan, install, plan, uninstall

__all__ = ["Plan", "install", "plan", "uninstall"]
