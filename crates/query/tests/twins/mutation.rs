//! Written texts, broken: cut, doubled, with other letters. They are read as something or refused; nothing else happens.

use custodia_oracle::speech::{Language, Met};
use custodia_query::fetchxml::Fetch;
use custodia_query::odata::{Limits, parse_apply, parse_options, query_options, write_apply, write_options};

use crate::world::{asker, schema, vocabulary};
use crate::{questions, sent, words};

/// Broken texts made of each.
const BREAKS: u64 = 8;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}

/// The text with one or two things done to it.
fn broken(text: &str, numbers: &mut Numbers) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=numbers.below(2) {
        let at = numbers.below(bytes.len());
        let end = (at + numbers.below(24)).min(bytes.len());
        match numbers.below(7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let stretch = bytes[at..end].to_vec();
                bytes.splice(at..at, stretch);
            }
            3 => bytes.extend_from_within(at..end),
            4 if !bytes.is_empty() => bytes[at] ^= 1 << numbers.below(8),
            5 if !bytes.is_empty() => {
                let signs = b"()'\"<>/&;,=:*@$%[]{}-+.# \t\n0aZ\xff\x00";
                bytes[at] = signs[numbers.below(signs.len())];
            }
            _ if !bytes.is_empty() => {
                let other = numbers.below(bytes.len());
                bytes.swap(at, other);
            }
            _ => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn broken_options_are_read_or_refused() {
    let limits = Limits::default();
    let mut met = Met::default();
    for seed in 0..questions() / 4 {
        let mut numbers = Numbers(seed);
        let rows = vocabulary().query(Language::OData, seed).unwrap();
        let groups = vocabulary().groups(Language::OData, seed).unwrap();
        let written = [
            (rows.question.table, write_options(&words(&rows.phrases), &rows.question)),
            (groups.question.rows.table, write_apply(&words(&groups.phrases), &groups.question)),
        ];
        for (table, written) in written {
            let (table, Ok(options)) = (schema().table(table).unwrap(), written) else { continue };
            for _ in 0..BREAKS {
                // Broken as it is sent, and one option alone after it was decoded.
                let sent = query_options(&broken(&sent(&options), &mut numbers), &limits);
                let mut decoded = options.clone();
                let which = numbers.below(decoded.len());
                decoded[which].1 = broken(&decoded[which].1, &mut numbers);
                for options in sent.into_iter().chain([decoded]) {
                    let rows = parse_options(schema(), table, &options, &limits, Some(asker())).map(|_| ());
                    let groups = parse_apply(schema(), table, &options, &limits, Some(asker())).map(|_| ());
                    met.note(if rows.is_ok() && groups.is_ok() { "read" } else { "refused" });
                    for error in [rows.err(), groups.err()].into_iter().flatten() {
                        let place = error.place();
                        assert!(!error.to_string().is_empty());
                        assert!(place.character > 0 || place.part == "query string", "{error}");
                    }
                }
            }
        }
    }
    assert!(met.rarer(&["read", "refused"], 100).is_empty(), "{met:?}");
}

#[test]
fn broken_fetchxml_is_read_or_refused() {
    let limits = Limits::default();
    let mut met = Met::default();
    for seed in 0..questions() / 4 {
        let mut numbers = Numbers(seed);
        let rows = vocabulary().query(Language::FetchXml, seed).unwrap();
        let groups = vocabulary().groups(Language::FetchXml, seed).unwrap();
        let written = [
            Fetch::of_query(&words(&rows.phrases), &rows.question),
            Fetch::of_groups(&words(&groups.phrases), &groups.question),
        ];
        for fetch in written.into_iter().flatten() {
            let text = fetch.print();
            for _ in 0..BREAKS {
                let broken = broken(&text, &mut numbers);
                let read = Fetch::read(&broken, &limits).and_then(|fetch| fetch.resolve(schema(), asker(), &limits));
                met.note(if read.is_ok() { "read" } else { "refused" });
                if let Err(error) = read {
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    }
    assert!(met.rarer(&["read", "refused"], 100).is_empty(), "{met:?}");
}
