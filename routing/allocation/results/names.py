"""Names: columns of tables, from positions on the axes of a problem."""

import numpy as np
import pandas as pd

from routing.allocation.problem import Ints, Problem


def bucket_of(problem: Problem, bucket: Ints) -> "pd.Series[pd.Timestamp]":
    """Returns the first day of each bucket."""
    starts = np.array(problem.axes.buckets, dtype="datetime64[us]")
    return pd.Series(starts[bucket], dtype="datetime64[us]")


def named(names: tuple[str, ...], at: Ints) -> "pd.Series[str]":
    """Returns the name at each position."""
    return pd.Series(np.array(names, dtype=object)[at], dtype="str")
