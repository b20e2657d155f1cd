"""Callbacks as Keras calls them: any object with some of its methods, told of batches and epochs with their metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Callbacks of Keras that ask its model for what is not here.
UNSUPPORTED = {"LearningRateScheduler": "changes the rate of a single optimizer, and here are two",
               "ReduceLROnPlateau": "changes the rate of a single optimizer, and here are two",
               "BackupAndRestore": "stores a state of Keras' own; use DCGAN.save", "SwapEMAWeights": "needs Keras' optimizer",
               "TensorBoard": "reads Keras' graphs"}
EVENTS = ("on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_epoch_end", "on_train_end")


class CallbackList:
    """The callbacks of one `fit`. `model` is what they get as `self.model`.

    Raises ValueError for what has none of EVENTS.
    """

    def __init__(self, callbacks: Any, model: Any, params: Mapping[str, Any]) -> None:
        given = callbacks if isinstance(callbacks, Iterable) else [] if callbacks is None else [callbacks]
        self.callbacks = list(given)
        for callback in self.callbacks:
            if type(callback).__name__ in UNSUPPORTED:
                raise ValueError(f"{type(callback).__name__} {UNSUPPORTED[type(callback).__name__]}; leave it out.")
            if isinstance(callback, type):
                raise ValueError(f"callbacks hold the class {callback.__name__}; give an object of it: {callback.__name__}(...).")
            if not any(callable(getattr(callback, event, None)) for event in EVENTS):
                raise ValueError(f"callbacks hold a {type(callback).__name__}; give objects with {', '.join(EVENTS[3:5])}, such "
                                 "as a keras.callbacks.Callback.")
        for name, value in (("set_params", dict(params)), ("set_model", model)):
            self._each(name, value)

    def __bool__(self) -> bool:
        return bool(self.callbacks)

    def call(self, event: str, *index: int, logs: Mapping[str, float] | None = None) -> None:
        """event: of EVENTS. index: of the epoch or the batch, from 0, but for the two of the training. logs: metrics."""
        self._each(event, *index, dict(logs or {}))

    def _each(self, name: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            method = getattr(callback, name, None)
            if callable(method):
                method(*arguments)

