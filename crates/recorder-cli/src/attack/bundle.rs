//! What can be done to a bundle. Every forger recomputes what needs no key, unless leaving it is the point.

use recorder_core::hash::SealHash;
use recorder_core::signature::Signature;
use recorder_core::time::RecordedAt;
use recorder_envelope::bundle::layout;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::json::CanonicalPayload;
use recorder_envelope::rotation::RotationTerms;
use recorder_envelope::segment::SigningPromise;

use super::forgery::{ForgedSegment, Forgery, ForgeryError, Members};
use super::rotation;
use super::victim::{forge_content, forge_payload};
use super::{Attack, Deed, Hands, Needs, StoppedBy};

type Done = Result<(), ForgeryError>;

/// An hour, by which recordings are moved.
const HOUR_NS: i64 = 3_600_000_000_000;

const fn rules(name: &'static str, story: &'static str, deed: Deed) -> Attack {
    Attack { name, story, needs: Needs::File, stopped_by: StoppedBy::Rules, deed }
}

const fn signatures(name: &'static str, story: &'static str, deed: Deed) -> Attack {
    Attack { name, story, needs: Needs::File, stopped_by: StoppedBy::Signatures, deed }
}

const fn insider(
    name: &'static str,
    story: &'static str,
    stopped_by: StoppedBy,
    deed: fn(&mut Forgery, &Hands<'_>) -> Done,
) -> Attack {
    Attack { name, story, needs: Needs::Key, stopped_by, deed: Deed::Bundle(deed) }
}

/// All of them.
pub(crate) const ATTACKS: &[Attack] = &[
    rules(
        "bundle_payload",
        "change what an event says",
        Deed::Bundle(|forgery, _| forge_payload(middle(forgery)?)),
    ),
    rules(
        "bundle_payload_content",
        "change what an event says, its commitment and its content hash",
        Deed::Bundle(|forgery, _| forge_content(middle(forgery)?)),
    ),
    signatures(
        "bundle_payload_rehashed",
        "change what an event says, and recompute every hash, seal and root",
        Deed::Bundle(|forgery, _| {
            forge_payload(middle(forgery)?)?;
            rehashed(forgery)
        }),
    ),
    signatures(
        "bundle_payload_resigned",
        "change what an event says, recompute everything and sign it with a key of one's own",
        Deed::Bundle(|forgery, hands| {
            forge_payload(middle(forgery)?)?;
            forgery.rehash();
            forgery.resign(hands.own)
        }),
    ),
    insider(
        "bundle_payload_insider",
        "change what an event says, recompute everything and sign it with the stolen key",
        StoppedBy::Witness,
        |forgery, hands| {
            forge_payload(middle(forgery)?)?;
            resigned(forgery, hands)
        },
    ),
    rules(
        "bundle_payload_withheld",
        "withhold a payload that was handed out",
        Deed::Bundle(|forgery, _| {
            middle(forgery)?.payload = None;
            Ok(())
        }),
    ),
    rules(
        "bundle_actor",
        "blame another actor",
        Deed::Bundle(|forgery, _| blame(middle(forgery)?)),
    ),
    signatures(
        "bundle_actor_rehashed",
        "blame another actor, and recompute every hash, seal and root",
        Deed::Bundle(|forgery, _| {
            blame(middle(forgery)?)?;
            rehashed(forgery)
        }),
    ),
    rules(
        "bundle_reorder",
        "swap two events",
        Deed::Bundle(|forgery, _| {
            let envelopes = longest(forgery)?;
            let place = envelopes.len() / 2;
            envelopes.swap(place - 1, place);
            Ok(())
        }),
    ),
    rules(
        "bundle_drop",
        "leave out an event from the middle",
        Deed::Bundle(|forgery, _| drop_one(forgery)),
    ),
    signatures(
        "bundle_drop_rehashed",
        "leave out an event from the middle, close the gap and recompute everything",
        Deed::Bundle(|forgery, _| {
            drop_one(forgery)?;
            rehashed(forgery)
        }),
    ),
    insider(
        "bundle_drop_insider",
        "leave out an event, recompute everything and sign it with the stolen key",
        StoppedBy::Witness,
        |forgery, hands| {
            drop_one(forgery)?;
            resigned(forgery, hands)
        },
    ),
    rules(
        "bundle_duplicate",
        "put an event in twice under one id, and recompute everything",
        Deed::Bundle(|forgery, _| {
            duplicate(forgery)?;
            rehashed(forgery)
        }),
    ),
    insider(
        "bundle_duplicate_insider",
        "put an event in twice under one id, and sign it with the stolen key",
        StoppedBy::Rules,
        |forgery, hands| {
            duplicate(forgery)?;
            resigned(forgery, hands)
        },
    ),
    rules(
        "bundle_backdate",
        "move one recording back by an hour",
        Deed::Bundle(|forgery, _| backdate(forgery)),
    ),
    rules(
        "bundle_backdate_rehashed",
        "move one recording back by an hour, and recompute everything",
        Deed::Bundle(|forgery, _| {
            backdate(forgery)?;
            rehashed(forgery)
        }),
    ),
    insider(
        "bundle_backdate_insider",
        "move one recording back by an hour, and sign it with the stolen key",
        StoppedBy::Rules,
        |forgery, hands| {
            backdate(forgery)?;
            resigned(forgery, hands)
        },
    ),
    insider(
        "bundle_backdate_all_insider",
        "move every recording back by an hour, and sign it with the stolen key",
        StoppedBy::Witness,
        |forgery, hands| {
            backdate_all(forgery)?;
            resigned(forgery, hands)
        },
    ),
    signatures(
        "bundle_cut_end",
        "leave out the last event, and make everything before it fit",
        Deed::Bundle(|forgery, _| {
            cut_end(forgery)?;
            rehashed(forgery)
        }),
    ),
    insider(
        "bundle_cut_end_insider",
        "leave out the last event, and sign a shorter log with the stolen key",
        StoppedBy::Witness,
        |forgery, hands| {
            cut_end(forgery)?;
            resigned(forgery, hands)
        },
    ),
    signatures(
        "bundle_cut_segment",
        "leave out the last segment, and make everything before it fit",
        Deed::Bundle(|forgery, _| {
            several(forgery, 2)?.pop();
            rehashed(forgery)
        }),
    ),
    insider(
        "bundle_cut_segment_insider",
        "leave out the last segment, and sign a shorter log with the stolen key",
        StoppedBy::Witness,
        |forgery, hands| {
            several(forgery, 2)?.pop();
            resigned(forgery, hands)
        },
    ),
    rules(
        "bundle_drop_first_segment",
        "leave out the first segment",
        Deed::Bundle(|forgery, _| {
            several(forgery, 2)?.remove(0);
            forgery.prune();
            Ok(())
        }),
    ),
    rules(
        "bundle_drop_middle_segment",
        "leave out a segment from the middle",
        Deed::Bundle(|forgery, _| {
            several(forgery, 3)?.remove(1);
            forgery.prune();
            Ok(())
        }),
    ),
    insider(
        "bundle_drop_first_segment_insider",
        "leave out the first segment, and sign the manifest anew",
        StoppedBy::Rules,
        |forgery, hands| {
            several(forgery, 2)?.remove(0);
            forgery.prune();
            remanifest(forgery, hands)
        },
    ),
    insider(
        "bundle_drop_middle_segment_insider",
        "leave out a segment, link its neighbours and sign it with the stolen key",
        StoppedBy::Rules,
        |forgery, hands| {
            several(forgery, 3)?.remove(1);
            resigned(forgery, hands)
        },
    ),
    rules(
        "bundle_repeat_segment",
        "put a segment in twice",
        Deed::Bundle(|forgery, _| {
            let segment = last_segment(forgery)?.clone();
            forgery.segments.push(segment);
            Ok(())
        }),
    ),
    rules(
        "bundle_second_genesis",
        "let a later segment begin as if there had been nothing before it",
        Deed::Bundle(|forgery, _| {
            let segments = several(forgery, 2)?;
            if let Some(segment) = segments.last_mut() {
                segment.genesis.predecessor = None;
            }
            Ok(())
        }),
    ),
    rules(
        "bundle_foreign_segment",
        "pass off the last segment of another recorder, all recomputed",
        Deed::Bundle(|forgery, _| {
            several(forgery, 2)?;
            to_other_recorder(forgery)?;
            rehashed(forgery)
        }),
    ),
    insider(
        "bundle_foreign_segment_insider",
        "pass off the last segment of another recorder that has the same key",
        StoppedBy::Rules,
        |forgery, hands| {
            several(forgery, 2)?;
            to_other_recorder(forgery)?;
            resigned(forgery, hands)
        },
    ),
    rules(
        "bundle_empty_segment",
        "take all events out of a segment",
        Deed::Bundle(|forgery, _| {
            last_segment(forgery)?.envelopes.clear();
            forgery.prune();
            Ok(())
        }),
    ),
    rules(
        "bundle_empty",
        "hand over a bundle with nothing in it",
        Deed::Bundle(|forgery, _| {
            forgery.segments.clear();
            forgery.prune();
            forgery.rehash();
            Ok(())
        }),
    ),
    rules(
        "bundle_seal",
        "change when a segment was sealed",
        Deed::Bundle(|forgery, _| {
            let segments = several(forgery, 2)?;
            let seal = segments.first_mut().and_then(|segment| segment.seal.as_mut());
            let seal = seal.ok_or(ForgeryError::Absent("no segment is sealed"))?;
            seal.seal.sealed_at = moved(seal.seal.sealed_at, HOUR_NS)?;
            Ok(())
        }),
    ),
    rules(
        "bundle_signatures_stripped",
        "remove every signature and checkpoint",
        Deed::Bundle(|forgery, _| strip(forgery)),
    ),
    signatures(
        "bundle_promise_stripped",
        "remove every signature, and every promise that there would be one",
        Deed::Bundle(|forgery, _| {
            strip(forgery)?;
            for segment in &mut forgery.segments {
                segment.genesis.signing = SigningPromise::None;
            }
            rehashed(forgery)
        }),
    ),
    insider(
        "bundle_seal_signature_stripped",
        "remove the signature of a seal, and sign the manifest anew",
        StoppedBy::Rules,
        |forgery, hands| {
            seal_signature(forgery)?.take();
            remanifest(forgery, hands)
        },
    ),
    signatures(
        "bundle_rotation_forged",
        "put in a rotation to a key of one's own, recompute everything and sign it with that key",
        Deed::Bundle(|forgery, hands| {
            forge_rotation(forgery, hands)?;
            forgery.rehash();
            forgery.resign(hands.own)
        }),
    ),
    signatures(
        "bundle_rotation_break_glass",
        "end the key as if it were lost, by a rotation to one's own, and sign everything with that",
        Deed::Bundle(|forgery, hands| {
            rotation::put(forgery, None, hands.own, |_| ())?;
            forgery.resign(hands.own)
        }),
    ),
    insider(
        "bundle_rotation_skipped",
        "rotate with the stolen key to one's own, as if there had been a rotation before",
        StoppedBy::Rules,
        |forgery, hands| rotate(forgery, hands, |terms| terms.epoch += 1),
    ),
    insider(
        "bundle_rotation_backdated",
        "rotate with the stolen key to one's own, to hold for the event before too",
        StoppedBy::Rules,
        |forgery, hands| rotate(forgery, hands, |terms| terms.effective_position -= 1),
    ),
    insider(
        "bundle_rotation_replayed",
        "put in a rotation that both keys signed behind another seal",
        StoppedBy::Rules,
        |forgery, hands| {
            rotate(forgery, hands, |terms| {
                // Of a seal that stands elsewhere, as a rotation of another stream has it.
                terms.predecessor_seal_hash = SealHash::from_bytes([7; 32]);
            })
        },
    ),
    insider(
        "bundle_seal_signature_flipped",
        "change one bit of a seal's signature, and sign the manifest anew",
        StoppedBy::Rules,
        |forgery, hands| {
            edit_seal_signature(forgery, |value| value[5] ^= 1)?;
            remanifest(forgery, hands)
        },
    ),
    insider(
        "bundle_seal_signature_malleable",
        "write a seal's signature in the other way that lax verifiers accept, and sign the manifest anew",
        StoppedBy::Rules,
        |forgery, hands| {
            edit_seal_signature(forgery, add_group_order)?;
            remanifest(forgery, hands)
        },
    ),
    rules(
        "bundle_checkpoint_removed",
        "remove the checkpoint",
        Deed::Bundle(|forgery, _| {
            let removed = forgery.checkpoint.take();
            removed.map(drop).ok_or(ForgeryError::Absent("there is no checkpoint"))
        }),
    ),
    signatures(
        "bundle_manifest_signature_removed",
        "remove the signature of the manifest",
        Deed::Bundle(|forgery, _| {
            let removed = forgery.signature.take();
            removed.map(drop).ok_or(ForgeryError::Absent("the manifest is not signed"))
        }),
    ),
    rules(
        "bundle_attachment_bytes",
        "put other bytes in place of an attachment",
        Deed::Bundle(|forgery, _| {
            attachment(forgery)?.push(b'!');
            Ok(())
        }),
    ),
    rules(
        "bundle_attachment_removed",
        "leave out an attachment",
        Deed::Bundle(|forgery, _| {
            attachment(forgery)?;
            forgery.attachments.remove(0);
            Ok(())
        }),
    ),
    rules(
        "bundle_attachment_added",
        "add an attachment that no event refers to",
        Deed::Bundle(|forgery, _| {
            let bytes = b"never recorded".to_vec();
            let hash = recorder_envelope::preimage::attachment_hash(&bytes);
            forgery.attachments.push((hash, bytes));
            forgery.attachments.sort();
            Ok(())
        }),
    ),
    rules(
        "bundle_part_edited",
        "change a part behind the manifest's back",
        Deed::Members(|members| {
            let bytes = member(members, &layout::envelopes(0, 0))?;
            let text = String::from_utf8_lossy(bytes).replacen(
                "\"recorded_at\":\"2",
                "\"recorded_at\":\"3",
                1,
            );
            *bytes = text.into_bytes();
            Ok(())
        }),
    ),
    rules(
        "bundle_member_added",
        "add a file that the manifest does not name",
        Deed::Members(|members| {
            members.push(("reviewed-by-the-auditor.txt".to_owned(), b"all is well".to_vec()));
            Ok(())
        }),
    ),
    rules(
        "bundle_member_removed",
        "take a part out of the archive",
        Deed::Members(|members| {
            let place = members.iter().position(|(name, _)| *name == layout::envelopes(0, 0));
            members.remove(place.ok_or(ForgeryError::Absent("there is no such part"))?);
            Ok(())
        }),
    ),
    rules(
        "bundle_member_repeated",
        "put a second file of the same name into the archive",
        Deed::Members(|members| {
            let again = members.last().cloned();
            members.extend(again);
            Ok(())
        }),
    ),
    rules(
        "bundle_member_escapes",
        "add a file whose name leads out of the directory",
        Deed::Members(|members| {
            members.push(("../../etc/cron.d/evil".to_owned(), b"* * * * *".to_vec()));
            Ok(())
        }),
    ),
    rules(
        "bundle_manifest_count",
        "state another number of events in the manifest",
        Deed::Members(|members| {
            edit_manifest(members, "\"envelope_count\":", "\"envelope_count\":1")
        }),
    ),
    rules(
        "bundle_manifest_field",
        "add a field to the manifest that says it was reviewed",
        Deed::Members(|members| {
            edit_manifest(members, "\"root_hash\":", "\"reviewed_by\":\"auditor\",\"root_hash\":")
        }),
    ),
    rules(
        "bundle_truncated",
        "cut off the last bytes of the file",
        Deed::Archive(|bytes| {
            bytes.truncate(bytes.len().saturating_sub(7));
            Ok(())
        }),
    ),
    rules(
        "bundle_appended",
        "append bytes to the file",
        Deed::Archive(|bytes| {
            bytes.extend_from_slice(b"PK\x05\x06");
            Ok(())
        }),
    ),
    rules(
        "bundle_byte",
        "flip one bit in the middle of the file",
        Deed::Archive(|bytes| {
            let middle = bytes.len() / 2;
            bytes.get_mut(middle).map_or(Err(ForgeryError::Absent("it is empty")), |byte| {
                *byte ^= 1;
                Ok(())
            })
        }),
    ),
];

fn rehashed(forgery: &mut Forgery) -> Done {
    forgery.rehash();
    forgery.prune();
    Ok(())
}

fn resigned(forgery: &mut Forgery, hands: &Hands<'_>) -> Done {
    rehashed(forgery)?;
    forgery.resign(hands.stolen.ok_or(ForgeryError::Absent("the signing key is not here"))?)
}

/// Signs the manifest with the stolen key, and nothing else.
fn remanifest(forgery: &mut Forgery, hands: &Hands<'_>) -> Done {
    let key = hands.stolen.ok_or(ForgeryError::Absent("the signing key is not here"))?;
    forgery.resign_manifest(key);
    Ok(())
}

/// Rotates to a key of one's own with the stolen one, which goes on signing everything.
fn rotate(forgery: &mut Forgery, hands: &Hands<'_>, edit: fn(&mut RotationTerms)) -> Done {
    let stolen = hands.stolen.ok_or(ForgeryError::Absent("the signing key is not here"))?;
    rotation::put(forgery, Some(stolen), hands.own, edit)?;
    forgery.resign(stolen)
}

/// Makes the first event of the last segment say that from here on the attacker's key signs.
fn forge_rotation(forgery: &mut Forgery, hands: &Hands<'_>) -> Done {
    let (key, segment) = (hands.own.public_key(), last_segment(forgery)?);
    let position = segment.genesis.first_position;
    let old = segment.seal.as_ref().and_then(|seal| seal.signature);
    let old = old.ok_or(ForgeryError::Absent("no seal is signed"))?.key_id();
    let members = format!(
        r#"{{"effective_position":{position},"epoch":1,"new_key_id":"{}","new_public_key":"{}","old_key_id":"{old}","reason":"scheduled"}}"#,
        key.key_id(),
        key.to_hex()
    );
    let first = segment.envelopes.first_mut().ok_or(ForgeryError::Absent("there is no event"))?;
    first.fields.event_type = "system.adapter.key_rotated".parse().map_err(ForgeryError::new)?;
    let salted = first.payload.as_mut().ok_or(ForgeryError::Absent("the payload is withheld"))?;
    salted.payload = CanonicalPayload::parse(members.as_bytes()).map_err(ForgeryError::new)?;
    Ok(())
}

fn several(forgery: &mut Forgery, count: usize) -> Result<&mut Vec<ForgedSegment>, ForgeryError> {
    match forgery.segments.len() >= count {
        true => Ok(&mut forgery.segments),
        false => Err(ForgeryError::Absent("there are too few segments")),
    }
}

fn last_segment(forgery: &mut Forgery) -> Result<&mut ForgedSegment, ForgeryError> {
    forgery.segments.last_mut().ok_or(ForgeryError::Absent("there is no segment"))
}

/// The events of the longest segment, of which there are at least three.
fn longest(forgery: &mut Forgery) -> Result<&mut Vec<SealedEnvelope>, ForgeryError> {
    let segments = forgery.segments.iter_mut().map(|segment| &mut segment.envelopes);
    let longest = segments.max_by_key(|envelopes| envelopes.len());
    longest
        .filter(|envelopes| envelopes.len() >= 3)
        .ok_or(ForgeryError::Absent("no segment has three events"))
}

fn middle(forgery: &mut Forgery) -> Result<&mut SealedEnvelope, ForgeryError> {
    let envelopes = longest(forgery)?;
    let place = envelopes.len() / 2;
    envelopes.get_mut(place).ok_or(ForgeryError::Absent("there is no event"))
}

fn blame(envelope: &mut SealedEnvelope) -> Done {
    envelope.fields.actor_id = "somebody-else".parse().map_err(ForgeryError::new)?;
    Ok(())
}

fn drop_one(forgery: &mut Forgery) -> Done {
    let envelopes = longest(forgery)?;
    envelopes.remove(envelopes.len() / 2);
    forgery.prune();
    Ok(())
}

fn duplicate(forgery: &mut Forgery) -> Done {
    let envelopes = longest(forgery)?;
    let again = envelopes.first().cloned();
    envelopes.extend(again);
    if let Some([before, last]) = envelopes.last_chunk_mut::<2>() {
        last.place.recorded_at = before.place.recorded_at;
    }
    Ok(())
}

fn moved(at: RecordedAt, by_ns: i64) -> Result<RecordedAt, ForgeryError> {
    RecordedAt::from_nanoseconds(at.nanoseconds().saturating_add(by_ns)).map_err(ForgeryError::new)
}

fn backdate(forgery: &mut Forgery) -> Done {
    let place = &mut middle(forgery)?.place;
    place.recorded_at = moved(place.recorded_at, -HOUR_NS)?;
    Ok(())
}

fn backdate_all(forgery: &mut Forgery) -> Done {
    for segment in &mut forgery.segments {
        segment.genesis.opened_at = moved(segment.genesis.opened_at, -HOUR_NS)?;
        for envelope in &mut segment.envelopes {
            envelope.place.recorded_at = moved(envelope.place.recorded_at, -HOUR_NS)?;
        }
        if let Some(seal) = &mut segment.seal {
            seal.seal.sealed_at = moved(seal.seal.sealed_at, -HOUR_NS)?;
        }
    }
    Ok(())
}

fn cut_end(forgery: &mut Forgery) -> Done {
    let envelopes = &mut last_segment(forgery)?.envelopes;
    match envelopes.len() {
        0 | 1 => Err(ForgeryError::Absent("the last segment has one event")),
        _ => {
            envelopes.pop();
            Ok(())
        }
    }
}

fn to_other_recorder(forgery: &mut Forgery) -> Done {
    let stream = &mut last_segment(forgery)?.genesis.stream;
    stream.recorder_id = "another-recorder".parse().map_err(ForgeryError::new)?;
    Ok(())
}

fn strip(forgery: &mut Forgery) -> Done {
    let signed = forgery.signature.take().is_some() | forgery.checkpoint.take().is_some();
    for segment in &mut forgery.segments {
        for envelope in &mut segment.envelopes {
            envelope.signature = None;
        }
        if let Some(seal) = &mut segment.seal {
            seal.signature = None;
        }
    }
    if signed { Ok(()) } else { Err(ForgeryError::Absent("nothing is signed")) }
}

fn seal_signature(forgery: &mut Forgery) -> Result<&mut Option<Signature>, ForgeryError> {
    let seals = forgery.segments.iter_mut().filter_map(|segment| segment.seal.as_mut());
    let mut signatures = seals.map(|seal| &mut seal.signature);
    signatures
        .find(|signature| signature.is_some())
        .ok_or(ForgeryError::Absent("no seal is signed"))
}

fn edit_seal_signature(forgery: &mut Forgery, edit: fn(&mut [u8; 64])) -> Done {
    let signature = seal_signature(forgery)?;
    if let Some(old) = signature {
        let mut value = *old.value();
        edit(&mut value);
        *signature = Some(Signature::new(old.key_id(), value));
    }
    Ok(())
}

/// Adds the order of the group to the scalar of a signature (RFC 8032 §5.1), which changes its bytes and nothing else.
fn add_group_order(value: &mut [u8; 64]) {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, order) in value.iter_mut().skip(32).zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
}

fn attachment(forgery: &mut Forgery) -> Result<&mut Vec<u8>, ForgeryError> {
    let first = forgery.attachments.first_mut();
    first.map(|(_, bytes)| bytes).ok_or(ForgeryError::Absent("there is no attachment"))
}

fn member<'a>(members: &'a mut Members, wanted: &str) -> Result<&'a mut Vec<u8>, ForgeryError> {
    let found = members.iter_mut().find(|(name, _)| name == wanted);
    found.map(|(_, bytes)| bytes).ok_or(ForgeryError::Absent("there is no such part"))
}

fn edit_manifest(members: &mut Members, from: &str, to: &str) -> Done {
    let manifest = member(members, layout::MANIFEST)?;
    *manifest = String::from_utf8_lossy(manifest).replacen(from, to, 1).into_bytes();
    Ok(())
}
