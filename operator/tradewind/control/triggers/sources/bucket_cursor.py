"""The new objects of a bucket, for triggers."""

from datetime import UTC, datetime

from tradewind.control.sensors.bucket_probe import BucketProbe
from tradewind.model.duration import instant
from tradewind.model.trigger_sensor import BucketWatch
from tradewind.plan.sensors.bucket_listing import KEYS_REMEMBERED, SETTLED, Mark, Object, fresh
from tradewind.plan.sensors.sensor import Batch, Values
from tradewind.plan.triggers.trigger import told


async def new_objects(
    bucket: BucketWatch, probe: BucketProbe, cursor: str, keys: tuple[str, ...], begun: float, values: Values
) -> Batch:
    """The new objects. `cursor` and `keys` are remembered from the last poll, `begun` is when (epoch seconds) the trigger began to watch:
    older objects are ignored. Raises ProbeFailedError."""
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
    """The objects after the last one, for keys that sort by time."""
    after = cursor if cursor.startswith(probe.prefix) else ""
    there, token, now = await probe.page(**({"start-after": after} if after else {}))
    found: list[Object] = []
    passed = 0
    while passed < len(there) and there[passed].mark[0] <= now - SETTLED and len(found) < KEYS_REMEMBERED:
        if there[passed].mark[0] >= begun:
            found.append(there[passed])
        passed += 1
    # Objects after one that is too young have to wait: the cursor can't skip it.
    young = passed < len(there) and len(found) < KEYS_REMEMBERED
    last = there[passed - 1].key if passed else after
    more = not young and (passed < len(there) or bool(token))
    return Batch([{**values, **_known(item)} for item in found], last, (), more)


def _mark(cursor: str) -> Mark:
    time, _, key = cursor.partition("/")
    try:
        return instant(time), key
    except ValueError:  # The cursor is empty, or from another kind of bucket watch.
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
