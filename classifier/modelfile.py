"""The model file: one zip of a skops model and a JSON card that vouches for it.

In: writing it so that no half file is ever seen, and reading it so that no strange file is ever believed.
Nothing is unpickled: skops is given an empty list of trusted types. The digest inside guards against
accidents; against a person who can write the file, compare `digest_of` with the digest kept elsewhere.
"""

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

from classifier.features import FEATURES_VERSION, Block, Features
from classifier.learner import Learner

FORMAT_VERSION = 4
LARGEST_FILE = 64 * 1024 * 1024
LARGEST_MEMBER = 256 * 1024 * 1024
_CARD, _MODEL = "card.json", "model.skops"


class ModelError(Exception):
    """The model file cannot be used; the message is one sentence that says why."""


class ModelVersionError(ModelError):
    """The model file is sound, but was made for another version of the code or of scikit-learn."""


def versions() -> dict[str, str]:
    """Return what a model file is tied to: its format, the features, and scikit-learn."""
    import sklearn

    return {
        "format": str(FORMAT_VERSION),
        "features": str(FEATURES_VERSION),
        "scikit-learn": str(sklearn.__version__),
    }


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a file's content, as hex digits."""
    return hashlib.sha256(content).hexdigest()


def pack(features: Features, learners: dict[str, Learner], card: dict[str, Any]) -> bytes:
    """Return the content of a model file."""
    import skops.io

    state = {
        # One text for all terms: as a list of its own each of them would be a node of the file.
        "terms": {name: "\n".join(block.columns) for name, block in features.blocks.items()},
        "idf": {name: block.idf for name, block in features.blocks.items() if block.idf is not None},
        "learners": {name: learner.to_state() for name, learner in learners.items()},
    }
    model = skops.io.dumps(state, compression=zipfile.ZIP_DEFLATED)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_CARD, json.dumps({"card": card, "sha256": _seal(model, card)}))
        archive.writestr(_MODEL, model)
    return packed.getvalue()


def unpack(content: bytes, name: str) -> tuple[Features, dict[str, Learner], dict[str, Any]]:
    """Return the features, the learners and the card of a model file.

    Raises ModelError when anything about it is wrong.
    """
    if len(content) > LARGEST_FILE:
        raise ModelError(f"{name}: the model file is larger than {LARGEST_FILE} bytes.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_size(archive, name)
            model, sealed = archive.read(_MODEL), json.loads(archive.read(_CARD))
        with zipfile.ZipFile(io.BytesIO(model)) as inner:
            _check_size(inner, name)
        card, seal = sealed["card"], sealed["sha256"]
        made_with = card["versions"]
    # A broken zip raises almost anything: BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error ...
    except ModelError:
        raise
    except Exception:
        raise ModelError(f"{name}: this is not a model file, or it is damaged.") from None
    if seal != _seal(model, card):
        raise ModelError(f"{name}: the model file was changed after it was written.")
    _check_versions(made_with, name)
    return *_load(model, name), card


def _check_size(archive: zipfile.ZipFile, name: str) -> None:
    if sum(member.file_size for member in archive.infolist()) > LARGEST_MEMBER:
        raise ModelError(f"{name}: the model file unpacks to more than is allowed.")


def read(path: Path) -> bytes:
    """Return the content of a model file; raises ModelError when there is none."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ModelError(f"{path}: there is no model file; train one first.") from None
    except OSError as error:
        raise ModelError(f"{path}: the model file cannot be read ({error.strerror}).") from None


def write(path: Path, content: bytes) -> None:
    """Write the file beside its place and rename it there, so that a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _check_versions(made_with: dict[str, str], name: str) -> None:
    for what, here in versions().items():
        if (there := made_with.get(what)) != here:
            raise ModelVersionError(
                f"{name}: the model was made with {what} {there}, here is {here}; train it again."
            )


def _load(model: bytes, name: str) -> tuple[Features, dict[str, Learner]]:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        state = skops.io.loads(model, trusted=[])
        blocks = {
            block: Block(
                {term: column for column, term in enumerate(terms.split("\n"))}, state["idf"].get(block)
            )
            for block, terms in state["terms"].items()
        }
        return Features(blocks), {key: Learner.from_state(made) for key, made in state["learners"].items()}
    except UntrustedTypesFoundException:
        raise ModelError(f"{name}: the model file holds types that are not trusted.") from None
    except Exception:  # skops promises no closed list of errors for a file that it cannot read
        raise ModelError(f"{name}: the model inside the file cannot be read.") from None


def _seal(model: bytes, card: dict[str, Any]) -> str:
    return digest_of(model + json.dumps(card, sort_keys=True).encode())
