"""The console: server-rendered pages for the planner and the supply manager."""
