"""Do the links of the pages lead somewhere?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house import tree

PAGES = [file for file in tree.files() if file.suffix == ".md"]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
ADDRESS = re.compile(r"[a-z]+:")


def prose(page: Path) -> str:
    """A page without its examples."""
    return FENCE.sub("", (tree.ROOT / page).read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """What a link into the page may name: its headings as GitHub makes them, and anchors of its own."""
    text = prose(page)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)">', text))


def broken(page: Path) -> list[str]:
    """Links to files that are not there, and to anchors that their file does not have."""
    found = []
    for link in LINK.findall(prose(page)):
        if ADDRESS.match(link):
            continue
        name, _, anchor = link.partition("#")
        target = (tree.ROOT / page).parent / name if name else tree.ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Here I am\n[a](#here-i-am) [b](#there) [c](none.md) [d](page.md#here-i-am) [e](https://x/)\n"
    )
    assert broken(page) == ["#there", "none.md"]


@pytest.mark.parametrize("page", [page for page in PAGES if page.parts[0] == "docs"], ids=str)
def test_every_page_can_be_found(page: Path) -> None:
    linked = {
        ((tree.ROOT / other).parent / link.partition("#")[0]).resolve()
        for other in PAGES
        for link in LINK.findall(prose(other))
        if other != page and not ADDRESS.match(link)
    }
    assert (tree.ROOT / page).resolve() in linked, f"no other page links to {page}"
