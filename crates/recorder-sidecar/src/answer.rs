//! Answers: a status, a media type and bytes, or a file that is streamed.

use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use recorder_sidecar_api::media::Media;
use recorder_sidecar_api::problem::{MEDIA_TYPE, Problem};
use serde::Serialize;
use tokio::sync::mpsc;

/// Bytes of a file that are sent at once.
const CHUNK_BYTES: usize = 64 << 10;

/// An answer before it has headers.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: AnswerBody,
    /// Whether it was given before.
    pub(crate) is_replay: bool,
}

impl Answer {
    /// JSON.
    pub(crate) fn json(status: u16, value: &impl Serialize) -> Self {
        // The wire types hold strings, integers, lists and objects with string keys.
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        Self::bytes(status, Media::Json.content_type(), bytes)
    }

    /// Bytes of some type.
    pub(crate) fn bytes(status: u16, content_type: &'static str, bytes: Vec<u8>) -> Self {
        let body = AnswerBody::Bytes(Some(Bytes::from(bytes)));
        Self { status, content_type, body, is_replay: false }
    }

    /// A file, from where it stands to its end.
    pub(crate) fn file(content_type: &'static str, file: File, size_bytes: u64) -> Self {
        let (sender, chunks) = mpsc::channel(2);
        tokio::task::spawn_blocking(move || send(file, &sender));
        let body = AnswerBody::File { chunks, left: size_bytes };
        Self { status: 200, content_type, body, is_replay: false }
    }

    /// A refusal.
    pub(crate) fn problem(problem: &Problem) -> Self {
        Self::bytes(problem.code().status(), MEDIA_TYPE, problem.to_json())
    }
}

fn send(mut file: File, sender: &mpsc::Sender<Bytes>) {
    loop {
        let mut chunk = vec![0; CHUNK_BYTES];
        match file.read(&mut chunk) {
            // A file that cannot be read ends early, and its length says so to the reader.
            Ok(0) | Err(_) => return,
            Ok(count) => chunk.truncate(count),
        }
        if sender.blocking_send(Bytes::from(chunk)).is_err() {
            return;
        }
    }
}

/// The body of an answer.
pub(crate) enum AnswerBody {
    /// What is there already.
    Bytes(Option<Bytes>),
    /// What is read while it is sent.
    File {
        /// The pieces.
        chunks: mpsc::Receiver<Bytes>,
        /// Bytes that are still to come.
        left: u64,
    },
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::File { chunks, left } => chunks.poll_recv(cx).map(|chunk| {
                let chunk = chunk?;
                *left = left.saturating_sub(chunk.len() as u64);
                Some(Ok(Frame::data(chunk)))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::File { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::File { left, .. } => SizeHint::with_exact(*left),
        }
    }
}
