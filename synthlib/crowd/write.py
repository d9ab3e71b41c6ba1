"""Everything a study needs, written to its folder: what workers see, and what they must not, apart."""

from __future__ import annotations

import json
from pathlib import Path

from synthlib.crowd import labelstudio, mturk
from synthlib.crowd.design import tabulate_assignments
from synthlib.crowd.form import write_form
from synthlib.crowd.study import Key, Study, write_study


def write_instruments(study: Study, key: Key, folder: Path) -> list[Path]:
    """Write study.json, form.html, label_studio/, mturk/ and private/ to a folder and return all paths."""
    paths = write_study(study, key, tabulate_assignments(study, key), folder)
    paths.append(write_form(study, folder / "form.html"))
    tasks = json.dumps(labelstudio.make_tasks(study), indent=1, ensure_ascii=False)
    for name, text in (
        ("label_studio/config.xml", labelstudio.make_config(study)),
        ("label_studio/tasks.json", tasks),
        ("mturk/layout.html", mturk.make_layout(study)),
        ("mturk/batch.csv", mturk.make_batch(study).to_csv(index=False)),
    ):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths
