"""One command takes all of it away again."""

from __future__ import annotations

from tests.support.cluster import until

KINDS = (
    "deployments,statefulsets,jobs,cronjobs,pods,services,configmaps,secrets,serviceaccounts,roles,"
    "rolebindings,networkpolicies,poddisruptionbudgets,horizontalpodautoscalers"
)


def test_delete_leaves_nothing(watched, note):
    """``kubectl delete -k`` removes every object of ours; claims at most remain.

    The bootstrap Job may have been tidied away by itself, which is no error.
    """
    options = ("--ignore-not-found", "--wait=false")
    watched.cluster.kubectl("delete", "-k", watched.path, *options, timeout=200)

    def left() -> list[str]:
        told = watched.cluster.kubectl(
            *("get", KINDS, "-l", "app.kubernetes.io/part-of=plumbline", "-o", "name"),
            namespace=watched.namespace,
        )
        return told.split()

    _, seconds = until(lambda: not left(), 150, "everything to be gone", lambda: str(left()))
    note("`kubectl delete -k` until nothing is left", f"{seconds:.0f} s")
