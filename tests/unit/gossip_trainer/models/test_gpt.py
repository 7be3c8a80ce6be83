import pytest
import torch
from torch.nn.functional import cross_entropy

from gossip_trainer.errors import ModelError
from gossip_trainer.models.gpt import gpt
from gossip_trainer.replica.flat import FlatModel

CONTEXT, VOCABULARY = 12, 31


def build(**arguments):
    torch.manual_seed(1)
    return gpt(
        input_shape=(CONTEXT,),
        num_classes=VOCABULARY,
        **{"layers": 2, "heads": 2, "width": 16, **arguments},
    )


def tokens(batch=3, length=CONTEXT):
    generator = torch.Generator().manual_seed(2)
    return torch.randint(VOCABULARY, (batch, length), generator=generator)


def test_every_position_gets_a_score_for_every_token():
    assert build()(tokens()).shape == (3, CONTEXT, VOCABULARY)
    assert build()(tokens(length=5)).shape == (3, 5, VOCABULARY)


def test_a_position_knows_no_token_after_it():
    model, before = build().eval(), tokens()
    after = before.clone()
    after[:, 7] = (after[:, 7] + 1) % VOCABULARY
    changed = (model(before) != model(after)).any(dim=2).any(dim=0)
    assert changed.tolist() == [False] * 7 + [True] * (CONTEXT - 7)


def test_the_same_token_scores_otherwise_at_another_position():
    scores = build().eval()(torch.full((1, CONTEXT), 5))
    assert not torch.allclose(scores[0, 0], scores[0, 1])


def test_it_starts_near_the_loss_of_a_uniform_guess():
    drawn = tokens(batch=50)
    scores = build()(drawn[:, :-1])
    loss = cross_entropy(scores.flatten(0, 1), drawn[:, 1:].flatten())
    assert loss.item() == pytest.approx(torch.tensor(VOCABULARY).log().item(), abs=0.05)


def test_it_has_the_parameters_of_gpt_2_small():
    with torch.device("meta"):
        model = gpt(input_shape=(1024,), num_classes=50257, layers=12, heads=12, width=768)
    assert sum(parameter.numel() for parameter in model.parameters()) == 124_439_808


def test_the_output_layer_is_the_embedding_and_one_tensor_in_the_flat_vector():
    module = build()
    model = FlatModel(module)
    names = [entry.name for entry in model.layout.entries]
    assert len(names) == len(set(names)) == len(module.state_dict())
    assert sum("embedding" in name for name in names) == 2
    model.gradient.zero_()
    module(tokens()).square().sum().backward()
    embedding = module.token_embedding.weight.grad
    unused = sorted(set(range(VOCABULARY)) - set(tokens().flatten().tolist()))
    assert unused
    assert (embedding[unused] != 0).any()  # they get a gradient as outputs, if not as inputs


def test_dropout_is_for_training_alone():
    model = build(dropout=0.5)
    assert not torch.equal(model(tokens()), model(tokens()))
    model.eval()
    assert torch.equal(model(tokens()), model(tokens()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": 0}, "args.layers: got 0, expected an integer >= 1"),
        ({"heads": 2.0}, "args.heads: got 2.0, expected an integer >= 1"),
        ({"width": True}, "args.width: got True"),
        ({"width": 15}, "args.width: got 15, expected a multiple of heads, 2"),
        ({"dropout": 1}, "args.dropout: got 1, expected a number >= 0 and below 1"),
    ],
)
def test_a_wrong_argument_is_refused_with_its_place(arguments, message):
    with pytest.raises(ModelError, match=message):
        build(**arguments)


def test_data_that_are_no_tokens_are_refused():
    with pytest.raises(ModelError, match=r"inputs of shape \[1, 8, 8\], expected \[context\]"):
        gpt(input_shape=(1, 8, 8), num_classes=10)
    with pytest.raises(ModelError, match=r"dtype torch\.float32, expected tokens"):
        build()(torch.zeros(2, CONTEXT))
