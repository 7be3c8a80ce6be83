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

What travels may be coarse. The server then takes y_i for x_i, and moves by the d that it answers
as that was written, so that both ends still move by the same. y_i is x_i rounded by chance; or, in
whole numbers, the sum of all differences that worker i has sent, which both of them keep (see
gossip_trainer.compression.differences). A worker whose difference the server cannot place, because
one of them is new, is answered with nothing and begins again.

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
from gossip_trainer.compression.codec import PLAIN, Codec
from gossip_trainer.compression.differences import Differences


class ElasticAveraging(Algorithm):
    """A worker: shows the server its x and moves by what it is answered.

    Args:
        rank: the own rank.
        view: the live workers.
        shards: every server's part of x; servers of an empty part are never spoken to.
        period: steps between two exchanges.
        overlap: move at the first step boundary after the answer came instead of waiting.
        codec: how points and their differences are written.
        by_differences: whether a point is shown as a difference from what the server knows.

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
        codec: Codec = PLAIN,
        by_differences: bool = False,
    ) -> None:
        super().__init__(rank, view)
        self._shards = {shard: part for shard, part in shards.items() if part.start < part.stop}
        self._period = period
        self._overlap = overlap
        self._codec = codec
        self._shown = {shard: Differences(codec) for shard in self._shards if by_differences}
        self._step = 0

    def on_gradient(self, x: Iterate, gradient: Tensor) -> Effects:
        """Show every server its part of x, as it is before the step."""
        del gradient
        self._step += 1
        if self._step % self._period:
            return NOTHING
        if not self.idle:
            return (Skip(),)
        point = x.copy()
        sends = [self._show(shard, point[part]) for shard, part in self._shards.items()]
        return sends if self._overlap else [*sends, *map(Wait, sends)]

    def on_answer(self, effect: Fetch | Send, message: Message | None, x: Iterate) -> Effects:
        """Move towards the centre by as much as it moved towards this worker."""
        assert isinstance(effect, Send)
        assert isinstance(effect.to, Shard)
        assert message is not None, "a server answers what asks"
        shown = self._shown.get(effect.to)
        if message.vector.numel() == 0:
            assert shown is not None, "only a difference may be out of place"
            shown.forget()
            return NOTHING
        if shown is not None:
            shown.take_in(effect.vector, x.live)
        difference = self._codec.decode(message.vector, x.live.dtype)
        x.add_(difference, alpha=-1.0, start=self._shards[effect.to].start)
        return NOTHING

    def _show(self, shard: Shard, point: Tensor) -> Send:
        if (shown := self._shown.get(shard)) is None:
            return Send(shard, self._codec.encode(point), asks=True)
        return Send(shard, shown.of(point), (float(shown.number),), asks=True)


class ElasticServer:
    """A server: moves its part of the centre variable towards whoever comes.

    Args:
        centre: its part of c at the start, shape (n,); changed in place.
        moving_rate: a, in (0, 1].
        codec: how points and their differences are written.

    Attributes:
        version: how many exchanges it has had.

    """

    def __init__(self, centre: Tensor, moving_rate: float, codec: Codec = PLAIN) -> None:
        self._centre = centre
        self._moving_rate = moving_rate
        self._codec = codec
        self._shown: dict[Rank, Differences] = {}
        self.version = 0

    @property
    def centre(self) -> Iterate:
        """Its part of c."""
        return Iterate(self._centre)

    def on_message(self, sender: Rank, message: Message) -> Effects:
        """Move towards the worker and tell it by how much."""
        assert message.request is not None, "a worker asks for the difference"
        point = self._point_of(sender, message)
        if point is None:
            return (Answer(message.request, message.vector[:0], step=self.version),)
        answer = self._codec.encode((point - self._centre).mul_(self._moving_rate))
        self._centre.add_(self._codec.decode(answer, self._centre.dtype))
        self.version += 1
        return (Answer(message.request, answer, step=self.version),)

    def on_view(self, view: View) -> Effects:
        """Forget the points of those that are gone; who is alive makes no other difference."""
        alive = set(view.ranks)
        self._shown = {rank: shown for rank, shown in self._shown.items() if rank in alive}
        return NOTHING

    def _point_of(self, sender: Rank, message: Message) -> Tensor | None:
        """Return where a worker is; None if its difference is from what is not known here."""
        if not message.scalars:
            return self._codec.decode(message.vector, self._centre.dtype)
        number = int(message.scalars[0])
        shown = self._shown.setdefault(sender, Differences(self._codec))
        if number == 0:
            shown.forget()
        return shown.take_in(message.vector, self._centre) if number == shown.number else None
