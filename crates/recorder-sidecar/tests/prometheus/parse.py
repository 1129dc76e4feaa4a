"""Reads a page of metrics with the parser that Prometheus publishes, and writes what it found as JSON."""

import json
import pathlib
import sys

from prometheus_client.parser import text_string_to_metric_families

page = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
families = [
    {
        "name": family.name,
        "type": family.type,
        "help": family.documentation,
        "samples": [
            {"name": sample.name, "labels": sample.labels, "value": sample.value}
            for sample in family.samples
        ],
    }
    for family in text_string_to_metric_families(page)
]
json.dump(families, sys.stdout)
