"""The messages and how they look in bytes: a fixed prefix, a msgpack header, a raw payload.

Pure: no socket, no clock. What a peer wrote is checked here before anything is done with it, and no
length it names is believed beyond bounds that are known on this side.
"""

from enum import Enum, IntEnum, StrEnum
from struct import Struct as Layout
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import msgspec

from gossip_trainer.compression.excerpt import Excerpt
from gossip_trainer.transport.errors import ProtocolError
from gossip_trainer.transport.identity import PROTOCOL_VERSION, Identity

MAGIC: Final = b"GSSP"
MAX_HEADER_BYTES: Final = 4 << 20
MAX_GREETING_BYTES: Final = 4 << 10
MAX_SCALARS: Final = 64

Name = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,253}\Z")]
"""Visible ASCII: it ends up in logs."""
Text = Annotated[str, msgspec.Meta(pattern=r"^[ -~]{0,2000}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Scalars = Annotated[tuple[float, ...], msgspec.Meta(max_length=MAX_SCALARS)]

_PREFIX: Final = Layout("!4sHHIQ")
PREFIX_BYTES: Final = _PREFIX.size


class Kind(IntEnum):
    """What a message is; the class of its header stands beside it."""

    HELLO = 1  # Hello
    WELCOME = 2  # Welcome
    REFUSED = 3  # Refused
    BUSY = 4  # Crowded
    PULL = 5  # Request
    STATUS = 6  # Request
    SNAPSHOT = 7  # Reply, and the payload
    STANDING = 8  # Reply
    NOT_READY = 9  # Unready
    SEND = 10  # Sending, and the payload
    SETTLE = 11  # Settling
    TAKEN = 12  # Acknowledged
    ANSWER = 13  # Answering, and the payload
    PENDING = 14  # Acknowledged
    DECLINED = 15  # Declining
    KEPT = 16  # Keeping; nothing comes back
    PULL_FULL = 17  # Request; for all that training goes on from, answered as PULL
    PULL_AVERAGE = 18  # Request; for the model's moving average, answered as PULL


_KINDS: Final = {int(kind): kind for kind in Kind}


class Wanted(Enum):
    """Which of what a member publishes; the value is the request for it."""

    MODEL = Kind.PULL
    FULL = Kind.PULL_FULL
    AVERAGE = Kind.PULL_AVERAGE


class Hello(msgspec.Struct, frozen=True):
    """The client's first message: who it is, and the protocol versions it speaks."""

    job: Name
    member: Name
    digest: Name
    num_bytes: Count
    oldest: Count
    newest: Count

    @classmethod
    def of(cls, identity: Identity) -> "Hello":
        """Introduce `identity`."""
        return cls(
            job=identity.job,
            member=identity.member,
            digest=identity.digest,
            num_bytes=identity.num_bytes,
            oldest=identity.oldest,
            newest=identity.newest,
        )

    def identity(self) -> Identity:
        """Return who says so."""
        return Identity(
            job=self.job,
            member=self.member,
            digest=self.digest,
            num_bytes=self.num_bytes,
            oldest=self.oldest,
            newest=self.newest,
        )


class Welcome(msgspec.Struct, frozen=True):
    """The server's consent: who it is, and the protocol version of all that follows."""

    member: Name
    version: Count


class Refused(msgspec.Struct, frozen=True):
    """The server's refusal, with its reason in words.

    Attributes:
        reason: for people.
        successor: the member that has taken the client's place, if that is the reason.

    """

    reason: Text
    successor: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{0,253}\Z")] = ""


class Crowded(msgspec.Struct, frozen=True):
    """The server serves this many others and no more."""

    connections: Count


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """The client wants a snapshot or its header; `gossip` is what the courier sends along.

    Attributes:
        excerpt: what of the snapshot; all of it if None. Whoever has the snapshot checks it.

    """

    gossip: bytes
    excerpt: Excerpt | None = None


class SnapshotHeader(msgspec.Struct, frozen=True):
    """What is said about a snapshot.

    Attributes:
        step: the worker's step that all its tensors are of.
        samples: how many the worker has trained on up to this step.
        loss: the training loss the worker reports, or None before there is one.
        finished: the worker trains no more; this snapshot is its last.
        weight: how much the model counts in the average of all workers.
        extra: opaque to the transport.

    """

    step: Count
    samples: Count
    loss: float | None = None
    finished: bool = False
    weight: float = 1.0
    extra: bytes = b""


class Reply(msgspec.Struct, frozen=True):
    """The newest snapshot's header; `gossip` is what the courier sends along."""

    snapshot: SnapshotHeader
    gossip: bytes


class Unready(msgspec.Struct, frozen=True):
    """Nothing is published yet, but there may be something to tell."""

    gossip: bytes


class MessageId(msgspec.Struct, frozen=True, order=True):
    """Which of a member's messages to one receiver; later ones are greater.

    Attributes:
        started: when the sending process began, in ns; tells two of one incarnation apart.
        number: as that process counts its messages.
        attempt: counts how often a message that was not taken is put anew.

    """

    started: Count
    number: Count
    attempt: Count = 0


class MessageHeader(msgspec.Struct, frozen=True):
    """What is said about a message.

    Attributes:
        id: which one it is.
        asks: whether the receiver's algorithm is to answer it.
        step: the sender's.
        scalars: what goes with the payload.

    """

    id: MessageId
    asks: bool
    step: Count = 0
    scalars: Scalars = ()


class Sending(msgspec.Struct, frozen=True):
    """The client sends a message; `gossip` is what the courier sends along."""

    message: MessageHeader
    gossip: bytes


class Settling(msgspec.Struct, frozen=True):
    """The client asks what became of an earlier message; what has not come is not to come now."""

    id: MessageId
    gossip: bytes


class Keeping(msgspec.Struct, frozen=True):
    """The client has the answer to a message; the server need not keep it any more."""

    id: MessageId


class Acknowledged(msgspec.Struct, frozen=True):
    """The kind says it all; `gossip` is what the courier sends along."""

    gossip: bytes


class AnswerHeader(msgspec.Struct, frozen=True):
    """What is said about an answer: the receiver's step and what goes with the payload."""

    step: Count = 0
    scalars: Scalars = ()


class Answering(msgspec.Struct, frozen=True):
    """What the receiver's algorithm answered; `gossip` is what the courier sends along."""

    answer: AnswerHeader
    gossip: bytes


class Refusal(StrEnum):
    """Why a message is not taken, nor ever will be."""

    FULL = "full"  # too many others lie there
    FINISHED = "finished"  # the receiver's work is done
    MISSED = "missed"  # it has not come in full
    OUTDATED = "outdated"  # the sender has sent a later one, or is not the newest of its place
    UNWELCOME = "unwelcome"  # the receiver takes no messages


class Declining(msgspec.Struct, frozen=True):
    """The message is not taken; `gossip` is what the courier sends along."""

    reason: Refusal
    gossip: bytes


class Prefix(NamedTuple):
    """The fixed part in front of every message."""

    version: int
    kind: Kind
    header_bytes: int
    payload_bytes: int


H = TypeVar("H", bound=msgspec.Struct)

_encode: Final = msgspec.msgpack.Encoder().encode
_DECODERS: Final[dict[type[msgspec.Struct], msgspec.msgpack.Decoder[Any]]] = {
    header: msgspec.msgpack.Decoder(header)
    for header in (
        *(Hello, Welcome, Refused, Crowded, Request, Reply, Unready),
        *(Sending, Settling, Keeping, Acknowledged, Answering, Declining),
    )
}


def encode(
    kind: Kind,
    header: msgspec.Struct,
    *,
    payload_bytes: int = 0,
    version: int = PROTOCOL_VERSION,
) -> bytes:
    """Return prefix and header of a message."""
    body = _encode(header)
    if len(body) > MAX_HEADER_BYTES:
        raise ValueError(
            f"a {kind.name} header of {len(body)} bytes is more than {MAX_HEADER_BYTES}: "
            "the courier sends too much"
        )
    return _PREFIX.pack(MAGIC, version, kind, len(body), payload_bytes) + body


def read_prefix(data: memoryview, *, max_header_bytes: int) -> Prefix:
    """Read the first PREFIX_BYTES of `data`; raise ProtocolError unless they are a sane prefix."""
    magic, version, number, header_bytes, payload_bytes = _PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise ProtocolError(
            f"a message begins with {magic!r} instead of {MAGIC!r}: "
            f"{_guess(magic)}, or the address is not a worker's"
        )
    kind = _KINDS.get(number)
    if kind is None:
        raise ProtocolError(f"a message is of the unknown kind {number}")
    if header_bytes > max_header_bytes:
        raise ProtocolError(
            f"a {kind.name} header of {header_bytes} bytes is announced, "
            f"at most {max_header_bytes} are taken"
        )
    return Prefix(version, kind, header_bytes, payload_bytes)


def decode(header: type[H], data: memoryview) -> H:
    """Read a header; raise ProtocolError naming the field if it does not fit its class."""
    decoder: msgspec.msgpack.Decoder[H] = _DECODERS[header]
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"the header of a {header.__name__} is malformed: {error}") from error


def _guess(magic: bytes) -> str:
    if magic[:2] in {b"\x15\x03", b"\x16\x03"}:
        return "the peer uses TLS and this side does not"
    return "the peer speaks something else"
