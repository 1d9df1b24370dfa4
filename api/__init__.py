"""Every door: HTTP, jobs, command line, console; settings, database and migrations."""
