//! Room: how many requests are worked on, how many wait for that, and how much of their bodies is held.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use recorder_sidecar_api::problem::Code;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::refusal::Refusal;

/// Bodies of the largest size that may be held at once.
const BODIES_MAX: usize = 8;

/// The places and the bytes.
pub(crate) struct Admission {
    places: Semaphore,
    waiting: AtomicUsize,
    waiting_max: usize,
    wait_max: Duration,
    held_bytes: AtomicUsize,
    held_bytes_max: usize,
}

impl Admission {
    /// With this much room.
    pub(crate) fn new(
        in_flight_max: usize,
        waiting_max: usize,
        wait_max: Duration,
        body_bytes_max: usize,
    ) -> Self {
        Self {
            places: Semaphore::new(in_flight_max),
            waiting: AtomicUsize::new(0),
            waiting_max,
            wait_max,
            held_bytes: AtomicUsize::new(0),
            held_bytes_max: body_bytes_max.saturating_mul(BODIES_MAX),
        }
    }

    /// Waits for a place.
    ///
    /// # Errors
    ///
    /// `queue_full` where too many wait already, `request_timeout` where it took too long.
    pub(crate) async fn enter(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let _waiting = Waiting::enter(&self.waiting, self.waiting_max)?;
        match tokio::time::timeout(self.wait_max, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(Refusal::new(Code::QueueFull, "no request is taken any more")),
            Err(_) => Err(Refusal::new(Code::RequestTimeout, "no place came free in time")),
        }
    }

    /// Whether a request would have to wait.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.places.available_permits() == 0
    }

    /// Places that are free.
    pub(crate) fn free_count(&self) -> usize {
        self.places.available_permits()
    }

    /// Bytes of bodies that are held, and how many may be.
    pub(crate) fn held_bytes(&self) -> (usize, usize) {
        (self.held_bytes.load(Ordering::Relaxed), self.held_bytes_max)
    }

    /// Requests that wait.
    pub(crate) fn waiting_count(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Room for a body that is about to arrive.
    pub(crate) fn hold(&self) -> Held<'_> {
        Held { admission: self, bytes: 0 }
    }
}

/// One who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize, count_max: usize) -> Result<Self, Refusal> {
        let waiting = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) >= count_max {
            return Err(Refusal::new(Code::QueueFull, "too many requests wait"));
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The bytes of a body that are held.
pub(crate) struct Held<'a> {
    admission: &'a Admission,
    bytes: usize,
}

impl Held<'_> {
    /// Takes room for more bytes.
    ///
    /// # Errors
    ///
    /// `queue_full` where all bodies together would be too large.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.bytes += bytes;
        let before = self.admission.held_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > self.admission.held_bytes_max {
            return Err(Refusal::new(Code::QueueFull, "too many bytes of requests are held"));
        }
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.admission.held_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_waits_and_who_finds_no_room_to_wait_does_not() {
        let admission = Admission::new(1, 1, Duration::from_secs(4), 100);
        let place = admission.enter().await.unwrap();
        assert!(admission.is_exhausted());
        let (second, third) = tokio::join!(admission.enter(), admission.enter());
        assert_eq!(second.unwrap_err().code, Code::RequestTimeout);
        assert_eq!(third.unwrap_err().code, Code::QueueFull);
        assert_eq!(admission.waiting_count(), 0);
        drop(place);
        assert!(admission.enter().await.is_ok());
    }

    #[test]
    fn bodies_are_bounded_together() {
        let admission = Admission::new(1, 1, Duration::from_secs(4), 100);
        let mut first = admission.hold();
        first.grow(500).unwrap();
        let mut second = admission.hold();
        second.grow(300).unwrap();
        assert_eq!(second.grow(1).unwrap_err().code, Code::QueueFull);
        drop(second);
        first.grow(300).unwrap();
    }
}
