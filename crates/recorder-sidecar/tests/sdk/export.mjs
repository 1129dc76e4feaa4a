// Sends spans and log records through OpenTelemetry's own exporters, set up by environment variables alone, and fails unless they say
// that all of it was taken.

import { logs } from '@opentelemetry/api-logs';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

const isJson = process.env.OTEL_EXPORTER_OTLP_PROTOCOL === 'http/json';

/** Passes batches on, and keeps whether one was given up. */
class Watched {
  failed = false;
  constructor(exporter) {
    this.exporter = exporter;
  }
  export(batch, done) {
    this.exporter.export(batch, (result) => {
      this.failed ||= result.code !== 0;
      done(result);
    });
  }
  forceFlush() {
    return this.exporter.forceFlush?.() ?? Promise.resolve();
  }
  shutdown() {
    return this.exporter.shutdown();
  }
}

const spans = new Watched(isJson ? new JsonTraces() : new ProtobufTraces());
const traces = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(spans, { maxExportBatchSize: 10, scheduledDelayMillis: 60_000 })] });
const tracer = traces.getTracer('sdk-test');
for (let index = 0; index < 20; index += 1) {
  tracer.startActiveSpan(`chat ${index}`, (span) => {
    span.setAttribute('gen_ai.input.messages', 'planted content of a conversation');
    span.setAttribute('odd.nan', Number.NaN);
    span.addEvent('tick', { index });
    span.end();
  });
  // One export at a time.
  if (index === 9) await traces.forceFlush();
}
await traces.shutdown();

const records = new Watched(isJson ? new JsonLogs() : new ProtobufLogs());
const provider = new LoggerProvider({ processors: [new BatchLogRecordProcessor({ exporter: records, scheduledDelayMillis: 60_000 })] });
logs.setGlobalLoggerProvider(provider);
for (let index = 0; index < 5; index += 1) {
  logs.getLogger('sdk-test').emit({ severityNumber: 9, body: 'planted content of a conversation' });
}
await provider.shutdown();

process.exit(spans.failed || records.failed ? 1 : 0);
