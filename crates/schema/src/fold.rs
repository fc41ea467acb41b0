//! The form in which texts are compared, sorted and made unique: the same on both engines.

/// The version of [`fold`], recorded in each database: a database written with another version must be re-folded.
pub const FOLD_VERSION: u32 = 1;

/// Folds a text: compatibility decomposition, marks stripped, case folded, trailing blanks trimmed (decision 0001.10).
///
/// Two texts are equal for the service when their folds are equal byte for byte.
#[must_use]
pub fn fold(text: &str) -> String {
    use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
    let trimmed = text.trim_end_matches(' ');
    if trimmed.is_ascii() {
        return trimmed.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(trimmed.len());
    for decomposed in trimmed.nfkd().filter(|c| !is_combining_mark(*c)) {
        match decomposed {
            'ß' | 'ẞ' => folded.push_str("ss"),
            'ς' => folded.push('σ'),
            other => folded.extend(other.to_lowercase()),
        }
    }
    folded.truncate(folded.trim_end_matches(' ').len());
    folded
}
