"""Prints what the classifier costs: training on the whole corpus, the file, loading it, one message, a thousand.

Each part in a process of its own, so that imports and memory are counted as they are in life; beside it, in the same
run, scikit-learn's own TF-IDF and logistic regression, as a measure of the machine. The aims are those of
docs/performance.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PARTS = {
    "train": """
import time; start = time.perf_counter()
from classifier import STRENGTH, corpus_rows, frozen_rows, train
rows = corpus_rows()
digest = train(rows, calibrate=frozen_rows(), strength=STRENGTH).save(PATH)
say(rows=len(rows), seconds=time.perf_counter() - start, mb=memory())
""",
    "use": """
import time, statistics
import sklearn.svm, skops.io, scipy.sparse
from classifier import Model, Text, frozen_rows
start = time.perf_counter(); model = Model.load(PATH); load = time.perf_counter() - start
texts = [row.text for row in frozen_rows()]
model.predict(texts[:1])
single = []
for text in texts:
    start = time.perf_counter(); model.predict([text]); single.append(1000 * (time.perf_counter() - start))
again = Model.load(PATH)
thousand = (texts * (1000 // len(texts) + 1))[:1000]
start = time.perf_counter(); again.predict(thousand); batch = time.perf_counter() - start
say(load_s=load, one_p50_ms=statistics.median(single), one_p95_ms=statistics.quantiles(single, n=20)[-1],
    thousand_s=batch, mb=memory())
""",
    "plain": """
import time, statistics
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from classifier import corpus_rows, frozen_rows
rows = corpus_rows()
start = time.perf_counter()
plain = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=5, max_iter=300))
plain.fit([str(row.text) for row in rows], [row.label for row in rows])
trained = time.perf_counter() - start
texts = [str(row.text) for row in frozen_rows()]
single = []
for text in texts:
    start = time.perf_counter(); plain.predict_proba([text]); single.append(1000 * (time.perf_counter() - start))
say(seconds=trained, one_p50_ms=statistics.median(single), mb=memory())
""",
}
FRAME = """
import json, resource
PATH = {path!r}
def memory(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
def say(**figures): print(json.dumps(figures))
"""


def run(part: str, path: Path) -> dict[str, float]:
    """The figures of one part."""
    code = FRAME.format(path=str(path)) + PARTS[part]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.model"
        trained = run("train", path)
        used, plain = run("use", path), run("plain", path)
        size = path.stat().st_size / 1e6
    print(
        f"training on {trained['rows']:.0f} messages: {trained['seconds']:.1f} s (aim: 60), {trained['mb']:.0f} MB"
    )
    print(f"the file: {size:.1f} MB (aim: 30); loaded in {used['load_s']:.2f} s (aim: 1)")
    print(f"one message: p50 {used['one_p50_ms']:.1f} ms, p95 {used['one_p95_ms']:.1f} ms (aim: 5)")
    print(f"a thousand: {used['thousand_s']:.2f} s (aim: 1.5); memory {used['mb']:.0f} MB (aim: 300)")
    beside = f"{plain['seconds']:.1f} s to train, {plain['one_p50_ms']:.1f} ms a message"
    print(f"beside: scikit-learn's TF-IDF and logistic regression, {beside}")


if __name__ == "__main__":
    main()
