"""What may stand in a launchd plist, and is what we wrote correct?

The table follows launchd.plist(5). ``plistlib`` knows XML but nothing of launchd, and launchd ignores a key it does
not know without a word: a misspelt key is found here or never.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key: the shapes its value may have; ``daemon``: ignored in an agent; ``old``: deprecated by Apple."""

    name: str
    shapes: tuple[str, ...]
    daemon: bool = False
    old: bool = False


def _key(name: str, shapes: str, *, daemon: bool = False, old: bool = False) -> Key:
    return Key(name=name, shapes=tuple(shapes.split("|")), daemon=daemon, old=old)


KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        _key("Label", "text"),
        _key("Disabled", "bool"),
        _key("UserName", "text", daemon=True),
        _key("GroupName", "text", daemon=True),
        _key("InitGroups", "bool", daemon=True),
        _key("inetdCompatibility", "dict", daemon=True),
        _key("LimitLoadToHosts", "texts", old=True),
        _key("LimitLoadFromHosts", "texts", old=True),
        _key("LimitLoadToSessionType", "text|texts"),
        _key("LimitLoadToHardware", "dict"),
        _key("LimitLoadFromHardware", "dict"),
        _key("Program", "path"),
        _key("BundleProgram", "text"),
        _key("ProgramArguments", "texts"),
        _key("EnableGlobbing", "bool", old=True),
        _key("EnableTransactions", "bool"),
        _key("EnablePressuredExit", "bool"),
        _key("OnDemand", "bool", old=True),
        _key("ServiceIPC", "bool", old=True),
        _key("KeepAlive", "bool|dict"),
        _key("RunAtLoad", "bool"),
        _key("RootDirectory", "path", daemon=True),
        _key("WorkingDirectory", "path"),
        _key("EnvironmentVariables", "dict of texts"),
        _key("Umask", "int|text"),
        _key("TimeOut", "int"),
        _key("ExitTimeOut", "int"),
        _key("ThrottleInterval", "int"),
        _key("WatchPaths", "texts"),
        _key("QueueDirectories", "texts"),
        _key("StartOnMount", "bool"),
        _key("StartInterval", "int"),
        _key("StartCalendarInterval", "dict of ints|dicts"),
        _key("StandardInPath", "path"),
        _key("StandardOutPath", "path"),
        _key("StandardErrorPath", "path"),
        _key("Debug", "bool", old=True),
        _key("WaitForDebugger", "bool"),
        _key("SoftResourceLimits", "dict of ints"),
        _key("HardResourceLimits", "dict of ints"),
        _key("Nice", "int"),
        _key("ProcessType", "text"),
        _key("AbandonProcessGroup", "bool"),
        _key("LowPriorityIO", "bool"),
        _key("LowPriorityBackgroundIO", "bool"),
        _key("MaterializeDatalessFiles", "bool"),
        _key("LaunchOnlyOnce", "bool"),
        _key("MachServices", "dict"),
        _key("Sockets", "dict"),
        _key("LaunchEvents", "dict"),
        _key("SessionCreate", "bool", daemon=True),
        _key("HopefullyExitsFirst", "bool", old=True),
        _key("HopefullyExitsLast", "bool", old=True),
        _key("LegacyTimers", "bool"),
        _key("AssociatedBundleIdentifiers", "text|texts"),
    )
}
KEEP_ALIVE = {
    "SuccessfulExit",
    "Crashed",
    "NetworkState",
    "PathState",
    "OtherJobEnabled",
    "AfterInitialDemand",
}
PROCESS_TYPES = {"Background", "Standard", "Adaptive", "Interactive"}
LIMITS = {
    "Core", "CPU", "Data", "FileSize", "MemoryLock", "NumberOfFiles", "NumberOfProcesses", "ResidentSetSize", "Stack",
}  # fmt: skip


def problems(plist: Mapping[str, Any], *, agent: bool) -> list[str]:
    """Everything wrong with a plist, in sentences; empty when launchd would take it as it is meant."""
    found = [said for name, value in plist.items() for said in _of_key(name, value, agent=agent)]
    if not plist.get("Label"):
        found.append("Label is missing")
    return found + _of_program(plist) + _of_values(plist)


def _of_key(name: str, value: Any, *, agent: bool) -> list[str]:
    key = KEYS.get(name)
    if key is None:
        return [f"{name} is not a launchd key"]
    found = []
    if not any(_SHAPES[shape](value) for shape in key.shapes):
        found.append(f"{name} must be {' or '.join(key.shapes)}, not {value!r}")
    if key.daemon and agent:
        found.append(f"{name} is ignored in an agent")
    if key.old:
        found.append(f"{name} is deprecated")
    return found


def _of_program(plist: Mapping[str, Any]) -> list[str]:
    words = plist.get("ProgramArguments")
    program = plist.get("Program") or (words[0] if isinstance(words, list) and words else None)
    if program is None:
        return ["Program or ProgramArguments is missing"]
    if not str(program).startswith("/"):
        return [f"the program {program!r} is not an absolute path; launchd expands neither ~ nor $HOME"]
    return []


def _of_values(plist: Mapping[str, Any]) -> list[str]:
    found = []
    keep = plist.get("KeepAlive")
    if isinstance(keep, dict):
        found += [f"KeepAlive: {name} is not a condition" for name in keep.keys() - KEEP_ALIVE]
    if plist.get("ProcessType", "Standard") not in PROCESS_TYPES:
        found.append(f"ProcessType {plist['ProcessType']!r} is none of {', '.join(sorted(PROCESS_TYPES))}")
    for limits in ("SoftResourceLimits", "HardResourceLimits"):
        found += [f"{limits}: {name} is not a limit" for name in plist.get(limits, {}).keys() - LIMITS]
    umask = plist.get("Umask", 0)
    if isinstance(umask, int) and not 0 <= umask <= 0o777:
        found.append(f"Umask {umask} is not a umask; it is written as a decimal number (63 is 077)")
    return found


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_SHAPES: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "path": lambda value: isinstance(value, str) and value.startswith("/"),
    "bool": lambda value: isinstance(value, bool),
    "int": _int,
    "texts": _texts,
    "dict": lambda value: isinstance(value, dict),
    "dicts": lambda value: isinstance(value, list) and all(isinstance(item, dict) for item in value),
    "dict of texts": lambda value: (
        isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
    ),
    "dict of ints": lambda value: isinstance(value, dict) and all(map(_int, value.values())),
}
