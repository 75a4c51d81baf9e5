"""The `plumbline` command: one file per group, thin: parse, call one function, print."""
