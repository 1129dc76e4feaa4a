// The agent's tools: files in attachments/, sums, the policy check, and calls to the ledger over HTTP.

import { SpanKind, SpanStatusCode, context, propagation, trace } from '@opentelemetry/api';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as semconv from '@opentelemetry/semantic-conventions/incubating';

const ATTEMPTS_MAX = 3;
const POLLS_MAX = 5;
const PAUSE_MS = 25;

/** Names the file in attachments/ that a span used; not a convention of OpenTelemetry, but of this example. */
export const ATTR_ATTACHMENT = 'recorder.example.attachment';

class HttpStatusError extends Error {
  name = 'HttpStatusError';
  constructor(status, message) {
    super(`${status}: ${message}`);
    this.status = status;
  }
}

/** Marks a span failed in the way the conventions ask for: an exception event, `error.type`, and the status. */
export function recordFailure(span, error) {
  span.recordException(error);
  span.setAttribute(semconv.ATTR_ERROR_TYPE, error.status === undefined ? error.name : String(error.status));
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
}

const tracer = () => trace.getTracer('refund-desk.tools', '1.0.0');

async function send(method, url, body, resendCount) {
  const { hostname, port } = new URL(url);
  const attributes = {
    [semconv.ATTR_HTTP_REQUEST_METHOD]: method,
    [semconv.ATTR_URL_FULL]: url,
    [semconv.ATTR_SERVER_ADDRESS]: hostname,
    [semconv.ATTR_SERVER_PORT]: Number(port),
    ...(resendCount > 0 && { [semconv.ATTR_HTTP_REQUEST_RESEND_COUNT]: resendCount }),
  };
  return tracer().startActiveSpan(method, { kind: SpanKind.CLIENT, attributes }, async (span) => {
    try {
      const headers = { 'content-type': 'application/json' };
      propagation.inject(context.active(), headers);
      const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
      span.setAttribute(semconv.ATTR_HTTP_RESPONSE_STATUS_CODE, response.status);
      const answer = await response.json();
      if (!response.ok) throw new HttpStatusError(response.status, answer.error);
      return answer;
    } catch (error) {
      recordFailure(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Sends again only when the ledger said it was not able to, never when it said no. */
async function sendWithRetry(method, url, body) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await send(method, url, body, attempt);
    } catch (error) {
      if (error.status !== 503 || attempt + 1 === ATTEMPTS_MAX) throw error;
      trace.getActiveSpan().addEvent('retry', { 'refund_desk.attempt': attempt + 1 });
      await pause(PAUSE_MS);
    }
  }
}

/** A bare file name only: the agent cannot reach outside attachments/. */
function attachmentUrl(file) {
  if (file !== basename(file) || file.startsWith('.')) throw new RangeError(`not a bare file name: ${file}`);
  trace.getActiveSpan().setAttribute(ATTR_ATTACHMENT, file);
  return new URL(`attachments/${file}`, import.meta.url);
}

function policyRules(markdown) {
  const rows = [...markdown.matchAll(/^\| ([a-z-]+) +\| (\S+) +\|$/gm)];
  return new Map(rows.map(([, rule, value]) => [rule, value]));
}

function totalCharges({ file, refundable_state }) {
  const [, ...lines] = readFileSync(attachmentUrl(file), 'utf8').trimEnd().split('\n');
  const totals = {};
  for (const line of lines) {
    const [, , , , amount, state] = line.split(',');
    totals[state] = (totals[state] ?? 0) + Number(amount);
  }
  return { line_count: lines.length, totals, refundable_cents: totals[refundable_state] ?? 0 };
}

function checkPolicy({ file, amount_cents, refundable_cents, account_ending, paid_from_account_ending }) {
  const rules = policyRules(readFileSync(attachmentUrl(file), 'utf8'));
  const [agentLimit, managerLimit] = ['agent-limit-cents', 'manager-limit-cents'].map((rule) => Number(rules.get(rule)));
  const denials = [
    amount_cents > refundable_cents && `${amount_cents} is more than the refundable ${refundable_cents}`,
    account_ending !== paid_from_account_ending && `account ending ${account_ending} did not pay for the booking`,
    amount_cents > managerLimit && `${amount_cents} is above the manager limit ${managerLimit}`,
  ].filter(Boolean);
  const verdict = denials.length > 0 ? 'deny' : amount_cents > agentLimit ? 'escalate' : 'allow';
  const reasons = verdict === 'escalate' ? [`${amount_cents} is above the agent limit ${agentLimit}`] : denials;
  trace.getActiveSpan().setAttribute('refund_desk.policy.verdict', verdict);
  return { verdict, reasons };
}

async function requestApproval(ledger, request) {
  const { approval } = await sendWithRetry('POST', `${ledger}/approvals`, request);
  for (let poll = 0; poll < POLLS_MAX; poll += 1) {
    const answer = await sendWithRetry('GET', `${ledger}/approvals/${approval}`);
    const isApproved = answer.state === 'approved';
    trace.getActiveSpan().setAttribute('refund_desk.approval.granted', isApproved);
    if (isApproved) return answer;
    await pause(PAUSE_MS);
  }
  throw new Error(`approval ${approval} was not given in time`);
}

function comparePayee({ claimed, account_ending, unchanged_days }) {
  const match = claimed === account_ending && unchanged_days >= 30;
  return { match, reason: `account ending ${claimed}, on file ${account_ending}, unchanged for ${unchanged_days} days` };
}

/** The tools by name. `delegate` runs another agent and answers its last text. */
export function createTools(ledger, delegate) {
  return {
    read_file: ({ file }) => ({ text: readFileSync(attachmentUrl(file), 'utf8') }),
    write_file: ({ file, text }) => {
      writeFileSync(attachmentUrl(file), text);
      return { file, bytes: Buffer.byteLength(text) };
    },
    total_charges: totalCharges,
    check_policy: checkPolicy,
    compare_payee: comparePayee,
    lookup_booking: ({ booking }) => sendWithRetry('GET', `${ledger}/bookings/${booking}`),
    lookup_payee: ({ customer }) => sendWithRetry('GET', `${ledger}/payees/${customer}`),
    request_approval: (request) => requestApproval(ledger, request),
    issue_refund: (request) => sendWithRetry('POST', `${ledger}/refunds`, request),
    open_case: (request) => sendWithRetry('POST', `${ledger}/cases`, request),
    delegate_payee_check: async ({ customer, account_ending }) => ({
      finding: await delegate(`Check the payee of customer ${customer}: account ending ${account_ending}.`),
    }),
  };
}
