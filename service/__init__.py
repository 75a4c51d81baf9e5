"""Online: loads bundles, answers predictions, counts them, logs them.

The service judges nothing: it repeats the verdict that the monitor publishes in the store.
"""
