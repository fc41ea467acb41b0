//! Counts the lines of its input that hold a payment card number, by the word before the first tab of each: for numbers that
//! others generate (`scripts/card-numbers`, `docs/cards.md`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::io::BufRead;

fn main() {
    let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let (kind, text) = line.split_once('\t').unwrap_or(("", &line));
        let (lines, found) = counts.entry(kind.to_owned()).or_default();
        *lines += 1;
        *found += u64::from(custodia_inspection::holds_card_number(text));
    }
    for (kind, (lines, found)) in counts {
        println!("{kind}\t{lines}\t{found}");
    }
}
