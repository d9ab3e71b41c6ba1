"""A model from a folder: a tiny random one, through the same store and into the same table as a server's answers."""

import asyncio
from collections import Counter

import numpy as np
import pytest
import torch
from tiny_causal import write_tiny_causal

from synthlib import params, paths
from synthlib.asking import live
from synthlib.asking.backends import Local
from synthlib.asking.conversations import Brief
from synthlib.asking.local import LocalAsker
from synthlib.asking.local_model import LocalModel, _Sampler
from synthlib.asking.store import Store
from synthlib.tasks import load_task, load_wording

SETTINGS = {
    "store": "s",
    "temperature": 1.0,
    "max_tokens": 12,
    "labels": "mixed",
    "texts_per_conversation": 3,
    "asks_per_text": 1,
    "batch_size": 4,
    "device": "cpu",
    "dtype": "float32",
}
BRIEF = Brief(load_task("sms_spam"), load_wording(), {}, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_causal(tmp_path_factory.mktemp("tiny"))


def ask_all(folder, path, contents, **changes):
    said = []

    async def ask(store):
        async with LocalAsker(Local(**SETTINGS | {"model": folder} | changes), store, say=said.append) as asker:
            asked = (asker.ask([{"role": "user", "content": text}], replicate="1") for text in contents)
            return await asyncio.gather(*asked)

    with Store(path / "s.sqlite", "t") as store:
        return asyncio.run(ask(store)), said


def test_an_answer_depends_on_its_question_alone(folder, tmp_path):
    contents = [f"{'word ' * n}?" for n in (1, 9, 3, 30, 2, 17, 5)]
    together, said = ask_all(folder, tmp_path / "a", contents)
    alone, _ = ask_all(folder, tmp_path / "b", contents, batch_size=1)
    again, _ = ask_all(folder, tmp_path / "a", contents)
    texts = [answer.text for answer, _ in together]
    assert texts == [answer.text for answer, _ in alone] and len(set(texts)) == 7
    assert all(new for _, new in together) and not any(new for _, new in again)
    assert said[-1].startswith("7 of 7 written") and len(said) == 2
    other, _ = ask_all(folder, tmp_path / "a", contents, temperature=0.9)
    assert [answer.text for answer, _ in other] != texts
    assert all(answer.cost_usd == 0 and answer.kind in ("text", "cut_off", "empty") for answer, _ in together)


def test_draws_follow_the_probabilities_and_top_p_cuts_the_tail():
    scores = torch.log(torch.tensor([[0.1, 0.6, 0.05, 0.25]])).repeat(4000, 1)
    draws = torch.from_numpy(np.random.default_rng(0).random((4000, 1)))
    prompt = torch.zeros((4000, 5), dtype=torch.long)
    for top_p, expected in ((1.0, [0.1, 0.6, 0.05, 0.25]), (0.8, [0, 0.6 / 0.85, 0, 0.25 / 0.85]), (0.1, [0, 1, 0, 0])):
        chosen = _Sampler(draws, 5, 1.0, top_p)(prompt, scores).argmax(-1)
        shares = np.array([Counter(chosen.tolist())[token] / 4000 for token in range(4)])
        assert np.abs(shares - expected).max() < 0.03
    assert torch.equal(_Sampler(draws, 5, 0.0, 1.0)(prompt, scores), scores)


def test_greedy_answers_are_those_of_transformers(folder):
    model = LocalModel(Local(**SETTINGS | {"model": folder, "temperature": 0.0}))
    prompt = model.encode([{"role": "user", "content": "a text"}])
    longer = model.encode([{"role": "user", "content": "a text message, and a longer one"}])
    greedy = {"do_sample": False, "max_new_tokens": 12, "pad_token_id": 0}
    expected = model._model.generate(torch.tensor([prompt]), **greedy)[0, len(prompt) :].tolist()
    written, _ = model.write([prompt, longer], ["a", "b"])
    assert written == model._read(expected, len(prompt)) and written.prompt_tokens == len(prompt)


def test_a_whole_run_gives_the_table_of_a_server(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CALLS", tmp_path)
    monkeypatch.setattr(live, "MOST_MISSING", 1.0)
    settings = Local(**SETTINGS | {"model": folder, "asks_per_text": 2})
    corpus, ledger = live.ask(BRIEF, settings, settings=["zero_shot"], n_per_label=4)
    again, counted = live.ask(BRIEF, settings, settings=["zero_shot"], n_per_label=4)
    assert again.equals(corpus) and counted["new"].sum() == 0 and ledger["cost_usd"].sum() == 0
    assert ledger["answers"].sum() == ledger["new"].sum() >= 8


def test_another_model_in_the_folder_is_another_question(tmp_path):
    names = [LocalModel(Local(**SETTINGS | {"model": write_tiny_causal(tmp_path, seed=s)})).name for s in (0, 1, 0)]
    assert names[0] == names[2] != names[1] and names[0].startswith(f"{tmp_path.name}@")


def test_a_folder_without_a_model_or_a_template_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is no folder with a model: there is no .*config\.json"):
        LocalModel(Local(**SETTINGS | {"model": str(tmp_path / "nil")}))
    with pytest.raises(ValueError, match=r"has no chat template.*write the template .* to .*chat_template\.jinja"):
        LocalModel(Local(**SETTINGS | {"model": write_tiny_causal(tmp_path, template=None)}))
    with pytest.raises(ValueError, match="batch_size"):
        params.check(Local, SETTINGS | {"model": "x", "batch_size": 0})
