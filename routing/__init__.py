"""Lanes, landed cost, allocation, order plans and disruptions: the verbs that join the nouns."""
