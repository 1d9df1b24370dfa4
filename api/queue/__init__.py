"""The queue: the truth about jobs, the wake-ups to send, and what happened, in the database."""
