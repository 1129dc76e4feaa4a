//! The archive: a ZIP with fixed order, fixed times and nothing that a reader could take two ways.

use std::io::{self, Read, Write};

use recorder_envelope::bundle::archive::ArchiveWriter;
use recorder_store::Store;

use super::{BuildError, BuildRequest, Built, Spool, assemble};

/// Builds an archive and writes it to `out`, which needs not be seekable.
///
/// `progress` hears the number of envelopes selected so far.
///
/// # Errors
///
/// `BuildError`; what was written to `out` until then is no bundle.
pub fn write_archive(
    store: &dyn Store,
    request: &BuildRequest<'_>,
    spool: &mut dyn Spool,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Built, BuildError> {
    let assembled = assemble(store, request, spool, progress)?;
    let mut counting = Counting { out, size_bytes: 0 };
    let mut archive = ArchiveWriter::new(&mut counting);
    for part in &assembled.members {
        archive.member(&part.member(), &mut part.stored(spool)? as &mut dyn Read)?;
    }
    archive.finish()?;
    let size_bytes = counting.size_bytes;
    Ok(assembled.built(size_bytes))
}

struct Counting<'a> {
    out: &'a mut dyn Write,
    size_bytes: u64,
}

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.size_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
