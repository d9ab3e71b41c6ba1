"""A card as HTML, for instruments that show HTML of their own; all texts escaped."""

from __future__ import annotations

from html import escape

from synthlib.crowd.study import Card


def show_card(card: Card) -> str:
    """Return the HTML of a card.

    Examples
    --------
    >>> card = Card(name="a", title="Jokes & co", question="Funny?", choices=[], examples=[], examples_from="None.")
    >>> show_card(card)
    '<h3>Jokes &amp; co</h3><p>Funny?</p><ul></ul><p><i>None.</i></p>'
    """
    choices = "".join(f"<li>{escape(c.line)}</li>" for c in card.choices)
    examples = "".join(f"<p><b>{escape(e.say)}:</b> {escape(e.text)}</p>" for e in card.examples)
    about = f"<h3>{escape(card.title)}</h3><p>{escape(card.question)}</p><ul>{choices}</ul>"
    return f"{about}<p><i>{escape(card.examples_from)}</i></p>{examples}"
