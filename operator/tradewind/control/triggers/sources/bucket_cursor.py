"""What a trigger's look into a bucket comes to."""

from datetime import UTC, datetime

from tradewind.control.sensors.bucket_probe import BucketProbe
from tradewind.model.duration import instant
from tradewind.model.trigger_sensor import BucketWatch
from tradewind.plan.sensors.bucket_listing import KEYS_REMEMBERED, SETTLED, Mark, Object, fresh
from tradewind.plan.sensors.sensor import Batch, Values
from tradewind.plan.triggers.trigger import told


async def watched(
    bucket: BucketWatch, probe: BucketProbe, cursor: str, keys: tuple[str, ...], begun: float, values: Values
) -> Batch:
    """The objects that are new. `cursor` and `keys` are what is remembered, `begun` is when (epoch seconds) the trigger began to watch:
    older objects are none of its. Raises Unanswered."""
    if bucket.ordered:
        return await _following(probe, cursor, 0.0 if bucket.existing else begun, values)
    there, now = await probe.all()
    start: Mark = (0.0 if bucket.existing else begun, "")
    found = fresh(there, max(start, _mark(cursor)), keys, now)
    return Batch(
        [{**values, **_known(item)} for item in found.found],
        _text(found.mark) if found.mark > (0.0, "") else "",
        found.keys,
        found.more,
    )


async def _following(probe: BucketProbe, cursor: str, begun: float, values: Values) -> Batch:
    """Those after the last one."""
    after = cursor if cursor.startswith(probe.prefix) else ""
    there, token, now = await probe.page(**({"start-after": after} if after else {}))
    found: list[Object] = []
    passed = 0
    while passed < len(there) and there[passed].mark[0] <= now - SETTLED and len(found) < KEYS_REMEMBERED:
        if there[passed].mark[0] >= begun:
            found.append(there[passed])
        passed += 1
    # What comes after one that is too young waits too: the cursor can't skip it.
    young = passed < len(there) and len(found) < KEYS_REMEMBERED
    last = there[passed - 1].key if passed else after
    more = not young and (passed < len(there) or bool(token))
    return Batch([{**values, **_known(item)} for item in found], last, (), more)


def _mark(cursor: str) -> Mark:
    time, _, key = cursor.partition("/")
    try:
        return instant(time), key
    except ValueError:  # Of a trigger that was another one, or has no cursor yet.
        return 0.0, ""


def _text(mark: Mark) -> str:
    return f"{told(datetime.fromtimestamp(mark[0], UTC))}/{mark[1]}"


def _known(item: Object) -> Values:
    return {
        "object.key": item.key,
        "object.size": item.size,
        "object.etag": item.etag,
        "object.lastModified": item.modified,
    }
