"""Compares cupbearer with other proxies that attach a token; `benches/sidebyside --help` explains how.

- command.py: the arguments, and the order in which everything happens
- tools.py: finds, installs and builds what is needed
- machine.py: cores, free ports and file limits
- processes.py: starts a program on its core, stops it, and reads what it has used
- api.py: the API and the token endpoint
- proxies/: how each proxy is started, and why its settings are as they are
- load.py: the load generators
- rounds.py: runs rounds in turns
- scenarios/: what is measured
- report.py: statistics and tables
"""
