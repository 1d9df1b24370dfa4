"""From a problem to a plan in whole units, its prices and the proof."""
