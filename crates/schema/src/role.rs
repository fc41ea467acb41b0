//! The built-in roles: what each is allowed before anybody changes it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use toml::Spanned;

use crate::load::Source;
use crate::{Guid, Level, LoadError, NamedPrivilege, PrivilegeKind, Schema, TableId, standard, standard_files};

/// A built-in role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltinRole {
    /// What a person sees.
    pub name: String,
    /// Id of the role in the root unit, the same in every organisation.
    pub root_id: Guid,
    /// Id of the role template that clients know it by, if it has one.
    pub template_id: Option<Guid>,
    /// Per table the level of each of the eight privileges, in the order of [`PrivilegeKind::ALL`]: 0 none, else as
    /// [`Level`]. Tables without any are left out; tables that share privileges have the same. In order of the table numbers.
    pub depths: Vec<(TableId, [u8; 8])>,
    /// Names of the privileges it has that are not tied to rows, in alphabetical order.
    pub misc: Vec<String>,
}

/// The role that may do everything.
const ADMINISTRATOR: &str = "System Administrator";

impl BuiltinRole {
    /// Whether it is System Administrator: it cannot be edited, taken from its last user or deleted, and opens every
    /// secured column.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.name == ADMINISTRATOR
    }

    /// The template id that its copies in all units carry; a role without a published template stands for itself.
    #[must_use]
    pub fn template(&self) -> Guid {
        self.template_id.unwrap_or(self.root_id)
    }

    /// The role's privileges, each once, with its level: what a role is made of in an organisation.
    pub fn privileges<'s>(&self, schema: &'s Schema) -> impl Iterator<Item = (&'s NamedPrivilege, Level)> {
        schema.privileges().iter().filter_map(|privilege| {
            let level = match (privilege.kind, privilege.tables.first()) {
                (Some(kind), Some(table)) => self.level(*table, kind)?,
                _ => self.misc.contains(&privilege.name).then_some(Level::Global)?,
            };
            Some((privilege, level))
        })
    }

    /// How far the role reaches with one privilege on one table; `None` if it does not have it.
    #[must_use]
    pub fn level(&self, table: TableId, kind: PrivilegeKind) -> Option<Level> {
        let at = self.depths.binary_search_by_key(&table, |(table, _)| *table).ok()?;
        level_of_digit(*self.depths.get(at)?.1.get(kind as usize)?)
    }
}

/// The built-in roles of the standard tables, in the order of their file; parsed on the first call.
#[must_use]
pub fn builtin_roles() -> &'static [BuiltinRole] {
    static ROLES: OnceLock<Vec<BuiltinRole>> = OnceLock::new();
    ROLES.get_or_init(parse)
}

#[expect(
    clippy::panic,
    reason = "the file is part of the program and a test loads it, so a fault in it cannot reach a running server"
)]
fn parse() -> Vec<BuiltinRole> {
    let file = standard_files().iter().find(|(name, _)| *name == "roles.toml");
    let roles = file.map(|(name, text)| load_roles(name, text, &standard()));
    match roles {
        Some(Ok(roles)) => roles,
        Some(Err(fault)) => panic!("the data files compiled into this program are faulty: {fault}"),
        None => panic!("roles.toml is not compiled into this program"),
    }
}

/// Reads built-in roles from `text`, the file called `name`, against the tables they are for.
///
/// # Errors
/// The first fault found, with its file and line: an unknown table or privilege, a level the privilege may not take.
pub fn load_roles(name: &str, text: &str, schema: &Schema) -> Result<Vec<BuiltinRole>, LoadError> {
    let source = Source { name, text };
    let file: RoleFile = source.parse()?;
    let mut base = Grants::default();
    base.add_tables(&file.base.tables, &source, schema)?;
    base.add_unbound(&file.base.privileges, &source, schema)?;

    let mut roles: Vec<BuiltinRole> = Vec::with_capacity(file.roles.len());
    for entry in &file.roles {
        let raw = entry.get_ref();
        if roles.iter().any(|known| known.name == *raw.name.get_ref() || known.root_id == raw.id) {
            return Err(source.fault(&raw.name.span(), "a second role of this name or id: give it another"));
        }
        let mut grants = Grants::default();
        grants.add_tables(&raw.tables, &source, schema)?;
        grants.add_unbound(&raw.privileges, &source, schema)?;
        if raw.every_privilege {
            grants.add_highest(schema);
        }
        if let Some(digits) = &raw.every_table {
            grants.add_everywhere(digits, &raw.except_tables, &source, schema)?;
        }
        if raw.base {
            grants.add_all(&base);
        }
        roles.push(BuiltinRole {
            name: raw.name.get_ref().clone(),
            root_id: raw.id,
            template_id: raw.template,
            depths: grants.depths(schema),
            misc: grants.0.keys().filter(|name| is_unbound(schema, name)).map(|name| (*name).to_owned()).collect(),
        });
    }
    Ok(roles)
}

/// `roles.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleFile {
    #[serde(default)]
    base: Base,
    roles: Vec<Spanned<Role>>,
}

/// What every person's role has.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Base {
    tables: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    privileges: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Role {
    name: Spanned<String>,
    id: Guid,
    #[serde(default)]
    template: Option<Guid>,
    #[serde(default)]
    base: bool,
    /// Every privilege there is, at its highest level.
    #[serde(default)]
    every_privilege: bool,
    /// Digits for each table that has the privileges and allows the levels.
    #[serde(default)]
    every_table: Option<Spanned<String>>,
    #[serde(default)]
    except_tables: Vec<Spanned<String>>,
    #[serde(default)]
    tables: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    privileges: Vec<Spanned<String>>,
}

/// Levels by the name of the privilege. A privilege granted twice has the higher level.
#[derive(Default)]
struct Grants<'s>(BTreeMap<&'s str, Level>);

impl<'s> Grants<'s> {
    fn add(&mut self, privilege: &'s str, level: Level) {
        let known = self.0.entry(privilege).or_insert(level);
        *known = level.max(*known);
    }

    fn add_all(&mut self, others: &Self) {
        for (privilege, level) in &others.0 {
            self.add(privilege, *level);
        }
    }

    fn add_highest(&mut self, schema: &'s Schema) {
        for privilege in schema.privileges() {
            if let Some(level) = privilege.highest() {
                self.add(&privilege.name, level);
            }
        }
    }

    fn add_tables(
        &mut self,
        tables: &BTreeMap<String, Spanned<String>>,
        source: &Source<'_>,
        schema: &'s Schema,
    ) -> Result<(), LoadError> {
        let mut named: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, digits) in tables {
            let fault = |problem: String| source.fault(&digits.span(), problem);
            let Some(table) = schema.table_named(name) else {
                return Err(fault(format!("there is no table `{name}`: correct the name")));
            };
            for (kind, level) in read_digits(digits, source)? {
                let Some(privilege) = table.privilege(kind) else {
                    return Err(fault(format!("`{name}` has no privilege {}: write 0 for it", kind.word())));
                };
                if !privilege.levels.contains(&level) {
                    return Err(fault(format!(
                        "`{}` may not take the level {}: choose one of {:?}",
                        privilege.name, level as u8, privilege.levels
                    )));
                }
                if let Some(other) = named.insert(&privilege.name, name) {
                    return Err(fault(format!(
                        "`{other}` shares `{}` with `{name}`: name one of them",
                        privilege.name
                    )));
                }
                self.add(&privilege.name, level);
            }
        }
        Ok(())
    }

    fn add_everywhere(
        &mut self,
        digits: &Spanned<String>,
        except: &[Spanned<String>],
        source: &Source<'_>,
        schema: &'s Schema,
    ) -> Result<(), LoadError> {
        let levels = read_digits(digits, source)?;
        if let Some(unknown) = except.iter().find(|name| schema.table_named(name.get_ref()).is_none()) {
            let problem = format!("there is no table `{}`: correct the name", unknown.get_ref());
            return Err(source.fault(&unknown.span(), problem));
        }
        for table in schema.tables() {
            if except.iter().any(|name| *name.get_ref() == table.name) {
                continue;
            }
            for (kind, level) in &levels {
                if let Some(privilege) = table.privilege(*kind).filter(|privilege| privilege.levels.contains(level)) {
                    self.add(&privilege.name, *level);
                }
            }
        }
        Ok(())
    }

    fn add_unbound(
        &mut self,
        privileges: &[Spanned<String>],
        source: &Source<'_>,
        schema: &'s Schema,
    ) -> Result<(), LoadError> {
        for name in privileges {
            let privilege = schema.privilege_named(name.get_ref()).filter(|privilege| privilege.kind.is_none());
            let Some(privilege) = privilege else {
                return Err(source.fault(
                    &name.span(),
                    format!("`{}` is not in privileges.toml: add it there or correct the name", name.get_ref()),
                ));
            };
            self.add(&privilege.name, Level::Global);
        }
        Ok(())
    }

    fn depths(&self, schema: &Schema) -> Vec<(TableId, [u8; 8])> {
        let mut depths: Vec<(TableId, [u8; 8])> = schema
            .tables()
            .iter()
            .map(|table| {
                let digit = |kind| table.privilege(kind).and_then(|privilege| self.0.get(privilege.name.as_str()));
                (table.id, PrivilegeKind::ALL.map(|kind| digit(kind).map_or(0, |level| *level as u8)))
            })
            .filter(|(_, digits)| *digits != [0; 8])
            .collect();
        depths.sort_unstable_by_key(|(table, _)| *table);
        depths
    }
}

fn is_unbound(schema: &Schema, privilege: &str) -> bool {
    schema.privilege_named(privilege).is_some_and(|privilege| privilege.kind.is_none())
}

/// The privileges an eight-digit string grants.
fn read_digits(digits: &Spanned<String>, source: &Source<'_>) -> Result<Vec<(PrivilegeKind, Level)>, LoadError> {
    let bytes = digits.get_ref().as_bytes();
    if bytes.len() != PrivilegeKind::ALL.len() || !bytes.iter().all(|digit| (b'0'..=b'4').contains(digit)) {
        let problem = format!("`{}` is not eight digits from 0 to 4: write one for each privilege", digits.get_ref());
        return Err(source.fault(&digits.span(), problem));
    }
    let levels = PrivilegeKind::ALL.iter().zip(bytes);
    Ok(levels.filter_map(|(kind, digit)| Some((*kind, level_of_digit(digit - b'0')?))).collect())
}

fn level_of_digit(digit: u8) -> Option<Level> {
    match digit {
        1 => Some(Level::Basic),
        2 => Some(Level::Local),
        3 => Some(Level::Deep),
        4 => Some(Level::Global),
        _ => None,
    }
}
