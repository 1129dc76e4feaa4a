//! What the demonstration does to copies of its bundle. Each lie is as good as its liar can make it.

use recorder_core::time::RecordedAt;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::json::CanonicalPayload;
use recorder_envelope::signing::SecretKey;

use crate::attack::forgery::{Forgery, ForgeryError};

/// One manipulation.
pub(crate) struct Attack {
    /// Its stable name.
    pub(crate) name: &'static str,
    /// What is done, for a person.
    pub(crate) story: &'static str,
    /// Does it.
    pub(crate) perform: fn(&mut Forgery, &SecretKey) -> Result<(), ForgeryError>,
}

/// All of them; the key is the attacker's own.
pub(crate) const ATTACKS: [Attack; 10] = [
    Attack {
        name: "payload_edit",
        story: "make the policy allow what it left to a person",
        perform: |forgery, _| edit_verdict(forgery),
    },
    Attack {
        name: "payload_edit_rehashed",
        story: "the same, and recompute every hash, seal and root",
        perform: |forgery, _| {
            edit_verdict(forgery)?;
            forgery.rehash();
            Ok(())
        },
    },
    Attack {
        name: "payload_edit_resigned",
        story: "the same, and sign it all with a key of one's own",
        perform: |forgery, key| {
            edit_verdict(forgery)?;
            forgery.rehash();
            forgery.resign(key)
        },
    },
    Attack {
        name: "reorder",
        story: "swap two events",
        perform: |forgery, _| {
            let envelopes = first_segment(forgery)?;
            envelopes.swap(3, 4);
            Ok(())
        },
    },
    Attack {
        name: "drop_in_the_middle",
        story: "remove one event and close the gap",
        perform: |forgery, _| {
            first_segment(forgery)?.remove(5);
            Ok(())
        },
    },
    Attack {
        name: "cut_tail",
        story: "remove the last segment, and make everything before it fit",
        perform: |forgery, _| {
            forgery.segments.pop();
            forgery.rehash();
            forgery.prune();
            Ok(())
        },
    },
    Attack {
        name: "attachment_swap",
        story: "put another letter in place of the decision letter",
        perform: |forgery, _| {
            let (_, bytes) = forgery
                .attachments
                .first_mut()
                .ok_or_else(|| ForgeryError::new("no attachment"))?;
            bytes.reverse();
            Ok(())
        },
    },
    Attack {
        name: "signature_strip",
        story: "remove every signature and pretend that there never was one",
        perform: |forgery, _| {
            forgery.signature = None;
            forgery.checkpoint = None;
            for seal in forgery.segments.iter_mut().filter_map(|segment| segment.seal.as_mut()) {
                seal.signature = None;
            }
            Ok(())
        },
    },
    Attack {
        name: "backdate",
        story: "move one recording back by an hour",
        perform: |forgery, _| {
            let envelope = middle(first_segment(forgery)?)?;
            let earlier = envelope.place.recorded_at.nanoseconds() - 3_600_000_000_000;
            envelope.place.recorded_at =
                RecordedAt::from_nanoseconds(earlier).map_err(ForgeryError::new)?;
            Ok(())
        },
    },
    Attack {
        name: "other_actor",
        story: "blame another agent",
        perform: |forgery, _| {
            let envelope = middle(first_segment(forgery)?)?;
            envelope.fields.actor_id =
                "otel:agent:agent-night-shift".parse().map_err(ForgeryError::new)?;
            Ok(())
        },
    },
];

fn first_segment(forgery: &mut Forgery) -> Result<&mut Vec<SealedEnvelope>, ForgeryError> {
    let segment = forgery.segments.first_mut().ok_or_else(|| ForgeryError::new("no segment"))?;
    if segment.envelopes.len() < 8 {
        return Err(ForgeryError::new("the first segment is too short"));
    }
    Ok(&mut segment.envelopes)
}

fn middle(envelopes: &mut [SealedEnvelope]) -> Result<&mut SealedEnvelope, ForgeryError> {
    let place = envelopes.len() / 2;
    envelopes.get_mut(place).ok_or_else(|| ForgeryError::new("the first segment is empty"))
}

/// What the policy said of the refund, as it stands in a payload, and what the attacker would like it to have said.
const VERDICT: (&str, &str) =
    (r#""type":"string","value":"escalate""#, r#""type":"string","value":"allow""#);

fn edit_verdict(forgery: &mut Forgery) -> Result<(), ForgeryError> {
    let envelopes = forgery.segments.iter_mut().flat_map(|segment| &mut segment.envelopes);
    for salted in envelopes.filter_map(|envelope| envelope.payload.as_mut()) {
        let text = salted.payload.as_str();
        if text.contains("refund_desk.policy.verdict") && text.contains(VERDICT.0) {
            let edited = text.replace(VERDICT.0, VERDICT.1);
            salted.payload =
                CanonicalPayload::from_canonical(edited.into_bytes()).map_err(ForgeryError::new)?;
            return Ok(());
        }
    }
    Err(ForgeryError::new("no verdict in the trace"))
}
