"""What becomes of a model beside and after its training: the part of it that publishes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

from featrix_client.errors import FeatrixInputError
from featrix_client.run import TrainingRun


class Lifecycle(TrainingRun):
    """The part of `FoundationalModel` that publishes, protects, copies and deletes."""

    @abstractmethod
    def _other(self, session_id: str) -> Self:
        """Return another model of the same server, not refreshed yet."""

    def publish_checkpoint(
        self, name: str, org_id: str | None = None, checkpoint_epoch: int | None = None
    ) -> Self:
        """Make a model of one epoch of this one, also while it is being trained.

        Weights are kept of the best, the last and every 10th epoch. The new model has the metrics
        and the movie up to that epoch, and no predictors.

        Parameters
        ----------
        name : str
            Name of the new model.
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
            If no weights of that epoch are kept; the message names the epochs there are.
        requests.HTTPError
            With ``.status`` 409 before the first epoch is finished.
        RuntimeError
            If the new model could not be completed.
        """
        if not isinstance(name, str) or not name.strip():
            raise FeatrixInputError(
                f"{name!r} is not a name.", hint="Give the new model a name.", field="name"
            )
        body: dict[str, Any] = {"name": name, "publish": True}
        if org_id is not None:
            body["org_id"] = org_id
        if checkpoint_epoch is not None:
            body["checkpoint_epoch"] = checkpoint_epoch
        answer = self._transport.post(
            f"{self._path}/publish_partial_foundation", body, repeatable=True
        )
        model = self._other(answer["foundation_session_id"])
        return model.wait_for_training(show_progress=False)
