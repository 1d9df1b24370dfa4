"""Promotions and prices: how far they move demand, pooled over items, used only where that pays.

Expected demand of a week is `level * exp(a * promotion + b * log(price / usual price))` with
`a >= 0` and `b <= 0`. Parts of a brand (ranges of whole items) are worked apart:

    total = joined([tally(part) for part in parts])
    rivals = candidates(total)
    proof = sum_losses([losses(part, rivals of its items) for part in parts])
    found = effects(total, proof)
    multipliers(part, found of its items)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Truths = NDArray[np.bool_]

BLOCK_WEEKS = 13
"""Weeks within which the level of a series counts as constant; the last block is the trial."""

WINDOW_WEEKS = 4
"""Weeks ahead of each origin inside the trial."""

LEAST = np.array([0.0, -6.0])
MOST = np.array([np.log(10.0), 0.0])
"""Bounds of (promotion effect, price elasticity)."""

FARTHEST = float(np.log(10.0))
"""No multiplier leaves [1 / 10, 10]."""

_FARTHEST_PRICE = float(np.log(4.0))
_START = np.array([0.5, -1.0])
_ROUNDS = 3
_PRIOR_SPREAD = np.array([1.0, 2.0])
_SPREAD_BOUNDS = (0.05**2, 1.0)
_CLUMPING = 0.25
"""Squared coefficient of variation of a week beyond Poisson; keeps big series from ruling all."""
_RECENT_WEEKS = 13
_TRIAL_ALPHA = 0.1
_SLOWEST = 0.2
_EVENT = 0.01
_MARGIN = 0.02
_SIGMAS = 2.0
_SIGMAS_ALONE = 3.0
_CHUNK = 4096
_TINY = 1e-9

NEITHER, PROMOTION, PRICE, BOTH = range(4)
_TERMS = ((False, False), (True, False), (False, True), (True, True))


@dataclass(frozen=True, slots=True)
class Part:
    """Demand and plan of a range of whole items; the series of an item stand together."""

    demand: Floats
    """Past units, [series, week]."""
    hidden: Truths
    """Weeks in which nothing could be sold, [series, week]."""
    promotion: Floats
    """Strength of promotion in past and coming weeks, [series, week + horizon]; NaN is none."""
    price: Floats
    """Price in past and coming weeks, [series, week + horizon]; NaN or 0 is unknown."""
    item: Codes
    """Item of each series, 0 to items - 1, rising, [series]."""
    category: Codes
    """Category of each item, numbered over the whole brand, [item]."""
    categories: int
    """Number of categories of the whole brand."""
    full: float = 1.0
    """Strength that counts as a full promotion in the whole brand; its effect is `promotion`."""

    def __post_init__(self) -> None:
        """Refuses arrays that do not belong together."""
        if self.promotion.shape != self.price.shape or self.demand.shape != self.hidden.shape:
            raise ValueError("Expected promotion like price and hidden like demand.")
        if self.promotion.shape[1] < self.weeks or len(self.item) != len(self.demand):
            raise ValueError("Expected a plan for every week and an item for every series.")
        if (np.diff(self.item) < 0).any():
            raise ValueError("Expected the series of each item to stand together, items rising.")

    @property
    def weeks(self) -> int:
        """Number of past weeks."""
        return int(self.demand.shape[1])


@dataclass(frozen=True, slots=True)
class Tally:
    """What each item says about its effects; parts are joined item after item."""

    category: Codes
    """[item]."""
    numbers: Floats
    """Evidence of each item before the trial and in it, [item, 2, 7]: information times effect
    (promotion, price), information (promotion, both, price), squared error and degrees of freedom.
    """


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects of each item; 0 where none was admitted."""

    promotion: Floats
    """Logarithm of the uplift of a full promotion, [item]."""
    elasticity: Floats
    """Change of log demand with log price, [item]."""

    def of(self, begin: int, end: int) -> "Effects":
        """Returns the effects of items `begin` to `end`."""
        return Effects(self.promotion[begin:end], self.elasticity[begin:end])


@dataclass(frozen=True, slots=True)
class Losses:
    """Squared errors of the trial by category and candidate; losses of parts are added."""

    sums: Floats
    """[category, candidate]; candidates are neither, promotion, price, both."""
    products: Floats
    """Sums of products of the errors of two candidates in a week, [category, candidate, candidate].
    """

    def __add__(self, other: "Losses") -> "Losses":
        return Losses(self.sums + other.sums, self.products + other.products)


@dataclass(frozen=True, slots=True)
class Multipliers:
    """How far demand stands from its level because of promotion and price."""

    past: Floats
    """[series, week]."""
    future: Floats
    """[series, horizon]."""


def tally(part: Part) -> Tally:
    """Returns what each item of a part says about its effects.

    The level is never estimated: given the units of a block of weeks, their spread over these weeks
    depends on the effects alone (the conditional likelihood of Poisson counts, Hausman, Hall and
    Griliches, Econometric Models for Count Data, 1984). Its curvature is taken at estimates of the
    part itself before the trial; the evidence of all parts then adds up in information form.
    """
    plan = [plan_of(part, rows) for rows in chunks(part.item)]
    theta = np.tile(_START, (len(part.category), 1))
    for _ in range(_ROUNDS):
        theta = _pooled(part.category, _numbers(part, plan, theta)[:, 0])
    return Tally(part.category, _numbers(part, plan, theta))


def joined(tallies: Sequence[Tally]) -> Tally:
    """Returns the tallies of several parts as one, items in the order of the parts."""
    return Tally(
        np.concatenate([one.category for one in tallies]),
        np.concatenate([one.numbers for one in tallies]),
    )


def candidates(total: Tally) -> tuple[Effects, ...]:
    """Returns the effects as known before the trial: neither, promotion, price, both."""
    return _fits(total.category, total.numbers[:, 0])


def losses(part: Part, rivals: Sequence[Effects]) -> Losses:
    """Returns the squared errors of each candidate in the weeks of the trial with an event.

    Levels are smoothed up to each origin with the past multipliers of the candidate taken out.
    Errors are measured in units of the usual error of a series of that size.
    """
    found = _no_losses(part.categories)
    for rows in chunks(part.item):
        plan = plan_of(part, rows)
        for origin in range(max(part.weeks - BLOCK_WEEKS + 1, 1), part.weeks, WINDOW_WEEKS):
            found = found + _window_losses(part, rows, plan, rivals, origin)
    return found


def sum_losses(parts: Sequence[Losses]) -> Losses:
    """Returns the losses of all parts of a brand."""
    return reduce(Losses.__add__, parts)


def effects(total: Tally, proof: Losses) -> Effects:
    """Returns the effects of every item from all its weeks, 0 where they did not prove themselves.

    A term is admitted when it lowers the squared error of the trial by 2 % and by more than chance
    allows (2 standard errors), over the whole brand or, failing that, in a category (3 standard
    errors, as there are many); a category that loses by what its brand admitted goes without.
    """
    fits = _fits(total.category, total.numbers.sum(axis=1))
    chosen = _chosen(proof)[total.category]
    at = np.arange(len(chosen))
    return Effects(
        np.array([fit.promotion for fit in fits])[chosen, at],
        np.array([fit.elasticity for fit in fits])[chosen, at],
    )


def multipliers(part: Part, found: Effects) -> Multipliers:
    """Returns the multipliers of every series; 1 is no promotion at the usual price.

    Divide past demand by `past` before smoothing and multiply the mean ahead by `future`.
    """
    made = np.ones(part.promotion.shape)
    busy = found.promotion.astype(bool) | found.elasticity.astype(bool)
    for rows in chunks(part.item):
        if busy[part.item[rows]].any():
            made[rows] = _multiplied(plan_of(part, rows), found, part.item[rows])
    return Multipliers(made[:, : part.weeks], made[:, part.weeks :])


def estimate(part: Part) -> Effects:
    """Returns the admitted effects of a brand that is one part."""
    total = tally(part)
    return effects(total, losses(part, candidates(total)))


# --- what a plan says -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """Strength of promotion and log of price to usual price, [series of a chunk, week + horizon].

    Single precision halves the memory of a part; a strength needs no more.
    """

    promotion: NDArray[np.float32]
    price: NDArray[np.float32]


def chunks(item: Codes) -> Iterator[slice]:
    """Yields runs of some thousand series that hold whole items."""
    begin, count = 0, len(item)
    while begin < count:
        last = item[min(begin + _CHUNK, count) - 1]
        end = int(np.searchsorted(item, last, side="right"))
        yield slice(begin, end)
        begin = end


def plan_of(part: Part, rows: slice) -> Plan:
    """Returns the plan of some series, measured against full promotion and usual price."""
    strength = np.nan_to_num(part.promotion[rows], posinf=0.0, neginf=0.0) / part.full
    return Plan(
        np.clip(strength, 0.0, 1.0).astype(np.float32),
        _log_price(part.price[rows], part.item[rows], part.weeks).astype(np.float32),
    )


def _log_price(price: Floats, item: Codes, weeks: int) -> Floats:
    """Returns log(price / usual price), 0 where no price is known.

    An unknown price moves as the item's known prices of that week do in other regions; else it was
    the usual price in the past and is the recent one ahead.
    """
    known = np.isfinite(price) & (price > 0)
    if not known.any():
        return np.zeros(price.shape)
    usual = _median(price[:, :weeks], known[:, :weeks])
    known &= usual[:, None] > 0
    ratio = np.log(np.where(known, price, 1.0) / np.where(known, usual[:, None], 1.0))
    ratio = np.clip(ratio, -_FARTHEST_PRICE, _FARTHEST_PRICE)
    filled, sure = _as_elsewhere(ratio, known, item)
    recent = filled[:, max(weeks - _RECENT_WEEKS, 0) : weeks]
    level = _median(recent, np.ones(recent.shape, bool))[:, None]
    ahead = np.arange(price.shape[1]) >= weeks
    return np.where(
        sure, filled, np.where(ahead & known[:, :weeks].any(1, keepdims=True), level, 0)
    )


def _median(values: Floats, known: Truths) -> Floats:
    """Returns the lower median of the known values of each row, 0 where there is none."""
    if not values.shape[1]:
        return np.zeros(len(values))
    ordered = np.sort(np.where(known, values, np.inf), axis=1)
    middle = np.maximum(known.sum(axis=1) - 1, 0) // 2
    found = np.take_along_axis(ordered, middle[:, None], axis=1)[:, 0]
    return np.where(np.isfinite(found), found, 0.0)


def _as_elsewhere(ratio: Floats, known: Truths, item: Codes) -> tuple[Floats, Truths]:
    """Returns ratios with gaps filled by the item's mean of that week, and where that was known."""
    first = np.flatnonzero(np.r_[True, np.diff(item) > 0])
    member = np.cumsum(np.r_[0, np.diff(item) > 0])
    votes = np.add.reduceat(known.astype(np.float64), first, axis=0)
    mean = np.add.reduceat(ratio, first, axis=0) / np.maximum(votes, 1.0)
    return np.where(known, ratio, mean[member]), known | (votes > 0)[member]


def _multiplied(plan: Plan, found: Effects, item: Codes) -> Floats:
    moved = found.promotion[item, None] * plan.promotion + found.elasticity[item, None] * plan.price
    return np.asarray(np.exp(np.clip(moved, -FARTHEST, FARTHEST)))


def seen_weeks(demand: Floats, hidden: Truths) -> Truths:
    """Returns which weeks are evidence: from the first demand on, hidden weeks left out."""
    return np.logical_or.accumulate(demand > 0, axis=1) & ~hidden


# --- evidence ---------------------------------------------------------------------------------


def _numbers(part: Part, plans: Sequence[Plan], theta: Floats) -> Floats:
    made = np.zeros((len(part.category), 2, 7))
    for rows, plan in zip(chunks(part.item), plans, strict=True):
        promotion, price = plan.promotion[:, : part.weeks], plan.price[:, : part.weeks]
        moved = np.flatnonzero(promotion.any(axis=1) | price.any(axis=1))
        if moved.size:
            item = part.item[rows][moved]
            demand, hidden = part.demand[rows][moved], part.hidden[rows][moved]
            one = _evidence(demand, hidden, promotion[moved], price[moved], theta[item])
            np.add.at(made, item, one)
    return made


def _evidence(
    demand: Floats,
    hidden: Truths,
    promotion: NDArray[np.float32],
    price: NDArray[np.float32],
    theta: Floats,
) -> Floats:
    """Returns the numbers of `Tally` of each series, [series, 2, 7], taken at `theta`."""
    seen = _blocks(seen_weeks(demand, hidden))
    units, push, cost = _blocks(demand) * seen, _blocks(promotion), _blocks(price)
    moved = theta[:, 0, None, None] * push + theta[:, 1, None, None] * cost
    weight = seen * np.exp(np.clip(moved, -FARTHEST, FARTHEST))
    share = weight / np.maximum(weight.sum(axis=2, keepdims=True), _TINY)
    total, weeks = units.sum(axis=2), seen.sum(axis=2)
    trust = (weeks > 1) / (1.0 + _CLUMPING * total / np.maximum(weeks, 1))
    mean_push, mean_cost = (share * push).sum(axis=2), (share * cost).sum(axis=2)
    score_push = trust * ((units * push).sum(axis=2) - total * mean_push)
    score_cost = trust * ((units * cost).sum(axis=2) - total * mean_cost)
    push_push = trust * total * ((share * push * push).sum(axis=2) - mean_push**2)
    push_cost = trust * total * ((share * push * cost).sum(axis=2) - mean_push * mean_cost)
    cost_cost = trust * total * ((share * cost * cost).sum(axis=2) - mean_cost**2)
    expected = total[..., None] * share
    squares = np.square(units - expected) / np.maximum(expected, _TINY) * seen
    made = np.stack(
        [
            score_push + push_push * theta[:, :1] + push_cost * theta[:, 1:],
            score_cost + push_cost * theta[:, :1] + cost_cost * theta[:, 1:],
            push_push,
            push_cost,
            cost_cost,
            trust * (total > 0) * squares.sum(axis=2),
            (trust > 0) * (total > 0) * (weeks - 1.0),
        ],
        axis=2,
    )
    return np.stack([made[:, :-1].sum(axis=1), made[:, -1]], axis=1)


def _blocks(values: NDArray[np.generic]) -> Floats:
    """Returns [series, block, week in block]; the last block ends with the last week."""
    count, weeks = values.shape
    blocks = max(-(-weeks // BLOCK_WEEKS), 1)
    made = np.zeros((count, blocks * BLOCK_WEEKS))
    made[:, made.shape[1] - weeks :] = values
    return made.reshape(count, blocks, BLOCK_WEEKS)


# --- pooling ----------------------------------------------------------------------------------


def _fits(category: Codes, numbers: Floats) -> tuple[Effects, ...]:
    made = (_pooled(category, numbers, np.array(terms)) for terms in _TERMS)
    return tuple(Effects(theta[:, 0], theta[:, 1]) for theta in made)


def _pooled(category: Codes, numbers: Floats, terms: Truths | None = None) -> Floats:
    """Returns the effects of each item, [item, 2], drawn towards its category and all items.

    Empirical Bayes: items spread around their category, and categories around the brand, as far
    as their evidence disagrees beyond chance.
    """
    box = (LEAST, MOST) if terms is None else (LEAST * terms, MOST * terms)
    excess = max(numbers[:, 5].sum() / max(numbers[:, 6].sum(), 1.0), 1.0)
    pull, sure = numbers[:, :2] / excess, numbers[:, [2, 3, 3, 4]].reshape(-1, 2, 2) / excess
    groups = int(category.max(initial=-1)) + 1
    group_pull, group_sure = np.zeros((groups, 2)), np.zeros((groups, 2, 2))
    np.add.at(group_pull, category, pull)
    np.add.at(group_sure, category, sure)
    prior = np.diag(_PRIOR_SPREAD**-2)
    brand = _bounded(pull.sum(axis=0)[None], sure.sum(axis=0)[None] + prior, *box)
    by_group = _drawn(group_pull, group_sure, np.tile(brand, (groups, 1)), box)
    return _drawn(pull, sure, by_group[category], box)


def _drawn(pull: Floats, sure: Floats, center: Floats, box: tuple[Floats, Floats]) -> Floats:
    prior = np.diag(1.0 / _spread(pull, sure, center))
    return _bounded(pull + center @ prior, sure + prior, *box)


def _spread(pull: Floats, sure: Floats, center: Floats) -> Floats:
    """Returns the variance of effects around their centers, [2].

    Method of moments (DerSimonian and Laird, Meta-analysis in clinical trials, 1986).
    """
    informed = np.diagonal(sure, axis1=1, axis2=2)
    miss = pull - (sure @ center[..., None])[..., 0]
    told = informed > _TINY
    surprise = (np.square(miss) / np.where(told, informed, 1.0) * told).sum(axis=0)
    beyond = (surprise - told.sum(axis=0)) / np.maximum(informed.sum(axis=0), _TINY)
    return np.asarray(np.clip(beyond, *_SPREAD_BOUNDS))


def _bounded(pull: Floats, sure: Floats, least: Floats, most: Floats) -> Floats:
    """Returns the minimum of `x' sure x / 2 - pull' x` inside a box, for each row.

    It is the free minimum where that lies inside, else the best minimum of the four edges.
    """
    free = np.linalg.solve(sure, pull[..., None])[..., 0]
    tries = [free] + [
        _edge(pull, sure, axis, bound[axis], least, most)
        for axis in (0, 1)
        for bound in (least, most)
    ]
    points = np.stack(tries)
    height = np.einsum("kni,nij,knj->kn", points, sure, points) / 2 - (points * pull).sum(axis=2)
    inside = ((free >= least) & (free <= most)).all(axis=1)
    height[0] = np.where(inside, -np.inf, np.inf)
    return np.asarray(points[height.argmin(axis=0), np.arange(len(pull))])


def _edge(
    pull: Floats, sure: Floats, axis: int, value: float, least: Floats, most: Floats
) -> Floats:
    other = 1 - axis
    best = (pull[:, other] - sure[:, 0, 1] * value) / sure[:, other, other]
    made = np.empty(pull.shape)
    made[:, axis] = value
    made[:, other] = np.clip(best, least[other], most[other])
    return made


# --- the trial --------------------------------------------------------------------------------


def _no_losses(categories: int) -> Losses:
    return Losses(np.zeros((categories, 4)), np.zeros((categories, 4, 4)))


def _window_losses(
    part: Part, rows: slice, plan: Plan, rivals: Sequence[Effects], origin: int
) -> Losses:
    end = min(origin + WINDOW_WEEKS, part.weeks)
    seen = seen_weeks(part.demand[rows], part.hidden[rows])[:, :end]
    event = (plan.promotion[:, origin:end] > 0) | (np.abs(plan.price[:, origin:end]) > _EVENT)
    event &= seen[:, origin:]
    used = np.flatnonzero(event.any(axis=1))
    found = _no_losses(part.categories)
    if not used.size:
        return found
    item, units = part.item[rows][used], part.demand[rows][used, :end]
    now = Plan(plan.promotion[used, :end], plan.price[used, :end])
    misses = np.stack(
        [_misses(units, seen[used], _multiplied(now, one, item), origin) for one in rivals]
    )[:, event[used]]
    group = np.repeat(part.category[item], event[used].sum(axis=1))
    np.add.at(found.sums, group, misses.T)
    np.add.at(found.products, group, np.einsum("ik,jk->kij", misses, misses))
    return found


def _misses(units: Floats, seen: Truths, multiplier: Floats, origin: int) -> Floats:
    """Returns scaled squared errors ahead of an origin, [series, week of the window]."""
    weight = seen[:, :origin] * (1.0 - _TRIAL_ALPHA) ** np.arange(origin)[::-1]
    evidence = np.maximum(weight.sum(axis=1), _TINY)
    level = (weight * units[:, :origin] / multiplier[:, :origin]).sum(axis=1) / evidence
    size = np.maximum((weight * units[:, :origin]).sum(axis=1) / evidence, _SLOWEST)
    miss = units[:, origin:] - level[:, None] * multiplier[:, origin:]
    return np.asarray(np.square(miss) / (size * (1.0 + _CLUMPING * size))[:, None])


def _chosen(proof: Losses) -> Codes:
    """Returns which candidate each category takes."""
    brand = _winner(proof.sums.sum(axis=0), proof.products.sum(axis=0))
    return np.array(
        [
            brand
            if brand and sums[brand] <= sums[NEITHER]
            else _winner(sums, products, _SIGMAS_ALONE)
            for sums, products in zip(proof.sums, proof.products, strict=True)
        ],
        dtype=np.int64,
    )


def _winner(sums: Floats, products: Floats, sigmas: float = _SIGMAS) -> int:
    """Returns the candidate that proved itself; both terms must beat the better of them."""

    def beats(new: int, old: int) -> bool:
        gain = sums[old] - sums[new]
        noise = products[old, old] - 2 * products[old, new] + products[new, new]
        return bool(gain > _MARGIN * sums[old] and gain > sigmas * np.sqrt(max(noise, 0.0)))

    single = PROMOTION if sums[PROMOTION] <= sums[PRICE] else PRICE
    if not beats(single, NEITHER):
        return BOTH if beats(BOTH, NEITHER) else NEITHER
    return BOTH if beats(BOTH, single) else single
