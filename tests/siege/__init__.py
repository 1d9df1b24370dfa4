"""The siege: clients, kills and a checker of histories, against real processes and databases.

`python -m tests.siege --help` runs it for as long as one likes; the test runs it briefly.
"""
