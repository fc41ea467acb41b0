//! Masked columns (security model 8.6): who reads them, who in clear, and how they look otherwise.

use custodia_schema::Guid;

use crate::{Unmasked, World, WorldTable};

/// A column with a masking rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskedColumn {
    /// Its table.
    pub table: WorldTable,
    /// The column: a text.
    pub column: &'static str,
    /// What the rule hides.
    pub pattern: Pattern,
    /// The character that stands for each that is hidden.
    pub character: char,
}

/// What a rule hides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// All digits.
    Digits,
    /// A text that is not empty, up to its first space, if it begins with a capital.
    FirstWord,
}

impl Pattern {
    /// The same as a regular expression.
    #[must_use]
    pub fn expression(self) -> &'static str {
        match self {
            Self::Digits => "[0-9]+",
            Self::FirstWord => "^[A-Z][^ ]*",
        }
    }
}

/// The columns that are masked in every world. In the standard tables they are not secured; [`crate::secured_standard`]
/// secures them, the rules are for whoever loads a world.
pub const MASKED_COLUMNS: [MaskedColumn; 2] = [
    MaskedColumn { table: WorldTable::Account, column: "fax", pattern: Pattern::Digits, character: '*' },
    MaskedColumn { table: WorldTable::Contact, column: "department", pattern: Pattern::FirstWord, character: '#' },
];

/// What somebody sees of a masked column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TextSight {
    /// Nothing: it is null.
    Hidden,
    /// The text behind its mask. To everything but its showing it is null.
    Masked,
    /// The text.
    Clear,
}

/// What a user sees of a masked column when they ask for clear text of so many rows. Shares of single rows open nothing, and
/// roles do not matter.
#[must_use]
pub fn text_sight(world: &World, user: Guid, table: WorldTable, column: &str, asked: Unmasked) -> TextSight {
    let mut reads = false;
    let mut most = Unmasked::Nothing;
    for profile in &world.profiles {
        let of_team = world.teams_of(user).any(|team| profile.teams.contains(&team.id));
        if !profile.users.contains(&user) && !of_team {
            continue;
        }
        for line in profile.permissions.iter().filter(|line| line.table == table && line.column == column) {
            reads |= line.read;
            most = most.max(line.unmasked);
        }
    }
    if !reads {
        TextSight::Hidden
    } else if asked != Unmasked::Nothing && most >= asked {
        TextSight::Clear
    } else {
        TextSight::Masked
    }
}

/// How a text looks behind a mask. One in which the rule finds nothing is hidden whole.
#[must_use]
pub fn masked_text(masked: &MaskedColumn, text: &str) -> String {
    let is_hidden: Vec<bool> = match masked.pattern {
        Pattern::Digits => text.chars().map(|character| character.is_ascii_digit()).collect(),
        Pattern::FirstWord => {
            let begins = text.starts_with(|first: char| first.is_ascii_uppercase());
            let word = text.chars().take_while(|character| *character != ' ').count();
            (0..text.chars().count()).map(|at| begins && at < word).collect()
        }
    };
    let all = !is_hidden.contains(&true);
    let shown = text.chars().zip(is_hidden);
    shown.map(|(character, hidden)| if hidden || all { masked.character } else { character }).collect()
}
