"""The rules of Prometheus: what is recorded of a model, and when a person or the loop is called.

This room is their one source. `plumbline rules` prints them; ``k8s/rules`` and ``k8s/components``
carry what it printed. Start reading at `ruleset`.
"""
