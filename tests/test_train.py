"""The batched training loop: it learns, repeats itself, and equals training one by one."""

import numpy as np
import pytest
import torch

from synthlib.train import Hyperparameters, Run, draw_batches, fit_predict

HYPERPARAMETERS = Hyperparameters(
    hidden_units=16, learning_rate=0.01, weight_decay=0.01, n_steps=40, batch_size=16, device="cpu"
)


def make_data(n: int = 120, n_labels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % n_labels
    centres = rng.normal(size=(n_labels, 8))
    return (centres[labels] + 0.5 * rng.normal(size=(n, 8))).astype(np.float32), labels


def test_loss_falls_and_test_texts_are_told_apart():
    x, y = make_data()
    probabilities, losses = fit_predict(
        x, y, [Run(np.arange(60), 0)], x[60:], n_labels=3, hyperparameters=HYPERPARAMETERS
    )
    assert losses.shape == (1, 40) and losses[0, -5:].mean() < 0.3 * losses[0, :5].mean()
    assert probabilities.shape == (1, 60, 3) and np.allclose(probabilities.sum(-1), 1, atol=1e-5)
    assert (probabilities[0].argmax(-1) == y[60:]).mean() > 0.9


def test_same_seed_same_history_and_another_seed_another():
    x, y = make_data()
    runs = [Run(np.arange(60), seed) for seed in (1, 1, 2)]
    probabilities, losses = fit_predict(x, y, runs, x[60:], n_labels=3, hyperparameters=HYPERPARAMETERS)
    again, losses_again = fit_predict(x, y, runs, x[60:], n_labels=3, hyperparameters=HYPERPARAMETERS)
    assert np.array_equal(losses, losses_again) and np.array_equal(probabilities, again)
    assert np.array_equal(losses[0], losses[1]) and not np.array_equal(losses[0], losses[2])


def test_a_slice_does_not_feel_the_other_slices():
    x, y = make_data()
    runs = [Run(rows, seed) for seed, rows in enumerate((np.arange(60), np.arange(30), np.arange(15, 90)))]
    together, _ = fit_predict(x, y, runs, x, n_labels=3, hyperparameters=HYPERPARAMETERS)
    for run, probabilities in zip(runs, together, strict=True):
        alone, _ = fit_predict(x, y, [run], x, n_labels=3, hyperparameters=HYPERPARAMETERS)
        np.testing.assert_allclose(alone[0], probabilities, atol=0.02)  # bfloat16 products


def test_equals_a_plain_torch_loop_in_float32():
    x, y = make_data()
    run = Run(np.arange(60), 3)
    probabilities, losses = fit_predict(x, y, [run], x[60:], n_labels=3, hyperparameters=HYPERPARAMETERS)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    generator = torch.Generator().manual_seed(run.seed)
    with torch.no_grad():
        for layer in (model[0], model[2]):
            for parameter, shape in ((layer.weight, layer.weight.T.shape), (layer.bias, (1, layer.out_features))):
                drawn = (2 * torch.rand(shape, generator=generator) - 1) / layer.in_features**0.5
                parameter.copy_(drawn.T.reshape(parameter.shape))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    history = []
    for rows in draw_batches(run, 40, 16):
        loss = torch.nn.functional.cross_entropy(model(torch.tensor(x[rows])), torch.tensor(y[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        history.append(loss.item())
    np.testing.assert_allclose(losses[0], history, rtol=0.05, atol=0.01)
    plain = model(torch.tensor(x[60:])).softmax(-1).detach().numpy()
    np.testing.assert_allclose(probabilities[0], plain, atol=0.03)


def test_every_row_is_seen_equally_often():
    batches = draw_batches(Run(np.arange(10, 17), 0), n_steps=9, batch_size=5)
    assert batches.shape == (9, 5)
    counts = np.unique(batches, return_counts=True)
    assert counts[0].tolist() == list(range(10, 17)) and counts[1].max() - counts[1].min() <= 1


def test_a_missing_label_and_a_bad_feature_are_refused():
    x, y = make_data()
    with pytest.raises(ValueError, match=r"run 1 has 20 rows but none of label\(s\) \[0, 2\]"):
        fit_predict(
            x, y, [Run(np.arange(9), 0), Run(np.arange(1, 60, 3), 0)], x, n_labels=3, hyperparameters=HYPERPARAMETERS
        )
    bad = x.copy()
    bad[3, 2] = np.nan
    for training, test, kind in ((bad, x, "training"), (x, bad, "test")):
        with pytest.raises(ValueError, match=rf"1 {kind} row\(s\) .* not finite, the first is row 3"):
            fit_predict(training, y, [Run(np.arange(9), 0)], test, n_labels=3, hyperparameters=HYPERPARAMETERS)


def test_a_diverging_run_names_the_step_and_what_to_try():
    x, y = make_data()
    wild = Hyperparameters(16, 0.9, 0.01, 40, 16, "cpu")
    with pytest.raises(FloatingPointError, match=r"run 0 .* step \d+; lower learning_rate"):
        fit_predict(
            np.where(x > 0, np.float32(3e38), -3e38).astype(np.float32),
            y,
            [Run(np.arange(60), 0)],
            x,
            n_labels=3,
            hyperparameters=wild,
        )
