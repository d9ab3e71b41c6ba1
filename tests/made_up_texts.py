"""A folder of made-up real texts, for runs with ``source: folder``."""

from pathlib import Path

import numpy as np
import pandas as pd

from synthlib.tasks import load_task

WORDS = """night rain friend coffee train school match song party weather work phone mother dog garden week holiday
    news movie ticket summer street dinner game story letter bus picture heart morning""".split()


def write_texts(folder: Path, name: str, *, n_train: int, n_test: int) -> None:
    """Write ``<folder>/<name>.parquet``: so many texts per label and split, each of a few words and its label."""
    rng, rows = np.random.default_rng(0), []
    for label in load_task(name).label_names:
        for split, n in (("train", n_train), ("validation", n_test), ("test", n_test)):
            for i in range(n):
                said = " ".join(rng.choice(WORDS, 8))
                rows.append((f"My {said} is so {label} the {i}", label, split, f"{split}-{label}-{i}"))
    frame = pd.DataFrame(rows, columns=["text", "label", "split", "key"])
    frame.to_parquet(folder / f"{name}.parquet")
