"""Four dashboards for Grafana, as code: `python -m grafana.build` writes what is committed.

Start reading at `model.py`; what all panels share is in `panels.py`, what all dashboards share in
`frame.py`. The dashboards ask Prometheus alone. Of the other rooms this one knows words only: the
names of verdicts and of what an incident can be.
"""
