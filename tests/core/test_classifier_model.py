"""Training, predicting with reasons, abstaining, and files that must be refused."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from classifier import (
    LINE_OF,
    DataError,
    Model,
    ModelError,
    Row,
    Text,
    corpus_rows,
    evaluate,
    frozen_rows,
    train,
)
from classifier.features import (
    LONGEST_PHRASE,
    LONGEST_RELATION,
    WEIGHTS,
    Features,
    Reading,
    fit_features,
    read,
)
from classifier.learner import Learner, fit
from classifier.model import LABEL, evaluate_also
from classifier.modelfile import digest_of, pack
from classifier.reasons import cells_of, contributions
from tests.core.classifier_data import small_rows

SUNNY = Text("", "Cold wind and clouds near the coast")


@pytest.fixture(scope="module")
def model() -> Model:
    """A model of the small topics, trained once."""
    return train(small_rows())


@pytest.fixture
def path(model: Model, tmp_path: Path) -> Path:
    """The model in a file of its own."""
    model.save(tmp_path / "a.model")
    return tmp_path / "a.model"


def test_importing_the_package_loads_no_learning_library() -> None:
    code = "import sys, classifier; print(sorted({'sklearn', 'numpy', 'scipy', 'skops'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_message_gets_its_label_probabilities_and_reasons_in_its_own_words(model: Model) -> None:
    (prediction,) = model.predict([SUNNY])
    assert prediction.label == "weather"
    assert prediction.model == model.id
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert prediction.probability == max(prediction.probabilities.values())
    said = [phrase for phrase, weight in prediction.why if weight > 0]
    assert said
    assert all(phrase in SUNNY.body for phrase in said)


@pytest.mark.parametrize("size", [1, 2, 50, 257])
def test_a_batch_says_the_same_as_one_by_one(model_path: Path, size: int) -> None:
    corpus = Model.load(model_path)
    texts = [row.text for row in list(corpus_rows())[:: 1 if size > 50 else 40]][:300]
    texts += [Text(), Text("", "?!"), Text("", "hola, hola. Hola"), Text("Retorno", "a" * 9_000)]
    alone = [found for text in texts for found in corpus.predict([text])]
    together = [
        found for start in range(0, len(texts), size) for found in corpus.predict(texts[start : start + size])
    ]
    for one, same in zip(alone, together, strict=True):
        assert (one.label, one.line, one.model) == (same.label, same.line, same.model)
        assert list(one.probabilities.values()) == pytest.approx(list(same.probabilities.values()))
        assert [said for said, _ in one.why] == [said for said, _ in same.why]
        assert [weight for _, weight in one.why] == pytest.approx(
            [weight for _, weight in same.why], abs=2e-4
        )


def test_no_messages_get_no_predictions(model: Model) -> None:
    assert model.predict([]) == []


def plain_matrix(features: Features, readings: list[Reading]) -> Any:
    """The feature matrix as scikit-learn's own vectorizers make it."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    shapes: dict[str, dict[str, Any]] = {
        "phrases": {"token_pattern": r"\S+", "ngram_range": (1, LONGEST_PHRASE)},
        "letters": {"analyzer": "char_wb", "ngram_range": (3, 5)},
        "marks": {"token_pattern": r"\S+", "binary": True},
        "relations": {"token_pattern": r"\S+", "ngram_range": (1, LONGEST_RELATION)},
    }
    blocks = []
    for name, block in features.blocks.items():
        common = {"lowercase": False, "dtype": np.float32, "vocabulary": block.columns, **shapes[name]}
        if block.idf is None:
            vectorizer = CountVectorizer(**common)
        else:
            vectorizer = TfidfVectorizer(sublinear_tf=True, **common)
            vectorizer.idf_ = block.idf
        matrix = vectorizer.transform([reading.block_texts[name] for reading in readings])
        blocks.append(WEIGHTS[name] * matrix.toarray())
    return np.hstack(blocks)


@pytest.fixture(scope="module")
def corpus_features(model_path: Path) -> Features:
    """The features of the corpus' model."""
    return Model.load(model_path).features


def test_the_features_are_those_that_scikit_learns_vectorizers_find(corpus_features: Features) -> None:
    texts = [row.text for row in list(corpus_rows())[::40]]
    readings = [read(text) for text in [*texts, Text(), Text("", "¡¿?!"), Text("", "ﷺ aͺb ﾞ _ x_1 hola hola")]]
    np.testing.assert_allclose(
        corpus_features.matrix(readings).toarray(), plain_matrix(corpus_features, readings), rtol=1e-5
    )


@given(st.text(max_size=60), st.text(max_size=200))
def test_the_features_of_any_text_are_those_that_scikit_learns_vectorizers_find(
    corpus_features: Features, subject: str, body: str
) -> None:
    readings = [read(Text(subject, body)), read(Text(body, f"Quiero volver, {body} quiero volver"))]
    np.testing.assert_allclose(
        corpus_features.matrix(readings).toarray(), plain_matrix(corpus_features, readings), rtol=1e-5
    )


def test_what_is_learned_in_a_fold_comes_from_its_own_messages() -> None:
    readings = [read(Text("", f"common word{i % 7} other")) for i in range(40)]
    features, counts = fit_features(readings)
    fold = features.learned_from(counts[:20])
    alone = fit_features(readings[:20])
    own = alone[0].learned_from(alone[1])
    shared = [term for term in own.blocks["phrases"].columns if term in fold.blocks["phrases"].columns]
    assert "common" in shared
    for term in shared:
        one, other = fold.blocks["phrases"], own.blocks["phrases"]
        assert one.idf is not None
        assert other.idf is not None
        assert one.idf[one.columns[term]] == pytest.approx(other.idf[other.columns[term]])


@pytest.mark.parametrize("labels", [3, 2])
def test_the_shares_of_all_words_add_up_to_the_score(labels: int) -> None:
    rows = [row for row in small_rows() if labels == 3 or row.label != "food"]
    features, counts = fit_features([read(row.text) for row in rows])
    features = features.learned_from(counts)
    learner: Learner = fit(features.weigh(counts), [row.label for row in rows])
    reading = read(Text("Rain", "it rained, it rained in the kitchen"))
    found = features.find(reading)
    counts = features.count([found])
    matrix = features.weigh(counts)
    [cells] = cells_of(counts, matrix)
    added = contributions(learner, found, cells, 1)
    assert sum(added.values()) + learner.intercepts[1] == pytest.approx(
        learner.scores(matrix)[0, 1], abs=1e-4
    )


def test_below_the_threshold_the_model_abstains_but_says_what_it_thought(model: Model) -> None:
    strict = train(small_rows(), threshold=1.0)
    (prediction,) = strict.predict([SUNNY])
    assert (prediction.abstained, prediction.line, prediction.label) == (True, None, "weather")
    (prediction,) = model.predict([SUNNY])
    assert (prediction.abstained, prediction.line) == (False, "weather")


@pytest.mark.parametrize(
    "text",
    # The last one is a sound mark of its own (U+FF9E), of which folding leaves nothing.
    [
        Text(),
        Text("", "\n"),
        Text("", "天気"),
        Text("", "\ud800"),
        Text("", "?!" * 9),
        Text("", "a \uff9e b"),
    ],
)
def test_a_message_without_known_words_is_answered_all_the_same(model: Model, text: Text) -> None:
    (prediction,) = model.predict([text])
    assert prediction.abstained


def test_training_twice_gives_the_same_model_and_other_data_another(model: Model) -> None:
    rows = small_rows()
    assert train(list(reversed(rows))).id == model.id
    assert train([*rows, Row(Text("", "The oven is hot"), "food")]).id != model.id


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([], "0 label"),
        ([Row(Text("", "a"), "x")] * 9, "1 label"),
        ([Row(Text(), "x"), Row(Text(), "y")] * 9, "all empty"),
        ([Row(Text("", "one"), "x"), Row(Text("", "two"), "y")], "too few"),
    ],
)
def test_data_that_teach_nothing_are_refused(rows: list[Row], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        train(rows)


def test_personal_data_are_not_in_the_model(tmp_path: Path) -> None:
    planted = "Me llamo Zoraida Inventada, DNI 00000017, CE 000 123 987, zoraida@example.com"
    rows = [
        Row(Text(row.text.subject, f"{row.text.body} {planted}"), row.label, row.group)
        for row in small_rows()
    ]
    planted_model = train(rows)
    planted_model.save(tmp_path / "a.model")
    with zipfile.ZipFile(tmp_path / "a.model") as archive:
        state = skops.io.loads(archive.read("model.skops"), trusted=[])
    vocabulary = {term for terms in state["terms"].values() for term in terms.split("\n")}
    assert not [term for term in vocabulary for secret in ("zora", "raida", "0000", "987") if secret in term]
    (prediction,) = planted_model.predict([Text("", planted)])
    assert not [phrase for phrase, _ in prediction.why if "Zoraida" in phrase or "0" in phrase]


def test_a_saved_model_says_the_same_after_loading(model: Model, path: Path) -> None:
    assert Model.load(path).predict([SUNNY]) == model.predict([SUNNY])
    assert Model.load(path).card == model.card
    assert Model.load(path, sha256=digest_of(path.read_bytes())).id == model.id


def test_saving_leaves_no_part_behind_and_replaces_the_old_file(model: Model, path: Path) -> None:
    path.write_bytes(b"old")
    assert model.save(path) == digest_of(path.read_bytes())
    assert [file.name for file in path.parent.iterdir()] == ["a.model"]


def test_a_missing_model_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model file; train one first"):
        Model.load(tmp_path / "none.model")
    with pytest.raises(ModelError, match="cannot be read"):
        Model.load(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_model_is_refused(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError):
        Model.load(path)


def test_one_changed_byte_anywhere_is_refused_or_changes_nothing(model: Model, path: Path) -> None:
    content = path.read_bytes()
    expected = model.predict([SUNNY])
    for place in range(0, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            assert Model.load(path).predict([SUNNY]) == expected  # a byte of the zip's own dates, for example
        except ModelError:
            continue


def test_another_file_than_the_recorded_one_is_refused(path: Path) -> None:
    with pytest.raises(ModelError, match="not the one that was recorded"):
        Model.load(path, sha256="0" * 64)


def test_a_changed_threshold_is_noticed(path: Path) -> None:
    rewrite(path, lambda card: card["card"].update(threshold=0.0))
    with pytest.raises(ModelError, match="changed after it was written"):
        Model.load(path)


def test_a_model_of_another_version_is_refused_by_name(model: Model, path: Path) -> None:
    versions = {**model.card["versions"], "scikit-learn": "0.1"}
    path.write_bytes(pack(model.features, model.learners, {**model.card, "versions": versions}))
    with pytest.raises(ModelError, match=r"made with scikit-learn 0\.1, here is .*; train it again"):
        Model.load(path)


def test_a_card_that_lacks_something_is_refused(model: Model, path: Path) -> None:
    path.write_bytes(pack(model.features, model.learners, {"versions": model.card["versions"], "id": "x"}))
    with pytest.raises(ModelError, match="incomplete"):
        Model.load(path)


@pytest.mark.parametrize(
    "harm", ["too few weights", "no marks", "idf too short", "no temperature", "no threshold", "wild indices"]
)
def test_parts_that_do_not_fit_are_refused_when_they_are_read(model: Model, path: Path, harm: str) -> None:
    features, learner, card = model.features, model.learners[LABEL], dict(model.card)
    if harm == "too few weights":
        learner = replace(learner, weights=learner.weights[:, :7])
    elif harm == "no marks":
        features = Features({name: block for name, block in features.blocks.items() if name != "marks"})
    elif harm == "idf too short":
        phrases = features.blocks["phrases"]
        assert phrases.idf is not None
        features = Features(features.blocks | {"phrases": replace(phrases, idf=phrases.idf[:2])})
    elif harm == "no temperature":
        card["temperatures"] = {LABEL: 0.0}
    elif harm == "no threshold":
        card["threshold"] = float("nan")
    else:
        sparse = csr_array(learner.weights)
        sparse.indices[0] = 2**30
        learner = replace(learner, weights=sparse)
    path.write_bytes(pack(features, {LABEL: learner}, card))
    with pytest.raises(ModelError):
        Model.load(path)


class EvilWeights:
    """What a model file must not hold: an object of a type that is not trusted."""

    shape = (3, 3)
    call = digest_of


def test_a_model_with_a_foreign_type_is_refused_and_never_run(model: Model, path: Path) -> None:
    # A function of ours stands for a function of an attacker.
    evil = replace(model.learners[LABEL], weights=EvilWeights())
    path.write_bytes(pack(model.features, {LABEL: evil}, model.card))
    with pytest.raises(ModelError, match="not trusted"):
        Model.load(path)


def test_a_pickle_in_the_place_of_a_model_is_refused(path: Path) -> None:
    path.write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ModelError, match="not a model file"):
        Model.load(path)


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the card of a model file as a person with an archive tool would."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    card = json.loads(parts["card.json"])
    change(card)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, part in {**parts, "card.json": json.dumps(card).encode()}.items():
            archive.writestr(name, part)
    path.write_bytes(content.getvalue())


def test_seventy_seven_labels_work_as_well_as_five() -> None:
    rows = [
        Row(Text("", f"topic{i} word{i} {extra}"), f"label-{i:02}") for i in range(77) for extra in "abcdef"
    ]
    many = train(rows)
    assert len(many.labels) == 77
    assert many.predict([Text("", "topic41 word41")])[0].label == "label-41"


def test_the_corpus_teaches_the_lines_better_than_the_floor(full_model_path: Path) -> None:
    card = Model.load(full_model_path).card
    assert card["rows"] >= 12_000
    # Whole stories held out, many of them written to differ in one fact; the figures are in docs/classifier.md.
    assert card["metrics"]["macro_f1"] > 0.74
    assert card["metrics"]["ece"] < 0.05


def test_the_corpus_model_is_small_and_fast_enough(full_model_path: Path) -> None:
    assert full_model_path.stat().st_size < 30_000_000
    texts = [row.text for row in corpus_rows()[:100]]
    assert np.isfinite([found.probability for found in Model.load(full_model_path).predict(texts)]).all()


def test_what_is_urgent_is_not_overlooked(full_model_path: Path) -> None:
    corpus = Model.load(full_model_path)
    urgent = [row for row in frozen_rows() if row.also["urgency"] != "no"]
    calm = [row for row in frozen_rows() if row.also["urgency"] == "no"]
    marked, wrongly = (
        sum(said.also["urgency"].label != "no" for said in corpus.predict([row.text for row in rows]))
        for rows in (urgent, calm)
    )
    assert marked > 0.8 * len(urgent)  # 0.90 when the floor was set
    assert wrongly < 0.04 * len(calm)


def test_messages_that_no_model_learned_are_sorted_as_well_as_the_page_says(full_model_path: Path) -> None:
    corpus, rows = Model.load(full_model_path), frozen_rows()
    measured, others = evaluate(corpus, rows), evaluate_also(corpus, rows)
    assert measured.macro_f1 > 0.90  # 0.94 when the floor was set
    assert measured.ece < 0.05
    assert measured.precision_covered > 0.96
    assert measured.coverage > 0.70
    assert others["kind"].accuracy > 0.88
    assert others["language"].accuracy > 0.97
    assert others["topic"].accuracy > 0.70


def test_no_frozen_message_and_no_story_of_them_is_in_the_corpus() -> None:
    # Bare greetings and signatures are the same everywhere.
    texts = {str(row.text).strip().lower() for row in corpus_rows() if len(row.text.body) > 40}
    stories = {row.group for row in corpus_rows()}
    assert not [
        row for row in frozen_rows() if str(row.text).strip().lower() in texts or row.group in stories
    ]


def test_evaluation_counts_what_was_sorted(model: Model) -> None:
    rows = [Row(SUNNY, "weather"), Row(Text("", "The goalkeeper scored a goal"), "food")]
    measured = evaluate(model, rows)
    assert measured.accuracy == 0.5
    assert measured.confusion["food"]["sport"] == 1
    assert measured.per_label["weather"].f1 == 1.0


def test_the_likely_topics_are_those_of_every_likely_line_and_the_answer_is_one_of_its_own_line(
    full_model_path: Path,
) -> None:
    said = Model.load(full_model_path).predict([row.text for row in frozen_rows()])
    for prediction in said:
        topic = prediction.also["topic"]
        shares = [share for _, share in topic.likely]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) <= 1 + 1e-6
        assert LINE_OF[topic.label] == prediction.label
        assert dict(topic.likely).get(topic.label, topic.probability) == topic.probability
    doubtful = [one for one in said if one.probability < 0.7]
    assert any(len({LINE_OF[label] for label, _ in one.also["topic"].likely}) > 1 for one in doubtful)
