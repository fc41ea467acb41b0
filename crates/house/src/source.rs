//! A Rust file, cut into code, literals and comments.
//!
//! The rules ask for words in code or in literals, and a comment that explains a rule must not break it. This knows just
//! enough of the language for that: comments, string and character literals, and which parts are compiled for tests only.

use std::ops::Range;

use crate::repository::File;

/// A piece of a file that is not code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins in the file, in bytes.
    pub offset: usize,
    /// Its content, without quotes; a comment with its slashes.
    pub text: String,
}

/// A Rust file, cut into pieces.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file's path, from the root of the repository.
    pub path: String,
    /// The file with every literal's content and every comment blanked out; offsets are those of the file.
    pub code: String,
    /// The string literals.
    pub literals: Vec<Piece>,
    /// The comments.
    pub comments: Vec<Piece>,
    line_starts: Vec<usize>,
    tests: Vec<Range<usize>>,
}

impl Source {
    /// Cuts a file.
    #[must_use]
    pub fn parse(file: &File) -> Self {
        let mut cutter = Cutter { bytes: file.text.as_bytes(), at: 0, literals: Vec::new(), comments: Vec::new() };
        let code = cutter.cut();
        let line_starts = std::iter::once(0).chain(code.match_indices('\n').map(|(offset, _)| offset + 1)).collect();
        let tests = if is_test_file(&file.path) { std::iter::once(0..usize::MAX).collect() } else { test_parts(&code) };
        Self { path: file.path.clone(), code, literals: cutter.literals, comments: cutter.comments, line_starts, tests }
    }

    /// The line, from 1, that a byte of the file is on.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// Whether this part is compiled for tests only.
    #[must_use]
    pub fn is_test(&self, offset: usize) -> bool {
        self.tests.iter().any(|part| part.contains(&offset))
    }

    /// Where a path or word stands in the code by itself: not as part of a longer word.
    pub fn find_in_code<'this>(&'this self, word: &'this str) -> impl Iterator<Item = usize> + 'this {
        self.code.match_indices(word).map(|(offset, _)| offset).filter(move |offset| {
            let before = self.code.get(..*offset).and_then(|text| text.chars().next_back());
            let after = self.code.get(offset + word.len()..).and_then(|text| text.chars().next());
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Whether the whole file is compiled for tests only, by its place.
fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "examples"))
}

/// The items after `#[cfg(test)]`.
fn test_parts(code: &str) -> Vec<Range<usize>> {
    const MARK: &str = "#[cfg(test)]";
    code.match_indices(MARK)
        .map(|(begin, _)| {
            let mut depth = 0_usize;
            let end = code.bytes().enumerate().skip(begin + MARK.len()).find_map(|(offset, byte)| {
                match byte {
                    b'{' => depth += 1,
                    b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                (depth == 0 && matches!(byte, b'}' | b';')).then_some(offset + 1)
            });
            begin..end.unwrap_or(code.len())
        })
        .collect()
}

struct Cutter<'text> {
    bytes: &'text [u8],
    at: usize,
    literals: Vec<Piece>,
    comments: Vec<Piece>,
}

impl Cutter<'_> {
    /// Gives the code with everything else blanked out, and keeps the rest as pieces.
    fn cut(&mut self) -> String {
        let mut code = Vec::with_capacity(self.bytes.len());
        while let Some(byte) = self.peek(0) {
            let begin = self.at;
            match byte {
                b'/' if self.peek(1) == Some(b'/') => {
                    self.skip_while(|byte| byte != b'\n');
                    let text = self.text(begin, self.at);
                    self.comments.push(Piece { offset: begin, text });
                }
                b'/' if self.peek(1) == Some(b'*') => {
                    self.skip_block_comment();
                    let text = self.text(begin, self.at);
                    self.comments.push(Piece { offset: begin, text });
                }
                b'"' => self.string(begin, 0, false),
                b'r' | b'b' | b'c' if !self.follows_word() => match self.string_prefix() {
                    Some((prefix, hashes, raw)) => {
                        code.extend(std::iter::repeat_n(b' ', prefix));
                        self.at += prefix;
                        let begin = self.at;
                        self.string(begin, hashes, raw);
                        self.blank(begin, &mut code);
                        continue;
                    }
                    None => {
                        code.push(byte);
                        self.at += 1;
                        continue;
                    }
                },
                b'\'' if self.is_character() => {
                    self.at += 1;
                    if self.peek(0) == Some(b'\\') {
                        self.at += 2;
                    }
                    self.skip_while(|byte| byte != b'\'');
                    self.at += 1;
                }
                _ => {
                    code.push(byte);
                    self.at += 1;
                    continue;
                }
            }
            self.blank(begin, &mut code);
        }
        String::from_utf8_lossy(&code).into_owned()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn text(&self, begin: usize, end: usize) -> String {
        String::from_utf8_lossy(self.bytes.get(begin..end.min(self.bytes.len())).unwrap_or_default()).into_owned()
    }

    fn skip_while(&mut self, goes_on: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&goes_on) {
            self.at += 1;
        }
    }

    /// Puts a blank for every byte from `begin` on, but keeps the ends of lines.
    fn blank(&mut self, begin: usize, code: &mut Vec<u8>) {
        self.at = self.at.min(self.bytes.len());
        let skipped = self.bytes.get(begin..self.at).unwrap_or_default();
        code.extend(skipped.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
    }

    /// Block comments nest.
    fn skip_block_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    self.at += 2;
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// A prefix such as `b`, `r#` or `br##` before a string: how long it is, how many hashes, and whether it is raw.
    fn string_prefix(&self) -> Option<(usize, usize, bool)> {
        let mut length = 0;
        while matches!(self.peek(length), Some(b'b' | b'c')) {
            length += 1;
        }
        let raw = self.peek(length) == Some(b'r');
        length += usize::from(raw);
        let mut hashes = 0;
        while raw && self.peek(length) == Some(b'#') {
            hashes += 1;
            length += 1;
        }
        (self.peek(length) == Some(b'"') && length <= hashes + 2).then_some((length, hashes, raw))
    }

    /// From the opening quote to behind the closing one and its hashes.
    fn string(&mut self, begin: usize, hashes: usize, raw: bool) {
        self.at += 1;
        let content = self.at;
        while let Some(byte) = self.peek(0) {
            if byte == b'\\' && !raw {
                self.at += 2;
            } else if byte == b'"' && (1..=hashes).all(|ahead| self.peek(ahead) == Some(b'#')) {
                break;
            } else {
                self.at += 1;
            }
        }
        let text = self.text(content, self.at);
        self.literals.push(Piece { offset: begin, text });
        self.at += 1 + hashes;
    }

    fn follows_word(&self) -> bool {
        self.at > 0 && self.bytes.get(self.at - 1).is_some_and(|byte| is_word(char::from(*byte)))
    }

    /// Whether the quote begins a character rather than a lifetime or label.
    fn is_character(&self) -> bool {
        match self.peek(1) {
            Some(b'\\') => true,
            Some(byte) if byte < 0x80 => self.peek(2) == Some(b'\''),
            Some(_) => (3..=5).any(|ahead| self.peek(ahead) == Some(b'\'')),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Source {
        Source::parse(&File::sample("crates/store/src/sample.rs", text))
    }

    fn literals(text: &str) -> Vec<String> {
        cut(text).literals.into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn literals_of_all_forms_are_found() {
        assert_eq!(literals(r#"let a = "one"; let b = "two \" still two"; "#), ["one", r#"two \" still two"#]);
        assert_eq!(literals("r\"raw \\\" b\"bytes\" c\"c\""), ["raw \\", "bytes", "c"]);
        assert_eq!(
            literals(r####"r#"quoted "here""# br##"more "# here"##"####),
            [r#"quoted "here""#, r##"more "# here"##]
        );
        assert_eq!(literals("for_r\"text\""), ["text"]);
        assert_eq!(literals(r#"let unended = "to the end"#), ["to the end"]);
    }

    #[test]
    fn what_looks_like_a_literal_but_is_none_is_left() {
        assert_eq!(literals("let quote = '\"'; let escaped = '\\''; let wide = 'ž'; // \"no\""), Vec::<String>::new());
        assert_eq!(literals("fn f<'a>(x: &'a str) -> &'a str { \"yes\" }"), ["yes"]);
        assert_eq!(literals("/* \"no\" /* \"nor\" */ \"neither\" */ \"yes\""), ["yes"]);
    }

    #[test]
    fn code_keeps_its_lines_and_loses_the_rest() {
        let source = cut("let a = \"x\ny\"; // unsafe\nunsafe_code; unsafe {}\n");
        assert_eq!(source.code.len(), "let a = \"x\ny\"; // unsafe\nunsafe_code; unsafe {}\n".len());
        let found: Vec<usize> = source.find_in_code("unsafe").map(|offset| source.line(offset)).collect();
        assert_eq!(found, [3]);
        assert_eq!(source.comments.first().unwrap().text, "// unsafe");
    }

    #[test]
    fn parts_for_tests_are_known() {
        let text =
            "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { c() } }\nfn d() {}\n#[cfg(test)]\nuse e;\nfn f() {}\n";
        let source = cut(text);
        let is_test = |word: &str| source.is_test(text.find(word).unwrap());
        assert!(
            !is_test("a()")
                && is_test("b()")
                && is_test("c()")
                && !is_test("d()")
                && is_test("use e")
                && !is_test("f()")
        );
        let whole = Source::parse(&File::sample("crates/store/tests/all.rs", "fn a() {}"));
        assert!(whole.is_test(0));
    }
}
