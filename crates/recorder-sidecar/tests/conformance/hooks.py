"""What schemathesis cannot know: what names look like, and which recorder is asked."""

import schemathesis
from hypothesis import strategies as st

NAMES = st.one_of(
    st.sampled_from(["default", "t", "agent:refunds", "é", "日本語", "a b", "x" * 256]),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40),
)

schemathesis.openapi.format("drawn_name", NAMES)
schemathesis.openapi.format("drawn_recorder_id", st.just("recorder-cli"))


@schemathesis.hook
def map_headers(_context: object, headers: dict[str, str] | None) -> dict[str, str] | None:
    """Names a request once: two names that differ are refused, which a schema cannot say."""
    if headers is not None and "x-correlation-id" in headers:
        headers.pop("x-request-id", None)
    return headers
