"""Where everything lives: bundles, aliases, the prediction log, outcomes, incidents, reports.

One object store URL is the only stateful dependency. Every change of state is "create the next
generation" with put-if-absent, which is atomic on local disk, in memory and on S3.
"""
