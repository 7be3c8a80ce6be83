"""Elastic averaging SGD: every worker and the server's centre variable attract each other.

Every `period` steps, between the gradient and the optimizer's step:

    worker i                                    server, for one worker after the other
    g = gradient at x_i
    send x_i                          ->        d = a (x_i - c) ;  c <- c + d
    x_i <- x_i - d                    <-        answer d
    x_i <- x_i - learning rate * g

Both ends move by the same d, taken from the two values before the exchange, so the sum of all x_i
and c is kept, counting what is under way. What is evaluated is c. The worker's own optimizer may be
any: with Nesterov momentum this is EAMSGD, with x_i the point without the look-ahead.

This is the paper's asynchronous form. Its synchronous one lets all workers meet the same c,

    x_i <- x_i - learning rate * g_i - a (x_i - c) ;  c <- c + a sum_i (x_i - c) ,

and here c has moved by the exchanges of those that came before. The authors of the gossip paper
serve one worker at a time as well, in the order in which they come, with a = 0.8/p on both sides
and the values from before the exchange; there each side takes the other's value and forms its own
difference, here the server forms it for both. With several servers each holds a part of c. With
`overlap` d arrives one step late or later and is subtracted from what x_i is by then.

References: Zhang, Choromanska, LeCun, "Deep learning with Elastic Averaging SGD", 2015
(arXiv:1412.6651), algorithms 1 and 2; Jin, Yuan, Iandola, Keutzer, 2016 (arXiv:1611.04581), and its
authors' code.
"""

from collections.abc import Mapping

from torch import Tensor

from gossip_trainer.algorithms.base import NOTHING, Algorithm
from gossip_trainer.algorithms.effects import (
    Answer,
    Effects,
    Fetch,
    Message,
    Rank,
    Send,
    Shard,
    Skip,
    Wait,
)
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.view import View


class ElasticAveraging(Algorithm):
    """A worker: shows the server its x and moves by what it is answered.

    Args:
        rank: the own rank.
        view: the live workers.
        shards: every server's part of x; servers of an empty part are never spoken to.
        period: steps between two exchanges.
        overlap: move at the first step boundary after the answer came instead of waiting.

    """

    exchanges_on_gradient = True

    def __init__(
        self,
        rank: Rank,
        view: View,
        shards: Mapping[Shard, slice],
        *,
        period: int = 1,
        overlap: bool = True,
    ) -> None:
        super().__init__(rank, view)
        self._shards = {shard: part for shard, part in shards.items() if part.start < part.stop}
        self._period = period
        self._overlap = overlap
        self._step = 0

    def on_gradient(self, x: Iterate, gradient: Tensor) -> Effects:
        """Show every server its part of x, as it is before the step."""
        del gradient
        self._step += 1
        if self._step % self._period:
            return NOTHING
        if not self.idle:
            return (Skip(),)
        shown = x.copy()
        sends = [Send(shard, shown[part], asks=True) for shard, part in self._shards.items()]
        return sends if self._overlap else [*sends, *map(Wait, sends)]

    def on_answer(self, effect: Fetch | Send, message: Message | None, x: Iterate) -> Effects:
        """Move towards the centre by as much as it moved towards this worker."""
        assert isinstance(effect, Send)
        assert isinstance(effect.to, Shard)
        assert message is not None, "a server answers what asks"
        x.add_(message.vector, alpha=-1.0, start=self._shards[effect.to].start)
        return NOTHING


class ElasticServer:
    """A server: moves its part of the centre variable towards whoever comes.

    Args:
        centre: its part of c at the start, shape (n,); changed in place.
        moving_rate: a, in (0, 1].

    Attributes:
        version: how many exchanges it has had.

    """

    def __init__(self, centre: Tensor, moving_rate: float) -> None:
        self._centre = centre
        self._moving_rate = moving_rate
        self.version = 0

    @property
    def centre(self) -> Iterate:
        """Its part of c."""
        return Iterate(self._centre)

    def on_message(self, sender: Rank, message: Message) -> Effects:
        """Move towards the worker and tell it by how much."""
        del sender
        assert message.request is not None, "a worker asks for the difference"
        difference = (message.vector - self._centre).mul_(self._moving_rate)
        self._centre.add_(difference)
        self.version += 1
        return (Answer(message.request, difference, step=self.version),)

    def on_view(self, view: View) -> Effects:
        """Do nothing: who is alive makes no difference."""
        del view
        return NOTHING
