//! The same work for each of several things, some at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `work` for all `items`, as many at a time as there are processors. Results are in the order of the items.
///
/// # Panics
/// Where `work` does.
pub(crate) fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { return done };
            done.push((place, work(item)));
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(thread::ScopedJoinHandle::join);
        joined.flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once_and_results_are_in_their_order() {
        let items: Vec<u64> = (0..50).collect();
        let done = AtomicUsize::new(0);
        let doubled = side_by_side(&items, |item| {
            done.fetch_add(1, Ordering::Relaxed);
            // The first take longest: results do not come in order by themselves.
            thread::sleep(std::time::Duration::from_micros(50 - item));
            2 * item
        });
        assert_eq!(doubled, items.iter().map(|item| 2 * item).collect::<Vec<_>>());
        assert_eq!(done.into_inner(), 50);
        assert!(side_by_side(&[], |item: &u64| *item).is_empty());
    }
}
