"""Dropout on a processor: the share that is dropped, the mean that is kept, the seed that decides."""

import pytest
import torch
from tiny_encoder import write_tiny_encoder

from synthlib.encode import load_encoder
from synthlib.training import dropout
from synthlib.training.classifier import takes_made_mask
from synthlib.training.dropout import ATTENTION, Dropout, draw_mask, use_fast_dropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_a_mask_drops_its_share_and_keeps_the_mean(dtype, p):
    torch.manual_seed(0)
    mask = draw_mask(torch.Size([999, 1001]), p, dtype)
    assert mask.shape == (999, 1001) and mask.dtype == dtype
    torch.testing.assert_close(mask.unique(), torch.tensor([0, 1 / (1 - p)], dtype=dtype))
    assert (mask == 0).double().mean().item() == pytest.approx(p, abs=5 * (p * (1 - p) / 1e6) ** 0.5)
    rows = (mask == 0).double().mean(1)  # no row is drawn as another
    assert len(rows.unique()) > 50 and not torch.equal(mask[0], mask[1])


def test_torch_decides_and_evaluation_drops_nothing():
    dropout, x = Dropout(0.3), torch.ones(64, 65, requires_grad=True)
    torch.manual_seed(1)
    first, second = dropout(x), dropout(x)
    torch.manual_seed(1)
    assert torch.equal(first, dropout(x)) and not torch.equal(first, second)
    (gradient,) = torch.autograd.grad(first.sum(), x)
    assert torch.equal(gradient, first)  # what was dropped gets none
    assert dropout.eval()(x) is x and Dropout(0.0)(x) is x


def test_every_dropout_of_an_encoder_is_replaced(tmp_path):
    encoder = load_encoder(write_tiny_encoder(tmp_path), "cpu").model
    before = [name for name, module in encoder.named_modules() if isinstance(module, torch.nn.Dropout)]
    use_fast_dropout(encoder, in_attention=False)
    assert [name for name, module in encoder.named_modules() if isinstance(module, Dropout)] == before
    assert len(before) == 7 and {encoder.get_submodule(name).p for name in before} == {0.1}
    assert encoder.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_attention_with_dropout_equals_torch_where_nothing_is_dropped(tmp_path, monkeypatch, kind):
    model = load_encoder(write_tiny_encoder(tmp_path, kind=kind), "cpu").model
    ids, mask = torch.randint(5, 14, (3, 7)), torch.arange(7) < torch.tensor([[7], [4], [1]])
    asked = {"input_ids": ids, "attention_mask": mask[:, None, None].expand(-1, 1, 7, -1)}
    expected = model.eval()(**asked).last_hidden_state
    assert takes_made_mask(model.config)
    use_fast_dropout(model, in_attention=True)
    assert model.config._attn_implementation == ATTENTION
    torch.testing.assert_close(model(**asked).last_hidden_state, expected)  # evaluation: torch's
    seen = []
    monkeypatch.setattr(dropout, "draw_mask", lambda shape, p, dtype: seen.append((*shape, p)) or torch.ones(shape))
    states = model.train()(**asked).last_hidden_state
    torch.testing.assert_close(states[mask], expected[mask])
    assert seen.count((3, 2, 7, 7, 0.1)) == 2  # in both layers


def test_attention_in_turns_has_the_gradients_of_attention_at_once(monkeypatch):
    torch.manual_seed(0)
    parts = [torch.randn(5, 2, 6, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    mask = (torch.arange(6) < torch.tensor([6, 4, 1, 6, 3])[:, None])[:, None, None].expand(-1, 1, 6, -1)
    factors, wanted = draw_mask(torch.Size([5, 2, 6, 6]), 0.3, torch.float32), torch.randn(5, 6, 2, 4)
    drawn = iter(factors.split(2))
    monkeypatch.setattr(dropout, "draw_mask", lambda shape, p, dtype: next(drawn).to(dtype))
    monkeypatch.setattr(dropout, "SCORES", 2 * 2 * 36)  # two texts at a time
    read, _ = dropout.attend(None, *parts, mask, dropout=0.3, scaling=0.5)
    scores = torch.where(mask, 0.5 * parts[0] @ parts[1].transpose(2, 3), -torch.inf)
    expected = ((scores.softmax(-1) * factors) @ parts[2]).transpose(1, 2)
    torch.testing.assert_close(read, expected, atol=1e-6, rtol=0)
    ours, theirs = (torch.autograd.grad((result * wanted).sum(), parts) for result in (read, expected))
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
