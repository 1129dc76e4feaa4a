//! Stores and archives that many lanes read, made once and kept.
//!
//! What is kept says of which corpus it was made; anything else is made anew.
#![expect(
    clippy::disallowed_methods,
    reason = "reads and writes its own files in a folder of the build"
)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use recorder::bundle::{AnchorAt, BuildRequest, Built, Compression, write_archive};
use recorder::clock::{Clock, FixedClock};
use recorder::ids::{IdSource, SeededIds};
use recorder::{Recorder, Submission};
use recorder_core::time::{RecordedAt, UtcTimestamp};
use recorder_envelope::selector::Selector;
use recorder_store::{SqliteOptions, SqliteStore};
use serde::{Deserialize, Serialize};

use crate::clock::monotonic;
use crate::corpus::{self, CORPUS_VERSION, SEED, START_SECONDS};
use crate::service::{self, Signing};

/// Raised whenever stores or archives made before can no longer be used.
const DATA_VERSION: u64 = 1;

/// Envelopes in one commit while stores are filled; how they were written does not matter to those who read them.
const FILL_BATCH: u64 = 2048;

/// Where stores and archives are kept.
pub(crate) struct Data {
    directory: PathBuf,
}

/// What a kept store or archive was made of.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Stamp {
    data_version: u64,
    corpus_version: u64,
    seed: u64,
    /// Changes with every release, and with it possibly the schema or the format.
    release: String,
}

/// How long it took.
#[derive(Debug, Deserialize, Serialize)]
struct Made {
    stamp: Stamp,
    seconds: f64,
}

impl Stamp {
    fn current() -> Self {
        Self {
            data_version: DATA_VERSION,
            corpus_version: CORPUS_VERSION,
            seed: SEED,
            release: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl Data {
    /// Keeps everything below `directory`.
    pub(crate) fn at(directory: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    /// A store of `count` envelopes: the path of its database.
    pub(crate) fn store(&self, signing: Signing, count: u64) -> anyhow::Result<PathBuf> {
        let name = format!("store-{}-{count}", signing.name());
        let directory =
            self.made(&name, |directory| fill(&directory.join("recorder.db"), signing, count))?;
        Ok(directory.join("recorder.db"))
    }

    /// An archive of the whole of that store.
    pub(crate) fn archive(&self, signing: Signing, count: u64) -> anyhow::Result<PathBuf> {
        let name = format!("archive-{}-{count}", signing.name());
        let store = self.store(signing, count)?;
        let directory = self.made(&name, |directory| {
            let recorder = open(&store, signing)?;
            let path = directory.join("bundle.recorder.zip");
            build(&recorder, &mut tempfile::tempfile_in(directory)?, &mut File::create(&path)?)?;
            Ok(())
        })?;
        Ok(directory.join("bundle.recorder.zip"))
    }

    /// The folder `name`, made by `make` unless it was made before of the same corpus.
    fn made(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<PathBuf> {
        let directory = self.directory.join(name);
        let stamp_path = directory.join("made.json");
        let made = std::fs::read(&stamp_path).ok();
        let made = made.and_then(|bytes| serde_json::from_slice::<Made>(&bytes).ok());
        if made.is_some_and(|made| made.stamp == Stamp::current()) {
            return Ok(directory);
        }
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
        std::fs::create_dir_all(&directory)?;
        let before = monotonic();
        make(&directory)?;
        let seconds = (monotonic() - before).as_secs_f64();
        eprintln!("made {name} in {seconds:.1} s");
        // The stamp comes last: what was interrupted is made anew.
        let made = Made { stamp: Stamp::current(), seconds };
        std::fs::write(&stamp_path, serde_json::to_vec_pretty(&made)?)?;
        Ok(directory)
    }
}

/// Opens a kept store with the engine over it.
pub(crate) fn open(path: &Path, signing: Signing) -> anyhow::Result<Recorder> {
    let store = SqliteStore::open(path, &SqliteOptions::default())?;
    let (clock, ids) = (clock()?, Arc::new(SeededIds::new(SEED)));
    service::open_over(store, signing, clock, ids)
}

/// Builds an archive of everything.
pub(crate) fn build(
    recorder: &Recorder,
    spool: &mut File,
    out: &mut File,
) -> anyhow::Result<Built> {
    let request = BuildRequest {
        stream: service::stream()?,
        selector: Selector::everything(),
        created_at: UtcTimestamp::new(START_SECONDS, 0)?,
        anchor: AnchorAt::Newest,
        compression: Compression::Stored,
        signer: recorder.signer(),
    };
    Ok(write_archive(&**recorder.store(), &request, spool, out, &mut |_| {})?)
}

fn clock() -> anyhow::Result<Arc<dyn Clock>> {
    let start = RecordedAt::from_nanoseconds(START_SECONDS * 1_000_000_000)?;
    Ok(Arc::new(FixedClock::new(start, 1_000_000)))
}

fn fill(path: &Path, signing: Signing, count: u64) -> anyhow::Result<()> {
    let ids: Arc<dyn IdSource> = Arc::new(SeededIds::new(SEED));
    let store = SqliteStore::create(path, &SqliteOptions::default())?;
    let recorder = service::open_over(store, signing, clock()?, Arc::clone(&ids))?;
    let tenant = service::tenant()?;
    let mut next = 0;
    while next < count {
        let end = count.min(next + FILL_BATCH);
        let batch = (next..end)
            .map(|index| {
                service::prepare(&corpus::request(SEED, index).body, &*ids).map(Submission::from)
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        recorder.append_batch(&tenant, batch)?;
        next = end;
    }
    if signing != Signing::None {
        recorder.checkpoint(&tenant)?;
    }
    Ok(())
}
