"""Dated customs rules that the project carries, each with its source and the day it was checked."""
