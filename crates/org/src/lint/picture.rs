//! What the rules look at, read once: people, teams, roles and what they give, profiles, and of records which tables have any
//! and where they sit.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use custodia_access::RolePrivilege;
use custodia_interface::{Control, FormKind, Holder};
use custodia_query::{Filter, Path, Query};
use custodia_schema::{ColumnId, Guid, Level, RowSecurity, Schema, Table, TableId, Value, builtin_roles};
use custodia_store::ADMINISTRATOR_PROFILE;

use crate::caller::{Caller, SYSTEM_USER};
use crate::error::Result;
use crate::explaining::Named;
use crate::lint::too_many;
use crate::model;
use crate::organization::Organization;
use crate::user_interface::{CUSTOMIZER, chosen};

/// Values that one statement compares with.
const VALUES_MAX: usize = 500;
/// Roles whose privileges are read at one time, in the queue of writes.
const ROLES_AT_ONCE: usize = 20;
/// The value of a permission that is given.
const GIVEN: i64 = 4;

/// A user.
pub(super) struct Person {
    pub named: Named,
    pub disabled: bool,
    /// Roles given to the user, by their topmost role, with the unit that each is measured from.
    pub direct: BTreeSet<(Guid, Guid)>,
    /// The same through teams.
    pub through_teams: BTreeSet<(Guid, Guid)>,
    /// Secured columns that a profile opens for reading; `None`: all of them.
    reads: Option<BTreeSet<(TableId, ColumnId)>>,
}

impl Person {
    /// The topmost roles held, in whichever way.
    pub fn roots(&self) -> BTreeSet<Guid> {
        self.direct.iter().chain(&self.through_teams).map(|(root, _)| *root).collect()
    }

    pub fn reads(&self, column: &(TableId, ColumnId)) -> bool {
        self.reads.as_ref().is_none_or(|columns| columns.contains(column))
    }

    pub fn reads_all(&self) -> bool {
        self.reads.is_none()
    }
}

/// A team.
pub(super) struct Group {
    pub named: Named,
    unit: Guid,
    pub roles: BTreeSet<Guid>,
    pub members: BTreeSet<Guid>,
}

/// A topmost role, with all its copies.
pub(super) struct Role {
    pub named: Named,
    pub is_administrator: bool,
    /// It did not come with the program, or was edited.
    pub is_own: bool,
    /// What it gives; read of roles that are held or own.
    pub privileges: Vec<RolePrivilege>,
    /// The units that its levels are measured from, for those who hold it.
    pub bases: BTreeSet<Guid>,
}

/// A main form that shows a secured column.
pub(super) struct Showing {
    pub form: Named,
    pub table: String,
    pub column: (TableId, ColumnId),
    /// Enabled users who get the form and cannot read the column.
    pub blind: Vec<Guid>,
}

/// Everything that the rules look at.
pub(super) struct Picture {
    pub schema: Arc<Schema>,
    pub people: BTreeMap<Guid, Person>,
    pub teams: Vec<Group>,
    pub roles: BTreeMap<Guid, Role>,
    pub units: usize,
    pub audits: bool,
    /// Tables that are owned and have records.
    pub filled: HashSet<TableId>,
    /// Of these, the tables that have records outside a unit.
    outside: HashMap<(TableId, Guid), bool>,
    /// Disabled users with the tables of which they own records.
    pub owning: BTreeMap<Guid, BTreeSet<String>>,
    /// Disabled users with whom records are shared.
    pub sharing: BTreeSet<Guid>,
    pub showings: Vec<Showing>,
}

impl Picture {
    pub async fn read(org: &Organization, caller: &Caller) -> Result<Self> {
        let schema = org.schema();
        let read = Reading { org, schema: &schema };
        let (roles, root_of) = read.roles().await?;
        let mut people = read.people().await?;
        let teams = read.teams(&root_of).await?;
        for row in read.rows("systemuserroles", Filter::True, &["systemuserid", "roleid"]).await? {
            let (Some(user), Some(role)) = (id(&row, 0), id(&row, 1)) else { continue };
            let (Some(person), Some((root, unit))) = (people.get_mut(&user), root_of.get(&role)) else { continue };
            person.direct.insert((*root, *unit));
        }
        for team in &teams {
            for member in &team.members {
                if let Some(person) = people.get_mut(member) {
                    person.through_teams.extend(team.roles.iter().map(|root| (*root, team.unit)));
                }
            }
        }
        let mut picture = Self {
            people,
            teams,
            roles,
            units: read.rows("businessunit", Filter::True, &[]).await?.len(),
            audits: read
                .rows("organization", Filter::True, &["isauditenabled"])
                .await?
                .first()
                .is_some_and(|row| row.first() == Some(&Value::Boolean(true))),
            filled: HashSet::new(),
            outside: HashMap::new(),
            owning: BTreeMap::new(),
            sharing: BTreeSet::new(),
            showings: Vec::new(),
            schema: Arc::clone(&schema),
        };
        picture.open_columns(&read).await?;
        picture.read_privileges(org, caller).await?;
        picture.look_at_records(&read).await?;
        picture.look_at_forms(org).await?;
        Ok(picture)
    }

    /// Users who may sign in.
    pub fn enabled(&self) -> impl Iterator<Item = &Person> {
        self.people.values().filter(|person| !person.disabled)
    }

    /// Roles that an enabled user holds in whichever way.
    pub fn held(&self) -> impl Iterator<Item = &Role> {
        self.roles.values().filter(|role| !role.bases.is_empty())
    }

    /// Whether a table has a record that sits outside of a unit.
    pub fn has_records_outside(&self, table: TableId, unit: Guid) -> bool {
        // What was not looked at is taken to have some: nothing is said of it then.
        self.outside.get(&(table, unit)).copied().unwrap_or(true)
    }

    /// Secured columns.
    pub fn secured(&self) -> Vec<(Arc<Table>, ColumnId)> {
        let of_table = |table: &Arc<Table>| {
            let secured = table.columns().iter().filter(|column| column.secured).map(|column| column.id);
            secured.map(|column| (Arc::clone(table), column)).collect::<Vec<_>>()
        };
        self.schema.tables().iter().flat_map(of_table).collect()
    }

    /// Which secured columns each user reads by profiles.
    async fn open_columns(&mut self, read: &Reading<'_>) -> Result<()> {
        let mut opened: HashMap<Guid, BTreeSet<(TableId, ColumnId)>> = HashMap::new();
        let shown = ["fieldsecurityprofileid", "entityname", "attributelogicalname", "canread"];
        for row in read.rows("fieldpermission", Filter::True, &shown).await? {
            let (Some(profile), true) = (id(&row, 0), row.get(3).and_then(whole) == Some(GIVEN)) else { continue };
            let table = text(&row, 1).and_then(|table| read.schema.table_named(&table));
            let column =
                table.zip(text(&row, 2)).and_then(|(table, column)| Some((table.id, table.column(&column)?.id)));
            opened.entry(profile).or_default().extend(column);
        }
        let mut held: Vec<(Guid, Guid)> = Vec::new();
        for row in read.rows("systemuserprofiles", Filter::True, &["systemuserid", "fieldsecurityprofileid"]).await? {
            held.extend(id(&row, 0).zip(id(&row, 1)));
        }
        for row in read.rows("teamprofiles", Filter::True, &["teamid", "fieldsecurityprofileid"]).await? {
            let Some((team, profile)) = id(&row, 0).zip(id(&row, 1)) else { continue };
            let members = self.teams.iter().filter(|known| known.named.id == team).flat_map(|team| &team.members);
            held.extend(members.map(|member| (*member, profile)));
        }
        for (user, profile) in held {
            let Some(person) = self.people.get_mut(&user) else { continue };
            match (&mut person.reads, profile == ADMINISTRATOR_PROFILE) {
                (reads, true) => *reads = None,
                (Some(reads), false) => reads.extend(opened.get(&profile).into_iter().flatten()),
                (None, false) => {}
            }
        }
        let administrators: BTreeSet<Guid> =
            self.roles.values().filter(|role| role.is_administrator).map(|role| role.named.id).collect();
        for person in self.people.values_mut() {
            if person.direct.iter().any(|(root, _)| administrators.contains(root)) {
                person.reads = None;
            }
        }
        Ok(())
    }

    /// What the roles give that somebody holds, or that the organisation made.
    async fn read_privileges(&mut self, org: &Organization, caller: &Caller) -> Result<()> {
        for person in self.people.values().filter(|person| !person.disabled) {
            for (root, unit) in person.direct.iter().chain(&person.through_teams) {
                if let Some(role) = self.roles.get_mut(root) {
                    role.bases.insert(*unit);
                }
            }
        }
        let wanted = self.roles.values().filter(|role| role.is_own || !role.bases.is_empty());
        let wanted: Vec<(Guid, Option<Guid>)> = wanted
            .map(|role| {
                let builtin = builtin_roles().iter().find(|builtin| builtin.root_id == role.named.id);
                (role.named.id, builtin.filter(|_| !role.is_own).map(|builtin| builtin.template()))
            })
            .collect();
        for some in wanted.chunks(ROLES_AT_ONCE) {
            let some = some.to_vec();
            let found = org
                .in_transaction(caller, move |writing| {
                    let some = some.clone();
                    Box::pin(async move {
                        let mut found = Vec::new();
                        for (root, template) in some {
                            found.push((root, writing.transaction.role_privileges(root, template).await?));
                        }
                        Ok(found)
                    })
                })
                .await?;
            for (root, privileges) in found {
                if let Some(role) = self.roles.get_mut(&root) {
                    role.privileges = privileges;
                }
            }
        }
        Ok(())
    }

    /// Which tables have records, where they sit, and what disabled users have of them.
    async fn look_at_records(&mut self, read: &Reading<'_>) -> Result<()> {
        let disabled: Vec<Guid> =
            self.people.values().filter(|person| person.disabled).map(|person| person.named.id).collect();
        for table in read.schema.tables() {
            let RowSecurity::Owned { owner, unit } = table.security else { continue };
            if !read.org.is_used(table.id) || !read.has(table, Filter::True).await? {
                continue;
            }
            self.filled.insert(table.id);
            for base in self.bases_that_matter(table) {
                let elsewhere = Filter::Not(Box::new(Filter::equal(unit, Value::Guid(base))));
                let is_outside = read.has(table, elsewhere).await?;
                self.outside.insert((table.id, base), is_outside);
            }
            for some in disabled.chunks(VALUES_MAX) {
                // Mostly none of them does: one by one they are asked about only where somebody does.
                let values = some.iter().copied().map(Value::Guid).collect();
                if !read.has(table, Filter::In { path: Path::own(owner), values }).await? {
                    continue;
                }
                for user in some {
                    if read.has(table, Filter::equal(owner, Value::Guid(*user))).await? {
                        self.owning.entry(*user).or_default().insert(table.name.clone());
                    }
                }
            }
        }
        for some in disabled.chunks(VALUES_MAX) {
            let shares = model::table(read.schema, "principalobjectaccess")?;
            let principal = Path::own(model::column(shares, "principalid")?);
            let values = some.iter().copied().map(Value::Guid).collect();
            let filter = Filter::In { path: principal, values };
            for row in read.rows("principalobjectaccess", filter, &["principalid"]).await? {
                self.sharing.extend(id(&row, 0));
            }
        }
        Ok(())
    }

    /// The units from which somebody holds a level beyond the unit on a table.
    fn bases_that_matter(&self, table: &Table) -> BTreeSet<Guid> {
        let is_wide = |role: &&Role| {
            role.privileges.iter().any(|held| {
                held.level > Level::Local && table.privileges.iter().any(|privilege| privilege.name == held.name)
            })
        };
        if self.units < 2 {
            return BTreeSet::new();
        }
        let wide = self.held().filter(|role| !role.is_administrator).filter(is_wide);
        wide.flat_map(|role| role.bases.iter().copied()).collect()
    }

    /// Main forms that show a secured column to somebody who cannot read it.
    async fn look_at_forms(&mut self, org: &Organization) -> Result<()> {
        let secured = self.secured();
        let tables: BTreeSet<TableId> = secured.iter().map(|(table, _)| table.id).collect();
        let sees_all: HashSet<Guid> = builtin_roles()
            .iter()
            .filter(|role| role.is_administrator() || role.name == CUSTOMIZER)
            .map(|role| role.root_id)
            .collect();
        for table in tables.into_iter().filter_map(|table| self.schema.table(table).cloned()) {
            let forms = org.stored_forms(&table, &[FormKind::Main]).await?;
            let mut blind: BTreeMap<(Guid, ColumnId), Vec<Guid>> = BTreeMap::new();
            for person in self.people.values().filter(|person| !person.disabled && !person.reads_all()) {
                let roots: HashSet<Guid> = person.roots().into_iter().collect();
                if roots.is_empty() {
                    continue;
                }
                let holder = Holder { sees_all: !roots.is_disjoint(&sees_all), roots };
                for form in chosen(forms.clone(), &holder) {
                    for (_, column) in secured.iter().filter(|(of, _)| of.id == table.id) {
                        let name = table.column_by_id(*column).map_or("", |column| column.name.as_str());
                        if shows(&form, name) && !person.reads(&(table.id, *column)) {
                            blind.entry((form.id, *column)).or_default().push(person.named.id);
                        }
                    }
                }
            }
            for ((form, column), blind) in blind {
                let name = forms.iter().find(|known| known.id == form).map(|form| form.name.clone());
                let form = Named { id: form, name: name.unwrap_or_default() };
                self.showings.push(Showing { form, table: table.name.clone(), column: (table.id, column), blind });
            }
        }
        Ok(())
    }
}

/// Whether a form has a field of that column.
fn shows(form: &custodia_interface::Form, name: &str) -> bool {
    let sections = form.tabs.iter().flat_map(|tab| &tab.columns).flat_map(|column| &column.sections);
    let cells = sections.flat_map(|section| section.rows.iter().flatten());
    let mut all = form.header.iter().chain(cells).chain(&form.footer);
    all.any(|cell| matches!(&cell.control, Control::Field { column, .. } if column == name))
}

/// Reads rows of the security model.
struct Reading<'r> {
    org: &'r Organization,
    schema: &'r Schema,
}

impl Reading<'_> {
    /// Topmost roles, and for each role and copy its topmost one and its unit.
    async fn roles(&self) -> Result<(BTreeMap<Guid, Role>, HashMap<Guid, (Guid, Guid)>)> {
        let shown = ["roleid", "name", "parentrootroleid", "businessunitid", "roletemplateid"];
        let (mut roles, mut root_of) = (BTreeMap::new(), HashMap::new());
        for row in self.rows("role", Filter::True, &shown).await? {
            let (Some(role), Some(unit)) = (id(&row, 0), id(&row, 3)) else { continue };
            let root = id(&row, 2).unwrap_or(role);
            root_of.insert(role, (root, unit));
            if root != role {
                continue;
            }
            let builtin = builtin_roles().iter().find(|builtin| builtin.root_id == role);
            let known = Role {
                named: Named { id: role, name: text(&row, 1).unwrap_or_default() },
                is_administrator: builtin.is_some_and(|role| role.is_administrator()),
                // One that was edited has no template any more.
                is_own: id(&row, 4).is_none(),
                privileges: Vec::new(),
                bases: BTreeSet::new(),
            };
            roles.insert(role, known);
        }
        Ok((roles, root_of))
    }

    async fn people(&self) -> Result<BTreeMap<Guid, Person>> {
        let shown = ["systemuserid", "fullname", "isdisabled"];
        let mut people = BTreeMap::new();
        for row in self.rows("systemuser", Filter::True, &shown).await? {
            let Some(user) = id(&row, 0).filter(|user| *user != SYSTEM_USER) else { continue };
            let person = Person {
                named: Named { id: user, name: text(&row, 1).unwrap_or_default() },
                disabled: row.get(2) == Some(&Value::Boolean(true)),
                direct: BTreeSet::new(),
                through_teams: BTreeSet::new(),
                reads: Some(BTreeSet::new()),
            };
            people.insert(user, person);
        }
        Ok(people)
    }

    async fn teams(&self, root_of: &HashMap<Guid, (Guid, Guid)>) -> Result<Vec<Group>> {
        let mut roles: HashMap<Guid, BTreeSet<Guid>> = HashMap::new();
        for row in self.rows("teamroles", Filter::True, &["teamid", "roleid"]).await? {
            let (Some(team), Some((root, _))) = (id(&row, 0), id(&row, 1).and_then(|role| root_of.get(&role))) else {
                continue;
            };
            roles.entry(team).or_default().insert(*root);
        }
        let mut members: HashMap<Guid, BTreeSet<Guid>> = HashMap::new();
        for row in self.rows("teammembership", Filter::True, &["teamid", "systemuserid"]).await? {
            let Some((team, user)) = id(&row, 0).zip(id(&row, 1)) else { continue };
            members.entry(team).or_default().insert(user);
        }
        let mut teams = Vec::new();
        for row in self.rows("team", Filter::True, &["teamid", "name", "businessunitid"]).await? {
            let (Some(team), Some(unit)) = (id(&row, 0), id(&row, 2)) else { continue };
            teams.push(Group {
                named: Named { id: team, name: text(&row, 1).unwrap_or_default() },
                unit,
                roles: roles.remove(&team).unwrap_or_default(),
                members: members.remove(&team).unwrap_or_default(),
            });
        }
        Ok(teams)
    }

    /// All rows of a table, with these columns; none of a table that nobody used yet.
    async fn rows(&self, table: &str, filter: Filter, shown: &[&str]) -> Result<Vec<Vec<Value>>> {
        let table = model::table(self.schema, table)?;
        if !self.org.is_used(table.id) {
            return Ok(Vec::new());
        }
        let limit = self.org.shared.limits.looked_over_rows;
        let query = Query { filter, ..Query::of(table, limit) };
        let fields = query.fields.len();
        let query = query.showing(model::columns(table, shown)?);
        let (mut rows, _) = self.org.shared.platform_rows("look over roles", &query).await?;
        if rows.len() > limit as usize {
            return Err(too_many(table, limit));
        }
        for row in &mut rows {
            row.drain(..fields.min(row.len()));
        }
        Ok(rows)
    }

    /// Whether a table has a record that passes a test.
    async fn has(&self, table: &Table, filter: Filter) -> Result<bool> {
        let one = Query { filter, top: Some(1), ..Query::of(table, 1) };
        Ok(!self.org.shared.platform_rows("look over roles", &one).await?.0.is_empty())
    }
}

fn id(row: &[Value], at: usize) -> Option<Guid> {
    row.get(at).and_then(Value::guid)
}

fn text(row: &[Value], at: usize) -> Option<String> {
    match row.get(at) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(i64::from(*number)),
        Value::BigInt(number) => Some(*number),
        _ => None,
    }
}
