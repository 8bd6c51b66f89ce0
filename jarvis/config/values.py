"""Which value does each node of a YAML text stand for, and what is wrong on the way?"""

from __future__ import annotations

import re
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from jarvis.config import scalars
from jarvis.errors import Problem

MAX_DEPTH = 50
MAX_ALIASED = 100_000
SECRET = "$secret"

_ENDLESS = (10**12, MAX_DEPTH + 2)
_SECRET = re.compile(r"(env|file):\S.*")


class Builder:
    """Makes plain values of nodes and notes what is wrong on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def problem(self, node: Node, message: str, hint: str | None = None) -> None:
        mark = node.start_mark
        self.problems.append(
            Problem(file=self.file, line=mark.line + 1, column=mark.column + 1, message=message, hint=hint)
        )

    def weigh(self, root: Node) -> None:
        """Refuse aliases that contain themselves, nest too deep or grow too large, without expanding them.

        An alias always names a node met before (or one it stands in), so this recursion is never deeper than
        the text itself.
        """
        sizes: dict[int, tuple[int, int]] = {}
        growth = 0

        def measure(node: Node) -> tuple[int, int]:
            nonlocal growth
            known = sizes.get(id(node))
            if known is not None:
                growth += known[0]
                return known
            sizes[id(node)] = _ENDLESS
            children = () if isinstance(node, ScalarNode) else node.value
            if isinstance(node, MappingNode):
                children = [child for entry in node.value for child in entry]
            below = [measure(child) for child in children]
            total = (1 + sum(size for size, _ in below), 1 + max((depth for _, depth in below), default=0))
            sizes[id(node)] = total
            return total

        _, depth = measure(root)
        most = max(MAX_ALIASED, 10 * len(sizes))
        if growth > most or depth > MAX_DEPTH + 1:
            self.problem(
                root,
                f"its aliases (*name) contain themselves, nest deeper than {MAX_DEPTH} levels, or grow into more "
                f"than {most:,} values",
                "write the values out",
            )

    def root(self, node: Node) -> Any:
        """The whole document; at the top a key without a value is one whose entries are all commented out."""
        if isinstance(node, MappingNode):
            return self.mapping(node, top=True)
        return self.value(node)

    def value(self, node: Any) -> Any:
        kind = node.__class__
        if node.tag is not None:
            return self.tagged(node)
        if kind is ScalarNode:
            text = node.value
            if node.style or (text not in scalars.SPECIAL and text[0] not in scalars.NUMERIC):
                return text
            return self.plain(node)
        if kind is MappingNode:
            return self.mapping(node)
        return [self.value(item) for item in node.value]

    def plain(self, node: Node) -> Any:
        word = node.value
        if not word:
            return self.problem(node, "there is no value here", "write one, or null")
        value = scalars.read(word)
        if isinstance(value, scalars.Trap):
            self.problem(node, value.why, value.hint)
            return word
        return value

    def tagged(self, node: Node) -> Any:
        if node.tag != "!secret":
            self.problem(node, f"the tag {shown(node.tag)} is not allowed", "only !secret is")
            return "refused"
        text = node.value if isinstance(node, ScalarNode) else ""
        if text.startswith("keychain:"):
            self.problem(
                node, "!secret keychain: is not supported by this version", "use env:NAME or file:PATH"
            )
        elif not _SECRET.fullmatch(text):
            self.problem(node, "!secret needs a reference", "write !secret env:NAME or !secret file:PATH")
            text = "env:MISSING"
        return {SECRET: text}

    def mapping(self, node: Any, *, top: bool = False) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merges: list[Node] = []
        for name, value in node.value:
            word = name.value
            if not isinstance(name, ScalarNode) or name.tag:
                self.strange_key(name)
                continue
            if not name.style and (word in scalars.SPECIAL or word[0] in scalars.NUMERIC):
                if word == "<<":
                    merges.append(value)
                    continue
                self.key(name)
            if word in result:
                self.duplicate(node, name)
            elif _blank(value):
                result[word] = None
                if not top:
                    self.problem(value, f"{shown(word)} has no value", "write one, or remove the line")
            else:
                result[word] = self.value(value)
        for value in merges:
            self.merge(result, value)
        return result

    def key(self, name: Node) -> None:
        """A plain key that is not obviously text."""
        word = str(name.value)
        if not word:
            return self.problem(name, "there is a value without a key", "write key: value")
        if word == "on":  # a field of jobs.yaml; as a key nobody means true
            return None
        value = scalars.read(word)
        if isinstance(value, scalars.Trap):
            self.problem(name, value.why, f'quote it: "{shown(word)[1:-1]}"')
        elif not isinstance(value, str):
            kind = "null" if value is None else "true or false" if isinstance(value, bool) else "a number"
            self.problem(
                name, f"the key {shown(word)[1:-1]} is {kind}, not text", f'quote it: "{shown(word)[1:-1]}"'
            )

    def strange_key(self, name: Any) -> None:
        braces = isinstance(name, MappingNode)
        hint = "quote the text if it begins with {; a template must be rendered first" if braces else None
        what = f"with the tag {shown(name.tag)}" if name.tag else "a mapping" if braces else "a list"
        self.problem(name, f"a key must be plain text, not {what}", hint)

    def duplicate(self, node: MappingNode, name: Node) -> None:
        first = next(other for other, _ in node.value if other.value == name.value and other is not name)
        line = first.start_mark.line + 1
        self.problem(name, f"duplicate key {shown(name.value)}, first on line {line}", "keep one of them")

    def merge(self, result: dict[str, Any], node: Node) -> None:
        parts = node.value if isinstance(node, SequenceNode) else [node]
        for part in parts:
            if not isinstance(part, MappingNode):
                self.problem(part, "<< merges mappings only", "write <<: *name of a mapping")
                continue
            seen = len(self.problems)
            for name, value in self.mapping(part).items():
                result.setdefault(name, value)
            del self.problems[seen:]


def _blank(node: Any) -> bool:
    """Nothing stands after the colon."""
    return isinstance(node, ScalarNode) and not (node.value or node.style or node.tag)


def shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
