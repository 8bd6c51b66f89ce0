"""What does a YAML text say, and on which line and column does it say it?

Values come out as plain Python; the node tree is kept, so that the address of any path is looked up only when
somebody needs it. Everything that is wrong is collected, not only the first thing.

Allowed: one document of text, numbers, true/false, null, lists, mappings, anchors, merge keys and
``!secret``. Refused: other tags, duplicate keys, keys that are not text, nesting deeper than 50, aliases that
grow beyond measure, and the words YAML readers disagree about (see scalars).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml
import yaml.composer
import yaml.parser
import yaml.reader
import yaml.scanner
from yaml.nodes import MappingNode, Node, SequenceNode

from jarvis.config import complaints, values
from jarvis.config.values import MAX_DEPTH
from jarvis.errors import Problem

MAX_BYTES = 5_000_000

Path = Sequence[str | int]
Address = tuple[int, int]

_ANCHOR = re.compile(r"(?:^|[\s\[{,:])&[^\s&\[\]{},]")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _TooDeep(Exception):
    def __init__(self, mark: yaml.Mark) -> None:
        self.mark = mark


class _Depth:
    """The two things a composer asks of a resolver: nothing about tags, and how deep is too deep."""

    depth = 0

    def resolve(self, kind: type[Node], value: str | None, implicit: object) -> None:
        return None

    def descend_resolver(self, parent: Node | None, index: Any) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH and parent is not None:
            raise _TooDeep(parent.start_mark)

    def ascend_resolver(self) -> None:
        self.depth -= 1


class PureLoader(
    _Depth, yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer
):
    """PyYAML without its C library; several times slower, the same answers."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)


def _fast() -> Any:
    """libyaml's loader, with depth counted before its recursion could exhaust the C stack; None without it."""
    try:
        from yaml._yaml import CParser
    except ImportError:
        return None
    return type("FastLoader", (_Depth, CParser), {})


Loader: Any = _fast() or PureLoader


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One YAML text: its value, what is wrong with it, and where everything stands."""

    file: str
    text: str
    value: Any
    problems: tuple[Problem, ...]
    root: Node | None = None
    _index: dict[int, dict[str, tuple[Node, Node]]] = field(default_factory=dict)

    def at(self, path: Path, *, key: bool = False) -> Address:
        """Line and column of a value (or of its key), both from 1; of the deepest part there is."""
        node, mark = self.root, None
        for part in path:
            found = self._step(node, part)
            if found is None:
                break
            name, node = found
            mark = name.start_mark if key else node.start_mark
        if mark is None:
            mark = node.start_mark if node is not None else None
        return (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)

    def problem(self, path: Path, message: str, *, job: str | None = None, hint: str | None = None,
                key: bool = False) -> Problem:  # fmt: skip
        line, column = self.at(path, key=key)
        return Problem(file=self.file, line=line, column=column, job=job, message=message, hint=hint)

    def _step(self, node: Node | None, part: str | int) -> tuple[Node, Node] | None:
        if isinstance(node, MappingNode):
            return self._entries(node).get(str(part))
        if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            return node.value[part], node.value[part]
        return None

    def _entries(self, node: MappingNode) -> dict[str, tuple[Node, Node]]:
        known = self._index.get(id(node))
        if known is None:
            own, merged = _own_and_merged(node)
            known = {}
            for other in merged:
                for name, entry in self._entries(other).items():
                    known.setdefault(name, entry)
            known |= {str(name.value): (name, value) for name, value in reversed(own)}
            self._index[id(node)] = known
        return known


def read(data: bytes, *, file: str) -> Source:
    """Read one file's bytes. ``value`` is None when the text is no YAML; ``problems`` then says why."""
    if len(data) > MAX_BYTES:
        return _unusable(file, "", [complaints.too_large(file, len(data), MAX_BYTES)])
    text, problem = complaints.decode(data, file)
    problem = problem or complaints.unprintable(text, file, _UNPRINTABLE.search(text))
    if problem:
        return _unusable(file, text, [problem])
    try:
        root = _compose(text)
    except _TooDeep as deep:
        return _unusable(file, text, [complaints.too_deep(file, deep.mark, MAX_DEPTH)])
    except yaml.YAMLError as error:
        return _unusable(file, text, [complaints.syntax(error, text, file)])
    if root is None:
        return _unusable(
            file, text, [Problem(file=file, message="the file is empty", hint="write at least: jobs: {}")]
        )
    return _built(file, text, root)


def _compose(text: str) -> Node | None:
    loader = Loader(text)
    try:
        root: Node | None = loader.get_single_node()
        return root
    finally:
        loader.dispose()


def _unusable(file: str, text: str, problems: Sequence[Problem]) -> Source:
    return Source(file=file, text=text, value=None, problems=tuple(problems))


def _built(file: str, text: str, root: Node) -> Source:
    builder = values.Builder(file)
    if _ANCHOR.search(text):
        builder.weigh(root)
    if builder.problems:
        return _unusable(file, text, builder.problems)
    value = builder.root(root)
    builder.problems = _of_jobs(root, builder.problems)
    builder.problems.sort(key=lambda problem: (problem.line, problem.column))
    return Source(file=file, text=text, value=value, problems=tuple(builder.problems), root=root)


def _of_jobs(root: Node, problems: list[Problem]) -> list[Problem]:
    """The problems with the name of the job they stand in."""
    inside = [value for name, value in _entries_of(root) if name.value == "jobs"]
    jobs = [
        (_place(name.start_mark), _place(value.end_mark), name)
        for one in inside
        for name, value in _entries_of(one)
    ]
    named = []
    for problem in problems:
        at = (problem.line, problem.column)
        owner = (
            next((str(name.value) for start, end, name in jobs if start < at <= end), None) if jobs else None
        )
        named.append(replace(problem, job=values.shown(owner)[1:-1]) if owner else problem)
    return named


def _entries_of(node: Node) -> list[tuple[Node, Node]]:
    return node.value if isinstance(node, MappingNode) else []


def _place(mark: yaml.Mark) -> Address:
    return mark.line + 1, mark.column + 1


def _own_and_merged(node: MappingNode) -> tuple[list[tuple[Node, Node]], list[MappingNode]]:
    """The entries written here, and the mappings merged in by ``<<``, nearest first."""
    own, merged = [], []
    for name, value in node.value:
        if name.value == "<<" and not name.style:
            parts = value.value if isinstance(value, SequenceNode) else [value]
            merged += [part for part in parts if isinstance(part, MappingNode)]
        else:
            own.append((name, value))
    return own, merged
