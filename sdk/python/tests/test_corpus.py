"""Every bundle of the corpus: verdict, answers, exit code, and exactly the findings that are expected."""

import pytest
from bundles import Expected, corpus, judged
from paths import PAGE

from recorder_client.verify.code import CODES

CORPUS = corpus()


@pytest.mark.parametrize("expected", CORPUS, ids=lambda one: one.name)
def test_a_bundle_gives_exactly_what_is_expected(expected: Expected) -> None:
    report = judged(expected.data, expected.trust_root, expected.known_heads)
    outcome = expected.outcome
    if report is None:
        assert outcome["verdict"] is None
        assert outcome["limit"] is not None
        return
    assert report.verdict == outcome["verdict"]
    assert report.answers.as_object() == outcome["answers"]
    found = {(one.code.name, one.code.phase.value) for one in report.findings.listed}
    assert found == {(one["code"], one["phase"]) for one in outcome["findings"]}
    assert (report.exit_code() == 3) == (outcome["verdict"] == "invalid")


def test_the_codes_are_those_of_the_page() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    table = {
        row[0].strip("|` "): (row[1], row[2], row[3] == "failure", row[4].removesuffix(" |"))
        for row in rows
        if len(row) == 5 and row[3] in ("failure", "warning")
    }
    ours = {code.name: (code.phase.value, code.question, code.is_failure, code.meaning) for code in CODES.values()}
    assert list(ours) == list(table)
    assert ours == table
