"""What becomes of a model beside and after its training: published, copied, deprecated, deleted."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from datetime import date
from typing import Any, Self

from featrix_client.deprecation import expiration_text
from featrix_client.errors import FeatrixInputError, FeatrixTimeoutError, FeatrixTrainingError
from featrix_client.progress import slow_bar, told_when_interrupted
from featrix_client.run import TrainingRun

_PUBLISH_S = 3600.0
_POLL_S = 0.2


class Lifecycle(TrainingRun):
    """The part of `FoundationalModel` that publishes, protects, copies and deletes."""

    @abstractmethod
    def _other(self, session_id: str) -> Self:
        """Return another model of the same server, not refreshed yet."""

    def publish(self, org_id: str | None = None, name: str | None = None) -> dict[str, Any]:
        """Publish the model: copy it to a permanent place, under a name it can be found by.

        Waits until that is done. `FeatrixSphere.foundational_model` finds it by the name, too, and
        it is protected from deletion.

        Parameters
        ----------
        org_id : str, optional
            Organisation to publish it for, where the server knows organisations.
        name : str, optional
            The name, which no other published model may have; left out: the model's own.

        Returns
        -------
        dict
            What the server says at the end, with ``status``.

        Raises
        ------
        ValueError
            If the model is not trained, or the name is taken.
        RuntimeError
            If it could not be copied; nothing is published then.
        TimeoutError
            If it takes longer than an hour; it goes on.
        """
        body = {"name": _name(name if name is not None else self.name)}
        if org_id is not None:
            body["org_id"] = org_id
        answer: dict[str, Any] = self._transport.post(
            f"{self._path}/publish", body, repeatable=True
        )
        job_id = answer.get("job_id")
        if answer.get("status") == "already_published" or job_id is None:
            return answer
        words = f"Publishing {self.name!r} goes on by itself; publish() again waits for its end."
        with (
            told_when_interrupted(lambda: words),
            slow_bar(f"Publishing {self.name}", None) as advance,
        ):
            return self._published(str(job_id), advance)

    def _published(self, job_id: str, advance: Callable[[int], object]) -> dict[str, Any]:
        """Wait until the model has been copied."""
        deadline = time.monotonic() + _PUBLISH_S
        while True:
            answer: dict[str, Any] = self._transport.get(f"{self._path}/publish_job/{job_id}")
            if answer["status"] == "completed":
                return answer
            if answer["status"] == "failed":
                raise FeatrixTrainingError(
                    f"The model {self.name!r} was not published: {answer.get('error')}",
                    hint="Mend the cause and publish it again.",
                )
            if time.monotonic() > deadline:
                raise FeatrixTimeoutError(
                    f"The model {self.name!r} is not published after {_PUBLISH_S:g} s.",
                    hint="It goes on by itself: call publish() again to wait for it.",
                )
            advance(0)
            time.sleep(_POLL_S)

    def unpublish(self) -> dict[str, Any]:
        """Take the published name away. The model stays protected from deletion.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 409 while it is being published.
        """
        return self._tell("unpublish", {})

    def deprecate(self, warning_message: str, expiration_date: str | date) -> dict[str, Any]:
        """Warn the users of the model until a date, and end its predictions there.

        From now on everything that asks for the model emits a `DeprecationWarning` with the
        message. A second call replaces message and date.

        Parameters
        ----------
        warning_message : str
            What to say: what to use instead, for instance.
        expiration_date : str or datetime.date
            ISO 8601 date or time in the future; without a zone it is in UTC.

        Returns
        -------
        dict
            ``warning_message`` and ``expiration_date`` as the server understood them.

        Raises
        ------
        ValueError
            If there is no message, or the date cannot be read or has passed.
        """
        if not isinstance(warning_message, str) or not warning_message.strip():
            raise FeatrixInputError(
                "There is no warning message.",
                hint="Say what users of the model should do.",
                field="warning_message",
            )
        return self._tell(
            "deprecate",
            {
                "warning_message": warning_message,
                "expiration_date": expiration_text(expiration_date),
            },
        )

    def delete(self) -> dict[str, Any]:
        """Mark the model for deletion: it vanishes from lists, and later from the disk.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 409 while the model is published or protected.
        """
        return self._tell("mark_for_deletion", {})

    def set_deletion_protection(self, protected: bool) -> dict[str, Any]:
        """Protect the model from `delete`, or lift the protection."""
        return self._tell("deletion_protection", {"protected": bool(protected)})

    def cancel(self, reason: str | None = None) -> dict[str, Any]:
        """Cancel the training: at once if it waits, at the end of its epoch if it runs.

        Returns
        -------
        dict
            ``cancelled``, whether there was something to cancel, and ``status``.
        """
        return self._tell("cancel", {"reason": reason} if reason is not None else {})

    def clone(self, target_compute_cluster: str | None = None, new_name: str | None = None) -> Self:
        """Copy the trained model to a compute cluster: a new, independent one.

        Copied are weights, card, metrics, movie and trained predictors; not endpoints, feedback
        and vector databases.

        Parameters
        ----------
        target_compute_cluster : str, optional
            Where to; left out: where the model is.
        new_name : str, optional
            Name of the copy; left out: the model's own with ``-clone`` after it.

        Returns
        -------
        FoundationalModel
            The new model.

        Raises
        ------
        ValueError
            If the model is not trained, or the server has no such cluster.
        """
        body = {"to_compute": target_compute_cluster, "new_session_name": new_name}
        answer = self._tell("clone_embedding_space", body)
        model = self._other(answer["new_session_id"])
        model.refresh()
        return model

    def _tell(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        # Told twice, it is so once.
        answer: dict[str, Any] = self._transport.post(f"{self._path}/{what}", body, repeatable=True)
        return answer

    def publish_checkpoint(
        self, name: str, org_id: str | None = None, checkpoint_epoch: int | None = None
    ) -> Self:
        """Publish one epoch of this model as a model of its own, also while this one is trained.

        Weights are kept of the best, the last and every 10th epoch. The new model has the metrics
        and the movie up to that epoch, and no predictors.

        Parameters
        ----------
        name : str
            Name of the new model, under which it is published: see `publish`.
        org_id : str, optional
            Organisation to publish it for, where the server knows organisations.
        checkpoint_epoch : int, optional
            Which epoch; None takes the last one that was saved.

        Returns
        -------
        FoundationalModel
            The new model, with status ``done``.

        Raises
        ------
        ValueError
            If no weights of that epoch are kept (the message names the epochs there are), or the
            name is taken.
        requests.HTTPError
            With ``.status`` 409 before the first epoch is finished.
        RuntimeError
            If the new model could not be completed.
        """
        body: dict[str, Any] = {"name": _name(name), "publish": True}
        if org_id is not None:
            body["org_id"] = org_id
        if checkpoint_epoch is not None:
            body["checkpoint_epoch"] = checkpoint_epoch
        answer = self._tell("publish_partial_foundation", body)
        model = self._other(answer["foundation_session_id"])
        return model.wait_for_training(show_progress=False)


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        raise FeatrixInputError(f"{name!r} is not a name.", hint="Give it a name.", field="name")
    return name.strip()
