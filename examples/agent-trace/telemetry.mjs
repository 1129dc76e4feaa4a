// Tracing for the two services of the example, and the receiver that keeps what their exporter sends.

import { appendFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import * as semconv from '@opentelemetry/semantic-conventions/incubating';

/** Listens on a free loopback port and answers its base address. */
export async function listenOnLoopback(server) {
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${server.address().port}`;
}

export async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/**
 * An OTLP/HTTP receiver that appends every body to `path` byte for byte, one a line.
 * A body that would not stay one line, or is not plain JSON, is refused, so the file never differs from what was sent.
 */
export async function startReceiver(path) {
  writeFileSync(path, '');
  const server = createServer(async (request, response) => {
    const body = await readBody(request);
    const isPlainJson =
      request.headers['content-type'] === 'application/json' && request.headers['content-encoding'] === undefined;
    if (request.method !== 'POST' || request.url !== '/v1/traces' || !isPlainJson || body.includes(0x0a)) {
      response.writeHead(400).end();
      return;
    }
    appendFileSync(path, Buffer.concat([body, Buffer.from('\n')]));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  const address = await listenOnLoopback(server);
  return { address, close: () => server.close() };
}

/** A tracer provider for one service. No host or process detector is used, so nothing of the machine is sent. */
export function createProvider(receiverAddress, { name, version, instance }) {
  const resource = defaultResource().merge(
    resourceFromAttributes({
      [semconv.ATTR_SERVICE_NAME]: name,
      [semconv.ATTR_SERVICE_NAMESPACE]: 'northmere',
      [semconv.ATTR_SERVICE_VERSION]: version,
      [semconv.ATTR_SERVICE_INSTANCE_ID]: instance,
      [semconv.ATTR_DEPLOYMENT_ENVIRONMENT_NAME]: 'staging',
    }),
  );
  const exporter = new OTLPTraceExporter({ url: `${receiverAddress}/v1/traces` });
  const processor = new BatchSpanProcessor(exporter, { maxExportBatchSize: 12, scheduledDelayMillis: 60_000 });
  return new NodeTracerProvider({ resource, spanProcessors: [processor] });
}
