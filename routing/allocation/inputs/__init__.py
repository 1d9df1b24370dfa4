"""From a brand to its problem: what is where, what it may do, and what everything costs."""
