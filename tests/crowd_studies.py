"""Small studies for tests, and sittings as the form exports them."""

import json

from synthlib.crowd import design

TASKS = ["imdb", "sms_spam", "humor", "tweet_irony"]
SALT = bytes(range(32))


def make_pairs(**changes):
    """Return a pairwise study of four tasks and its key."""
    shape = {"per_worker": 6, "min_votes": 3, "n_workers": 3, "n_checks": 1, "seed": 7} | changes
    return design.design_pairs(TASKS, source="features", **shape)


def make_instances(**changes):
    """Return an instance study of humor and its key."""
    shape = {"n_per_label": 4, "per_worker": 8, "min_votes": 3, "n_workers": 3, "n_checks": 2, "seed": 7} | changes
    return design.design_instances("humor", source="features", **shape)


def sit(study, key, slot, *, choose=None, instrument="html form", seconds=9.0, session="s1", worker=None):
    """Return a sitting in which every check is answered rightly and every item by ``choose(place, answers)``."""
    answers = []
    for position, place in enumerate(study.slots[slot - 1], 1):
        left, right = study.sides(place)
        allowed = sorted(study.answers_to(study.item(place.item)))
        said = choose(place, allowed) if choose else key.checks.get(place.item, allowed[position % len(allowed)])
        row = {"item": place.item, "position": position, "left": left, "right": right, "answer": said}
        answers.append(row | {"seconds": seconds, "time": "2026-01-01T00:00:00Z"})
    about = {"study": study.study, "version": 1, "instrument": instrument, "worker": worker or str(slot), "slot": slot}
    return about | {"session": session, "answers": answers}


def save(folder, *sittings):
    """Write each sitting to a file of its own and return the files."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"votes-{number}.json" for number in range(len(sittings))]
    for path, sitting in zip(paths, sittings, strict=True):
        path.write_text(json.dumps(sitting), encoding="utf-8")
    return paths
