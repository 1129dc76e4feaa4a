"""What the page shows as examples, and the lists of characters that it calls the rule."""

import re

from paths import PAGE

from recorder_client.verify import identifier
from recorder_client.verify.json_text import canonical_text
from recorder_client.verify.limit import Limits


def test_the_lists_of_characters_are_those_of_the_page() -> None:
    examples = dict(re.findall(r"<!-- example: ([^>]+) -->\n```text\n(.*?)\n```", PAGE.read_text("utf-8"), re.DOTALL))
    assert examples["white space"].split() == identifier.WHITE_SPACE.split()
    assert examples["forbidden characters"].split() == identifier.FORBIDDEN.split()


def test_the_limits_are_those_of_the_page() -> None:
    assert canonical_text(dict(Limits().as_object())) in PAGE.read_text("utf-8")
