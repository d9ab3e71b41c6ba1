"""The form: one HTML file that asks a study of people, without a server or a network."""

from __future__ import annotations

from html import escape
from pathlib import Path

from synthlib.crowd.study import Study

_TEMPLATE = Path(__file__).with_name("form.html")


def render_form(study: Study) -> str:
    """Return the HTML of a study's form.

    A person types the number of a slot (1 to the number of slots), answers, and saves a file that
    :func:`synthlib.crowd.collect.read_votes` reads. The page may load nothing: its content security policy forbids it.
    Which questions are checks is not in it.
    """
    content = study.model_dump_json(exclude={"texts_from", "seed"})
    for sign in "<>&\u2028\u2029":  # no text can close the script element or open a comment in it
        content = content.replace(sign, f"\\u{ord(sign):04x}")
    page = _TEMPLATE.read_text(encoding="utf-8")
    return page.replace("{{title}}", escape(study.title)).replace("{{study}}", content)


def write_form(study: Study, path: Path) -> Path:
    """Write the form and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_form(study), encoding="utf-8")
    return path
