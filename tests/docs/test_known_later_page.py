"""The code of docs/known_later.md runs as it is written there, and prints what the page shows.

``UPDATE_DOCS=1`` writes what it prints into the page.
"""

import io
import os
import re
from contextlib import redirect_stdout
from typing import Any

from resources.settings import project_root

PAGE = project_root() / "docs" / "known_later.md"
RUN = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<printed>.*?)\n```\n)?", re.DOTALL)


def test_the_page_shows_what_its_code_prints() -> None:
    scope: dict[str, Any] = {"__name__": "known_later_page"}

    def shown(match: re.Match[str]) -> str:
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(match["code"], str(PAGE), "exec"), scope)
        text = printed.getvalue()
        return f"```python\n{match['code']}```\n" + (f"\n```text\n{text}```\n" if text else "")

    text = PAGE.read_text()
    found = RUN.sub(shown, text)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(found)
    assert found == PAGE.read_text()
    assert len(RUN.findall(found)) == 7
    assert found.count("```text") == 4
