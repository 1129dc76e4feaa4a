//! Pairs of floor and candidate, and what their ratios say.
//!
//! Both run in this process, one after the other, A B B A: whatever slows the machine for longer than a block
//! slows both. Only the ratio of one pair is ever formed, never that of two runs.

use crate::clock::{Cost, Processor};

/// How many pairs to take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pairs {
    /// Pairs that count.
    pub(crate) counted: usize,
    /// Pairs before them, while caches and branch predictors settle.
    pub(crate) dropped: usize,
}

/// One side of a pair: prepares a block, then gives the work that the clock sees.
pub(crate) trait Side {
    /// Makes whatever the next block needs. Not measured.
    fn prepare(&mut self) -> anyhow::Result<()>;

    /// Does one block. Measured.
    fn block(&mut self) -> anyhow::Result<()>;
}

/// A side that needs no preparation.
pub(crate) struct Repeat<F>(pub(crate) F);

impl<F: FnMut() -> anyhow::Result<()>> Side for Repeat<F> {
    fn prepare(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn block(&mut self) -> anyhow::Result<()> {
        (self.0)()
    }
}

/// What each pair of blocks cost.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    pairs: Vec<(Cost, Cost)>,
}

/// The middle of a set of numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) first_quartile: f64,
    pub(crate) median: f64,
    pub(crate) third_quartile: f64,
}

/// Takes the pairs.
pub(crate) fn compare(
    pairs: Pairs,
    processor: Processor,
    floor: &mut dyn Side,
    candidate: &mut dyn Side,
) -> anyhow::Result<Measured> {
    let mut measured = Vec::with_capacity(pairs.counted);
    for number in 0..pairs.dropped + pairs.counted {
        let pair = if number % 2 == 0 {
            let first = cost(processor, floor)?;
            (first, cost(processor, candidate)?)
        } else {
            let first = cost(processor, candidate)?;
            (cost(processor, floor)?, first)
        };
        if number >= pairs.dropped {
            measured.push(pair);
        }
    }
    Ok(Measured { pairs: measured })
}

fn cost(processor: Processor, side: &mut dyn Side) -> anyhow::Result<Cost> {
    side.prepare()?;
    Ok(processor.cost(|| side.block())?.1)
}

impl Measured {
    /// Takes over the pairs of another measurement.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.pairs.extend_from_slice(&other.pairs);
    }

    /// How many pairs there are.
    pub(crate) fn count(&self) -> usize {
        self.pairs.len()
    }

    /// Processor time of the floor over that of the candidate: 1 where both cost the same.
    pub(crate) fn processor_ratio(&self) -> Spread {
        Spread::of(self.pairs.iter().map(|(floor, candidate)| {
            floor.processor.as_secs_f64() / candidate.processor.as_secs_f64()
        }))
    }

    /// The same on the wall.
    pub(crate) fn wall_ratio(&self) -> Spread {
        Spread::of(
            self.pairs
                .iter()
                .map(|(floor, candidate)| floor.wall.as_secs_f64() / candidate.wall.as_secs_f64()),
        )
    }

    /// Processor seconds of the median block of the floor.
    pub(crate) fn floor_seconds(&self) -> f64 {
        Spread::of(self.pairs.iter().map(|(floor, _)| floor.processor.as_secs_f64())).median
    }

    /// Processor seconds of the median block of the candidate.
    pub(crate) fn candidate_seconds(&self) -> f64 {
        Spread::of(self.pairs.iter().map(|(_, candidate)| candidate.processor.as_secs_f64())).median
    }
}

impl Spread {
    /// Sorts and takes quartiles, between neighbours by interpolation; NaN where there is nothing.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values = values.collect::<Vec<_>>();
        values.sort_by(f64::total_cmp);
        let quantile = |share: f64| {
            let place = share * values.len().saturating_sub(1) as f64;
            let (low, high) = (place.floor() as usize, place.ceil() as usize);
            match (values.get(low), values.get(high)) {
                (Some(low_value), Some(high_value)) => {
                    low_value + (high_value - low_value) * (place - low as f64)
                }
                _ => f64::NAN,
            }
        };
        Self {
            first_quartile: quantile(0.25),
            median: quantile(0.5),
            third_quartile: quantile(0.75),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_where_they_should() {
        let spread = Spread::of([5.0, 1.0, 2.0, 4.0, 3.0].into_iter());
        assert_eq!((spread.first_quartile, spread.median, spread.third_quartile), (2.0, 3.0, 4.0));
        let even = Spread::of([1.0, 2.0, 3.0, 4.0].into_iter());
        assert_eq!(even.median, 2.5);
        assert!(Spread::of([].into_iter()).median.is_nan());
    }

    #[test]
    fn sides_alternate_and_the_first_pairs_do_not_count() {
        let order = std::cell::RefCell::new(String::new());
        let mut floor = Repeat(|| {
            order.borrow_mut().push('a');
            Ok(())
        });
        let mut candidate = Repeat(|| {
            order.borrow_mut().push('b');
            Ok(())
        });
        let pairs = Pairs { counted: 3, dropped: 1 };
        let measured = compare(pairs, Processor::Thread, &mut floor, &mut candidate).unwrap();
        assert_eq!(measured.count(), 3);
        assert_eq!(*order.borrow(), "abbaabba");
    }
}
