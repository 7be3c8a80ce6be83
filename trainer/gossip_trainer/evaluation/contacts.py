"""When each worker was heard, and whether everybody worth waiting for has finished. Pure."""

from dataclasses import dataclass, field

from gossip_trainer.membership.roster import Endpoint

UNHEARD_SECONDS = 30.0  # a worker silent for so long is not waited for at the end


@dataclass(slots=True)
class Contact:
    """What is known of one worker's answers, by the monotonic clock."""

    heard: float
    due: float
    finished: bool = False


@dataclass(slots=True)
class Contacts:
    """The workers' answers by member."""

    known: dict[str, Contact] = field(default_factory=dict)

    def due(self, workers: list[Endpoint], now: float) -> list[Endpoint]:
        """Return who is to be asked now; forgets those that have left."""
        names = {worker.name for worker in workers}
        self.known = {name: contact for name, contact in self.known.items() if name in names}
        for name in names:
            self.known.setdefault(name, Contact(heard=now, due=now))
        return [worker for worker in workers if self.known[worker.name].due <= now]

    def all_finished(self, now: float) -> bool:
        """Tell whether somebody has finished and nobody else is worth waiting for."""
        contacts = self.known.values()
        return any(c.finished for c in contacts) and all(
            c.finished or now - c.heard > UNHEARD_SECONDS for c in contacts
        )
