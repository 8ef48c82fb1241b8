"""What models and predictors have in common: a training on the server, to follow and to steer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Self

from featrix_client.events import Event, iter_events
from featrix_client.state import Status, TrainingState
from featrix_client.transport import Transport
from featrix_client.waiting import wait_for_training
from featrix_client.webhooks import WebhookOwner


class TrainingRun(WebhookOwner):
    """A training on the server. Base of `FoundationalModel` and `Predictor`.

    Attributes
    ----------
    id, name : str
        Id and name of what is trained.
    training_state : TrainingState
        How the training stood at the last answer of the server.
    raw : dict
        The last status document of the server.
    """

    called: ClassVar[str]
    """The name that messages give to such an object."""

    made_by: ClassVar[str]
    """The call that makes one."""

    def __init__(self, transport: Transport, run_id: str, session_id: str) -> None:
        self._transport = transport
        self._session_id = session_id
        self.id = run_id
        self.name = run_id
        self.training_state = TrainingState()
        self.raw: dict[str, Any] = {}

    @property
    def status(self) -> Status:
        """Where it stands: ``training``, ``done`` or ``error``."""
        return self.training_state.status

    @property
    def _path(self) -> str:
        return f"/compute/session/{self._session_id}"

    @abstractmethod
    def refresh(self) -> dict[str, Any]:
        """Ask the server how it stands, update the attributes, return the raw answer.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 404 if the server does not know it.
        """

    def is_ready(self) -> bool:
        """Tell, with one question to the server, whether the training is done."""
        self.refresh()
        return self.status == "done"

    def wait_for_training(
        self, max_wait_time: float = 3600, poll_interval: float = 10, show_progress: bool = True
    ) -> Self:
        """Wait until the training is done.

        The end is noticed at once where the server tells its events, else within
        `poll_interval`. Interrupting the wait (Ctrl-C, or the stop button of a notebook) leaves
        the training running.

        Parameters
        ----------
        max_wait_time : float
            Longest wait, in seconds.
        poll_interval : float
            Longest time between two questions to the server, in seconds; above 0.
        show_progress : bool
            Show a bar with epoch, loss and time left.

        Returns
        -------
        FoundationalModel or Predictor
            This object.

        Raises
        ------
        TimeoutError
            If it is not trained in that time. The training goes on.
        RuntimeError
            If the training failed, with the server's reason.
        """
        wait_for_training(self, max_wait_time, poll_interval, show_progress)
        return self

    def events(self, after: int = 0) -> Iterator[Event]:
        """Yield what happens, until nothing is open any more.

        A model's events are those of all its jobs, its predictors included; a predictor's are
        its own.

        Parameters
        ----------
        after : int
            Number of the last event already known; 0 tells all from the start.

        Yields
        ------
        Event
            Named tuple ``(seq, kind, data)``; kinds are ``status``, ``epoch``, ``frame`` and
            ``done``. A server without an event stream is asked every two seconds; it has no
            frames and keeps no numbers, so all of its history is told, numbered from `after`.
        """
        return iter_events(self._transport, self._session_id, after, self._only_job())

    def _only_job(self) -> str | None:
        """The job that events are limited to, if they are."""
        return None

    def pause(self) -> dict[str, Any]:
        """Ask the training to pause at the end of its epoch.

        Returns
        -------
        dict
            ``job_id``, ``status``, and ``requested``: what was asked and is not done yet.
        """
        return self._control("pause")

    def resume(self) -> dict[str, Any]:
        """Ask a paused training to go on; returns as `pause` does."""
        return self._control("resume")

    def stop(self) -> dict[str, Any]:
        """Ask the training to end with the best epoch so far, which gives a complete result.

        Returns as `pause` does.
        """
        return self._control("stop")

    def _control(self, action: str) -> dict[str, Any]:
        job_id = self.training_state.job_id  # the session may have other trainings
        body = {"action": action} | ({"job_id": job_id} if job_id else {})
        # Asking twice for the same asks once.
        answer: dict[str, Any] = self._transport.post(
            f"{self._path}/control", body, repeatable=True
        )
        return answer
