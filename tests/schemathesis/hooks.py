"""What the document says in words only, said to schemathesis: values that fit, where no keyword of a schema tells which do."""

import datetime
import itertools
import json

import schemathesis
from hypothesis import strategies as st

# A name without dots: with one it might look like a web address, which is refused.
BRAND = r"[A-Za-z0-9]([A-Za-z0-9 &'-]{0,30}[A-Za-z0-9])?"
schemathesis.openapi.format("otpgate-brand", st.from_regex(BRAND, fullmatch=True))
schemathesis.openapi.format("otpgate-code", st.from_regex(r"[A-Za-z0-9]{4,10}", fullmatch=True))
schemathesis.openapi.format("otpgate-network", st.sampled_from(["10.0.0.0/8", "2001:db8::1"]))
schemathesis.openapi.format("otpgate-country", st.sampled_from(["US", "DE"]))
schemathesis.openapi.format("otpgate-host", st.sampled_from(["shop.example.com", "example.org"]))
schemathesis.openapi.format("otpgate-fault", st.sampled_from(["silence=lost@next:1", "error_after=cms:38,lost@next:1"]))
# A time to come, and not more than seven days ahead: as `send_at` and `expires_at` must be.
BEGIN = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
TIMES = st.integers(0, 5 * 86_400).map(lambda s: BEGIN + datetime.timedelta(seconds=s))
schemathesis.openapi.format("date-time", TIMES.map(lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ")))

ADDRESS = itertools.count(1)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Each request from an address of its own: ten wrong keys a minute from one of them, and the answer is 429."""
    number = next(ADDRESS)
    case.headers["X-Forwarded-For"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    # What waits is not waited for: there would be time for little else.
    if isinstance(case.query, dict) and str(case.query.get("wait")) in map(str, range(2, 61)):
        case.query["wait"] = 1


@schemathesis.hook
def map_body(context, body):
    """What no keyword tells: `metadata` of a kilobyte. And no second admin key: with one the first, which all this is done
    with, could be revoked."""
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("metadata"), dict) and len(json.dumps(body["metadata"])) > 1000:
        return {**body, "metadata": {}}
    if isinstance(body.get("scopes"), list):
        return {**body, "scopes": ["read" if scope == "admin" else scope for scope in body["scopes"]]}
    return body
