//! Cuts a write-ahead log back to a position, as if nothing after it had reached the disk.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::str::FromStr;

use crate::cluster::copy;
use crate::error::{Doing, Error};

/// The size of a log file, as `initdb` sets it by default.
const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// A position in the log: bytes since its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(u64);

impl FromStr for Position {
    type Err = Error;

    /// Reads the usual form, two hexadecimal halves: `0/16B3740`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let halves = text
            .split_once('/')
            .and_then(|(high, low)| Some((u32::from_str_radix(high, 16).ok()?, u32::from_str_radix(low, 16).ok()?)));
        let (high, low) = halves.ok_or_else(|| Error::NotAPosition { position: text.to_owned() })?;
        Ok(Self(u64::from(high) << 32 | u64::from(low)))
    }
}

/// Replaces the log in the data folder `to` by that in `from`, up to the position.
pub(crate) fn take_until(from: &Path, to: &Path, position: Position) -> Result<(), Error> {
    for (path, _) in segments(to)? {
        std::fs::remove_file(&path).doing(|| format!("removing {}", path.display()))?;
    }
    for (path, first_byte) in segments(from)? {
        if first_byte > position {
            continue;
        }
        let Some(name) = path.file_name() else { continue };
        let copied = to.join("pg_wal").join(name);
        copy(&path, &copied)?;
        if position.0 - first_byte.0 < SEGMENT_BYTES {
            clear_after(&copied, position.0 - first_byte.0)?;
        }
    }
    Ok(())
}

/// The log files of a data folder, each with the position it begins at.
fn segments(data: &Path) -> Result<Vec<(std::path::PathBuf, Position)>, Error> {
    let folder = data.join("pg_wal");
    let entries = std::fs::read_dir(&folder).doing(|| format!("listing {}", folder.display()))?;
    Ok(entries
        .flatten()
        .filter_map(|entry| {
            let begin = beginning(entry.file_name().to_str()?)?;
            Some((entry.path(), begin))
        })
        .collect())
}

/// The position that the log file of this name begins at: 8 digits of time line, 8 and 8 of number.
fn beginning(name: &str) -> Option<Position> {
    if name.len() != 24 {
        return None;
    }
    let high = u64::from_str_radix(name.get(8..16)?, 16).ok()?;
    let low = u64::from_str_radix(name.get(16..24)?, 16).ok()?;
    Some(Position((high << 32) + low * SEGMENT_BYTES))
}

/// Overwrites the rest of a log file with zeros, which is what a new log file holds.
fn clear_after(path: &Path, offset: u64) -> Result<(), Error> {
    let zeros = vec![0_u8; usize::try_from(SEGMENT_BYTES - offset).unwrap_or(0)];
    std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&zeros)
        })
        .doing(|| format!("cutting back {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_file_begins_where_its_name_says() {
        assert_eq!(beginning("000000010000000000000001"), Some(Position(0x0100_0000)));
        assert_eq!(beginning("0000000100000002000000FF"), Some(Position(0x0002_FF00_0000)));
        assert_eq!(beginning("archive_status"), None);
        assert_eq!(beginning("00000001000000000000000z"), None);
    }

    #[test]
    fn a_position_is_two_hexadecimal_halves() {
        assert_eq!("0/16B3740".parse::<Position>().unwrap(), Position(0x016B_3740));
        assert_eq!("A/1".parse::<Position>().unwrap(), Position(0x000A_0000_0001));
        for wrong in ["", "16B3740", "0/", "x/1", "0/1/2"] {
            assert!(matches!(wrong.parse::<Position>(), Err(Error::NotAPosition { .. })), "{wrong}");
        }
    }
}
