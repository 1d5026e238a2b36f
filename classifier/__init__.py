"""Text to line: a scikit-learn classifier that sorts messages, gives its reasons and knows when to abstain.

It knows no mail format, no database and no web. Importing it is light: scikit-learn is loaded when a model is
trained or read, not before. Start with `Model.load(path).predict([Text(subject, body)])` or with
`python -m classifier --help`.
"""

from classifier.data import DataError, Row, corpus_rows, read_rows
from classifier.evaluation import Report
from classifier.model import LINES, NONE, Model, Prediction, evaluate, train
from classifier.modelfile import ModelError
from classifier.text import Text

__all__ = [
    "LINES",
    "NONE",
    "DataError",
    "Model",
    "ModelError",
    "Prediction",
    "Report",
    "Row",
    "Text",
    "corpus_rows",
    "evaluate",
    "read_rows",
    "train",
]
