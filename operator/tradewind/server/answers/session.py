"""Who one is, what one may do, search and health."""

from tradewind.server.answers.base import Answer, Body, Query


class TokenBody(Body):
    """The token from the address that the command printed."""

    token: str


class ProblemWords(Answer):
    """Something that limits what is shown."""

    words: str


class MeAnswer(Answer):
    """The user, the cluster, and the user's rights."""

    user: str
    groups: list[str]
    cluster: str
    """Address of the API server."""
    mode: str
    """kubeconfig or local."""
    namespaces: list[str]
    """Namespaces with objects that the user may see, and the one that is used without a choice."""
    namespace: str
    """The namespace that is used without a choice; empty for all."""
    version: str
    can: dict[str, dict[str, list[str]]]
    """By namespace and resource (`pods/log` too): verbs."""
    problems: list[ProblemWords]


class SearchQuery(Query):
    """What to search for."""

    q: str = ""
    namespace: str = ""


class SearchHit(Answer):
    """Something found."""

    kind: str
    """dag, run, trigger, backfill, pool, asset or task."""
    namespace: str
    name: str
    text: str
    """What else is known of it, on one line."""


class SearchAnswer(Answer):
    """At most 20 things, the best first."""

    hits: list[SearchHit]


class HealthFinding(Answer):
    """A finding of the doctor."""

    check: str
    level: str
    """ok, warning, problem or unknown."""
    text: str
    todo: str


class HealthAnswer(Answer):
    """The findings, the worst first."""

    findings: list[HealthFinding]


class HealthQuery(Query):
    """Where to look."""

    namespace: str = ""
