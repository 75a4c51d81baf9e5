"""The judgement: statistics of predictions, inputs and labels, turned into one verdict.

No input or output, no model runtime: arrays in, a `Diagnosis` out. The same code judges a
validation set, sampled live windows and the live stream.
"""
