//! Works on items in parallel and hands the results over in order, a bounded number of them ahead.
//!
//! What is handed over, and in which order, does not depend on how many threads there are.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::limits::VerifyError;

/// How many results may wait for each thread.
const AHEAD_OF_EACH_THREAD: usize = 2;

/// Where the work stands.
struct State<T> {
    next_item: usize,
    next_result: usize,
    waiting: BTreeMap<usize, T>,
    stopped: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A worker that panicked ends the scope with its panic; nothing that it left is used.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops everybody when the work ends early, by an error or a panic.
struct StopOnDrop<'a, T>(&'a Shared<T>);

impl<T> Drop for StopOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.lock().stopped = true;
        self.0.changed.notify_all();
    }
}

/// Calls `work` for the items 0 to `count` on `threads` threads and `take` with the results, in order, on this one.
///
/// # Errors
///
/// What `take` answers first.
pub(crate) fn in_order<T: Send>(
    count: usize,
    threads: usize,
    work: impl Fn(usize) -> T + Sync,
    mut take: impl FnMut(T) -> Result<(), VerifyError>,
) -> Result<(), VerifyError> {
    if threads <= 1 || count <= 1 {
        return (0..count).try_for_each(|item| take(work(item)));
    }
    let threads = threads.min(count);
    let ahead_max = threads * AHEAD_OF_EACH_THREAD;
    let state = State { next_item: 0, next_result: 0, waiting: BTreeMap::new(), stopped: false };
    let shared = Shared { state: Mutex::new(state), changed: Condvar::new() };
    std::thread::scope(|scope| {
        let stop = StopOnDrop(&shared);
        for _ in 0..threads {
            scope.spawn(|| {
                let stop = StopOnDrop(&shared);
                run(&shared, count, ahead_max, &work);
                // The others go on; only a panic stops them.
                std::mem::forget(stop);
            });
        }
        let result = (0..count).try_for_each(|item| match next(&shared, item) {
            Some(result) => take(result),
            None => Err(VerifyError::Defect("a worker stopped")),
        });
        drop(stop);
        result
    })
}

fn run<T>(shared: &Shared<T>, count: usize, ahead_max: usize, work: &impl Fn(usize) -> T) {
    loop {
        let mut state = shared.lock();
        while !state.stopped && state.next_item >= state.next_result + ahead_max {
            state = shared.wait(state);
        }
        if state.stopped || state.next_item >= count {
            return;
        }
        let item = state.next_item;
        state.next_item += 1;
        drop(state);
        let result = work(item);
        shared.lock().waiting.insert(item, result);
        shared.changed.notify_all();
    }
}

fn next<T>(shared: &Shared<T>, item: usize) -> Option<T> {
    let mut state = shared.lock();
    loop {
        if let Some(result) = state.waiting.remove(&item) {
            state.next_result = item + 1;
            drop(state);
            shared.changed.notify_all();
            return Some(result);
        }
        if state.stopped {
            return None;
        }
        state = shared.wait(state);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_order_whatever_the_threads() {
        for threads in [0, 1, 2, 5, 100] {
            let mut taken = Vec::new();
            let take = |result| {
                taken.push(result);
                Ok(())
            };
            in_order(50, threads, |item| item * 3, take).unwrap();
            assert_eq!(taken, (0..50).map(|item| item * 3).collect::<Vec<_>>(), "{threads}");
        }
    }

    #[test]
    fn work_is_never_far_ahead_of_what_was_taken() {
        let (done, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |_| {
            let ahead = done.fetch_add(1, Ordering::SeqCst) + 1 - taken.load(Ordering::SeqCst);
            assert!(ahead <= 2 * AHEAD_OF_EACH_THREAD + 1, "{ahead}");
        };
        let take = |()| {
            taken.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        in_order(200, 2, work, take).unwrap();
    }

    #[test]
    fn an_error_ends_the_work() {
        let refuse = |item| if item == 3 { Err(VerifyError::Defect("three")) } else { Ok(()) };
        for threads in [1, 2] {
            assert!(in_order(1000, threads, |item| item, refuse).is_err());
        }
    }
}
