"""The percentile of the reports, against the definition and the standard library."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.reports.response_times import percentile

times = st.floats(min_value=0, max_value=1e9)
some = st.lists(times, min_size=1, max_size=60)
shares = st.floats(min_value=0, max_value=1)


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [
        ([7.0], 0.9, 7.0),
        ([1.0, 2.0], 0.5, 1.5),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.5),
        ([0.0, 10.0], 0.9, 9.0),
        ([float(number) for number in range(11)], 0.9, 9.0),
        ([5.0] * 40, 0.9, 5.0),
        ([1.0, 2.0, 3.0], 0.0, 1.0),
        ([1.0, 2.0, 3.0], 1.0, 3.0),
    ],
)
def test_a_percentile_lies_between_the_two_values_next_to_it(
    values: list[float], share: float, wanted: float
) -> None:
    assert percentile(values, share) == pytest.approx(wanted)


def test_without_values_there_is_no_percentile() -> None:
    assert percentile([], 0.5) is None


@given(some)
def test_half_is_the_median(values: list[float]) -> None:
    assert percentile(values, 0.5) == pytest.approx(statistics.median(values))


@given(st.lists(times, min_size=2, max_size=60))
def test_it_agrees_with_the_standard_library_at_every_tenth(values: list[float]) -> None:
    wanted = statistics.quantiles(values, n=10, method="inclusive")
    found = [percentile(values, tenth / 10) for tenth in range(1, 10)]
    assert found == pytest.approx(wanted, abs=1e-6)


@given(some, shares, shares)
def test_a_greater_share_has_no_smaller_percentile(values: list[float], one: float, other: float) -> None:
    low, high = percentile(values, min(one, other)), percentile(values, max(one, other))
    assert low is not None
    assert high is not None
    assert low <= high or math.isclose(low, high)


@given(some, shares)
def test_it_stays_between_the_smallest_and_the_greatest_and_leaves_the_list_alone(
    values: list[float], share: float
) -> None:
    before = list(values)
    found = percentile(values, share)
    assert found is not None
    assert min(values) <= found <= max(values) or math.isclose(found, max(values))
    assert values == before


@given(some, shares)
def test_the_order_of_the_values_does_not_matter(values: list[float], share: float) -> None:
    assert percentile(values, share) == percentile(values[::-1], share)
