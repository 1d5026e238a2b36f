"""Folds, calibration, thresholds and figures, checked against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from classifier import Row, Text
from classifier.evaluation import (
    assign_folds,
    calibration_error,
    choose_temperature,
    choose_threshold,
    report,
    softmax,
    wilson_bound,
)

TRUTH = ["a", "a", "a", "b", "b", "c"]
GUESS = ["a", "a", "b", "b", "c", "d"]
CERTAIN = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]


def test_a_story_is_never_split_and_copies_are_one_story() -> None:
    rows = [Row(Text("", f"text {i}"), "ab"[i % 2], f"story-{i // 3}") for i in range(60)]
    rows += [Row(Text("", "the same"), "a"), Row(Text("", "The same "), "b")]
    folds = assign_folds(rows, 5)
    assert all(len(set(folds[i : i + 3])) == 1 for i in range(0, 60, 3))
    assert folds[-1] == folds[-2]
    assert set(folds) == {0, 1, 2, 3, 4}
    assert folds == assign_folds(rows, 5)


def test_the_figures_are_those_of_scikit_learn() -> None:
    measured = report(TRUTH, GUESS, CERTAIN, 0.65)
    expected = f1_score(TRUTH, GUESS, average="macro", zero_division=0)
    assert measured.macro_f1 == pytest.approx(expected)
    assert measured.accuracy == 0.5
    assert measured.coverage == 0.5
    assert measured.precision_covered == pytest.approx(2 / 3)
    assert measured.confusion["b"] == {"a": 0, "b": 1, "c": 1, "d": 0}
    assert measured.per_label["d"].support == 0


def test_calibration_error_is_the_gap_between_promise_and_result() -> None:
    assert calibration_error([0.75] * 4, [True, True, True, False]) == pytest.approx(0)
    assert calibration_error([0.95, 0.95], [True, False]) == pytest.approx(0.45)
    assert calibration_error([1.0], [True]) == 0


def test_the_temperature_tames_scores_that_promise_too_much() -> None:
    scores = np.array([[8.0, 0.0]] * 4)
    truth = np.array([0, 0, 0, 1])
    tamed = softmax(scores, choose_temperature(scores, truth))
    assert tamed[0, 0] == pytest.approx(0.75, abs=0.1)


@pytest.mark.parametrize(("target", "threshold"), [(0.95, 0.8), (0.9, 0.7), (0.75, 0.5)])
def test_the_threshold_sorts_as_much_as_the_target_surely_allows(target: float, threshold: float) -> None:
    probabilities = [certain for certain in CERTAIN for _ in range(100)]
    # Of each hundred so many are right: 100, 100, 80, 70, 40, 20.
    kept = [number < share for share in (100, 100, 80, 70, 40, 20) for number in range(100)]
    assert choose_threshold(probabilities, kept, target) == threshold


def test_few_rows_make_the_threshold_careful() -> None:
    assert wilson_bound(1.0, 4) == pytest.approx(0.8)
    assert wilson_bound(0.97, 10_000) == pytest.approx(0.97, abs=0.002)
    few = choose_threshold([0.9, 0.8, 0.7], [True, True, False], 0.6)
    assert few == 0.8


def test_a_target_out_of_reach_gives_the_best_there_is() -> None:
    assert choose_threshold([0.9, 0.8, 0.7], [False, True, True], 0.99) == 0.7
