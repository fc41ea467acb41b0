//! Groups of digits in a row, and which of them together are a card number.
//!
//! A run is what stands between two pieces that end a number. Within it every row of whole groups is looked at that has 12 to
//! 19 digits: at most 19 rows for each group, so that the time grows with the length of the text and no faster.

use std::ops::Range;

use crate::issuer::{Certainty, certainty, is_article_number, is_checked};
use crate::piece::{Kind, Piece, Pieces, Reading};

/// Fewest digits of a card number.
pub const DIGITS_MIN: usize = 12;
/// Most digits of a card number (ISO/IEC 7812-1).
pub const DIGITS_MAX: usize = 19;

/// Digits at the end that a masked number keeps.
const DIGITS_SHOWN: usize = 4;
/// Separators between two groups of one number, at most: a line's end with what is indented or quoted behind it.
const SEPARATORS_MAX: usize = 8;
/// Digits of a telephone number with its country's, at most, that is never taken for a card's: 15 are possible (E.164), but no
/// country gives out that many, and cards of 15 digits begin as few countries do.
const PHONE_DIGITS_MAX: usize = 14;
/// Digits of a country's number before telephone numbers, at most (E.164).
const COUNTRY_DIGITS_MAX: usize = 3;
/// Digits before the point of a fraction, at most: longer ones are no decimals that people and machines write with many digits.
const WHOLE_DIGITS_MAX: usize = 3;
/// Characters before a number in which a word for a card is looked for.
const WORD_CHARACTERS: usize = 24;
/// Words for a card: with one before it, a number that could be something else is a card's.
const CARD_WORDS: [&str; 8] = ["card", "visa", "karte", "carte", "tarjeta", "carta", "cartao", "pan:"];
/// Numbers of mobile phones in Germany and Austria, written with their country's but without a sign: as long as the short
/// numbers of Visa, which nobody has been given for decades.
const PHONES_OF_13: [&[u8]; 4] = [&[4, 9, 1, 5], &[4, 9, 1, 6], &[4, 9, 1, 7], &[4, 3, 6]];

/// How cards have their numbers printed, beyond groups of one length.
const PRINTED: [&[usize]; 6] = [&[4, 6, 5], &[4, 6, 4], &[4, 3, 3, 3], &[6, 13], &[4, 5, 6], &[6, 9]];
/// Lengths of groups that numbers are written in when all groups have one length and the same between them.
const EVEN_GROUPS: [usize; 5] = [2, 3, 5, 6, 8];

/// What a text was found to hold.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Where numbers stand, in bytes; those that overlap are one.
    pub spans: Vec<Range<usize>>,
    /// Their digits but the last four, in bytes.
    pub hidden: Vec<Range<usize>>,
    /// Whether one was found.
    pub any: bool,
}

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Whether there is one.
    Any,
    /// All of them.
    All,
}

/// Looks for card numbers in a text that is read in one way.
pub(crate) fn look(text: &str, reading: Reading, asked: Asked, found: &mut Found) {
    let mut run = Run::default();
    for piece in Pieces::new(text, reading) {
        if run.take(piece, text, asked, found) && asked == Asked::Any {
            return;
        }
    }
    run.end(text, asked, found);
}

struct Digit {
    value: u8,
    start: usize,
    end: usize,
}

/// What stands before a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Joint {
    /// The separators, digested: two joints with the same are written alike.
    digest: u32,
    count: usize,
    has_line: bool,
    is_point: bool,
}

impl Joint {
    const NONE: Self = Self { digest: 0, count: 0, has_line: false, is_point: false };

    fn push(&mut self, separator: char) {
        self.digest = self.digest.wrapping_mul(31).wrapping_add(separator as u32);
        self.has_line |= matches!(separator, '\n' | '\r' | '\u{2028}' | '\u{2029}');
        self.is_point = self.count == 0 && separator == '.';
        self.count += 1;
    }
}

struct Group {
    /// Its first digit.
    first: usize,
    length: usize,
    joint: Joint,
    /// A plus stands before it.
    is_phone: bool,
    /// It is a part of a hexadecimal number, which goes on before it or behind it.
    is_part: bool,
}

/// Letters that stand directly before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Letters {
    #[default]
    None,
    /// A word.
    Word,
    /// Letters of a hexadecimal number, directly behind a digit.
    Hexadecimal,
}

#[derive(Default)]
struct Run {
    digits: Vec<Digit>,
    groups: Vec<Group>,
    /// The last group may grow.
    is_open: bool,
    joint: Option<Joint>,
    after_plus: bool,
    letters: Letters,
}

impl Run {
    /// Takes the next piece; whether a number was found.
    fn take(&mut self, piece: Piece, text: &str, asked: Asked, found: &mut Found) -> bool {
        match piece.kind {
            Kind::Joiner => false,
            Kind::Digit(value) => {
                let is_part = self.letters == Letters::Hexadecimal;
                let mut is_found = false;
                if self.letters != Letters::None {
                    if let (true, Some(group)) = (is_part, self.groups.last_mut()) {
                        group.is_part = true;
                    }
                    is_found = self.end(text, asked, found);
                }
                if !self.is_open {
                    self.groups.push(Group {
                        first: self.digits.len(),
                        length: 0,
                        joint: self.joint.take().unwrap_or(Joint::NONE),
                        is_phone: self.after_plus,
                        is_part,
                    });
                    self.is_open = true;
                }
                if let Some(group) = self.groups.last_mut() {
                    group.length += 1;
                }
                self.digits.push(Digit { value, start: piece.start, end: piece.end });
                self.after_plus = false;
                self.letters = Letters::None;
                is_found
            }
            Kind::Separator(separator) => {
                if self.letters != Letters::None {
                    return self.end(text, asked, found);
                }
                self.is_open = false;
                self.after_plus = false;
                if self.groups.is_empty() {
                    return false;
                }
                let joint = self.joint.get_or_insert(Joint::NONE);
                joint.push(separator);
                joint.count > SEPARATORS_MAX && self.end(text, asked, found)
            }
            Kind::Letter { hexadecimal } => {
                // Whether it is a part of a hexadecimal number shows only behind the letters: the run waits for that.
                let continues = match self.letters {
                    Letters::None => self.is_open,
                    before => before == Letters::Hexadecimal,
                };
                let is_found = if self.is_open { false } else { self.end(text, asked, found) };
                self.letters = if continues && hexadecimal { Letters::Hexadecimal } else { Letters::Word };
                self.after_plus = false;
                is_found
            }
            Kind::Plus | Kind::Other => {
                let is_found = self.end(text, asked, found);
                self.after_plus = piece.kind == Kind::Plus;
                is_found
            }
        }
    }

    /// Looks at what has come together, and begins anew.
    fn end(&mut self, text: &str, asked: Asked, found: &mut Found) -> bool {
        let is_found = self.digits.len() >= DIGITS_MIN && self.search(text, asked, found);
        self.digits.clear();
        self.groups.clear();
        self.is_open = false;
        self.joint = None;
        self.after_plus = false;
        self.letters = Letters::None;
        is_found
    }

    fn search(&self, text: &str, asked: Asked, found: &mut Found) -> bool {
        // Digits of the numbers, and those of them that are hidden; what overlaps is joined.
        let (mut numbers, mut hidden): (Vec<Range<usize>>, Vec<Range<usize>>) = (Vec::new(), Vec::new());
        let mut digits = [0_u8; DIGITS_MAX];
        for (at, first) in self.groups.iter().enumerate() {
            let mut length = 0;
            for (behind, group) in self.groups.iter().enumerate().skip(at) {
                let (Some(place), Some(more)) = (
                    digits.get_mut(length..length + group.length),
                    self.digits.get(group.first..group.first + group.length),
                ) else {
                    break;
                };
                place.iter_mut().zip(more).for_each(|(place, digit)| *place = digit.value);
                length += group.length;
                let (Some(number), Some(groups)) = (digits.get(..length), self.groups.get(at..=behind)) else { break };
                if length < DIGITS_MIN || !self.is_card(number, groups, at, text) {
                    continue;
                }
                found.any = true;
                if asked == Asked::Any {
                    return true;
                }
                join(&mut numbers, first.first..first.first + length);
                join(&mut hidden, first.first..first.first + length - DIGITS_SHOWN);
            }
        }
        let bytes = |first: usize, last: usize| match (self.digits.get(first), self.digits.get(last)) {
            (Some(first), Some(last)) => Some(first.start..last.end),
            _ => None,
        };
        found.spans.extend(numbers.iter().filter_map(|number| bytes(number.start, number.end.saturating_sub(1))));
        found.hidden.extend(hidden.into_iter().flatten().filter_map(|digit| bytes(digit, digit)));
        !numbers.is_empty()
    }

    /// Whether digits, written in these groups, are a card's number.
    fn is_card(&self, number: &[u8], groups: &[Group], at: usize, text: &str) -> bool {
        let Some(needed) = needed(groups, number.len()) else { return false };
        let Some(certainty) = certainty(number).filter(|_| is_checked(number)) else { return false };
        let is_likely = match certainty {
            Certainty::Rare => self.has_card_word(groups, text),
            Certainty::Wide | Certainty::Exact => certainty >= needed,
        };
        is_likely && !self.is_other(number, groups, at, text)
    }

    /// Whether the number is more likely something else.
    fn is_other(&self, number: &[u8], groups: &[Group], at: usize, text: &str) -> bool {
        let Some(first) = groups.first() else { return false };
        if groups.first().is_some_and(|group| group.is_part) || groups.last().is_some_and(|group| group.is_part) {
            return true;
        }
        // The plus stands before it, or before the country's number before it.
        let before = at.checked_sub(1).and_then(|before| self.groups.get(before));
        let is_national = before.is_some_and(|before| before.is_phone && before.length <= COUNTRY_DIGITS_MAX);
        if (first.is_phone || is_national) && number.len() <= PHONE_DIGITS_MAX {
            return true;
        }
        let is_fraction = match groups {
            [digits] => before.is_some_and(|whole| is_fraction(whole, digits)),
            [whole, digits] => is_fraction(whole, digits),
            _ => false,
        };
        if is_fraction {
            return true;
        }
        let is_ambiguous = number.len() == 13
            && (is_article_number(number) || PHONES_OF_13.iter().any(|beginning| number.starts_with(beginning)));
        is_ambiguous && !self.has_card_word(groups, text)
    }

    /// Whether a word for a card stands shortly before.
    fn has_card_word(&self, groups: &[Group], text: &str) -> bool {
        let first = groups.first().and_then(|group| self.digits.get(group.first));
        let before = first.and_then(|first| text.get(..first.start)).unwrap_or_default();
        let reversed: String = before.chars().rev().take(WORD_CHARACTERS).collect();
        let before: String = reversed.chars().rev().flat_map(char::to_lowercase).collect();
        CARD_WORDS.iter().any(|word| before.contains(word))
    }
}

/// Whether the second of two groups are the digits of a fraction behind a point.
fn is_fraction(whole: &Group, digits: &Group) -> bool {
    digits.joint.is_point && digits.joint.count == 1 && whole.length <= WHOLE_DIGITS_MAX && !whole.joint.is_point
}

/// Appends a range to others that begin no later; those that meet become one.
fn join(ranges: &mut Vec<Range<usize>>, range: Range<usize>) {
    match ranges.last_mut().filter(|last| range.start <= last.end) {
        Some(last) => last.end = last.end.max(range.end),
        None => ranges.push(range),
    }
}

/// How sure the beginning of a number must make it that it is a card's, when it is written in these groups; `None` where no
/// card's number is written so.
fn needed(groups: &[Group], length: usize) -> Option<Certainty> {
    let (last, body) = groups.split_last()?;
    let (Some(first), Some(size)) = (groups.get(1), groups.first().map(|group| group.length)) else {
        return Some(Certainty::Wide);
    };
    let is_alike = groups.iter().skip(2).all(|group| group.joint == first.joint);
    let are_lines = groups.iter().skip(1).all(|group| group.joint.has_line);
    let is_even = body.iter().all(|group| group.length == size) && last.length <= size;
    let in_fours =
        body.iter().all(|group| group.length.is_multiple_of(4)) && (last.length.is_multiple_of(4) || last.length < 4);
    let is_printed = PRINTED.iter().any(|printed| groups.iter().map(|group| group.length).eq(printed.iter().copied()));
    if in_fours || is_printed || is_even && (size == 1 || are_lines || is_alike && EVEN_GROUPS.contains(&size)) {
        return Some(Certainty::Wide);
    }
    // Broken anywhere: once, or twice where lines end.
    let is_broken = groups.len() == 2 || groups.len() == 3 && are_lines;
    (is_broken && length > 13).then_some(Certainty::Exact)
}
