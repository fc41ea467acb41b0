//! The change log's record format (decision 0001.1): engine-neutral row changes.
//!
//! A payload is `version u8`, then one entry per column: `column u16`, `tag u8`, value. Integers are little-endian;
//! texts and lists carry a `u32` length. Columns stand in the order of their numbers. The format is read by
//! replication, restore and delta queries, possibly of a later version of this program: tags are never reused.

use custodia_schema::{ColumnId, Decimal, Guid, Money, TableId, Value};

/// The version this program writes.
const FORMAT: u8 = 1;
/// Longest text or list that a payload may carry, in bytes: a memo at its greatest length in the widest encoding.
const VALUE_BYTES_MAX: usize = 8 << 20;

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was made; the payload has its non-null columns.
    Insert,
    /// It was changed; the payload has the columns that were written.
    Update,
    /// It was removed; the payload is empty.
    Delete,
    /// The table was made (`row` is nil, the payload empty): tables are made on first use.
    CreateTable,
}

impl ChangeKind {
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Insert => 1,
            Self::Update => 2,
            Self::Delete => 3,
            Self::CreateTable => 4,
        }
    }

    pub(crate) fn of_code(code: i64) -> Option<Self> {
        match code {
            1 => Some(Self::Insert),
            2 => Some(Self::Update),
            3 => Some(Self::Delete),
            4 => Some(Self::CreateTable),
            _ => None,
        }
    }
}

/// One record of the change log.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its place in the organisation's one order; also the version number of the row it wrote.
    pub number: i64,
    /// Time of the commit, seconds since 1970.
    pub commit_time: i64,
    /// What happened.
    pub kind: ChangeKind,
    /// To a row of this table.
    pub table: TableId,
    /// The row.
    pub row: Guid,
    /// The values written.
    pub values: Vec<(ColumnId, Value)>,
}

/// Bytes that are not a payload of a known format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("change record damaged at byte {at}: {why}")]
pub struct PayloadError {
    /// Where reading stopped.
    pub at: usize,
    /// What was wrong there.
    pub why: &'static str,
}

/// Values as payload bytes.
#[must_use]
pub fn encode<'v>(values: impl IntoIterator<Item = (ColumnId, &'v Value)>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    bytes.push(FORMAT);
    for (column, value) in values {
        bytes.extend_from_slice(&column.0.to_le_bytes());
        encode_value(&mut bytes, value);
    }
    bytes
}

/// Appends one value with its tag.
pub(crate) fn encode_value(bytes: &mut Vec<u8>, value: &Value) {
    fn sized(bytes: &mut Vec<u8>, tag: u8, content: &[u8]) {
        bytes.push(tag);
        bytes.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(content);
    }
    fn fixed(bytes: &mut Vec<u8>, tag: u8, content: &[u8]) {
        bytes.push(tag);
        bytes.extend_from_slice(content);
    }
    match value {
        Value::Null => bytes.push(0),
        Value::Boolean(b) => fixed(bytes, 1, &[u8::from(*b)]),
        Value::Integer(n) => fixed(bytes, 2, &n.to_le_bytes()),
        Value::BigInt(n) => fixed(bytes, 3, &n.to_le_bytes()),
        Value::Decimal(d) => fixed(bytes, 4, &d.serialize()),
        Value::Double(d) => fixed(bytes, 5, &d.to_le_bytes()),
        Value::Money(m) => fixed(bytes, 6, &m.0.to_le_bytes()),
        Value::Text(text) => sized(bytes, 7, text.as_bytes()),
        Value::Guid(id) => fixed(bytes, 8, id.as_bytes()),
        Value::Lookup(table, id) => {
            fixed(bytes, 9, &table.0.to_le_bytes());
            bytes.extend_from_slice(id.as_bytes());
        }
        Value::DateTime(seconds) => fixed(bytes, 10, &seconds.to_le_bytes()),
        Value::Date(days) => fixed(bytes, 11, &days.to_le_bytes()),
        Value::Choices(options) => {
            let content: Vec<u8> = options.iter().flat_map(|option| option.to_le_bytes()).collect();
            sized(bytes, 12, &content);
        }
    }
}

/// Payload bytes as values.
///
/// # Errors
/// When the bytes are cut short, carry an unknown format or tag, or a text that is not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<Vec<(ColumnId, Value)>, PayloadError> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.take::<1>()? != [FORMAT] {
        return Err(PayloadError { at: 0, why: "unknown format; a newer program wrote it" });
    }
    let mut values = Vec::new();
    while reader.at < bytes.len() {
        let column = ColumnId(u16::from_le_bytes(reader.take()?));
        values.push((column, reader.value()?));
    }
    Ok(values)
}

/// The entries of payload bytes as they stand there, unread: each with its column's number and its bytes from that number
/// to the end of its value.
pub(crate) struct Pieces<'b> {
    reader: Reader<'b>,
}

impl<'b> Pieces<'b> {
    /// Of a payload in the format that this program writes.
    ///
    /// # Errors
    /// When it is of another one.
    pub(crate) fn of(bytes: &'b [u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader { bytes, at: 0 };
        if reader.take::<1>()? != [FORMAT] {
            return Err(PayloadError { at: 0, why: "unknown format; a newer program wrote it" });
        }
        Ok(Self { reader })
    }

    /// The next entry, if there is one.
    ///
    /// # Errors
    /// When it is cut short or carries an unknown tag.
    pub(crate) fn next(&mut self) -> Result<Option<(ColumnId, &'b [u8])>, PayloadError> {
        let begin = self.reader.at;
        if begin >= self.reader.bytes.len() {
            return Ok(None);
        }
        let column = ColumnId(u16::from_le_bytes(self.reader.take()?));
        self.reader.pass_value()?;
        let piece = self.reader.bytes.get(begin..self.reader.at).ok_or_else(|| self.reader.fail("cut short"))?;
        Ok(Some((column, piece)))
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn fail(&self, why: &'static str) -> PayloadError {
        PayloadError { at: self.at, why }
    }

    fn slice(&mut self, length: usize) -> Result<&'b [u8], PayloadError> {
        let end = self.at.checked_add(length).ok_or_else(|| self.fail("length overflows"))?;
        let slice = self.bytes.get(self.at..end).ok_or_else(|| self.fail("cut short"))?;
        self.at = end;
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], PayloadError> {
        let slice = self.slice(N)?;
        slice.try_into().map_err(|_| self.fail("cut short"))
    }

    fn sized(&mut self) -> Result<&'b [u8], PayloadError> {
        let length = u32::from_le_bytes(self.take()?) as usize;
        if length > VALUE_BYTES_MAX {
            return Err(self.fail("a value is longer than any column allows"));
        }
        self.slice(length)
    }

    /// Passes over a value.
    fn pass_value(&mut self) -> Result<(), PayloadError> {
        let [tag] = self.take::<1>()?;
        let length = match tag {
            0 => 0,
            1 => 1,
            2 | 11 => 4,
            3 | 5 | 6 | 10 => 8,
            4 | 8 => 16,
            9 => 20,
            7 | 12 => return self.sized().map(drop),
            _ => return Err(self.fail("unknown tag; a newer program wrote it")),
        };
        self.slice(length).map(drop)
    }

    fn value(&mut self) -> Result<Value, PayloadError> {
        let [tag] = self.take::<1>()?;
        Ok(match tag {
            0 => Value::Null,
            1 => Value::Boolean(self.take::<1>()? != [0]),
            2 => Value::Integer(i32::from_le_bytes(self.take()?)),
            3 => Value::BigInt(i64::from_le_bytes(self.take()?)),
            4 => Value::Decimal(Decimal::deserialize(self.take()?)),
            5 => Value::Double(f64::from_le_bytes(self.take()?)),
            6 => Value::Money(Money(i64::from_le_bytes(self.take()?))),
            7 => {
                let text = std::str::from_utf8(self.sized()?).map_err(|_| self.fail("text is not UTF-8"))?;
                Value::Text(text.to_owned())
            }
            8 => Value::Guid(Guid::from_bytes(self.take()?)),
            9 => Value::Lookup(TableId(u32::from_le_bytes(self.take()?)), Guid::from_bytes(self.take()?)),
            10 => Value::DateTime(i64::from_le_bytes(self.take()?)),
            11 => Value::Date(i32::from_le_bytes(self.take()?)),
            12 => {
                let content = self.sized()?;
                if content.len() % 4 != 0 {
                    return Err(self.fail("a list of options is cut short"));
                }
                let options = content.chunks_exact(4).filter_map(|chunk| chunk.try_into().ok().map(i32::from_le_bytes));
                Value::Choices(options.collect())
            }
            _ => return Err(self.fail("unknown tag; a newer program wrote it")),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn samples() -> Vec<(ColumnId, Value)> {
        vec![
            (ColumnId(1), Value::Guid(Guid::from_u128(7))),
            (ColumnId(2), Value::Text("Žluťoučký kůň".into())),
            (ColumnId(3), Value::Null),
            (ColumnId(4), Value::Boolean(true)),
            (ColumnId(5), Value::Integer(i32::MIN)),
            (ColumnId(6), Value::BigInt(i64::MAX)),
            (ColumnId(7), Value::Decimal("-1.000000000001".parse().unwrap())),
            (ColumnId(8), Value::Double(-0.5)),
            (ColumnId(9), Value::Money(Money(i64::MIN))),
            (ColumnId(10), Value::Lookup(TableId(1), Guid::from_u128(9))),
            (ColumnId(11), Value::DateTime(-1)),
            (ColumnId(12), Value::Date(20_000)),
            (ColumnId(13), Value::Choices(vec![1, 3, -2])),
        ]
    }

    #[test]
    fn every_value_comes_back() {
        let bytes = encode(samples().iter().map(|(column, value)| (*column, value)));
        assert_eq!(decode(&bytes).unwrap(), samples());
    }

    #[test]
    fn pieces_are_the_entries_as_they_stand() {
        let bytes = encode(samples().iter().map(|(column, value)| (*column, value)));
        let mut pieces = Pieces::of(&bytes).unwrap();
        let (mut columns, mut joined) = (Vec::new(), vec![FORMAT]);
        while let Some((column, piece)) = pieces.next().unwrap() {
            columns.push(column);
            joined.extend_from_slice(piece);
        }
        assert_eq!(columns, samples().iter().map(|(column, _)| *column).collect::<Vec<_>>());
        assert_eq!(joined, bytes);
        let mut cut = Pieces::of(&bytes[..bytes.len() - 1]).unwrap();
        assert!(std::iter::from_fn(|| cut.next().transpose()).take(samples().len()).any(|piece| piece.is_err()));
    }

    #[test]
    fn every_cut_and_every_flipped_tag_is_an_answer_not_a_panic() {
        let bytes = encode(samples().iter().map(|(column, value)| (*column, value)));
        for cut in 0..bytes.len() {
            let _ = decode(&bytes[..cut]);
        }
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xff;
            let _ = decode(&damaged);
        }
    }

    #[test]
    fn a_newer_format_is_refused_by_name() {
        assert_eq!(decode(&[2]).unwrap_err().why, "unknown format; a newer program wrote it");
    }
}
