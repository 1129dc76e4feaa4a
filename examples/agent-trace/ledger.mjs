// The booking ledger: a small HTTP service on loopback, with the controls that hold even when the agent errs.

import { SpanKind, SpanStatusCode, context, propagation } from '@opentelemetry/api';
import { createServer } from 'node:http';
import * as semconv from '@opentelemetry/semantic-conventions/incubating';
import { listenOnLoopback, readBody } from './telemetry.mjs';

function initialState() {
  return {
    bookings: new Map([
      [
        'B-7731',
        {
          booking: 'B-7731',
          customer: 'C-20417',
          contact: { email: 'lead.booker@customer.example', phone: '+44 1632 960117' },
          party_size: 6,
          cancelled_sailing: { number: 'NM-118', reason: 'storm warning' },
          paid_from_account_ending: '4410',
        },
      ],
    ]),
    payees: new Map([['C-20417', { customer: 'C-20417', account_ending: '4410', unchanged_days: 412 }]]),
    approvals: new Map(),
    refunds: [],
    cases: [],
    bookingReads: 0,
  };
}

const found = (value) => (value === undefined ? [404, { error: 'not found' }] : [200, value]);

/** The first read fails, as a service behind a restarting replica does. */
function readBooking(state, id) {
  state.bookingReads += 1;
  if (state.bookingReads === 1) return [503, { error: 'replica is restarting' }];
  const booking = state.bookings.get(id);
  return found(booking && { ...booking, refunds: state.refunds.filter((refund) => refund.booking === id) });
}

function askApproval(state, { booking, amount_cents, reason }) {
  const approval = { approval: `AP-${91 + state.approvals.size}`, booking, amount_cents, reason, state: 'pending' };
  state.approvals.set(approval.approval, { ...approval, reads: 0 });
  return [202, approval];
}

/** Stands in for the duty manager, who is still reading at the first poll and has approved by the second. */
function readApproval(state, id) {
  const approval = state.approvals.get(id);
  if (approval === undefined) return found(undefined);
  approval.reads += 1;
  if (approval.reads > 1) Object.assign(approval, { state: 'approved', approver: 'duty-manager-03' });
  const { reads, ...answer } = approval;
  return [200, answer];
}

/** Pays only the exact amount that was approved, once, to the account that paid. */
function payRefund(state, { booking, amount_cents, approval, account_ending }) {
  const granted = state.approvals.get(approval);
  const isGranted = granted?.state === 'approved' && granted.booking === booking;
  if (!isGranted) return [403, { error: 'no approval for this booking' }];
  if (granted.amount_cents !== amount_cents) {
    return [409, { error: `amount ${amount_cents} is not the approved amount ${granted.amount_cents}` }];
  }
  const paidFrom = state.bookings.get(booking).paid_from_account_ending;
  if (paidFrom !== account_ending) return [403, { error: 'not the paying account' }];
  if (state.refunds.some((refund) => refund.approval === approval)) return [409, { error: 'approval already used' }];
  const refund = { refund: `RF-${5520 + state.refunds.length}`, booking, amount_cents, approval, account_ending };
  state.refunds.push(refund);
  return [201, refund];
}

function openCase(state, { booking, reason }) {
  const opened = { case: `CS-${310 + state.cases.length}`, booking, reason, queue: 'human-review' };
  state.cases.push(opened);
  return [201, opened];
}

const routes = {
  'GET /bookings': readBooking,
  'GET /payees': (state, id) => found(state.payees.get(id)),
  'POST /approvals': askApproval,
  'GET /approvals': readApproval,
  'POST /refunds': payRefund,
  'POST /cases': openCase,
};

async function answer(state, request, span) {
  const [, collection, id] = request.url.split('/');
  const route = routes[`${request.method} /${collection}`];
  const input = request.method === 'POST' ? JSON.parse(await readBody(request)) : id;
  const [status, body] = route ? route(state, input) : [404, { error: 'no such route' }];
  span.setAttribute(semconv.ATTR_HTTP_RESPONSE_STATUS_CODE, status);
  if (status >= 500) {
    span.setAttribute(semconv.ATTR_ERROR_TYPE, String(status));
    span.setStatus({ code: SpanStatusCode.ERROR, message: body.error });
  }
  return [status, body];
}

/** Starts the ledger; its server spans join the trace that the caller's `traceparent` header names. */
export async function startLedger(tracer) {
  const state = initialState();
  const server = createServer((request, response) => {
    const caller = propagation.extract(context.active(), request.headers);
    const collection = request.url.split('/')[1];
    const options = {
      kind: SpanKind.SERVER,
      attributes: {
        [semconv.ATTR_HTTP_REQUEST_METHOD]: request.method,
        [semconv.ATTR_URL_SCHEME]: 'http',
        [semconv.ATTR_URL_PATH]: request.url,
      },
    };
    tracer.startActiveSpan(`${request.method} /${collection}`, options, caller, async (span) => {
      const [status, body] = await answer(state, request, span);
      span.end();
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  const address = await listenOnLoopback(server);
  return { address, close: () => server.close() };
}
