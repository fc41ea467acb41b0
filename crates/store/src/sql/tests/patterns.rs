//! Patterns find on both engines what the parser's own matcher finds.

use custodia_query::{Filter, LikePattern, LikeToken};
use custodia_schema::{Value, fold};

use super::super::Plan;
use super::super::like::after_prefix;
use super::super::writer::PATTERN_CHARACTERS_MAX;
use super::super::{CompileError, Context, Dialect, select};
use super::engines::engines;
use super::{Numbers, Only, TestPolicy, compile, id, path, query, schema, table, text};

const ALPHABET: &[char] = &[
    'a',
    'b',
    'Ä',
    '%',
    '_',
    '[',
    ']',
    '^',
    '-',
    '*',
    '?',
    '\\',
    '.',
    '\'',
    '"',
    '\n',
    'ß',
    '日',
    '\u{10FFFF}',
    '\u{D7FF}',
    ' ',
];

fn any_text(numbers: &mut Numbers, longest: u64) -> String {
    (0..numbers.below(longest + 1)).map(|_| *numbers.pick(ALPHABET)).collect()
}

fn any_token(numbers: &mut Numbers) -> LikeToken {
    let folded = |numbers: &mut Numbers| fold(&format!("{}x", numbers.pick(ALPHABET))).chars().next().unwrap();
    match numbers.below(6) {
        0 => LikeToken::One,
        1 | 2 => LikeToken::Many,
        3 => {
            let ranges = (0..numbers.below(4))
                .map(|_| {
                    let (low, high) = (folded(numbers), folded(numbers));
                    if numbers.below(2) == 0 { (low, low) } else { (low.min(high), high.max(low)) }
                })
                .collect();
            LikeToken::Class { negated: numbers.below(2) == 0, ranges }
        }
        _ => LikeToken::Char(folded(numbers)),
    }
}

fn any_pattern(numbers: &mut Numbers) -> LikePattern {
    let folded = |numbers: &mut Numbers| fold(&format!("{}a", any_text(numbers, 3)));
    match numbers.below(8) {
        0 => LikePattern::Anything,
        1 => LikePattern::Exact(folded(numbers)),
        2 => LikePattern::Prefix(folded(numbers)),
        3 => LikePattern::Suffix(folded(numbers)),
        4 => LikePattern::Substring(folded(numbers)),
        _ => {
            let tokens = numbers.below(5) + 1;
            // As a parser would give it: reduced.
            LikePattern::parse(&LikePattern::General((0..tokens).map(|_| any_token(numbers)).collect()).to_text())
        }
    }
}

#[test]
fn engines_match_as_the_pattern_does() {
    let mut found = 0;
    for database in engines(&["account"]) {
        let mut numbers = Numbers::new(11);
        let mut rows = Vec::new();
        for at in 0..150_u128 {
            let name = if at == 0 { None } else { Some(any_text(&mut numbers, 6)) };
            database.insert(
                "account",
                &[
                    ("accountid", Value::Guid(id(at))),
                    ("name", name.as_deref().map_or(Value::Null, text)),
                    ("ownerid", Value::Lookup(table("systemuser").id, id(1))),
                    ("owningbusinessunit", Value::Lookup(table("businessunit").id, id(1))),
                    ("statecode", Value::Integer(0)),
                    ("statuscode", Value::Integer(1)),
                ],
            );
            rows.push((id(at), name.map(|name| fold(&name))));
        }
        let cases = 400 * u64::from(custodia_testbed::effort());
        for _ in 0..cases {
            let pattern = any_pattern(&mut numbers);
            let negated = numbers.below(2) == 0;
            let expected: Vec<_> = rows
                .iter()
                .filter(|(_, name)| name.as_ref().is_some_and(|name| pattern.matches(name)) != negated)
                .map(|(id, _)| *id)
                .collect();
            let like = Filter::Like { path: path("account", "name"), pattern: pattern.clone() };
            let mut question = query("account", &[]);
            question.page_size = 500;
            question.filter = if negated { Filter::Not(Box::new(like)) } else { like };
            let statement = compile(database.dialect(), &question, &TestPolicy::open(), Plan::Ordered);
            let matched: Vec<_> = database.rows(&statement).iter().map(|row| row[0].guid().unwrap()).collect();
            assert_eq!(matched, expected, "{:?} {negated} {pattern:?}", database.dialect());
            found += usize::from(!matched.is_empty() && matched.len() < 149);
        }
    }
    assert!(found > 150, "patterns that match some rows only: {found}");
}

#[test]
fn the_end_of_a_prefix_is_the_next_text_that_lacks_it() {
    assert_eq!(after_prefix("ab").as_deref(), Some("ac"));
    assert_eq!(after_prefix("a\u{10FFFF}").as_deref(), Some("b"));
    assert_eq!(after_prefix("a\u{D7FF}").as_deref(), Some("a\u{E000}"));
    assert_eq!(after_prefix("\u{7F}").as_deref(), Some("\u{80}"));
    assert_eq!(after_prefix("\u{10FFFF}"), None);
    assert_eq!(after_prefix(""), None);
}

#[test]
fn patterns_of_one_question_are_so_long_together() {
    let contains = |characters: usize| Filter::Like {
        path: path("account", "name"),
        pattern: LikePattern::contains(&"x".repeat(characters)),
    };
    let ends = Filter::Like { path: path("account", "name"), pattern: LikePattern::ends_with(&"x".repeat(20_000)) };
    let half = PATTERN_CHARACTERS_MAX / 2;
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let compiled = |filters: Vec<Filter>| {
            let mut question = query("account", &[]);
            question.filter = Filter::And(filters);
            let schema = schema();
            let context = Context { dialect, schema: &schema, tables: &Only(|_| true) };
            select(&context, &question, &TestPolicy::open(), Plan::Union).map(drop)
        };
        compiled(vec![contains(half), contains(half), ends.clone()]).unwrap();
        let refused = compiled(vec![contains(half), contains(half), contains(1)]).unwrap_err();
        let CompileError::TooLarge { what, limit } = refused else { panic!("{refused:?}") };
        assert_eq!((what, limit), ("characters in text patterns", PATTERN_CHARACTERS_MAX));
    }
}
