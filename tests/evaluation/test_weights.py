import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mri_noise.evaluation.weights import best_weight


@given(st.floats(-6, 0.9))
def test_the_best_weight_is_found_to_a_factor_of_the_root_of_two(exponent: float) -> None:
    asked: list[float] = []

    def score(weight: float) -> float:
        asked.append(weight)
        return -((math.log10(weight) - exponent) ** 2)

    found = best_weight(score, 1e-2)
    assert abs(math.log2(found) - exponent / math.log10(2)) <= 0.5 + 1e-9
    assert max(tuple(asked), key=score) == found
    assert min(asked) < found < max(asked)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_score_without_a_maximum_ends_the_search(sign: int) -> None:
    asked: list[float] = []

    def score(weight: float) -> float:
        asked.append(weight)
        return sign * weight

    found = best_weight(score, 1e-2)
    assert found == (min if sign < 0 else max)(asked)
    assert len(asked) < 30
