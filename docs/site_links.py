"""A hook of mkdocs: links that leave docs/ lead into the repository, where the pages' own readers find them too."""

import posixpath
import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"(\]\()((?:\.\./)+[^)\s#]*)([^)\s]*\))")
ROOT = Path(__file__).resolve().parents[1]


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """The page's text with these links."""
    folder = posixpath.dirname(f"docs/{page.file.src_uri}")

    def led(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, found[2]))
        target = ROOT / path
        if path.startswith("docs/") or not target.exists():  # the latter stays as it is, and fails the build
            return found[0]
        return f"{found[1]}{config['repo_url']}/{'tree' if target.is_dir() else 'blob'}/main/{path}{found[3]}"

    return LINK.sub(led, markdown)
