//! Everything a user of a world can try to change, through the gate as that user: allowed or refused as the oracle says. The
//! gate rehearses: it decides and works out everything, and stores nothing.

use custodia_access::RightsMask;
use custodia_oracle::{
    Asker, ColumnRight, NewRow, Protection, Question, RowView, SECURED_COLUMNS, World, WorldTable, may, may_assign,
    may_share, rights_on, team_rights_on,
};
use custodia_org::{Error, Input, LinkRequest, Precondition, Principal, RecordInput, Reference};
use custodia_schema::{Guid, PrivilegeKind, Value};

use crate::security::load::{column_value, text};
use crate::security::stage::{Stage, askers};

/// Masks that are asked to be shared: Read; Read and Write; Read, Write, AppendTo and Share.
const MASKS: [u32; 3] = [0x1, 0x3, 0x4_0013];

/// Something a user tries.
#[derive(Clone, Copy, Debug)]
pub enum Attempt {
    /// Change a column of a row.
    Change(Asker, WorldTable, Guid),
    /// Change a secured column of a row; or clear it.
    ChangeSecured(Guid, WorldTable, Guid, &'static str, bool),
    /// Remove a row.
    Delete(Asker, WorldTable, Guid),
    /// Point a lookup of a row at another row than now.
    Point(Asker, (WorldTable, Guid), &'static str, (WorldTable, Guid)),
    /// The same over the relationship, from the far side.
    Hang(Asker, (WorldTable, Guid), &'static str, (WorldTable, Guid)),
    /// Give a row to this owner.
    Assign(Guid, WorldTable, Guid, Guid),
    /// Share a row with a principal, by adding rights or by replacing them.
    Share(Guid, WorldTable, Guid, Guid, u32, bool),
    /// Take a share away.
    Revoke(Guid, WorldTable, Guid, Guid),
    /// Make a row.
    Create(Asker, WorldTable, NewRow),
    /// Make a row of one's own with a value in a secured column.
    CreateSecured(Guid, WorldTable, &'static str),
    /// Make a row of one's own that points at another.
    CreateLinked(Guid, WorldTable, &'static str, (WorldTable, Guid)),
    /// Link an opportunity and a competitor, from either side; or take the link away.
    Link(Asker, Guid, Guid, bool),
    Unlink(Asker, Guid, Guid, bool),
    /// Ask which rights a user has on a row.
    Rights(Asker, Principal, WorldTable, Guid),
}

/// Lookups that are set between rows of a world.
const LOOKUPS: [(WorldTable, &str, WorldTable); 8] = [
    (WorldTable::Account, "parentaccountid", WorldTable::Account),
    (WorldTable::Contact, "parentcustomerid", WorldTable::Account),
    (WorldTable::Opportunity, "customerid", WorldTable::Account),
    (WorldTable::Quote, "customerid", WorldTable::Account),
    (WorldTable::Quote, "opportunityid", WorldTable::Opportunity),
    (WorldTable::Task, "regardingobjectid", WorldTable::Account),
    (WorldTable::Task, "regardingobjectid", WorldTable::Opportunity),
    (WorldTable::QuoteLine, "quoteid", WorldTable::Quote),
];

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Allowed,
    Refused,
    /// These rights.
    Mask(u32),
}

fn allowed(is: bool) -> Outcome {
    if is { Outcome::Allowed } else { Outcome::Refused }
}

/// All there is to try in a world; some thousand.
pub fn of(world: &World) -> Vec<Attempt> {
    let mut all = Vec::new();
    let rows = world.rows();
    let principals: Vec<Guid> =
        world.users.iter().map(|user| user.id).chain(world.teams.iter().map(|team| team.id)).collect();
    let of_table = |table: WorldTable| world.records.iter().filter(move |record| record.table == table);
    for (turn, asker) in askers(world).into_iter().enumerate() {
        for (at, row) in rows.iter().enumerate() {
            all.push(Attempt::Change(asker, row.table, row.id));
            all.push(Attempt::Delete(asker, row.table, row.id));
            let user = world.users[at % world.users.len()].id;
            all.push(Attempt::Rights(asker, Principal::User(user), row.table, row.id));
            if at % 3 == turn % 3 {
                let team = world.teams[(at + turn) % world.teams.len()].id;
                all.push(Attempt::Rights(asker, Principal::Team(team), row.table, row.id));
            }
        }
        for table in WorldTable::ALL {
            all.extend(new_rows(world, table).into_iter().map(|new| Attempt::Create(asker, table, new)));
        }
        for (from, column, to) in LOOKUPS {
            for record in of_table(from) {
                let present = record.lookups.iter().find(|lookup| lookup.column == column).map(|lookup| lookup.id);
                for target in of_table(to).filter(|target| Some(target.id) != present && target.id != record.id) {
                    let (from, to) = ((from, record.id), (to, target.id));
                    all.push(Attempt::Point(asker, from, column, to));
                    if column != "quoteid" {
                        all.push(Attempt::Hang(asker, from, column, to));
                    }
                }
            }
        }
        for opportunity in of_table(WorldTable::Opportunity) {
            for competitor in of_table(WorldTable::Competitor) {
                for turned in [false, true] {
                    all.push(Attempt::Link(asker, opportunity.id, competitor.id, turned));
                    all.push(Attempt::Unlink(asker, opportunity.id, competitor.id, turned));
                }
            }
        }
        if asker.caller.is_some() {
            continue;
        }
        let user = asker.user;
        for (at, row) in rows.iter().filter(|row| row.table.protection() == Protection::Owned).enumerate() {
            let principal = |shift: usize| principals[(at + turn + shift) % principals.len()];
            for shift in [0, 5] {
                all.push(Attempt::Assign(user, row.table, row.id, principal(shift)));
            }
            if let Some(other) = [principal(1), principal(2)].into_iter().find(|other| row.owner != Some(*other)) {
                all.extend(MASKS.map(|mask| Attempt::Share(user, row.table, row.id, other, mask, at % 2 == 0)));
                all.push(Attempt::Revoke(user, row.table, row.id, other));
            }
        }
        for (table, column) in SECURED_COLUMNS {
            all.push(Attempt::CreateSecured(user, table, column));
            for record in of_table(table) {
                all.push(Attempt::ChangeSecured(user, table, record.id, column, turn % 4 == 0));
            }
        }
        for (from, column, to) in LOOKUPS.into_iter().filter(|(from, ..)| *from != WorldTable::QuoteLine) {
            all.extend(of_table(to).map(|target| Attempt::CreateLinked(user, from, column, (to, target.id))));
        }
    }
    all
}

fn new_rows(world: &World, table: WorldTable) -> Vec<NewRow> {
    match table.protection() {
        Protection::Owned => {
            let users = world.users.iter().map(|user| NewRow::OwnedBy(user.id));
            let teams = world.teams.iter().map(|team| NewRow::OwnedBy(team.id));
            users.chain(teams).chain([NewRow::Own]).collect()
        }
        Protection::Unit => world.units.iter().map(|unit| NewRow::InUnit(unit.id)).collect(),
        Protection::Organization => vec![NewRow::OfOrganization],
        Protection::Line => {
            let quotes = world.records.iter().filter(|record| record.table == WorldTable::Quote);
            quotes.map(|quote| NewRow::Under(quote.id)).collect()
        }
        Protection::Link => Vec::new(),
    }
}

impl Attempt {
    /// One word for the counts.
    pub fn word(&self) -> &'static str {
        let of = |asker: &Asker, own, behalf| if asker.caller.is_none() { own } else { behalf };
        match self {
            Self::Change(asker, ..) => of(asker, "change", "change on behalf"),
            Self::ChangeSecured(.., false) => "change a secured column",
            Self::ChangeSecured(.., true) => "clear a secured column",
            Self::Delete(asker, ..) => of(asker, "delete", "delete on behalf"),
            Self::Point(asker, (WorldTable::QuoteLine, _), ..) => of(asker, "move a line", "move a line on behalf"),
            Self::Point(asker, ..) | Self::Hang(asker, ..) => of(asker, "set a lookup", "set a lookup on behalf"),
            Self::Assign(..) => "assign",
            Self::Share(.., true) => "share",
            Self::Share(.., false) => "replace a share",
            Self::Revoke(..) => "revoke",
            Self::Create(asker, ..) => of(asker, "create", "create on behalf"),
            Self::CreateSecured(..) => "create with a secured column",
            Self::CreateLinked(..) => "create with a lookup",
            Self::Link(asker, ..) => of(asker, "associate", "associate on behalf"),
            Self::Unlink(asker, ..) => of(asker, "disassociate", "disassociate on behalf"),
            Self::Rights(_, Principal::Team(_), ..) => "ask for rights of a team",
            Self::Rights(asker, ..) => of(asker, "ask for rights", "ask for rights on behalf"),
        }
    }

    /// Whether there are few of its kind.
    pub fn is_rare(&self, world: &World) -> bool {
        let is_disabled = |owner: Guid| world.user(owner).is_some_and(|user| user.disabled);
        match *self {
            Self::Link(asker, ..) | Self::Unlink(asker, ..) => asker.caller.is_some(),
            Self::Point(_, (WorldTable::QuoteLine, _), ..) | Self::CreateSecured(..) | Self::ChangeSecured(..) => true,
            Self::Assign(.., owner) | Self::Create(_, _, NewRow::OwnedBy(owner)) => is_disabled(owner),
            _ => false,
        }
    }

    /// The question that it comes down to, for the counts.
    pub fn question(&self) -> Option<Question> {
        match *self {
            Self::Change(asker, table, row) => Some(Question::Row(asker, PrivilegeKind::Write, table, row)),
            Self::ChangeSecured(user, table, row, column, _) => {
                Some(Question::ColumnOfRow(user, ColumnRight::Update, table, column, row))
            }
            Self::Delete(asker, table, row) => Some(Question::Row(asker, PrivilegeKind::Delete, table, row)),
            Self::Point(Asker { user, caller: None }, from, column, to)
            | Self::Hang(Asker { user, caller: None }, from, column, to) => {
                Some(Question::Link(user, from, column, to))
            }
            Self::Assign(user, table, row, owner) => Some(Question::Assign(user, table, row, owner)),
            Self::Share(user, table, row, _, mask, _) => Some(Question::Share(user, table, row, mask)),
            Self::Create(asker, table, new) => Some(Question::Create(asker, table, new)),
            Self::CreateSecured(user, table, column) => {
                Some(Question::Column(user, ColumnRight::Create, table, column))
            }
            Self::Link(Asker { user, caller: None }, one, other, _)
            | Self::Unlink(Asker { user, caller: None }, one, other, _) => Some(Question::Associate(user, one, other)),
            _ => None,
        }
    }

    /// What the oracle says.
    pub fn expected(&self, world: &World) -> Outcome {
        let has = |asker: Asker, kind, row: Guid| {
            let table = world.row(row).unwrap().table;
            world.answer(&Question::Row(asker, kind, table, row)).allowed
        };
        let view = |row: Guid| world.row(row).unwrap();
        let own = |user| Asker { user, caller: None };
        match *self {
            Self::Change(asker, _, row) => allowed(has(asker, PrivilegeKind::Write, row)),
            Self::ChangeSecured(user, table, row, column, _) => {
                let opens = Question::ColumnOfRow(user, ColumnRight::Update, table, column, row);
                let opens = world.answer(&opens).allowed;
                allowed(has(own(user), PrivilegeKind::Write, row) && opens)
            }
            Self::Delete(asker, _, row) => allowed(has(asker, PrivilegeKind::Delete, row)),
            // Appending (security model 5.6); and a line goes only where it could have been made.
            Self::Point(asker, (table, from), _, (_, to)) | Self::Hang(asker, (table, from), _, (_, to)) => allowed(
                has(asker, PrivilegeKind::Write, from)
                    && has(asker, PrivilegeKind::Append, from)
                    && has(asker, PrivilegeKind::AppendTo, to)
                    && (table.protection() != Protection::Line || has(asker, PrivilegeKind::Write, to)),
            ),
            // No cascade runs and nobody is asked when the row has that owner already: it is an ordinary change.
            Self::Assign(user, _, row, owner) if view(row).owner == Some(owner) => {
                allowed(has(own(user), PrivilegeKind::Write, row))
            }
            Self::Assign(user, _, row, owner) => allowed(may_assign(world, user, &view(row), owner).allowed),
            Self::Share(user, _, row, _, mask, _) => allowed(may_share(world, user, &view(row), mask).allowed),
            Self::Revoke(user, _, row, _) => allowed(has(own(user), PrivilegeKind::Share, row)),
            Self::Create(asker, table, new) => {
                let makes = world.answer(&Question::Create(asker, table, new)).allowed;
                // What puts the row in its place is a lookup for lines and users, and asks what lookups ask.
                let places = match new {
                    NewRow::Under(quote) => has(asker, PrivilegeKind::AppendTo, quote),
                    NewRow::InUnit(unit) => {
                        let new =
                            RowView { id: Guid::nil(), table, owner: None, unit: Some(unit), follows: Vec::new() };
                        let appends = |user| may(world, user, PrivilegeKind::Append, &new).allowed;
                        appends(asker.user) && asker.caller.is_none_or(appends)
                    }
                    NewRow::Own | NewRow::OwnedBy(_) | NewRow::OfOrganization => true,
                };
                allowed(makes && places)
            }
            Self::CreateSecured(user, table, column) => {
                let makes = world.answer(&Question::Create(own(user), table, NewRow::Own)).allowed;
                let opens = world.answer(&Question::Column(user, ColumnRight::Create, table, column)).allowed;
                allowed(makes && opens)
            }
            Self::CreateLinked(user, table, _, (_, to)) => {
                let makes = world.answer(&Question::Create(own(user), table, NewRow::Own)).allowed;
                let unit = world.user(user).map(|user| user.unit);
                let new = RowView { id: Guid::nil(), table, owner: Some(user), unit, follows: Vec::new() };
                let appends = may(world, user, PrivilegeKind::Append, &new).allowed;
                allowed(makes && appends && has(own(user), PrivilegeKind::AppendTo, to))
            }
            Self::Link(asker, one, other, _) | Self::Unlink(asker, one, other, _) => {
                allowed(has(asker, PrivilegeKind::Append, one) && has(asker, PrivilegeKind::Append, other))
            }
            Self::Rights(asker, _, _, row) if !has(asker, PrivilegeKind::Read, row) => Outcome::Refused,
            Self::Rights(_, Principal::User(user), _, row) => Outcome::Mask(rights_on(world, user, &view(row))),
            Self::Rights(_, Principal::Team(team), _, row) => Outcome::Mask(team_rights_on(world, team, &view(row))),
        }
    }

    /// What the gate says.
    ///
    /// # Panics
    /// When anything but a refusal stands in the way.
    pub async fn tried(&self, stage: &Stage, world: &World) -> Outcome {
        let org = stage.org.rehearsal();
        let own = |user| stage.caller(Asker { user, caller: None });
        let target = |table: WorldTable, row| Reference::id(stage.table(table).id, row);
        let principal = |id: Guid| {
            let table = if world.team(id).is_some() { "team" } else { "systemuser" };
            Value::Lookup(stage.schema.table_named(table).unwrap().id, id)
        };
        let points = |(table, id): (WorldTable, Guid)| Value::Lookup(stage.table(table).id, id);
        let result = match *self {
            Self::Change(asker, table, row) => {
                let column = table.name_column().unwrap_or("versionnumber");
                let input = input(stage, table, &[(column, text("changed"))]);
                org.update(&stage.caller(asker), target(table, row), input, Precondition::None).await.map(|_| ())
            }
            Self::ChangeSecured(user, table, row, column, clear) => {
                let value = if clear { Value::Null } else { column_value(column, 2_000) };
                let input = input(stage, table, &[(column, value)]);
                org.update(&own(user), target(table, row), input, Precondition::None).await.map(|_| ())
            }
            Self::Delete(asker, table, row) => {
                org.delete(&stage.caller(asker), target(table, row), Precondition::None).await
            }
            Self::Point(asker, (table, from), column, to) => {
                let input = input(stage, table, &[(column, points(to))]);
                org.update(&stage.caller(asker), target(table, from), input, Precondition::None).await.map(|_| ())
            }
            Self::Hang(asker, (table, from), column, (to_table, to)) => {
                let column = stage.column(table, column);
                let is = |r: &&custodia_schema::OneToMany| {
                    r.referencing_column == column && r.referenced == stage.table(to_table).id
                };
                let relationship = stage.schema.parents_of(stage.table(table).id).find(is).unwrap();
                let request = LinkRequest {
                    record: target(to_table, to),
                    relationship: relationship.name.clone(),
                    other: target(table, from),
                };
                org.associate(&stage.caller(asker), request).await
            }
            Self::Assign(user, table, row, owner) => {
                let input = input(stage, table, &[("ownerid", principal(owner))]);
                org.update(&own(user), target(table, row), input, Precondition::None).await.map(|_| ())
            }
            Self::Share(user, table, row, with, mask, true) => {
                org.grant_access(&own(user), target(table, row), with, RightsMask(mask)).await
            }
            Self::Share(user, table, row, with, mask, false) => {
                org.modify_access(&own(user), target(table, row), with, RightsMask(mask)).await
            }
            Self::Revoke(user, table, row, from) => org.revoke_access(&own(user), target(table, row), from).await,
            Self::Create(asker, table, new) => {
                let mut columns = first_columns(table);
                match new {
                    NewRow::Own | NewRow::OfOrganization => {}
                    NewRow::OwnedBy(owner) => columns.push(("ownerid", principal(owner))),
                    NewRow::InUnit(unit) => {
                        let units = stage.schema.table_named("businessunit").unwrap().id;
                        columns.push(("businessunitid", Value::Lookup(units, unit)));
                    }
                    NewRow::Under(quote) => columns.push(("quoteid", points((WorldTable::Quote, quote)))),
                }
                org.create(&stage.caller(asker), input(stage, table, &columns)).await.map(|_| ())
            }
            Self::CreateSecured(user, table, column) => {
                let mut columns = first_columns(table);
                columns.push((column, column_value(column, 2_000)));
                org.create(&own(user), input(stage, table, &columns)).await.map(|_| ())
            }
            Self::CreateLinked(user, table, column, to) => {
                let mut columns = first_columns(table);
                columns.push((column, points(to)));
                org.create(&own(user), input(stage, table, &columns)).await.map(|_| ())
            }
            Self::Link(asker, one, other, turned) => {
                org.associate(&stage.caller(asker), link(stage, one, other, turned)).await
            }
            Self::Unlink(asker, one, other, turned) => {
                org.disassociate(&stage.caller(asker), link(stage, one, other, turned)).await
            }
            Self::Rights(asker, principal, table, row) => {
                let caller = stage.caller(asker);
                let rights = org.principal_access(&caller, principal, stage.table(table).id, row).await;
                return match rights {
                    Ok(rights) => Outcome::Mask(rights.0),
                    Err(Error::Denied(_)) => Outcome::Refused,
                    Err(error) => panic!("{self:?}: {error}"),
                };
            }
        };
        match (result, self) {
            (Ok(()), _) => Outcome::Allowed,
            (Err(Error::Denied(_)), _) => Outcome::Refused,
            // Links are not changed by anybody.
            (Err(Error::Invalid(_)), Self::Change(_, WorldTable::OpportunityCompetitor, _)) => Outcome::Refused,
            // Users are not deleted, even by those who hold the privilege; links that are there are not made again.
            (Err(Error::Invalid(why)), Self::Delete(_, WorldTable::User, _)) if why.contains("disable") => {
                Outcome::Allowed
            }
            (Err(Error::DuplicateKey { .. }), Self::Link(..)) => Outcome::Allowed,
            // No account comes to stand above itself, even by those who may set its parent.
            (Err(Error::Refused { code: 0x8004_0507, .. }), Self::Hang(..) | Self::Point(..)) => Outcome::Allowed,
            (Err(error), _) => panic!("{self:?}: {error}"),
        }
    }
}

/// What a row of the table cannot be made without.
fn first_columns(table: WorldTable) -> Vec<(&'static str, Value)> {
    let name = table.name_column().unwrap_or_default();
    let mut columns = vec![(name, text("a new row"))];
    match table {
        WorldTable::Product => columns.push(("productnumber", text("a new row"))),
        WorldTable::Quote => columns.push(("quotenumber", text("a new row"))),
        WorldTable::User => columns.push(("domainname", text("new@worlds.example"))),
        _ => {}
    }
    columns
}

fn input(stage: &Stage, table: WorldTable, columns: &[(&str, Value)]) -> RecordInput {
    let columns =
        columns.iter().map(|(name, value)| (stage.column(table, name), Input::Value(value.clone()))).collect();
    RecordInput { table: stage.table(table).id, id: None, columns }
}

fn link(stage: &Stage, opportunity: Guid, competitor: Guid, turned: bool) -> LinkRequest {
    let intersect = stage.table(WorldTable::OpportunityCompetitor).id;
    let link = stage.schema.many_to_many().iter().find(|link| link.intersect == intersect).unwrap();
    let one = Reference::id(stage.table(WorldTable::Opportunity).id, opportunity);
    let other = Reference::id(stage.table(WorldTable::Competitor).id, competitor);
    let (record, other) = if turned { (other, one) } else { (one, other) };
    LinkRequest { record, relationship: link.name.clone(), other }
}
