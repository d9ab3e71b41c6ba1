"""A panel of language-model personas as one more source of votes, asked through the generation engine.

One model answers for all personas. Its votes are labelled so everywhere, and are no evidence about people.
"""

from __future__ import annotations

import asyncio
from typing import Any

from synthlib import paths
from synthlib.asking import live
from synthlib.asking.backends import Asked
from synthlib.asking.patience import Asking
from synthlib.asking.store import Store
from synthlib.crowd.study import Card, Place, Study
from synthlib.votes.voters import PANEL


def ask_panel(study: Study, personas: list[str], llm: Asked) -> list[dict[str, Any]]:
    """Return the answers of personas, one a slot from the first on, in the form that forms export.

    Every question is asked by itself. Answers that the store holds are not asked again. What names no answer, or more
    than one, is kept as it came: reading the votes tells it as a problem.

    Raises
    ------
    ValueError
        There are no personas, or more than the study has slots.
    CallError, OSError
        See :meth:`synthlib.asking.patience.Asking.ask`; answers so far are kept.
    """
    if not 1 <= len(personas) <= len(study.slots):
        raise ValueError(f"{len(personas)} personas for {len(study.slots)} slots; there must be 1 to as many as slots")
    opened: list[Asking] = []
    return live.run_apart(  # a notebook's own event loop is running already
        lambda: asyncio.run(_ask_all(study, personas, llm, opened)), lambda: opened[0] if opened else None
    )


async def _ask_all(study: Study, personas: list[str], llm: Asked, opened: list[Asking]) -> list[dict[str, Any]]:
    with Store(paths.CALLS / f"{llm.store}.sqlite", study.study) as store:
        async with live.open_asking(llm, store, say=lambda stand: None) as asker:
            opened.append(asker)
            asked = [_sit(study, number, persona, asker) for number, persona in enumerate(personas, 1)]
            tasks = [asyncio.create_task(sitting) for sitting in asked]
            try:
                return list(await asyncio.gather(*tasks))
            except BaseException as error:
                await asker.stop(error)  # answers in flight are waited for and kept
                await asyncio.gather(*tasks, return_exceptions=True)
                raise asker.error from None


async def _sit(study: Study, slot: int, persona: str, asker: Asking) -> dict[str, Any]:
    async def answer(position: int, place: Place) -> dict[str, Any]:
        messages = make_messages(study, place, persona)
        reply, _ = await asker.ask(messages, replicate=f"{study.study}/{slot}/{place.item}")
        left, right = study.sides(place)
        row = {"item": place.item, "position": position, "left": left, "right": right}
        return row | {"answer": read_reply(study, place, reply.text), "seconds": None, "time": reply.asked_at}

    answers = [await answer(position, place) for position, place in enumerate(study.slots[slot - 1], 1)]
    sitting = {"study": study.study, "version": 1, "instrument": PANEL, "worker": f"persona {slot}", "session": ""}
    return sitting | {"slot": slot, "persona": persona, "answers": answers}


def make_messages(study: Study, place: Place, persona: str) -> list[dict[str, str]]:
    """Return what the model is told for one question as one persona."""
    system = f"Answer as this person would: {persona}.\n\n{study.instructions}"
    if study.kind == "pairs":
        cards = {card.name: card for card in study.cards}
        shown = [f"Task {sign}\n{_show(cards[name])}" for sign, name in zip("AB", study.sides(place), strict=True)]
        asked = "Answer with A or B and nothing else."
    else:
        shown = [f"Text: {study.item(place.item).text}"]
        options = "\n".join(
            f"{sign}: {c.say} ({c.means})" for sign, c in zip(_signs(study), study.choices, strict=True)
        )
        asked = f"{options}\nAnswer with one letter and nothing else."
    user = "\n\n".join([*shown, f"{study.question}\n{asked}"])
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def read_reply(study: Study, place: Place, text: str) -> str:
    """Return the answer that a reply names by its letter; the reply itself where it names none."""
    letter = text.strip().strip(".:()*\"' ").upper()
    named = dict(zip("AB", study.sides(place), strict=True))
    if study.kind == "instances":
        named = dict(zip(_signs(study), (choice.label for choice in study.choices), strict=True))
    return named.get(letter, text)


def _signs(study: Study) -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(study.choices)]


def _show(card: Card) -> str:
    choices = "\n".join(f"- {choice.line}" for choice in card.choices)
    examples = "\n".join(f"- {example.say}: {example.text}" for example in card.examples)
    return f"{card.title}. {card.question}\nAnswers:\n{choices}\nExamples:\n{examples}"
