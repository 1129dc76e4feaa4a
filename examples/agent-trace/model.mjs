// A deterministic stand-in for a language model: it reads the transcript and answers a tool call or a text.
// It knows only what the messages say, so every amount it passes on comes from a tool result or from the customer.

import { createHash } from 'node:crypto';

export const MODEL = 'stand-in-1';

const euros = (cents) => `EUR ${(cents / 100).toFixed(2)}`;
const call = (name, args) => ({ name, args });
const policy = { file: 'refund-policy.md' };
const charges = { file: 'booking-charges.csv', refundable_state: 'cancelled' };

/** What a plan may ask of the messages so far. */
function readTranscript(messages) {
  const parts = messages.flatMap((message) => message.parts);
  const calls = parts.filter((part) => part.type === 'tool_call');
  const answers = (name) =>
    calls
      .filter((made) => made.name === name)
      .map((made) => parts.find((part) => part.type === 'tool_call_response' && part.id === made.id).response);
  const user = messages.find((message) => message.role === 'user').parts[0].content;
  return {
    user,
    booking: user.match(/B-\d+/)?.[0],
    claimedCents: Math.round(Number(user.match(/EUR (\d+\.\d\d)/)?.[1]) * 100),
    accountEnding: user.match(/account ending (\d{4})/)?.[1],
    tried: (name) => calls.some((made) => made.name === name),
    failed: (name) => answers(name).at(-1)?.error !== undefined,
    last: (name) => answers(name).at(-1),
  };
}

function decisionLetter(seen) {
  const { customer } = seen.last('lookup_booking');
  const { refundable_cents, totals } = seen.last('total_charges');
  const { refund, approval, account_ending } = seen.last('issue_refund');
  return [
    'Northmere Ferries, refund desk',
    `Booking ${seen.booking}, customer ${customer}`,
    '',
    `You asked for ${euros(seen.claimedCents)} after sailing NM-118 was cancelled.`,
    `We have paid ${euros(refundable_cents)} to the account ending ${account_ending} that paid for the booking.`,
    '',
    `Paid back at the port already: ${euros(totals.refunded_at_port)}.`,
    `Not refunded, because the sailing left: ${euros(totals.sailed)}.`,
    `Not refunded, insurance and fees: ${euros(totals.not_refundable)}.`,
    'The hotel is not ours to pay; please ask your insurer.',
    '',
    `Refund ${refund}, approved by a duty manager under ${approval}.`,
    '',
  ].join('\n');
}

/** Refund desk: collect the facts, have the payee checked, ask the policy, ask a person, pay, write to the customer. */
function refundDesk(seen) {
  if (!seen.tried('read_file')) return call('read_file', policy);
  if (!seen.tried('lookup_booking')) return call('lookup_booking', { booking: seen.booking });
  const { customer, paid_from_account_ending } = seen.last('lookup_booking');
  if (!seen.tried('total_charges')) return call('total_charges', charges);
  if (!seen.tried('delegate_payee_check')) {
    return call('delegate_payee_check', { customer, account_ending: seen.accountEnding });
  }
  const amount_cents = seen.last('total_charges').refundable_cents;
  const booking = seen.booking;
  if (!seen.tried('check_policy')) {
    return call('check_policy', {
      ...policy,
      amount_cents,
      refundable_cents: amount_cents,
      account_ending: seen.accountEnding,
      paid_from_account_ending,
    });
  }
  const { verdict, reasons } = seen.last('check_policy');
  if (verdict === 'deny') return `Nothing was paid: ${reasons.join('; ')}.`;
  if (!seen.tried('request_approval')) {
    return call('request_approval', { booking, amount_cents, reason: reasons.join('; ') });
  }
  const payment = { booking, approval: seen.last('request_approval').approval, account_ending: paid_from_account_ending };
  // A slip that models do make: the customer's own figure in place of the approved one. The ledger refuses it.
  if (!seen.tried('issue_refund')) return call('issue_refund', { ...payment, amount_cents: seen.claimedCents });
  if (seen.failed('issue_refund')) return call('issue_refund', { ...payment, amount_cents });
  if (!seen.tried('write_file')) return call('write_file', { file: 'decision-letter.txt', text: decisionLetter(seen) });
  const claimed = euros(seen.claimedCents);
  return `Paid ${euros(amount_cents)} of the ${claimed} claimed for ${booking}. The letter is in decision-letter.txt.`;
}

/** Payee check, a second agent: is the account the one on file, and has it been there for long? */
function payeeCheck(seen) {
  const customer = seen.user.match(/C-\d+/)[0];
  if (!seen.tried('lookup_payee')) return call('lookup_payee', { customer });
  const onFile = seen.last('lookup_payee');
  if (!seen.tried('compare_payee')) return call('compare_payee', { claimed: seen.accountEnding, ...onFile });
  const { match, reason } = seen.last('compare_payee');
  return `${match ? 'Same payee' : 'Different payee'}: ${reason}.`;
}

/** Follow-up: a later message of the same customer, which tries to talk the agent out of the policy. */
function followUp(seen) {
  if (!seen.tried('lookup_booking')) return call('lookup_booking', { booking: seen.booking });
  const { refunds, paid_from_account_ending } = seen.last('lookup_booking');
  if (!seen.tried('total_charges')) return call('total_charges', charges);
  if (!seen.tried('check_policy')) {
    const paidBackCents = refunds.reduce((sum, refund) => sum + refund.amount_cents, 0);
    return call('check_policy', {
      ...policy,
      amount_cents: seen.claimedCents,
      refundable_cents: seen.last('total_charges').refundable_cents - paidBackCents,
      account_ending: seen.accountEnding,
      paid_from_account_ending,
    });
  }
  const reasons = seen.last('check_policy').reasons.join('; ');
  if (!seen.tried('open_case')) {
    return call('open_case', { booking: seen.booking, reason: `customer asks to set the policy aside: ${reasons}` });
  }
  const opened = seen.last('open_case').case;
  return `Nothing was paid: ${reasons}. Refunds made before: ${refunds.length}. Case ${opened} is with a person.`;
}

const plans = { 'refund-desk': refundDesk, 'payee-check': payeeCheck, 'refund-desk-follow-up': followUp };

/** One completion. Tokens are counted as one for every four characters; the response id is a digest of the request. */
export function complete(plan, messages) {
  const next = plans[plan](readTranscript(messages));
  const request = JSON.stringify(messages);
  const digest = createHash('sha256').update(plan).update(request).digest('hex');
  const isText = typeof next === 'string';
  const part = isText
    ? { type: 'text', content: next }
    : { type: 'tool_call', id: `call-${digest.slice(24, 32)}`, name: next.name, arguments: next.args };
  const message = { role: 'assistant', parts: [part], finish_reason: isText ? 'stop' : 'tool_call' };
  return {
    id: `resp-${digest.slice(0, 24)}`,
    message,
    usage: { input: Math.ceil(request.length / 4), output: Math.ceil(JSON.stringify(message).length / 4) },
  };
}
