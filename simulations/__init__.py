"""What-if and replay: scenarios, outcomes, comparison."""
