//! The whole read of the file below the evidence: pages, indexes, references, and that nothing is left out.
//!
//! Whether the envelopes are what they claim to be is not asked here; that needs their hashes, not the file's.

use recorder_core::identity::StreamId;
use recorder_envelope::merkle::full_tiles_completed;
use rusqlite::Connection;

use super::claim::{self, CLAIM_COLUMNS};
use super::failure::Failure;
use super::head::{self, StreamRow};
use super::row::{self, ATTACHMENT_COLUMNS, INDEX_BITS, SEGMENT_COLUMNS, key};
use super::schema;
use crate::error::Corruption;

/// Findings of one kind that are listed; a file with more is no less broken.
const FINDINGS_MAX: usize = 100;

/// Reads everything and lists what is wrong.
pub(super) fn check(connection: &Connection) -> Result<Vec<Corruption>, Failure> {
    let mut findings = Vec::new();
    if let Some(object) = schema::first_difference(connection)? {
        findings.push(finding("sqlite_schema", format!("{object} is not what it must be")));
    }
    pages(connection, &mut findings)?;
    references(connection, &mut findings)?;
    rows(connection, "attachments", ATTACHMENT_COLUMNS, &mut findings, |row| {
        row::attachment(row).map(drop)
    })?;
    rows(connection, "texts", "text_number, text", &mut findings, |row| {
        row::CheckedRow::new(row, "texts")?.text(1).map(drop)
    })?;
    rows(connection, "claims AS stored", CLAIM_COLUMNS, &mut findings, |row| {
        claim::claim(row).map(drop)
    })?;
    for table in ["segments", "envelopes", "checkpoints", "claims"] {
        keys(connection, table, &mut findings)?;
    }
    if let Some(streams) = collect(head::streams(connection), &mut findings)? {
        for stream in streams {
            let checked = check_stream(connection, &stream, &mut findings);
            collect(checked, &mut findings)?;
        }
    }
    Ok(findings)
}

fn finding(place: impl Into<String>, detail: impl Into<String>) -> Corruption {
    Corruption { place: place.into(), detail: detail.into() }
}

/// Turns corruption into a finding, and lets only failures of the medium through.
fn collect<T>(
    result: Result<T, Failure>,
    findings: &mut Vec<Corruption>,
) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Failure::Corrupt(corruption)) => {
            findings.push(corruption);
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Pages, cells, the order and completeness of indexes, and every constraint that a row must keep.
fn pages(connection: &Connection, findings: &mut Vec<Corruption>) -> Result<(), Failure> {
    let sql = format!("PRAGMA integrity_check({FINDINGS_MAX})");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            findings.push(finding("database file", line));
        }
    }
    Ok(())
}

fn references(connection: &Connection, findings: &mut Vec<Corruption>) -> Result<(), Failure> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    for _ in 0..FINDINGS_MAX {
        let Some(row) = rows.next()? else { break };
        let (table, key, parent): (String, Option<i64>, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let place = format!("{table} row {}", key.unwrap_or_default());
        findings.push(finding(place, format!("refers to a row of {parent} that is missing")));
    }
    Ok(())
}

/// Reads every row of a table through its own checks.
fn rows(
    connection: &Connection,
    table: &str,
    columns: &str,
    findings: &mut Vec<Corruption>,
    check: impl Fn(&rusqlite::Row<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut statement =
        connection.prepare(&format!("SELECT {columns} FROM {table} NOT INDEXED"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = collect(rows.next().map_err(Failure::from), findings)?.flatten() {
        collect(check(row), findings)?;
        if findings.len() >= FINDINGS_MAX {
            break;
        }
    }
    Ok(())
}

/// Rows whose key and stream disagree would be found by one query and missed by the next.
fn keys(
    connection: &Connection,
    table: &'static str,
    findings: &mut Vec<Corruption>,
) -> Result<(), Failure> {
    let column = format!("{}_key", table.trim_end_matches('s'));
    let sql = format!(
        "SELECT {column} FROM {table} NOT INDEXED \
         WHERE {column} >> {INDEX_BITS} <> stream_number LIMIT {FINDINGS_MAX}"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let key = row::CheckedRow::new(row, table)?.key();
        findings.push(finding(format!("{table} row {key}"), "belongs to another stream"));
    }
    Ok(())
}

fn check_stream(
    connection: &Connection,
    stream: &StreamId,
    findings: &mut Vec<Corruption>,
) -> Result<(), Failure> {
    let Some((head, _)) = head::load(connection, stream)? else { return Ok(()) };
    let counts = [
        ("envelopes", "envelope_key", head.next_position),
        ("segments", "segment_key", head.segment_count),
        ("checkpoints", "checkpoint_key", head.checkpoint_count),
    ];
    for (table, column, expected) in counts {
        let found = count(connection, table, column, head.number)?;
        if found != expected {
            let detail = format!("{found} rows where the stream counts {expected}");
            findings.push(finding(format!("{table} of {stream}"), detail));
        }
    }
    check_segments(connection, stream, &head, findings)?;
    check_tiles(connection, stream, &head, findings)
}

fn count(
    connection: &Connection,
    table: &str,
    column: &str,
    stream_number: i64,
) -> Result<u64, Failure> {
    let sql =
        format!("SELECT count(*) FROM {table} NOT INDEXED WHERE {column} >= ?1 AND {column} < ?2");
    let range = (key(stream_number, 0), key(stream_number + 1, 0));
    let count: i64 = connection.query_row(&sql, range, |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Each segment begins where the one before ends, and only the last may be open.
fn check_segments(
    connection: &Connection,
    stream: &StreamId,
    head: &StreamRow,
    findings: &mut Vec<Corruption>,
) -> Result<(), Failure> {
    let sql = format!(
        "SELECT {SEGMENT_COLUMNS} FROM segments WHERE segment_key >= ?1 AND segment_key < ?2 \
         ORDER BY segment_key"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query((key(head.number, 0), key(head.number + 1, 0)))?;
    let mut expected_first = Some(0);
    while let Some(row) = rows.next()? {
        let Some(segment) = collect(row::segment(row, stream), findings)? else {
            expected_first = None;
            continue;
        };
        let index = segment.genesis.segment_index;
        let first = segment.genesis.first_position;
        if expected_first.is_some_and(|expected| expected != first) {
            let place = format!("segments of {stream}, index {index}");
            findings.push(finding(place, "does not begin where the one before ends"));
        }
        if segment.seal.is_none() && index + 1 != head.segment_count {
            let place = format!("segments of {stream}, index {index}");
            findings.push(finding(place, "is open but not the last"));
        }
        expected_first = Some(first.saturating_add(segment.envelope_count));
    }
    Ok(())
}

/// Every full tile is there, and no other.
fn check_tiles(
    connection: &Connection,
    stream: &StreamId,
    head: &StreamRow,
    findings: &mut Vec<Corruption>,
) -> Result<(), Failure> {
    let mut statement = connection.prepare(
        "SELECT tile_number, level, tile_index FROM tiles WHERE stream_number = ?1 \
         ORDER BY level, tile_index",
    )?;
    let mut rows = statement.query([head.number])?;
    for tile in full_tiles_completed(0, head.next_position) {
        let found = match rows.next()? {
            Some(row) => {
                let row = row::CheckedRow::new(row, "tiles")?;
                Some((row.count(1)?, row.count(2)?))
            }
            None => None,
        };
        if found != Some((tile.level.into(), tile.index)) {
            let place = format!("tiles of {stream}");
            let detail = format!("tile {}/{} is not where it should be", tile.level, tile.index);
            findings.push(finding(place, detail));
            return Ok(());
        }
    }
    if rows.next()?.is_some() {
        findings.push(finding(format!("tiles of {stream}"), "a tile that is not full yet"));
    }
    Ok(())
}
