"""Sends spans and logs through the OpenTelemetry SDK to a receiver in this process, which keeps the bodies as they came."""

import logging
import pathlib
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

FOLDER = pathlib.Path(sys.argv[1])
count = 0


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers["Content-Length"]))
        (FOLDER / f"{count:03}{self.path.replace('/', '-')}").write_bytes(body)
        count += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"

resource = Resource.create({"service.name": "py-agent", "service.namespace": "tests", "deployment.environment.name": "ci"})
traces = TracerProvider(resource=resource)
exporter = OTLPSpanExporter(endpoint=f"{base}/v1/traces", compression=Compression.Gzip)
traces.add_span_processor(BatchSpanProcessor(exporter))
tracer = traces.get_tracer("sdk-test", "1")
for index in range(20):
    with tracer.start_as_current_span(f"chat {index}") as span:
        span.set_attribute("gen_ai.conversation.id", "conv-py")
        span.set_attribute("gen_ai.input.messages", "planted content of a conversation")
        span.set_attribute("odd.nan", float("nan"))
        span.set_attribute("odd.list", [1, 2, 3])
        span.add_event("tick", {"i": index})

logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint=f"{base}/v1/logs")))
logger = logging.getLogger("sdk-test")
logger.setLevel(logging.DEBUG)
logger.addHandler(LoggingHandler(logger_provider=logs))
for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
    logger.log(level, "planted content of a conversation")

traces.shutdown()
logs.shutdown()
server.shutdown()
