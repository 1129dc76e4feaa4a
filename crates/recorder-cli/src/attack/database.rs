//! What can be done to a database by somebody who may write to the disk, up to rewriting all of it so that it fits.

use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::segment::SigningPromise;
use recorder_store::{SqliteOptions, SqliteStore};
use rusqlite::params;

use super::forgery::{self, ForgedSegment, ForgeryError};
use super::victim::{Notes, Victim, forge_content, forge_payload};
use super::{Attack, Deed, Hands, Needs, StoppedBy};

type Done = Result<(), ForgeryError>;

const fn sql(name: &'static str, story: &'static str, text: &'static str) -> Attack {
    Attack { name, story, needs: Needs::Disk, stopped_by: StoppedBy::Rules, deed: Deed::Sql(text) }
}

const fn disk(
    name: &'static str,
    story: &'static str,
    stopped_by: StoppedBy,
    deed: fn(&mut Victim, &Hands<'_>) -> Done,
) -> Attack {
    Attack { name, story, needs: Needs::Disk, stopped_by, deed: Deed::Database(deed) }
}

const fn insider(
    name: &'static str,
    story: &'static str,
    stopped_by: StoppedBy,
    deed: fn(&mut Victim, &Hands<'_>) -> Done,
) -> Attack {
    Attack { name, story, needs: Needs::Key, stopped_by, deed: Deed::Database(deed) }
}

/// All of them.
pub(crate) const ATTACKS: &[Attack] = &[
    sql(
        "row_payload",
        "change what a stored event says",
        "UPDATE envelopes SET payload = '{\"forged\":true}' WHERE envelope_key = {middle}",
    ),
    disk(
        "row_payload_content",
        "change what a stored event says, its commitment and its content hash",
        StoppedBy::Rules,
        |victim, _| {
            let mut segments = victim.read()?;
            forge_content(middle(&mut segments)?)?;
            victim.write(&segments, &Notes::Kept)
        },
    ),
    sql(
        "row_time",
        "move one recording back by an hour",
        "UPDATE envelopes SET recorded_at = recorded_at - 3600000000000 WHERE envelope_key = {middle}",
    ),
    sql(
        "row_actor",
        "blame another actor, by editing a text that rows share",
        "UPDATE texts SET text = 'somebody-else' WHERE text_number = \
         (SELECT actor_id FROM envelopes WHERE envelope_key = {middle})",
    ),
    sql(
        "row_trace",
        "move an event to another trace",
        "UPDATE envelopes SET trace_id = 'another-trace' WHERE envelope_key = {middle}",
    ),
    sql(
        "row_deleted",
        "delete an event from the middle",
        "DELETE FROM envelopes WHERE envelope_key = {middle}",
    ),
    disk(
        "row_deleted_closed",
        "delete an event from the middle and close the gap in the numbering",
        StoppedBy::Rules,
        |victim, _| victim.close_gap(victim.count / 2),
    ),
    sql(
        "row_last_deleted",
        "delete the last event",
        "DELETE FROM envelopes WHERE envelope_key = {last}",
    ),
    sql(
        "rows_swapped",
        "swap the contents of two events",
        "UPDATE envelopes SET (payload, payload_salt, payload_commitment, content_hash) = \
         (SELECT payload, payload_salt, payload_commitment, content_hash FROM envelopes AS other \
         WHERE other.envelope_key = {last} + {middle} - envelopes.envelope_key) \
         WHERE envelope_key IN ({middle}, {last})",
    ),
    disk(
        "row_repeated",
        "give two events one id, with the index that forbids it replaced and relabelled",
        StoppedBy::Rules,
        |victim, _| {
            relabelled(
                victim,
                "envelopes_by_id",
                "CREATE INDEX envelopes_by_id ON envelopes (envelope_id, stream_number)",
                "UPDATE envelopes SET envelope_id = \
                 (SELECT envelope_id FROM envelopes WHERE envelope_key = {first}) \
                 WHERE envelope_key = {middle}",
            )
        },
    ),
    sql(
        "row_foreign",
        "move an event to another stream",
        "UPDATE envelopes SET stream_number = {stream} + 1 WHERE envelope_key = {middle}",
    ),
    sql(
        "stream_head",
        "make the stream's own row say that there is less",
        "UPDATE streams SET next_position = next_position - 1 WHERE stream_number = {stream}",
    ),
    disk(
        "segment_deleted",
        "delete the row of the first segment",
        StoppedBy::Rules,
        |victim, _| victim.sql("DELETE FROM segments WHERE segment_key = {first}"),
    ),
    disk(
        "segment_genesis",
        "make a segment begin an hour earlier",
        StoppedBy::Rules,
        |victim, _| {
            let mut segments = victim.read()?;
            let first = segments.first_mut().ok_or(ForgeryError::Absent("there is no segment"))?;
            let earlier = first.genesis.opened_at.nanoseconds() - 3_600_000_000_000;
            first.genesis.opened_at = recorder_core::time::RecordedAt::from_nanoseconds(earlier)
                .map_err(ForgeryError::new)?;
            victim.write(&segments, &Notes::Kept)
        },
    ),
    sql(
        "segment_reopened",
        "open a sealed segment again",
        "UPDATE segments SET signed_seal = NULL, sealed_at = NULL, envelope_count = NULL \
         WHERE segment_key = {first} AND EXISTS \
         (SELECT 1 FROM segments AS later WHERE later.segment_key = {first} + 1)",
    ),
    disk(
        "segment_last_reopened",
        "take the seal off the last segment",
        StoppedBy::HeadGuard,
        |victim, _| {
            victim.sql(
                "UPDATE segments SET signed_seal = NULL, sealed_at = NULL, envelope_count = NULL \
                 WHERE signed_seal IS NOT NULL AND segment_key = \
                 (SELECT max(segment_key) FROM segments WHERE stream_number = {stream})",
            )
        },
    ),
    disk(
        "segment_second_open",
        "leave two segments open, with the index that forbids it replaced and relabelled",
        StoppedBy::Rules,
        |victim, _| {
            if victim.read()?.len() < 2 {
                return Err(ForgeryError::Absent("there is one segment only"));
            }
            relabelled(
                victim,
                "segments_open",
                "CREATE INDEX segments_open ON segments (stream_number) WHERE signed_seal IS NULL",
                "UPDATE segments SET signed_seal = NULL, sealed_at = NULL, envelope_count = NULL \
                 WHERE stream_number = {stream}",
            )
        },
    ),
    disk(
        "seal_signature_stripped",
        "remove the signatures of all seals",
        StoppedBy::Rules,
        |victim, _| {
            let mut segments = victim.read()?;
            let seals = segments.iter_mut().filter_map(|segment| segment.seal.as_mut());
            let removed = seals.filter_map(|seal| seal.signature.take()).count();
            if removed == 0 {
                return Err(ForgeryError::Absent("no seal is signed"));
            }
            victim.write(&segments, &Notes::Kept)
        },
    ),
    sql(
        "checkpoint_deleted",
        "delete all checkpoints",
        "DELETE FROM checkpoints WHERE stream_number = {stream}",
    ),
    disk(
        "checkpoint_older",
        "put the oldest checkpoint in place of the newest",
        StoppedBy::Rules,
        |victim, _| older_checkpoint(victim),
    ),
    disk(
        "checkpoint_foreign",
        "put a checkpoint that somebody else signed in place of the newest",
        StoppedBy::Signatures,
        |victim, hands| foreign_checkpoint(victim, hands),
    ),
    sql(
        "tile",
        "change a hash in the stored Merkle tree",
        "UPDATE tiles SET hashes = zeroblob(8192) WHERE stream_number = {stream} AND level = 0",
    ),
    sql(
        "attachment_bytes",
        "put other bytes in place of an attachment",
        "UPDATE attachments SET bytes = zeroblob(size_bytes) WHERE attachment_number = \
         (SELECT min(attachment_number) FROM attachments)",
    ),
    sql(
        "attachment_renamed",
        "put another attachment with a hash of its own in place of one",
        "UPDATE attachments SET content_hash = zeroblob(32) WHERE attachment_number = \
         (SELECT min(attachment_number) FROM attachments)",
    ),
    sql(
        "attachment_deleted",
        "delete an attachment",
        "DELETE FROM attachments WHERE attachment_number = \
         (SELECT min(attachment_number) FROM attachments)",
    ),
    sql(
        "schema_trigger",
        "plant a trigger that swallows every new event without an error",
        "CREATE TRIGGER swallow BEFORE INSERT ON envelopes BEGIN SELECT raise(IGNORE); END",
    ),
    sql(
        "schema_view",
        "put a view that hides an event in place of the table",
        "ALTER TABLE envelopes RENAME TO hidden; \
         CREATE VIEW envelopes AS SELECT * FROM hidden WHERE envelope_key <> {middle}",
    ),
    sql(
        "schema_relabelled",
        "label an index that covers some rows as one that covers all",
        "PRAGMA writable_schema = ON; \
         UPDATE sqlite_schema SET sql = replace(sql, ' WHERE trace_id IS NOT NULL', '') \
         WHERE name = 'envelopes_by_trace'",
    ),
    disk(
        "index_lies",
        "replace an index by one that hides events, under the old label",
        StoppedBy::Rules,
        |victim, _| {
            relabelled(
                victim,
                "envelopes_by_trace",
                "CREATE INDEX envelopes_by_trace ON envelopes (stream_number, session_id) \
                 WHERE trace_id IS NOT NULL AND sequence < 2",
                "",
            )
        },
    ),
    sql("schema_index", "drop the index that keeps one segment open", "DROP INDEX segments_open"),
    sql("schema_table", "add a table", "CREATE TABLE extra (a)"),
    sql("schema_version", "claim another version of the schema", "PRAGMA user_version = 7"),
    sql(
        "schema_application",
        "claim to be another program's database",
        "PRAGMA application_id = 7",
    ),
    disk(
        "file_payload",
        "flip one bit of a stored payload, past SQLite",
        StoppedBy::Rules,
        |victim, _| flip_payload(victim),
    ),
    disk("file_header", "destroy the first bytes of the file", StoppedBy::Rules, |victim, _| {
        let path = victim.path.clone();
        victim.edit_file(&path, |bytes| {
            bytes.iter_mut().take(16).for_each(|byte| *byte = 0);
            Ok(())
        })
    }),
    disk("file_page", "zero a page of the file", StoppedBy::Rules, |victim, _| {
        let path = victim.path.clone();
        victim.edit_file(&path, |bytes| {
            let middle = bytes.len() / 2 / 8192 * 8192;
            bytes.iter_mut().skip(middle).take(8192).for_each(|byte| *byte = 0);
            Ok(())
        })
    }),
    disk(
        "second_writer",
        "write to the file while a recorder does",
        StoppedBy::Rules,
        |victim, _| {
            let writer = SqliteStore::open(&victim.path, &SqliteOptions::default());
            victim.other_writer = Some(writer.map_err(ForgeryError::new)?);
            Ok(())
        },
    ),
    disk(
        "log_deleted",
        "delete SQLite's log, and with it the last event that was acknowledged",
        StoppedBy::HeadGuard,
        |victim, _| {
            victim.unfold(victim.count - 1)?;
            std::fs::remove_file(victim.beside("-wal")).map_err(ForgeryError::new)
        },
    ),
    disk(
        "log_flipped",
        "flip one bit in SQLite's log, which makes SQLite forget the rest of it",
        StoppedBy::HeadGuard,
        |victim, _| {
            victim.unfold(victim.count - 1)?;
            victim.edit_file(&victim.beside("-wal"), |bytes| {
                bytes.iter_mut().skip(100).take(1).for_each(|byte| *byte ^= 1);
                Ok(())
            })
        },
    ),
    disk(
        "older_copy",
        "restore the database as it was one event ago",
        StoppedBy::HeadGuard,
        |victim, _| victim.roll_back(victim.count - 1),
    ),
    disk(
        "older_copy_sealed",
        "restore the database as it was before the last segment",
        StoppedBy::HeadGuard,
        |victim, _| {
            let segments = victim.read()?;
            let last = segments.last().filter(|_| segments.len() > 1);
            let last = last.ok_or(ForgeryError::Absent("there is one segment only"))?;
            victim.roll_back(last.genesis.first_position)
        },
    ),
    disk(
        "rewrite",
        "change an event and rewrite everything after it, but for the signatures",
        StoppedBy::Signatures,
        |victim, _| rewrite(victim, &Notes::Kept, |segments| forge_payload(middle(segments)?)),
    ),
    disk(
        "rewrite_stripped",
        "change an event, rewrite everything after it and remove all signatures",
        StoppedBy::Signatures,
        |victim, _| {
            rewrite(victim, &Notes::RemovedBeyond(0), |segments| match strip(segments) {
                0 => Err(ForgeryError::Absent("no seal is signed")),
                _ => forge_payload(middle(segments)?),
            })
        },
    ),
    disk(
        "rewrite_open",
        "change an event that no seal covers yet, rewrite it and remove the checkpoints over it",
        StoppedBy::HeadGuard,
        |victim, _| {
            let segments = victim.read()?;
            let open = segments.last().filter(|segment| segment.seal.is_none());
            let open = open.ok_or(ForgeryError::Absent("everything is sealed"))?;
            let sealed = open.genesis.first_position;
            rewrite(victim, &Notes::RemovedBeyond(sealed), |segments| {
                let last = segments.last_mut().and_then(|segment| segment.envelopes.last_mut());
                forge_payload(last.ok_or(ForgeryError::Absent("the open segment is empty"))?)
            })
        },
    ),
    disk(
        "rewrite_unpromised",
        "the same, and remove every promise that there would be signatures",
        StoppedBy::Signatures,
        |victim, _| {
            rewrite(victim, &Notes::RemovedBeyond(0), |segments| {
                strip(segments);
                for segment in segments.iter_mut() {
                    segment.genesis.signing = SigningPromise::None;
                }
                forge_payload(middle(segments)?)
            })
        },
    ),
    disk(
        "rewrite_own_key",
        "change an event, rewrite everything and sign it with a key of one's own",
        StoppedBy::Signatures,
        |victim, hands| {
            let mut segments = victim.read()?;
            forge_payload(middle(&mut segments)?)?;
            forgery::rehash(&mut segments);
            forgery::resign(&mut segments, hands.own);
            victim.write(&segments, &Notes::Signed(hands.own))
        },
    ),
    insider(
        "rewrite_insider",
        "change an event, rewrite everything and sign it with the stolen key",
        StoppedBy::Witness,
        |victim, hands| {
            let mut segments = victim.read()?;
            forge_payload(middle(&mut segments)?)?;
            rewrite_signed(victim, segments, hands)
        },
    ),
    insider(
        "delete_insider",
        "delete an event, close the gap, rewrite everything and sign it with the stolen key",
        StoppedBy::Witness,
        |victim, hands| {
            let mut segments = victim.read()?;
            let position = take_middle(&mut segments)?;
            victim.close_gap(position)?;
            rewrite_signed(victim, segments, hands)
        },
    ),
    insider(
        "backdate_insider",
        "move one recording back by an hour, rewrite everything and sign it with the stolen key",
        StoppedBy::Rules,
        |victim, hands| {
            let mut segments = victim.read()?;
            let place = &mut middle(&mut segments)?.place;
            let earlier = place.recorded_at.nanoseconds() - 3_600_000_000_000;
            place.recorded_at = recorder_core::time::RecordedAt::from_nanoseconds(earlier)
                .map_err(ForgeryError::new)?;
            rewrite_signed(victim, segments, hands)
        },
    ),
];

/// The event in the middle of the stream.
fn middle(
    segments: &mut [ForgedSegment],
) -> Result<&mut recorder_envelope::envelope::SealedEnvelope, ForgeryError> {
    let count: usize = segments.iter().map(|segment| segment.envelopes.len()).sum();
    let mut envelopes = segments.iter_mut().flat_map(|segment| &mut segment.envelopes);
    envelopes.nth(count / 2).ok_or(ForgeryError::Absent("there is no event"))
}

/// Takes an event out that is neither the first nor the last of its segment; gives its position.
fn take_middle(segments: &mut [ForgedSegment]) -> Result<u64, ForgeryError> {
    let envelopes = segments.iter_mut().map(|segment| &mut segment.envelopes);
    let longest = envelopes.max_by_key(|envelopes| envelopes.len());
    let longest = longest.filter(|envelopes| envelopes.len() >= 3);
    let longest = longest.ok_or(ForgeryError::Absent("no segment has three events"))?;
    Ok(longest.remove(longest.len() / 2).place.position)
}

/// Takes every signature away; gives how many seals had one.
fn strip(segments: &mut [ForgedSegment]) -> usize {
    let mut seals = 0;
    for segment in segments {
        segment.envelopes.iter_mut().for_each(|envelope| envelope.signature = None);
        if let Some(seal) = &mut segment.seal {
            seals += usize::from(seal.signature.take().is_some());
        }
    }
    seals
}

fn rewrite(
    victim: &mut Victim,
    notes: &Notes<'_>,
    change: impl FnOnce(&mut [ForgedSegment]) -> Done,
) -> Done {
    let mut segments = victim.read()?;
    change(&mut segments)?;
    forgery::rehash(&mut segments);
    victim.write(&segments, notes)
}

fn rewrite_signed(
    victim: &mut Victim,
    mut segments: Vec<ForgedSegment>,
    hands: &Hands<'_>,
) -> Done {
    let key = hands.stolen.ok_or(ForgeryError::Absent("the signing key is not here"))?;
    forgery::rehash(&mut segments);
    forgery::resign(&mut segments, key);
    victim.write(&segments, &Notes::Signed(key))
}

/// Puts `index` in place of the one called `name`, does `then`, and gives the new one the old one's label.
fn relabelled(victim: &Victim, name: &str, index: &str, then: &str) -> Done {
    victim.sql(&format!(
        "CREATE TEMP TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = '{name}';
         DROP INDEX {name}; {index}; {then};
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = (SELECT sql FROM kept) WHERE name = '{name}'"
    ))
}

fn older_checkpoint(victim: &Victim) -> Done {
    victim.sql(
        "UPDATE checkpoints SET (tree_size, root_hash, note) =
         (SELECT tree_size, root_hash, note FROM checkpoints AS old
          WHERE old.stream_number = {stream} ORDER BY checkpoint_key LIMIT 1)
         WHERE checkpoint_key =
         (SELECT max(checkpoint_key) FROM checkpoints WHERE stream_number = {stream})
         AND (SELECT count(*) FROM checkpoints WHERE stream_number = {stream}) > 1",
    )
}

/// The same head, in a note that the attacker signed.
fn foreign_checkpoint(victim: &Victim, hands: &Hands<'_>) -> Done {
    let connection = victim.connect()?;
    let newest = connection.query_row(
        "SELECT checkpoint_key, note FROM checkpoints WHERE checkpoint_key >= ?1 AND checkpoint_key < ?2 \
         ORDER BY checkpoint_key DESC LIMIT 1",
        [victim.key(0), victim.key(1 << 40)],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)),
    );
    let (row, note) = newest.map_err(|_| ForgeryError::Absent("there is no checkpoint"))?;
    let note = SignedCheckpoint::parse(note.as_bytes())
        .and_then(|note| note.checkpoint().clone().sign(hands.own))
        .map_err(ForgeryError::new)?;
    connection
        .execute(
            "UPDATE checkpoints SET note = ?2 WHERE checkpoint_key = ?1",
            params![row, note.render()],
        )
        .map(drop)
        .map_err(ForgeryError::new)
}

/// Changes a character of a stored payload where it lies in the file.
fn flip_payload(victim: &Victim) -> Done {
    let payload: Option<String> = victim
        .connect()?
        .query_row(
            "SELECT payload FROM envelopes WHERE envelope_key = ?1",
            [victim.key(victim.count / 2)],
            |row| row.get(0),
        )
        .map_err(ForgeryError::new)?;
    let payload = payload.ok_or(ForgeryError::Absent("the payload is withheld"))?;
    // The first bytes stay on the row's own page, however long the payload is.
    let start = payload.as_bytes().get(..payload.len().min(64)).unwrap_or_default();
    let digit = start.iter().rposition(u8::is_ascii_alphanumeric);
    let digit = digit.ok_or(ForgeryError::Absent("the payload is empty"))?;
    victim.edit_file(&victim.path, |bytes| {
        let found = bytes.windows(start.len()).rposition(|window| window == start);
        let found = found.ok_or(ForgeryError::Absent("the payload is not in one piece"))?;
        bytes[found + digit] ^= 1;
        Ok(())
    })
}
