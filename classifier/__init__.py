"""Text to line: a scikit-learn classifier that sorts messages, gives its reasons and knows when to abstain.

It knows no mail format, no database and no web. Importing it is light: scikit-learn is loaded when a model is
trained or read, not before. Start with `Model.load(path).predict([Text(subject, body)])` or with
`python -m classifier --help`.
"""

from classifier.data import DataError, Row, corpus_rows, frozen_rows, read_rows
from classifier.evaluation import Report
from classifier.learner import STRENGTH
from classifier.model import LINES, NONE, Answer, Model, Prediction, evaluate
from classifier.modelfile import ModelError, ModelVersionError
from classifier.text import Text, masked
from classifier.topics import KINDS, LINE_OF, NOT_URGENT, TOPICS, URGENCIES
from classifier.training import train, train_and_hold_out

__all__ = [
    "KINDS",
    "LINES",
    "LINE_OF",
    "NONE",
    "NOT_URGENT",
    "STRENGTH",
    "TOPICS",
    "URGENCIES",
    "Answer",
    "DataError",
    "Model",
    "ModelError",
    "ModelVersionError",
    "Prediction",
    "Report",
    "Row",
    "Text",
    "corpus_rows",
    "evaluate",
    "frozen_rows",
    "masked",
    "read_rows",
    "train",
    "train_and_hold_out",
]
