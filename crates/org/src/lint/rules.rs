//! The rules. Each looks at the picture alone.

use std::collections::{BTreeMap, BTreeSet};

use custodia_access::ACT_ON_BEHALF;
use custodia_schema::{ColumnId, Guid, Level, PrivilegeKind, RowSecurity, Table, is_personal};

use super::picture::{Picture, Role};
use super::{Finding, LintBounds, Severity};
use crate::customization::comes_secured;
use crate::explaining::Named;
use crate::telling::allowed_level;

/// Names that a finding lists; of more it says how many there are.
const NAMES_MAX: usize = 10;

/// What the rules find.
pub(super) fn findings(picture: &Picture, bounds: LintBounds) -> Vec<Finding> {
    let mut found = Vec::new();
    for role in picture.held().filter(|role| !role.is_administrator) {
        reach(picture, role, &mut found);
        escalation(picture, role, &mut found);
    }
    unheld(picture, &mut found);
    people(picture, bounds, &mut found);
    columns(picture, &mut found);
    forms(picture, &mut found);
    found
}

/// How far a role reaches, and what of that reaches nothing.
fn reach(picture: &Picture, role: &Role, found: &mut Vec<Finding>) {
    let (mut reads, mut changes) = (BTreeSet::new(), BTreeSet::new());
    let (mut wider, mut empty) = (BTreeSet::new(), BTreeSet::new());
    for held in &role.privileges {
        let Some(privilege) = picture.schema.privilege_named(&held.name) else { continue };
        let Some(kind) = privilege.kind else { continue };
        let level = allowed_level(privilege, held.level);
        for table in privilege.tables.iter().filter_map(|table| picture.schema.table(*table)) {
            // On tables of the organisation every level is everything, and units and people are known to all who work there.
            let RowSecurity::Owned { .. } = table.security else { continue };
            if level == Level::Global {
                let names = if kind == PrivilegeKind::Read { &mut reads } else { &mut changes };
                names.insert(table.name.clone());
            }
            if !picture.filled.contains(&table.id) {
                empty.insert(table.name.clone());
            } else if level > Level::Local
                && picture.units > 1
                && role.bases.iter().all(|base| !picture.has_records_outside(table.id, *base))
            {
                wider.insert(table.name.clone());
            }
        }
    }
    let place = format!("role {}", role.named.name);
    let mut tell = |code, severity, names: BTreeSet<String>, what: &str, advice| {
        if !names.is_empty() {
            let (subject, place) = (Some(role.named.clone()), place.clone());
            let what = format!("{what}: {}", listed(names.iter().map(String::as_str)));
            found.push(Finding { code, severity, subject, place, what, advice });
        }
    };
    tell(
        "role-changes-everywhere",
        Severity::Medium,
        changes,
        "it creates, changes, gives away, shares or deletes records of the whole organisation",
        "lower the level to the business units that its holders work for, unless they work for all",
    );
    tell(
        "role-reads-everywhere",
        Severity::Low,
        reads,
        "it reads records of the whole organisation",
        "lower the level to the business units that its holders work for, unless they work for all",
    );
    tell(
        "level-wider-than-records",
        Severity::Low,
        wider,
        "its level goes beyond the business unit, where all records are in the unit of its holders now",
        "lower the level to Local, unless records of other units are to come",
    );
    if role.is_own {
        tell(
            "privilege-without-records",
            Severity::Low,
            empty,
            "it gives rights on tables of which the organisation has no record",
            "take these privileges off the role, unless such records are to come",
        );
    }
}

/// Rights by which somebody gets more of them.
fn escalation(picture: &Picture, role: &Role, found: &mut Vec<Finding>) {
    let gives = |name: &str| role.privileges.iter().any(|held| held.name == name);
    let holders = listed(holders_of(picture, role.named.id).map(|name| name.name.as_str()));
    let mut tell = |code, severity, what: String, advice| {
        let place = format!("role {}", role.named.name);
        found.push(Finding { code, severity, subject: Some(role.named.clone()), place, what, advice });
    };
    let roles = picture.schema.table_named("role");
    let named = |kind| roles.and_then(|table| table.privilege(kind)).map(|privilege| privilege.name.as_str());
    let kinds = [PrivilegeKind::Assign, PrivilegeKind::Write];
    let held: Vec<&str> = kinds.into_iter().filter_map(named).filter(|name| gives(name)).collect();
    if !held.is_empty() {
        tell(
            "role-gives-roles",
            Severity::Medium,
            format!(
                "its holders give or edit roles ({}), as far as they have what these give: {holders}",
                held.join(", ")
            ),
            "leave giving roles to System Administrators, or see to it that these people are meant to",
        );
    }
    let is_given = picture.enabled().any(|person| person.direct.iter().any(|(root, _)| *root == role.named.id));
    if gives(ACT_ON_BEHALF) && is_given {
        tell(
            "role-acts-for-others",
            Severity::High,
            format!("its holders act in the name of others, within what both may do: {holders}"),
            "give it to programs alone that act for the people who use them",
        );
    }
}

/// Roles that nobody has, teams that give theirs to nobody.
fn unheld(picture: &Picture, found: &mut Vec<Finding>) {
    let of_people: BTreeSet<Guid> = picture.people.values().flat_map(|person| person.roots()).collect();
    let of_teams: BTreeSet<Guid> = picture.teams.iter().flat_map(|team| team.roles.iter().copied()).collect();
    for role in picture.roles.values().filter(|role| role.is_own) {
        if !of_people.contains(&role.named.id) && !of_teams.contains(&role.named.id) {
            found.push(Finding {
                code: "role-unheld",
                severity: Severity::Low,
                subject: Some(role.named.clone()),
                place: format!("role {}", role.named.name),
                what: "no user and no team holds it".to_owned(),
                advice: "delete it if it is of no use any more",
            });
        }
    }
    for team in picture.teams.iter().filter(|team| !team.roles.is_empty() && team.members.is_empty()) {
        let roles = team.roles.iter().filter_map(|root| picture.roles.get(root));
        found.push(Finding {
            code: "team-without-members",
            severity: Severity::Medium,
            subject: Some(team.named.clone()),
            place: format!("team {}", team.named.name),
            what: format!(
                "it has roles and no members, so that whoever joins gets them: {}",
                listed(roles.map(|role| role.named.name.as_str()))
            ),
            advice: "take the roles off the team, or delete it",
        });
    }
}

/// Users with much, and disabled ones with something left.
fn people(picture: &Picture, bounds: LintBounds, found: &mut Vec<Finding>) {
    let mut tell = |code, severity, named: &Named, what: String, advice| {
        let place = format!("user {}", named.name);
        found.push(Finding { code, severity, subject: Some(named.clone()), place, what, advice });
    };
    let name_of = |root: &Guid| picture.roles.get(root).map(|role| role.named.name.as_str());
    for person in picture.enabled() {
        let roots = person.roots();
        if roots.len() > bounds.roles_of_user_max {
            let what = format!("{} roles: {}", roots.len(), listed(roots.iter().filter_map(name_of)));
            let advice = "make one role of what the person needs, or take those off that are left over from other work";
            tell("user-many-roles", Severity::Low, &person.named, what, advice);
        }
    }
    for person in picture.people.values().filter(|person| person.disabled) {
        let user = &person.named;
        if let Some(tables) = picture.owning.get(&user.id) {
            let what = format!("disabled, and owns records of {}", listed(tables.iter().map(String::as_str)));
            tell("disabled-user-owns", Severity::Low, user, what, "give the records to whoever works on them now");
        }
        if picture.sharing.contains(&user.id) {
            let what = "disabled, and records are shared with this user".to_owned();
            tell(
                "disabled-user-shares",
                Severity::Low,
                user,
                what,
                "take the shares back: enabled again, the user has them",
            );
        }
        let roots = person.roots();
        if !roots.is_empty() {
            let what = format!("disabled, and holds {}", listed(roots.iter().filter_map(name_of)));
            tell(
                "disabled-user-holds-roles",
                Severity::Low,
                user,
                what,
                "take the roles: enabled again, the user has them",
            );
        }
    }
    let is_administrator = |root: &Guid| picture.roles.get(root).is_some_and(|role| role.is_administrator);
    let administrators: Vec<&Named> = picture
        .enabled()
        .filter(|person| person.roots().iter().any(is_administrator))
        .map(|person| &person.named)
        .collect();
    let names = || listed(administrators.iter().map(|named| named.name.as_str()));
    let mut of_organization = |code, severity, what: String, advice| {
        found.push(Finding { code, severity, subject: None, place: "organisation".to_owned(), what, advice });
    };
    if administrators.len() > bounds.administrators_max {
        of_organization(
            "administrators-many",
            Severity::Medium,
            format!("{} enabled users are System Administrators: {}", administrators.len(), names()),
            "leave the role to those who need it every day, and give others a role of what they do",
        );
    }
    if administrators.len() == 1 {
        of_organization(
            "administrator-alone",
            Severity::Medium,
            format!("one enabled user alone is a System Administrator: {}", names()),
            "have a second one, so that somebody can help when this one is away",
        );
    }
}

/// Columns that are secured, or should be.
fn columns(picture: &Picture, found: &mut Vec<Finding>) {
    let mut tell = |code, severity, table: &Table, column: ColumnId, what: String, advice| {
        let name = table.column_by_id(column).map_or("", |column| column.name.as_str());
        let place = format!("{}.{name}", table.name);
        found.push(Finding { code, severity, subject: None, place, what, advice });
    };
    let is_audited = |table: &Table, column: ColumnId| {
        let switched = table.column_by_id(column).is_some_and(|column| column.audited);
        picture.audits && table.audited && switched
    };
    for (table, column) in picture.secured() {
        let is_read = || picture.enabled().any(|person| !person.reads_all() && person.reads(&(table.id, column)));
        // What comes secured stays so, and is closed to all until somebody asks for it.
        if !comes_secured(table.id, column) && !is_read() {
            tell(
                "column-without-readers",
                Severity::Medium,
                &table,
                column,
                "secured, and no profile opens it for reading to any enabled user but System Administrators".to_owned(),
                "give a profile that reads it to those who need it, or secure it no longer",
            );
        }
        // What no caller writes changes with what it is computed from.
        let is_written = table.column_by_id(column).is_some_and(|column| column.creatable || column.updatable);
        if is_written && !is_audited(&table, column) {
            tell(
                "secured-column-unaudited",
                Severity::Medium,
                &table,
                column,
                "secured, and its changes are not audited".to_owned(),
                "switch on the audit of the organisation, the table and the column",
            );
        }
    }
    for table in picture.schema.tables() {
        // What nobody uses holds nothing that is private.
        let is_used = picture.filled.contains(&table.id) || table.name == "systemuser";
        for column in table.columns().iter().filter(|column| is_used && is_personal(table, column) && !column.secured) {
            tell(
                "personal-column-open",
                Severity::Medium,
                table,
                column.id,
                "holds what is private to a person, and is read by all who read the record".to_owned(),
                "secure the column and give a profile to those who need it, unless it is not used",
            );
            if !is_audited(table, column.id) {
                tell(
                    "personal-column-unaudited",
                    Severity::Low,
                    table,
                    column.id,
                    "holds what is private to a person, and its changes are not audited".to_owned(),
                    "switch on the audit of the organisation, the table and the column",
                );
            }
        }
    }
}

/// Fields that stay empty to those who are shown the form.
fn forms(picture: &Picture, found: &mut Vec<Finding>) {
    for showing in &picture.showings {
        let (table, column) = showing.column;
        let column = picture.schema.table(table).and_then(|table| table.column_by_id(column));
        let mut roles: BTreeMap<Guid, &str> = BTreeMap::new();
        for person in showing.blind.iter().filter_map(|user| picture.people.get(user)) {
            roles.extend(
                person.roots().iter().filter_map(|root| Some((*root, picture.roles.get(root)?.named.name.as_str()))),
            );
        }
        found.push(Finding {
            code: "form-shows-secured-column",
            severity: Severity::Low,
            subject: Some(showing.form.clone()),
            place: format!("form {} of {}", showing.form.name, showing.table),
            what: format!(
                "shows {} to {} users who cannot read it, with the roles {}",
                column.map_or("", |column| column.name.as_str()),
                showing.blind.len(),
                listed(roles.into_values())
            ),
            advice: "bind a form without the field to these roles, or give their holders a profile that reads it",
        });
    }
}

/// Enabled users who hold a role.
fn holders_of(picture: &Picture, root: Guid) -> impl Iterator<Item = &Named> {
    picture.enabled().filter(move |person| person.roots().contains(&root)).map(|person| &person.named)
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(NAMES_MAX);
    names.truncate(NAMES_MAX);
    let rest = format!("and {more} more");
    if more > 0 {
        names.push(&rest);
    }
    names.join(", ")
}
