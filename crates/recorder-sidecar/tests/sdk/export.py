"""Sends spans and log records through OpenTelemetry's own exporters, set up by environment variables alone, and fails unless they say that
all of it was taken."""

import logging
import sys

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

failures = []


def watched(exporter, success):
    export = exporter.export

    def keeping(batch):
        result = export(batch)
        if result is not success:
            failures.append(result)
        return result

    exporter.export = keeping
    return exporter


traces = TracerProvider()
spans = watched(OTLPSpanExporter(), SpanExportResult.SUCCESS)
traces.add_span_processor(BatchSpanProcessor(spans, max_export_batch_size=10, schedule_delay_millis=60_000))
tracer = traces.get_tracer("sdk-test")
for index in range(20):
    with tracer.start_as_current_span(f"chat {index}") as span:
        span.set_attribute("gen_ai.input.messages", "planted content of a conversation")
        span.set_attribute("odd.nan", float("nan"))
        span.add_event("tick", {"index": index})
    if index == 9:
        traces.force_flush()
traces.shutdown()

logs = LoggerProvider()
records = watched(OTLPLogExporter(), LogRecordExportResult.SUCCESS)
logs.add_log_record_processor(BatchLogRecordProcessor(records, schedule_delay_millis=60_000))
logger = logging.getLogger("sdk-test")
logger.setLevel(logging.DEBUG)
logger.addHandler(LoggingHandler(logger_provider=logs))
for _ in range(5):
    logger.info("planted content of a conversation")
logs.shutdown()

sys.exit(1 if failures else 0)
