//! How a table's rows are protected, and by which privileges.

use std::collections::HashMap;

use toml::Spanned;

use super::columns::is_owner;
use super::defaults::Defaults;
use super::draft::Draft;
use super::raw::{KindWord, LevelWord, PrivilegeFile, Privileges, SecurityName, SecurityWord};
use super::{LoadError, Source};
use crate::{Column, ColumnId, ColumnKind, Level, Ownership, Privilege, PrivilegeKind, RowSecurity, Table};

/// How the rows of a table are protected: as its file says, else as the defaults say of the table, else of its ownership.
pub(super) fn row_security<'c>(
    draft: &Draft<'_>,
    defaults: &Defaults,
    columns: &[Column],
    find: impl Fn(&str) -> Option<&'c Column>,
) -> Result<RowSecurity, LoadError> {
    let file = &draft.file;
    let span = file.security.as_ref().map_or_else(|| file.name.span(), Spanned::span);
    let fault = |problem: String| draft.source.fault(&span, problem);
    let named = |name: &str| {
        let column = find(name).map(|column| column.id);
        column.ok_or_else(|| fault(format!("security names `{name}`, which is no column: correct the name")))
    };

    let owner = columns.iter().find(|column| is_owner(column));
    let unit = columns.iter().find(|column| column.name == "owningbusinessunit");
    if file.ownership == Ownership::User && (owner.is_none() || unit.is_none()) {
        return Err(fault(format!(
            "`{}` is owned by users but lacks an owner or `owningbusinessunit`: add them",
            draft.name()
        )));
    }
    if file.intersect {
        return Ok(RowSecurity::Intersect);
    }
    let word = file.security.as_ref().map(Spanned::get_ref);
    let word = word.or_else(|| defaults.of_table(draft.name()).security.as_ref());
    let Some(word) = word.or_else(|| defaults.ownership(file.ownership).security.as_ref()) else {
        return Err(fault(format!(
            "nothing says how rows of `{}` are protected: add security = … here or under [tables.{}] in defaults.toml",
            draft.name(),
            draft.name()
        )));
    };
    Ok(match word {
        SecurityWord::Word(SecurityName::Owned) => match (owner, unit) {
            (Some(owner), Some(unit)) => RowSecurity::Owned { owner: owner.id, unit: unit.id },
            _ => {
                return Err(fault("security = \"owned\" needs an owner and `owningbusinessunit`: add them".to_owned()));
            }
        },
        SecurityWord::Word(SecurityName::Organization) => RowSecurity::Organization,
        SecurityWord::Word(SecurityName::Intersect) => {
            return Err(fault("security = \"intersect\" is for intersects: add intersect = true".to_owned()));
        }
        SecurityWord::Unit(words) => RowSecurity::Unit {
            unit: named(&words.unit)?,
            principal: words.principal.as_deref().map(named).transpose()?,
        },
        SecurityWord::Parents(words) => {
            let lookups = words.parents.iter().map(|name| named(name)).collect::<Result<Vec<ColumnId>, _>>()?;
            let is_lookup =
                |id: &ColumnId| columns.iter().any(|c| c.id == *id && matches!(c.kind, ColumnKind::Lookup { .. }));
            if lookups.is_empty() || !lookups.iter().all(is_lookup) {
                return Err(fault(
                    "the parents of a row are found through lookups: name at least one, and only lookups".to_owned(),
                ));
            }
            RowSecurity::Parent { lookups }
        }
    })
}

/// Gives every table its privileges. Tables that share another's come after it.
pub(super) fn settle_privileges(
    drafts: &[Draft<'_>],
    tables: &mut [Table],
    defaults: &Defaults,
) -> Result<(), LoadError> {
    let mut shared = Vec::new();
    for (draft, table) in drafts.iter().zip(tables.iter_mut()) {
        match shares_with(draft, defaults) {
            Some((span, of)) => shared.push((draft, span, of)),
            None => table.privileges = own_privileges(draft, defaults)?,
        }
    }
    for (draft, span, of) in shared {
        let found = tables.iter().find(|table| table.name == of);
        let Some(privileges) = found.map(|table| table.privileges.clone()).filter(|privileges| !privileges.is_empty())
        else {
            return Err(draft.source.fault(
                &span,
                format!(
                    "`{}` shares the privileges of `{of}`, which has none of its own: name a table that has",
                    draft.name()
                ),
            ));
        };
        if let Some(table) = tables.iter_mut().find(|table| table.id == draft.id) {
            table.privileges = privileges;
        }
    }
    check_names(drafts, tables)
}

/// The table whose privileges this one shares, and where that is said.
fn shares_with<'d>(draft: &'d Draft<'_>, defaults: &'d Defaults) -> Option<(std::ops::Range<usize>, &'d str)> {
    let file = &draft.file;
    if let Some(of) = &file.privileges_of {
        return Some((of.span(), of.get_ref()));
    }
    if file.privileges.is_some() {
        return None;
    }
    let of = defaults.of_table(draft.name()).privileges_of.as_deref();
    let of = of.or_else(|| file.activity.then(|| defaults.activity_privileges()));
    Some((file.name.span(), of?))
}

fn own_privileges(draft: &Draft<'_>, defaults: &Defaults) -> Result<Vec<Privilege>, LoadError> {
    let file = &draft.file;
    let of_table = defaults.of_table(draft.name());
    let nothing = Privileges::default();
    let words = file.privileges.as_ref().map(Spanned::get_ref).or(of_table.privileges.as_ref()).unwrap_or(&nothing);
    let owned = defaults.ownership(file.ownership);
    let kinds = words.kinds.as_ref().unwrap_or(&owned.kinds);
    let usual = words.levels.as_ref().unwrap_or(&owned.levels);
    let token = words.token.as_ref().or(of_table.token.as_ref()).unwrap_or(&file.schema);

    let span = file.privileges.as_ref().map_or_else(|| file.name.span(), Spanned::span);
    let stray = words.levels_of.keys().chain(words.names.keys()).find(|word| !kinds.contains(word));
    if let Some(KindWord(kind)) = stray {
        let problem = format!("{} is not among the kinds: add it there or take it out here", kind.word());
        return Err(draft.source.fault(&span, problem));
    }
    let mut privileges: Vec<Privilege> = Vec::with_capacity(kinds.len());
    for word in kinds {
        let KindWord(kind) = *word;
        if privileges.iter().any(|known| known.kind == kind) {
            return Err(draft.source.fault(&span, format!("{} stands twice: take one out", kind.word())));
        }
        let mut levels: Vec<Level> =
            words.levels_of.get(word).unwrap_or(usual).iter().map(|&LevelWord(level)| level).collect();
        levels.sort_unstable();
        levels.dedup();
        if levels.is_empty() {
            return Err(draft.source.fault(&span, format!("{} may take no level: name at least one", kind.word())));
        }
        let name = words.names.get(word).cloned().unwrap_or_else(|| format!("prv{}{token}", kind.word()));
        privileges.push(Privilege { name, kind, levels });
    }
    privileges.sort_by_key(|privilege| privilege.kind);
    Ok(privileges)
}

/// Tables may share a privilege, but then it is the same kind and takes the same levels on each.
fn check_names(drafts: &[Draft<'_>], tables: &[Table]) -> Result<(), LoadError> {
    let mut known: HashMap<&str, (&str, PrivilegeKind, &[Level])> = HashMap::new();
    for (draft, table) in drafts.iter().zip(tables) {
        for privilege in &table.privileges {
            let (other, kind, levels) =
                *known.entry(&privilege.name).or_insert((&table.name, privilege.kind, &privilege.levels));
            if kind != privilege.kind || levels != privilege.levels {
                let span = draft.file.privileges.as_ref().map_or_else(|| draft.file.name.span(), Spanned::span);
                return Err(draft.source.fault(
                    &span,
                    format!(
                        "`{}` is of another kind or has other levels on `{other}`: make them the same or choose another token",
                        privilege.name
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// Reads `privileges.toml`: the privileges that are not tied to rows.
pub(super) fn unbound_privileges(source: &Source<'_>, tables: &[Table]) -> Result<Vec<String>, LoadError> {
    let file: PrivilegeFile = source.parse()?;
    let mut names: Vec<String> = Vec::with_capacity(file.privileges.len());
    for entry in &file.privileges {
        let name = entry.get_ref();
        let on_table = tables.iter().find(|table| table.privileges.iter().any(|privilege| privilege.name == *name));
        if let Some(table) = on_table {
            let problem = format!("`{name}` is a privilege on rows of `{}`: take it out here", table.name);
            return Err(source.fault(&entry.span(), problem));
        }
        if !name.starts_with("prv") || names.contains(name) {
            let problem = format!("`{name}` stands twice or does not begin with prv: take it out or rename it");
            return Err(source.fault(&entry.span(), problem));
        }
        names.push(name.clone());
    }
    Ok(names)
}
