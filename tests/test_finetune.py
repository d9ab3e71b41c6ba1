"""Fine-tuning: loss falls, seeds decide, batches and buckets do not; a kill costs nothing; clear errors."""

import dataclasses
import importlib.util
import json
import warnings

import numpy as np
import pytest
import torch
from fine_tuning import LABELS, RUNS, TEXTS, interrupt, make_hyperparameters, make_texts, run
from tiny_encoder import write_tiny_encoder

from synthlib.encode import load_encoder
from synthlib.finetune import FineTuner, tqdm
from synthlib.train import Run
from synthlib.training import checkpoint, steps
from synthlib.training.classifier import Classifier, TextsOnDevice, UsedRows, all_rows, use_rows
from synthlib.training.tokens import draw_batches, tokenize


@pytest.fixture(scope="module")
def hyperparameters(tmp_path_factory):
    return make_hyperparameters(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def plain(hyperparameters):
    return run(hyperparameters)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_loss_falls_and_other_texts_are_told_apart(hyperparameters, pooling):
    texts, labels = make_texts(60, seed=1)
    probabilities, history = run(hyperparameters, test=texts, n_epochs=18, pooling=pooling)
    assert history["loss"][:5].mean() > 3 * history["loss"][-5:].mean()
    assert (probabilities[0].argmax(-1) == labels).mean() > 0.9
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)


def test_history_names_every_step(plain, hyperparameters):
    _, history = plain
    assert list(history) == ["run", "step", "epoch", "loss", "learning_rate", "seconds"]
    assert len(history) == 18 and history["epoch"].tolist() == sorted([0, 1, 2] * 6)
    rates = history["learning_rate"]
    assert rates.idxmax() == 2 and rates.max() == hyperparameters.learning_rate  # two steps of warm-up
    assert 0 < rates.iloc[-1] < rates.iloc[-2] and rates[0] == pytest.approx(hyperparameters.learning_rate / 3)
    assert (history["seconds"].diff()[1:] > 0).all()


def test_same_seed_same_history_and_other_runs_do_not_matter(hyperparameters, plain):
    state = torch.get_rng_state()
    runs = [Run(np.arange(0, 96, 2), 5), *RUNS, Run(np.arange(96), 2)]
    probabilities, history = run(hyperparameters, runs=runs)
    np.testing.assert_array_equal(probabilities[1], plain[0][0])
    losses = [history.loc[history["run"] == number, "loss"].to_numpy() for number in range(3)]
    np.testing.assert_array_equal(losses[1], plain[1]["loss"])
    assert not np.array_equal(losses[1], losses[2])
    assert torch.equal(state, torch.get_rng_state())  # the caller's random numbers are left alone


def test_a_small_run_takes_the_least_number_of_steps(hyperparameters):
    _, history = run(hyperparameters, runs=[Run(np.arange(20), 0)], n_epochs=1, min_steps=7)
    assert len(history) == 8 and history["epoch"].max() == 3


def test_bucketed_prediction_equals_one_by_one(hyperparameters):
    encoder = load_encoder(hyperparameters.encoder, "cpu")
    seen = tokenize(TEXTS[:1], encoder.tokenizer, max_length=64, step=4)
    tuner = FineTuner(
        encoder, seen, np.eye(1, 2, dtype=np.float32), hyperparameters
    )  # one text: other words are known too
    assert len(tuner.model.encoder.get_input_embeddings().weight) < 11
    together = tuner.predict(TEXTS)
    alone = np.concatenate([tuner.predict([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert np.ptp(together[:, 0]) > 1e-3  # the tolerance tells texts apart
    assert tuner.predict([]).shape == (0, 2)


def test_bfloat16_is_close_to_float32(hyperparameters, plain):
    probabilities, history = run(hyperparameters, precision="bfloat16")
    np.testing.assert_allclose(history["loss"], plain[1]["loss"], atol=0.05)
    np.testing.assert_allclose(probabilities, plain[0], atol=0.05)


def test_one_hot_soft_labels_equal_hard_labels(hyperparameters):
    hard = run(hyperparameters, class_weights=(1.0, 3.0))
    soft = run(hyperparameters, labels=np.eye(2)[LABELS], class_weights=(1.0, 3.0))
    np.testing.assert_array_equal(hard[0], soft[0])
    logits, y = torch.randn(9, 3), torch.arange(9) % 3
    weights = torch.tensor([1.0, 2.0, 0.5])
    ours = steps.cross_entropy(logits, torch.eye(3)[y] * weights)
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits, y, weights))


def test_uncertain_labels_give_uncertain_predictions(hyperparameters):
    probabilities, _ = run(hyperparameters, labels=np.full((96, 2), (0.2, 0.8)), n_epochs=8)
    np.testing.assert_allclose(probabilities[0].mean(0), (0.2, 0.8), atol=0.1)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_equals_a_plain_loop_on_padded_batches(hyperparameters, tmp_path, kind):
    """No used-rows embedding, no ready mask, padding of transformers: the same losses to rounding."""
    encoder = load_encoder(write_tiny_encoder(tmp_path, kind=kind), "cpu")
    encoder.model.config.attention_probs_dropout_prob = encoder.model.config.hidden_dropout_prob = 0.0
    for module in encoder.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.0
    tokens = tokenize(TEXTS, encoder.tokenizer, max_length=64, step=4)
    targets, kept = np.eye(2, dtype=np.float32)[LABELS], checkpoint.Checkpoint(None, {})
    hyperparameters = dataclasses.replace(hyperparameters, n_epochs=1, weight_decay=0.0)
    tuner = FineTuner(encoder, tokens, targets, hyperparameters)
    other = Classifier(encoder, "mean", 16, 2)
    torch.manual_seed(RUNS[0].seed)
    other.hidden.reset_parameters()
    other.output.reset_parameters()
    history = tuner.fit(RUNS[0], number=0, kept=kept, bar=tqdm(disable=True))
    optimizer = torch.optim.AdamW(other.parameters(), weight_decay=0.0)
    batches = draw_batches(np.arange(96), tokens.widths, batch_size=16, rng=np.random.default_rng([1, 0]))
    for step, rows in enumerate(batches):
        batch = encoder.tokenizer([TEXTS[i] for i in rows], padding=True, return_tensors="pt")
        states = other.encoder(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None]
        pooled = (states * mask).sum(1) / mask.sum(1)
        loss = torch.nn.functional.cross_entropy(
            other.output(torch.relu(other.hidden(pooled))), torch.tensor(LABELS[rows])
        )
        assert loss.item() == pytest.approx(history["loss"][step], abs=1e-5)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(other.parameters(), hyperparameters.max_grad_norm)
        optimizer.param_groups[0]["lr"] = history["learning_rate"][step]
        optimizer.step()
        optimizer.zero_grad()
    with all_rows(tuner.model.encoder):
        weights = dict(tuner.model.encoder.named_parameters())
    for name, weight in weights.items():
        torch.testing.assert_close(weight, other.encoder.get_parameter(name), atol=1e-4, rtol=0)


def test_only_the_used_rows_of_the_embedding_change(hyperparameters):
    model = load_encoder(hyperparameters.encoder, "cpu").model
    before = model.get_input_embeddings().weight.detach().clone()
    use_rows(model, np.array([[2, 7], [3, 7]]))
    assert model.get_input_embeddings().weight.shape == (3, 16)
    with torch.no_grad():
        model.get_input_embeddings().weight += 1
    with all_rows(model):
        difference = (model.get_input_embeddings().weight - before)[:, 0]
    np.testing.assert_allclose(difference.detach(), np.isin(np.arange(len(before)), [2, 3, 7]), atol=1e-6)
    assert isinstance(model.get_input_embeddings(), UsedRows)


# --- batches ---


def test_every_text_is_seen_once_an_epoch_beside_texts_of_its_width():
    widths = np.random.default_rng(0).choice([16, 32, 48], 500)
    rows = np.arange(0, 500, 2)
    batches = draw_batches(rows, widths, batch_size=8, rng=np.random.default_rng(3))
    assert sorted(np.concatenate(batches)) == rows.tolist()
    assert sorted(len(batch) for batch in batches)[1:] == [8] * 31
    padded = sum(len(batch) * widths[batch].max() for batch in batches)
    assert padded < 1.1 * widths[rows].sum()
    order = [widths[batch].mean() for batch in batches]
    assert abs(np.corrcoef(order, range(len(order)))[0, 1]) < 0.5  # narrow and wide ones are mixed in time
    again = draw_batches(rows, widths, batch_size=8, rng=np.random.default_rng(4))
    assert {tuple(sorted(b)) for b in batches}.isdisjoint({tuple(sorted(b)) for b in again})


def test_a_batch_is_as_wide_as_its_longest_text_needs(hyperparameters):
    tokens = tokenize(
        ["cat", "cat " * 20, "cat " * 40], load_encoder(hyperparameters.encoder, "cpu").tokenizer, max_length=64, step=4
    )
    texts = TextsOnDevice(tokens, torch.device("cpu"))
    ids, mask, _ = texts.take(*texts.locate(np.array([1, 0])))
    assert ids.shape == mask.shape == (2, 24) and mask.sum(1).tolist() == [22, 3]


# --- kill and resume ---


@pytest.mark.parametrize("at", [9, 24])
def test_kill_and_resume_equals_an_uninterrupted_run(hyperparameters, tmp_path, monkeypatch, at):
    runs = [*RUNS, Run(np.arange(10, 60), 4)]  # 18 and 12 steps
    whole, history = run(hyperparameters, runs=runs)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "SAVE_SECONDS", 0.0)
        interrupt(patch, at)
        with pytest.raises(KeyboardInterrupt):
            run(hyperparameters, runs=runs, checkpoint=tmp_path / "kept")
    interrupt(monkeypatch, 30 - (at - 1) + 1)  # no step is taken twice
    probabilities, resumed = run(hyperparameters, runs=runs, checkpoint=tmp_path / "kept")
    np.testing.assert_array_equal(probabilities, whole)
    np.testing.assert_array_equal(resumed.drop(columns="seconds"), history.drop(columns="seconds"))
    assert sorted(p.name for p in (tmp_path / "kept").iterdir()) == [
        "configuration.json",
        "run-0000.npz",
        "run-0001.npz",
    ]


def test_a_run_that_was_trained_but_not_asked_is_only_asked(hyperparameters, tmp_path, monkeypatch, plain):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "SAVE_SECONDS", 0.0)
        patch.setattr(FineTuner, "predict_tokens", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(hyperparameters, checkpoint=tmp_path)
    interrupt(monkeypatch, 1)
    probabilities, history = run(hyperparameters, checkpoint=tmp_path)
    np.testing.assert_array_equal(probabilities, plain[0])
    np.testing.assert_array_equal(history["loss"], plain[1]["loss"])


def test_finished_runs_are_not_trained_again(hyperparameters, tmp_path, monkeypatch):
    first = run(hyperparameters, checkpoint=tmp_path)
    interrupt(monkeypatch, 1)
    again = run(hyperparameters, checkpoint=tmp_path)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1].equals(again[1])


def test_a_checkpoint_of_another_configuration_is_refused(hyperparameters, tmp_path):
    run(hyperparameters, checkpoint=tmp_path, n_epochs=1)
    with pytest.raises(ValueError, match=r"another configuration: learning_rate 0\.005, not 0\.001; name another"):
        run(hyperparameters, checkpoint=tmp_path, n_epochs=1, learning_rate=0.001)
    with pytest.raises(ValueError, match="another configuration: labels_sha256"):
        run(hyperparameters, checkpoint=tmp_path, n_epochs=1, labels=1 - LABELS)


def test_a_checkpoint_of_another_version_of_the_loop_is_refused(hyperparameters, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT - 1)
        run(hyperparameters, checkpoint=tmp_path, n_epochs=1)
    now = checkpoint.FORMAT
    with pytest.raises(ValueError, match=f"another configuration: format {now - 1}, not {now}; name another folder"):
        run(hyperparameters, checkpoint=tmp_path, n_epochs=1)
    path = tmp_path / "configuration.json"  # checkpoints had no format once
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "format"}))
    with pytest.raises(ValueError, match=f"format None, not {now}"):
        run(hyperparameters, checkpoint=tmp_path, n_epochs=1)


# --- bad input ---


def test_bad_labels_are_refused(hyperparameters):
    with pytest.raises(ValueError, match=r"run 0 has 40 rows but none of label\(s\) \[1\] of 0\.\.1"):
        run(hyperparameters, runs=[Run(np.flatnonzero(LABELS == 0)[:40], 0)])
    with pytest.raises(ValueError, match="no runs to train"):
        run(hyperparameters, runs=[])
    with pytest.raises(ValueError, match="3 class_weights for 2 labels"):
        run(hyperparameters, class_weights=(1.0, 2.0, 3.0))
    with pytest.raises(ValueError, match="1 label"):
        run(hyperparameters, labels=np.zeros(96, dtype=int), n_labels=1)
    with pytest.raises(ValueError, match=r"label\(s\) \[1\] are not of 0\.\.2|none of label"):
        run(hyperparameters, n_labels=3)
    with pytest.raises(ValueError, match=r"label\(s\) \[7\] are not of 0\.\.1"):
        run(hyperparameters, labels=np.where(np.arange(96) == 5, 7, LABELS))
    with pytest.raises(ValueError, match="soft labels must be 2 probabilities per text; row 4"):
        run(hyperparameters, labels=np.where(np.arange(96)[:, None] == 4, 0.7, np.eye(2)[LABELS]))


def test_strange_texts(hyperparameters):
    with pytest.raises(ValueError, match=r"1 blank text\(s\), the first at position 2"):
        run(hyperparameters, test=["a cat", "dog", " \n"])
    with pytest.warns(UserWarning, match="1 of 2 texts reach max_length 64; what follows is cut off"):
        probabilities, _ = run(hyperparameters, n_epochs=1, test=["cat " * 100_000, "dog"])
    assert np.isfinite(probabilities).all()
    with pytest.warns(UserWarning, match="1 of 3 texts have no token that the encoder knows, the first at position 1"):
        run(hyperparameters, n_epochs=1, test=["a cat", "қазақ тілі", "dog"])
    with pytest.raises(ValueError, match="knows no token of any of 96 texts"):
        run(hyperparameters, texts=["қазақ тілі"] * 96)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(hyperparameters, n_epochs=1)


def test_encoders_that_cannot_be_read_are_refused(hyperparameters, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no model\.safetensors"):
        run(hyperparameters, encoder=str(tmp_path / "empty"))
    (tmp_path / "mute").mkdir()
    for path in (load_folder := tmp_path / "whole", tmp_path / "mute"):
        path.mkdir(exist_ok=True)
        write_tiny_encoder(path)
    for path in (tmp_path / "mute").glob("*"):
        if path.name not in ("config.json", "model.safetensors"):
            path.unlink()
    with pytest.raises(ValueError, match="no tokenizer"):
        run(hyperparameters, encoder=str(tmp_path / "mute"))
    with pytest.raises(ValueError, match="max_length 600 is more than the 512 tokens"):
        run(hyperparameters, encoder=str(load_folder), max_length=600)


def test_a_loss_that_is_not_finite_names_the_step_and_what_to_try(hyperparameters):
    with pytest.raises(FloatingPointError, match=r"run 0 is nan at step \d+; lower learning_rate \(1e\+30\)"):
        run(hyperparameters, learning_rate=1e30)


def test_too_little_memory_says_what_to_lower(hyperparameters, monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Classifier, "forward", fail)
    with pytest.raises(MemoryError, match=r"lower batch_size \(16\) or max_length \(64\)"):
        run(hyperparameters)


# --- against another implementation ---


@pytest.mark.skipif(
    importlib.util.find_spec("accelerate") is None, reason="the Trainer of transformers needs accelerate"
)
def test_a_trainer_of_transformers_agrees_within_noise(hyperparameters, tmp_path):
    from transformers import Trainer, TrainingArguments

    encoder = load_encoder(hyperparameters.encoder, "cpu")
    test_texts, test_labels = make_texts(200, seed=9)
    rows = [{"ids": i, "labels": int(y)} for i, y in enumerate(LABELS)]
    accuracy = {"ours": [], "trainer": []}
    for seed in range(3):
        probabilities, _ = run(hyperparameters, runs=[Run(np.arange(96), seed)], test=test_texts, n_epochs=6)
        accuracy["ours"].append((probabilities[0].argmax(-1) == test_labels).mean())
        torch.manual_seed(seed)
        model = _Wrapped(Classifier(encoder, "mean", 16, 2))
        asked = FineTuner(
            encoder, tokenize(TEXTS, encoder.tokenizer, max_length=64, step=4), np.eye(2)[LABELS], hyperparameters
        )
        arguments = TrainingArguments(
            output_dir=str(tmp_path),
            learning_rate=hyperparameters.learning_rate,
            per_device_train_batch_size=16,
            num_train_epochs=6,
            warmup_steps=4,
            weight_decay=0.01,
            seed=seed,
            report_to=[],
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
            remove_unused_columns=False,
        )

        def collate(batch):
            made = encoder.tokenizer([TEXTS[row["ids"]] for row in batch], padding=True, return_tensors="pt")
            return {**made, "labels": torch.tensor([row["labels"] for row in batch])}

        Trainer(model, arguments, train_dataset=rows, data_collator=collate).train()
        asked.model = model.inner  # asked with our prediction
        predicted = asked.predict(test_texts).argmax(-1)
        accuracy["trainer"].append((predicted == test_labels).mean())
    assert abs(np.mean(accuracy["ours"]) - np.mean(accuracy["trainer"])) < 0.1, accuracy


class _Wrapped(torch.nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, input_ids, attention_mask, labels, **_):
        logits = self.inner(input_ids, attention_mask.bool())
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}
