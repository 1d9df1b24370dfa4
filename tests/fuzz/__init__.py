"""Fuzzing: requests made up from the OpenAPI document, every answer held against it."""
