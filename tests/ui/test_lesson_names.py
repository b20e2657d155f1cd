"""The lesson names the page's controls as the page does: what docs/teaching.md sets in bold or quotes is a text of the page."""

import re
from pathlib import Path

from gan_core.ui import words

LESSON = (Path(__file__).parent.parent.parent / "docs" / "teaching.md").read_text(encoding="utf-8")


def plain(words_of_page: str) -> str:
    """Without case and without the difference between apostrophes."""
    return words_of_page.replace("\u2019", "'").casefold()


def test_what_the_lesson_names_is_on_the_page():
    texts = [plain(said) for said in words.table("en").values()]
    bold, quoted = re.findall(r"\*\*([^*]+)\*\*", LESSON), re.findall(r'^\| "([^"]+)"', LESSON, re.MULTILINE)
    assert len(bold) > 20 and len(quoted) >= 3
    doodles = (Path(words.__file__).parent.parent.parent / "data" / "quickdraw.txt").read_text(encoding="utf-8").split("\n")
    strange = [name for name in bold if plain(name) not in texts and name not in doodles]
    strange += [name for name in quoted if not any(plain(name) in said for said in texts)]
    assert strange == []
