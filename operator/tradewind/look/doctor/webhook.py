"""Checks of the admission webhook: whether it is registered, has pods, and refuses what it must."""

from tradewind.look.doctor.facts import NAME, WEBHOOK, Body, Facts, Unknown
from tradewind.look.doctor.finding import Found, Level, unknown


def webhook(facts: Facts) -> Found:
    """All findings about the webhook."""
    if facts.local:
        yield Level.OK, "`tradewind dev` has none: `tradewind lint` and `tradewind apply` say what one would refuse", ""
        return
    if isinstance(facts.webhooks, Unknown):
        yield unknown(facts.webhooks, "its configuration")
        return
    if not facts.webhooks:
        yield Level.OK, "not installed: mistakes are told in the status of objects (docs/admission.md)", ""
        return
    for body in facts.webhooks:
        yield from _configured(facts, body)
    if facts.namespace and not any(
        _is_asked(webhook, facts.namespace) for body in facts.webhooks for webhook in body["webhooks"]
    ):
        yield Level.OK, f"it is not asked about namespace {facts.namespace}", ""
        return
    if isinstance(facts.refused, Unknown):
        yield unknown(facts.refused, "whether it refuses an invalid DAG")
    elif "denied the request" in facts.refused:  # the API server's prefix of a webhook's message
        yield Level.OK, "it refuses an invalid DAG", ""
    else:
        words = f"an invalid DAG is not refused by it{': ' + facts.refused if facts.refused else ''}"
        yield (
            Level.PROBLEM,
            words,
            "is the namespace among the chart's watchNamespaces? Does the API server reach the webhook's pods?",
        )


def _is_asked(webhook: Body, namespace: str) -> bool:
    """Whether the webhook is called for a namespace, by the chart's selector, which goes by names of namespaces."""
    named = [item["values"] for item in (webhook.get("namespaceSelector") or {}).get("matchExpressions") or ()
             if item["key"] == "kubernetes.io/metadata.name" and item["operator"] == "In"]  # fmt: skip
    return all(namespace in values for values in named)


def _configured(facts: Facts, body: Body) -> Found:
    for webhook in body["webhooks"]:
        config = webhook["clientConfig"]
        if not config.get("caBundle"):
            words = f"{body['metadata']['name']} has no caBundle: the API server can't trust it"
            yield (
                Level.PROBLEM,
                words,
                "with cert-manager, is its cainjector there? Otherwise `helm upgrade` (docs/admission.md#certificates)",
            )
        service = config.get("service")
        if not service or isinstance(facts.answering, Unknown):
            continue
        name = f"{service['namespace']}/{service['name']}"
        if facts.answering.get(name) == 0:
            closed = webhook.get("failurePolicy") == "Fail"
            effect = "objects that it covers are refused" if closed else "objects are accepted unchecked"
            look = f"`kubectl -n {service['namespace']} describe pods -l {NAME}={WEBHOOK}`"
            yield (
                Level.PROBLEM if closed else Level.WARNING,
                f"no pod answers for {name} ({webhook['name']}): {effect}",
                look,
            )
