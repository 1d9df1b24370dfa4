"""What follows from a year of reviews: active, probation or dropped, without flicker."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

THRESHOLD = 80.0
"""A supplier below this score is not good enough."""

SURE = 0.9
"""Probability of being below the threshold from which a review says so for certain."""

TRUSTED = 0.3
"""Probability of being below the threshold up to which a review trusts a supplier again."""


@dataclass(frozen=True, slots=True)
class Review:
    """One monthly look: the score and the probability that the true one is below 80."""

    score: float
    below_threshold: float

    @property
    def below(self) -> bool:
        """Whether the score is below the threshold by more than rounding."""
        return self.score < THRESHOLD - 1e-9


def standing(reviews: Sequence[Review], strict_drop: bool = False) -> str:
    """Returns `"active"`, `"probation"` or `"dropped"` after reviews in order of time.

    Below 80 means probation; below it with a probability of 90 % in two reviews in a row means
    dropped. The way back takes two reviews in a row: of 80 or more from dropped to probation, and
    with at most 30 % of doubt from probation to active. So a score near the threshold does not
    flicker. Without reviews a supplier is active. `strict_drop` looks at the last score alone.
    """
    if not reviews:
        return "active"
    if strict_drop:
        return "dropped" if reviews[-1].below else "active"
    state = "probation" if reviews[0].below else "active"
    for before, now in pairwise(reviews):
        state = _step(state, before, now)
    return state


def _step(state: str, before: Review, now: Review) -> str:
    if min(before.below_threshold, now.below_threshold) >= SURE:
        return "dropped"
    if now.below:
        return "dropped" if state == "dropped" else "probation"
    if state == "dropped":
        return "dropped" if before.below else "probation"
    trusted = max(before.below_threshold, now.below_threshold) <= TRUSTED
    return "active" if state == "probation" and trusted else state
