//! Opening the file: who may, how a connection is hardened, and whether the file is one of ours.
//!
//! Nothing of the file is believed before its connection cannot run what an adversary may have put into it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::failure::Failure;
use super::schema::{APPLICATION_ID, OBJECTS, PAGE_BYTES, SCHEMA_VERSION, first_difference};
use super::{OpenError, SqliteOptions, Synchronous};

/// SQLite before 3.51.3 can corrupt a WAL when two connections check-point at once.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// Bytes of a value or a row: twice the largest attachment; a hostile cell cannot ask for more.
const VALUE_BYTES_MAX: i32 = 32 << 20;

/// Cached pages of the writer: 16 MiB, in the unit of `PRAGMA cache_size`. They hold the right edge of every index;
/// what is read beside it is in the kernel's cache, and a service soon holds as much memory as it ever will.
const WRITER_CACHE_KIB: i64 = -16_384;

/// Prepared statements that a connection keeps: more than there are.
const STATEMENTS_MAX: usize = 128;

/// The path of the database with its directory resolved, so that only the file itself must not be a link.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    let (Some(name), directory) = (path.file_name(), path.parent()) else {
        return Err(OpenError::NotFound { path: path.to_owned() });
    };
    let directory = directory.filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match directory.canonicalize() {
        Ok(directory) => Ok(directory.join(name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(OpenError::NotFound { path: path.to_owned() })
        }
        Err(error) => Err(storage(error)),
    }
}

/// The name of a file beside the database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn storage(error: impl std::error::Error + Send + Sync + 'static) -> OpenError {
    OpenError::Storage(Arc::new(error))
}

/// Takes the writer's lock, a file of its own beside the database, until the returned handle is dropped.
///
/// A lock on the database file itself would be lost with the first descriptor of it that this process closes.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = beside(path, "-lock");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(lock_path)
        .map_err(storage)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(storage(error)),
    }
}

/// Makes the file, empty and readable by its owner only, and the schema in it.
pub(super) fn create_file(path: &Path, options: &SqliteOptions) -> Result<(), OpenError> {
    // A log left behind by another database would be played into the new one.
    for stray in ["", "-wal", "-shm", "-journal"].map(|suffix| beside(path, suffix)) {
        if stray.symlink_metadata().is_ok() {
            return Err(OpenError::AlreadyExists { path: stray });
        }
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(storage)?;
    let created = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|connection| lay_out(&connection, options));
    if let Err(failure) = created {
        // An empty file in the way of the next attempt helps nobody; failing to remove it hurts nobody.
        let _ = std::fs::remove_file(path);
        return Err(failure.into());
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    let directory = OpenOptions::new().read(true).open(directory).map_err(storage)?;
    directory.sync_all().map_err(storage)
}

fn lay_out(connection: &Connection, options: &SqliteOptions) -> Result<(), Failure> {
    connection.execute_batch(&format!("PRAGMA page_size = {PAGE_BYTES}"))?;
    set_journal_mode(connection)?;
    set_synchronous(connection, options.synchronous)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for object in &OBJECTS {
        connection.execute_batch(object.sql)?;
    }
    connection.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT"
    ))?;
    Ok(())
}

fn set_journal_mode(connection: &Connection) -> Result<(), Failure> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(Failure::corrupt("journal_mode", mode)) }
}

fn set_synchronous(connection: &Connection, synchronous: Synchronous) -> Result<(), Failure> {
    let (word, value) = match synchronous {
        Synchronous::Full => ("FULL", 2),
        Synchronous::Normal => ("NORMAL", 1),
    };
    connection.execute_batch(&format!("PRAGMA synchronous = {word}"))?;
    expect(connection, "synchronous", value)
}

/// Opens the writer's connection to a file that has passed `check`.
pub(super) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<Connection, OpenError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, options)?;
    let set = || -> Result<(), Failure> {
        set_journal_mode(&connection)?;
        set_synchronous(&connection, options.synchronous)?;
        set(&connection, "wal_autocheckpoint", options.wal_autocheckpoint_pages.into())?;
        set(&connection, "cache_size", WRITER_CACHE_KIB)?;
        // A log that may not be written is opened without a word, and the first commit refused.
        Ok(connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?)
    };
    set()?;
    // So is a file, for which even this passes.
    if connection.is_readonly(MAIN_DB).map_err(storage)? {
        let error = io::Error::new(io::ErrorKind::PermissionDenied, "the file may not be written");
        return Err(storage(error));
    }
    Ok(connection)
}

/// Opens a connection that can only read.
pub(super) fn open_reader(path: &Path, options: &SqliteOptions) -> Result<Connection, OpenError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, options)?;
    set(&connection, "query_only", 1)?;
    Ok(connection)
}

fn open(path: &Path, access: OpenFlags, options: &SqliteOptions) -> Result<Connection, OpenError> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(OpenError::NotOurs { detail: "not a regular file".to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::NotFound { path: path.to_owned() });
        }
        Err(error) => return Err(storage(error)),
    }
    let connection = connect(path, access)?;
    set(&connection, "busy_timeout", options.busy_timeout_ms.into())?;
    check(&connection)?;
    Ok(connection)
}

/// Opens the file and takes from the connection whatever the file could use against its reader.
fn connect(path: &Path, access: OpenFlags) -> Result<Connection, Failure> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(Failure::corrupt("SQLite", "older than 3.51.3"));
    }
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    harden(&connection)?;
    Ok(connection)
}

fn harden(connection: &Connection) -> Result<(), Failure> {
    let switches = [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        // No plan depends on a value. Else a statement that is used again is prepared again, for its values are cleared.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
    ];
    for (switch, value) in switches {
        if connection.set_db_config(switch, value)? != value {
            return Err(Failure::corrupt("SQLite", format!("{switch:?} cannot be set")));
        }
    }
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    set(connection, "foreign_keys", 1)?;
    set(connection, "cell_size_check", 1)?;
    set(connection, "temp_store", 2)?;
    connection.execute_batch("PRAGMA mmap_size = 0")?;
    Ok(())
}

/// Sets a pragma and reads it back: one that is misspelled or not built in is ignored without a word.
fn set(connection: &Connection, pragma: &str, value: i64) -> Result<(), Failure> {
    // Some pragmas answer with a row when they are set, and `execute_batch` steps over it.
    connection.execute_batch(&format!("PRAGMA {pragma} = {value}"))?;
    expect(connection, pragma, value)
}

fn expect(connection: &Connection, pragma: &str, value: i64) -> Result<(), Failure> {
    match read(connection, pragma)? {
        found if found == value => Ok(()),
        found => Err(Failure::corrupt("SQLite", format!("PRAGMA {pragma} is {found}"))),
    }
}

fn read(connection: &Connection, pragma: &str) -> Result<i64, Failure> {
    Ok(connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?)
}

/// Refuses a file that is not a database of this schema and of nothing else.
fn check(connection: &Connection) -> Result<(), OpenError> {
    let application_id: i64 =
        match connection.query_row("PRAGMA application_id", [], |row| row.get(0)) {
            Ok(application_id) => application_id,
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
                return Err(OpenError::NotOurs { detail: "not an SQLite database".to_owned() });
            }
            Err(error) => return Err(Failure::from(error).into()),
        };
    if application_id != APPLICATION_ID {
        let detail = match read(connection, "page_count")? {
            0 => "an empty file",
            _ => "a database of another program",
        };
        return Err(OpenError::NotOurs { detail: detail.to_owned() });
    }
    let found = read(connection, "user_version")?;
    if found != SCHEMA_VERSION {
        return Err(OpenError::OtherVersion { found, expected: SCHEMA_VERSION });
    }
    for (pragma, expected) in [("encoding", "UTF-8"), ("journal_mode", "wal")] {
        let found: String = connection
            .query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
            .map_err(Failure::from)?;
        if found != expected {
            return Err(OpenError::SchemaTampered { object: format!("{pragma} {found}") });
        }
    }
    match first_difference(connection)? {
        None => Ok(()),
        Some(object) => Err(OpenError::SchemaTampered { object }),
    }
}

/// The number that SQLite raises with every change of the schema.
pub(super) fn schema_cookie(connection: &Connection) -> Result<i64, Failure> {
    let mut statement = connection.prepare_cached("PRAGMA schema_version")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Refuses to go on when the schema is no longer the one that was checked.
pub(super) fn check_cookie(connection: &Connection, expected: i64) -> Result<(), Failure> {
    if schema_cookie(connection)? == expected {
        Ok(())
    } else {
        Err(Failure::corrupt("sqlite_schema", "changed while the store was open"))
    }
}
