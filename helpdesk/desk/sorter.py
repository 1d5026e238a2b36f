"""The sorter: the model that the register names, kept in memory and changed when the register changes.

In: loading the right file, and doing without one. Not in: which model that is (models.py), and what is done with
a prediction (sorting.py). A missing, damaged or swapped file never stops intake: mail arrives unsorted and the
desk is told (T95).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import classifier
from classifier import ModelError, Text
from helpdesk.desk.models import InUse, model_file

log = logging.getLogger(__name__)


class Sorter:
    """Predictions from the model in use; one for each worker process.

    `path` is the set-up's own model file, used while the register is empty; `folder` holds the registered ones.
    """

    def __init__(self, path: Path, folder: Path | None = None) -> None:
        self._path = path
        self._folder = folder or path.parent / "models"
        self._loaded: tuple[object, ...] | None = None
        self._model: classifier.Model | None = None
        self.trouble: str | None = None
        # The trouble that the desk was told of ("": that all is well), and when; None: nothing was told yet.
        self.told: str | None = None
        self.told_at = 0.0
        self.telling = threading.Lock()
        self._loading = threading.Lock()

    def predict(
        self, texts: Sequence[Text], in_use: InUse | None = None
    ) -> list[classifier.Prediction | None]:
        """One prediction for each text, or None for each when there is no usable model (`trouble` says why)."""
        model = self._current(in_use)
        return [None] * len(texts) if model is None else list(model.predict(texts))

    def _current(self, in_use: InUse | None) -> classifier.Model | None:
        path = self._path if in_use is None else model_file(self._folder, in_use.id, in_use.sha256)
        with self._loading:  # polls sort in threads of their own
            wanted = (in_use, _stamp(path))
            if wanted != self._loaded or self._model is None or self.trouble:
                self._load(path, in_use)
                self._loaded = wanted
            return self._model

    def _load(self, path: Path, in_use: InUse | None) -> None:
        try:
            self._model = classifier.Model.load(path, sha256=in_use.sha256 if in_use else None)
            self.trouble = None
        except ModelError as error:
            # The very model that is asked for may still be in memory: its file was damaged after it was read.
            if self._model is None or in_use is None or self._model.id != in_use.id:
                self._model = None if in_use is not None else self._model
            if str(error) != self.trouble:
                log.error("the model file cannot be used: %s", error)
            self.trouble = str(error)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
