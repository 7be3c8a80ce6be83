"""A decoder-only transformer, GPT-2's (Radford et al. 2019), that predicts each next token.

Layer norms stand before attention and perceptron and after the last block (Xiong et al.,
arXiv:2002.04745), positions are learned, and the output layer is the token embedding itself, so
that a token has one vector in the model's flat parameter.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, scaled_dot_product_attention

from gossip_trainer.errors import ModelError
from gossip_trainer.models.checks import check_count, check_probability

_INITIAL_STD = 0.02
_EXPANSION = 4  # the perceptron's hidden width in units of the model's


class CausalSelfAttention(nn.Module):
    """Every position attends to itself and to those before it; (batch, length, width) to same."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return what each position gathers from the past."""
        batch, length, width = x.shape
        projected = self.query_key_value(x).view(batch, length, 3, self.heads, -1)
        query, key, value = projected.permute(2, 0, 3, 1, 4)  # each (batch, heads, length, -1)
        dropout = self.dropout if self.training else 0.0
        gathered = scaled_dot_product_attention(
            query, key, value, is_causal=True, dropout_p=dropout
        )
        out: Tensor = self.output(gathered.transpose(1, 2).reshape(batch, length, width))
        return out


class Perceptron(nn.Module):
    """Transforms every position by itself; (batch, length, width) to same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, _EXPANSION * width)
        self.output = nn.Linear(_EXPANSION * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the transformed positions."""
        out: Tensor = self.output(gelu(self.hidden(x), approximate="tanh"))
        return out


class Block(nn.Module):
    """Attention, then a perceptron; each adds to what it reads; (batch, length, width) to same."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = CausalSelfAttention(width, heads, dropout)
        self.perceptron_norm = nn.LayerNorm(width)
        self.perceptron = Perceptron(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the residual stream after this block."""
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        out: Tensor = x + self.dropout(self.perceptron(self.perceptron_norm(x)))
        return out


class GPT(nn.Module):
    """From tokens, int64 of shape (batch, length), to scores (batch, length, vocabulary).

    The scores at a position depend on the tokens up to it alone. `length` is at most `context`.
    """

    def __init__(
        self, *, vocabulary: int, context: int, layers: int, heads: int, width: int, dropout: float
    ) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.position_embedding = nn.Embedding(context, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(Block(width, heads, dropout) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self._initialise()

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the scores of each position's next token."""
        if tokens.dtype != torch.int64:
            raise ModelError(
                f"spec.training.model.name gpt: the data has inputs of dtype {tokens.dtype}, "
                "expected tokens, which are int64; data text has such"
            )
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))
        # Not a layer whose weight is tied: the weight would be listed twice in the state dict.
        return linear(self.norm(self.blocks(x)), self.token_embedding.weight)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=_INITIAL_STD)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        # Each block adds twice to the residual stream; so scaled, depth does not widen it.
        scaled = _INITIAL_STD / math.sqrt(2 * len(self.blocks))
        for block in self.blocks:
            assert isinstance(block, Block)
            for layer in (block.attention.output, block.perceptron.output):
                nn.init.normal_(layer.weight, std=scaled)


def gpt(
    *,
    input_shape: tuple[int, ...],
    num_classes: int,
    layers: int = 4,
    heads: int = 4,
    width: int = 128,
    dropout: float = 0.0,
) -> nn.Module:
    """Return a GPT for sequences as long as the data's.

    Args:
        input_shape: (context,).
        num_classes: the vocabulary.
        layers: number of blocks.
        heads: of the attention; a divisor of `width`.
        width: of the residual stream.
        dropout: probability, in training, that a number is left out.

    Raises:
        ModelError: an argument has a wrong value, or an input is no sequence.

    """
    if len(input_shape) != 1:
        raise ModelError(
            f"spec.training.model.name gpt: the data has inputs of shape {list(input_shape)}, "
            "expected [context], as data text has"
        )
    for name, value in (("layers", layers), ("heads", heads), ("width", width)):
        check_count(name, value)
    if width % heads:
        raise ModelError(
            f"spec.training.model.args.width: got {width}, expected a multiple of heads, {heads}"
        )
    return GPT(
        vocabulary=num_classes,
        context=input_shape[0],
        layers=layers,
        heads=heads,
        width=width,
        dropout=check_probability("dropout", dropout),
    )
