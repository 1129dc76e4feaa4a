//! Progress of long work, on standard error, where a person is watching. Never on standard output.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// A bar, or nothing where nobody watches.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Counts bytes to `total`; without a total it counts up.
    pub(crate) fn bytes(output: &Output, what: &'static str, total: Option<u64>) -> Self {
        let template = match total {
            Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
            None => "{msg} {bytes} {bytes_per_sec}",
        };
        Self::new(output, what, total, template)
    }

    /// Counts up.
    pub(crate) fn count(output: &Output, what: &'static str) -> Self {
        Self::new(output, what, None, "{human_pos} {msg} {per_sec}")
    }

    fn new(output: &Output, what: &'static str, total: Option<u64>, template: &str) -> Self {
        if !output.shows_progress() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self(bar)
    }

    /// Moves to an absolute place.
    pub(crate) fn set(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
