"""Is it said in words what a job watches, and why it ran?"""

import pytest

from jarvis.control import plain
from jarvis.core import causes


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"watch": {"paths": "~/in"}}, "when ~/in changes"),
        ({"watch": {"paths": ["a", "b"], "globs": ["*.md", "*.txt"]}}, "when a, b (*.md, *.txt) changes"),
        ({"watch": {"paths": "flag", "when": "exists"}}, "while flag exists"),
        ({"watch": {"paths": "q", "when": "not_empty"}}, "while q is not empty"),
        ({"start": "mount"}, "at mount"),
        ({"schedules": [{"watch": {"paths": "in"}}, {"start": "boot"}]}, "when in changes; at boot"),
    ],
)
def test_lists_say_what_is_watched(body, said):
    assert plain.schedule(body) == said
    assert not plain.timed(body)


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ({"watch": "in", "when": "modified", "paths": ["/in/a"], "count": 1}, "because of 1 change in in"),
        ({"watch": "in", "when": "modified", "paths": [], "count": 2}, "because of 2 changes in in"),
        ({"watch": "in", "when": "modified", "paths": [], "count": 0}, "because in changed"),
        ({"watch": "flag", "when": "exists", "paths": ["/flag"], "count": 1}, "because flag exists"),
        ({"watch": "q", "when": "not_empty", "paths": ["/q/a"], "count": 1}, "because q is not empty"),
        ({"mount": "/mnt/a", "source": "a", "type": "ext4"}, "because /mnt/a was mounted"),
    ],
)
def test_runs_say_why(cause, said):
    assert causes.said(cause) == said
