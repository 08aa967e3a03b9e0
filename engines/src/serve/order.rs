//! The numbered calls of one model: done in the order of their numbers, each once.

use std::collections::BTreeMap;

/// Most calls of which the number is remembered.
const REMEMBERED: usize = 10_000;

/// Most calls that wait for an earlier one.
const WAITING: usize = 256;

/// Calls of type `T` by number. Numbers begin at 0 or at 1.
#[derive(Debug)]
pub(super) struct Order<T> {
    /// The number that is done next.
    next: u64,
    waiting: BTreeMap<u64, Option<T>>,
    /// Name of the result of each call.
    known: BTreeMap<u64, (String, &'static str)>,
}

/// What becomes of a call.
#[derive(Debug, PartialEq)]
pub(super) enum Arrival<T> {
    /// These are done now, in this order.
    Due(Vec<T>),
    /// An earlier one is missing.
    Waits,
}

impl<T> Default for Order<T> {
    fn default() -> Self {
        Order { next: 0, waiting: BTreeMap::new(), known: BTreeMap::new() }
    }
}

impl<T> Order<T> {
    /// Name of the result of the call with this number, and what kind of call it was.
    pub(super) fn known(&self, number: u64) -> Option<&(String, &'static str)> {
        self.known.get(&number)
    }

    /// Whether a call with this number is too late.
    pub(super) fn is_late(&self, number: u64) -> bool {
        number < self.next
    }

    /// Whether no more calls can wait.
    pub(super) fn is_full(&self, number: u64) -> bool {
        number > self.next && self.waiting.len() >= WAITING
    }

    /// A call with a number that is neither known nor late; without a call, the number is passed over.
    pub(super) fn arrive(
        &mut self,
        number: u64,
        call: Option<T>,
        result: Option<(String, &'static str)>,
    ) -> Arrival<T> {
        if let Some(result) = result {
            self.known.insert(number, result);
            if self.known.len() > REMEMBERED {
                self.known.pop_first();
            }
        }
        self.waiting.insert(number, call);
        // A 1 before any 0 says that numbers begin at 1, even if larger ones are waiting for it already.
        if self.next == 0 && number == 1 {
            self.next = 1;
        }
        let due = self.due();
        if self.waiting.contains_key(&number) { Arrival::Waits } else { Arrival::Due(due) }
    }

    /// Calls that are still waiting for one before `number`, which has not come in time: all that wait are given up.
    pub(super) fn give_up(&mut self, number: u64) -> Vec<T> {
        if !self.waiting.contains_key(&number) {
            return Vec::new();
        }
        let waiting = std::mem::take(&mut self.waiting);
        if let Some(last) = waiting.last_key_value() {
            self.next = last.0 + 1;
        }
        waiting.into_values().flatten().collect()
    }

    /// All that wait are given up.
    pub(super) fn give_up_all(&mut self) -> Vec<T> {
        std::mem::take(&mut self.waiting).into_values().flatten().collect()
    }

    fn due(&mut self) -> Vec<T> {
        let mut due = Vec::new();
        while let Some(call) = self.waiting.remove(&self.next) {
            due.extend(call);
            self.next += 1;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(number: u64) -> Option<(String, &'static str)> {
        Some((format!("result {number}"), "call"))
    }

    #[test]
    fn calls_are_due_in_the_order_of_their_numbers() {
        let mut order = Order::default();
        assert_eq!(order.arrive(2, Some('c'), named(2)), Arrival::Waits);
        assert_eq!(order.arrive(0, Some('a'), named(0)), Arrival::Due(vec!['a']));
        assert_eq!(order.arrive(1, Some('b'), named(1)), Arrival::Due(vec!['b', 'c']));
        assert_eq!(order.known(1), named(1).as_ref());
        assert!(order.is_late(1) && !order.is_late(3));
        assert_eq!(order.arrive(3, None, None), Arrival::Due(vec![]), "a refused call takes its number");
        assert_eq!(order.arrive(4, Some('e'), named(4)), Arrival::Due(vec!['e']));
    }

    #[test]
    fn numbers_may_begin_at_one() {
        let mut order = Order::default();
        assert_eq!(order.arrive(1, Some('b'), named(1)), Arrival::Due(vec!['b']));
        assert!(order.is_late(0));
        assert_eq!(order.arrive(2, Some('c'), named(2)), Arrival::Due(vec!['c']));
        // The SDK sends the first part of a batch last.
        let mut order = Order::default();
        assert_eq!(order.arrive(3, Some('d'), named(3)), Arrival::Waits);
        assert_eq!(order.arrive(2, Some('c'), named(2)), Arrival::Waits);
        assert_eq!(order.arrive(1, Some('b'), named(1)), Arrival::Due(vec!['b', 'c', 'd']));
    }

    #[test]
    fn what_waits_too_long_is_given_up_whole() {
        let mut order = Order::default();
        assert_eq!(order.arrive(0, Some('a'), named(0)), Arrival::Due(vec!['a']));
        assert_eq!(order.arrive(2, Some('c'), named(2)), Arrival::Waits);
        assert_eq!(order.arrive(3, Some('d'), named(3)), Arrival::Waits);
        assert_eq!(order.give_up(2), ['c', 'd']);
        assert_eq!(order.give_up(2), []);
        assert!(order.is_late(1));
        assert_eq!(order.arrive(4, Some('e'), named(4)), Arrival::Due(vec!['e']));
    }

    #[test]
    fn waiting_calls_are_bounded() {
        let mut order = Order::default();
        for number in 1..=WAITING as u64 {
            assert_eq!(order.arrive(number + 1, Some(number), None), Arrival::Waits);
        }
        assert!(order.is_full(5000) && !order.is_full(0), "the one that is waited for may come");
    }
}
