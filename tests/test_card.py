"""The dataset card: what the hub reads, what a reader sees, and texts that would break it."""

import dataclasses
import json
import re

import datasets
import numpy as np
import pandas as pd
import pytest
import yaml
from huggingface_hub import DatasetCard
from tiny_encoder import write_tiny_encoder

from synthlib import features, generate, params, paths
from synthlib.asking import ledger
from synthlib.corpus import audit, audits, card, label_check, markdown
from synthlib.runner import profiles
from synthlib.tasks import load_task, load_wording
from synthlib.vectors import find_vectors

NASTY = (
    "\x1b[31mred\x1b[0m <script>alert(1)</script> | `code` ```` | --- \n# Head\n[a](javascript:x) " + "x" * 1_000_000
)
TASK, WORDING = load_task("sms_spam"), load_wording()
CELLS = profiles.expand(profiles.load_profile(paths.PARAMS / "smoke.yaml"))
P = next(cell.params for cell in CELLS if (cell.stage, cell.name) == ("generate", "sms_spam"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the table of 120 released texts, its rows and its audit."""
    folder = tmp_path_factory.mktemp("corpus")
    p = P.model_copy(update={"encoder": write_tiny_encoder(folder), "n_per_label": 20})
    rows, counted = generate.make_corpus(TASK, p, wording=WORDING)
    texts = rows["text"].tolist()
    features.write_table(folder / "corpus.parquet", rows, texts, find_vectors(texts, p.encoder))
    table = features.read(folder / "corpus.parquet", encoder=p.encoder)
    audited = audits.audit_corpus(table, None, TASK, p, rng=np.random.default_rng(0))
    contents = card.Corpus(TASK, p, WORDING, table.rows, counted, audited, "")
    card.write_card(contents, folder)
    return folder, contents


def live(contents, rows=None, **changes):
    """The same corpus as if a model had been asked for it."""
    asked = {"model": "m|x", "base_url": "http://127.0.0.1:1/v1", "temperature": 1.0, "max_tokens": 50}
    counted = contents.ledger.assign(answers=21, refusal=1, cost_usd=np.nan, new_usd=np.nan, **changes)
    counted = counted.assign(asked_from="2026-01-01T00:00:00+00:00", asked_to="2026-01-02T00:00:00+00:00")
    p = contents.p.model_copy(update={"backend": "openai", "llm": asked})
    shown = contents.rows if rows is None else rows
    return card.Corpus(TASK, p, WORDING, shown, counted, contents.audited, "")


def test_the_hub_reads_the_front_matter_and_datasets_the_texts(made, tmp_path, monkeypatch):
    folder, contents = made
    data = DatasetCard.load(folder / "README.md").data
    assert data.license == "cc-by-4.0" and data.language == ["en"] and data.size_categories == ["n<1K"]
    assert data.task_categories == ["text-classification"] and data.tags[0] == "synthetic"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    for name, more in ((str(folder), {}), ("parquet", {"data_files": str(folder / "corpus.parquet")})):
        loaded = datasets.load_dataset(name, **more, cache_dir=str(tmp_path / "cache"))["train"]
        assert loaded["text"] == contents.rows["text"].tolist() and len(loaded["feature"][0]) == 16


def test_it_says_how_the_texts_were_made(made):
    folder, contents = made
    text = (folder / "README.md").read_text()
    for part in (TASK.context.strip(), TASK.generate, WORDING.diversity, contents.rows["prompt"].iloc[0]):
        assert markdown.fence(part).split("\n", 1)[1].rsplit("\n", 1)[0] in text
    assert card.RELEASED_BY in text and "USD 0" in text and "| ham | 20 | 20 | 20 |" in text
    assert "Broken answers\n\nNot known" in text, "no count is not a count of 0"
    assert "No real rows of this task were at hand" in text and "### Labels" not in text


def test_texts_asked_for_now_show_model_dates_unknown_cost_and_broken_answers(made):
    text = card.render_card(live(made[1], served_by="m-2026\x1b[1m"), file="corpus.parquet")
    assert "license: unknown" in text and "Not chosen yet" in text and TASK.reference.licence[:20] in text
    assert "Model: m\\|x at a server of the maker's own;" in text and "m-2026�\\[1m" in text and "2026-01-01T" in text
    assert "cost unknown" in text and re.search(r"\| zero_shot \| ham \| 20 \| 0 \| 21 \| 1 \| 0 \| 0 \|", text)
    assert "126 answers" in text and "USD 0.0000" not in text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (None, "at OpenAI;"),
        ("https://llm.example.org/v1", "at https://llm.example.org/v1;"),
        ("http://gpu-7:8000/v1", "at a server of the maker's own;"),
        ("http://10.0.0.7/v1", "at a server of the maker's own;"),
    ],
)
def test_addresses_of_ones_own_network_stay_out(made, url, said):
    asked = live(made[1], served_by="m")
    asked = dataclasses.replace(asked, p=asked.p.model_copy(update={"llm": asked.p.llm | {"base_url": url}}))
    assert said in card.render_card(asked, file="corpus.parquet")


def test_a_model_of_ones_own_machine_is_named_without_its_folder(made):
    asked = live(made[1], served_by="m")
    llm = {"model": "/home/me/models/tiny-causal", "top_p": 0.9, "max_tokens": 50}
    asked = dataclasses.replace(asked, p=asked.p.model_copy(update={"backend": "local", "llm": llm}))
    text = card.render_card(asked, file="corpus.parquet")
    assert "Model: tiny-causal on the maker's own machine;" in text and "top_p 0.9" in text.replace("\\", "")
    assert "OpenAI" not in text and "/home/me" not in text


def test_no_text_harms_the_card(made):
    contents = made[1]
    rows = contents.rows.copy()
    rows.loc[rows["n"] == 1, ["text", "prompt"]] = NASTY
    nasty = live(contents, rows, served_by=NASTY)
    text = card.render_card(nasty, file="corpus.parquet")
    assert len(text) < 200_000 and "\x1b" not in text
    assert DatasetCard(text).data.license == "unknown"
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "<script" not in outside and "\n# Head" not in outside and not re.search(r"(?<!\\)\]\(javascript", outside)
    lines = [line for line in outside.splitlines() if line.startswith("|")]
    assert lines and all(line.endswith("|") for line in lines)
    columns = [len(re.findall(r"(?<!\\)\|", line)) for line in outside.splitlines() if line.startswith("| setting")]
    assert columns and min(columns) > 2


def test_labels_are_checked_beside_real_rows():
    rng = np.random.default_rng(0)

    def make(n, flip, setting):
        labels = np.array(["ham", "spam"])[np.arange(n) % 2]
        x = rng.normal(size=(n, 8)).astype(np.float32) * 0.1
        x[:, 0] += np.where(labels == "spam", 1, -1) * np.where(np.arange(n) < flip, -1, 1)
        rows = pd.DataFrame({"key": [f"{setting}{i}" for i in range(n)], "setting": setting, "label": labels})
        return features.FeatureTable(rows, x, np.zeros((n, 1), dtype=np.uint8))

    checked = label_check.check_labels(make(40, 10, "zero_shot"), make(60, 0, "-"), ["ham", "spam"], rng=rng)
    shares = audit.summarise(checked, ["label_agreed"], confidence=0.95).query("label == 'all'").set_index("setting")
    assert shares.loc["real", "value"] == 1 and shares.loc["zero_shot", "value"] == 0.75
    assert shares.loc["zero_shot", "value_low"] < 0.75 < shares.loc["zero_shot", "value_high"]
    with pytest.raises(ValueError, match=r"label 'joke' has 0 real training row\(s\)"):
        label_check.check_labels(make(4, 0, "zero_shot"), make(6, 0, "-"), ["ham", "joke"], rng=rng)


def test_a_whole_audit_compares_with_real_rows():
    """On shipped vectors: real training rows stand in for texts, as nothing is encoded here."""
    real = audits.load_real(P)
    rows = real.rows[(real.rows["split"] == "validation")]
    chosen = rows.groupby("label").head(20).index
    made = real.where(real.rows.index.isin(chosen))
    made.rows["setting"], made.rows["request"], made.rows["text"] = "zero_shot", json.dumps({"words": 9}), "so it is"
    p = P.model_copy(update={"settings": ["zero_shot"]})
    audited = audits.audit_corpus(made, real, TASK, p, rng=np.random.default_rng(0))
    agreed = audited.query("measure == 'label_agreed' and label == 'all'").set_index("setting")["value"]
    assert agreed["real"] > 0.9 and agreed["zero_shot"] > 0.8
    contents = card.Corpus(
        TASK, p, WORDING, made.rows.assign(prompt="?"), ledger.count_replayed(made.rows), audited, ""
    )
    text = card.render_card(contents, file="corpus.parquet")
    assert "### Labels" in text and "copies of test rows" in text and "### Style shortcuts" in text
    assert yaml.safe_load(text.split("---")[1])["tags"] == ["synthetic", "zero_shot"]


def test_a_task_of_ones_own_has_no_real_rows(monkeypatch, tmp_path):
    monkeypatch.setattr(features, "FOLDER", tmp_path)
    assert audits.load_real(P) is None
    folder = P.model_copy(update={"source": "folder"})
    monkeypatch.delenv("SYNTHLIB_DATA", raising=False)
    with pytest.raises(ValueError, match="SYNTHLIB_DATA"):
        audits.load_real(params.check(params.Generate, folder.model_dump()))
