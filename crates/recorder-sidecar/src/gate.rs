//! What stands between a socket and the HTTP parser: every byte of a request's framing is judged before it passes.
//!
//! A head that two readers could take for two requests never reaches the parser: bare line feeds, folded lines, two
//! lengths, a length beside an encoding, repeated headers, control characters. What is refused looks like the end
//! of the connection to the parser, so that an answer under way is still given; the refusal is written after it.
//! Slow senders and slow readers are cut here, since here alone it is known what a socket did.
//!
//! Deliberately absent: what a request means, and HTTP/2.

mod framing;
mod head;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use recorder_sidecar_api::problem::Code;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use self::framing::{Chunks, Progress};
pub(crate) use self::head::Framing;

/// How long a head may take from its first byte, and the first of a connection from its beginning.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle between requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a body may take at all.
const BODY_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a body may take before its rate counts.
const BODY_GRACE: Duration = Duration::from_secs(10);
/// Bytes a second that a body must bring after that.
const BODY_RATE_MIN: u64 = 4096;
/// How long a reader may take nothing of an answer.
const WRITE_STALL: Duration = Duration::from_secs(30);
/// Bytes that are read from the socket at once.
const READ_BYTES: usize = 16 << 10;

/// Why a connection's bytes are not taken any further.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) detail: &'static str,
}

/// Why a body was cut, for whoever reads it: that request is answered by its handler, and only once.
pub(crate) type Cut = Arc<OnceLock<Refusal>>;

/// What is expected next.
enum Phase {
    /// The first byte of a head.
    Idle { until: Instant },
    /// The rest of a head.
    Head { until: Instant },
    /// So many bytes of a body.
    Sized { left: u64, body: BodyClock },
    /// A body in chunks.
    Chunked { chunks: Chunks, body: BodyClock },
    /// Nothing.
    Closed,
}

/// When a body began and how much of it came.
#[derive(Clone, Copy)]
struct BodyClock {
    began: Instant,
    bytes: u64,
}

impl BodyClock {
    fn deadline(&self) -> Instant {
        let earned = Duration::from_secs(self.bytes / BODY_RATE_MIN);
        self.began + (BODY_GRACE + earned).min(BODY_TIMEOUT)
    }
}

/// A socket whose requests have one meaning.
pub(crate) struct Gate<S> {
    socket: S,
    header_bytes_max: usize,
    head_timeout: Duration,
    /// Read from the socket; the first `released` bytes may pass.
    buffer: Vec<u8>,
    released: usize,
    /// Bytes after the released ones in which no head ends.
    scanned: usize,
    phase: Phase,
    /// Why no further head is taken; no handler knows of it.
    refusal: Option<Refusal>,
    cut: Cut,
    timer: Pin<Box<Sleep>>,
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S> Gate<S> {
    /// A gate before `socket`, whose heads may have `header_bytes_max` bytes and may take `head_timeout` each.
    pub(crate) fn new(socket: S, header_bytes_max: usize, head_timeout: Duration) -> Self {
        let until = Instant::now() + head_timeout;
        Self {
            socket,
            header_bytes_max,
            head_timeout,
            buffer: Vec::new(),
            released: 0,
            scanned: 0,
            phase: Phase::Idle { until },
            refusal: None,
            cut: Cut::default(),
            timer: Box::pin(tokio::time::sleep_until(until)),
            stall: None,
        }
    }

    /// Says why a body ended early, once it has.
    pub(crate) fn cut(&self) -> Cut {
        Arc::clone(&self.cut)
    }

    /// The socket, and why no further request was taken from it.
    pub(crate) fn into_parts(self) -> (S, Option<Refusal>) {
        (self.socket, self.refusal)
    }

    fn refuse(&mut self, code: Code, detail: &'static str) {
        let refusal = Refusal { code, detail };
        match self.phase {
            // A connection ends with the first body that is cut.
            Phase::Sized { .. } | Phase::Chunked { .. } => drop(self.cut.set(refusal)),
            _ => self.refusal = Some(refusal),
        }
        self.phase = Phase::Closed;
    }

    /// Releases what can be released of the bytes that are there.
    fn judge(&mut self) {
        while self.released < self.buffer.len() {
            let fresh = &self.buffer[self.released..];
            match &mut self.phase {
                Phase::Closed => return,
                Phase::Idle { .. } => {
                    self.phase = Phase::Head { until: Instant::now() + self.head_timeout }
                }
                Phase::Head { .. } => match self.judge_head() {
                    Some(()) => {}
                    None => return,
                },
                Phase::Sized { left, body } => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(fresh.len());
                    *left -= count as u64;
                    body.bytes += count as u64;
                    self.released += count;
                    if *left == 0 {
                        self.phase = Phase::Idle { until: Instant::now() + IDLE_TIMEOUT };
                    }
                }
                Phase::Chunked { chunks, body } => match chunks.advance(fresh) {
                    Progress::More => {
                        body.bytes += fresh.len() as u64;
                        self.released = self.buffer.len();
                    }
                    Progress::Done(count) => {
                        self.released += count;
                        self.phase = Phase::Idle { until: Instant::now() + IDLE_TIMEOUT };
                    }
                    Progress::Refused(detail) => {
                        return self.refuse(Code::ContentLengthInvalid, detail);
                    }
                },
            }
        }
    }

    /// Judges a head if it is there to its end; `None` where nothing more can be judged now.
    fn judge_head(&mut self) -> Option<()> {
        let fresh = &self.buffer[self.released..];
        let length = match head::end(fresh, self.scanned) {
            Ok(Some(length)) if length <= self.header_bytes_max => length,
            Ok(None) if fresh.len() <= self.header_bytes_max => {
                self.scanned = fresh.len();
                return None;
            }
            Ok(_) => {
                self.refuse(
                    Code::HeaderTooLarge,
                    "the head is larger than limits.max_header_bytes",
                );
                return None;
            }
            Err(detail) => {
                self.refuse(Code::BadRequest, detail);
                return None;
            }
        };
        self.scanned = 0;
        let body = BodyClock { began: Instant::now(), bytes: 0 };
        match head::judge(&fresh[..length]) {
            Ok(Framing::None) => self.phase = Phase::Idle { until: body.began + IDLE_TIMEOUT },
            Ok(Framing::Sized(left)) => self.phase = Phase::Sized { left, body },
            Ok(Framing::Chunked) => self.phase = Phase::Chunked { chunks: Chunks::new(), body },
            Err(refusal) => {
                self.refuse(refusal.code, refusal.detail);
                return None;
            }
        }
        self.released += length;
        Some(())
    }

    /// Cuts a sender that is too slow.
    fn check_time(&mut self, cx: &mut Context<'_>) -> bool {
        let until = match &self.phase {
            Phase::Idle { until } | Phase::Head { until } => *until,
            Phase::Sized { body, .. } | Phase::Chunked { body, .. } => body.deadline(),
            Phase::Closed => return true,
        };
        if self.timer.deadline() != until {
            self.timer.as_mut().reset(until);
        }
        if self.timer.as_mut().poll(cx).is_pending() {
            return false;
        }
        match self.phase {
            // Nobody waits for an answer.
            Phase::Idle { .. } => self.phase = Phase::Closed,
            _ => self.refuse(Code::RequestTimeout, "the request arrived too slowly"),
        }
        true
    }

    fn pass(&mut self, out: &mut ReadBuf<'_>) {
        let count = self.released.min(out.remaining());
        out.put_slice(&self.buffer[..count]);
        self.released -= count;
        if count == self.buffer.len() {
            self.buffer.clear();
        } else {
            self.buffer.drain(..count);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            this.judge();
            if this.released > 0 {
                this.pass(out);
                return Poll::Ready(Ok(()));
            }
            if this.check_time(cx) {
                return Poll::Ready(Ok(()));
            }
            let mut bytes = [const { std::mem::MaybeUninit::uninit() }; READ_BYTES];
            let mut chunk = ReadBuf::uninit(&mut bytes);
            ready!(Pin::new(&mut this.socket).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                this.phase = Phase::Closed;
                return Poll::Ready(Ok(()));
            }
            this.buffer.extend_from_slice(chunk.filled());
        }
    }
}

impl<S: AsyncWrite + Unpin> Gate<S> {
    /// Lets `write` go on, or cuts a reader that took nothing for too long.
    fn timed<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match write(Pin::new(&mut self.socket), cx) {
            Poll::Ready(result) => {
                self.stall = None;
                Poll::Ready(result)
            }
            Poll::Pending => {
                let stall =
                    self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_STALL)));
                ready!(stall.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().timed(cx, |socket, cx| socket.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().timed(cx, |socket, cx| socket.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().timed(cx, |socket, cx| socket.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().timed(cx, |socket, cx| socket.poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
