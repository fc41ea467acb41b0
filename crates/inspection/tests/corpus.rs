//! How many card numbers are missed, over generated ones in every form that `docs/cards.md` lists, and how many other things are
//! taken for one, over the real data of the demonstration and over generated identifiers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use custodia_inspection::{card_numbers, holds_card_number, masked};

/// Numbers made for each form.
const NUMBERS: u64 = 400;
/// Identifiers made of each kind.
const IDENTIFIERS: u64 = 20_000;

/// Noise that is the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap())).collect()
    }
}

/// Beginnings and lengths that schemes give out, said once more and apart from the program's own list.
const SCHEMES: [(&str, &[usize]); 30] = [
    ("4", &[13, 16, 19]),
    ("51", &[16]),
    ("53", &[16]),
    ("55", &[16]),
    ("2221", &[16]),
    ("2500", &[16]),
    ("2720", &[16]),
    ("34", &[15]),
    ("37", &[15]),
    ("300", &[14, 16]),
    ("305", &[14]),
    ("36", &[14, 16, 19]),
    ("38", &[14, 16]),
    ("6011", &[16, 17, 18, 19]),
    ("644", &[16]),
    ("65", &[16, 19]),
    ("62", &[16, 17, 18, 19]),
    ("3528", &[16]),
    ("3589", &[16, 19]),
    ("2131", &[15]),
    ("1800", &[15]),
    ("5018", &[12, 13, 14, 15, 16, 17, 18, 19]),
    ("6304", &[12, 16, 19]),
    ("6759", &[12, 18, 19]),
    ("6762", &[14, 16]),
    ("2200", &[16, 19]),
    ("5099", &[16]),
    ("606282", &[16]),
    ("97920", &[16]),
    ("8171", &[16, 18]),
];

fn checked(mut digits: String) -> String {
    digits.pop();
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let value = u32::from(byte - b'0') * if at.is_multiple_of(2) { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    digits.push(char::from_digit((10 - sum % 10) % 10, 10).unwrap());
    digits
}

fn article(mut digits: String) -> String {
    digits.pop();
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| u32::from(byte - b'0') * if at.is_multiple_of(2) { 3 } else { 1 })
        .sum();
    digits.push(char::from_digit((10 - sum % 10) % 10, 10).unwrap());
    digits
}

/// A card number that nobody was given.
fn card(noise: &mut Noise) -> String {
    loop {
        let (beginning, lengths) = SCHEMES[usize::try_from(noise.below(SCHEMES.len() as u64)).unwrap()];
        let length = lengths[usize::try_from(noise.below(lengths.len() as u64)).unwrap()];
        let rest = noise.digits(length - beginning.len());
        let number = checked(format!("{beginning}{rest}"));
        // Numbers of 13 digits that are articles' or mobile phones' too are told apart by the word before them alone.
        let is_phone = ["4915", "4916", "4917", "436"].iter().any(|phone| number.starts_with(phone));
        if length != 13 || article(number.clone()) != number && !is_phone {
            return number;
        }
    }
}

/// Groups of these lengths, the last one repeated.
fn grouped(number: &str, lengths: &[usize], mut between: impl FnMut() -> String) -> String {
    let mut text = String::new();
    let (mut at, mut group) = (0, 0);
    while at < number.len() {
        let length = lengths[group.min(lengths.len() - 1)].min(number.len() - at);
        if at > 0 {
            text.push_str(&between());
        }
        text.push_str(&number[at..at + length]);
        at += length;
        group += 1;
    }
    text
}

const SEPARATORS: [&str; 22] = [
    " ",
    "-",
    ".",
    "/",
    "_",
    "\u{a0}",
    "\u{2009}",
    "\u{202f}",
    "\u{2007}",
    "\u{3000}",
    "\t",
    "\n",
    "\r\n",
    " - ",
    "  ",
    "\u{2013}",
    "\u{2212}",
    "\u{b7}",
    "\u{2028}",
    "-\u{200b}",
    " \u{2014} ",
    "\n   ",
];
const NOTHING_TO_SEE: [&str; 10] = [
    "\u{200b}", "\u{200c}", "\u{200d}", "\u{2060}", "\u{feff}", "\u{ad}", "\u{200e}", "\u{fe0f}", "\u{61c}", "\u{34f}",
];
/// The zeros of scripts.
const SCRIPTS: [char; 16] = ['٠', '۰', '०', '০', '੦', '๐', '༠', '០', '０', '𝟎', '𝟘', '𝟢', '𝟬', '𝟶', '߀', '꘠'];

fn in_script(number: &str, zero: char) -> String {
    let digit = |byte: u8| char::from_u32(zero as u32 + u32::from(byte - b'0')).unwrap();
    number.bytes().map(digit).collect()
}

/// A form that a number is written in.
type Form = (&'static str, fn(&str, &mut Noise) -> String);

const FORMS: [Form; 24] = [
    ("in one piece", |number, _| number.to_owned()),
    ("in fours", |number, noise| {
        let between = noise.of(&SEPARATORS).to_owned();
        grouped(number, &[4], || between.clone())
    }),
    ("in fours, with different separators", |number, noise| grouped(number, &[4], || noise.of(&SEPARATORS).to_owned())),
    ("as printed", |number, noise| {
        let between = noise.of(&SEPARATORS).to_owned();
        let lengths: &[usize] = match number.len() {
            14 => &[4, 6, 4],
            15 => &[4, 6, 5],
            _ => &[4],
        };
        grouped(number, lengths, || between.clone())
    }),
    ("digit by digit", |number, noise| {
        let between = noise.of(&SEPARATORS).to_owned();
        grouped(number, &[1], || between.clone())
    }),
    ("in groups of one length", |number, noise| {
        let between = noise.of(&SEPARATORS).to_owned();
        let length = [2, 3, 5, 6, 8][usize::try_from(noise.below(5)).unwrap()];
        grouped(number, &[length], || between.clone())
    }),
    ("wrapped at any width", |number, noise| {
        let width = usize::try_from(noise.below(number.len() as u64 - 1)).unwrap() + 1;
        grouped(number, &[width], || "\r\n".to_owned())
    }),
    ("in eights and fours", |number, noise| {
        let between = noise.of(&SEPARATORS).to_owned();
        let lengths: &[usize] = if noise.below(2) == 0 { &[8, 4] } else { &[4, 8] };
        if number.len().is_multiple_of(4) { grouped(number, lengths, || between.clone()) } else { number.to_owned() }
    }),
    ("broken once", |number, noise| {
        if number.len() < 14 {
            return number.to_owned();
        }
        let at = usize::try_from(noise.below(number.len() as u64 - 1)).unwrap() + 1;
        let separator = noise.of(&SEPARATORS);
        // Behind one to three digits a point begins a fraction.
        let separator = if separator == "." && at <= 3 { " " } else { separator };
        format!("{}{separator}{}", &number[..at], &number[at..])
    }),
    ("with things that do not show", |number, noise| {
        number.chars().flat_map(|digit| [digit.to_string(), noise.of(&NOTHING_TO_SEE).to_owned()]).collect()
    }),
    ("in the digits of a script", |number, noise| {
        in_script(number, SCRIPTS[usize::try_from(noise.below(SCRIPTS.len() as u64)).unwrap()])
    }),
    ("in fours of a script", |number, noise| {
        let between = noise.of(&SEPARATORS).to_owned();
        let zero = SCRIPTS[usize::try_from(noise.below(SCRIPTS.len() as u64)).unwrap()];
        grouped(number, &[4], || between.clone())
            .chars()
            .map(|c| c.to_digit(10).map_or(c, |value| char::from_u32(zero as u32 + value).unwrap()))
            .collect()
    }),
    ("with each digit from another script", |number, noise| {
        number
            .bytes()
            .map(|byte| in_script(&char::from(byte).to_string(), SCRIPTS[usize::try_from(noise.below(16)).unwrap()]))
            .collect()
    }),
    ("as keycaps", |number, _| number.chars().map(|digit| format!("{digit}\u{fe0f}\u{20e3}")).collect()),
    ("within tags of a line", |number, _| grouped(number, &[4], || "</b><i class=\"x\">".to_owned())),
    ("over cells and paragraphs", |number, _| format!("<p>{}</p>", grouped(number, &[4], || "</p>\r\n<p>".to_owned()))),
    ("in an attribute", |number, _| format!("<input name=card value=\"{number}\">")),
    ("with entities between", |number, noise| {
        let between = noise.of(&["&nbsp;", "&#160;", "&#xA0;", "&thinsp;", "&shy;", "&#8203;", "&ndash;"]).to_owned();
        grouped(number, &[4], || between.clone())
    }),
    ("as entities", |number, _| number.bytes().map(|byte| format!("&#{byte};")).collect()),
    ("in JSON", |number, _| format!("{{\"number\":\"{number}\",\"cvc\":\"\"}}")),
    ("in JSON with escapes", |number, noise| {
        let between = noise.of(&["\\u00a0", "\\n", "\\t", "\\/", "\\u2009"]).to_owned();
        format!("{{\"number\":\"{}\"}}", grouped(number, &[4], || between.clone()))
    }),
    ("in CSV", |number, _| format!("7,\"{number}\",x;{number};y")),
    ("in an address", |number, noise| {
        let between = noise.of(&["%20", "+", "%C2%A0", "%2D"]).to_owned();
        format!("https://x.example/pay?n={}&a=%41", grouped(number, &[4], || between.clone()))
    }),
    ("as a number of a spreadsheet", |number, _| format!("{number}.00")),
];

const BEFORE: [&str; 12] = [
    "",
    "card:",
    "CARD",
    "Kreditkarte ",
    "my number is (",
    "2026-11-22 ",
    "order 12345, ",
    "1. ",
    "cc#",
    "é",
    "\"",
    "tel +49 711 123456; ",
];
const BEHIND: [&str; 10] = ["", " exp 12/26", " 12/26 123", ", thanks", "\n", ")", ".", "x", "\"", " 2026-11-22"];

#[test]
fn no_listed_form_is_missed_and_none_comes_through_masked() {
    let mut noise = Noise(5);
    let numbers = NUMBERS * u64::from(custodia_testbed::effort());
    let mut missed = Vec::new();
    for (name, form) in FORMS {
        for _ in 0..numbers {
            let number = card(&mut noise);
            let written = form(&number, &mut noise);
            let text = format!("{}{written}{}", noise.of(&BEFORE), noise.of(&BEHIND));
            if !holds_card_number(&text) || card_numbers(&text).is_empty() {
                missed.push((name, text));
                continue;
            }
            let masked = masked(&text).unwrap();
            assert!(!holds_card_number(&masked), "{name}: {text:?} became {masked:?}");
            assert!(masked.chars().count() <= text.chars().count());
        }
    }
    custodia_testbed::tell(&format!("card numbers: {} written, {} missed", numbers * FORMS.len() as u64, missed.len()));
    assert!(missed.is_empty(), "{} missed: {:?}", missed.len(), &missed[..missed.len().min(20)]);
}

fn data_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            data_files(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "csv") {
            files.push(path);
        }
    }
}

#[test]
fn real_data_holds_no_card_numbers() {
    let mut files = Vec::new();
    data_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo"), &mut files);
    assert!(!files.is_empty());
    let (mut fields, mut rows) = (Tally::default(), Tally::default());
    for file in files {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(&file).unwrap();
        for record in reader.records() {
            let record = record.unwrap();
            record.iter().for_each(|field| fields.look(field));
            // As a note has it into which somebody copied a row of a table.
            rows.look(&record.iter().collect::<Vec<_>>().join(" "));
        }
    }
    custodia_testbed::tell(&format!("card numbers: fields of real data: {fields:?}; rows in one text: {rows:?}"));
    assert!(fields.looked > 100_000);
    assert!(fields.found.len() as u64 * 10_000 <= fields.looked, "{fields:?}");
    assert!(rows.found.len() as u64 * 500 <= rows.looked, "{rows:?}");
}

/// Texts that were looked at, and those that were taken for card numbers.
#[derive(Debug, Default)]
struct Tally {
    looked: u64,
    found: Vec<String>,
}

impl Tally {
    fn look(&mut self, text: &str) {
        self.looked += 1;
        if holds_card_number(text) {
            self.found.push(text.to_owned());
        }
    }
}

/// A kind of identifier, how it is made, and how many of 10,000 may be taken for a card number.
type Kind = (&'static str, u64, fn(&mut Noise) -> String);

const KINDS: [Kind; 20] = [
    ("GUID", 0, |noise| {
        let hex = format!("{:016x}{:016x}", noise.next(), noise.next());
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }),
    ("SHA-256", 1, |noise| (0..4).map(|_| format!("{:016x}", noise.next())).collect()),
    ("phone with a plus", 0, |noise| {
        let country = noise.of(&["1", "44", "49", "33", "62", "370", "57", "971", "420"]);
        let length = 8 + usize::try_from(noise.below(5)).unwrap() - country.len() / 3;
        format!("+{country} {}", noise.digits(length))
    }),
    ("phone in groups", 0, |noise| {
        format!("+{} {} {} {}", noise.digits(2), noise.digits(3), noise.digits(3), noise.digits(4))
    }),
    ("American phones", 0, |noise| {
        format!(
            "({}) {}-{} / ({}) {}-{}",
            noise.digits(3),
            noise.digits(3),
            noise.digits(4),
            noise.digits(3),
            noise.digits(3),
            noise.digits(4)
        )
    }),
    ("EAN-13", 0, |noise| article(noise.digits(13))),
    ("ISBN-13", 0, |noise| {
        let isbn = article(format!("978{}", noise.digits(10)));
        grouped(&isbn, &[3, 1, 2, 6, 1], || "-".to_owned())
    }),
    ("UPC", 3, |noise| article(noise.digits(12))),
    ("seconds since 1970", 0, |noise| format!("1{}", noise.digits(9))),
    ("milliseconds since 1970", 0, |noise| format!("1{}", noise.digits(12))),
    ("microseconds since 1970", 0, |noise| format!("1{}", noise.digits(15))),
    ("ISO 8601", 0, |noise| {
        format!(
            "20{:02}-{:02}-{:02}T{:02}:{:02}:{:02}.{}Z",
            noise.below(40),
            1 + noise.below(12),
            1 + noise.below(28),
            noise.below(24),
            noise.below(60),
            noise.below(60),
            noise.digits(9)
        )
    }),
    ("stamp of a file", 0, |noise| {
        format!(
            "20{:02}{:02}{:02}{:02}{:02}{:02}",
            noise.below(40),
            1 + noise.below(12),
            1 + noise.below(28),
            noise.below(24),
            noise.below(60),
            noise.below(60)
        )
    }),
    ("dates one after the other", 0, |noise| {
        let mut date = || format!("{:02}.{:02}.20{:02}", 1 + noise.below(28), 1 + noise.below(12), noise.below(40));
        format!("{} {} {}", date(), date(), date())
    }),
    ("fraction", 0, |noise| format!("{}.{}", noise.below(1_000), noise.digits(16))),
    ("version", 0, |noise| {
        format!("{}.{}.{}.{}", noise.below(30), noise.below(30), noise.below(99_999), noise.below(9_999))
    }),
    ("address in a network", 0, |noise| {
        format!("{}.{}.{}.{}", noise.below(256), noise.below(256), noise.below(256), noise.below(256))
    }),
    ("German IBAN", 0, |noise| {
        let account = noise.digits(18);
        let remainder =
            format!("{account}131400").bytes().fold(0, |rest, byte| (rest * 10 + u64::from(byte - b'0')) % 97);
        grouped(&format!("DE{:02}{account}", 98 - remainder), &[4], || " ".to_owned())
    }),
    ("IMEI", 0, |noise| {
        let beginning = noise.of(&["35", "86", "01", "99"]);
        checked(format!("{beginning}{}", noise.digits(13)))
    }),
    ("number of 16 digits", 500, |noise| noise.digits(16)),
];

#[test]
fn other_numbers_are_rarely_taken_for_cards() {
    let mut noise = Noise(7);
    let made = IDENTIFIERS * u64::from(custodia_testbed::effort());
    for (name, allowed, kind) in KINDS {
        let mut found = Vec::new();
        for _ in 0..made {
            let text = kind(&mut noise);
            if holds_card_number(&text) {
                found.push(text);
            }
        }
        custodia_testbed::tell(&format!("{name}: {} of {made} taken for card numbers", found.len()));
        assert!(
            found.len() as u64 * 10_000 <= allowed * made,
            "{name}: {} {:?}",
            found.len(),
            &found[..found.len().min(5)]
        );
    }
}
