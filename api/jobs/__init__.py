"""Background work: the job row is the truth, rq is the wake-up."""
