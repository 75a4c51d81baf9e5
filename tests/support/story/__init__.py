"""A scripted collapse as a Prometheus would have seen it: three hours, told in a few seconds.

Three models in one namespace. `eurusd-1m` goes flat, is retrained twice, shadowed, promoted and
recovers; the feed of `btcusd-5m` freezes later, and a person is called; `gold-1h`, a forecast, is
well throughout. What was answered is drawn at random; everything counted of it is counted, and the
project's own rules are evaluated over it by promtool.
"""
