//! The bit mask of shared rights.

use std::fmt;
use std::str::FromStr;

use custodia_schema::PrivilegeKind;

/// Rights on one row as `principalobjectaccess` stores them (security model 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct RightsMask(pub u32);

/// Text that names no right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not an access right; use ReadAccess, WriteAccess, AppendAccess, AppendToAccess, CreateAccess, DeleteAccess, ShareAccess or AssignAccess, joined by commas"
)]
pub struct RightsMaskError(pub String);

/// The rights in the order of their bits, which is the order of their text form, with their names.
const RIGHTS: [(PrivilegeKind, &str); 8] = [
    (PrivilegeKind::Read, "ReadAccess"),
    (PrivilegeKind::Write, "WriteAccess"),
    (PrivilegeKind::Append, "AppendAccess"),
    (PrivilegeKind::AppendTo, "AppendToAccess"),
    (PrivilegeKind::Create, "CreateAccess"),
    (PrivilegeKind::Delete, "DeleteAccess"),
    (PrivilegeKind::Share, "ShareAccess"),
    (PrivilegeKind::Assign, "AssignAccess"),
];

/// The text of no right.
const NONE_TEXT: &str = "None";

impl RightsMask {
    /// No right.
    pub const NONE: Self = Self(0);
    /// All rights that exist.
    pub const ALL: Self = Self(1 | 2 | 4 | 16 | 32 | 65_536 | 262_144 | 524_288);
    /// The bit that marks a stored mask as inherited. It is no right; a client may see it.
    pub const INHERITED_MARK: u32 = 0x0800_0000;

    /// The bit of one privilege.
    #[must_use]
    pub const fn of(kind: PrivilegeKind) -> Self {
        Self(match kind {
            PrivilegeKind::Read => 1,
            PrivilegeKind::Write => 2,
            PrivilegeKind::Append => 4,
            PrivilegeKind::AppendTo => 16,
            PrivilegeKind::Create => 32,
            PrivilegeKind::Delete => 65_536,
            PrivilegeKind::Share => 262_144,
            PrivilegeKind::Assign => 524_288,
        })
    }

    /// Whether every right of `other` is in `self`.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The rights of `self` that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether it grants nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 & Self::ALL.0 == 0
    }

    /// Whether it has only bits of rights that exist.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.0 & !Self::ALL.0 == 0
    }

    /// The rights in it, in the order of their bits. Bits that stand for no right are passed over.
    pub fn iter(self) -> impl Iterator<Item = PrivilegeKind> {
        RIGHTS.into_iter().map(|(kind, _)| kind).filter(move |&kind| self.contains(Self::of(kind)))
    }

    /// The names joined by a comma and a blank, in the order of the bits (`ReadAccess, WriteAccess`); `None` for no
    /// right. [`RightsMask::from_str`] reads it back.
    #[must_use]
    pub fn to_text(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for RightsMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, name) in RIGHTS.iter().filter(|(kind, _)| self.contains(Self::of(*kind))) {
            f.write_str(separator)?;
            f.write_str(name)?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str(NONE_TEXT) } else { Ok(()) }
    }
}

impl FromStr for RightsMask {
    type Err = RightsMaskError;

    /// Reads names joined by commas, in any order, with blanks around them; `None` is no right. Names are
    /// case-sensitive, as in the Web API.
    fn from_str(text: &str) -> Result<Self, RightsMaskError> {
        text.split(',').map(str::trim).try_fold(Self::NONE, |mask, name| {
            if name == NONE_TEXT {
                return Ok(mask);
            }
            RIGHTS
                .iter()
                .find(|(_, known)| *known == name)
                .map(|(kind, _)| mask.union(Self::of(*kind)))
                .ok_or_else(|| RightsMaskError(name.to_owned()))
        })
    }
}

impl FromIterator<PrivilegeKind> for RightsMask {
    fn from_iter<I: IntoIterator<Item = PrivilegeKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, |mask, kind| mask.union(Self::of(kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_in_the_order_of_the_bits_whatever_the_input_order() {
        let mask: RightsMask = "WriteAccess,ReadAccess , AssignAccess".parse().unwrap();
        assert_eq!(mask, RightsMask(1 | 2 | 524_288));
        assert_eq!(mask.to_text(), "ReadAccess, WriteAccess, AssignAccess");
    }

    #[test]
    fn every_mask_survives_its_text() {
        for bits in 0_u32..256 {
            let mask: RightsMask =
                RIGHTS.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0).map(|(_, (kind, _))| *kind).collect();
            assert_eq!(mask.to_text().parse::<RightsMask>(), Ok(mask));
            assert_eq!(mask.iter().collect::<RightsMask>(), mask);
            assert_eq!(mask.iter().count(), bits.count_ones() as usize);
        }
    }

    #[test]
    fn nothing_is_none() {
        assert_eq!(RightsMask::NONE.to_text(), "None");
        assert_eq!("None".parse(), Ok(RightsMask::NONE));
    }

    #[test]
    fn unknown_names_are_refused_and_named() {
        for (text, named) in [("ReadAccess, Fly", "Fly"), ("", ""), ("readaccess", "readaccess"), ("ReadAccess,", "")] {
            assert_eq!(text.parse::<RightsMask>(), Err(RightsMaskError(named.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn the_inherited_mark_is_no_right() {
        let marked = RightsMask(RightsMask::INHERITED_MARK | 1);
        assert!(!marked.is_valid());
        assert_eq!(marked.iter().collect::<Vec<_>>(), [PrivilegeKind::Read]);
        assert!(RightsMask(RightsMask::INHERITED_MARK).is_empty());
    }
}
