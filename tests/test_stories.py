"""Texts after the recipes: what was drawn, whether it is there, how spread out they are, what they cost."""

import numpy as np
import pandas as pd
import pytest

from synthlib import params, paths
from synthlib.features import FeatureTable
from synthlib.recipes import spread, stories, story_costs
from synthlib.runner import keys, profiles

WORDS = {"verb": "swim", "noun": "hat", "adjective": "happy"}
MADE_UP = [
    ("direct/1", "direct", "Tom swam for his hat. He was happiest then.", ["bad_ending"], None, None),
    ("direct/2", "direct", '"My hat!" said Tom. He was happy.', ["dialogue", "twist"], None, None),
    (
        "hierarchical/1",
        "hierarchical",
        "A happy hat swims. It is  WET now!",
        ["moral"],
        "A hat swims.",
        "It is wet now.",
    ),
    ("hierarchical/2", "hierarchical", "It is wetter now. “Hm.”", ["moral"], "It swims.", "It is wet now."),
]


def make_stories() -> pd.DataFrame:
    rows = [
        (key, form, text, {**WORDS, "features": names}, summary, sentence)
        for key, form, text, names, summary, sentence in MADE_UP
    ]
    return pd.DataFrame(rows, columns=["key", "recipe", "text", "request", "summary", "sentence"])


# --- what was drawn, and is it there ---


def test_released_texts_have_a_key_and_what_their_recipe_draws():
    texts = stories.load_recipes()
    assert texts["key"].is_unique
    assert texts["recipe"].value_counts().to_dict() == {"direct": 200, "hierarchical": 200, "textbook": 120}
    hierarchical = texts["recipe"] == "hierarchical"
    assert texts["sentence"].notna().equals(hierarchical) and texts["summary"].notna().equals(hierarchical)
    drawn = texts.groupby("recipe")["request"].agg(lambda requests: set.union(*(set(r) for r in requests)))
    assert drawn["direct"] == {*stories.WORD_KINDS, "features"} and drawn["textbook"] == {"topic", "audience"}
    assert {request["audience"] for request in texts["request"][texts["recipe"] == "textbook"]} == set(
        stories.AUDIENCES
    )


def test_the_draw_of_a_request_is_counted_whatever_the_order_of_its_features():
    texts = make_stories().iloc[:2].copy()
    texts["request"] = [{**WORDS, "features": names} for names in (["twist", "moral"], ["moral", "twist"])]
    counts = stories.describe_draws(texts).set_index("drawn")
    assert counts.loc["features", ["different", "most"]].tolist() == [1, 2]
    assert counts.loc["all", "different"] == 1 and counts.loc["verb", "texts"] == 2


def test_unknown_features_are_refused():
    with pytest.raises(ValueError, match=r"draws feature\(s\) \['joke'\]; known are dialogue, twist"):
        stories.mark_features([{"features": ["twist", "joke"]}])


def test_wishes_are_checked_text_by_text():
    checked = stories.check_stories(make_stories()).set_index("key")
    assert checked["vocabulary_held"].tolist() == [True, False, True, False]  # direct/2 does not swim
    assert checked["quotation_held"].tolist() == [False, True, False, True]
    assert checked["sentence_held"].isna().tolist() == [True, True, False, False]
    assert checked["sentence_held"].tolist()[2:] == [True, False]  # "wetter" is not "wet"
    kept = stories.count_kept(checked.reset_index(), confidence=0.95).set_index(["recipe", "wish"])
    assert kept.loc[("direct", "dialogue"), ["texts", "kept"]].tolist() == [1, 1.0]
    assert kept.loc[("hierarchical", "no dialogue"), ["texts", "kept"]].tolist() == [2, 0.5]
    assert ("direct", "sentence") not in kept.index and ("hierarchical", "dialogue") not in kept.index
    assert kept.loc[("direct", "vocabulary"), "kept"] == 0.5


def test_a_draw_that_moves_texts_is_told_from_one_that_does_not(rng):
    nouns = np.repeat(["cat", "boat", "hill", "moon"], 10)
    centres = {noun: rng.normal(size=16) for noun in set(nouns)}
    vectors = np.stack([centres[noun] + 0.5 * rng.normal(size=16) for noun in nouns])
    requests = [{"noun": noun, "verb": str(i % 5), "adjective": str(i)} for i, noun in enumerate(nouns)]
    rows = pd.DataFrame({"recipe": "direct", "request": requests})
    table = FeatureTable(rows, vectors.astype(np.float32), np.zeros((40, 1)))
    pulls = stories.measure_pulls(table, n_permutations=200, rng=rng).set_index("drawn")
    assert pulls.loc["noun", "pairs"] == 4 * 45 and pulls.loc["noun", "pull"] > 0.3
    assert pulls.loc["noun", "p"] == pytest.approx(1 / 201) and pulls.loc["verb", "p"] > 0.02
    assert "adjective" not in pulls.index  # no two requests share one


@pytest.fixture
def rng():
    return np.random.default_rng(7)


# --- sets at equal numbers ---


def make_sets(rng) -> FeatureTable:
    """Two labels of a task in two settings: attributed texts lie twice as far apart."""
    rows, vectors = [], []
    for setting, scale in (("zero_shot", 0.3), ("attributed", 0.6)):
        for label in ("a", "b"):
            rows += [("task", setting, label, f"It was {label} day {i}") for i in range(30)]
            vectors.append(np.array([2.0] + [0] * 15) + scale * rng.normal(size=(30, 16)))
    frame = pd.DataFrame(rows, columns=[*spread.SET, "text"])
    return FeatureTable(frame, np.concatenate(vectors).astype(np.float32), np.zeros((120, 1)))


def test_a_wider_setting_gains_on_its_task(rng):
    options = {"n_texts": 15, "n_resamples": 100, "confidence": 0.95, "rng": rng}
    measured = spread.measure_sets(make_sets(rng), **options)
    assert len(measured) == 2 * 2 * 2 and set(measured["n"]) == {15}
    averaged = spread.average_labels(measured)
    one = measured[(measured["setting"] == "zero_shot") & (measured["measure"] == "chamfer")]
    got = averaged[(averaged["setting"] == "zero_shot") & (averaged["measure"] == "chamfer")].iloc[0]
    assert got["value"] == pytest.approx(one["value"].mean()) and got["labels"] == 2
    gains = spread.list_gains(averaged, "zero_shot")
    assert set(gains["setting"]) == {"attributed"} and (gains["value_low"] > 0).all()
    assert spread.list_gains(averaged[averaged["setting"] == "zero_shot"], "zero_shot").empty
    with pytest.raises(ValueError, match="too few to draw 16"):
        spread.measure_sets(make_sets(rng), **options | {"n_texts": 16})


def test_sources_are_compared_where_each_has_one_setting(rng):
    rows = [(s, "recipe", "chamfer", 1, v, v - 3.0, v + 4.0) for s, v in (("direct", 1.0), ("hierarchical", 5.0))]
    columns = ["source", "setting", "measure", "labels", "value", "value_low", "value_high"]
    averaged = pd.DataFrame(rows, columns=columns)
    difference = spread.compare_sources(averaged, "hierarchical", "direct").loc["chamfer"]
    assert difference.tolist() == [4.0, -1.0, 9.0]
    with pytest.raises(ValueError, match="source 'imdb' has 0 settings"):
        spread.compare_sources(averaged, "imdb", "direct")


def test_openings_are_shares_of_equally_many_texts(rng):
    texts = ["It was hot.", "It was cold.", "It rained.", "Why?"]
    rows = pd.DataFrame({"source": "direct", "setting": "recipe", "label": "all", "text": texts})
    options = {"n_texts": 4, "confidence": 0.95, "rng": rng}
    found = spread.measure_openings(rows, sizes=[1, 2, 3], **options).set_index("measure")
    assert found["value"].tolist() == [0.75, 0.5, 0.25] and found["shared"].tolist() == [0.75, 0.5, 0.0]
    assert found["opening"].tolist()[:2] == ["it", "it was"]
    with pytest.raises(ValueError, match="set direct/recipe/all has 4 texts; 5 are asked for"):
        spread.measure_openings(rows, sizes=[1], **options | {"n_texts": 5})


def test_variety_keeps_sets_apart(rng):
    texts = {"x": ["a b c d"] * 4, "y": ["a a a a"] * 4}
    rows = [("task", "zero_shot", label, text) for label, many in texts.items() for text in many]
    variety = spread.measure_variety(
        pd.DataFrame(rows, columns=[*spread.SET, "text"]), n_draws=3, confidence=0.9, rng=rng
    )
    found = variety.set_index(["label", "measure"])["value"]
    assert found["x", "distinct_1"] == 0.5 and found["y", "distinct_1"] == 1 / 8


# --- money ---


def test_a_hierarchical_story_takes_two_calls():
    row = make_stories().iloc[2]
    first, second = story_costs.render_calls(row["recipe"], row["request"], row["summary"], row["sentence"])
    assert "Do not write the story yet" in first and row["sentence"] not in first
    assert all(part in second for part in ('"swim"', '"hat"', '"happy"', "moral", row["summary"], row["sentence"]))
    tokens = story_costs.count_tokens(make_stories()).set_index("recipe")
    assert tokens["calls"].to_dict() == {"direct": 2, "hierarchical": 4}
    texts = make_stories()["text"].str.len()
    assert tokens.loc["direct", "answer_tokens"] == sum(-(-n // 4) for n in texts[:2])


def test_costs_follow_from_list_prices_and_unknown_prices_stay_unknown():
    tokens = pd.DataFrame({"recipe": ["direct"], "prompt_tokens": [2_000_000], "answer_tokens": [1_000_000]})
    models = ["gpt-3.5-turbo", "nobody's"]
    costs = story_costs.price_corpora(tokens, models, corpus_tokens=10_000_000)
    assert costs.iloc[0, 1:].tolist() == pytest.approx([1.0, 1.5, 2.5, 15.0, 10.0])  # USD 0.50 and 1.50 per million
    assert costs.iloc[1, 1:].isna().all()
    options = {"text_characters": 400, "instruction_tokens": 100, "label_tokens": 10, "machine_usd_per_hour": 0.36}
    rates = {"texts_per_second": 100.0, "training_usd": [2.5, np.nan]}
    labelling = story_costs.price_labelling(models, **options, **rates)
    assert labelling.loc[0, ["api_usd", "own_usd"]].tolist() == pytest.approx([100 + 15, 1.0])
    assert labelling.loc[0, "break_even_texts"] == pytest.approx(2.5e6 / 114)
    shown = story_costs.tabulate_costs(costs, labelling)
    assert shown.iloc[0].tolist() == ["gpt-3.5-turbo", "2.50", "25", "115", "21,930"]
    assert set(shown.iloc[1, 1:]) == {"unknown"}
    dear = story_costs.price_labelling(models[:1], **options, texts_per_second=1e-3, training_usd=[2.5])
    assert np.isinf(dear.loc[0, "break_even_texts"])
    with pytest.raises(ValueError, match="texts_per_second is 0"):
        story_costs.price_labelling(models[:1], **options, texts_per_second=0, training_usd=[2.5])


def test_a_changed_price_is_another_job(tmp_path, monkeypatch):
    cells = profiles.expand(profiles.load_profile(paths.PARAMS / "smoke.yaml"))
    changed = tmp_path / "params"
    changed.mkdir()
    for name in ("tasks", "prompts.yaml", "original.csv"):
        (changed / name).symlink_to(paths.PARAMS / name)
    (changed / "prices.yaml").write_text((paths.PARAMS / "prices.yaml").read_text().replace("0.50", "0.51"))
    for stage, same in (("stories", False), ("task_subjectivity", True)):
        cell = next(cell for cell in cells if cell.stage == stage)
        notebook = paths.NOTEBOOKS / f"{params.STAGES[stage].notebook}.ipynb"
        before = keys.job_key(params.STAGES[stage], cell.params, notebook, {})
        with monkeypatch.context() as patched:
            patched.setattr(paths, "PARAMS", changed)
            assert (keys.job_key(params.STAGES[stage], cell.params, notebook, {}) == before) is same
