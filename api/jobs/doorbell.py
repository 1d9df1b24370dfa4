"""The doorbell: wakes workers up through rq; it carries job ids and nothing that could run.

rq keeps the queue; its own worker is not used, because whatever can write to Redis could have it
import and call any function, and because it notices a dead worker after a minute at best. Here a
message is only believed when it calls the one entry with one text: anything else is dropped.
"""

import logging
from collections.abc import Iterable
from types import TracebackType

import redis
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.serializers import JSONSerializer

from api.jobs.valkey import EmbeddedValkey, client
from api.settings import Settings

ENTRY = "api.jobs.entry.run_job"
QUEUE = "entrepot"

_PATIENCE = 10.0  # seconds
_KEPT_SECONDS = 3600  # of a wake-up that nobody heard; the job waits in the database
_log = logging.getLogger(__name__)


class Doorbell:
    """Rings for workers and listens for rings; silent while Redis is away."""

    def __init__(self, settings: Settings) -> None:
        self._given = settings.redis_url
        self._embedded = None if settings.redis_url else EmbeddedValkey(settings.folder)
        self._queue: Queue | None = None
        self._silent = False

    def __enter__(self) -> "Doorbell":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def ring(self, jobs: Iterable[str]) -> bool:
        """Sends a wake-up for each job; returns whether all are in the queue."""
        try:
            if (queue := self._connected()) is None:
                return False
            for job in jobs:
                queue.enqueue_call(
                    ENTRY, args=(job,), timeout=-1, ttl=_KEPT_SECONDS, result_ttl=0, failure_ttl=0
                )
        except redis.RedisError as error:
            self._lost(error)
            return False
        return True

    def listen(self, seconds: int) -> str | None:
        """Returns the job of the next ring, or None after so many seconds of silence.

        Raises `ConnectionError` at once where Redis is away.
        """
        try:
            if (queue := self._connected()) is None:
                raise ConnectionError("Redis is away.")
            return _job_of_next(queue, seconds)
        except redis.RedisError as error:
            self._lost(error)
            raise ConnectionError("Redis is away.") from error

    def connect(self) -> redis.Redis:
        """Returns a client of its own of the same Redis; raises `ConnectionError`."""
        if (url := self._url()) is None:
            raise ConnectionError("Redis is away.")
        return client(url, _PATIENCE)

    def close(self) -> None:
        """Hangs up, and stops the embedded server if this process owns it."""
        if self._queue is not None:
            self._queue.connection.close()
            self._queue = None
        if self._embedded is not None:
            self._embedded.close()

    def _connected(self) -> Queue | None:
        if self._queue is None:
            if (url := self._url()) is None:
                return None
            queue = Queue(QUEUE, connection=client(url, _PATIENCE), serializer=JSONSerializer)
            queue.connection.ping()
            self._queue, self._silent = queue, False
        return self._queue

    def _url(self) -> str | None:
        return self._embedded.url(patience_seconds=0.0) if self._embedded else self._given

    def _lost(self, error: Exception) -> None:
        self._queue = None
        if not self._silent:
            self._silent = True
            name = type(error).__name__
            _log.warning("Redis is away (%s); workers look into the database instead.", name)


def _job_of_next(queue: Queue, seconds: int) -> str | None:
    try:
        found = Queue.dequeue_any(
            [queue], seconds, connection=queue.connection, serializer=JSONSerializer
        )
    except DequeueTimeout:
        return None
    if found is None:
        return None
    message: Job = found[0]
    queue.intermediate_queue.remove(message.id)
    message.delete()
    return _believed(message)


def _believed(message: Job) -> str | None:
    """Returns the job id of a well-formed wake-up."""
    try:
        name, arguments = message.func_name, tuple(message.args)
    except Exception:
        name, arguments = None, ()
    if name == ENTRY and len(arguments) == 1 and isinstance(arguments[0], str):
        return arguments[0]
    _log.warning("Dropped a message of the queue that is not a wake-up.")
    return None
